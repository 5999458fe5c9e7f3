/* ctl_config.c: rosterctl config … and directive: roster.conf and its directives. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_writer.h"
#include "config/config_print.h"
#include "config/config_table.h"
#include "ctl/ctl.h"

int command_config_check(struct invocation *invocation)
{
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        ctl_say(invocation,
                "%s is valid. `roster -t' also checks the files that it names; `rosterctl doctor' checks everything.",
                invocation->config->path);
    }
    return status;
}

int command_config_dump(struct invocation *invocation)
{
    if (ctl_has_option(invocation, OPTION_changed)) {
        config_dump_changed(invocation->config, stdout);
    } else {
        config_dump(invocation->config, stdout);
    }
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
        const struct directive *row = config_directive(i);
        if (row == NULL) {
            return NULL;
        }
        if (row->name != NULL && index-- == 0) {
            return row->name;
        }
    }
}

static const struct directive *find_directive(const char *name)
{
    const struct directive *row;
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

static void add_defaults_json(struct json_writer *json, const struct directive *row)
{
    json_name(json, "default");
    if (!row->is_pool) {
        json_add_string(json, row->default_text);
        return;
    }
    json_begin_object(json);
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        json_add_name_string(json, pool_names[pool]);
        json_add_string(json, config_pool_default(pool, row->name));
    }
    json_end_object(json);
}

static void add_directive_json(struct json_writer *json, const struct directive *row)
{
    json_begin_object(json);
    json_member_string(json, "name", row->name);
    json_member_string(json, "type", row->type_name);
    if (row->type == DIRECTIVE_ENUM) {
        json_name(json, "words");
        json_begin_array(json);
        for (const struct enum_word *word = row->words; word->word != NULL; word++) {
            json_add_string(json, word->word);
        }
        json_end_array(json);
    }
    add_defaults_json(json, row);
    if (row->max > 0) {
        json_member_integer(json, "least", row->min);
        json_member_integer(json, "most", row->max);
    }
    json_member_boolean(json, "pool", row->is_pool);
    json_member_boolean(json, "restart", row->needs_restart);
    json_member_string(json, "text", row->text);
    json_end_object(json);
}

static bool is_length(enum directive_type type)
{
    return type == DIRECTIVE_TEXT || type == DIRECTIVE_PATH || type == DIRECTIVE_SECRET_PATH ||
           type == DIRECTIVE_ADDRESSES || type == DIRECTIVE_LIST;
}

static void print_directive(const struct directive *row)
{
    printf("%s\n  %s\n\n", row->name, row->text);
    printf("  Section:  %s\n", row->is_pool ? "of a pool" : "none, before the first section");
    char list[ENUM_LIST_SIZE];
    printf("  Type:     %s\n", row->type == DIRECTIVE_ENUM ? enum_list(row->words, list) : row->type_name);
    if (!config_has_one_default(row)) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            printf("  Default:  %s in [%s]\n", shown_default(config_pool_default((enum pool)pool, row->name)),
                   pool_names[pool]);
        }
    } else {
        printf("  Default:  %s\n", shown_default(config_default(row, 0)));
    }
    if (row->max > 0) {
        bool is_text = is_length(row->type);
        printf("  %s %" PRId64 " to %" PRId64 "%s\n", is_text ? "Length:  " : "Range:   ", row->min, row->max,
               is_text ? " bytes" : "");
    }
    printf("  Applies:  %s\n", row->needs_restart ? "after a restart" : "after a reload");
}

static int list_directives(struct invocation *invocation)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_array(&json);
    const struct directive *row;
    for (size_t i = 0; (row = config_directive(i)) != NULL; i++) {
        if (invocation->json) {
            if (row->name != NULL) {
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
    json_end_array(&json);
    if (invocation->json) {
        ctl_print_json(invocation, json_finish(&json));
    }
    return EXIT_DONE;
}

int command_directive(struct invocation *invocation)
{
    const char *name = ctl_argument(invocation, 0);
    if (name == NULL) {
        return list_directives(invocation);
    }
    const struct directive *row = find_directive(name);
    if (row == NULL) {
        const char *near = ctl_suggest(name, next_directive, NULL);
        return near != NULL
                   ? ctl_fail(EXIT_NOT_FOUND, "there is no directive `%s'; did you mean `%s'?", name, near)
                   : ctl_fail(EXIT_NOT_FOUND, "there is no directive `%s'; `rosterctl directive' lists all", name);
    }
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, invocation->context.arena);
        add_directive_json(&json, row);
        ctl_print_json(invocation, json_finish(&json));
    } else {
        print_directive(row);
    }
    return EXIT_DONE;
}
