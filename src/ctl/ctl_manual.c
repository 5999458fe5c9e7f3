/* ctl_manual.c: rosterctl manual: a template of man/ with its marks filled in: @WORD@ within a line, or alone on it
 * for a part that the tables give. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/file.h"
#include "ctl/manual.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static const struct {
    const char *mark;
    void (*print)(struct buffer *out);
} parts[] = {
    {"@DIRECTIVES@", manual_directives}, {"@GLOBAL_OPTIONS@", manual_global_options},
    {"@COMMANDS@", manual_commands},     {"@EXIT_STATUS@", manual_exit_status},
    {"@ROUTES@", manual_routes},         {"@BODIES@", manual_bodies},
    {"@SHAPES@", manual_shapes},         {"@PERMISSIONS@", manual_permissions},
    {"@ERRORS@", manual_errors},         {"@LIMITS@", manual_limits},
};

static const struct {
    const char *mark, *value;
} words[] = {
    {"@VERSION@", PACKAGE_VERSION},
    {"@SYSCONFDIR@", SYSCONFDIR},
    {"@PKGDATADIR@", PKGDATADIR},
};

static bool add_part(struct buffer *out, struct text line)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (text_is(line, parts[i].mark)) {
            parts[i].print(out);
            return true;
        }
    }
    return false;
}

/* False where a mark is unknown. */
static bool add_line(struct buffer *out, struct text line)
{
    while (line.length > 0) {
        const char *at = memchr(line.data, '@', line.length);
        size_t before = at != NULL ? (size_t)(at - line.data) : line.length;
        size_t taken = before;
        buffer_add(out, line.data, before);
        if (at != NULL) {
            struct text rest = {at, line.length - before};
            for (size_t i = 0; i < sizeof words / sizeof words[0] && taken == before; i++) {
                if (text_starts_with(rest, words[i].mark)) {
                    buffer_add_string(out, words[i].value);
                    taken += strlen(words[i].mark);
                }
            }
            if (taken == before && rest.length > 1 && rest.data[1] >= 'A' && rest.data[1] <= 'Z') {
                return false;
            }
            if (taken == before) {
                buffer_add_byte(out, '@');
                taken++;
            }
        }
        line = (struct text){line.data + taken, line.length - taken};
    }
    buffer_add_byte(out, '\n');
    return true;
}

static const char *section_of(const char *page)
{
    return strcmp(page, "roster.conf") == 0 ? "5" : strcmp(page, "roster-api") == 0 ? "7" : "8";
}

int command_manual(struct invocation *invocation)
{
    struct arena *arena = invocation->context.arena;
    const char *page = ctl_argument(invocation, 0);
    const char *directory = ctl_option(invocation, "directory");
    const char *path =
        text_format(arena, "%s/%s.%s.in", directory != NULL ? directory : PKGDATADIR "/man", page, section_of(page))
            .data;
    struct text template;
    struct buffer out;
    if (!file_read(arena, path, &template)) {
        return ctl_fail(EXIT_FAILED, "%s: %s; name the directory of the pages to fill in with --directory", path,
                        strerror(errno));
    }
    buffer_init(&out, arena);
    for (size_t at = 0; at < template.length;) {
        const char *end = memchr(template.data + at, '\n', template.length - at);
        size_t length = end != NULL ? (size_t)(end - template.data) - at : template.length - at;
        struct text line = {template.data + at, length};
        if (!add_part(&out, line) && !add_line(&out, line)) {
            return ctl_fail(EXIT_FAILED, "%s: unknown mark: %.*s", path, (int)line.length, line.data);
        }
        at += length + 1;
    }
    ctl_print(&out);
    return EXIT_DONE;
}
