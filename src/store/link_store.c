#include "store/link_store.h"

#include "base/digest.h"
#include "base/hex.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/config_mail.h"
#include "store/rows.h"

enum { SECRET_BYTES = 32 };

enum outcome link_store_make(struct context *context, struct text user_id, enum mail_link purpose, struct text email,
                             struct text *secret_r)
{
    unsigned char bytes[SECRET_BYTES];
    random_bytes(bytes, sizeof bytes);
    *secret_r = hex_encode(context->arena, bytes, sizeof bytes);
    return database_execute(
        context, "REPLACE INTO one_time_link (user_id, purpose, hash, email, expires_at) VALUES (?, ?, ?, ?, ?)",
        PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(text_of(mail_link_names[purpose])),
                   BIND_TEXT(digest_sha256(context->arena, *secret_r)), BIND_TEXT(email),
                   BIND_INTEGER(context->now_seconds + config_mail_lifetime(context->config, purpose))),
        NULL, ERROR_NONE);
}

struct making {
    struct text user_id;
    enum mail_link purpose;
    struct text *secret_r;
};

static enum outcome make_within(struct context *context, void *argument)
{
    const struct making *making = argument;
    return link_store_make(context, making->user_id, making->purpose, TEXT(""), making->secret_r);
}

enum outcome link_store_make_alone(struct context *context, struct text user_id, enum mail_link purpose,
                                   struct text *secret_r)
{
    struct making making = {user_id, purpose, secret_r};
    database_concerns_nobody();
    return database_transaction(context, make_within, &making);
}

enum outcome link_store_find(struct context *context, struct text secret, struct link *link_r)
{
    const struct value *row;
    *link_r = (struct link){.hash = digest_sha256(context->arena, secret)};
    enum outcome outcome = database_get_row(
        context,
        "SELECT l.user_id, l.email, l.purpose FROM one_time_link l LEFT JOIN auth a ON a.id = l.user_id "
        "WHERE l.hash = ? AND l.expires_at > ? AND COALESCE(a.active, 1) <> 0",
        PARAMETERS(BIND_TEXT(link_r->hash), BIND_INTEGER(context->now_seconds)), &row, ERROR_INVALID_LINK);
    if (outcome == OK) {
        link_r->user_id = row[0].text;
        link_r->email = row[1].text;
        link_r->purpose = row[2].text;
    }
    return outcome;
}

bool link_store_is_for(const struct link *link, enum mail_link purpose)
{
    return text_is(link->purpose, mail_link_names[purpose]);
}

enum outcome link_store_use(struct context *context, const struct link *link)
{
    enum outcome outcome =
        database_change_row(context, "DELETE FROM one_time_link WHERE hash = ? AND expires_at > ?",
                            PARAMETERS(BIND_TEXT(link->hash), BIND_INTEGER(context->now_seconds)), ERROR_INVALID_LINK);
    if (outcome == OK) {
        outcome = database_execute(
            context,
            "UPDATE user SET " USER_NAMES_KEPT ", email_verified_at = COALESCE(email_verified_at, ?) "
            "WHERE id = ? AND email = ?",
            PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(link->user_id), BIND_TEXT(link->email)), NULL,
            ERROR_NONE);
    }
    return outcome;
}

static enum outcome use_within(struct context *context, void *argument)
{
    return link_store_use(context, argument);
}

enum outcome link_store_use_alone(struct context *context, const struct link *link)
{
    database_concerns(link->user_id);
    return database_transaction(context, use_within, (void *)link);
}

/* A mail with a link is called as the purpose of its link. */
#define MAIL_LINK(name, page, lifetime) "'" #name "', "
static const char end_all[] = "DELETE l, m FROM user u LEFT JOIN one_time_link l ON l.user_id = u.id "
                              "LEFT JOIN mail m ON m.user_id = u.id AND m.kind IN ("
#include "tables/mails.def"
                              "'') WHERE u.id = ?";

enum outcome link_store_end_all(struct context *context, struct text user_id)
{
    return database_execute(context, end_all, PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
}

enum outcome link_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(context, "DELETE FROM one_time_link WHERE expires_at <= ? LIMIT 500",
                            PARAMETERS(BIND_INTEGER(context->now_seconds)), NULL, ERROR_NONE);
}
