/* everybody.c: sessions and API keys of all users, and the status of the service, for administrators. */
#include "api/handlers.h"

#include <string.h>

#include "auth/api_key.h"
#include "base/problem.h"
#include "store/key_store.h"
#include "store/overview_store.h"

/* `next` of an answer: when the last row was created, a colon, and its id. False: no answer had this. */
static bool take_place(struct text after, struct overview_page *page)
{
    const char *colon = after.length > 0 ? memchr(after.data, ':', after.length) : NULL;
    if (colon == NULL) {
        return false;
    }
    const size_t length = (size_t)(colon - after.data);
    page->is_behind = true;
    page->id = (struct text){colon + 1, after.length - length - 1};
    return text_to_integer((struct text){after.data, length}, &page->created_at);
}

static enum outcome take_page(struct request *request, struct overview_page *page_r)
{
    const struct input *query = request->query;
    *page_r = (struct overview_page){
        .query = query[INPUT_everybody_query_query].text,
        .user_id = query[INPUT_everybody_query_user_id].text,
        .page = query[INPUT_everybody_query_page].present ? query[INPUT_everybody_query_page].integer : 1,
    };
    if (query[INPUT_everybody_query_after].present && !take_place(query[INPUT_everybody_query_after].text, page_r)) {
        problem_add_fault(&request->context, FAULT_string_pattern_mismatch, TEXT("[\"query\",\"after\"]"),
                          "This must be `next' of an earlier answer.");
        return PROBLEM;
    }
    return OK;
}

static void add_end(struct request *request, const struct overview_page_end *end)
{
    struct json_writer *json = &request->response.json;
    json_end_array(json);
    json_member_integer(json, "total", end->total);
    json_member_text(json, "next",
                     end->has_more ? text_format(request->context.arena, "%lld:%.*s", (long long)end->created_at,
                                                 (int)end->id.length, end->id.data)
                                   : TEXT_NULL);
    json_end_object(json);
}

enum outcome handle_admin_sessions(struct request *request)
{
    struct json_writer *json = &request->response.json;
    struct overview_page page;
    struct overview_page_end end;
    struct result sessions;
    enum outcome outcome = take_page(request, &page);
    if (outcome == OK) {
        outcome = overview_store_session_page(&request->context, &page, &sessions, &end);
    }
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "sessions");
    for (size_t i = 0; i < sessions.row_count; i++) {
        const struct value *row = result_row(&sessions, i);
        json_begin_object(json);
        serialise_session_members(&request->context, json, row, request->identity.jti);
        json_member_text(json, "user_id", row[OVERVIEW_SESSION_user_id].text);
        json_member_text(json, "email", row[OVERVIEW_SESSION_email].text);
        json_member_text(json, "name", row[OVERVIEW_SESSION_name].text);
        json_end_object(json);
    }
    add_end(request, &end);
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
    struct overview_page page;
    struct overview_page_end end;
    struct result keys;
    enum outcome outcome = take_page(request, &page);
    if (outcome == OK) {
        outcome = overview_store_key_page(&request->context, &page, &keys, &end);
    }
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "api_keys");
    for (size_t i = 0; i < keys.row_count; i++) {
        add_key(request, result_row(&keys, i));
    }
    add_end(request, &end);
    return OK;
}

enum outcome handle_admin_api_key_delete(struct request *request)
{
    enum outcome outcome = key_store_delete_any(&request->context, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}
