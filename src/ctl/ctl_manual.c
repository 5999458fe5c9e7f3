/* ctl_manual.c: rosterctl manual: fills in a template of man/. @WORD@ within a line is replaced by a value, and alone
 * on a line by a part that is generated from the tables. */
#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/file.h"
#include "base/log.h"
#include "ctl/ctl.h"
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
    {"@FAULTS@", manual_faults},         {"@BEHAVIOURS@", manual_behaviours},
    {"@MAILS@", manual_mails},           {"@MAIL_VALUES@", manual_mail_values},
    {"@AUDIT@", manual_audit},
};

static const struct {
    const char *mark, *value;
} words[] = {
    {"@VERSION@", PACKAGE_VERSION},
    {"@SYSCONFDIR@", SYSCONFDIR},
    {"@PKGDATADIR@", PKGDATADIR},
};

/* The pages of man/ are part of the program, so that `rosterctl manual' needs no files. */
static const struct page {
    const char *name, *section, *text;
} pages[] = {
#define MANUAL_PAGE(name, section, text) {name, section, text},
#include "ctl/manual_pages.inc"
#undef MANUAL_PAGE
};

static bool add_part(struct buffer *out, struct text line)
{
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (text_is(line, parts[i].mark)) {
            parts[i].print(out);
            return true;
        }
    }
    return false;
}

/* False: a mark is unknown. */
static bool add_line(struct buffer *out, struct text line)
{
    while (line.length > 0) {
        const char *at = memchr(line.data, '@', line.length);
        size_t before = at != NULL ? (size_t)(at - line.data) : line.length;
        size_t taken = before;
        buffer_add(out, line.data, before);
        if (at != NULL) {
            struct text rest = {at, line.length - before};
            for (size_t i = 0; i < ARRAY_COUNT(words) && taken == before; i++) {
                if (text_starts_with(rest, words[i].mark)) {
                    buffer_add_string(out, words[i].value);
                    taken += strlen(words[i].mark);
                }
            }
            if (taken == before && rest.length > 1 && ascii_is_upper(rest.data[1])) {
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

static const struct page *find_page(const char *name)
{
    const struct page *page = pages;
    while (strcmp(page->name, name) != 0) {
        page++;
        /* commands.def allows no other name */
        invariant(page < pages + ARRAY_COUNT(pages));
    }
    return page;
}

int command_manual(struct invocation *invocation)
{
    struct arena *arena = invocation->context.arena;
    const struct page *page = find_page(ctl_argument(invocation, 0));
    const char *directory = ctl_option(invocation, OPTION_directory);
    const char *path =
        text_format(arena, "%s/%s.%s.in", directory != NULL ? directory : "man", page->name, page->section).data;
    struct text template = text_of(page->text);
    if (directory != NULL && !file_read(arena, path, &template)) {
        return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    struct buffer out;
    buffer_init(&out, arena);
    while (template.length > 0) {
        struct text line = text_take(&template, '\n');
        if (!add_part(&out, line) && !add_line(&out, line)) {
            return ctl_fail(EXIT_FAILED, "%s: unknown mark: %.*s", path, (int)line.length, line.data);
        }
    }
    ctl_print(&out);
    return EXIT_DONE;
}
