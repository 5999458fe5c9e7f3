#include "store/key_store.h"

#include "base/digest.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/touch_store.h"

/* Prefix of the digest of a key. No key starts with it. */
#define HASH_PREFIX "sha256:"

enum { SUFFIX_LENGTH = 4 };

struct text key_store_hash(struct context *context, struct text key)
{
    struct text digest = digest_sha256(context->arena, key);
    return text_format(context->arena, HASH_PREFIX "%.*s", (int)digest.length, digest.data);
}

struct text key_store_suffix(struct text key)
{
    size_t length = key.length < SUFFIX_LENGTH ? key.length : SUFFIX_LENGTH;
    return (struct text){key.data + key.length - length, length};
}

/* Both the key and its hash are looked up. So a text with the prefix is refused: otherwise a hash that was read from
 * the table could be used as a key. */
enum outcome key_store_find(struct context *context, struct text key, struct key_owner *owner_r)
{
    const struct value *row;

    *owner_r = (struct key_owner){.found = false, .expires_at = -1};
    if (key.length == 0 || text_starts_with(key, HASH_PREFIX)) {
        return OK;
    }
    enum outcome outcome =
        database_get_row(context,
                         "SELECT " CALLER_COLUMNS ", k.id, k.`key`, k.expires_at, k.last_used_at, k.routes "
                         "FROM api_key AS k JOIN user AS u ON u.id = k.user_id " CALLER_JOIN " WHERE k.`key` IN (?, ?)",
                         PARAMETERS(BIND_TEXT(key_store_hash(context, key)), BIND_TEXT(key)), &row, ERROR_NONE);
    if (row == NULL) {
        return outcome;
    }
    *owner_r = (struct key_owner){
        .found = true,
        .caller = caller_of_row(row),
        .key_id = row[CALLER_END].text,
        .is_plain = !text_starts_with(row[CALLER_END + 1].text, HASH_PREFIX),
        .expires_at = value_integer(&row[CALLER_END + 2], -1),
        .last_used_at = row[CALLER_END + 3].integer,
        .routes = row[CALLER_END + 4].text,
    };
    return OK;
}

enum outcome key_store_hash_plain(struct context *context, struct text user_id, struct text key_id, struct text key)
{
    database_concerns(user_id);
    return database_execute(context, "UPDATE api_key SET `key` = ?, suffix = ? WHERE id = ? AND `key` = ?",
                            PARAMETERS(BIND_TEXT(key_store_hash(context, key)), BIND_TEXT(key_store_suffix(key)),
                                       BIND_TEXT(key_id), BIND_TEXT(key)),
                            NULL, ERROR_NONE);
}

/* The primary key. */

enum outcome key_store_primary(struct context *context, struct text user_id, struct text *suffix_r)
{
    return database_get_text(context,
                             "SELECT IF(k.`key` LIKE 'sha256:%', k.suffix, RIGHT(k.`key`, 4)) FROM api_key AS k "
                             "WHERE k.user_id = ? AND k.is_primary = 1 ORDER BY k.created_at DESC, k.id LIMIT 1",
                             PARAMETERS(BIND_TEXT(user_id)), suffix_r, ERROR_API_KEY_NOT_FOUND);
}

static void note(struct context *context, enum audit_action action, struct text user_id, struct text key_id)
{
    audit_store_note(context, &(struct audit_note){action, .subject_id = user_id, .object = key_id});
}

/* Deletes the primary keys of a user, or with `all` the others, too. */
static enum outcome delete_within(struct context *context, struct text user_id, bool all)
{
    struct result keys;
    enum outcome outcome =
        database_execute(context, "SELECT id FROM api_key WHERE user_id = ? AND (is_primary = 1 OR ?) FOR UPDATE",
                         PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(all)), &keys, ERROR_NONE);
    if (outcome == OK && keys.row_count > 0) {
        outcome = database_execute(context, "DELETE FROM api_key WHERE user_id = ? AND (is_primary = 1 OR ?)",
                                   PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(all)), NULL, ERROR_NONE);
    }
    for (size_t i = 0; outcome == OK && i < keys.row_count; i++) {
        note(context, AUDIT_key_delete, user_id, result_row(&keys, i)->text);
    }
    return outcome;
}

static enum outcome delete_primary_within(struct context *context, void *argument)
{
    const struct text *user_id = argument;
    return delete_within(context, *user_id, false);
}

enum outcome key_store_delete_all(struct context *context, struct text user_id)
{
    return delete_within(context, user_id, true);
}

enum outcome key_store_delete_primary(struct context *context, struct text user_id)
{
    database_concerns(user_id);
    return database_transaction(context, delete_primary_within, &user_id);
}

struct primary_key {
    struct text id, user_id, hash, suffix;
};

/* Locks the user's row first, so that two concurrent calls leave one key. */
static enum outcome set_primary_within(struct context *context, void *argument)
{
    struct primary_key *key = argument;
    const struct value *user;

    enum outcome outcome = database_get_row(context, "SELECT 1 FROM user WHERE id = ? FOR UPDATE",
                                            PARAMETERS(BIND_TEXT(key->user_id)), &user, ERROR_USER_NOT_FOUND);
    if (outcome == OK) {
        outcome = delete_primary_within(context, &key->user_id);
    }
    if (outcome != OK) {
        return outcome;
    }
    note(context, AUDIT_key_add, key->user_id, key->id);
    return database_execute(context,
                            "INSERT INTO api_key (id, user_id, `key`, suffix, created_at, updated_at, is_primary) "
                            "VALUES (?, ?, ?, ?, ?, ?, 1)",
                            PARAMETERS(BIND_TEXT(key->id), BIND_TEXT(key->user_id), BIND_TEXT(key->hash),
                                       BIND_TEXT(key->suffix), BIND_INTEGER(context->now_seconds),
                                       BIND_INTEGER(context->now_seconds)),
                            NULL, ERROR_NONE);
}

enum outcome key_store_set_primary(struct context *context, struct text user_id, struct text key)
{
    struct primary_key primary = {random_uuid(context->arena), user_id, key_store_hash(context, key),
                                  key_store_suffix(key)};

    database_concerns(user_id);
    return database_transaction(context, set_primary_within, &primary);
}

enum outcome key_store_list(struct context *context, struct text user_id, struct result *keys_r)
{
    static const char *sql;
    rows_statement(&sql,
                   "SELECT %s FROM api_key AS k WHERE k.user_id = ? AND k.is_primary = 0 ORDER BY k.created_at, k.id",
                   rows_of_key);
    enum outcome outcome = database_execute(context, sql, PARAMETERS(BIND_TEXT(user_id)), keys_r, ERROR_NONE);
    if (outcome == OK) {
        touch_store_lay_over_rows(context, TOUCH_KEY, keys_r, KEY_id, KEY_last_used_at);
    }
    return outcome;
}

enum outcome key_store_get(struct context *context, struct text user_id, struct text key_id, const struct value **key_r)
{
    static const char *sql;
    struct result keys;
    rows_statement(&sql, "SELECT %s FROM api_key AS k WHERE k.id = ? AND k.user_id = ? AND k.is_primary = 0",
                   rows_of_key);
    enum outcome outcome =
        database_execute(context, sql, PARAMETERS(BIND_TEXT(key_id), BIND_TEXT(user_id)), &keys, ERROR_NONE);
    if (outcome != OK || keys.row_count == 0) {
        return outcome != OK ? outcome : problem_set(context, ERROR_API_KEY_NOT_FOUND);
    }
    touch_store_lay_over_rows(context, TOUCH_KEY, &keys, KEY_id, KEY_last_used_at);
    *key_r = result_row(&keys, 0);
    return OK;
}

static struct parameter expiry_of(const struct key_change *change)
{
    return change->set_expiry ? BIND_MOMENT(change->expires_at) : BIND_NULL;
}

enum outcome key_store_add(struct context *context, struct text user_id, struct text key,
                           const struct key_change *change, struct text *key_id_r)
{
    struct text id = random_uuid(context->arena);

    *key_id_r = id;
    database_concerns_nobody(); /* a key that nobody has yet */
    return audit_store_change_row(
        context, &(struct audit_note){AUDIT_key_add, .subject_id = user_id, .object = id},
        "INSERT INTO api_key (id, user_id, `key`, suffix, name, expires_at, routes, created_at, "
        "updated_at, is_primary) "
        "SELECT ?, u.id, ?, ?, ?, ?, ?, ?, ?, 0 FROM user u WHERE u.id = ? LOCK IN SHARE MODE",
        PARAMETERS(BIND_TEXT(id), BIND_TEXT(key_store_hash(context, key)), BIND_TEXT(key_store_suffix(key)),
                   BIND_TEXT(change->name), expiry_of(change),
                   change->set_routes ? BIND_TEXT(change->routes) : BIND_NULL, BIND_INTEGER(context->now_seconds),
                   BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)),
        ERROR_USER_NOT_FOUND);
}

enum outcome key_store_change(struct context *context, struct text user_id, struct text key_id,
                              const struct key_change *change)
{
    database_concerns(user_id);
    return audit_store_change_row(
        context, &(struct audit_note){AUDIT_key_change, .subject_id = user_id, .object = key_id},
        "UPDATE api_key SET name = COALESCE(?, name), expires_at = IF(?, ?, expires_at), "
        "routes = IF(?, ?, routes), updated_at = ? "
        "WHERE id = ? AND user_id = ? AND is_primary = 0",
        PARAMETERS(BIND_TEXT(change->name), BIND_INTEGER(change->set_expiry), expiry_of(change),
                   BIND_INTEGER(change->set_routes), BIND_TEXT(change->routes), BIND_INTEGER(context->now_seconds),
                   BIND_TEXT(key_id), BIND_TEXT(user_id)),
        ERROR_API_KEY_NOT_FOUND);
}

enum outcome key_store_delete(struct context *context, struct text user_id, struct text key_id)
{
    database_concerns(user_id);
    return audit_store_change_row(context,
                                  &(struct audit_note){AUDIT_key_delete, .subject_id = user_id, .object = key_id},
                                  "DELETE FROM api_key WHERE id = ? AND user_id = ? AND is_primary = 0",
                                  PARAMETERS(BIND_TEXT(key_id), BIND_TEXT(user_id)), ERROR_API_KEY_NOT_FOUND);
}

enum outcome key_store_delete_any(struct context *context, struct text key_id)
{
    struct text user_id;
    enum outcome outcome = database_get_text(context, "SELECT user_id FROM api_key WHERE id = ?",
                                             PARAMETERS(BIND_TEXT(key_id)), &user_id, ERROR_API_KEY_NOT_FOUND);
    if (outcome == OK) {
        database_concerns(user_id);
        outcome = audit_store_change_row(
            context, &(struct audit_note){AUDIT_key_delete, .subject_id = user_id, .object = key_id},
            "DELETE FROM api_key WHERE id = ? AND user_id = ?", PARAMETERS(BIND_TEXT(key_id), BIND_TEXT(user_id)),
            ERROR_API_KEY_NOT_FOUND);
    }
    return outcome;
}

void key_store_touch(struct context *context, struct text key_id, struct text user_id)
{
    if (touch_store_note(context, TOUCH_KEY, key_id, user_id)) {
        return;
    }
    database_concerns_nobody();
    database_try(context,
                 DATABASE_NOWAIT
                 "UPDATE api_key SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)",
                 PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(key_id),
                            BIND_INTEGER(context->now_seconds - context->config->last_active_interval)));
}
