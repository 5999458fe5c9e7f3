/* factor_account.c: see factor_account.h. */
#include "store/factor_account.h"

#include "base/base64.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/random.h"
#include "base/secret_box.h"
#include "base/totp.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/user_store.h"

enum { CODE_BYTES = 16, HASH_LENGTH = 64 };

/* ---- what an import brought ---- */

/* What Open WebUI derives its key with. */
#define FERNET_INFO "open-webui/mfa-encryption/v1"

/* The secret in plain. The null text: none of our keys is the one of the other service. */
static struct text open_imported(struct context *context, struct text token)
{
    const struct secret_keys *keys = &context->config->secret_keys;
    struct text plain = TEXT_NULL;
    for (size_t i = 0; i < keys->count && plain.data == NULL && token.data != NULL; i++) {
        plain = secret_box_open_fernet(context->arena, keys->items[i], FERNET_INFO, token);
    }
    return plain.data != NULL && totp_decode(context->arena, plain).data != NULL ? plain : TEXT_NULL;
}

bool factor_account_reads(struct context *context, struct text mfa)
{
    json_object *object;
    if (json_text_parse(context->arena, mfa, &object) == JSON_BROKEN ||
        !json_object_is_type(object, json_type_object)) {
        return false;
    }
    const struct text token = json_text(json_object_object_get(object, "secret"));
    return token.data == NULL || open_imported(context, token).data != NULL;
}

static enum outcome adopt_codes(struct context *context, struct text user_id, json_object *hashes)
{
    unsigned char bytes[HASH_LENGTH / 2];
    enum outcome outcome = OK;
    const size_t count = json_object_is_type(hashes, json_type_array) ? json_object_array_length(hashes) : 0;
    for (size_t i = 0; outcome == OK && i < count && i < FACTOR_CODES; i++) {
        const struct text hash = json_text(json_object_array_get_idx(hashes, i));
        if (hex_decode(hash, bytes, sizeof bytes)) {
            outcome = database_execute(context, "INSERT IGNORE INTO recovery_code (user_id, hash) VALUES (?, ?)",
                                       PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(hash)), NULL, ERROR_NONE);
        }
    }
    return outcome;
}

/* `mfa`: {"secret": Fernet, "last_step": …, "recovery_hashes": […], "reset_required": …} */
static enum outcome adopt_state(struct context *context, struct text user_id, json_object *mfa)
{
    json_object *value;
    const struct text token = json_text(json_object_object_get(mfa, "secret"));
    const struct text plain = open_imported(context, token);
    const bool was_reset = json_object_get_boolean(json_object_object_get(mfa, "reset_required"));
    const int64_t last_step = json_object_object_get_ex(mfa, "last_step", &value) ? json_object_get_int64(value) : -1;
    if (token.data == NULL && !was_reset) {
        return OK; /* only challenges and counters of tries */
    }
    if (plain.data == NULL && !was_reset) {
        log_warning(context,
                    "the second factor of account %.*s was brought by an import, and none of the secret keys opens it: "
                    "the codes for an emergency count, or `rosterctl user mfa reset'",
                    (int)user_id.length, user_id.data);
    }
    const struct text sealed =
        plain.data != NULL && !was_reset
            ? secret_box_seal(context->arena, context->config->secret_keys.items[0], user_id, plain)
            : TEXT_NULL;
    enum outcome outcome =
        database_execute(context, "INSERT IGNORE INTO second_factor (user_id, secret, last_step) VALUES (?, ?, ?)",
                         PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(sealed), BIND_INTEGER(last_step)), NULL, ERROR_NONE);
    if (outcome == OK && !was_reset) {
        outcome = adopt_codes(context, user_id, json_object_object_get(mfa, "recovery_hashes"));
    }
    return outcome == OK ? database_execute(
                               context, "UPDATE auth SET factor_state = ? WHERE id = ?",
                               PARAMETERS(BIND_INTEGER(was_reset ? FACTOR_RESET : FACTOR_PRESENT), BIND_TEXT(user_id)),
                               NULL, ERROR_NONE)
                         : outcome;
}

static enum outcome adopt_within(struct context *context, void *argument)
{
    const struct text *user_id = argument;
    const struct value *row;
    json_object *mfa;
    enum outcome outcome =
        database_get_row(context, "SELECT mfa, factor_state FROM auth WHERE id = ? AND mfa IS NOT NULL FOR UPDATE",
                         PARAMETERS(BIND_TEXT(*user_id)), &row, ERROR_NONE);
    if (outcome != OK || row == NULL) {
        return outcome;
    }
    const bool is_new = row[1].integer == FACTOR_NONE; /* else there is a newer one */
    const bool is_read =
        json_text_parse(context->arena, row[0].text, &mfa) == JSON_WHOLE && json_object_is_type(mfa, json_type_object);
    if (is_new && is_read) {
        outcome = adopt_state(context, *user_id, mfa);
    } else if (is_new) { /* who knows what it was: an administrator has to say so */
        outcome = database_execute(context, "UPDATE auth SET factor_state = ? WHERE id = ?",
                                   PARAMETERS(BIND_INTEGER(FACTOR_RESET), BIND_TEXT(*user_id)), NULL, ERROR_NONE);
    }
    return outcome == OK ? database_execute(context, "UPDATE auth SET mfa = NULL WHERE id = ?",
                                            PARAMETERS(BIND_TEXT(*user_id)), NULL, ERROR_NONE)
                         : outcome;
}

enum outcome factor_account_adopt(struct context *context, struct text user_id)
{
    database_concerns(user_id);
    return database_transaction(context, adopt_within, &user_id);
}

/* ---- an account ---- */

enum outcome factor_account_lock(struct context *context, struct text user_id, struct factor_account *account_r)
{
    struct locked_user user;
    const struct value *row = NULL;
    enum outcome outcome = user_store_lock(context, user_id, &user);
    if (outcome == OK) { /* who never had a password has no row */
        outcome =
            database_execute(context, "INSERT IGNORE INTO auth (id, email, password, active) VALUES (?, ?, '', 1)",
                             PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(user.email)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = database_execute(context, "INSERT IGNORE INTO second_factor (user_id) VALUES (?)",
                                   PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = database_get_row(context,
                                   "SELECT a.active, a.factor_state, a.factor_required, a.session_stamp, f.secret, "
                                   "f.last_step FROM auth a JOIN second_factor f ON f.user_id = a.id WHERE a.id = ? "
                                   "FOR UPDATE",
                                   PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_USER_NOT_FOUND);
    }
    if (outcome == OK) {
        *account_r = (struct factor_account){
            .email = user.email,
            .is_active = row[0].integer != 0,
            .state = (enum factor_state)row[1].integer,
            .required = (int)row[2].integer,
            .stamp = row[3].text,
            .secret = row[4].text,
            .last_step = row[5].integer,
        };
    }
    return outcome;
}

enum outcome factor_account_set(struct context *context, struct text user_id, enum factor_state state, int required)
{
    return database_execute(context, "UPDATE auth SET factor_state = ?, factor_required = ? WHERE id = ?",
                            PARAMETERS(BIND_INTEGER(state), BIND_INTEGER(required), BIND_TEXT(user_id)), NULL,
                            ERROR_NONE);
}

/* ---- tries ---- */

enum outcome factor_account_count_try(struct context *context, struct text user_id)
{
    const struct parameter now = BIND_INTEGER(context->now_seconds);
    const int64_t until = context->now_seconds + FACTOR_TRIES_SECONDS;
    const struct value *row;
    /* the assignments are made from left to right */
    enum outcome outcome = database_execute(
        context,
        "INSERT INTO second_factor (user_id, tries, tries_until) VALUES (?, 1, ?) ON DUPLICATE KEY UPDATE "
        "tries = IF(tries_until <= ?, 1, tries + 1), tries_until = IF(tries_until <= ?, ?, tries_until)",
        PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(until), now, now, BIND_INTEGER(until)), NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_get_row(context, "SELECT tries, tries_until FROM second_factor WHERE user_id = ?",
                                   PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_USER_NOT_FOUND);
    }
    if (outcome == OK && row[0].integer > FACTOR_TRIES) {
        const int64_t left = row[1].integer - context->now_seconds;
        problem_set(context, ERROR_RATE_LIMIT_EXCEEDED);
        context->problem.retry_after_seconds = (int)(left > 1 ? left : 1);
        return PROBLEM;
    }
    return outcome;
}

/* ---- codes ---- */

struct text factor_account_open(struct context *context, struct text user_id, struct text sealed)
{
    const struct secret_keys *keys = &context->config->secret_keys;
    const struct text plain = secret_box_open(context->arena, keys->items, keys->count, user_id, sealed);
    if (plain.data == NULL && sealed.data != NULL) {
        log_error(
            context,
            "the second factor of account %.*s can't be read: the secret key that sealed it is not in the file of "
            "the keys",
            (int)user_id.length, user_id.data);
    }
    return plain;
}

int64_t factor_account_step(struct context *context, struct text base32, struct text code, int64_t last_step)
{
    const struct text secret = totp_decode(context->arena, base32);
    return secret.data != NULL ? totp_match((const unsigned char *)secret.data, secret.length, text_trim(code),
                                            context->now_seconds, last_step)
                               : -1;
}

/* Compared by its hash, of which an attacker does not know how much is right. */
static enum outcome use_recovery(struct context *context, struct text user_id, struct text code)
{
    const struct text plain = text_to_lower(context->arena, text_trim(code));
    enum outcome outcome = database_change_row(
        context, "DELETE FROM recovery_code WHERE user_id = ? AND hash = ?",
        PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(digest_sha256(context->arena, plain))), ERROR_INVALID_CODE);
    if (outcome == OK) {
        audit_store_note(context,
                         &(struct audit_note){AUDIT_factor_recovery, .subject_id = user_id, .by_subject = true});
    }
    return outcome;
}

enum outcome factor_account_use(struct context *context, struct text user_id, const struct factor_account *account,
                                struct text code, bool is_recovery)
{
    if (account->state != FACTOR_PRESENT) {
        return problem_set(context, ERROR_INVALID_CODE);
    }
    if (is_recovery) {
        return use_recovery(context, user_id, code);
    }
    const struct text plain = factor_account_open(context, user_id, account->secret);
    const int64_t step = factor_account_step(context, plain, code, account->last_step);
    if (step < 0) {
        return problem_set(context, ERROR_INVALID_CODE);
    }
    /* the row is locked; the condition says that no step counts twice, whatever this process has read */
    return database_change_row(context, "UPDATE second_factor SET last_step = ? WHERE user_id = ? AND last_step < ?",
                               PARAMETERS(BIND_INTEGER(step), BIND_TEXT(user_id), BIND_INTEGER(step)),
                               ERROR_INVALID_CODE);
}

enum outcome factor_account_renew_codes(struct context *context, struct text user_id,
                                        struct text codes_r[static FACTOR_CODES])
{
    enum outcome outcome = database_execute(context, "DELETE FROM recovery_code WHERE user_id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < FACTOR_CODES; i++) {
        unsigned char bytes[CODE_BYTES];
        random_bytes(bytes, sizeof bytes);
        codes_r[i] = hex_encode(context->arena, bytes, sizeof bytes);
        outcome = database_execute(context, "INSERT INTO recovery_code (user_id, hash) VALUES (?, ?)",
                                   PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(digest_sha256(context->arena, codes_r[i]))),
                                   NULL, ERROR_NONE);
    }
    return outcome;
}
