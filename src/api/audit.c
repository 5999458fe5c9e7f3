/* audit.c: GET /audit: who did what to whom, for administrators. */
#include "api/handlers.h"
#include "base/json_text.h"
#include "store/audit_store.h"

enum { PAGE_ROWS = 50 };

static struct audit_filter filter_of(const struct input *query)
{
#define MOMENT(name) (query[INPUT_audit_query_##name].present ? query[INPUT_audit_query_##name].integer : -1)
    return (struct audit_filter){
        .person_id = query[INPUT_audit_query_person].text,
        .actor_id = query[INPUT_audit_query_actor].text,
        .subject_id = query[INPUT_audit_query_subject].text,
        .action = query[INPUT_audit_query_action].text,
        .address = query[INPUT_audit_query_address].text,
        .since = MOMENT(since),
        .until = MOMENT(until),
        .before = MOMENT(before),
    };
#undef MOMENT
}

/* What is personal in it stands apart in the table alone. */
static struct text detail_of(struct arena *arena, const struct audit_record *record)
{
    struct json_members detail, personal;
    if (record->detail.data == NULL || record->personal.data == NULL) {
        return record->detail.data == NULL ? record->personal : record->detail;
    }
    return json_text_members(arena, record->detail, &detail) && json_text_members(arena, record->personal, &personal)
               ? json_text_merge(arena, &detail, &personal)
               : record->detail;
}

static void add_entry(struct request *request, const struct value *row)
{
    struct json_writer *json = &request->response.json;
    const struct audit_record record = audit_record_of_row(row);
    const struct text detail = detail_of(request->context.arena, &record);
    json_begin_object(json);
    json_member_integer(json, "id", record.id);
    json_member_integer(json, "at", record.at);
    json_member_text(json, "host", record.host);
    json_name(json, "number");
    if (record.number != 0) {
        json_add_integer(json, record.number);
    } else {
        json_add_null(json);
    }
    json_member_text(json, "action", record.action);
    json_member_text(json, "actor_id", record.actor_id);
    json_member_text(json, "actor_email", row[AUDIT_SHOWN_actor_email].text);
    json_member_text(json, "actor_name", row[AUDIT_SHOWN_actor_name].text);
    json_member_text(json, "system_user", record.system_user);
    json_member_text(json, "subject_id", record.subject_id);
    json_member_text(json, "subject_email", row[AUDIT_SHOWN_subject_email].text);
    json_member_text(json, "subject_name", row[AUDIT_SHOWN_subject_name].text);
    json_member_text(json, "object", record.object);
    json_member_text(json, "through", record.through);
    json_member_text(json, "session", record.session_jti);
    json_member_text(json, "key_id", record.key_id);
    json_member_text(json, "request_id", record.request_id);
    json_member_text(json, "address", record.address);
    json_name(json, "detail");
    serialise_document(json, "audit", "detail", text_format(request->context.arena, "%lld", (long long)record.id),
                       detail);
    json_end_object(json);
}

enum outcome handle_audit(struct request *request)
{
    struct json_writer *json = &request->response.json;
    const struct audit_filter filter = filter_of(request->query);
    struct result rows;
    enum outcome outcome = audit_store_list(&request->context, &filter, PAGE_ROWS, &rows);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "entries");
    for (size_t i = 0; i < rows.row_count; i++) {
        add_entry(request, result_row(&rows, i));
    }
    json_end_array(json);
    json_name(json, "next");
    if (rows.row_count == PAGE_ROWS) {
        json_add_integer(json, result_row(&rows, rows.row_count - 1)[0].integer);
    } else {
        json_add_null(json);
    }
    json_end_object(json);
    return OK;
}
