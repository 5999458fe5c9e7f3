/* everybody.c: sessions and API keys of all users, and the status of the service, for administrators. */
#include "api/handlers.h"
#include "auth/api_key.h"
#include "store/key_store.h"
#include "store/overview_store.h"

static struct overview_page page_of(const struct request *request)
{
    const struct input *query = request->query;
    return (struct overview_page){
        .query = query[INPUT_everybody_query_query].text,
        .user_id = query[INPUT_everybody_query_user_id].text,
        .page = query[INPUT_everybody_query_page].present ? query[INPUT_everybody_query_page].integer : 1,
    };
}

enum outcome handle_admin_sessions(struct request *request)
{
    struct json_writer *json = &request->response.json;
    const struct overview_page page = page_of(request);
    struct result sessions;
    int64_t total;
    enum outcome outcome = overview_store_session_page(&request->context, &page, &sessions, &total);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "sessions");
    for (size_t i = 0; i < sessions.row_count; i++) {
        const struct value *row = result_row(&sessions, i);
        json_begin_object(json);
        serialise_session_members(json, row, request->identity.jti);
        json_member_text(json, "user_id", row[OVERVIEW_SESSION_user_id].text);
        json_member_text(json, "email", row[OVERVIEW_SESSION_email].text);
        json_member_text(json, "name", row[OVERVIEW_SESSION_name].text);
        json_end_object(json);
    }
    json_end_array(json);
    json_member_integer(json, "total", total);
    json_end_object(json);
    return OK;
}

static void add_key(struct request *request, const struct value *row)
{
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_member_text(json, "id", row[OVERVIEW_KEY_id].text);
    json_member_boolean(json, "primary", row[OVERVIEW_KEY_is_primary].integer != 0);
    json_member_text(json, "name", row[OVERVIEW_KEY_name].text);
    json_member_text(json, "api_key", api_key_mask(request->context.arena, row[OVERVIEW_KEY_suffix].text));
    json_name(json, "expires_at");
    serialise_integer(json, &row[OVERVIEW_KEY_expires_at]);
    json_name(json, "last_used_at");
    serialise_integer(json, &row[OVERVIEW_KEY_last_used_at]);
    json_name(json, "routes");
    serialise_document(json, "api_key", "routes", row[OVERVIEW_KEY_id].text, row[OVERVIEW_KEY_routes].text);
    json_member_integer(json, "created_at", row[OVERVIEW_KEY_created_at].integer);
    json_member_text(json, "user_id", row[OVERVIEW_KEY_user_id].text);
    json_member_text(json, "email", row[OVERVIEW_KEY_email].text);
    json_end_object(json);
}

enum outcome handle_admin_api_keys(struct request *request)
{
    struct json_writer *json = &request->response.json;
    const struct overview_page page = page_of(request);
    struct result keys;
    int64_t total;
    enum outcome outcome = overview_store_key_page(&request->context, &page, &keys, &total);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "api_keys");
    for (size_t i = 0; i < keys.row_count; i++) {
        add_key(request, result_row(&keys, i));
    }
    json_end_array(json);
    json_member_integer(json, "total", total);
    json_end_object(json);
    return OK;
}

enum outcome handle_admin_api_key_delete(struct request *request)
{
    enum outcome outcome = key_store_delete_any(&request->context, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}
