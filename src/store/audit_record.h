/* audit_record.h: a row of the audit, and what vouches for it.
 *
 * mac           HMAC of what the row says, with a key made of the secret key: nobody without that key can write a row,
 * or change one personal_mac  the same of what is personal in it (address, personal) and a salt. So these three can be
 * emptied when a person is erased, and mac still holds number, hash  the chain of a host (audit_chain.h): SHA-256 of
 * the row, with its id and mac, and the hash before */
#ifndef ROSTER_STORE_AUDIT_RECORD_H
#define ROSTER_STORE_AUDIT_RECORD_H

#include "store/database.h"

/* The columns that are texts: those that `mac` covers, those that can be emptied, and the rest. */
#define AUDIT_SEALED(COLUMN) \
    COLUMN(host)             \
    COLUMN(action)           \
    COLUMN(actor_id)         \
    COLUMN(system_user)      \
    COLUMN(subject_id)       \
    COLUMN(object)           \
    COLUMN(through)          \
    COLUMN(session_jti)      \
    COLUMN(key_id)           \
    COLUMN(request_id)       \
    COLUMN(detail)           \
    COLUMN(personal_mac)     \
    COLUMN(mac_key)
#define AUDIT_PERSONAL(COLUMN) \
    COLUMN(address)            \
    COLUMN(personal)           \
    COLUMN(salt)
#define AUDIT_REST(COLUMN) \
    COLUMN(mac)            \
    COLUMN(hash)
#define AUDIT_TEXTS(COLUMN) \
    AUDIT_SEALED(COLUMN)    \
    AUDIT_PERSONAL(COLUMN)  \
    AUDIT_REST(COLUMN)

struct audit_record {
    int64_t id;     /* 0: not stored yet */
    int64_t at;     /* epoch seconds */
    int64_t number; /* in the chain of its host; 0: not yet */
#define COLUMN(name) struct text name;
    AUDIT_TEXTS(COLUMN)
#undef COLUMN
};

/* The columns of a SELECT from `audit a`, in the order of audit_record_of_row, which takes AUDIT_COLUMN_COUNT values.
 */
#define AUDIT_SELECTED(name) ", a." #name
#define AUDIT_COLUMNS "a.id, a.at, a.number" AUDIT_TEXTS(AUDIT_SELECTED)
enum {
    AUDIT_COLUMN_COUNT = 3
#define COLUMN(name) +1
    AUDIT_TEXTS(COLUMN)
#undef COLUMN
};
struct audit_record audit_record_of_row(const struct value *row);

/* A key of the audit, made of one that signs sessions. */
struct audit_key {
    struct text bytes; /* in the arena */
    struct text id;    /* eight digits, which may be public */
};

/* That of config->secret_keys.items[index]; without a secret key, one that vouches for nothing. */
struct audit_key audit_record_key(const struct context *context, size_t index);

/* Finds the key with this id among those that there are. */
bool audit_record_find_key(const struct context *context, struct text id, struct audit_key *key_r);

/* Sets salt, personal_mac, mac_key and mac. */
void audit_record_seal(struct context *context, const struct audit_key *key, struct audit_record *record);

/* Whether mac and personal_mac are those of `key`. What was emptied (no salt) is not compared. */
bool audit_record_is_sealed(struct context *context, const struct audit_key *key, const struct audit_record *record);

/* The hash of the row with that id and number, behind a hash. */
struct text audit_record_hash(struct context *context, const struct audit_record *record, struct text before);

#endif
