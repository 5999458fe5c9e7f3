/* ctl_key.c: rosterctl key …: API keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/api_key.h"
#include "auth/identity.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "base/array.h"
#include "base/json_writer.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "store/overview_store.h"

/* The id of a key, as `key delete' expects it. */
static struct text shown_id(const struct value *key)
{
    return key[OVERVIEW_KEY_is_primary].integer != 0 ? TEXT("primary") : key[OVERVIEW_KEY_id].text;
}

static void add_key(struct sheet *sheet, const struct value *key)
{
    struct sheet_cell *row = sheet_add(sheet);
    row[0] = sheet_text(shown_id(key));
    row[1] = sheet_value(&key[OVERVIEW_KEY_email]);
    row[2] = sheet_value(&key[OVERVIEW_KEY_name]);
    row[3] = sheet_text(api_key_mask(sheet->arena, key[OVERVIEW_KEY_suffix].text));
    row[4] = sheet_value(&key[OVERVIEW_KEY_expires_at]);
    row[5] = sheet_value(&key[OVERVIEW_KEY_last_used_at]);
    row[6] = sheet_value(&key[OVERVIEW_KEY_routes]);
    row[7] = sheet_value(&key[OVERVIEW_KEY_created_at]);
    row[8] = sheet_value(&key[OVERVIEW_KEY_user_id]);
}

/* `user_heading` NULL: the table has no column for the user. */
static void print_keys(struct invocation *invocation, const struct result *keys, const char *user_heading)
{
    const struct sheet_column columns[] = {
        {"id", "ID", SHEET_TEXT},        {"email", user_heading, SHEET_TEXT}, {"name", "NAME", SHEET_TEXT},
        {"api_key", "KEY", SHEET_TEXT},  {"expires_at", "ENDS", SHEET_TIME},  {"last_used_at", "LAST USED", SHEET_TIME},
        {"routes", "PATHS", SHEET_JSON}, {"created_at", "MADE", SHEET_TIME},  {"user_id", NULL, SHEET_TEXT},
    };
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < keys->row_count; i++) {
        add_key(&sheet, result_row(keys, i));
    }
    sheet_print(invocation, &sheet);
}

/* With --quiet an id alone would not do where there are several users: theirs stands before it. */
static void print_pairs(const struct result *keys)
{
    for (size_t i = 0; i < keys->row_count; i++) {
        const struct value *key = result_row(keys, i);
        printf("%s %s\n", key[OVERVIEW_KEY_user_id].text.data, shown_id(key).data);
    }
}

int command_key_list(struct invocation *invocation)
{
    const char *typed = ctl_argument(invocation, 0);
    const int64_t now = invocation->context.now_seconds;
    struct key_filter filter = {.unused_since = INT64_MAX, .expired_until = -1};
    int64_t seconds;
    int status = EXIT_DONE;
    if (ctl_has_option(invocation, OPTION_unused)) {
        status = ctl_take_duration(invocation, OPTION_unused, &seconds);
        filter.unused_since = status == EXIT_DONE ? now - seconds : 0;
    }
    if (ctl_has_option(invocation, OPTION_expired)) {
        filter.expired_until = now;
    }
    if (status == EXIT_DONE && typed != NULL) {
        const struct value *user = NULL;
        status = find_user(invocation, typed, &user);
        filter.user_id = user != NULL ? user[USER_id].text : TEXT_NULL;
    }
    struct result keys;
    if (status == EXIT_DONE && overview_store_keys(&invocation->context, &filter, &keys) != OK) {
        status = ctl_problem(invocation, "keys");
    }
    if (status != EXIT_DONE) {
        return status;
    }
    if (typed == NULL && invocation->quiet && !invocation->json) {
        print_pairs(&keys);
    } else {
        print_keys(invocation, &keys, typed == NULL ? "USER" : NULL);
    }
    return EXIT_DONE;
}

/* "/users,/api/v1/groups/" → a JSON array of paths in the form that requests are compared with: without /api/v1 and
 * trailing slashes. */
static int take_paths(struct invocation *invocation, const char *typed, struct text *routes_r)
{
    struct arena *arena = invocation->context.arena;
    struct text *paths = arena_zero(arena, strlen(typed) + 1, sizeof *paths);
    size_t count = 0;
    for (struct text rest = text_of(typed); rest.length > 0;) {
        struct text entry = text_trim(text_take(&rest, ','));
        if (entry.length == 0) {
            continue;
        }
        if (entry.data[0] != '/') {
            return ctl_fail(EXIT_USAGE, "--routes: `%.*s' is not a path: it must start with a slash", (int)entry.length,
                            entry.data);
        }
        struct text path;
        if (identity_bare_path(entry, &path) || path.length == 0) {
            return ctl_fail(EXIT_USAGE, "--routes: omit it for a key that may call all paths");
        }
        paths[count++] = path;
    }
    if (count == 0) {
        return ctl_fail(EXIT_USAGE, "--routes: give at least one path");
    }
    *routes_r = json_list_of_texts(arena, paths, count);
    return EXIT_DONE;
}

static int take_change(struct invocation *invocation, struct key_change *change)
{
    const char *expires = ctl_option(invocation, OPTION_expires);
    const char *paths = ctl_option(invocation, OPTION_routes);
    const char *name = ctl_option(invocation, OPTION_name);
    change->expires_at = -1;
    if (name == NULL) {
        return expires != NULL || paths != NULL
                   ? ctl_fail(EXIT_USAGE, "--expires and --routes need --name: the primary key has neither")
                   : EXIT_DONE;
    }
    change->name = text_trim_unicode(text_of(name));
    if (!find_is_name(change->name, 100)) {
        return find_bad_name("--name", 100);
    }
    if (expires != NULL) {
        int64_t seconds;
        int status = ctl_take_duration(invocation, OPTION_expires, &seconds);
        if (status != EXIT_DONE) {
            return status;
        }
        change->set_expiry = true;
        change->expires_at = invocation->context.now_seconds + seconds;
    }
    change->set_routes = paths != NULL;
    return paths != NULL ? take_paths(invocation, paths, &change->routes) : EXIT_DONE;
}

/* Warns if the service would refuse the new key. */
static void warn_if_useless(struct invocation *invocation, const struct value *user)
{
    struct context *context = &invocation->context;
    json_object *document;
    if (config_store_read(context, &document) != OK) {
        return;
    }
    bool granted;
    if (!config_store_is_on(context, document, SETTING_ENABLE_API_KEYS)) {
        ctl_say_aside(invocation,
                      "Note: API keys are switched off; the key works once they are on: `rosterctl settings "
                      "set ENABLE_API_KEYS=yes'.");
    } else if (permission_check(context, user[USER_id].text, text_is(user[USER_role].text, "admin"),
                                PERMISSION_features_api_keys, &granted) == OK &&
               !granted) {
        ctl_say_aside(invocation,
                      "Note: this user lacks the permission features.api_keys, which the key needs to work.");
    }
}

static void show_key(struct invocation *invocation, struct text key_id, struct text key)
{
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, invocation->context.arena);
        json_begin_object(&json);
        json_member_text(&json, "id", key_id);
        json_member_text(&json, "api_key", key);
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
        password_wipe(json_finish(&json));
    } else {
        puts(key.data);
    }
}

int command_key_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct key_change change = {.name = TEXT_NULL};
    const struct value *user = NULL;
    struct text key_id = TEXT("primary");
    int status = take_change(invocation, &change);
    status = status == EXIT_DONE ? find_user(invocation, ctl_argument(invocation, 0), &user) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    struct text key = api_key_make(context->arena);
    enum outcome outcome = change.name.data != NULL ? key_store_add(context, user[USER_id].text, key, &change, &key_id)
                                                    : key_store_set_primary(context, user[USER_id].text, key);
    if (outcome != OK) {
        password_wipe(key);
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say_aside(invocation,
                  "Created a key for %s, id %s. It can't be shown again:", find_user_title(invocation, user),
                  key_id.data);
    show_key(invocation, key_id, key);
    password_wipe(key);
    warn_if_useless(invocation, user);
    return EXIT_DONE;
}

int command_key_delete(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *key = ctl_argument(invocation, 1);
    bool is_primary = strcmp(key, "primary") == 0;
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text id = user[USER_id].text;
    const struct value *row = NULL;
    struct text suffix;
    if ((is_primary ? key_store_primary(context, id, &suffix) : key_store_get(context, id, text_of(key), &row)) != OK) {
        return ctl_problem(invocation, key);
    }
    status = ask_confirm(invocation, "Remove the key %s of %s?", key, find_user_title(invocation, user));
    if (status == EXIT_DONE &&
        (is_primary ? key_store_delete_primary(context, id) : key_store_delete(context, id, text_of(key))) != OK) {
        status = ctl_problem(invocation, key);
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Removed the key %s of %s.", key, find_user_title(invocation, user));
    }
    return status;
}
