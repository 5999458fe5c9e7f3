/* config_table.c: the rows of directives.def: names, defaults, and the offsets of their values. */
#include "config/config_table.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/edit_distance.h"
#include "base/log.h"

#define IS_POOL_GLOBAL false
#define IS_POOL_POOL true
#define OFFSET_GLOBAL(name) offsetof(struct config, name)
#define OFFSET_POOL(name) offsetof(struct pool_config, name)
#define NEEDS_RESTART_RELOAD false
#define NEEDS_RESTART_RESTART true

/* The cell `type` of a row. */
#define KIND(kind) .type = DIRECTIVE_##kind, .type_name = #kind
#define KIND_TEXT KIND(TEXT)
#define KIND_PATH KIND(PATH)
#define KIND_SECRET_PATH KIND(SECRET_PATH)
#define KIND_INTEGER KIND(INTEGER)
#define KIND_SIZE KIND(SIZE)
#define KIND_SECONDS KIND(SECONDS)
#define KIND_MILLISECONDS KIND(MILLISECONDS)
#define KIND_BOOLEAN KIND(BOOLEAN), .words = boolean_words
#define KIND_ENUM(name) KIND(ENUM), .words = name##_words
#define KIND_ADDRESSES KIND(ADDRESSES)
#define KIND_LIST KIND(LIST)

const struct directive config_table[CONFIG_ROW_COUNT] = {
#define SECTION(section_title, section_text) {.title = section_title, .text = section_text},
#define DIRECTIVE(directive, scope, kind, default_value, minimum, maximum, applies, description) \
    {.name = #directive,                                                                         \
     .is_pool = IS_POOL_##scope,                                                                 \
     KIND_##kind,                                                                                \
     .default_text = default_value,                                                              \
     .min = minimum,                                                                             \
     .max = maximum,                                                                             \
     .needs_restart = NEEDS_RESTART_##applies,                                                   \
     .text = description,                                                                        \
     .offset = OFFSET_##scope(directive)},
#include "tables/directives.def"
};

static const struct {
    enum pool pool;
    size_t offset; /* of the directive */
    const char *value;
} pool_defaults[] = {
#define POOL_DEFAULT(pool, name, value) {POOL_##pool, offsetof(struct pool_config, name), value},
#include "tables/directives.def"
};

const struct directive *config_directive(size_t index)
{
    return index < CONFIG_ROW_COUNT ? &config_table[index] : NULL;
}

const struct directive *config_find(struct text name)
{
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name != NULL && text_is(name, config_table[i].name)) {
            return &config_table[i];
        }
    }
    return NULL;
}

const char *config_pool_default(enum pool pool, const char *name)
{
    const struct directive *directive = config_find(text_of(name));

    if (directive == NULL || !directive->is_pool) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_COUNT(pool_defaults); i++) {
        if (pool_defaults[i].pool == pool && pool_defaults[i].offset == directive->offset) {
            return pool_defaults[i].value;
        }
    }
    return directive->default_text;
}

const char *config_default(const struct directive *directive, unsigned scope)
{
    const char *value =
        directive->is_pool ? config_pool_default((enum pool)scope, directive->name) : directive->default_text;

    return value != NULL ? value : "";
}

bool config_has_one_default(const struct directive *directive)
{
    for (unsigned pool = 1; directive->is_pool && pool < POOL_COUNT; pool++) {
        if (strcmp(config_default(directive, pool), config_default(directive, 0)) != 0) {
            return false;
        }
    }
    return true;
}

void *config_slot(struct config *config, const struct directive *directive, unsigned scope)
{
    return (char *)(directive->is_pool ? (void *)&config->pools[scope] : (void *)config) + directive->offset;
}

const void *config_slot_const(const struct config *config, const struct directive *directive, unsigned scope)
{
    return (const char *)(directive->is_pool ? (const void *)&config->pools[scope] : (const void *)config) +
           directive->offset;
}

/* Did you mean. */

/* The edit distance of a typed name from a known one; upper case, and '-' for '_', do not count. */
static unsigned distance(struct text typed, const char *known)
{
    char folded[EDIT_DISTANCE_LENGTH_MAX];
    if (typed.length > sizeof folded) {
        return UINT_MAX;
    }
    for (size_t i = 0; i < typed.length; i++) {
        folded[i] = typed.data[i] == '-' ? '_' : ascii_to_lower(typed.data[i]);
    }
    return edit_distance((struct text){folded, typed.length}, text_of(known));
}

static unsigned distance_allowed(struct text name)
{
    return name.length < 6 ? 1 : name.length < 12 ? 2 : (unsigned)name.length / 4;
}

const char *config_suggest_directive(struct text name)
{
    const char *suggestion = NULL;
    unsigned min = distance_allowed(name) + 1;

    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name == NULL) {
            continue;
        }
        unsigned here = distance(name, config_table[i].name);
        if (here < min) {
            min = here;
            suggestion = config_table[i].name;
        }
    }
    /* An incomplete name: database_password for database_password_file. */
    for (size_t i = 0; suggestion == NULL && name.length >= 4 && i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name != NULL && strncasecmp(config_table[i].name, name.data, name.length) == 0) {
            suggestion = config_table[i].name;
        }
    }
    return suggestion;
}

const char *config_suggest_section(struct text name)
{
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (distance(name, pool_names[pool]) <= distance_allowed(name)) {
            return pool_names[pool];
        }
    }
    return NULL;
}

const char *config_list_sections(char list_r[static CONFIG_SECTIONS_SIZE])
{
    size_t length = 0;

    for (unsigned pool = 0; pool < POOL_COUNT && length < CONFIG_SECTIONS_SIZE; pool++) {
        const char *between = pool == 0 ? "" : pool + 1 < POOL_COUNT ? ", " : " and ";
        length += (size_t)snprintf(list_r + length, CONFIG_SECTIONS_SIZE - length, "%s[%s]", between, pool_names[pool]);
    }
    return list_r;
}

unsigned config_line(const struct config_loaded *loaded, const char *name, unsigned scope)
{
    const struct directive *directive = config_find(text_of(name));

    invariant(directive != NULL);
    return loaded->lines[scope][config_index(directive)];
}
