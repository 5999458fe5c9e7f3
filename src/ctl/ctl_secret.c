/* ctl_secret.c: rosterctl secret: the keys that sign tokens. */
#include <string.h>

#include "auth/token.h"
#include "base/array.h"
#include "base/base64.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/random.h"
#include "config/config_secrets.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/audit_store.h"
#include "store/factor_store.h"
#include "store/overview_store.h"

enum { KEY_BYTES = 48, KEY_LENGTH = 64 };

/* What the child counts: the parent stays who it is, to write the file. */
struct counts {
    int64_t sessions[SECRET_KEYS_MAX];
    int64_t gone; /* of keys that are no longer in the file */
};

static void id_of(const struct invocation *invocation, size_t key, char id_r[static TOKEN_KEY_ID_SIZE])
{
    token_key_id(invocation->config->secret_keys.items[key], id_r);
}

/* The key with this id; the number of keys: there is none. */
static size_t find_key(const struct invocation *invocation, struct text id)
{
    const size_t count = invocation->config->secret_keys.count;
    char known[TOKEN_KEY_ID_SIZE];
    for (size_t i = 0; i < count; i++) {
        id_of(invocation, i, known);
        if (text_is(id, known)) {
            return i;
        }
    }
    return count;
}

static int count_sessions(struct invocation *invocation, void *argument)
{
    struct counts *counts = argument;
    const size_t count = invocation->config->secret_keys.count;
    struct result result;
    int status = ctl_connect(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    if (overview_store_sessions_by_key(&invocation->context, &result) != OK) {
        return ctl_problem(invocation, "sessions");
    }
    for (size_t i = 0; i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        /* before keys were noted there was one, which is the oldest: the last */
        size_t key =
            row[OVERVIEW_SIGNED_key_id].is_null ? count - 1 : find_key(invocation, row[OVERVIEW_SIGNED_key_id].text);
        *(key < count ? &counts->sessions[key] : &counts->gone) += row[OVERVIEW_SIGNED_count].integer;
    }
    return EXIT_DONE;
}

int command_secret_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"key", "KEY", SHEET_TEXT}, {"signs", "SIGNS", SHEET_BOOLEAN}, {"sessions", "SESSIONS", SHEET_INTEGER}};
    struct counts *counts = ctl_shared_memory(sizeof *counts);
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        status = ctl_run_child(invocation, count_sessions, counts);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < invocation->config->secret_keys.count; i++) {
        char id[TOKEN_KEY_ID_SIZE];
        id_of(invocation, i, id);
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_text(text_copy(invocation->context.arena, text_of(id)));
        row[1].integer = i == 0;
        row[1].is_null = false;
        row[2] = sheet_integer(counts->sessions[i]);
    }
    sheet_print(invocation, &sheet);
    if (counts->gone > 0) {
        ctl_say_aside(invocation, "%s of keys that are no longer in the file: their tokens are refused.",
                      find_count(invocation, (size_t)counts->gone, "more session"));
    }
    return EXIT_DONE;
}

/* A file that roster.conf names is read at a reload; where it names none, the service may have its key from systemd. */
static void say_next_step(struct invocation *invocation)
{
    if (config_names_secret_keys(invocation->config)) {
        ctl_say(invocation, "Now reload the service, which reads %s: rosterctl reload",
                config_secret_key_path(invocation->config));
    } else {
        ctl_say(invocation,
                "Now restart the service, if systemd gives it the keys (requests wait meanwhile): systemctl "
                "restart roster; else reload it: rosterctl reload");
    }
}

/* In a child, which becomes the service's user: the keys are in a file, so no transaction has both. */
static int tell_audit(struct invocation *invocation, void *argument)
{
    const struct secret_keys *keys = argument;
    struct json_writer json;
    int status = ctl_connect(invocation);
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_array(&json, "keys");
    for (size_t i = 0; i < keys->count; i++) {
        char id[TOKEN_KEY_ID_SIZE];
        token_key_id(keys->items[i], id);
        json_add_string(&json, id);
    }
    json_end_array(&json);
    json_end_object(&json);
    return status == EXIT_DONE &&
                   audit_store_write(&invocation->context, &(struct audit_note){.action = AUDIT_secret_change,
                                                                                .detail = json_finish(&json)}) != OK
               ? ctl_problem(invocation, "audit")
               : status;
}

static int write_keys(struct invocation *invocation, struct secret_keys *keys)
{
    struct error error;
    if (!config_write_secret_keys(invocation->config, keys, &error)) {
        return ctl_fail(EXIT_FAILED, "%s", error.text);
    }
    if (ctl_run_child(invocation, tell_audit, keys) != EXIT_DONE) {
        ctl_say_aside(invocation, "The audit does not tell of this change.");
    }
    return EXIT_DONE;
}

int command_secret_rotate(struct invocation *invocation)
{
    int status = ctl_load_secrets(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    const struct secret_keys *present = &invocation->config->secret_keys;
    if (present->count == SECRET_KEYS_MAX) {
        return ctl_fail(EXIT_REFUSED,
                        "there are %d keys, and no more are allowed: remove old ones with `secret retire'",
                        (int)SECRET_KEYS_MAX);
    }
    unsigned char bytes[KEY_BYTES];
    char *fresh = memory_secret_alloc(KEY_LENGTH + 1);
    random_bytes(bytes, sizeof bytes);
    base64_encode(BASE64_PADDED, bytes, sizeof bytes, fresh);
    explicit_bzero(bytes, sizeof bytes);
    struct secret_keys keys = {.items = {{fresh, KEY_LENGTH}}, .count = present->count + 1};
    memcpy(keys.items + 1, present->items, present->count * sizeof *present->items);
    status = write_keys(invocation, &keys);
    if (status == EXIT_DONE) {
        char id[TOKEN_KEY_ID_SIZE];
        token_key_id(keys.items[0], id);
        ctl_say(invocation, "The key %s signs new sessions; those of the older keys stay valid.", id);
        say_next_step(invocation);
    }
    memory_secret_free(fresh);
    return status;
}

/* Which keys go: those that are named; where none is, all but the first. */
static int choose(struct invocation *invocation, bool goes_r[static SECRET_KEYS_MAX])
{
    const size_t count = invocation->config->secret_keys.count;
    for (size_t i = 0; i < SECRET_KEYS_MAX; i++) {
        goes_r[i] = invocation->argument_count == 0 && i > 0 && i < count;
    }
    for (size_t i = 0; i < invocation->argument_count; i++) {
        const char *typed = ctl_argument(invocation, i);
        size_t key = find_key(invocation, text_of(typed));
        if (key == count) {
            return ctl_fail(EXIT_NOT_FOUND, "%s: there is no such key; `secret list' shows them", typed);
        }
        if (key == 0) {
            return ctl_fail(EXIT_REFUSED,
                            "%s: this key signs new sessions; call `secret rotate' first, which makes another", typed);
        }
        goes_r[key] = true;
    }
    return count > 1 ? EXIT_DONE : ctl_fail(EXIT_REFUSED, "there is one key only, which signs new sessions");
}

/* In a child: what is stored with other keys than the first is sealed with it, as those will be gone. */
static int reseal(struct invocation *invocation, void *argument)
{
    size_t *left = argument;
    int status = ctl_connect(invocation);
    return status == EXIT_DONE && factor_store_reseal(&invocation->context, left) != OK
               ? ctl_problem(invocation, "second factors")
               : status;
}

static int reseal_factors(struct invocation *invocation)
{
    size_t *left = ctl_shared_memory(sizeof *left);
    int status = ctl_run_child(invocation, reseal, left);
    if (status == EXIT_DONE && *left > 0) {
        ctl_say_aside(
            invocation,
            "%s can't be read with any of the keys, and so could not be kept: `rosterctl user mfa show' tells "
            "whose.",
            find_count(invocation, *left, "second factor"));
    }
    return status;
}

int command_secret_retire(struct invocation *invocation)
{
    bool goes[SECRET_KEYS_MAX];
    struct secret_keys rest = {.count = 0};
    struct counts *counts = ctl_shared_memory(sizeof *counts);
    int64_t sessions = 0;
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        status = choose(invocation, goes);
    }
    if (status == EXIT_DONE) {
        status = ctl_run_child(invocation, count_sessions, counts);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    for (size_t i = 0; i < invocation->config->secret_keys.count; i++) {
        if (goes[i]) {
            sessions += counts->sessions[i];
        } else {
            rest.items[rest.count++] = invocation->config->secret_keys.items[i];
        }
    }
    if (sessions > 0) {
        status = ask_confirm(invocation, "%s will be signed out. Remove the %s?",
                             find_count(invocation, (size_t)sessions, "session"),
                             invocation->config->secret_keys.count - rest.count > 1 ? "keys" : "key");
    }
    if (status == EXIT_DONE) { /* before the keys go: else nobody could read them */
        status = reseal_factors(invocation);
    }
    if (status == EXIT_DONE) {
        status = write_keys(invocation, &rest);
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Removed %s.",
                find_count(invocation, invocation->config->secret_keys.count - rest.count, "key"));
        say_next_step(invocation);
    }
    return status;
}
