/* permission_table.h: permissions.def as an array. auth/permission computes the effective permissions of a user. */
#ifndef ROSTER_BASE_PERMISSION_TABLE_H
#define ROSTER_BASE_PERMISSION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/enums.h"

/* One enumerator per row: PERMISSION_features_api_keys, … */
enum permission {
#define PERMISSION(section, key, absent, fresh, since) PERMISSION_##section##_##key,
#include "tables/permissions.def"
    PERMISSION_COUNT
};

struct permission_row {
    const char *section; /* "features" */
    const char *key;     /* "api_keys" */
    bool absent;         /* the value where the key is missing in a body, in compatibility with 0.6 */
    bool fresh;          /* the value in the defaults of a new installation */
    enum compatibility since;
};

/* The row with this index, in the order of the table. The rows of a section are adjacent.
 * NULL after the last row. */
const struct permission_row *permission_row(size_t index);

/* The row of a key in a section. NULL where there is no such row. */
const struct permission_row *permission_find(const char *section, const char *key);

/* True where the table has a section of this name. */
bool permission_is_section(const char *name);

#endif
