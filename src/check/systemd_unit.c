/* systemd_unit.c: see systemd_unit.h. Lines are NAME=VALUE; an empty value takes back what was set before. */
#include "check/systemd_unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static const char default_path[] = "/etc/systemd/system:/run/systemd/system:/usr/local/lib/systemd/system:"
                                   "/usr/lib/systemd/system:/lib/systemd/system";

/* Called with each setting of a unit. */
typedef void take_setting(struct arena *arena, struct text name, struct text value, void *argument);

static void take_lines(struct arena *arena, struct text content, take_setting *take, void *argument)
{
    while (content.length > 0) {
        struct text value = text_trim(text_take(&content, '\n'));
        if (value.length > 0 && value.data[0] != '#' && value.data[0] != ';') {
            struct text name = text_trim(text_take(&value, '='));
            take(arena, name, text_trim(value), argument);
        }
    }
}

static int is_setting_file(const struct dirent *entry)
{
    return text_ends_with(text_of(entry->d_name), ".conf");
}

static void take_drop_ins(struct arena *arena, const char *directory, take_setting *take, void *argument)
{
    struct dirent **entries;
    struct text content;
    int count = scandir(directory, &entries, is_setting_file, alphasort);
    for (int i = 0; i < count; i++) {
        if (file_read(arena, text_format(arena, "%s/%s", directory, entries[i]->d_name).data, &content)) {
            take_lines(arena, content, take, argument);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

/* The file of the unit; NULL: there is none. */
static const char *take_unit(struct arena *arena, const char *name, take_setting *take, void *argument)
{
    const char *path = getenv("SYSTEMD_UNIT_PATH");
    const char *found = NULL;
    struct text content, all = text_of(path != NULL && path[0] != '\0' ? path : default_path);
    for (struct text rest = all; rest.length > 0 && found == NULL;) {
        struct text directory = text_take(&rest, ':');
        const char *file = text_format(arena, "%.*s/%s", (int)directory.length, directory.data, name).data;
        if (directory.length > 0 && file_read(arena, file, &content)) {
            found = file;
            take_lines(arena, content, take, argument);
        }
    }
    for (struct text rest = all; rest.length > 0 && found != NULL;) {
        struct text directory = text_take(&rest, ':');
        take_drop_ins(arena, text_format(arena, "%.*s/%s.d", (int)directory.length, directory.data, name).data, take,
                      argument);
    }
    return found;
}

struct service {
    struct systemd_unit *unit;
    const char *config_path; /* that ExecStart= names, or the default */
};

/* The file behind -c in a command line. */
static const char *config_of(struct arena *arena, struct text command)
{
    while (command.length > 0) {
        struct text word = text_take(&command, ' ');
        if (text_is(word, "-c")) {
            return text_to_string(arena, text_copy(arena, text_take(&command, ' ')));
        }
    }
    return SYSCONFDIR "/roster/roster.conf";
}

static void take_service(struct arena *arena, struct text name, struct text value, void *argument)
{
    struct service *service = argument;
    const char *string = value.length > 0 ? text_to_string(arena, text_copy(arena, value)) : NULL;
    if (text_is(name, "User")) {
        service->unit->user = string;
    } else if (text_is(name, "Group")) {
        service->unit->group = string;
    } else if (text_is(name, "ExecStart") && value.length > 0) {
        service->config_path = config_of(arena, value);
    }
}

static void take_socket(struct arena *arena, struct text name, struct text value, void *argument)
{
    struct systemd_unit *unit = argument;
    if (!text_is(name, "ListenStream")) {
        return;
    }
    if (value.length == 0) {
        unit->socket_count = 0;
    } else if (unit->socket_count < SYSTEMD_SOCKETS_MAX) {
        unit->sockets[unit->socket_count++] = text_to_string(arena, text_copy(arena, value));
    }
}

void systemd_unit_read(struct arena *arena, const char *config_path, struct systemd_unit *unit_r)
{
    struct service service = {.unit = unit_r, .config_path = ""};
    *unit_r = (struct systemd_unit){.file = NULL};
    const char *file = take_unit(arena, "roster.service", take_service, &service);
    if (file != NULL && strcmp(service.config_path, config_path) == 0) {
        unit_r->file = file;
        take_unit(arena, "roster.socket", take_socket, unit_r);
    }
}

bool systemd_unit_makes(const struct systemd_unit *unit, const char *path)
{
    for (size_t i = 0; i < unit->socket_count; i++) {
        if (strcmp(unit->sockets[i], path) == 0) {
            return true;
        }
    }
    return false;
}
