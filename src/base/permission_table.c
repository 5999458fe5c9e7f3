#include "base/permission_table.h"

#include <string.h>

/* A row refers to the name of its section, so a row with an unknown section does not compile. */
#define PERMISSION_SECTION(section, since, text) static const char name_of_##section[] = #section;
#include "tables/permissions.def"

static const struct permission_row rows[PERMISSION_COUNT] = {
#define PERMISSION(section, key, absent, fresh, since) \
    [PERMISSION_##section##_##key] = {name_of_##section, #key, absent, fresh, COMPATIBILITY_##since},
#include "tables/permissions.def"
};

const struct permission_row *permission_row(size_t index)
{
    return index < PERMISSION_COUNT ? &rows[index] : NULL;
}

const struct permission_row *permission_find(const char *section, const char *key)
{
    for (size_t i = 0; i < PERMISSION_COUNT; i++) {
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

bool permission_is_section(const char *name)
{
    for (size_t i = 0; i < PERMISSION_COUNT; i++) {
        if (strcmp(rows[i].section, name) == 0) {
            return true;
        }
    }
    return false;
}
