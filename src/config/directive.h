/* directive.h: a row of tables/directives.def. */
#ifndef ROSTER_CONFIG_DIRECTIVE_H
#define ROSTER_CONFIG_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/enums.h"

enum directive_type {
    DIRECTIVE_TEXT,
    DIRECTIVE_PATH,
    DIRECTIVE_SECRET_PATH,
    DIRECTIVE_INTEGER,
    DIRECTIVE_SIZE,
    DIRECTIVE_SECONDS,
    DIRECTIVE_MILLISECONDS,
    DIRECTIVE_BOOLEAN,
    DIRECTIVE_ENUM,
    DIRECTIVE_ADDRESSES,
    DIRECTIVE_LIST
};

/* A SECTION row has only title and text. */
struct directive {
    const char *name; /* NULL for a SECTION row */
    const char *title;
    bool is_pool;
    enum directive_type type;
    const char *type_name;         /* "TEXT", "SECONDS", … */
    const struct enum_word *words; /* of a BOOLEAN and an ENUM; else NULL */
    const char *default_text;      /* NULL for a pool directive with a default per pool */
    int64_t min, max;
    bool needs_restart;
    const char *text;
    size_t offset; /* of the value in struct config, or in struct pool_config */
};

#endif
