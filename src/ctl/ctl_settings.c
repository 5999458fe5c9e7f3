/* ctl_settings.c: rosterctl settings …: the settings that administrators change at run time, by settings.def. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/array.h"
#include "base/json.h"
#include "base/problem.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/session_store.h"
#include "store/setting_store.h"
#include "worker/scalar.h"

/* Before the keys of LDAP settings, which would mean little alone: ldap.host. */
#define LDAP_PREFIX "ldap."

enum { SHOWN_CHARACTERS_MAX = 40 };

static const char *const type_names[] = {
    [SETTING_TYPE_TEXT] = "a text",
    [SETTING_TYPE_ROLE] = "pending, user or admin",
    [SETTING_TYPE_BOOLEAN] = "yes or no",
    [SETTING_TYPE_INTEGER] = "a number",
    [SETTING_TYPE_PASSWORD] = "a password, on standard input",
    [SETTING_TYPE_STRICT] = "yes or no",
    [SETTING_TYPE_AMOUNT] = "a number, or nothing",
    [SETTING_TYPE_OBJECT] = "a JSON object",
    [SETTING_TYPE_EMAIL] = "an email address, or nothing",
};

const char *ctl_setting_name(struct arena *arena, enum setting setting)
{
    const char *key = setting_rows[setting].key;
    return setting < SETTING_LDAP_FIRST ? key : text_format(arena, LDAP_PREFIX "%s", key).data;
}

/* The name of each setting, in the arena that `argument` points to. */
static const char *next_setting(size_t index, void *argument)
{
    return index < SETTING_COUNT ? ctl_setting_name(argument, (enum setting)index) : NULL;
}

static int find_setting(struct invocation *invocation, struct text typed, enum setting *setting_r)
{
    struct arena *arena = invocation->context.arena;
    for (enum setting setting = 0; setting < SETTING_COUNT; setting++) {
        if (text_is_ignoring_case(typed, ctl_setting_name(arena, setting))) {
            *setting_r = setting;
            return EXIT_DONE;
        }
    }
    const char *name = text_to_string(arena, typed);
    if (text_is_ignoring_case(typed, "ENABLE_LDAP")) {
        return ctl_fail(EXIT_REFUSED, "%s: %s", name, error_detail(ERROR_LDAP_NOT_SUPPORTED));
    }
    const char *near = ctl_suggest(name, next_setting, arena);
    return near != NULL
               ? ctl_fail(EXIT_NOT_FOUND, "there is no setting `%s'; did you mean `%s'?", name, near)
               : ctl_fail(EXIT_NOT_FOUND, "there is no setting `%s'; `rosterctl settings list' lists all", name);
}

static json_object *default_of(struct context *context, enum setting setting)
{
    return json_parse(context->arena, text_of(setting_rows[setting].default_json));
}

/* A value in the words of rosterctl; null for a value that is missing or empty. */
static struct text value_text(struct arena *arena, enum setting setting, json_object *value)
{
    if (setting_store_is_masked(setting, value)) {
        return text_of(setting_store_mask);
    }
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return json_object_get_boolean(value) ? TEXT("yes") : TEXT("no");
    case json_type_string:
        return json_object_get_string_len(value) > 0 ? json_text(value) : TEXT_NULL;
    case json_type_null:
        return TEXT_NULL;
    default:
        return json_print(arena, value);
    }
}

static struct text short_text(struct arena *arena, struct text text)
{
    struct text cut = text_cut_characters(text, SHOWN_CHARACTERS_MAX);
    return cut.length == text.length ? text : text_format(arena, "%.*s…", (int)cut.length, cut.data);
}

static void add_value_json(struct json_writer *json, struct context *context, enum setting setting, json_object *value)
{
    if (setting_store_is_masked(setting, value)) {
        json_add_string(json, setting_store_mask);
    } else {
        json_add_raw(json, json_print(context->arena, value));
    }
}

static void add_setting_json(struct json_writer *json, struct context *context, enum setting setting,
                             json_object *value)
{
    json_object *initial = default_of(context, setting);
    json_begin_object(json);
    json_member_string(json, "name", ctl_setting_name(context->arena, setting));
    json_name(json, "value");
    add_value_json(json, context, setting, value);
    json_name(json, "default");
    add_value_json(json, context, setting, initial);
    json_member_boolean(json, "changed", !json_object_equal(value, initial));
    json_member_string(json, "type", type_names[setting_rows[setting].type]);
    json_member_string(json, "text", setting_rows[setting].text);
    json_end_object(json);
}

typedef void add_json(struct json_writer *json, struct context *context, enum setting setting, json_object *value);

/* With --json, prints what `add` writes of a setting. False without --json. */
static bool print_json(struct invocation *invocation, add_json *add, enum setting setting, json_object *value)
{
    struct json_writer json;
    if (!invocation->json) {
        return false;
    }
    json_start(&json, invocation->context.arena);
    add(&json, &invocation->context, setting, value);
    ctl_print_json(invocation, json_finish(&json));
    return true;
}

static int read_settings(struct invocation *invocation, json_object **document_r)
{
    return setting_store_read(&invocation->context, document_r) == OK ? EXIT_DONE
                                                                      : ctl_problem(invocation, "the settings");
}

/* The setting that the command names, and its value. */
static int read_setting(struct invocation *invocation, enum setting *setting_r, json_object **value_r)
{
    json_object *document;
    int status = find_setting(invocation, text_of(ctl_argument(invocation, 0)), setting_r);
    status = status == EXIT_DONE ? read_settings(invocation, &document) : status;
    if (status == EXIT_DONE) {
        *value_r = config_store_get(&invocation->context, document, *setting_r);
    }
    return status;
}

int command_settings_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"name", "SETTING", SHEET_TEXT},
        {"value", "VALUE", SHEET_TEXT},
        {"default", "DEFAULT", SHEET_TEXT},
        {"text", "MEANING", SHEET_TEXT},
    };
    struct context *context = &invocation->context;
    struct arena *arena = context->arena;
    json_object *document;
    int status = read_settings(invocation, &document);
    if (status != EXIT_DONE) {
        return status;
    }
    struct sheet sheet;
    struct json_writer json;
    sheet_init(&sheet, arena, columns, ARRAY_COUNT(columns));
    json_start(&json, arena);
    json_begin_array(&json);
    for (enum setting setting = 0; setting < SETTING_COUNT; setting++) {
        json_object *value = config_store_get(context, document, setting);
        json_object *initial = default_of(context, setting);
        if (ctl_has_option(invocation, OPTION_changed) && json_object_equal(value, initial)) {
            continue;
        }
        add_setting_json(&json, context, setting, value);
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_text(text_of(ctl_setting_name(arena, setting)));
        row[1] = sheet_text(short_text(arena, value_text(arena, setting, value)));
        row[2] = sheet_text(short_text(arena, value_text(arena, setting, initial)));
        row[3] = sheet_text(text_of(setting_rows[setting].text));
    }
    json_end_array(&json);
    if (invocation->json) {
        ctl_print_json(invocation, json_finish(&json));
    } else {
        sheet_print(invocation, &sheet);
    }
    return EXIT_DONE;
}

/* Prints a text as it is; on a terminal, without what a terminal would interpret, but for the ends of lines. */
static void print_text(struct arena *arena, struct text text)
{
    while (isatty(STDOUT_FILENO) && memchr(text.data, '\n', text.length) != NULL) {
        struct text line = sheet_clean(arena, text_take(&text, '\n'));
        printf("%.*s\n", (int)line.length, line.data);
    }
    struct text last = isatty(STDOUT_FILENO) ? sheet_clean(arena, text) : text;
    fwrite(last.data, 1, last.length, stdout);
    putchar('\n');
}

int command_settings_get(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    enum setting setting;
    json_object *value;
    int status = read_setting(invocation, &setting, &value);
    if (status != EXIT_DONE) {
        return status;
    }
    if (print_json(invocation, add_value_json, setting, value)) {
        return EXIT_DONE;
    }
    struct text text = value_text(context->arena, setting, value);
    print_text(context->arena, text.data != NULL ? text : TEXT(""));
    return EXIT_DONE;
}

/* A value in a message; of a group also its name. */
static const char *described(struct invocation *invocation, enum setting setting, json_object *value)
{
    struct context *context = &invocation->context;
    struct text text = value_text(context->arena, setting, value);
    if (text.data == NULL) {
        return "(empty)";
    }
    const struct value *group = NULL;
    if (setting == SETTING_DEFAULT_GROUP_ID && group_store_get(context, text, &group) != OK) {
        context->problem = (struct problem){.code = ERROR_NONE}; /* a group that is gone has no name */
    }
    text = sheet_clean(context->arena, text);
    return group == NULL ? text.data
                         : text_format(context->arena, "%s (%s)", text.data,
                                       sheet_clean(context->arena, group[GROUP_name].text).data)
                               .data;
}

int command_settings_show(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    enum setting setting;
    json_object *value;
    int status = read_setting(invocation, &setting, &value);
    if (status != EXIT_DONE) {
        return status;
    }
    if (print_json(invocation, add_setting_json, setting, value)) {
        return EXIT_DONE;
    }
    const struct setting_row *row = &setting_rows[setting];
    printf("%s\n  %s\n\n", ctl_setting_name(context->arena, setting), row->text);
    printf("  Type:     %s\n", type_names[row->type]);
    printf("  Default:  %s\n", described(invocation, setting, default_of(context, setting)));
    printf("  Value:    %s\n", described(invocation, setting, value));
    return EXIT_DONE;
}

/* ---- changes ---- */

struct change {
    enum setting setting;
    bool is_reset;      /* else `value` is stored */
    json_object *value; /* NULL: null */
    json_object *before;
};

struct changes {
    struct change *items;
    size_t count;
    unsigned factors;   /* config_store_factors before */
    bool ends_sessions; /* it is another one */
};

static int bad_value(struct invocation *invocation, enum setting setting, struct text value)
{
    return ctl_fail(EXIT_USAGE, "%s: `%.*s' is not a valid value: give %s",
                    ctl_setting_name(invocation->context.arena, setting), (int)value.length, value.data,
                    type_names[setting_rows[setting].type]);
}

/* The exit status for what a check of a new value says. */
static int checked(struct invocation *invocation, const char *name, enum outcome outcome)
{
    if (outcome == PROBLEM) {
        return ctl_fail(EXIT_REFUSED, "%s: %s", name, invocation->context.problem.faults->msg);
    }
    return outcome == OK ? EXIT_DONE : ctl_problem(invocation, name);
}

/* Checks a text as POST /auths/admin/config does. */
static int check_text(struct invocation *invocation, enum setting setting, struct text text)
{
    const char *name = ctl_setting_name(invocation->context.arena, setting);
    if (!text_is_utf8(text)) {
        return ctl_fail(EXIT_USAGE, "%s: give UTF-8", name);
    }
    return checked(invocation, name, setting_store_check(&invocation->context, setting, text));
}

/* A group is named as in all commands; stored is its id. */
static int take_group(struct invocation *invocation, struct text *text)
{
    const struct value *group;
    if (text->length == 0) {
        return EXIT_DONE;
    }
    int status = find_group(invocation, text_to_string(invocation->context.arena, *text), &group);
    if (status == EXIT_DONE) {
        *text = group[GROUP_id].text;
    }
    return status;
}

static int take_value(struct invocation *invocation, struct text typed, struct change *change)
{
    struct arena *arena = invocation->context.arena;
    const enum setting setting = change->setting;
    bool is_on;
    int64_t integer;
    int status = EXIT_DONE;
    switch (setting_rows[setting].type) {
    case SETTING_TYPE_BOOLEAN:
    case SETTING_TYPE_STRICT:
        if (scalar_read_boolean(typed, &is_on) != FAULT_NONE) {
            return bad_value(invocation, setting, typed);
        }
        change->value = json_keep(arena, json_object_new_boolean(is_on));
        return checked(invocation, ctl_setting_name(arena, setting),
                       setting_store_check_value(&invocation->context, setting, change->value));
    case SETTING_TYPE_OBJECT:
        change->value = json_parse(arena, typed);
        return json_object_is_type(change->value, json_type_object)
                   ? checked(invocation, ctl_setting_name(arena, setting),
                             setting_store_check_value(&invocation->context, setting, change->value))
                   : bad_value(invocation, setting, typed);
    case SETTING_TYPE_AMOUNT:
        if (typed.length == 0) {
            break;
        }
        /* fall through */
    case SETTING_TYPE_INTEGER:
        if (typed.length == 0 && setting_rows[setting].may_be_null) {
            return EXIT_DONE;
        }
        if (scalar_read_integer(typed, &integer) != FAULT_NONE) {
            return bad_value(invocation, setting, typed);
        }
        change->value = json_keep(arena, json_object_new_int64(integer));
        return checked(invocation, ctl_setting_name(arena, setting),
                       setting_store_check_value(&invocation->context, setting, change->value));
    case SETTING_TYPE_ROLE:
        if (!text_is(typed, "pending") && !text_is(typed, "user") && !text_is(typed, "admin")) {
            return bad_value(invocation, setting, typed);
        }
        break;
    case SETTING_TYPE_TEXT:
        status = setting == SETTING_DEFAULT_GROUP_ID ? take_group(invocation, &typed) : EXIT_DONE;
        break;
    case SETTING_TYPE_PASSWORD:
    case SETTING_TYPE_EMAIL:
        break;
    }
    status = status == EXIT_DONE ? check_text(invocation, setting, typed) : status;
    if (status == EXIT_DONE) {
        change->value = json_keep(arena, json_object_new_string_len(typed.data, (int)typed.length));
    }
    return status;
}

/* A password stands alone, without `=', and is read from standard input. */
static int take_password(struct invocation *invocation, struct change *change)
{
    struct text password;
    int status = ask_secret(invocation, "Password", &password);
    if (status == EXIT_DONE) {
        status = take_value(invocation, password, change);
    }
    password_wipe(password);
    return status;
}

/* "ENABLE_SIGNUP=no" */
static int take_assignment(struct invocation *invocation, const char *typed, struct change *change)
{
    size_t length = strcspn(typed, "=");
    int status = find_setting(invocation, (struct text){typed, length}, &change->setting);
    if (status != EXIT_DONE) {
        return status;
    }
    const char *name = ctl_setting_name(invocation->context.arena, change->setting);
    if (setting_rows[change->setting].type == SETTING_TYPE_PASSWORD) {
        return typed[length] == '='
                   ? ctl_fail(EXIT_USAGE,
                              "%s: other users can see command lines: give the name alone, and the password on "
                              "standard input",
                              name)
                   : take_password(invocation, change);
    }
    if (typed[length] != '=') {
        return ctl_fail(EXIT_USAGE, "`%s' has no value: write it as %s=VALUE, where VALUE is %s", typed, name,
                        type_names[setting_rows[change->setting].type]);
    }
    return take_value(invocation, text_of(typed + length + 1), change);
}

/* All arguments, each a setting that is to be changed, or reset. */
static int take_changes(struct invocation *invocation, bool is_reset, struct changes *changes_r)
{
    changes_r->count = 0;
    changes_r->items = arena_zero(invocation->context.arena, invocation->argument_count, sizeof *changes_r->items);
    for (size_t i = 0; i < invocation->argument_count; i++) {
        const char *typed = invocation->arguments[i];
        struct change *change = &changes_r->items[changes_r->count++];
        change->is_reset = is_reset;
        int status = is_reset ? find_setting(invocation, text_of(typed), &change->setting)
                              : take_assignment(invocation, typed, change);
        for (size_t other = 0; status == EXIT_DONE && other < i; other++) {
            if (changes_r->items[other].setting == change->setting) {
                status = ctl_fail(EXIT_USAGE, "%s stands there twice",
                                  ctl_setting_name(invocation->context.arena, change->setting));
            }
        }
        if (status != EXIT_DONE) {
            return status;
        }
    }
    return EXIT_DONE;
}

static void change_settings(struct context *context, json_object *document, void *argument)
{
    struct changes *changes = argument;
    changes->factors = config_store_factors(context, document);
    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->items[i];
        const char *path = setting_rows[change->setting].path;
        change->before =
            json_keep(context->arena, json_object_get(config_store_get(context, document, change->setting)));
        if (change->is_reset) {
            config_store_remove(document, path);
            change->value = default_of(context, change->setting);
        } else {
            config_store_put(document, path, json_object_get(change->value));
        }
    }
    changes->ends_sessions = config_store_factors(context, document) != changes->factors;
}

static void report_change(struct invocation *invocation, const struct change *change)
{
    struct arena *arena = invocation->context.arena;
    const char *name = ctl_setting_name(arena, change->setting);
    if (setting_rows[change->setting].type == SETTING_TYPE_PASSWORD) {
        ctl_say(invocation, "%s is set.", name);
    } else if (json_object_equal(change->before, change->value)) {
        ctl_say(invocation, "%s is %s already.", name, described(invocation, change->setting, change->value));
    } else {
        ctl_say(invocation, "%s is now %s; it was %s.", name, described(invocation, change->setting, change->value),
                described(invocation, change->setting, change->before));
    }
}

/* What a change of sign-up means; it is easily overlooked that strangers may come. */
static void warn_of_open_door(struct invocation *invocation, const struct changes *changes)
{
    struct context *context = &invocation->context;
    json_object *document;
    bool concerns_sign_up = false;
    for (size_t i = 0; i < changes->count; i++) {
        concerns_sign_up = concerns_sign_up || changes->items[i].setting == SETTING_ENABLE_SIGNUP ||
                           changes->items[i].setting == SETTING_DEFAULT_USER_ROLE;
    }
    if (!concerns_sign_up || config_store_read(context, &document) != OK ||
        !config_store_is_on(context, document, SETTING_ENABLE_SIGNUP)) {
        return;
    }
    struct text role = config_store_text(context, document, SETTING_DEFAULT_USER_ROLE);
    ctl_say_aside(invocation,
                  "Note: sign-up is open: everybody who can reach the service may create an account, with the role %s.",
                  text_to_string(context->arena, role));
}

static int apply_changes(struct invocation *invocation, bool is_reset)
{
    struct changes changes;
    int status = take_changes(invocation, is_reset, &changes);
    if (status != EXIT_DONE) {
        return status;
    }
    if (config_store_change(&invocation->context, change_settings, &changes) != OK) {
        return ctl_problem(invocation, "the settings");
    }
    for (size_t i = 0; i < changes.count; i++) {
        report_change(invocation, &changes.items[i]);
    }
    warn_of_open_door(invocation, &changes);
    if (changes.ends_sessions) {
        if (session_store_end_everybody(&invocation->context) != OK) {
            return ctl_problem(invocation, "sessions");
        }
        ctl_say(invocation, "All sessions were ended.");
    }
    return EXIT_DONE;
}

int command_settings_set(struct invocation *invocation)
{
    return apply_changes(invocation, false);
}

int command_settings_reset(struct invocation *invocation)
{
    return apply_changes(invocation, true);
}
