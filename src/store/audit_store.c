/* audit_store.c: see audit_store.h. */
#include "store/audit_store.h"

#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/email.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "config/config.h"

enum {
    PSEUDONYM_DIGITS = 16,
    ID_CHARACTERS = 255,
    ADDRESS_CHARACTERS = 45,
    THROUGH_CHARACTERS = 64,
    BATCH_ROWS = 1000
};

const struct audit_action_row audit_actions[AUDIT_ACTION_COUNT] = {
#define AUDIT_ACTION(name, object, text) [AUDIT_##name] = {#name, #object, text},
#include "tables/audit.def"
};

/* ---- what is noted ---- */

struct audit_pending {
    struct audit_record *records;
    size_t count, room;
};

struct text audit_store_host(const struct context *context)
{
    static char name[65];
    const char *configured = context->config->audit_host;
    if (configured != NULL && configured[0] != '\0') {
        return text_of(configured);
    }
    if (name[0] == '\0' && (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')) {
        name[0] = '-';
    }
    return text_of(name);
}

static struct text fitting(struct text text, size_t characters)
{
    return text.data != NULL ? text_cut_characters(text, characters) : TEXT_NULL;
}

static struct audit_record record_of(struct context *context, const struct audit_note *note)
{
    static const struct audit_actor nobody;
    const struct audit_actor *actor = context->actor != NULL ? context->actor : &nobody;
    const bool is_subject = note->by_subject && actor->user_id.data == NULL && actor->system_user.data == NULL;
    const struct audit_key key = audit_record_key(context, 0);
    struct audit_record record = {
        .host = audit_store_host(context),
        .at = context->now_seconds,
        .action = text_of(audit_actions[note->action].name),
        .actor_id = fitting(is_subject ? note->subject_id : actor->user_id, ID_CHARACTERS),
        .system_user = fitting(actor->system_user, ID_CHARACTERS),
        .subject_id = fitting(note->subject_id, ID_CHARACTERS),
        .object = fitting(note->object, ID_CHARACTERS),
        .through = fitting(actor->through, THROUGH_CHARACTERS),
        .session_jti = fitting(actor->session_jti, ID_CHARACTERS),
        .key_id = fitting(actor->key_id, ID_CHARACTERS),
        .request_id = fitting(text_of(context->request_id), THROUGH_CHARACTERS),
        .detail = note->detail,
        .address = fitting(text_of(context->client_address), ADDRESS_CHARACTERS),
        .personal = note->personal,
    };
    audit_record_seal(context, &key, &record);
    return record;
}

#define NAME(name) #name ", "
#define PLACE(name) "?, "
#define INSERT "INSERT INTO audit (" AUDIT_SEALED(NAME) AUDIT_PERSONAL(NAME) "mac, at) "

static enum outcome insert_one(struct context *context, const struct audit_record *record)
{
#define COLUMN(name) BIND_TEXT(record->name),
    return database_execute(
        context, INSERT "VALUES (" AUDIT_SEALED(PLACE) AUDIT_PERSONAL(PLACE) "?, ?)",
        PARAMETERS(AUDIT_SEALED(COLUMN) AUDIT_PERSONAL(COLUMN) BIND_TEXT(record->mac), BIND_INTEGER(record->at)), NULL,
        ERROR_NONE);
#undef COLUMN
}

/* A JSON list, so that there is one statement for any number of rows. */
static enum outcome insert_many(struct context *context, const struct audit_record *records, size_t count)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&json);
#define COLUMN(name) json_member_text(&json, #name, records[i].name);
        AUDIT_SEALED(COLUMN)
        AUDIT_PERSONAL(COLUMN)
#undef COLUMN
        json_member_text(&json, "mac", records[i].mac);
        json_end_object(&json);
    }
    json_end_array(&json);
#define COLUMN(name) #name " TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$." #name "', "
    return database_execute(context,
                            INSERT "SELECT " AUDIT_SEALED(NAME) AUDIT_PERSONAL(
                                NAME) "mac, ? FROM JSON_TABLE(?, '$[*]' COLUMNS (" AUDIT_SEALED(COLUMN)
                                AUDIT_PERSONAL(COLUMN) "mac TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH "
                                                       "'$.mac')) t",
                            PARAMETERS(BIND_INTEGER(records->at), BIND_TEXT(json_finish(&json))), NULL, ERROR_NONE);
#undef COLUMN
}

static enum outcome insert(struct context *context, const struct audit_record *records, size_t count)
{
    enum outcome outcome = count == 1 ? insert_one(context, records) : OK;
    for (size_t done = 0; count > 1 && outcome == OK && done < count; done += BATCH_ROWS) {
        outcome = insert_many(context, records + done, count - done < BATCH_ROWS ? count - done : BATCH_ROWS);
    }
    return outcome;
}

/* The same columns as in the table, but for what is personal: a log is not emptied when a person is erased. */
static void log_record(const struct audit_record *record)
{
    const struct text of[] = {record->actor_id, record->system_user, record->subject_id, record->object,
                              record->through,  record->session_jti, record->key_id,     record->request_id,
                              record->address,  record->detail};
    static const char *const names[] = {"actor",   "system_user", "subject", "object",  "through",
                                        "session", "key",         "request", "address", "detail"};
    _Static_assert(ARRAY_COUNT(of) == ARRAY_COUNT(names), "each has a name");
    struct log_field fields[ARRAY_COUNT(of) + 3] = {{"audit", record->action, 0}, {"host", record->host, 0}};
    size_t count = 2;
    for (size_t i = 0; i < ARRAY_COUNT(of); i++) {
        if (of[i].data != NULL) {
            fields[count++] = (struct log_field){names[i], of[i], 0};
        }
    }
    fields[count++] = (struct log_field){"mac", record->mac, 0};
    log_audit(clock_wall_microseconds(), fields, count);
}

/* Behind the commit. */
static void tell_written(const struct audit_record *records, size_t count)
{
    if (scoreboard_get() != NULL) {
        atomic_fetch_add(&scoreboard_get()->audit_written, 1);
    }
    for (size_t i = 0; i < count; i++) {
        log_record(&records[i]);
    }
}

static enum outcome write_pending(struct context *context)
{
    return insert(context, context->audit_pending->records, context->audit_pending->count);
}

static void log_pending(struct context *context)
{
    tell_written(context->audit_pending->records, context->audit_pending->count);
    context->audit_pending = NULL;
}

void audit_store_note(struct context *context, const struct audit_note *note)
{
    static const struct transaction_end at_end = {write_pending, log_pending};
    invariant(database_in_transaction());
    struct audit_pending *pending = context->audit_pending;
    if (pending == NULL) {
        pending = context->audit_pending = arena_zero(context->arena, 1, sizeof *pending);
        context->at_end = &at_end;
    }
    if (pending->count == pending->room) {
        const size_t room = pending->room > 0 ? pending->room * 2 : 4;
        struct audit_record *records = arena_alloc(context->arena, room * sizeof *records);
        if (pending->count > 0) {
            memcpy(records, pending->records, pending->count * sizeof *records);
        }
        pending->records = records;
        pending->room = room;
    }
    pending->records[pending->count++] = record_of(context, note);
}

struct row_change {
    const struct audit_note *note;
    const char *sql;
    const struct parameter *parameters;
    size_t parameter_count;
    enum error_code on_none;
};

static enum outcome change_row_within(struct context *context, void *argument)
{
    const struct row_change *change = argument;
    enum outcome outcome =
        database_change_row(context, change->sql, change->parameters, change->parameter_count, change->on_none);
    if (outcome == OK) {
        audit_store_note(context, change->note);
    }
    return outcome;
}

enum outcome audit_store_change_row(struct context *context, const struct audit_note *note, const char *sql,
                                    const struct parameter *parameters, size_t parameter_count, enum error_code on_none)
{
    struct row_change change = {note, sql, parameters, parameter_count, on_none};
    return database_transaction(context, change_row_within, &change);
}

enum outcome audit_store_write(struct context *context, const struct audit_note *note)
{
    const struct audit_record record = record_of(context, note);
    database_concerns_nobody();
    enum outcome outcome = insert(context, &record, 1);
    if (outcome == OK) {
        tell_written(&record, 1);
    }
    return outcome;
}

/* ---- what was refused ---- */

/* Whether this one is written. *omitted_r: how many were not since the last one that was. */
static bool is_written(const struct context *context, int64_t *omitted_r)
{
    *omitted_r = 0;
    if (scoreboard_get() == NULL) {
        return true;
    }
    struct scoreboard_refusals *refusals = &scoreboard_get()->refusals;
    const int64_t minute = context->now_seconds / 60;
    int64_t before = atomic_load(&refusals->minute);
    if (before != minute && atomic_compare_exchange_strong(&refusals->minute, &before, minute)) {
        atomic_store(&refusals->written, 0);
    }
    if (atomic_fetch_add(&refusals->written, 1) >= context->config->audit_refusals) {
        atomic_fetch_add(&refusals->omitted, 1);
        return false;
    }
    *omitted_r = atomic_exchange(&refusals->omitted, 0);
    return true;
}

void audit_store_refuse(struct context *context, enum audit_action action, struct text user_id, struct text email,
                        const char *reason)
{
    const struct problem problem = context->problem;
    int64_t omitted;
    if (!is_written(context, &omitted)) {
        return;
    }
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    json_member_string(&json, "reason", reason);
    json_member_text(&json, "account", email.data != NULL ? audit_store_pseudonym(context, email) : TEXT_NULL);
    if (omitted > 0) {
        json_member_integer(&json, "omitted_before", omitted);
    }
    json_end_object(&json);
    audit_store_write(context, &(struct audit_note){
                                   .action = action,
                                   .subject_id = user_id,
                                   .detail = json_finish(&json),
                               });
    context->problem = problem;
}

void audit_store_write_omitted(struct context *context)
{
    struct scoreboard_refusals *refusals = scoreboard_get() != NULL ? &scoreboard_get()->refusals : NULL;
    if (refusals == NULL || atomic_load(&refusals->omitted) == 0 ||
        atomic_load(&refusals->minute) == context->now_seconds / 60) {
        return;
    }
    const int64_t omitted = atomic_exchange(&refusals->omitted, 0);
    const struct text detail = text_format(context->arena, "{\"omitted_before\":%lld}", (long long)omitted);
    if (omitted > 0 &&
        audit_store_write(context, &(struct audit_note){.action = AUDIT_sign_in_refused, .detail = detail}) != OK) {
        atomic_fetch_add(&refusals->omitted, omitted);
    }
}

struct text audit_store_pseudonym(struct context *context, struct text email)
{
    const struct audit_key key = audit_record_key(context, 0);
    const struct text folded = email_fold(context->arena, email);
    const struct text mac = digest_hmac_sha256(
        context->arena, key.bytes, text_format(context->arena, "account %.*s", (int)folded.length, folded.data));
    return text_format(context->arena, "hmac:%.*s", PSEUDONYM_DIGITS, mac.data);
}

/* ---- details ---- */

struct text audit_store_from_to(struct arena *arena, const char *name, struct text from, struct text to)
{
    struct json_writer json;
    json_start(&json, arena);
    json_begin_object(&json);
    json_add_name_string(&json, name);
    json_begin_object(&json);
    json_member_text(&json, "from", from);
    json_member_text(&json, "to", to);
    json_end_object(&json);
    json_end_object(&json);
    return json_finish(&json);
}

struct text audit_store_member(struct arena *arena, const char *name, struct text text)
{
    struct json_writer json;
    json_start(&json, arena);
    json_begin_object(&json);
    json_add_name_string(&json, name);
    json_add_text(&json, text);
    json_end_object(&json);
    return json_finish(&json);
}

/* ---- reading ---- */

/* A filter that is not set is left out of the statement, so that MariaDB takes the index of one that is. There are as
 * many statements as are asked for. */
enum outcome audit_store_list(struct context *context, const struct audit_filter *filter, int64_t limit,
                              struct result *rows_r)
{
    struct parameter parameters[10];
    size_t count = 0;
    struct buffer sql;
    buffer_init(&sql, context->arena);
    buffer_add_literal(&sql, "SELECT " AUDIT_COLUMNS ", actor.email, actor.name, subject.email, subject.name "
                             "FROM audit a LEFT JOIN user actor ON actor.id = a.actor_id "
                             "LEFT JOIN user subject ON subject.id = a.subject_id WHERE TRUE");
    if (filter->actor_id.data != NULL) {
        buffer_add_literal(&sql, " AND (a.actor_id = ? OR a.system_user = ?)");
        parameters[count++] = BIND_TEXT(filter->actor_id);
        parameters[count++] = BIND_TEXT(filter->actor_id);
    }
    if (filter->subject_id.data != NULL) {
        buffer_add_literal(&sql, " AND a.subject_id = ?");
        parameters[count++] = BIND_TEXT(filter->subject_id);
    }
    if (filter->person_id.data != NULL) {
        buffer_add_literal(&sql, " AND (a.actor_id = ? OR a.subject_id = ?)");
        parameters[count++] = BIND_TEXT(filter->person_id);
        parameters[count++] = BIND_TEXT(filter->person_id);
    }
    if (filter->action.data != NULL) {
        buffer_add_literal(&sql, " AND a.action = ?");
        parameters[count++] = BIND_TEXT(filter->action);
    }
    if (filter->address.data != NULL) {
        buffer_add_literal(&sql, " AND a.address = ?");
        parameters[count++] = BIND_TEXT(filter->address);
    }
    if (filter->since >= 0) {
        buffer_add_literal(&sql, " AND a.at >= ?");
        parameters[count++] = BIND_INTEGER(filter->since);
    }
    if (filter->until >= 0) {
        buffer_add_literal(&sql, " AND a.at <= ?");
        parameters[count++] = BIND_INTEGER(filter->until);
    }
    if (filter->before >= 0) {
        buffer_add_literal(&sql, " AND a.id < ?");
        parameters[count++] = BIND_INTEGER(filter->before);
    }
    buffer_add_literal(&sql, " ORDER BY a.id DESC LIMIT ?");
    parameters[count] = BIND_INTEGER(limit);
    return database_execute(context, buffer_text(&sql).data, parameters, count + 1, rows_r, ERROR_NONE);
}

enum outcome audit_store_each(struct context *context,
                              enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                              void *argument)
{
    return database_stream(context, "SELECT " AUDIT_COLUMNS " FROM audit a ORDER BY a.id", NO_PARAMETERS, each,
                           argument);
}
