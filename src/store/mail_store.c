#include "store/mail_store.h"

#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "config/config_mail.h"
#include "store/link_store.h"
#include "store/user_store.h"

enum { GIVEN_UP_SECONDS = 7 * 86400 };

/* ---- New mails ---- */

enum outcome mail_store_add(struct context *context, const struct mail_new *mail)
{
    if (!config_mail_wants(context->config, mail_rows[mail->kind].notice)) {
        return OK;
    }
    if (!database_in_transaction()) {
        database_concerns_nobody();
    }
    return database_execute(
        context, "INSERT INTO mail (kind, user_id, address, data, created_at, next_at) VALUES (?, ?, ?, ?, ?, ?)",
        PARAMETERS(BIND_TEXT(text_of(mail_rows[mail->kind].name)), BIND_TEXT(mail->user_id), BIND_TEXT(mail->address),
                   BIND_TEXT(mail->data), BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds)),
        NULL, ERROR_NONE);
}

struct text mail_store_data(struct context *context, struct text address, struct text user_agent)
{
    enum { AGENT_MAX = 200 };
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    json_member_text(&json, "address", address);
    json_member_text(&json, "device", text_is_utf8(user_agent) ? text_cut_bytes(user_agent, AGENT_MAX) : TEXT_NULL);
    json_end_object(&json);
    return json_finish(&json);
}

/* ---- What is due ---- */

enum { DUE_id, DUE_kind, DUE_user_id, DUE_address, DUE_data, DUE_created_at, DUE_attempts };

struct taking {
    int64_t lease;
    enum mail_take take;
    struct mail_taken *mail;
};

static enum outcome delete_row(struct context *context, int64_t id)
{
    return database_execute(context, "DELETE FROM mail WHERE id = ?", PARAMETERS(BIND_INTEGER(id)), NULL, ERROR_NONE);
}

/* Who gets it. *is_wanted_r: somebody does; who is disabled gets no link. */
static enum outcome find_recipient(struct context *context, const struct value *due, struct mail_taken *mail,
                                   struct text *user_id_r, bool *is_wanted_r)
{
    struct user_login login = {.id = due[DUE_user_id].text};
    const struct value *row = NULL;
    enum outcome outcome = OK;
    *is_wanted_r = mail->kind == MAIL_test;
    mail->to = mail->email = due[DUE_address].text;
    if (mail->kind == MAIL_test) {
        return OK;
    }
    if (login.id.data == NULL) {
        outcome = user_store_find_by_email(context, due[DUE_address].text, &login);
    }
    if (outcome == OK && login.id.data != NULL) {
        outcome = database_get_row(context,
                                   "SELECT u.email, u.name, COALESCE(a.active, 1) FROM user u "
                                   "LEFT JOIN auth a ON a.id = u.id WHERE u.id = ?",
                                   PARAMETERS(BIND_TEXT(login.id)), &row, ERROR_NONE);
    }
    if (outcome == OK && row != NULL) {
        const bool is_told = due[DUE_user_id].text.data != NULL && due[DUE_address].text.data != NULL;
        mail->email = row[0].text;
        mail->name = row[1].text;
        mail->to = is_told ? due[DUE_address].text : row[0].text;
        *is_wanted_r = row[2].integer != 0 || mail_rows[mail->kind].link == MAIL_LINK_NONE;
        *user_id_r = login.id;
    }
    return outcome;
}

static void read_data(struct context *context, struct text data, struct mail_taken *mail)
{
    json_object *object = data.data != NULL ? json_parse(context->arena, data) : NULL;
    json_object *member;
    if (object != NULL && json_object_object_get_ex(object, "address", &member)) {
        mail->client_address = json_text(member);
    }
    if (object != NULL && json_object_object_get_ex(object, "device", &member)) {
        mail->user_agent = json_text(member);
    }
}

static bool is_too_old(const struct context *context, const struct mail_taken *mail)
{
    const enum mail_link link = mail_rows[mail->kind].link;
    const int64_t lifetime = config_mail_lifetime(context->config, link);
    const int64_t limit = link != MAIL_LINK_NONE && lifetime < context->config->mail_retry_time
                              ? lifetime
                              : context->config->mail_retry_time;
    return mail->created_at + limit < context->now_seconds;
}

static enum outcome give_up_row(struct context *context, int64_t id)
{
    log_error(context, "mail %lld was not sent in time, and is given up: `rosterctl mail list' shows why",
              (long long)id);
    return database_execute(context,
                            "UPDATE mail SET next_at = NULL, error = COALESCE(error, 'not sent in time') WHERE id = ?",
                            PARAMETERS(BIND_INTEGER(id)), NULL, ERROR_NONE);
}

static enum outcome take_row(struct context *context, const struct value *due, struct taking *taking)
{
    struct mail_taken *mail = taking->mail;
    *mail = (struct mail_taken){
        .id = due[DUE_id].integer,
        .attempts = due[DUE_attempts].integer + 1,
        .kind = mail_find(due[DUE_kind].text),
        .created_at = due[DUE_created_at].integer,
    };
    struct text user_id = TEXT_NULL;
    bool is_wanted = false;
    enum outcome outcome = find_recipient(context, due, mail, &user_id, &is_wanted);
    taking->take = MAIL_TAKE_DROPPED;
    if (outcome != OK || !is_wanted) {
        return outcome == OK ? delete_row(context, mail->id) : outcome;
    }
    if (is_too_old(context, mail)) {
        return give_up_row(context, mail->id);
    }
    outcome = database_execute(context, "UPDATE mail SET next_at = ?, attempts = ? WHERE id = ?",
                               PARAMETERS(BIND_INTEGER(context->now_seconds + taking->lease),
                                          BIND_INTEGER(mail->attempts), BIND_INTEGER(mail->id)),
                               NULL, ERROR_NONE);
    const enum mail_link link = mail_rows[mail->kind].link;
    if (outcome == OK && link != MAIL_LINK_NONE) {
        outcome = link_store_make(context, user_id, link, mail->to, &mail->secret);
    }
    read_data(context, due[DUE_data].text, mail);
    taking->take = MAIL_TAKE_SEND;
    return outcome;
}

/* A row of a kind that this release does not know is for a newer one. */
static const char take_sql[] =
    "SELECT id, kind, user_id, address, data, created_at, attempts FROM mail WHERE next_at <= ? AND kind IN ("
#define MAIL(name, link, notice, text) "'" #name "', "
#include "tables/mails.def"
    "'') ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";

static enum outcome take_within(struct context *context, void *argument)
{
    struct taking *taking = argument;
    const struct value *due;
    taking->take = MAIL_TAKE_NONE;
    enum outcome outcome =
        database_get_row(context, take_sql, PARAMETERS(BIND_INTEGER(context->now_seconds)), &due, ERROR_NONE);
    return outcome == OK && due != NULL ? take_row(context, due, taking) : outcome;
}

enum outcome mail_store_take(struct context *context, int64_t lease, enum mail_take *take_r, struct mail_taken *mail_r)
{
    struct taking taking = {.lease = lease, .mail = mail_r};
    bool is_due;
    *take_r = MAIL_TAKE_NONE;
    enum outcome outcome = database_find_row(context, "SELECT 1 FROM mail WHERE next_at <= ? LIMIT 1",
                                             PARAMETERS(BIND_INTEGER(context->now_seconds)), &is_due);
    if (outcome != OK || !is_due) {
        return outcome;
    }
    database_concerns_nobody();
    outcome = database_transaction(context, take_within, &taking);
    *take_r = outcome == OK ? taking.take : MAIL_TAKE_NONE;
    return outcome;
}

enum outcome mail_store_sent(struct context *context, const struct mail_taken *mail)
{
    database_concerns_nobody();
    return delete_row(context, mail->id);
}

enum outcome mail_store_failed(struct context *context, const struct mail_taken *mail, int64_t next_at,
                               struct text error)
{
    enum { ERROR_MAX = 255 };
    database_concerns_nobody();
    return database_execute(context, "UPDATE mail SET next_at = ?, error = ? WHERE id = ? AND attempts = ?",
                            PARAMETERS(BIND_MOMENT(next_at),
                                       BIND_TEXT(text_cut_bytes(text_without_odd(context->arena, error), ERROR_MAX)),
                                       BIND_INTEGER(mail->id), BIND_INTEGER(mail->attempts)),
                            NULL, ERROR_NONE);
}

enum outcome mail_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(context, "DELETE FROM mail WHERE next_at IS NULL AND created_at < ? LIMIT 500",
                            PARAMETERS(BIND_INTEGER(context->now_seconds - GIVEN_UP_SECONDS)), NULL, ERROR_NONE);
}

/* ---- For administrators ---- */

#define MAIL_COLUMNS                                                                                             \
    "m.id, m.kind, COALESCE(m.address, u.email), m.created_at, m.next_at, m.attempts, m.error FROM mail m LEFT " \
    "JOIN user u ON u.id = m.user_id "

enum outcome mail_store_list(struct context *context, struct result *mails_r)
{
    return database_execute(context, "SELECT " MAIL_COLUMNS "ORDER BY m.id LIMIT 1000", NO_PARAMETERS, mails_r,
                            ERROR_NONE);
}

enum outcome mail_store_retry(struct context *context, int64_t id, int64_t *count_r)
{
    struct result result;
    database_concerns_nobody();
    enum outcome outcome =
        database_execute(context, "UPDATE mail SET next_at = ?, created_at = ? WHERE ? = -1 OR id = ?",
                         PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds),
                                    BIND_INTEGER(id), BIND_INTEGER(id)),
                         &result, ERROR_NONE);
    *count_r = outcome == OK ? (int64_t)result.affected_rows : 0;
    return outcome;
}

enum outcome mail_store_show(struct context *context, int64_t id, const struct value **row_r)
{
    return database_get_row(context, "SELECT " MAIL_COLUMNS "WHERE m.id = ?", PARAMETERS(BIND_INTEGER(id)), row_r,
                            ERROR_NONE);
}

enum outcome mail_store_last_id(struct context *context, int64_t *id_r)
{
    return database_get_integer(context, "SELECT LAST_INSERT_ID()", NO_PARAMETERS, 0, id_r);
}

bool mail_store_count(struct context *context, int64_t *waiting_r, int64_t *oldest_r, int64_t *given_up_r)
{
    struct result result;
    if (!database_try_read(context,
                           DATABASE_BRIEFLY "SELECT COUNT(next_at), MIN(IF(next_at IS NULL, NULL, created_at)), "
                                            "COUNT(*) - COUNT(next_at) FROM mail",
                           NO_PARAMETERS, &result)) {
        return false;
    }
    *waiting_r = result.values[0].integer;
    *oldest_r = value_integer(&result.values[1], -1);
    *given_up_r = result.values[2].integer;
    return true;
}
