/* ctl_config.c: rosterctl config …, directive: roster.conf and what may stand in it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

int command_config_check(struct invocation *invocation)
{
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        ctl_say(invocation, "%s is good. `roster -t' also looks at what it names; `rosterctl doctor' at everything.",
                invocation->config->path);
    }
    return status;
}

int command_config_dump(struct invocation *invocation)
{
    config_dump(invocation->config, stdout);
    return EXIT_DONE;
}

int command_config_sample(struct invocation *invocation)
{
    (void)invocation;
    config_print_sample(stdout);
    return EXIT_DONE;
}

static const char *next_directive(size_t index, void *argument)
{
    (void)argument;
    for (size_t i = 0;; i++) {
        const struct directive_row *row = config_directive(i);
        if (row == NULL) {
            return NULL;
        }
        if (row->name != NULL && index-- == 0) {
            return row->name;
        }
    }
}

static const struct directive_row *find_directive(const char *name)
{
    const struct directive_row *row;
    for (size_t i = 0; (row = config_directive(i)) != NULL; i++) {
        if (row->name != NULL && strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static const char *shown_default(const char *text)
{
    return text == NULL || text[0] == '\0' ? "(unset)" : text;
}

static void add_defaults_json(struct buffer *json, const struct directive_row *row)
{
    buffer_add_literal(json, ",\"default\":");
    if (!row->is_pool) {
        buffer_add_json(json, text_of(row->default_text));
        return;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_literal(json, pool == 0 ? "{" : ",");
        buffer_add_json(json, text_of(pool_names[pool]));
        buffer_add_byte(json, ':');
        buffer_add_json(json, text_of(config_pool_default((enum pool)pool, row->name)));
    }
    buffer_add_byte(json, '}');
}

static void add_directive_json(struct buffer *json, const struct directive_row *row)
{
    buffer_add_literal(json, "{\"name\":");
    buffer_add_json(json, text_of(row->name));
    buffer_add_literal(json, ",\"type\":");
    buffer_add_json(json, text_of(row->type));
    add_defaults_json(json, row);
    if (row->most > 0) {
        buffer_add_format(json, ",\"least\":%" PRId64 ",\"most\":%" PRId64, row->least, row->most);
    }
    buffer_add_format(json, ",\"pool\":%s,\"restart\":%s,\"text\":", row->is_pool ? "true" : "false",
                      row->needs_restart ? "true" : "false");
    buffer_add_json(json, text_of(row->text));
    buffer_add_byte(json, '}');
}

static void print_directive(const struct directive_row *row)
{
    printf("%s\n  %s\n\n", row->name, row->text);
    printf("  Place:    %s\n", row->is_pool ? "in [api] and [password]" : "before the sections");
    printf("  Type:     %s\n", row->type);
    if (row->is_pool) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            printf("  Default:  %s in [%s]\n", shown_default(config_pool_default((enum pool)pool, row->name)),
                   pool_names[pool]);
        }
    } else {
        printf("  Default:  %s\n", shown_default(row->default_text));
    }
    if (row->most > 0) {
        bool is_text = strcmp(row->type, "TEXT") == 0 || strcmp(row->type, "LIST") == 0 ||
                       strcmp(row->type, "ADDRESSES") == 0 || strstr(row->type, "PATH") != NULL;
        printf("  %s %" PRId64 " to %" PRId64 "%s\n", is_text ? "Length:  " : "Range:   ", row->least, row->most,
               is_text ? " bytes" : "");
    }
    printf("  Applies:  %s\n", row->needs_restart ? "after a restart" : "after a reload");
}

static int list_directives(struct invocation *invocation)
{
    const struct directive_row *row;
    struct buffer json;
    buffer_init(&json, invocation->context.arena);
    for (size_t i = 0; (row = config_directive(i)) != NULL; i++) {
        if (invocation->json) {
            if (row->name != NULL) {
                buffer_add_byte(&json, json.length == 0 ? '[' : ',');
                add_directive_json(&json, row);
            }
        } else if (row->name == NULL) {
            if (!invocation->quiet) {
                printf("%s%s\n", i == 0 ? "" : "\n", row->title);
            }
        } else if (invocation->quiet) {
            puts(row->name);
        } else {
            printf("  %-28s %s\n", row->name, row->text);
        }
    }
    if (invocation->json) {
        buffer_add_byte(&json, ']');
        ctl_print(&json);
    }
    return EXIT_DONE;
}

int command_directive(struct invocation *invocation)
{
    const char *name = ctl_argument(invocation, 0);
    if (name == NULL) {
        return list_directives(invocation);
    }
    const struct directive_row *row = find_directive(name);
    if (row == NULL) {
        const char *near = ctl_suggest(name, next_directive, NULL);
        return near != NULL
                   ? ctl_fail(EXIT_NOT_FOUND, "there is no directive `%s'; did you mean `%s'?", name, near)
                   : ctl_fail(EXIT_NOT_FOUND, "there is no directive `%s'; `rosterctl directive' lists all", name);
    }
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, invocation->context.arena);
        add_directive_json(&json, row);
        ctl_print(&json);
    } else {
        print_directive(row);
    }
    return EXIT_DONE;
}
