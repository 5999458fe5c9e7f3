/* factor_store.c: see factor_store.h. Each function that changes something is one transaction, in which the rows of the
 * account are locked. */
#include "store/factor_store.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/random.h"
#include "base/secret_box.h"
#include "base/totp.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/factor_account.h"
#include "store/mail_store.h"
#include "store/revocation_store.h"
#include "store/session_store.h"

enum { TOKEN_BYTES = 32, TOKEN_LENGTH_MAX = 400 };

static const char *const kind_names[FACTOR_KINDS] = {"enroll", "verify", "recover", "replace", "choose"};

enum outcome factor_store_standing(struct context *context, struct text user_id, struct factor_standing *standing_r)
{
    const struct value *row;
    bool is_imported = false;
    enum outcome outcome;
    *standing_r = (struct factor_standing){.state = FACTOR_NONE};
    do {
        outcome = database_get_row(context,
                                   "SELECT a.factor_state, a.factor_required, a.session_stamp, a.mfa IS NOT NULL, "
                                   "(SELECT g.mfa FROM config g ORDER BY g.id DESC LIMIT 1) "
                                   "FROM user u LEFT JOIN auth a ON a.id = u.id WHERE u.id = ?",
                                   PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_NONE);
        if (outcome != OK || row == NULL) {
            return outcome;
        }
        /* once: what can't be taken over stays */
        is_imported = !is_imported && row[3].integer != 0;
        outcome = is_imported ? factor_account_adopt(context, user_id) : OK;
    } while (outcome == OK && is_imported);
    if (outcome == OK) {
        *standing_r = (struct factor_standing){
            .state = (enum factor_state)value_integer(&row[0], FACTOR_NONE),
            .required = (int)value_integer(&row[1], 0),
            .stamp = row[2].text,
            .site_wants = value_integer(&row[4], 0) != 0,
        };
    }
    return outcome;
}

/* ---- Challenges ---- */

static const char *slot_of(enum factor_kind kind)
{
    return (FACTOR_KIND(kind) & FACTOR_AT_SIGN_IN) != 0 ? "login" : "manage";
}

static enum outcome put_challenge(struct context *context, struct factor_challenge *challenge)
{
    unsigned char bytes[TOKEN_BYTES];
    char secret[BASE64_BYTES_MAX(TOKEN_BYTES * 2)];
    random_bytes(bytes, sizeof bytes);
    base64_encode(BASE64_URL, bytes, sizeof bytes, secret);
    challenge->token =
        text_format(context->arena, "%.*s.%s", (int)challenge->user_id.length, challenge->user_id.data, secret);
    challenge->expires_at = context->now_seconds + FACTOR_CHALLENGE_SECONDS;
    challenge->secret = TEXT_NULL;
    challenge->tries = 0;
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(secret, sizeof secret);
    return database_execute(
        context,
        "REPLACE INTO factor_challenge (user_id, slot, kind, hash, auth_method, auth_time, session_stamp, is_known, "
        "expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        PARAMETERS(BIND_TEXT(challenge->user_id), BIND_TEXT(text_of(slot_of(challenge->kind))),
                   BIND_TEXT(text_of(kind_names[challenge->kind])),
                   BIND_TEXT(digest_sha256(context->arena, challenge->token)), BIND_TEXT(challenge->auth_method),
                   BIND_INTEGER(challenge->auth_time), BIND_TEXT(challenge->stamp), BIND_INTEGER(challenge->is_known),
                   BIND_INTEGER(challenge->expires_at)),
        NULL, ERROR_NONE);
}

enum outcome factor_store_challenge(struct context *context, struct factor_challenge *challenge)
{
    database_concerns_nobody();
    return put_challenge(context, challenge);
}

/* A row of the challenge of a slot. False: it is not that of the token, or not of these kinds. */
static bool take_row(struct context *context, const struct value *row, struct text token, unsigned kinds,
                     struct factor_challenge *challenge)
{
    const struct text hash = digest_sha256(context->arena, token);
    enum factor_kind kind = 0;
    while (kind < FACTOR_KINDS && !text_is(row[0].text, kind_names[kind])) {
        kind++;
    }
    const bool is_same =
        row[1].text.length == hash.length && CRYPTO_memcmp(row[1].text.data, hash.data, hash.length) == 0;
    if (!is_same || kind == FACTOR_KINDS || (FACTOR_KIND(kind) & kinds) == 0) {
        return false;
    }
    challenge->kind = kind;
    challenge->auth_method = row[2].text;
    challenge->auth_time = row[3].integer;
    challenge->stamp = row[4].text;
    challenge->is_known = row[5].integer != 0;
    challenge->expires_at = row[6].integer;
    challenge->secret = row[7].text;
    challenge->tries = row[8].integer;
    return true;
}

enum outcome factor_store_find(struct context *context, struct text token, unsigned kinds,
                               struct factor_challenge *challenge_r)
{
    const char *dot =
        token.length > 0 && token.length <= TOKEN_LENGTH_MAX ? memrchr(token.data, '.', token.length) : NULL;
    struct result rows = {.row_count = 0};
    *challenge_r = (struct factor_challenge){.token = token};
    enum outcome outcome = OK;
    if (dot != NULL) {
        challenge_r->user_id = (struct text){token.data, (size_t)(dot - token.data)};
        outcome = database_execute(
            context,
            "SELECT c.kind, c.hash, c.auth_method, c.auth_time, c.session_stamp, c.is_known, c.expires_at, c.secret, "
            "c.tries FROM factor_challenge c JOIN auth a ON a.id = c.user_id WHERE c.user_id = ? AND c.expires_at > ? "
            "AND c.session_stamp <=> a.session_stamp AND a.active <> 0",
            PARAMETERS(BIND_TEXT(challenge_r->user_id), BIND_INTEGER(context->now_seconds)), &rows, ERROR_NONE);
    }
    for (size_t i = 0; outcome == OK && i < rows.row_count; i++) {
        if (take_row(context, result_row(&rows, i), token, kinds, challenge_r)) {
            return OK;
        }
    }
    return outcome == OK ? problem_set(context, ERROR_CHALLENGE_EXPIRED) : outcome;
}

/* What a transaction is about. */
struct job {
    struct factor_challenge *challenge;
    const struct factor_change *change;
    struct text code;
    bool is_recovery;
    struct text *codes;
    struct factor_account account;
    struct text text; /* in or out */
    bool flag;        /* what is wanted */
    bool is_changed;  /* out */
};

static enum outcome begin_within(struct context *context, void *argument)
{
    struct job *job = argument;
    struct factor_challenge *challenge = job->challenge;
    const struct text hash = digest_sha256(context->arena, challenge->token);
    unsigned char bytes[TOTP_SECRET_BYTES];
    random_bytes(bytes, sizeof bytes);
    const struct text plain = totp_encode(context->arena, bytes, sizeof bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
    enum outcome outcome = database_execute(
        context, "UPDATE factor_challenge SET secret = COALESCE(secret, ?) WHERE user_id = ? AND hash = ?",
        PARAMETERS(BIND_TEXT(secret_box_seal(context->arena, context->config->secret_keys.items[0], challenge->user_id,
                                             plain)),
                   BIND_TEXT(challenge->user_id), BIND_TEXT(hash)),
        NULL, ERROR_NONE);
    return outcome == OK
               ? database_get_text(context, "SELECT secret FROM factor_challenge WHERE user_id = ? AND hash = ?",
                                   PARAMETERS(BIND_TEXT(challenge->user_id), BIND_TEXT(hash)), &challenge->secret,
                                   ERROR_CHALLENGE_EXPIRED)
               : outcome;
}

enum outcome factor_store_begin(struct context *context, struct factor_challenge *challenge, struct text *secret_r)
{
    struct job job = {.challenge = challenge};
    enum outcome outcome = OK;
    if (challenge->secret.data == NULL) {
        database_concerns_nobody();
        outcome = database_transaction(context, begin_within, &job);
    }
    if (outcome == OK) {
        *secret_r = factor_account_open(context, challenge->user_id, challenge->secret);
        outcome = secret_r->data != NULL ? OK : problem_set_unavailable(context);
    }
    return outcome;
}

/* ---- Tries ---- */

static enum outcome count_within(struct context *context, void *argument)
{
    const struct job *job = argument;
    const struct factor_challenge *challenge = job->challenge;
    enum outcome outcome = OK;
    if (challenge != NULL) {
        outcome = database_change_row(
            context, "UPDATE factor_challenge SET tries = tries + 1 WHERE user_id = ? AND hash = ? AND tries < ?",
            PARAMETERS(BIND_TEXT(challenge->user_id), BIND_TEXT(digest_sha256(context->arena, challenge->token)),
                       BIND_INTEGER(FACTOR_CHALLENGE_TRIES)),
            ERROR_RATE_LIMIT_EXCEEDED);
        if (outcome == PROBLEM && context->problem.code == ERROR_RATE_LIMIT_EXCEEDED) {
            const int64_t left = challenge->expires_at - context->now_seconds;
            problem_set_detail(context, ERROR_RATE_LIMIT_EXCEEDED, 0, "Too many codes: sign in again.");
            context->problem.retry_after_seconds = (int)(left > 1 ? left : 1);
        }
    }
    return outcome == OK
               ? factor_account_count_try(context, challenge != NULL ? challenge->user_id : job->change->user_id)
               : outcome;
}

/* conf/fail2ban/filter.d/roster.conf reads this line. */
static enum outcome count_try(struct context *context, struct job *job)
{
    database_concerns_nobody();
    enum outcome outcome = database_transaction(context, count_within, job);
    if (outcome == PROBLEM && context->problem.code == ERROR_RATE_LIMIT_EXCEEDED && context->client_address != NULL) {
        log_warning(context, "rate limit %s reached for address %s", "factor", context->client_address);
    }
    return outcome;
}

/* ---- What ends sign-ins ---- */

/* Ends all sessions, and all challenges. The session that an enrolment begins is of this second, so the time until
 * which tokens of other programs are over is the second before; those of this one have another stamp. */
static enum outcome end_everything(struct context *context, struct text user_id)
{
    enum outcome outcome = session_store_end_before(context, user_id);
    return outcome == OK ? database_execute(context, "DELETE FROM factor_challenge WHERE user_id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE)
                         : outcome;
}

static void note(struct context *context, enum audit_action action, struct text user_id, const char *detail)
{
    audit_store_note(context, &(struct audit_note){.action = action,
                                                   .subject_id = user_id,
                                                   .detail = detail != NULL ? text_of(detail) : TEXT_NULL,
                                                   .by_subject = true});
}

static enum outcome tell(struct context *context, struct text user_id)
{
    const struct mail_new mail = {
        .kind = MAIL_factor_changed,
        .user_id = user_id,
        .data = mail_store_data(context, text_of(context->client_address), TEXT_NULL),
    };
    return mail_store_add(context, &mail);
}

/* Locks the account of a challenge, which must count still. */
static enum outcome lock_challenged(struct context *context, struct job *job)
{
    enum outcome outcome = factor_account_lock(context, job->challenge->user_id, &job->account);
    const struct factor_account *account = &job->account;
    if (outcome == PROBLEM ||
        (outcome == OK &&
         (!account->is_active || (account->stamp.data == NULL) != (job->challenge->stamp.data == NULL) ||
          (account->stamp.data != NULL && !text_equal(account->stamp, job->challenge->stamp))))) {
        return problem_set(context, ERROR_CHALLENGE_EXPIRED);
    }
    return outcome;
}

/* A challenge is used once, whoever else has read it. */
static enum outcome use_challenge(struct context *context, const struct factor_challenge *challenge)
{
    return database_change_row(
        context, "DELETE FROM factor_challenge WHERE user_id = ? AND hash = ?",
        PARAMETERS(BIND_TEXT(challenge->user_id), BIND_TEXT(digest_sha256(context->arena, challenge->token))),
        ERROR_CHALLENGE_EXPIRED);
}

/* ---- Enrolment ---- */

static enum outcome enrol_within(struct context *context, void *argument)
{
    struct job *job = argument;
    struct factor_challenge *challenge = job->challenge;
    enum outcome outcome = lock_challenged(context, job);
    if (outcome == OK && challenge->kind == FACTOR_CHOOSE && job->account.state == FACTOR_PRESENT) {
        return problem_set(context, ERROR_CHALLENGE_EXPIRED);
    }
    const struct text plain =
        outcome == OK ? factor_account_open(context, challenge->user_id, challenge->secret) : TEXT_NULL;
    const int64_t step = outcome == OK ? factor_account_step(context, plain, job->code, -1) : -1;
    if (outcome == OK && step < 0) {
        return problem_set(context, ERROR_INVALID_CODE);
    }
    if (outcome == OK) {
        outcome = use_challenge(context, challenge);
    }
    if (outcome == OK) {
        outcome =
            database_execute(context,
                             "UPDATE second_factor SET secret = ?, last_step = ?, enrolled_at = ?, reset_hash = NULL, "
                             "reset_expires_at = NULL WHERE user_id = ?",
                             PARAMETERS(BIND_TEXT(challenge->secret), BIND_INTEGER(step),
                                        BIND_INTEGER(context->now_seconds), BIND_TEXT(challenge->user_id)),
                             NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = factor_account_renew_codes(context, challenge->user_id, job->codes);
    }
    if (outcome == OK) {
        outcome = factor_account_set(context, challenge->user_id, FACTOR_PRESENT,
                                     job->account.required | (job->flag ? FACTOR_BY_CHOICE : 0));
    }
    if (outcome == OK) {
        outcome = end_everything(context, challenge->user_id);
    }
    if (outcome == OK) {
        note(context, AUDIT_factor_enrol, challenge->user_id,
             challenge->kind == FACTOR_REPLACE ? "{\"replaces\":true}" : NULL);
        outcome = tell(context, challenge->user_id);
    }
    return outcome == OK ? session_store_stamp(context, challenge->user_id, &job->text) : outcome;
}

enum outcome factor_store_enrol(struct context *context, struct factor_challenge *challenge, struct text code,
                                bool is_by_choice, struct text codes_r[static FACTOR_CODES])
{
    struct job job = {.challenge = challenge, .code = code, .codes = codes_r, .flag = is_by_choice};
    enum outcome outcome = count_try(context, &job);
    if (outcome == OK && challenge->secret.data == NULL) {
        return problem_set(context, ERROR_INVALID_CODE); /* nobody has seen it yet */
    }
    if (outcome == OK) {
        outcome = revocation_store_transaction(context, challenge->user_id, enrol_within, &job);
    }
    challenge->stamp = outcome == OK ? job.text : challenge->stamp;
    return outcome;
}

/* ---- Sign-in ---- */

static enum outcome verify_within(struct context *context, void *argument)
{
    struct job *job = argument;
    const struct factor_challenge *challenge = job->challenge;
    enum outcome outcome = lock_challenged(context, job);
    if (outcome == OK) {
        outcome = factor_account_use(context, challenge->user_id, &job->account, job->code, job->is_recovery);
    }
    return outcome == OK ? use_challenge(context, challenge) : outcome;
}

enum outcome factor_store_verify(struct context *context, struct factor_challenge *challenge, struct text code,
                                 bool is_recovery)
{
    struct job job = {.challenge = challenge, .code = code, .is_recovery = is_recovery};
    enum outcome outcome = count_try(context, &job);
    if (outcome == OK) {
        database_concerns_nobody();
        outcome = database_transaction(context, verify_within, &job);
    }
    return outcome;
}

static enum outcome recover_within(struct context *context, void *argument)
{
    struct job *job = argument;
    struct factor_challenge *challenge = job->challenge;
    enum outcome outcome = lock_challenged(context, job);
    if (outcome == OK && job->account.state != FACTOR_RESET) {
        return problem_set(context, ERROR_CHALLENGE_EXPIRED);
    }
    if (outcome == OK) {
        outcome = database_change_row(
            context,
            "UPDATE second_factor SET reset_hash = NULL, reset_expires_at = NULL WHERE user_id = ? AND "
            "reset_hash = ? AND reset_expires_at > ?",
            PARAMETERS(BIND_TEXT(challenge->user_id), BIND_TEXT(digest_sha256(context->arena, text_trim(job->text))),
                       BIND_INTEGER(context->now_seconds)),
            ERROR_INVALID_RESET_TOKEN);
    }
    challenge->kind = outcome == OK ? FACTOR_ENROLL : challenge->kind;
    return outcome == OK ? put_challenge(context, challenge) : outcome;
}

enum outcome factor_store_recover(struct context *context, struct factor_challenge *challenge, struct text reset_token)
{
    struct job job = {.challenge = challenge, .text = reset_token};
    const struct factor_challenge before = *challenge;
    enum outcome outcome = count_try(context, &job);
    if (outcome == OK) {
        database_concerns_nobody();
        outcome = database_transaction(context, recover_within, &job);
    }
    if (outcome != OK) {
        *challenge = before;
    }
    return outcome;
}

/* ---- Changes by the person ---- */

static enum outcome manage(struct context *context, const struct factor_change *change, enum factor_kind kind,
                           struct job *job)
{
    *job->challenge = (struct factor_challenge){
        .user_id = change->user_id,
        .kind = kind,
        .auth_method = change->auth_method.data != NULL ? change->auth_method : TEXT("password"),
        .auth_time = change->auth_time,
        .stamp = job->account.stamp,
    };
    return put_challenge(context, job->challenge);
}

/* Locks the account, and uses up the code. */
static enum outcome lock_and_use(struct context *context, struct job *job)
{
    const struct factor_change *change = job->change;
    enum outcome outcome = factor_account_lock(context, change->user_id, &job->account);
    return outcome == OK
               ? factor_account_use(context, change->user_id, &job->account, change->code, change->is_recovery)
               : outcome;
}

static enum outcome replace_within(struct context *context, void *argument)
{
    struct job *job = argument;
    enum outcome outcome = lock_and_use(context, job);
    return outcome == OK ? manage(context, job->change, FACTOR_REPLACE, job) : outcome;
}

enum outcome factor_store_replace(struct context *context, const struct factor_change *change,
                                  struct factor_challenge *challenge_r)
{
    struct job counted = {.change = change}, job = {.change = change, .challenge = challenge_r};
    enum outcome outcome = count_try(context, &counted);
    if (outcome == OK) {
        database_concerns_nobody();
        outcome = database_transaction(context, replace_within, &job);
    }
    return outcome;
}

static enum outcome choose_within(struct context *context, void *argument)
{
    struct job *job = argument;
    enum outcome outcome = factor_account_lock(context, job->change->user_id, &job->account);
    if (outcome == OK && job->account.state != FACTOR_NONE) {
        return problem_set(context, ERROR_FACTOR_EXISTS);
    }
    return outcome == OK ? manage(context, job->change, FACTOR_CHOOSE, job) : outcome;
}

enum outcome factor_store_choose(struct context *context, const struct factor_change *change,
                                 struct factor_challenge *challenge_r)
{
    struct job job = {.change = change, .challenge = challenge_r};
    database_concerns(change->user_id);
    return database_transaction(context, choose_within, &job);
}

static enum outcome renew_within(struct context *context, void *argument)
{
    struct job *job = argument;
    const struct text user_id = job->change->user_id;
    enum outcome outcome = lock_and_use(context, job);
    if (outcome == OK) {
        outcome = factor_account_renew_codes(context, user_id, job->codes);
    }
    if (outcome == OK) {
        outcome = end_everything(context, user_id);
    }
    if (outcome == OK) {
        note(context, AUDIT_factor_codes, user_id, NULL);
    }
    return outcome == OK ? tell(context, user_id) : outcome;
}

enum outcome factor_store_renew_codes(struct context *context, const struct factor_change *change,
                                      struct text codes_r[static FACTOR_CODES])
{
    struct job job = {.change = change, .codes = codes_r};
    enum outcome outcome = count_try(context, &job);
    return outcome == OK ? revocation_store_transaction(context, change->user_id, renew_within, &job) : outcome;
}

/* Nothing of the factor is left. */
static enum outcome clear(struct context *context, struct text user_id, enum factor_state state, int required)
{
    enum outcome outcome = database_execute(context,
                                            "UPDATE second_factor SET secret = NULL, last_step = -1, enrolled_at = "
                                            "NULL, reset_hash = NULL, reset_expires_at = NULL WHERE user_id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context, "DELETE FROM recovery_code WHERE user_id = ?",
                                   PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = factor_account_set(context, user_id, state, required);
    }
    return outcome == OK ? end_everything(context, user_id) : outcome;
}

static enum outcome remove_within(struct context *context, void *argument)
{
    struct job *job = argument;
    const struct text user_id = job->change->user_id;
    enum outcome outcome = lock_and_use(context, job);
    if (outcome == OK) {
        outcome = clear(context, user_id, FACTOR_NONE, job->account.required & ~FACTOR_BY_CHOICE);
    }
    if (outcome == OK) {
        note(context, AUDIT_factor_remove, user_id, NULL);
    }
    return outcome == OK ? tell(context, user_id) : outcome;
}

enum outcome factor_store_remove(struct context *context, const struct factor_change *change)
{
    struct job job = {.change = change};
    enum outcome outcome = count_try(context, &job);
    return outcome == OK ? revocation_store_transaction(context, change->user_id, remove_within, &job) : outcome;
}

/* ---- For administrators ---- */

enum outcome factor_store_brief(struct context *context, struct text user_id, bool *present_r, int64_t *codes_r)
{
    const struct value *row;
    struct factor_standing standing;
    enum outcome outcome = database_get_row(context,
                                            "SELECT COALESCE(a.factor_state, 0), (SELECT COUNT(*) FROM recovery_code r "
                                            "WHERE r.user_id = u.id), a.mfa IS NOT "
                                            "NULL FROM user u LEFT JOIN auth a ON a.id = u.id WHERE u.id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_USER_NOT_FOUND);
    if (outcome == OK && row[2].integer != 0) { /* now it is taken over */
        outcome = factor_store_standing(context, user_id, &standing);
        return outcome == OK ? factor_store_brief(context, user_id, present_r, codes_r) : outcome;
    }
    *present_r = outcome == OK && row[0].integer == FACTOR_PRESENT;
    *codes_r = outcome == OK ? row[1].integer : 0;
    return outcome;
}

enum outcome factor_store_facts(struct context *context, struct text user_id, struct factor_facts *facts_r)
{
    const struct value *row = NULL;
    *facts_r = (struct factor_facts){.enrolled_at = -1, .last_used_at = -1};
    bool is_present;
    enum outcome outcome = factor_store_standing(context, user_id, &facts_r->standing);
    if (outcome == OK) {
        outcome = factor_store_brief(context, user_id, &is_present, &facts_r->codes);
    }
    if (outcome == OK) {
        outcome =
            database_get_row(context, "SELECT secret, enrolled_at, last_step FROM second_factor WHERE user_id = ?",
                             PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_NONE);
    }
    if (outcome == OK && row != NULL) {
        facts_r->has_secret = !row[0].is_null;
        facts_r->key_id = secret_box_id_of(row[0].text);
        facts_r->enrolled_at = value_integer(&row[1], -1);
        facts_r->last_used_at = row[2].integer >= 0 ? row[2].integer * TOTP_STEP_SECONDS : -1;
    }
    return outcome;
}

static enum outcome reset_within(struct context *context, void *argument)
{
    struct job *job = argument;
    unsigned char bytes[TOKEN_BYTES];
    char token[BASE64_BYTES_MAX(TOKEN_BYTES * 2)];
    random_bytes(bytes, sizeof bytes);
    const size_t length = base64_encode(BASE64_URL, bytes, sizeof bytes, token);
    const struct text user_id = job->change->user_id;
    enum outcome outcome = factor_account_lock(context, user_id, &job->account);
    job->text = text_copy(context->arena, (struct text){token, length});
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(token, sizeof token);
    if (outcome == OK) {
        outcome = clear(context, user_id, FACTOR_RESET, job->account.required);
    }
    if (outcome == OK) {
        outcome =
            database_execute(context,
                             "UPDATE second_factor SET reset_hash = ?, reset_expires_at = ?, tries = 0 WHERE "
                             "user_id = ?",
                             PARAMETERS(BIND_TEXT(digest_sha256(context->arena, job->text)),
                                        BIND_INTEGER(context->now_seconds + FACTOR_RESET_SECONDS), BIND_TEXT(user_id)),
                             NULL, ERROR_NONE);
    }
    if (outcome == OK) { /* what an import brought counts no more, either */
        outcome = database_execute(context, "UPDATE auth SET mfa = NULL WHERE id = ?", PARAMETERS(BIND_TEXT(user_id)),
                                   NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        note(context, AUDIT_factor_reset, user_id, NULL);
    }
    return outcome == OK ? tell(context, user_id) : outcome;
}

enum outcome factor_store_reset(struct context *context, struct text user_id, struct text *token_r)
{
    const struct factor_change change = {.user_id = user_id};
    struct job job = {.change = &change};
    enum outcome outcome = revocation_store_transaction(context, user_id, reset_within, &job);
    *token_r = outcome == OK ? job.text : TEXT_NULL;
    return outcome;
}

static enum outcome require_within(struct context *context, void *argument)
{
    struct job *job = argument;
    const struct text user_id = job->change->user_id;
    enum outcome outcome = factor_account_lock(context, user_id, &job->account);
    const int required = job->flag ? job->account.required | FACTOR_BY_OPERATOR : 0;
    job->is_changed = outcome == OK && required != job->account.required;
    if (outcome != OK || !job->is_changed) {
        return outcome;
    }
    outcome = factor_account_set(context, user_id, job->account.state, required);
    if (outcome == OK) {
        outcome = end_everything(context, user_id);
    }
    if (outcome == OK) {
        note(context, AUDIT_factor_require, user_id, job->flag ? "{\"required\":true}" : "{\"required\":false}");
    }
    return outcome;
}

enum outcome factor_store_require(struct context *context, struct text user_id, bool is_required, bool *changed_r)
{
    const struct factor_change change = {.user_id = user_id};
    struct job job = {.change = &change, .flag = is_required};
    enum outcome outcome = revocation_store_transaction(context, user_id, require_within, &job);
    *changed_r = job.is_changed;
    return outcome;
}

/* ---- Keys ---- */

enum outcome factor_store_by_key(struct context *context, struct result *counts_r)
{
    return database_execute(context,
                            "SELECT SUBSTRING_INDEX(secret, '.', 1) AS id, COUNT(*) FROM second_factor WHERE secret IS "
                            "NOT NULL GROUP BY id",
                            NO_PARAMETERS, counts_r, ERROR_NONE);
}

/* One that was changed meanwhile is sealed by the first key. */
static enum outcome reseal(struct context *context, struct text user_id, struct text sealed, size_t *left)
{
    const struct text plain = factor_account_open(context, user_id, sealed);
    if (plain.data == NULL) {
        (*left)++;
        return OK;
    }
    database_concerns_nobody();
    return database_execute(
        context, "UPDATE second_factor SET secret = ? WHERE user_id = ? AND secret = ?",
        PARAMETERS(BIND_TEXT(secret_box_seal(context->arena, context->config->secret_keys.items[0], user_id, plain)),
                   BIND_TEXT(user_id), BIND_TEXT(sealed)),
        NULL, ERROR_NONE);
}

enum outcome factor_store_reseal(struct context *context, size_t *left_r)
{
    enum { PAGE_ROWS = 500 };
    const struct text first = secret_box_key_id(context->arena, context->config->secret_keys.items[0]);
    struct text after = TEXT("");
    struct result rows;
    enum outcome outcome;
    *left_r = 0;
    do {
        outcome = database_execute(context,
                                   "SELECT user_id, secret FROM second_factor WHERE user_id > ? AND secret IS NOT NULL "
                                   "AND SUBSTRING_INDEX(secret, '.', 1) <> ? ORDER BY user_id LIMIT ?",
                                   PARAMETERS(BIND_TEXT(after), BIND_TEXT(first), BIND_INTEGER(PAGE_ROWS)), &rows,
                                   ERROR_NONE);
        for (size_t i = 0; outcome == OK && i < rows.row_count; i++) {
            const struct value *row = result_row(&rows, i);
            outcome = reseal(context, row[0].text, row[1].text, left_r);
            after = row[0].text;
        }
    } while (outcome == OK && rows.row_count == PAGE_ROWS);
    return outcome;
}

enum outcome factor_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(context, "DELETE FROM factor_challenge WHERE expires_at <= ? LIMIT 500",
                            PARAMETERS(BIND_INTEGER(context->now_seconds)), NULL, ERROR_NONE);
}
