/* key_store.h: API keys. Stored are `sha256:` and the digest of a key. Imported plain keys are replaced at first use.
 */
#ifndef ROSTER_STORE_KEY_STORE_H
#define ROSTER_STORE_KEY_STORE_H

#include "store/caller.h"
#include "store/rows.h"

struct key_owner {
    bool found;
    struct caller caller;
    struct text key_id;
    int64_t expires_at; /* -1: never */
    int64_t last_used_at;
    struct text routes; /* JSON array of paths; null: all paths */
    bool is_plain;      /* an imported plain key, to be hashed */
};

/* What is stored of a key: `sha256:` and its digest, and its last four characters, for display. */
struct text key_store_hash(struct context *context, struct text key);
struct text key_store_suffix(struct text key);

/* Finds the owner of a key. owner_r->found is false for an unknown key. */
enum outcome key_store_find(struct context *context, struct text key, struct key_owner *owner_r);

/* Replaces a plain key by its hash. */
enum outcome key_store_hash_plain(struct context *context, struct text user_id, struct text key_id, struct text key);

/* The primary key, the only one that the original service has. *suffix_r: its last four characters.
 * PROBLEM API_KEY_NOT_FOUND. */
enum outcome key_store_primary(struct context *context, struct text user_id, struct text *suffix_r);
enum outcome key_store_set_primary(struct context *context, struct text user_id, struct text key);
enum outcome key_store_delete_primary(struct context *context, struct text user_id);

/* Named keys: rows of enum key_column. */
enum outcome key_store_list(struct context *context, struct text user_id, struct result *keys_r);
enum outcome key_store_get(struct context *context, struct text user_id, struct text key_id,
                           const struct value **key_r);

struct key_change {
    struct text name; /* null: unchanged */
    bool set_expiry, set_routes;
    int64_t expires_at; /* -1: NULL */
    struct text routes; /* JSON array of paths; null: all paths */
};
enum outcome key_store_add(struct context *context, struct text user_id, struct text key,
                           const struct key_change *change, struct text *key_id_r);
enum outcome key_store_change(struct context *context, struct text user_id, struct text key_id,
                              const struct key_change *change);
enum outcome key_store_delete(struct context *context, struct text user_id, struct text key_id);

/* Deletes a key of any user, named or not. PROBLEM API_KEY_NOT_FOUND. */
enum outcome key_store_delete_any(struct context *context, struct text key_id);

/* Within a transaction that concerns the user, with the user's row locked: deletes all keys of a user. */
enum outcome key_store_delete_all(struct context *context, struct text user_id);

/* Notes that a key was used now; at once (touch_store.h), or else in its row, unless last_used_at is newer than
 * last_active_interval, or another transaction locks the row. */
void key_store_touch(struct context *context, struct text key_id, struct text user_id);

#endif
