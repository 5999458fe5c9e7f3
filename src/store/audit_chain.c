/* audit_chain.c: see audit_chain.h. */
#include "store/audit_chain.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "config/config.h"

enum { GROW_ROWS = 200, TRIM_ROWS = 1000, LOG_SECONDS = 3600 };

/* The hash before the first row. */
#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* ---- both ends of a chain ---- */

struct head {
    struct text host;
    int64_t number, base_number;
    struct text hash, base_hash;
    struct text mac_key, mac;
};

#define HEAD_COLUMNS "host, number, base_number, hash, base_hash, mac_key, mac"

static struct head head_of_row(const struct value *row)
{
    return (struct head){row[0].text, row[1].integer, row[2].integer, row[3].text,
                         row[4].text, row[5].text,    row[6].text};
}

static struct text mac_of_head(struct context *context, const struct audit_key *key, const struct head *head)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    json_add_text(&json, TEXT("head"));
    json_add_text(&json, head->host);
    json_add_integer(&json, head->number);
    json_add_text(&json, head->hash);
    json_add_integer(&json, head->base_number);
    json_add_text(&json, head->base_hash);
    json_end_array(&json);
    return digest_hmac_sha256(context->arena, key->bytes, json_finish(&json));
}

static bool head_is_sealed(struct context *context, const struct head *head)
{
    struct audit_key key;
    return audit_record_find_key(context, head->mac_key, &key) &&
           text_equal(mac_of_head(context, &key, head), head->mac);
}

static enum outcome write_head(struct context *context, const struct head *head)
{
    const struct audit_key key = audit_record_key(context, 0);
    return database_execute(
        context,
        "INSERT INTO audit_head (" HEAD_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE "
        "number = VALUES(number), base_number = VALUES(base_number), hash = VALUES(hash), "
        "base_hash = VALUES(base_hash), mac_key = VALUES(mac_key), mac = VALUES(mac)",
        PARAMETERS(BIND_TEXT(head->host), BIND_INTEGER(head->number), BIND_INTEGER(head->base_number),
                   BIND_TEXT(head->hash), BIND_TEXT(head->base_hash), BIND_TEXT(key.id),
                   BIND_TEXT(mac_of_head(context, &key, head))),
        NULL, ERROR_NONE);
}

/* Where audit_head is gone, or is not what a housekeeper wrote, the chain goes on behind the last row that there is.
 * The row `audit_broken' says so for good, as verify would find nothing wrong any more. */
static void go_on_behind(struct context *context, struct head *head, const struct value *last)
{
    static int64_t last_logged;
    if (log_due(&last_logged, LOG_SECONDS)) {
        log_alert(context,
                  "the audit of %.*s does not end as it was left: somebody has changed the tables audit or audit_head; "
                  "`rosterctl audit verify' tells more",
                  (int)head->host.length, head->host.data);
    }
    head->number = last != NULL ? last[0].integer : 0;
    head->hash = last != NULL && last[1].text.data != NULL ? last[1].text : TEXT(NO_HASH);
    audit_store_note(context, &(struct audit_note){.action = AUDIT_audit_broken,
                                                   .detail = audit_store_member(context->arena, "host", head->host)});
}

/* Locks the end of the chain of a host, so that one process at a time writes it: at a reload there are two housekeepers
 * for a moment. Where rows before the end are missing, their numbers stay free, and verify tells them. */
static enum outcome lock_head(struct context *context, struct text host, struct head *head_r)
{
    const struct value *row, *last;
    enum outcome outcome =
        database_get_row(context, "SELECT " HEAD_COLUMNS " FROM audit_head WHERE host = ? FOR UPDATE",
                         PARAMETERS(BIND_TEXT(host)), &row, ERROR_NONE);
    *head_r =
        row != NULL ? head_of_row(row) : (struct head){.host = host, .hash = TEXT(NO_HASH), .base_hash = TEXT(NO_HASH)};
    if (outcome == OK) {
        outcome = database_get_row(context,
                                   "SELECT a.number, a.hash FROM audit a WHERE a.host = ? AND a.number IS NOT NULL "
                                   "ORDER BY a.number DESC LIMIT 1",
                                   PARAMETERS(BIND_TEXT(host)), &last, ERROR_NONE);
    }
    const int64_t last_number = outcome == OK && last != NULL ? last[0].integer : 0;
    if (outcome == OK && (last_number > head_r->number || (row != NULL && !head_is_sealed(context, head_r)))) {
        go_on_behind(context, head_r, last);
    }
    return outcome;
}

/* ---- growing ---- */

struct growth {
    const struct result *rows; /* of audit_record_of_row */
    bool has_changed;          /* another process has numbered some of them */
};

/* [[id, number, hash], …] */
static struct text number_rows(struct context *context, const struct result *rows, struct head *head)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    for (size_t i = 0; i < rows->row_count; i++) {
        struct audit_record record = audit_record_of_row(result_row(rows, i));
        record.number = ++head->number;
        head->hash = audit_record_hash(context, &record, head->hash);
        json_begin_array(&json);
        json_add_integer(&json, record.id);
        json_add_integer(&json, record.number);
        json_add_text(&json, head->hash);
        json_end_array(&json);
    }
    json_end_array(&json);
    return json_finish(&json);
}

static enum outcome grow_within(struct context *context, void *argument)
{
    struct growth *growth = argument;
    struct head head;
    struct result result;
    growth->has_changed = false;
    enum outcome outcome = lock_head(context, audit_store_host(context), &head);
    if (outcome == OK) {
        outcome = database_execute(
            context,
            "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$[0]', number BIGINT PATH '$[1]', hash CHAR(64) "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$[2]')) t STRAIGHT_JOIN audit a ON a.id = t.id "
            "SET a.number = t.number, a.hash = t.hash WHERE a.number IS NULL",
            PARAMETERS(BIND_TEXT(number_rows(context, growth->rows, &head))), &result, ERROR_NONE);
    }
    if (outcome == OK && result.affected_rows != growth->rows->row_count) {
        growth->has_changed = true;
        return PROBLEM;
    }
    return outcome == OK ? write_head(context, &head) : outcome;
}

/* A person is erased by the row that says so: workers may not change rows of the audit. */
static enum outcome empty_erased(struct context *context, const struct result *rows)
{
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < rows->row_count; i++) {
        const struct audit_record record = audit_record_of_row(result_row(rows, i));
        if (text_is(record.action, "user_erase")) {
            database_concerns_nobody();
            outcome = database_execute(context,
                                       "UPDATE audit SET address = NULL, personal = NULL, salt = NULL WHERE "
                                       "(subject_id = ? OR actor_id = ?) AND action <> 'user_erase'",
                                       PARAMETERS(BIND_TEXT(record.subject_id), BIND_TEXT(record.subject_id)), NULL,
                                       ERROR_NONE);
        }
    }
    return outcome;
}

enum outcome audit_chain_grow(struct context *context, bool *more_r)
{
    struct result rows;
    *more_r = false;
    enum outcome outcome = database_execute(
        context, "SELECT " AUDIT_COLUMNS " FROM audit a WHERE a.host = ? AND a.number IS NULL ORDER BY a.id LIMIT ?",
        PARAMETERS(BIND_TEXT(audit_store_host(context)), BIND_INTEGER(GROW_ROWS)), &rows, ERROR_NONE);
    if (outcome != OK || rows.row_count == 0) {
        return outcome;
    }
    /* before they get their numbers: after a failure it is done again */
    outcome = empty_erased(context, &rows);
    if (outcome == OK) {
        struct growth growth = {.rows = &rows};
        database_concerns_nobody();
        outcome = database_transaction(context, grow_within, &growth);
        outcome = growth.has_changed ? OK : outcome;
        *more_r = growth.has_changed || (outcome == OK && rows.row_count == GROW_ROWS);
    }
    return outcome;
}

/* ---- another key ---- */

static enum outcome reseal_within(struct context *context, void *argument)
{
    const struct text *host = argument;
    struct head head;
    enum outcome outcome = lock_head(context, *host, &head);
    return outcome == OK ? write_head(context, &head) : outcome;
}

enum outcome audit_chain_reseal(struct context *context)
{
    struct result hosts;
    const struct audit_key key = audit_record_key(context, 0);
    enum outcome outcome = database_execute(context, "SELECT host FROM audit_head WHERE mac_key <> ?",
                                            PARAMETERS(BIND_TEXT(key.id)), &hosts, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < hosts.row_count; i++) {
        struct text host = result_row(&hosts, i)->text;
        database_concerns_nobody();
        outcome = database_transaction(context, reseal_within, &host);
    }
    return outcome;
}

/* ---- what is too old ---- */

struct trimming {
    struct text host;
    int64_t until; /* the time of the first row that stays */
    int64_t removed;
};

/* The number of the last row that goes, and its hash. *row_r NULL: none. Rows are numbered in the order of ids, which
 * is nearly that of times: nothing goes that stands behind a row that stays. */
static enum outcome find_last(struct context *context, const struct trimming *trimming, int64_t base,
                              const struct value **row_r)
{
    return database_get_row(
        context,
        "SELECT a.number, a.hash FROM audit a WHERE a.host = ? AND a.number > ? AND a.number <= ? AND "
        "a.number < COALESCE((SELECT b.number FROM audit b WHERE b.host = ? AND b.number > ? AND "
        "b.number <= ? AND b.at >= ? ORDER BY b.number LIMIT 1), 9223372036854775807) "
        "ORDER BY a.number DESC LIMIT 1",
        PARAMETERS(BIND_TEXT(trimming->host), BIND_INTEGER(base), BIND_INTEGER(base + TRIM_ROWS),
                   BIND_TEXT(trimming->host), BIND_INTEGER(base), BIND_INTEGER(base + TRIM_ROWS),
                   BIND_INTEGER(trimming->until)),
        row_r, ERROR_NONE);
}

static enum outcome trim_within(struct context *context, void *argument)
{
    struct trimming *trimming = argument;
    struct head head;
    const struct value *last = NULL;
    struct result result;
    trimming->removed = 0;
    enum outcome outcome = lock_head(context, trimming->host, &head);
    if (outcome == OK) {
        outcome = find_last(context, trimming, head.base_number, &last);
    }
    if (outcome != OK || last == NULL) {
        return outcome;
    }
    head.base_number = last[0].integer;
    head.base_hash = last[1].text;
    outcome =
        database_execute(context, "DELETE FROM audit WHERE host = ? AND number <= ?",
                         PARAMETERS(BIND_TEXT(trimming->host), BIND_INTEGER(head.base_number)), &result, ERROR_NONE);
    if (outcome == OK) {
        outcome = write_head(context, &head);
    }
    if (outcome == OK) {
        trimming->removed = (int64_t)result.affected_rows;
        audit_store_note(
            context,
            &(struct audit_note){.action = AUDIT_audit_trim,
                                 .detail = text_format(context->arena, "{\"rows\":%" PRId64 ",\"until\":%" PRId64 "}",
                                                       trimming->removed, head.base_number)});
    }
    return outcome;
}

enum outcome audit_chain_trim(struct context *context, bool *more_r)
{
    struct result hosts;
    *more_r = false;
    if (context->config->audit_retention == 0) {
        return OK;
    }
    struct trimming trimming = {.until = context->now_seconds - context->config->audit_retention};
    enum outcome outcome = database_execute(context,
                                            "SELECT h.host FROM audit_head h WHERE EXISTS (SELECT 1 FROM audit a WHERE "
                                            "a.host = h.host AND a.number = h.base_number + 1 AND a.at < ?)",
                                            PARAMETERS(BIND_INTEGER(trimming.until)), &hosts, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < hosts.row_count; i++) {
        trimming.host = result_row(&hosts, i)->text;
        database_concerns_nobody();
        outcome = database_transaction(context, trim_within, &trimming);
        *more_r = *more_r || trimming.removed >= TRIM_ROWS;
    }
    return outcome;
}

enum outcome audit_chain_is_trimmed(struct context *context, bool *is_trimmed_r)
{
    return database_find_row(context, "SELECT 1 FROM audit_head WHERE base_number > 0 LIMIT 1", NO_PARAMETERS,
                             is_trimmed_r);
}

/* ---- verifying ---- */

struct verification {
    void (*report)(const struct audit_fault *, void *);
    void (*done)(const struct audit_verified *, void *);
    void *argument;
    struct arena *arena; /* beyond a row */
    struct context *context;
    struct audit_verified of; /* the present host; host null: none yet */
    struct head head;         /* of the present host; host null: there is none */
    struct text hash;         /* of the row before, or of the base */
    char hash_bytes[65];
    int64_t number; /* likewise */
    struct result heads;
    bool *seen; /* by index of heads */
};

static void find_fault(struct verification *it, int64_t id, int64_t number, const char *text)
{
    it->report(&(struct audit_fault){it->of.host, id, number, text}, it->argument);
}

static void end_host(struct verification *it)
{
    if (it->of.host.data == NULL) {
        return;
    }
    if (it->head.host.data == NULL && it->of.last > 0) {
        find_fault(it, 0, it->of.last, "audit_head tells of no end of this chain");
    } else if (it->head.host.data != NULL) {
        if (it->number < it->head.number) {
            find_fault(it, 0, it->number + 1, "the last rows are missing, from this number on");
        } else if (it->number > it->head.number ||
                   (it->number > it->head.base_number && !text_equal(it->hash, it->head.hash))) {
            find_fault(it, 0, it->number, "audit_head tells of another end");
        }
        if (!head_is_sealed(it->context, &it->head)) {
            find_fault(it, 0, it->head.number, "the MAC of audit_head is wrong");
        }
    }
    it->of.hash = it->hash;
    it->done(&it->of, it->argument);
}

static void begin_host(struct verification *it, struct text host)
{
    it->of = (struct audit_verified){.host = text_copy(it->arena, host), .unchained_since = -1};
    it->head = (struct head){.host = TEXT_NULL};
    for (size_t i = 0; i < it->heads.row_count; i++) {
        const struct head head = head_of_row(result_row(&it->heads, i));
        if (text_equal(head.host, host)) {
            it->head = head;
            it->seen[i] = true;
        }
    }
    it->number = it->head.host.data != NULL ? it->head.base_number : 0;
    it->hash = it->head.host.data != NULL ? it->head.base_hash : TEXT(NO_HASH);
}

/* Whether a row is what its writer has written. */
static void verify_seal(struct context *context, struct verification *it, const struct audit_record *record)
{
    struct audit_key key;
    if (!audit_record_find_key(context, record->mac_key, &key)) {
        it->of.unknown_keys++;
        if (record->number == 0) {
            find_fault(it, record->id, 0, "its MAC is of no key of this host");
        }
    } else if (!audit_record_is_sealed(context, &key, record)) {
        find_fault(it, record->id, record->number, "its MAC is wrong: it was changed, or is made up");
    }
    if (text_is(record->action, audit_actions[AUDIT_audit_broken].name)) {
        find_fault(it, record->id, record->number, "it tells that audit_head was gone, or changed, before it");
    }
    it->of.emptied += record->salt.data == NULL;
}

static void verify_place(struct context *context, struct verification *it, const struct audit_record *record)
{
    if (record->number != it->number + 1) {
        find_fault(it, 0, it->number + 1,
                   record->number > it->number + 1 ? "rows are missing, from this number on"
                                                   : "a number is there twice");
    } else if (!text_equal(audit_record_hash(context, record, it->hash), record->hash)) {
        find_fault(it, record->id, record->number, "its hash is wrong: it, or a row before it, was changed or moved");
    }
    it->of.first = it->of.first == 0 ? record->number : it->of.first;
    it->of.last = it->number = record->number;
    /* beyond its row */
    it->hash = (struct text){it->hash_bytes, record->hash.length < sizeof it->hash_bytes ? record->hash.length : 0};
    memcpy(it->hash_bytes, record->hash.data, it->hash.length);
}

/* Rows come by host; in each first those with a number, in its order. */
static enum outcome verify_row(struct context *context, const struct value *row, void *argument)
{
    struct verification *it = argument;
    const struct audit_record record = audit_record_of_row(row);
    if (it->of.host.data == NULL || !text_equal(record.host, it->of.host)) {
        end_host(it);
        begin_host(it, record.host);
    }
    verify_seal(context, it, &record);
    if (record.number != 0) {
        verify_place(context, it, &record);
        return OK;
    }
    it->of.unchained++;
    if (it->of.unchained_since < 0 || record.at < it->of.unchained_since) {
        it->of.unchained_since = record.at;
    }
    return OK;
}

/* Only of those who were erased may something be empty. */
static enum outcome verify_emptied(struct context *context, struct verification *it)
{
    struct result rows;
    enum outcome outcome = database_execute(
        context,
        "SELECT a.host, a.id, a.number FROM audit a WHERE a.salt IS NULL AND NOT EXISTS (SELECT 1 FROM audit e WHERE "
        "e.action = 'user_erase' AND e.subject_id IN (a.actor_id, a.subject_id)) ORDER BY a.id LIMIT 1000",
        NO_PARAMETERS, &rows, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < rows.row_count; i++) {
        const struct value *row = result_row(&rows, i);
        it->of.host = row[0].text;
        find_fault(it, row[1].integer, value_integer(&row[2], 0),
                   "it was emptied, and nobody whom it is about was erased");
    }
    return outcome;
}

static enum outcome verify_within(struct context *context, void *argument)
{
    struct verification *it = argument;
    it->of = (struct audit_verified){.host = TEXT_NULL};
    enum outcome outcome = database_execute(context, "SELECT " HEAD_COLUMNS " FROM audit_head ORDER BY host",
                                            NO_PARAMETERS, &it->heads, ERROR_NONE);
    if (outcome == OK) {
        it->seen = arena_zero(context->arena, it->heads.row_count + 1, sizeof *it->seen);
        outcome = database_stream(
            context, "SELECT " AUDIT_COLUMNS " FROM audit a ORDER BY a.host, a.number IS NULL, a.number, a.id",
            NO_PARAMETERS, verify_row, it);
    }
    if (outcome != OK) {
        return outcome;
    }
    end_host(it);
    for (size_t i = 0; i < it->heads.row_count; i++) {
        if (!it->seen[i]) { /* all its rows are gone */
            begin_host(it, result_row(&it->heads, i)->text);
            end_host(it);
        }
    }
    return verify_emptied(context, it);
}

enum outcome audit_chain_verify(struct context *context, void (*report)(const struct audit_fault *, void *),
                                void (*done)(const struct audit_verified *, void *), void *argument)
{
    struct verification it = {
        .report = report, .done = done, .argument = argument, .arena = context->arena, .context = context};
    return database_snapshot(context, verify_within, &it);
}
