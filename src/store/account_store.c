/* account_store.c: see account_store.h. All transactions that end the sessions of an account lock the user's row first,
 * so that a concurrent sign-in is completely before or after them. */
#include "store/account_store.h"

#include "base/email.h"
#include "base/json_writer.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/config_store.h"
#include "store/link_store.h"
#include "store/mail_store.h"
#include "store/password_store.h"
#include "store/picture_store.h"
#include "store/revocation_store.h"
#include "store/user_store.h"

enum outcome account_store_take_email(struct context *context, struct text sent, struct text user_id,
                                      struct text present, struct text *email_r)
{
    *email_r = email_fold(context->arena, sent);
    if (present.data != NULL && email_equal(context->arena, *email_r, present)) {
        return OK;
    }
    if (!email_is_valid(*email_r)) {
        return problem_set(context, ERROR_INVALID_EMAIL_FORMAT);
    }
    bool taken;
    enum outcome outcome = user_store_email_taken(context, *email_r, user_id, &taken);
    return outcome == OK && taken ? problem_set(context, ERROR_EMAIL_TAKEN) : outcome;
}

enum outcome account_store_check_emails(struct context *context, const struct text *sent, size_t count,
                                        enum error_code **refusals_r)
{
    struct text *emails = arena_alloc(context->arena, (count + 1) * sizeof *emails);
    bool *taken = arena_zero(context->arena, count + 1, sizeof *taken);
    enum error_code *refusals = arena_zero(context->arena, count + 1, sizeof *refusals);
    for (size_t i = 0; i < count; i++) {
        emails[i] = email_fold(context->arena, sent[i]);
        if (!email_is_valid(emails[i])) {
            refusals[i] = ERROR_INVALID_EMAIL_FORMAT;
            emails[i] = TEXT(""); /* which nobody has */
        }
    }
    enum outcome outcome = user_store_emails_taken(context, emails, count, taken);
    for (size_t i = 0; i < count; i++) {
        refusals[i] = taken[i] ? ERROR_EMAIL_TAKEN : refusals[i];
    }
    *refusals_r = refusals;
    return outcome;
}

/* ---- new accounts ---- */

static void close_sign_up(struct context *context, json_object *document, void *argument)
{
    (void)context;
    (void)argument;
    config_store_put(document, setting_rows[SETTING_ENABLE_SIGNUP].path, json_object_new_boolean(false));
}

/* The row of the first migration, which is always there. */
enum outcome account_store_lock_first(struct context *context)
{
    int64_t number;
    return database_get_integer(context, "SELECT number FROM schema_migration ORDER BY number LIMIT 1 FOR UPDATE",
                                NO_PARAMETERS, 0, &number);
}

/* All additions take a lock. Under it, it is decided whether the account is the first one, and which role it gets. */
static enum outcome decide_first(struct context *context, struct account_new *account)
{
    int64_t oldest;
    enum outcome outcome = account_store_lock_first(context);
    if (outcome == OK) {
        outcome = database_get_integer(context, "SELECT MIN(created_at) FROM user", NO_PARAMETERS, INT64_MIN, &oldest);
    }
    if (outcome != OK) {
        return outcome;
    }
    /* The primary administrator is the account with the lowest created_at, in seconds. So an account that is created in
     * the same second gets a created_at one second later. */
    account->became_first = oldest == INT64_MIN;
    account->created_at = context->now_seconds > oldest ? context->now_seconds : oldest + 1;
    if (account->is_sign_up) {
        json_object *document;
        outcome = config_store_read(context, &document);
        if (outcome == OK && !account->became_first && !config_store_is_on(context, document, SETTING_ENABLE_SIGNUP)) {
            return problem_set_detail(context, ERROR_ACCESS_PROHIBITED, 403,
                                      "Sign-up is switched off; ask an administrator for an account.");
        }
        if (outcome == OK) {
            account->role = config_store_text(context, document, SETTING_DEFAULT_USER_ROLE);
            account->group_id = config_store_text(context, document, SETTING_DEFAULT_GROUP_ID);
        }
    }
    if (outcome == OK && account->became_first) {
        account->role = TEXT("admin");
        outcome = config_store_change_within(context, close_sign_up, NULL);
    }
    return outcome;
}

static enum outcome join_group(struct context *context, const struct account_new *account, struct text group_id)
{
    struct result result;
    /* FOR UPDATE waits for a concurrent deletion of the group, and then finds no row */
    enum outcome outcome = database_execute(context,
                                            "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) "
                                            "SELECT ?, g.id, ?, ?, ? FROM `group` g WHERE g.id = ? FOR UPDATE "
                                            "ON DUPLICATE KEY UPDATE group_member.id = group_member.id",
                                            PARAMETERS(BIND_TEXT(random_uuid(context->arena)), BIND_TEXT(account->id),
                                                       BIND_INTEGER(context->now_seconds),
                                                       BIND_INTEGER(context->now_seconds), BIND_TEXT(group_id)),
                                            &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows > 0) {
        audit_store_note(context, &(struct audit_note){AUDIT_member_add, .subject_id = account->id, .object = group_id,
                                                       .by_subject = account->is_sign_up});
        outcome =
            database_execute(context, "UPDATE `group` SET updated_at = ? WHERE id = ?",
                             PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(group_id)), NULL, ERROR_NONE);
    }
    return outcome;
}

static enum outcome join_groups(struct context *context, const struct account_new *account)
{
    enum outcome outcome = OK;
    if (account->group_id.length > 0) {
        outcome = join_group(context, account, account->group_id);
    }
    for (size_t i = 0; outcome == OK && i < account->group_count; i++) {
        outcome = join_group(context, account, account->group_ids[i]);
    }
    return outcome;
}

/* *found_r: there is a row of `auth`. */
static enum outcome set_active(struct context *context, struct text user_id, bool active, bool *found_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "UPDATE auth SET active = ? WHERE id = ?",
                                            PARAMETERS(BIND_INTEGER(active), BIND_TEXT(user_id)), &result, ERROR_NONE);
    *found_r = outcome == OK && result.affected_rows > 0;
    return outcome;
}

static enum outcome disable_row(struct context *context, struct text user_id, struct text email)
{
    bool found;
    enum outcome outcome = set_active(context, user_id, false, &found);
    if (outcome == OK && !found) { /* without a password */
        outcome = database_execute(context, "INSERT INTO auth (id, email, password, active) VALUES (?, ?, '', 0)",
                                   PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(email)), NULL, ERROR_EMAIL_TAKEN);
    }
    return outcome;
}

/* Whom a proxy in front has let in has no address to verify. */
static enum outcome ask_to_verify(struct context *context, struct text user_id)
{
    return context->config->verify_email && context->config->trusted_email_header[0] == '\0'
               ? mail_store_add(context, &(struct mail_new){.kind = MAIL_verify, .user_id = user_id})
               : OK;
}

/* {"email": …, "name": …} */
static struct text personal_of(struct context *context, struct text email, struct text name)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    json_member_text(&json, "email", email);
    json_member_text(&json, "name", name);
    json_end_object(&json);
    return json_finish(&json);
}

static void note_addition(struct context *context, const struct account_new *account)
{
    audit_store_note(context, &(struct audit_note){
                                  AUDIT_user_add,
                                  .subject_id = account->id,
                                  .detail = audit_store_member(context->arena, "role", account->role),
                                  .personal = personal_of(context, account->email, account->name),
                                  .by_subject = account->is_sign_up,
                              });
}

static enum outcome add_within(struct context *context, void *argument)
{
    struct account_new *account = argument;
    enum outcome outcome = decide_first(context, account);
    if (outcome == OK) {
        outcome = picture_store_hold(context, TEXT_NULL, account->picture, account->new_picture);
    }
    if (outcome == OK) {
        outcome = database_execute(
            context,
            "INSERT INTO user (id, email, role, name, profile_image_url, timezone, last_active_at, updated_at, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            PARAMETERS(BIND_TEXT(account->id), BIND_TEXT(account->email), BIND_TEXT(account->role),
                       BIND_TEXT(account->name), BIND_TEXT(account->picture), BIND_TEXT(account->timezone),
                       BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds),
                       BIND_INTEGER(account->created_at)),
            NULL, ERROR_EMAIL_TAKEN);
    }
    if (outcome == OK && account->password_hash.data != NULL) {
        outcome =
            password_store_add(context, account->id, account->email, account->password_hash, account->must_change);
    }
    if (outcome == OK && account->is_disabled) {
        outcome = disable_row(context, account->id, account->email);
    }
    if (outcome == OK && account->is_invited) {
        outcome = mail_store_add(context, &(struct mail_new){.kind = MAIL_invite, .user_id = account->id});
    }
    if (outcome == OK && account->is_sign_up) {
        outcome = ask_to_verify(context, account->id);
    }
    if (outcome == OK) {
        note_addition(context, account);
        outcome = join_groups(context, account);
    }
    return outcome;
}

static void prepare(struct context *context, struct account_new *account)
{
    account->id = random_uuid(context->arena);
    if (account->picture.data == NULL) {
        account->picture = TEXT("/user.png");
    }
}

enum outcome account_store_add(struct context *context, struct account_new *account)
{
    prepare(context, account);
    database_concerns(account->id);
    return database_transaction_joined(context, add_within, account);
}

struct additions {
    struct account_new *accounts;
    size_t count, failed;
};

static enum outcome add_all_within(struct context *context, void *argument)
{
    struct additions *additions = argument;
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < additions->count; i++) {
        additions->failed = i;
        outcome = add_within(context, &additions->accounts[i]);
    }
    return outcome;
}

enum outcome account_store_add_all(struct context *context, struct account_new *accounts, size_t count,
                                   size_t *failed_r)
{
    struct additions additions = {accounts, count, 0};
    for (size_t i = 0; i < count; i++) {
        prepare(context, &accounts[i]);
    }
    enum outcome outcome = database_transaction(context, add_all_within, &additions);
    *failed_r = additions.failed;
    return outcome;
}

/* ---- changes ---- */

struct account_writing {
    struct account_change *change;
    struct result row;             /* before the change */
    struct text role, name, email; /* from now on */
};

static struct text or_as_it_is(struct text new, const struct value *old)
{
    return new.data != NULL ? new : old->text;
}

/* One-time links were sent to the former address, or are for the former password. The owner gets a notice of both. */
static enum outcome tell(struct context *context, const struct account_writing *writing, struct text former_email)
{
    const struct account_change *change = writing->change;
    const bool has_moved = !text_equal(former_email, writing->email), has_password = change->password_hash.data != NULL;
    enum outcome outcome = has_moved || has_password ? link_store_end_all(context, change->user_id) : OK;
    if (outcome == OK && has_moved) {
        const struct mail_new mail = {.kind = MAIL_email_changed, .user_id = change->user_id, .address = former_email};
        outcome = mail_store_add(context, &mail);
    }
    if (outcome == OK && has_moved) {
        outcome =
            database_execute(context, "UPDATE user SET " USER_NAMES_KEPT ", email_verified_at = NULL WHERE id = ?",
                             PARAMETERS(BIND_TEXT(change->user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK && has_moved) {
        outcome = ask_to_verify(context, change->user_id);
    }
    return outcome == OK && has_password ? password_store_tell(context, change->user_id) : outcome;
}

static void note_role(struct context *context, struct text user_id, struct text from, struct text to)
{
    audit_store_note(context, &(struct audit_note){AUDIT_role_change, .subject_id = user_id,
                                                   .detail = audit_store_from_to(context->arena, "role", from, to)});
}

static void note_change(struct context *context, const struct account_writing *writing)
{
    const struct account_change *change = writing->change;
    const struct value *row = writing->row.values; /* before the change */
    if (!text_equal(row[USER_role].text, writing->role)) {
        note_role(context, change->user_id, row[USER_role].text, writing->role);
    }
    if (!text_equal(row[USER_email].text, writing->email)) {
        const struct text personal = audit_store_from_to(context->arena, "email", row[USER_email].text, writing->email);
        audit_store_note(context,
                         &(struct audit_note){AUDIT_email_change, .subject_id = change->user_id, .personal = personal});
    }
    if (change->password_hash.data != NULL) {
        audit_store_note(context, &(struct audit_note){AUDIT_password_change, .subject_id = change->user_id});
    }
    const bool is_renamed = !text_equal(row[USER_name].text, writing->name);
    if (is_renamed || change->picture.data != NULL) {
        audit_store_note(context, &(struct audit_note){
                                      AUDIT_user_change,
                                      .subject_id = change->user_id,
                                      .detail = change->picture.data != NULL ? TEXT("{\"picture\":true}") : TEXT_NULL,
                                      .personal = is_renamed ? audit_store_from_to(context->arena, "name",
                                                                                   row[USER_name].text, writing->name)
                                                             : TEXT_NULL,
                                  });
    }
}

static enum outcome change_within(struct context *context, void *argument)
{
    struct account_writing *writing = argument;
    struct account_change *change = writing->change;
    enum outcome outcome = user_store_lock_row(context, change->user_id, &writing->row);
    if (outcome != OK) {
        return outcome;
    }
    if (change->has_precondition && writing->row.values[USER_updated_at].integer != change->if_updated_at) {
        return problem_set_detail(context, ERROR_PRECONDITION_FAILED, 0,
                                  "Somebody has changed this account meanwhile: read it again.");
    }
    const struct value *row = writing->row.values;
    const struct text role = row[USER_role].text, email = row[USER_email].text;
    writing->role = or_as_it_is(change->role, &row[USER_role]);
    writing->name = or_as_it_is(change->name, &row[USER_name]);
    writing->email = or_as_it_is(change->email, &row[USER_email]);
    const struct text picture = writing->row.values[USER_profile_image_url].text;
    outcome = picture_store_hold(context, picture, change->picture, change->new_picture);
    if (outcome == OK) {
        outcome = database_execute(context,
                                   "UPDATE user SET role = ?, name = ?, email = ?, profile_image_url = COALESCE(?, "
                                   "profile_image_url), updated_at = GREATEST(?, updated_at + 1) WHERE id = ?",
                                   PARAMETERS(BIND_TEXT(writing->role), BIND_TEXT(writing->name),
                                              BIND_TEXT(writing->email), BIND_TEXT(change->picture),
                                              BIND_INTEGER(context->now_seconds), BIND_TEXT(change->user_id)),
                                   NULL, ERROR_EMAIL_TAKEN);
    }
    if (outcome == OK && !text_equal(email, writing->email)) {
        outcome = database_execute(context, ADDRESS_UPDATE " WHERE id = ?",
                                   PARAMETERS(BIND_TEXT(writing->email), BIND_TEXT(change->user_id)), NULL,
                                   ERROR_EMAIL_TAKEN);
    }
    if (outcome == OK && change->password_hash.data != NULL) {
        outcome = password_store_put(context, change->user_id, writing->email, change->password_hash, false);
    }
    if (outcome == OK) {
        note_change(context, writing);
        outcome = tell(context, writing, email);
    }
    change->replaced_picture = outcome == OK && change->picture.data != NULL ? picture : TEXT_NULL;
    change->ends_sessions = outcome == OK && (!text_equal(role, writing->role) || change->password_hash.data != NULL);
    if (change->ends_sessions) {
        /* a user who changes the own password stays signed in; a change of role ends all sessions */
        bool is_other_role = !text_equal(role, writing->role);
        outcome = session_store_end_all(context, change->user_id, is_other_role ? KEPT_NONE : change->kept);
    }
    return outcome;
}

/* Does to a row what change_within has written. */
static void change_row(const struct context *context, struct account_writing *writing)
{
    const struct account_change *change = writing->change;
    struct value *row = writing->row.values;
    row[USER_role] = (struct value){.text = writing->role};
    row[USER_name] = (struct value){.text = writing->name};
    row[USER_email] = (struct value){.text = writing->email};
    if (change->picture.data != NULL) {
        row[USER_profile_image_url] = (struct value){.text = change->picture};
    }
    const int64_t next = row[USER_updated_at].integer + 1;
    row[USER_updated_at].integer = context->now_seconds > next ? context->now_seconds : next;
}

enum outcome account_store_change(struct context *context, struct account_change *change)
{
    struct account_writing writing = {.change = change};
    database_concerns(change->user_id);
    enum outcome outcome = database_transaction(context, change_within, &writing);
    if (outcome == OK && change->ends_sessions) {
        revocation_store_tell(context, change->user_id);
    }
    if (outcome == OK) {
        picture_store_drop_replaced(context, change->replaced_picture);
        change_row(context, &writing);
        change->user = user_store_complete(context, &writing.row);
    }
    return outcome;
}

/* ---- what the primary administrator is spared ---- */

/* Locks a user's row, but that of the primary administrator: ACTION_PROHIBITED, in the words of `detail`. */
static enum outcome lock_but_primary(struct context *context, struct text user_id, const char *detail,
                                     struct locked_user *user_r)
{
    struct text primary = TEXT_NULL;
    enum outcome outcome = user_store_lock(context, user_id, user_r);
    if (outcome == OK) {
        outcome = user_store_primary(context, &primary);
    }
    return outcome == OK && text_equal(primary, user_id)
               ? problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, detail)
               : outcome;
}

/* ---- a role alone ---- */

struct role_change {
    struct text user_id, role;
};

static enum outcome set_role_within(struct context *context, void *argument)
{
    const struct role_change *change = argument;
    struct locked_user user;
    enum outcome outcome =
        lock_but_primary(context, change->user_id, "The role of the primary administrator can't be changed.", &user);
    if (outcome != OK || text_equal(user.role, change->role)) {
        return outcome;
    }
    outcome = database_execute(
        context, "UPDATE user SET " USER_NAMES_KEPT ", role = ?, updated_at = GREATEST(?, updated_at + 1) WHERE id = ?",
        PARAMETERS(BIND_TEXT(change->role), BIND_INTEGER(context->now_seconds), BIND_TEXT(change->user_id)), NULL,
        ERROR_NONE);
    if (outcome == OK) {
        note_role(context, change->user_id, user.role, change->role);
        outcome = session_store_end_all(context, change->user_id, KEPT_NONE);
    }
    return outcome;
}

enum outcome account_store_set_role(struct context *context, struct text user_id, struct text role)
{
    struct role_change change = {user_id, role};
    return revocation_store_transaction(context, user_id, set_role_within, &change);
}

/* ---- the end of an account ---- */

struct deletion {
    struct text user_id;
    bool is_erasure;
    struct text email;
    struct text pictures[2]; /* addresses, or other contents of these columns */
};

static enum outcome delete_within(struct context *context, void *argument)
{
    struct deletion *deletion = argument;
    const struct text *user_id = &deletion->user_id;
    struct locked_user user;
    enum outcome outcome = lock_but_primary(context, *user_id, "The primary administrator can't be deleted.", &user);
    if (outcome == OK) { /* copies of shared chats, which have no owner */
        outcome = database_execute(
            context,
            "DELETE copy FROM chat original JOIN chat copy ON copy.user_id = CONCAT('shared-', original.id) "
            "WHERE original.owner_id = ?",
            PARAMETERS(BIND_TEXT(*user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) { /* a group that loses a member has changed */
        outcome = database_execute(
            context,
            "UPDATE group_member m JOIN `group` g ON g.id = m.group_id SET g.updated_at = ? WHERE m.user_id = ?",
            PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(*user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = revocation_store_note_sessions(context, *user_id, TEXT_NULL);
    }
    if (outcome == OK) {
        outcome = revocation_store_note_epoch(context, *user_id, context->now_seconds);
    }
    if (outcome == OK) { /* foreign keys also delete credentials, memberships, chats, keys and sessions */
        outcome = database_execute(context, "DELETE FROM user WHERE id = ?", PARAMETERS(BIND_TEXT(*user_id)), NULL,
                                   ERROR_NONE);
    }
    if (outcome == OK) { /* see directory_feed.h */
        outcome = database_execute(context,
                                   "INSERT INTO deleted_user (id) VALUES (?) ON DUPLICATE KEY UPDATE deleted_at = "
                                   "CURRENT_TIMESTAMP(6)",
                                   PARAMETERS(BIND_TEXT(*user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        audit_store_note(context,
                         &(struct audit_note){
                             deletion->is_erasure ? AUDIT_user_erase : AUDIT_user_delete,
                             .subject_id = *user_id,
                             .detail = audit_store_member(context->arena, "role", user.role),
                             .personal = deletion->is_erasure ? TEXT_NULL : personal_of(context, user.email, user.name),
                         });
    }
    deletion->email = user.email;
    deletion->pictures[0] = user.picture;
    deletion->pictures[1] = user.banner;
    return outcome;
}

/* Of an account that was deleted before, the audit has what is personal. */
static enum outcome erase_within(struct context *context, void *argument)
{
    const struct deletion *deletion = argument;
    const struct problem problem = context->problem;
    bool found;
    enum outcome outcome = delete_within(context, argument);
    if (outcome == OK) { /* who asked for a link is known by the address alone */
        return database_execute(context, "DELETE FROM mail WHERE address = ?", PARAMETERS(BIND_TEXT(deletion->email)),
                                NULL, ERROR_NONE);
    }
    if (outcome != PROBLEM || context->problem.code != ERROR_USER_NOT_FOUND) {
        return outcome;
    }
    outcome = database_find_row(context, "SELECT 1 FROM audit WHERE subject_id = ? LIMIT 1",
                                PARAMETERS(BIND_TEXT(deletion->user_id)), &found);
    if (outcome != OK || !found) {
        return outcome != OK ? outcome : PROBLEM;
    }
    context->problem = problem;
    audit_store_note(context, &(struct audit_note){AUDIT_user_erase, .subject_id = deletion->user_id});
    return OK;
}

static enum outcome run_deletion(struct context *context, struct text user_id, bool is_erasure)
{
    struct deletion deletion = {.user_id = user_id, .is_erasure = is_erasure};
    enum outcome outcome =
        revocation_store_transaction(context, user_id, is_erasure ? erase_within : delete_within, &deletion);
    if (outcome == OK) {
        picture_store_drop_replaced(context, deletion.pictures[0]);
        picture_store_drop_replaced(context, deletion.pictures[1]);
    }
    return outcome;
}

enum outcome account_store_delete(struct context *context, struct text user_id)
{
    return run_deletion(context, user_id, false);
}

enum outcome account_store_erase(struct context *context, struct text user_id)
{
    return run_deletion(context, user_id, true);
}

#define ERASED "IN (SELECT a.subject_id FROM audit a WHERE a.action = 'user_erase')"

enum outcome account_store_erase_again(struct context *context)
{
    struct result pictures;
    enum outcome outcome = database_execute(context,
                                            "SELECT LEFT(profile_image_url, 255), LEFT(profile_banner_image_url, 255) "
                                            "FROM user WHERE id " ERASED,
                                            NO_PARAMETERS, &pictures, ERROR_NONE);
    if (outcome != OK || pictures.row_count == 0) {
        return outcome;
    }
    outcome = database_execute(context, "DELETE m FROM mail m JOIN user u ON m.address = u.email WHERE u.id " ERASED,
                               NO_PARAMETERS, NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context,
                                   "DELETE copy FROM chat original JOIN chat copy ON copy.user_id = "
                                   "CONCAT('shared-', original.id) WHERE original.owner_id " ERASED,
                                   NO_PARAMETERS, NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = database_execute(context, "DELETE FROM user WHERE id " ERASED, NO_PARAMETERS, NULL, ERROR_NONE);
    }
    for (size_t i = 0; outcome == OK && i < pictures.row_count; i++) {
        const struct value *row = result_row(&pictures, i);
        outcome = picture_store_drop_unused(context, row[0].text);
        if (outcome == OK) {
            outcome = picture_store_drop_unused(context, row[1].text);
        }
    }
    return outcome;
}

enum outcome account_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(
        context, "DELETE FROM deleted_user WHERE deleted_at < CURRENT_TIMESTAMP(6) - INTERVAL 1 DAY LIMIT 1000",
        NO_PARAMETERS, NULL, ERROR_NONE);
}

/* ---- disabled accounts ---- */

static enum outcome disable_within(struct context *context, void *argument)
{
    const struct text *user_id = argument;
    struct locked_user user;
    enum outcome outcome = lock_but_primary(context, *user_id, "The primary administrator can't be disabled.", &user);
    if (outcome == OK) {
        outcome = disable_row(context, *user_id, user.email);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){AUDIT_user_disable, .subject_id = *user_id});
    }
    return outcome == OK ? session_store_end_all(context, *user_id, KEPT_NONE) : outcome;
}

enum outcome account_store_disable(struct context *context, struct text user_id)
{
    return revocation_store_transaction(context, user_id, disable_within, &user_id);
}

static enum outcome enable_within(struct context *context, void *argument)
{
    const struct text *user_id = argument;
    struct locked_user user;
    bool found;
    enum outcome outcome = user_store_lock(context, *user_id, &user);
    if (outcome == OK) {
        outcome = set_active(context, *user_id, true, &found);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){AUDIT_user_enable, .subject_id = *user_id});
    }
    return outcome;
}

enum outcome account_store_enable(struct context *context, struct text user_id)
{
    database_concerns(user_id);
    return database_transaction(context, enable_within, &user_id);
}
