/* key_store.h: API keys. Only `sha256:` and the digest of a key are kept; plain keys that were moved over are replaced at first use. */
#ifndef ROSTER_STORE_KEY_STORE_H
#define ROSTER_STORE_KEY_STORE_H

#include "store/rows.h"

struct key_owner {
    bool found;
    struct text key_id;
    struct text user_id, email, name, role;
    int64_t last_active_at;
    int64_t expires_at;       /* -1: never */
    int64_t last_used_at;
    struct text routes;       /* JSON list, or null: all */
    bool plain;               /* moved over: to be hashed */
};

enum named_key_column { KEY_id, KEY_name, KEY_suffix, KEY_expires_at, KEY_last_used_at, KEY_routes, KEY_created_at, KEY_updated_at, KEY_COLUMNS };

/* What is stored of a key: `sha256:` and its digest, and its last four characters, to show. */
struct text key_store_hash(struct context *context, struct text key);
struct text key_store_suffix(struct text key);

/* Whose key this is. */
enum outcome key_store_find(struct context *context, struct text key, struct key_owner *owner_r);

/* Replaces a plain key by its hash. */
enum outcome key_store_hash_plain(struct context *context, struct text key_id, struct text key);

/* The one key of the original: its last four characters, or API_KEY_NOT_FOUND. */
enum outcome key_store_primary(struct context *context, struct text user_id, struct text *suffix_r);
enum outcome key_store_set_primary(struct context *context, struct text user_id, struct text key);
enum outcome key_store_delete_primary(struct context *context, struct text user_id);

/* Named keys: rows of named_key_column. */
enum outcome key_store_list(struct context *context, struct text user_id, struct result *keys_r);
enum outcome key_store_get(struct context *context, struct text user_id, struct text key_id, const struct value **key_r);

struct key_change {
    struct text name;         /* null: stays */
    bool set_expiry, set_routes;
    int64_t expires_at;       /* -1: NULL */
    struct text routes;       /* JSON, or null */
};
enum outcome key_store_add(struct context *context, struct text user_id, struct text key, const struct key_change *change, struct text *key_id_r);
enum outcome key_store_change(struct context *context, struct text user_id, struct text key_id, const struct key_change *change);
enum outcome key_store_delete(struct context *context, struct text user_id, struct text key_id);

/* last_used_at := now, unless it is newer than the interval. */
enum outcome key_store_touch(struct context *context, struct text key_id, int64_t interval_seconds);

#endif
