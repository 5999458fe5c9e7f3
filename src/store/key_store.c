#include "store/key_store.h"

#include "auth/token.h"

#define COUNT(parameters) (sizeof(parameters) / sizeof(parameters)[0])

/* What stands before the digest of a key; no key starts with it. */
#define HASH_PREFIX "sha256:"

enum { SUFFIX_LENGTH = 4 };

struct text key_store_hash(struct context *context, struct text key)
{
    struct text digest = token_sha256(context->arena, key);
    return text_format(context->arena, HASH_PREFIX "%.*s", (int)digest.length, digest.data);
}

struct text key_store_suffix(struct text key)
{
    size_t length = key.length < SUFFIX_LENGTH ? key.length : SUFFIX_LENGTH;
    return (struct text){key.data + key.length - length, length};
}

/* The key as it came is looked for as well as its hash. So a hash that somebody has read out of a table must not pass for a key. */
enum outcome key_store_find(struct context *context, struct text key, struct key_owner *owner_r)
{
    struct result result;

    *owner_r = (struct key_owner){.found = false, .expires_at = -1};
    if (key.length == 0 || text_starts_with(key, HASH_PREFIX))
        return OK;
    const struct parameter parameters[] = {BIND_TEXT(key_store_hash(context, key)), BIND_TEXT(key)};
    enum outcome outcome =
        database_execute(context,
                         "SELECT k.id, k.user_id, u.email, u.name, u.role, u.last_active_at, k.expires_at, "
                         "k.last_used_at, k.routes, k.`key` FROM api_key AS k JOIN user AS u ON u.id = k.user_id "
                         "WHERE k.`key` IN (?, ?)",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome != OK || result.row_count == 0)
        return outcome;

    const struct value *row = result_row(&result, 0);
    *owner_r = (struct key_owner){
        .found = true,
        .key_id = row[0].text,
        .user_id = row[1].text,
        .email = row[2].text,
        .name = row[3].text,
        .role = row[4].text,
        .last_active_at = row[5].integer,
        .expires_at = row[6].is_null ? -1 : row[6].integer,
        .last_used_at = row[7].integer,
        .routes = row[8].text,
        .plain = !text_starts_with(row[9].text, HASH_PREFIX),
    };
    return OK;
}

enum outcome key_store_hash_plain(struct context *context, struct text key_id, struct text key)
{
    const struct parameter parameters[] = {
        BIND_TEXT(key_store_hash(context, key)),
        BIND_TEXT(key_store_suffix(key)),
        BIND_TEXT(key_id),
        BIND_TEXT(key),
    };

    return database_execute(context, "UPDATE api_key SET `key` = ?, suffix = ? WHERE id = ? AND `key` = ?", parameters,
                            COUNT(parameters), NULL, ERROR_NONE);
}

/* The one key of the original. */

enum outcome key_store_primary(struct context *context, struct text user_id, struct text *suffix_r)
{
    const struct parameter parameters[] = {BIND_TEXT(user_id)};
    struct result result;

    enum outcome outcome =
        database_execute(context,
                         "SELECT IF(k.`key` LIKE 'sha256:%', k.suffix, RIGHT(k.`key`, 4)) FROM api_key AS k "
                         "WHERE k.user_id = ? AND k.is_primary = 1 ORDER BY k.created_at DESC, k.id LIMIT 1",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome != OK)
        return outcome;
    if (result.row_count == 0)
        return problem_set(context, ERROR_API_KEY_NOT_FOUND);
    *suffix_r = result_row(&result, 0)->text;
    return OK;
}

enum outcome key_store_delete_primary(struct context *context, struct text user_id)
{
    const struct parameter parameters[] = {BIND_TEXT(user_id)};

    return database_execute(context, "DELETE FROM api_key WHERE user_id = ? AND is_primary = 1", parameters,
                            COUNT(parameters), NULL, ERROR_NONE);
}

struct primary_key {
    struct text id, user_id, hash, suffix;
};

/* The user's row is locked first, so that two at once leave one key. */
static enum outcome set_primary_within(struct context *context, void *argument)
{
    const struct primary_key *key = argument;
    const struct parameter user[] = {BIND_TEXT(key->user_id)};
    const struct parameter parameters[] = {
        BIND_TEXT(key->id),
        BIND_TEXT(key->user_id),
        BIND_TEXT(key->hash),
        BIND_TEXT(key->suffix),
        BIND_INTEGER(context->now_seconds),
        BIND_INTEGER(context->now_seconds),
    };
    struct result result;

    enum outcome outcome =
        database_execute(context, "SELECT 1 FROM user WHERE id = ? FOR UPDATE", user, COUNT(user), &result, ERROR_NONE);
    if (outcome != OK)
        return outcome;
    if (result.row_count == 0)
        return problem_set(context, ERROR_USER_NOT_FOUND);
    outcome = key_store_delete_primary(context, key->user_id);
    if (outcome != OK)
        return outcome;
    return database_execute(context,
                            "INSERT INTO api_key (id, user_id, `key`, suffix, created_at, updated_at, is_primary) "
                            "VALUES (?, ?, ?, ?, ?, ?, 1)",
                            parameters, COUNT(parameters), NULL, ERROR_NONE);
}

enum outcome key_store_set_primary(struct context *context, struct text user_id, struct text key)
{
    struct primary_key primary = {token_new_uuid(context->arena), user_id, key_store_hash(context, key), key_store_suffix(key)};

    return database_transaction(context, set_primary_within, &primary);
}

/* Named keys: columns in the order of enum named_key_column. */
#define NAMED_KEY_COLUMNS "k.id, k.name, k.suffix, k.expires_at, k.last_used_at, k.routes, k.created_at, k.updated_at"

enum outcome key_store_list(struct context *context, struct text user_id, struct result *keys_r)
{
    const struct parameter parameters[] = {BIND_TEXT(user_id)};

    return database_execute(context,
                            "SELECT " NAMED_KEY_COLUMNS " FROM api_key AS k WHERE k.user_id = ? AND k.is_primary = 0 "
                            "ORDER BY k.created_at, k.id",
                            parameters, COUNT(parameters), keys_r, ERROR_NONE);
}

enum outcome key_store_get(struct context *context, struct text user_id, struct text key_id, const struct value **key_r)
{
    const struct parameter parameters[] = {BIND_TEXT(key_id), BIND_TEXT(user_id)};
    struct result result;

    enum outcome outcome = database_execute(context,
                                            "SELECT " NAMED_KEY_COLUMNS " FROM api_key AS k "
                                            "WHERE k.id = ? AND k.user_id = ? AND k.is_primary = 0",
                                            parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome != OK)
        return outcome;
    if (result.row_count == 0)
        return problem_set(context, ERROR_API_KEY_NOT_FOUND);
    *key_r = result_row(&result, 0);
    return OK;
}

static struct parameter expiry_of(const struct key_change *change)
{
    return change->set_expiry && change->expires_at != -1 ? BIND_INTEGER(change->expires_at) : BIND_NULL;
}

enum outcome key_store_add(struct context *context, struct text user_id, struct text key,
                           const struct key_change *change, struct text *key_id_r)
{
    struct text id = token_new_uuid(context->arena);
    const struct parameter parameters[] = {
        BIND_TEXT(id),
        BIND_TEXT(user_id),
        BIND_TEXT(key_store_hash(context, key)),
        BIND_TEXT(key_store_suffix(key)),
        BIND_TEXT(change->name),
        expiry_of(change),
        change->set_routes ? BIND_TEXT(change->routes) : BIND_NULL,
        BIND_INTEGER(context->now_seconds),
        BIND_INTEGER(context->now_seconds),
    };

    *key_id_r = id;
    return database_execute(context,
                            "INSERT INTO api_key (id, user_id, `key`, suffix, name, expires_at, routes, created_at, "
                            "updated_at, is_primary) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                            parameters, COUNT(parameters), NULL, ERROR_NONE);
}

enum outcome key_store_change(struct context *context, struct text user_id, struct text key_id,
                              const struct key_change *change)
{
    const struct parameter parameters[] = {
        BIND_TEXT(change->name),   BIND_INTEGER(change->set_expiry),
        expiry_of(change),         BIND_INTEGER(change->set_routes),
        BIND_TEXT(change->routes), BIND_INTEGER(context->now_seconds),
        BIND_TEXT(key_id),         BIND_TEXT(user_id),
    };
    struct result result;

    enum outcome outcome =
        database_execute(context,
                         "UPDATE api_key SET name = COALESCE(?, name), expires_at = IF(?, ?, expires_at), "
                         "routes = IF(?, ?, routes), updated_at = ? "
                         "WHERE id = ? AND user_id = ? AND is_primary = 0",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows == 0)
        return problem_set(context, ERROR_API_KEY_NOT_FOUND);
    return outcome;
}

enum outcome key_store_delete(struct context *context, struct text user_id, struct text key_id)
{
    const struct parameter parameters[] = {BIND_TEXT(key_id), BIND_TEXT(user_id)};
    struct result result;

    enum outcome outcome =
        database_execute(context, "DELETE FROM api_key WHERE id = ? AND user_id = ? AND is_primary = 0", parameters,
                         COUNT(parameters), &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows == 0)
        return problem_set(context, ERROR_API_KEY_NOT_FOUND);
    return outcome;
}

enum outcome key_store_touch(struct context *context, struct text key_id, int64_t interval_seconds)
{
    const struct parameter parameters[] = {
        BIND_INTEGER(context->now_seconds),
        BIND_TEXT(key_id),
        BIND_INTEGER(context->now_seconds - interval_seconds),
    };

    return database_execute(
        context, "UPDATE api_key SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)",
        parameters, COUNT(parameters), NULL, ERROR_NONE);
}
