#include "store/password_store.h"

#include "base/problem.h"
#include "store/audit_store.h"
#include "store/mail_store.h"
#include "store/revocation_store.h"
#include "store/user_store.h"

enum outcome password_store_hash(struct context *context, struct text user_id, struct text *hash_r)
{
    return database_get_text(context, "SELECT password FROM auth WHERE id = ?", PARAMETERS(BIND_TEXT(user_id)), hash_r,
                             ERROR_NONE);
}

enum outcome password_store_greatest_bcrypt_cost(struct context *context, int64_t *cost_r)
{
    return database_get_integer(
        context, "SELECT CAST(MAX(SUBSTR(password, 5, 2)) AS SIGNED) FROM auth WHERE password LIKE '$2%'",
        NO_PARAMETERS, 0, cost_r);
}

enum outcome password_store_argon2_hashes(struct context *context, struct result *hashes_r)
{
    return database_execute(context,
                            "SELECT MAX(password) FROM auth WHERE password LIKE '$argon2%' "
                            "GROUP BY SUBSTRING_INDEX(password, '$', 4) LIMIT 100",
                            NO_PARAMETERS, hashes_r, ERROR_NONE);
}

enum outcome password_store_scrypt_costs(struct context *context, struct result *costs_r)
{
    return database_execute(
        context, "SELECT SUBSTR(password, 5, 6) AS cost, COUNT(*) FROM auth WHERE password LIKE '$s1$%' GROUP BY cost",
        NO_PARAMETERS, costs_r, ERROR_NONE);
}

enum outcome password_store_add(struct context *context, struct text user_id, struct text email, struct text hash,
                                bool must_change)
{
    return database_execute(
        context, "INSERT INTO auth (id, email, password, active, must_change) VALUES (?, ?, ?, 1, ?)",
        PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(email), BIND_TEXT(hash), BIND_INTEGER(must_change)), NULL,
        ERROR_EMAIL_TAKEN);
}

enum outcome password_store_put(struct context *context, struct text user_id, struct text email, struct text hash,
                                bool must_change)
{
    struct result result;
    enum outcome outcome = database_execute(context, "UPDATE auth SET password = ?, must_change = ? WHERE id = ?",
                                            PARAMETERS(BIND_TEXT(hash), BIND_INTEGER(must_change), BIND_TEXT(user_id)),
                                            &result, ERROR_NONE);
    return outcome == OK && result.affected_rows == 0 ? password_store_add(context, user_id, email, hash, must_change)
                                                      : outcome;
}

enum outcome password_store_tell(struct context *context, struct text user_id)
{
    const struct mail_new mail = {
        .kind = MAIL_password_changed,
        .user_id = user_id,
        .data = mail_store_data(context, text_of(context->client_address), TEXT_NULL),
    };
    return mail_store_add(context, &mail);
}

/* Whoever could set the password by a link can't any more. */
static enum outcome end_links(struct context *context, const struct password_change *change)
{
    enum outcome outcome = change->is_rehash ? OK : link_store_end_all(context, change->user_id);
    return outcome == OK && !change->is_rehash && !change->is_first ? password_store_tell(context, change->user_id)
                                                                    : outcome;
}

static enum outcome change_within(struct context *context, void *argument)
{
    const struct password_change *change = argument;
    struct locked_user user;
    enum outcome outcome = user_store_lock(context, change->user_id, &user);
    if (outcome == OK && change->link != NULL) {
        outcome = link_store_use(context, change->link);
    }
    if (outcome == OK && change->old_hash.data != NULL) {
        struct text hash;
        outcome = database_get_text(context, "SELECT password FROM auth WHERE id = ? FOR UPDATE",
                                    PARAMETERS(BIND_TEXT(change->user_id)), &hash, ERROR_NONE);
        if (outcome == OK && !text_equal(hash, change->old_hash)) {
            return problem_set(context, change->on_other);
        }
    }
    if (outcome == OK) {
        outcome = password_store_put(context, change->user_id, user.email, change->hash, change->must_change);
    }
    if (outcome == OK) {
        outcome = end_links(context, change);
    }
    if (outcome == OK && !change->is_rehash) {
        audit_store_note(
            context, &(struct audit_note){AUDIT_password_change, .subject_id = change->user_id, .by_subject = true});
    }
    if (outcome == OK && change->ends_sessions) {
        outcome = session_store_end_all(context, change->user_id, change->kept);
    }
    return outcome;
}

enum outcome password_store_change(struct context *context, struct password_change *change)
{
    database_concerns(change->user_id);
    return change->ends_sessions ? revocation_store_transaction(context, change->user_id, change_within, change)
                                 : database_transaction(context, change_within, change);
}
