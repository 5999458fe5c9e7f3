/* config_table.h: the table of directives, and the object that a file is loaded into. */
#ifndef ROSTER_CONFIG_CONFIG_TABLE_H
#define ROSTER_CONFIG_CONFIG_TABLE_H

#include <stddef.h>

#include "base/pool.h"
#include "base/text.h"
#include "config/config.h"
#include "config/directive.h"

/* The number of rows, including those of sections. */
enum {
    CONFIG_ROW_COUNT = 0
#define SECTION(title, text) +1
#define DIRECTIVE(name, scope, type, default_text, min, max, applies, text) +1
#include "tables/directives.def"
};

extern const struct directive config_table[CONFIG_ROW_COUNT];

/* The row of an index, from 0; NULL after the last. */
const struct directive *config_directive(size_t index);

/* The row of a directive; NULL: unknown name. */
const struct directive *config_find(struct text name);

/* The index of a row in config_table. */
static inline size_t config_index(const struct directive *directive)
{
    return (size_t)(directive - config_table);
}

/* The scope of a directive: the section of a pool (the pool's number), or before the sections. */
enum { CONFIG_SCOPE_GLOBAL = POOL_COUNT, CONFIG_SCOPE_COUNT };

/* The default of a directive in a scope. Never NULL; empty: unset. */
const char *config_default(const struct directive *directive, unsigned scope);

/* The default of a pool's directive, from POOL_DEFAULT or the row; NULL: unknown name. */
const char *config_pool_default(enum pool pool, const char *name);

/* Whether the default is the same in all sections that a directive may stand in. */
bool config_has_one_default(const struct directive *directive);

/* The address of the value of a directive. */
void *config_slot(struct config *config, const struct directive *directive, unsigned scope);
const void *config_slot_const(const struct config *config, const struct directive *directive, unsigned scope);

/* The most similar name of a directive, or of a section, for a misspelt one; NULL: none is similar. */
const char *config_suggest_directive(struct text name);
const char *config_suggest_section(struct text name);

/* Writes "[api], [password], [directory] and [status]" to list_r, and returns it. */
enum { CONFIG_SECTIONS_SIZE = 24 * POOL_COUNT };
const char *config_list_sections(char list_r[static CONFIG_SECTIONS_SIZE]);

/* The object that config_read allocates. `config` is first, so a pointer to it is a pointer to the whole object. */
struct config_loaded {
    struct config config;
    unsigned lines[CONFIG_SCOPE_COUNT][CONFIG_ROW_COUNT]; /* where each directive is set; 0: not set */
};

/* The line of a directive, whose name must exist; 0: it has its default. */
unsigned config_line(const struct config_loaded *loaded, const char *name, unsigned scope);

#endif
