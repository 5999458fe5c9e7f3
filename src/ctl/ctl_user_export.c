/* ctl_user_export.c: rosterctl user export. */
#include <stdio.h>
#include <time.h>

#include "base/array.h"
#include "base/json.h"
#include "base/json_text.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "import/csv.h"
#include "store/audit_store.h"
#include "store/export_store.h"
#include "store/group_store.h"
#include "store/person_store.h"

static const struct {
    const char *name;
    enum { EXPORT_TEXT, EXPORT_GROUPS, EXPORT_BOOLEAN, EXPORT_TIME } kind;
} columns[EXPORT_COLUMN_COUNT] = {
    [EXPORT_id] = {"id", EXPORT_TEXT},
    [EXPORT_email] = {"email", EXPORT_TEXT},
    [EXPORT_name] = {"name", EXPORT_TEXT},
    [EXPORT_role] = {"role", EXPORT_TEXT},
    [EXPORT_groups] = {"groups", EXPORT_GROUPS},
    [EXPORT_timezone] = {"timezone", EXPORT_TEXT},
    [EXPORT_disabled] = {"disabled", EXPORT_BOOLEAN},
    [EXPORT_created_at] = {"created_at", EXPORT_TIME},
    [EXPORT_last_active_at] = {"last_active_at", EXPORT_TIME},
    [EXPORT_last_sign_in_at] = {"last_sign_in_at", EXPORT_TIME},
};

struct export
{
    const struct result *groups;
    struct json_writer *json; /* NULL: CSV */
};

/* What stands for a group: its name, or its id where the name would not do. */
static struct text group_word(const struct result *groups, struct text id)
{
    struct text name = id;
    size_t named = 0;
    for (size_t i = 0; i < groups->row_count; i++) {
        if (text_equal(result_row(groups, i)[GROUP_id].text, id)) {
            name = result_row(groups, i)[GROUP_name].text;
        }
    }
    for (size_t i = 0; i < groups->row_count; i++) {
        named += text_equal(result_row(groups, i)[GROUP_name].text, name);
    }
    bool is_clear = named == 1 && name.length > 0 && memchr(name.data, ';', name.length) == NULL &&
                    text_equal(text_trim_unicode(name), name);
    return is_clear ? name : id;
}

static struct text *group_words(struct context *context, const struct export *export, struct text json, size_t *count_r)
{
    json_object *list;
    json_text_parse(context->arena, json, &list);
    *count_r = json_object_get_type(list) == json_type_array ? json_object_array_length(list) : 0;
    struct text *words = arena_zero(context->arena, *count_r + 1, sizeof *words);
    for (size_t i = 0; i < *count_r; i++) {
        words[i] = group_word(export->groups, json_text(json_object_array_get_idx(list, i)));
    }
    return words;
}

/* "2026-11-24T10:00:00Z" */
static struct text time_text(struct arena *arena, int64_t seconds)
{
    char text[40];
    time_t moment = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&moment, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        return text_format(arena, "%lld", (long long)seconds);
    }
    return text_copy(arena, text_of(text));
}

static void add_groups(struct context *context, const struct export *export, struct buffer *line, struct text json)
{
    size_t count;
    struct text *words = group_words(context, export, json, &count);
    struct buffer list;
    buffer_init(&list, context->arena);
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(&list, i > 0 ? ";" : "");
        buffer_add_text(&list, words[i]);
    }
    csv_add(line, csv_protect(context->arena, buffer_text(&list)));
}

static enum outcome print_line(struct context *context, const struct value *row, const struct export *export)
{
    struct buffer line;
    buffer_init(&line, context->arena);
    for (size_t i = 0; i < EXPORT_COLUMN_COUNT; i++) {
        buffer_add_string(&line, i > 0 ? "," : "");
        if (row[i].is_null) {
            continue;
        }
        switch (columns[i].kind) {
        case EXPORT_TEXT:
            csv_add(&line, csv_protect(context->arena, row[i].text));
            break;
        case EXPORT_GROUPS:
            add_groups(context, export, &line, row[i].text);
            break;
        case EXPORT_BOOLEAN:
            buffer_add_string(&line, row[i].integer != 0 ? "yes" : "no");
            break;
        case EXPORT_TIME:
            buffer_add_text(&line, time_text(context->arena, row[i].integer));
            break;
        }
    }
    buffer_add_byte(&line, '\n');
    fwrite(buffer_text(&line).data, 1, buffer_text(&line).length, stdout);
    return OK;
}

static void add_json(struct context *context, const struct value *row, const struct export *export)
{
    struct json_writer *json = export->json;
    json_begin_object(json);
    for (size_t i = 0; i < EXPORT_COLUMN_COUNT; i++) {
        json_add_name_string(json, columns[i].name);
        if (columns[i].kind == EXPORT_GROUPS) {
            size_t count;
            struct text *words = group_words(context, export, row[i].text, &count);
            json_add_texts(json, words, count);
        } else if (row[i].is_null) {
            json_add_null(json);
        } else if (columns[i].kind == EXPORT_TEXT) {
            json_add_text(json, row[i].text);
        } else if (columns[i].kind == EXPORT_BOOLEAN) {
            json_add_boolean(json, row[i].integer != 0);
        } else {
            json_add_integer(json, row[i].integer);
        }
    }
    json_end_object(json);
}

static enum outcome export_row(struct context *context, const struct value *row, void *argument)
{
    const struct export *export = argument;
    if (export->json == NULL) {
        return print_line(context, row, export);
    }
    add_json(context, row, export);
    return OK;
}

static int export_json(struct invocation *invocation, struct export *export)
{
    struct json_writer json;
    struct arena *arena = arena_new(0); /* that of the invocation gives back what each row took */
    export->json = &json;
    json_start(&json, arena);
    json_begin_array(&json);
    int status = export_store_each(&invocation->context, export_row, export) == OK ? EXIT_DONE
                                                                                   : ctl_problem(invocation, "users");
    if (status == EXIT_DONE) {
        json_end_array(&json);
        ctl_print_json(invocation, json_finish(&json));
    }
    export->json = NULL;
    arena_free(arena);
    return status;
}

struct person_export {
    struct json_writer json;
    enum person_table table;
};

static enum outcome add_person_row(struct context *context, const struct value *row, void *argument)
{
    struct person_export *export = argument;
    person_store_put(&export->json, context->arena, export->table, row);
    return OK;
}

static int export_person(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct arena *arena = arena_new(0);
    struct person_export export;
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        arena_free(arena);
        return status;
    }
    const struct text user_id = user[USER_id].text;
    json_start(&export.json, arena);
    json_begin_object(&export.json);
    json_member_integer(&export.json, "exported_at", context->now_seconds);
    enum outcome outcome = person_store_note_export(context, user_id);
    json_member_array(&export.json, "pictures");
    if (outcome == OK) {
        outcome = person_store_put_pictures(context, user_id, &export.json);
    }
    json_end_array(&export.json);
    for (export.table = 0; outcome == OK && export.table < PERSON_TABLES; export.table++) {
        json_add_name_string(&export.json, person_store_name(export.table));
        json_begin_array(&export.json);
        outcome = person_store_each(context, export.table, user_id, add_person_row, &export);
        json_end_array(&export.json);
    }
    json_end_object(&export.json);
    status = outcome == OK ? EXIT_DONE : ctl_problem(invocation, ctl_argument(invocation, 0));
    if (status == EXIT_DONE) {
        ctl_print_json(invocation, json_finish(&export.json));
    }
    arena_free(arena);
    return status;
}

int command_user_export(struct invocation *invocation)
{
    struct result groups;
    if (ctl_argument(invocation, 0) != NULL) {
        return ctl_has_option(invocation, OPTION_csv)
                   ? ctl_fail(EXIT_USAGE, "what is held about one person is JSON: leave out --csv")
                   : export_person(invocation);
    }
    struct export export = {.groups = &groups};
    if (invocation->json && ctl_has_option(invocation, OPTION_csv)) {
        return ctl_fail(EXIT_USAGE, "--csv and --json can't be used together");
    }
    if (group_store_list(&invocation->context, TEXT_NULL, -1, &groups) != OK) {
        return ctl_problem(invocation, "groups");
    }
    if (audit_store_write(&invocation->context, &(struct audit_note){.action = AUDIT_users_export}) != OK) {
        return ctl_problem(invocation, "audit");
    }
    if (invocation->json) {
        return export_json(invocation, &export);
    }
    for (size_t i = 0; i < EXPORT_COLUMN_COUNT; i++) {
        printf("%s%s", i > 0 ? "," : "", columns[i].name);
    }
    putchar('\n');
    return export_store_each(&invocation->context, export_row, &export) == OK ? EXIT_DONE
                                                                              : ctl_problem(invocation, "users");
}
