/* known_store.c: rows of `known_network`. */
#include "store/known_store.h"

#include "store/database.h"
#include "store/user_store.h"

/* A sign-in updates a row that is older than this. */
enum { WRITE_SECONDS = 3600 };

static enum outcome is_known_since(struct context *context, struct text user_id, struct text network, int64_t moment,
                                   bool *known_r)
{
    return database_find_row(context, "SELECT 1 FROM known_network WHERE user_id = ? AND network = ? AND last_at > ?",
                             PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(network), BIND_INTEGER(moment)), known_r);
}

enum outcome known_store_find(struct context *context, struct text email, struct text network, struct text *user_id_r,
                              bool *known_r)
{
    struct user_login login;

    *user_id_r = TEXT_NULL;
    *known_r = false;
    enum outcome outcome = user_store_find_by_email(context, email, &login);
    if (outcome == OK) {
        *user_id_r = login.id;
        outcome = is_known_since(context, login.found ? login.id : TEXT(""), network,
                                 context->now_seconds - KNOWN_NETWORK_SECONDS, known_r);
    }
    return outcome;
}

enum outcome known_store_add(struct context *context, struct text user_id, struct text network)
{
    /* Usually the row is recent enough: then nothing is locked. */
    bool known;
    enum outcome outcome = is_known_since(context, user_id, network, context->now_seconds - WRITE_SECONDS, &known);
    if (outcome != OK || known) {
        return outcome;
    }
    database_concerns_nobody();
    return database_execute(
        context,
        "INSERT INTO known_network (user_id, network, last_at) SELECT u.id, ?, ? FROM user u WHERE u.id = ? "
        "ON DUPLICATE KEY UPDATE last_at = GREATEST(last_at, VALUES(last_at))",
        PARAMETERS(BIND_TEXT(network), BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)), NULL, ERROR_NONE);
}

enum outcome known_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(context, "DELETE FROM known_network WHERE last_at <= ? LIMIT 1000",
                            PARAMETERS(BIND_INTEGER(context->now_seconds - KNOWN_NETWORK_SECONDS)), NULL, ERROR_NONE);
}
