/* config_internal.h: what the files of config/ share: the table, the values, and where each was set. */
#ifndef ROSTER_CONFIG_CONFIG_INTERNAL_H
#define ROSTER_CONFIG_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/text.h"
#include "config/config.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_PATH,
    CONFIG_SECRET_PATH,
    CONFIG_INTEGER,
    CONFIG_SIZE,
    CONFIG_SECONDS,
    CONFIG_MILLISECONDS,
    CONFIG_BOOLEAN,
    CONFIG_SEVERITY,
    CONFIG_LOG_FORMAT,
    CONFIG_PRIVACY,
    CONFIG_COOKIE_SECURE,
    CONFIG_SAME_SITE,
    CONFIG_ADDRESSES,
    CONFIG_LIST
};

/* A row of directives.def. For a SECTION row.name is NULL, and type and offset mean nothing. */
struct config_field {
    struct directive_row row;
    enum config_type type;
    size_t offset; /* in struct config, or in struct pool_config */
};

/* The number of rows, sections counted. */
enum {
    CONFIG_ROW_COUNT = 0
#define SECTION(title, text) +1
#define DIRECTIVE(name, scope, type, default_text, least, most, applies, text) +1
#include "tables/directives.def"
};

extern const struct config_field config_fields[CONFIG_ROW_COUNT];

/* Places of a directive: outside the sections, or a pool's. */
enum { CONFIG_SCOPE_GLOBAL = POOL_COUNT, CONFIG_SCOPE_COUNT };

/* What config_read makes: the public part comes first, so that a pointer to it is a pointer to the whole. */
struct config_loaded {
    struct config config;
    unsigned lines[CONFIG_SCOPE_COUNT][CONFIG_ROW_COUNT]; /* where each directive was set; 0: nowhere */
};

/* A message without FILE:LINE. What is longer is cut. */
struct config_message {
    char text[1024];
};

void config_message_set(struct config_message *message, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The row of a directive, or NULL. */
const struct config_field *config_find(struct text name);

/* The index of a row in config_fields. */
static inline size_t config_field_index(const struct config_field *field)
{
    return (size_t)(field - config_fields);
}

/* The default of a directive in a scope: never NULL, empty where it is unset. */
const char *config_default(const struct config_field *field, unsigned scope);

/* Where the value of a directive lies. */
void *config_slot(struct config *config, const struct config_field *field, unsigned scope);
const void *config_slot_const(const struct config *config, const struct config_field *field, unsigned scope);

/* The name in the table that was probably meant, or NULL; likewise of a section. */
const char *config_suggest_directive(struct text name);
const char *config_suggest_section(struct text name);

/* Parses `value`, which has neither quotes nor comment left, into *slot. False with a message. */
bool config_value_parse(struct arena *arena, const struct config_field *field, struct text value, void *slot,
                        struct config_message *message);

/* Prints a value so that config_value_parse takes it back, without quotes. */
void config_value_print(FILE *out, const struct config_field *field, const void *slot);

/* As config_value_print, into a string of malloc. */
char *config_value_to_string(const struct config_field *field, const void *slot);

/* Prints a value as it stands in a file: in quotes where it needs them. */
void config_print_quoted(FILE *out, const char *value);

/* "10.0.0.0/8" → *network_r. False with a message. */
bool network_parse(struct text text, struct network *network_r, struct config_message *message);
void network_print(FILE *out, const struct network *network);

/* Reads the lines of `content` into *loaded. False with a message and its line (0: of the file as a whole). */
bool config_parse(struct config_loaded *loaded, struct text content, unsigned *line_r, struct config_message *message);

/* Resolves what depends on the machine, and checks values against each other. Same answer. */
bool config_check(struct config_loaded *loaded, unsigned *line_r, struct config_message *message);

#endif
