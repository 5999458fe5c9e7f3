#include "base/time_zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/ascii.h"

enum { NAME_LENGTH_MAX = 100 };

static const char *const names[] = {
#define TIME_ZONE(name) name,
#include "base/time_zones.inc"
#undef TIME_ZONE
};

enum { NAME_COUNT = ARRAY_COUNT(names) };

/* Compares for bsearch(3). */
static int compare(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

/* Letters, digits and `_+-', in parts between single slashes: such a name can't leave the directory. */
static bool has_form(struct text name)
{
    if (name.length == 0 || name.length > NAME_LENGTH_MAX || name.data[0] == '/' || name.data[name.length - 1] == '/' ||
        memmem(name.data, name.length, "//", 2) != NULL) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.data[i];
        if (!ascii_is_letter(byte) && !ascii_is_digit(byte) && (byte == '\0' || strchr("_+-/", byte) == NULL)) {
            return false;
        }
    }
    return true;
}

/* True where the file of that name is a zone: it has the header of RFC 9636, section 3.1. */
static bool is_zone_of_machine(const char *name)
{
    if (strcmp(name, "localtime") == 0 || strcmp(name, "posixrules") == 0 || strncmp(name, "right/", 6) == 0 ||
        strncmp(name, "posix/", 6) == 0) {
        return false;
    }
    char path[NAME_LENGTH_MAX + 32];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char magic[4];
    bool is_zone = fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && memcmp(magic, "TZif", 4) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_zone;
}

/* Copies a name, NUL-terminated. False where it does not have the form of a name. */
static bool take_name(struct text name, char copy[static NAME_LENGTH_MAX + 1])
{
    if (!has_form(name)) {
        return false;
    }
    memcpy(copy, name.data, name.length);
    copy[name.length] = '\0';
    return true;
}

static bool is_built_in(const char *name)
{
    return bsearch(name, names, NAME_COUNT, sizeof *names, compare) != NULL;
}

bool time_zone_is_name(struct text name)
{
    char copy[NAME_LENGTH_MAX + 1];
    return take_name(name, copy) && (is_built_in(copy) || is_zone_of_machine(copy));
}
