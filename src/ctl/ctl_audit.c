/* ctl_audit.c: rosterctl audit …: who did what to whom. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/input.h"
#include "ctl/sheet.h"
#include "store/audit_chain.h"
#include "store/user_store.h"

enum { LIST_ROWS = 100, LIST_ROWS_MAX = 100000, YOUNG_SECONDS = 60 };

/* ---- audit list ---- */

/* The id of a user: of an address that an account has, else what was typed, as accounts that are gone have rows, too.
 */
static int take_person(struct invocation *invocation, enum option option, struct text *id_r)
{
    struct context *context = &invocation->context;
    const char *typed = ctl_option(invocation, option);
    struct user_login login = {.found = false};
    *id_r = typed != NULL ? text_of(typed) : TEXT_NULL;
    if (typed != NULL && strchr(typed, '@') != NULL) {
        if (user_store_find_by_email(context, *id_r, &login) != OK) {
            return ctl_problem(invocation, typed);
        }
        *id_r = login.found ? login.id : *id_r;
    }
    return EXIT_DONE;
}

static int take_action(struct invocation *invocation, struct text *action_r)
{
    const char *typed = ctl_option(invocation, OPTION_action);
    *action_r = TEXT_NULL;
    for (size_t i = 0; typed != NULL && i < AUDIT_ACTION_COUNT; i++) {
        if (strcmp(typed, audit_actions[i].name) == 0) {
            *action_r = text_of(typed);
        }
    }
    return typed != NULL && action_r->data == NULL
               ? ctl_fail(EXIT_USAGE, "--action: there is no `%s'; rosterctl(8), AUDIT, has all", typed)
               : EXIT_DONE;
}

static int take_filter(struct invocation *invocation, struct audit_filter *filter, int64_t *count)
{
    const char *address = ctl_option(invocation, OPTION_address), *typed = ctl_option(invocation, OPTION_count);
    int64_t seconds;
    *filter = (struct audit_filter){.since = -1, .until = -1, .before = -1, .address = text_of(address)};
    *count = LIST_ROWS;
    if (typed != NULL && (!text_to_integer(text_of(typed), count) || *count < 1 || *count > LIST_ROWS_MAX)) {
        return ctl_fail(EXIT_USAGE, "--count: `%s' is no number from 1 to %d", typed, LIST_ROWS_MAX);
    }
    int status = take_person(invocation, OPTION_person, &filter->person_id);
    status = status == EXIT_DONE ? take_person(invocation, OPTION_actor, &filter->actor_id) : status;
    status = status == EXIT_DONE ? take_action(invocation, &filter->action) : status;
    if (status == EXIT_DONE && ctl_has_option(invocation, OPTION_since)) {
        status = ctl_take_duration(invocation, OPTION_since, &seconds);
        filter->since = status == EXIT_DONE ? invocation->context.now_seconds - seconds : -1;
    }
    return status;
}

/* The address of an account, else the id. */
static struct text person_of(struct text id, const struct value *email)
{
    return email->is_null || email->text.data == NULL ? id : email->text;
}

int command_audit_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", NULL, SHEET_INTEGER},        {"at", "TIME", SHEET_TIME},        {"action", "ACTION", SHEET_TEXT},
        {"by", "BY", SHEET_TEXT},           {"subject", "WHOM", SHEET_TEXT},   {"object", "WHAT", SHEET_TEXT},
        {"address", "FROM", SHEET_TEXT},    {"detail", "DETAIL", SHEET_JSON},  {"personal", "", SHEET_JSON},
        {"actor_id", NULL, SHEET_TEXT},     {"system_user", NULL, SHEET_TEXT}, {"subject_id", NULL, SHEET_TEXT},
        {"through", "THROUGH", SHEET_TEXT}, {"session", NULL, SHEET_TEXT},     {"key_id", NULL, SHEET_TEXT},
        {"request_id", NULL, SHEET_TEXT},   {"host", NULL, SHEET_TEXT},        {"number", NULL, SHEET_INTEGER},
    };
    struct audit_filter filter;
    int64_t count;
    struct result rows;
    struct sheet sheet;
    int status = take_filter(invocation, &filter, &count);
    if (status != EXIT_DONE) {
        return status;
    }
    if (audit_store_list(&invocation->context, &filter, count, &rows) != OK) {
        return ctl_problem(invocation, "audit");
    }
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < rows.row_count; i++) {
        const struct value *row = result_row(&rows, i);
        const struct audit_record record = audit_record_of_row(row);
        const struct text actor = person_of(record.actor_id, &row[AUDIT_SHOWN_actor_email]);
        const struct sheet_cell cells[] = {
            sheet_integer(record.id),
            sheet_integer(record.at),
            sheet_text(record.action),
            sheet_text(actor.data != NULL ? actor : record.system_user),
            sheet_text(person_of(record.subject_id, &row[AUDIT_SHOWN_subject_email])),
            sheet_text(record.object),
            sheet_text(record.address),
            sheet_text(record.detail),
            sheet_text(record.personal),
            sheet_text(record.actor_id),
            sheet_text(record.system_user),
            sheet_text(record.subject_id),
            sheet_text(record.through),
            sheet_text(record.session_jti),
            sheet_text(record.key_id),
            sheet_text(record.request_id),
            sheet_text(record.host),
            record.number != 0 ? sheet_integer(record.number) : sheet_text(TEXT_NULL),
        };
        _Static_assert(ARRAY_COUNT(cells) == ARRAY_COUNT(columns), "a cell for each column");
        memcpy(sheet_add(&sheet), cells, sizeof cells);
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

/* ---- audit verify ---- */

struct report {
    struct invocation *invocation;
    size_t faults;
    struct json_writer *faults_json, *hosts_json;
};

static void add_number(struct json_writer *json, const char *name, int64_t number)
{
    json_add_name_string(json, name);
    if (number > 0) {
        json_add_integer(json, number);
    } else {
        json_add_null(json);
    }
}

static void report_fault(const struct audit_fault *fault, void *argument)
{
    struct report *report = argument;
    struct arena *arena = report->invocation->context.arena;
    report->faults++;
    json_begin_object(report->faults_json);
    json_member_text(report->faults_json, "host", fault->host);
    add_number(report->faults_json, "id", fault->id);
    add_number(report->faults_json, "number", fault->number);
    json_member_string(report->faults_json, "text", fault->text);
    json_end_object(report->faults_json);
    if (!report->invocation->json) {
        const struct text host = sheet_clean(arena, fault->host);
        printf("%.*s", (int)host.length, host.data);
        if (fault->id > 0) {
            printf(", row %" PRId64, fault->id);
        }
        if (fault->number > 0) {
            printf(", number %" PRId64, fault->number);
        }
        printf(": %s\n", fault->text);
    }
}

static void say_host(const struct report *report, const struct audit_verified *verified)
{
    struct invocation *invocation = report->invocation;
    struct arena *arena = invocation->context.arena;
    const struct text host = sheet_clean(arena, verified->host);
    if (verified->last > 0) {
        ctl_say(invocation, "%s: rows %" PRId64 " to %" PRId64 "; the last hash is %.*s", host.data, verified->first,
                verified->last, (int)verified->hash.length, verified->hash.data);
    }
    if (verified->unchained > 0) {
        const bool is_old = verified->unchained_since < invocation->context.now_seconds - YOUNG_SECONDS;
        ctl_say(invocation, "%s: %s no number yet%s", host.data,
                verified->unchained == 1 ? "1 row has"
                                         : text_format(arena, "%" PRId64 " rows have", verified->unchained).data,
                is_old ? ", some for over a minute: does the service run on this host? Until then only audit_log would "
                         "show that one is removed"
                       : "");
    }
    if (verified->unknown_keys > 0) {
        ctl_say(invocation, "%s: for %" PRId64 " rows only the chain vouches, as their secret key is gone", host.data,
                verified->unknown_keys);
    }
}

static void report_host(const struct audit_verified *verified, void *argument)
{
    const struct report *report = argument;
    struct json_writer *json = report->hosts_json;
    json_begin_object(json);
    json_member_text(json, "host", verified->host);
    add_number(json, "first", verified->first);
    add_number(json, "last", verified->last);
    json_member_text(json, "hash", verified->last > 0 ? verified->hash : TEXT_NULL);
    json_member_integer(json, "unchained", verified->unchained);
    json_member_integer(json, "unknown_keys", verified->unknown_keys);
    json_member_integer(json, "emptied", verified->emptied);
    json_end_object(json);
    say_host(report, verified);
}

/* The MAC of a line of audit_log, in either of its forms; the null text: it is no such line. */
static struct text mac_of_line(struct text line)
{
    static const char *const begins[] = {" mac=", "\"mac\":\""};
    enum { MAC_LENGTH = 64 };
    for (size_t i = 0; i < ARRAY_COUNT(begins); i++) {
        const char *found = memmem(line.data, line.length, begins[i], strlen(begins[i]));
        if (found != NULL) {
            const struct text rest = {found + strlen(begins[i]),
                                      line.length - (size_t)(found - line.data) - strlen(begins[i])};
            return rest.length >= MAC_LENGTH ? (struct text){rest.data, MAC_LENGTH} : TEXT_NULL;
        }
    }
    return TEXT_NULL;
}

/* A line of audit_log. */
struct logged {
    struct text mac;
    size_t number; /* of the line */
    bool is_there; /* its row */
};

struct logged_lines {
    struct logged *items; /* in the order of their MACs, and then of the lines */
    size_t count;
};

static int compare_macs(const void *left, const void *right)
{
    return text_compare(((const struct logged *)left)->mac, ((const struct logged *)right)->mac);
}

static int compare_numbers(const void *left, const void *right)
{
    const size_t a = ((const struct logged *)left)->number, b = ((const struct logged *)right)->number;
    return a < b ? -1 : a > b;
}

static void take_lines(struct arena *arena, struct text content, struct logged_lines *lines_r)
{
    size_t number = 0, room = 0;
    for (struct text rest = content; rest.length > 0; text_take(&rest, '\n')) {
        room++;
    }
    *lines_r = (struct logged_lines){arena_zero(arena, room + 1, sizeof *lines_r->items), 0};
    while (content.length > 0) {
        const struct text mac = mac_of_line(text_take(&content, '\n'));
        number++;
        if (mac.data != NULL) {
            lines_r->items[lines_r->count++] = (struct logged){mac, number, false};
        }
    }
    qsort(lines_r->items, lines_r->count, sizeof *lines_r->items, compare_macs);
}

static enum outcome find_line(struct context *context, const struct value *row, void *argument)
{
    const struct logged_lines *lines = argument;
    const struct logged wanted = {audit_record_of_row(row).mac, 0, false};
    struct logged *found = bsearch(&wanted, lines->items, lines->count, sizeof wanted, compare_macs);
    (void)context;
    if (found != NULL) {
        found->is_there = true;
    }
    return OK;
}

/* Rows that audit_retention has removed are the oldest: the lines before the first one that has its row. */
static enum outcome report_lines(struct report *report, struct logged_lines *lines)
{
    bool is_trimmed, is_old;
    enum outcome outcome = audit_chain_is_trimmed(&report->invocation->context, &is_trimmed);
    qsort(lines->items, lines->count, sizeof *lines->items, compare_numbers);
    is_old = is_trimmed;
    for (size_t i = 0; outcome == OK && i < lines->count; i++) {
        is_old = is_old && !lines->items[i].is_there;
        if (!is_old && !lines->items[i].is_there) {
            report_fault(&(struct audit_fault){.host = text_of(ctl_option(report->invocation, OPTION_log)),
                                               .number = (int64_t)lines->items[i].number,
                                               .text = "the row of this line is not there"},
                         report);
        }
    }
    return outcome;
}

int command_audit_verify(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct json_writer faults, hosts;
    struct report report = {invocation, 0, &faults, &hosts};
    json_start(&faults, context->arena);
    json_begin_array(&faults);
    json_start(&hosts, context->arena);
    json_begin_array(&hosts);
    const char *path = ctl_option(invocation, OPTION_log);
    struct logged_lines lines = {NULL, 0};
    struct text content = TEXT("");
    int status = path != NULL ? input_read(invocation, path, &content) : EXIT_DONE;
    if (status == EXIT_DONE) {
        status = ctl_open_store(invocation);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    take_lines(context->arena, content, &lines);
    if (audit_chain_verify(context, report_fault, report_host, &report) != OK ||
        audit_store_each(context, find_line, &lines) != OK || report_lines(&report, &lines) != OK) {
        return ctl_problem(invocation, "audit");
    }
    json_end_array(&faults);
    json_end_array(&hosts);
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, context->arena);
        json_begin_object(&json);
        json_name(&json, "hosts");
        json_add_raw(&json, json_finish(&hosts));
        json_name(&json, "faults");
        json_add_raw(&json, json_finish(&faults));
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
    } else if (report.faults == 0) {
        ctl_say(invocation, "Nothing is wrong.");
    }
    return report.faults == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* ---- audit export ---- */

/* All columns as they are stored, as the hash covers their bytes. */
static enum outcome export_row(struct context *context, const struct value *row, void *argument)
{
    const struct audit_record record = audit_record_of_row(row);
    struct json_writer json;
    (void)argument;
    json_start(&json, context->arena);
    json_begin_object(&json);
    json_member_integer(&json, "id", record.id);
    json_member_integer(&json, "at", record.at);
    add_number(&json, "number", record.number);
#define COLUMN(name) json_member_text(&json, #name, record.name);
    AUDIT_TEXTS(COLUMN)
#undef COLUMN
    json_end_object(&json);
    const struct text line = json_finish(&json);
    fwrite(line.data, 1, line.length, stdout);
    putchar('\n');
    return OK;
}

int command_audit_export(struct invocation *invocation)
{
    return audit_store_each(&invocation->context, export_row, NULL) == OK ? EXIT_DONE
                                                                          : ctl_problem(invocation, "audit");
}
