/* ctl_key.c: rosterctl key …: API keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "auth/permission.h"
#include "auth/token.h"
#include "base/json.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "worker/serialise.h"

enum { KEY_RANDOM_BYTES = 16 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct text masked(struct arena *arena, struct text suffix)
{
    return text_format(arena, "sk-…%.*s", (int)suffix.length, suffix.data);
}

/* The primary key comes first, under the word that `key delete' takes. */
static int add_primary(struct invocation *invocation, struct text user_id, struct sheet *sheet)
{
    struct text suffix;
    enum outcome outcome = key_store_primary(&invocation->context, user_id, &suffix);
    if (outcome == PROBLEM && invocation->context.problem.code == ERROR_API_KEY_NOT_FOUND) {
        return EXIT_DONE;
    }
    if (outcome != OK) {
        return ctl_problem(invocation, "the primary key");
    }
    struct sheet_cell *row = sheet_add(sheet);
    row[0] = sheet_text(TEXT("primary"));
    row[2] = sheet_text(masked(invocation->context.arena, suffix));
    return EXIT_DONE;
}

int command_key_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", "ID", SHEET_TEXT},
        {"name", "NAME", SHEET_TEXT},
        {"api_key", "KEY", SHEET_TEXT},
        {"expires_at", "ENDS", SHEET_TIME},
        {"last_used_at", "LAST USED", SHEET_TIME},
        {"routes", "PATHS", SHEET_JSON},
        {"created_at", "MADE", SHEET_TIME},
    };
    const struct value *user = NULL;
    struct result keys;
    struct sheet sheet;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    sheet_init(&sheet, invocation->context.arena, columns, COUNT(columns));
    status = add_primary(invocation, user[USER_id].text, &sheet);
    if (status != EXIT_DONE) {
        return status;
    }
    if (key_store_list(&invocation->context, user[USER_id].text, &keys) != OK) {
        return ctl_problem(invocation, "keys");
    }
    for (size_t i = 0; i < keys.row_count; i++) {
        const struct value *key = result_row(&keys, i);
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_value(&key[KEY_id]);
        row[1] = sheet_value(&key[KEY_name]);
        row[2] = sheet_text(masked(invocation->context.arena, key[KEY_suffix].text));
        row[3] = sheet_value(&key[KEY_expires_at]);
        row[4] = sheet_value(&key[KEY_last_used_at]);
        row[5] = sheet_value(&key[KEY_routes]);
        row[6] = sheet_value(&key[KEY_created_at]);
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

/* "/users,/api/v1/groups/" → a JSON list of paths as they are compared: without /api/v1 and slashes at the end. */
static int take_paths(struct invocation *invocation, const char *typed, struct text *routes_r)
{
    struct arena *arena = invocation->context.arena;
    struct text *paths = arena_zero(arena, strlen(typed) + 1, sizeof *paths);
    size_t count = 0;
    while (*typed != '\0') {
        size_t length = strcspn(typed, ",");
        struct text path = text_trim((struct text){typed, length});
        typed += length + (typed[length] == ',' ? 1 : 0);
        if (path.length == 0) {
            continue;
        }
        if (path.data[0] != '/') {
            return ctl_fail(EXIT_USAGE, "--routes: `%.*s' is no path: it must start with a slash", (int)path.length,
                            path.data);
        }
        const size_t prefix = strlen("/api/v1");
        if (text_starts_with(path, "/api/v1") && (path.length == prefix || path.data[prefix] == '/')) {
            path.data += prefix;
            path.length -= prefix;
        }
        while (path.length > 0 && path.data[path.length - 1] == '/') {
            path.length--;
        }
        if (path.length == 0) {
            return ctl_fail(EXIT_USAGE, "--routes: for a key that may call everything leave --routes out");
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
    const char *expires = ctl_option(invocation, "expires");
    const char *paths = ctl_option(invocation, "routes");
    const char *name = ctl_option(invocation, "name");
    int64_t seconds;
    change->expires_at = -1;
    if (name == NULL) {
        return expires != NULL || paths != NULL
                   ? ctl_fail(EXIT_USAGE, "--expires and --routes need --name: the primary key has neither")
                   : EXIT_DONE;
    }
    change->name = text_trim(text_of(name));
    if (change->name.length == 0 || !text_is_utf8(change->name) || text_count_characters(change->name) > 100) {
        return ctl_fail(EXIT_USAGE, "--name: give 1 to 100 characters of UTF-8");
    }
    if (expires != NULL) {
        if (!token_parse_lifetime(text_of(expires), &seconds) || seconds < 1 || seconds > INT64_MAX / 2) {
            return ctl_fail(EXIT_USAGE, "--expires: `%s' is no time; give a number and a unit, as 12h, 90d or 4w",
                            expires);
        }
        change->set_expiry = true;
        change->expires_at = invocation->context.now_seconds + seconds;
    }
    change->set_routes = paths != NULL;
    return paths != NULL ? take_paths(invocation, paths, &change->routes) : EXIT_DONE;
}

/* A key that is refused at its first use would puzzle its owner. */
static void warn_if_useless(struct invocation *invocation, const struct value *user)
{
    struct context *context = &invocation->context;
    json_object *document;
    bool granted;
    if (config_store_read(context, &document) != OK) {
        return;
    }
    if (!config_store_is_on(context, document, SETTING_ENABLE_API_KEYS)) {
        ctl_say_aside(invocation, "Note: API keys are switched off (ENABLE_API_KEYS in /auths/admin/config); the key "
                                  "works once they are on.");
    } else if (permission_check(context, user[USER_id].text, text_is(user[USER_role].text, "admin"),
                                "features.api_keys", &granted) == OK &&
               !granted) {
        ctl_say_aside(invocation,
                      "Note: this user lacks the permission features.api_keys, which the key needs to work.");
    }
}

static struct text new_key(struct arena *arena)
{
    unsigned char bytes[KEY_RANDOM_BYTES];
    token_random_bytes(bytes, sizeof bytes);
    struct text digits = text_hex(arena, bytes, sizeof bytes);
    struct text key = text_format(arena, "sk-%.*s", (int)digits.length, digits.data);
    explicit_bzero(bytes, sizeof bytes);
    password_wipe(digits);
    return key;
}

static void show_key(struct invocation *invocation, struct text key_id, struct text key)
{
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, invocation->context.arena);
        buffer_add_byte(&json, '{');
        serialise_text_member(&json, "id", key_id, true);
        serialise_text_member(&json, "api_key", key, false);
        buffer_add_byte(&json, '}');
        ctl_print(&json);
        password_wipe((struct text){json.data, json.length});
    } else {
        puts(key.data);
    }
}

int command_key_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct key_change change = {.name = {NULL, 0}};
    const struct value *user = NULL;
    struct text key_id = TEXT("primary");
    int status = take_change(invocation, &change);
    status = status == EXIT_DONE ? find_user(invocation, ctl_argument(invocation, 0), &user) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    struct text key = new_key(context->arena);
    enum outcome outcome = change.name.data != NULL ? key_store_add(context, user[USER_id].text, key, &change, &key_id)
                                                    : key_store_set_primary(context, user[USER_id].text, key);
    if (outcome != OK) {
        password_wipe(key);
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say_aside(invocation, "Made a key for %s, id %s. It is shown this once:", find_user_title(invocation, user),
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
    const struct value *user = NULL, *row = NULL;
    struct text suffix;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text id = user[USER_id].text;
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
