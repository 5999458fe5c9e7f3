/* bulk_store.c: see bulk_store.h. */
#include "store/bulk_store.h"

#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "store/user_search.h"

enum { ID_CHARACTERS_MAX = 255 };

/* What is so already, for `user u`: with one parameter where the change has a value. */
static const char *const is_unchanged[BULK_ACTIONS] = {
    [BULK_ROLE] = "u.role = ?",
    [BULK_ADD_TO_GROUP] = USER_IS_MEMBER,
    [BULK_REMOVE_FROM_GROUP] = "NOT " USER_IS_MEMBER,
    [BULK_DISABLE] = USER_IS_DISABLED,
    [BULK_ENABLE] = "NOT " USER_IS_DISABLED,
    [BULK_DELETE] = "FALSE",
};

struct walk {
    bulk_each *each;
    void *argument;
    const struct user_match *match; /* NULL: every row is meant */
    bool is_over;
};

/* Any outcome but OK ends the stream; is_over says that this was meant. */
static enum outcome take_row(struct context *context, const struct value *row, void *argument)
{
    struct walk *walk = argument;
    const struct bulk_user user = {row[0].text, row[1].text, value_integer(&row[2], 0) != 0};
    if (walk->match != NULL && !user_match_has(walk->match, user.id)) {
        return OK;
    }
    walk->is_over = !walk->each(context, &user, walk->argument);
    return walk->is_over ? PROBLEM : OK;
}

static enum outcome stream(struct context *context, const char *sql, const struct parameter *parameters, size_t count,
                           struct walk *walk)
{
    enum outcome outcome = database_stream(context, sql, parameters, count, take_row, walk);
    return walk->is_over && outcome == PROBLEM ? OK : outcome;
}

enum outcome bulk_store_of_ids(struct context *context, const struct bulk_change *change, const struct text *ids,
                               size_t count, bulk_each *each, void *argument)
{
    struct text *known = arena_alloc(context->arena, (count + 1) * sizeof *known);
    size_t known_count = 0;
    for (size_t i = 0; i < count; i++) { /* JSON_TABLE truncates what is longer than an id can be */
        if (text_count_characters(ids[i]) <= ID_CHARACTERS_MAX) {
            known[known_count++] = ids[i];
        }
    }
    struct parameter parameters[2];
    size_t parameter_count = 0;
    if (change->value.data != NULL) {
        parameters[parameter_count++] = BIND_TEXT(change->value);
    }
    parameters[parameter_count++] = BIND_TEXT(json_list_of_texts(context->arena, known, known_count));
    const char *sql = text_format(context->arena,
                                  "SELECT j.id, u.role, %s FROM (SELECT DISTINCT id FROM JSON_TABLE(?, '$[*]' COLUMNS "
                                  "(id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$')) l) j "
                                  "LEFT JOIN user u ON u.id = j.id ORDER BY j.id",
                                  is_unchanged[change->action])
                          .data;
    struct walk walk = {.each = each, .argument = argument};
    enum outcome outcome = stream(context, sql, parameters, parameter_count, &walk);
    for (size_t i = 0; i < count && outcome == OK && !walk.is_over; i++) {
        if (text_count_characters(ids[i]) > ID_CHARACTERS_MAX) {
            walk.is_over = !each(context, &(struct bulk_user){.id = ids[i]}, argument);
        }
    }
    return outcome;
}

enum outcome bulk_store_of_listing(struct context *context, const struct bulk_change *change,
                                   const struct user_listing *listing, struct text after, bulk_each *each,
                                   void *argument)
{
    struct user_match match;
    bool is_matched = false;
    enum outcome outcome = OK;
    if (listing->query.length > 0) {
        outcome = user_search_match(context, listing->query, &match, &is_matched);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct user_condition condition = user_page_condition(
        context->arena, &listing->filter, is_matched ? TEXT_NULL : user_page_pattern(context->arena, listing->query));
    struct parameter parameters[USER_CONDITION_PARAMETERS + 2];
    size_t count = 0;
    if (change->value.data != NULL) {
        parameters[count++] = BIND_TEXT(change->value);
    }
    for (size_t i = 0; i < condition.count; i++) {
        parameters[count++] = condition.parameters[i];
    }
    parameters[count++] = BIND_TEXT(after.data != NULL ? after : TEXT(""));
    const char *sql =
        text_format(context->arena, "SELECT u.id, u.role, %s FROM user u%s %s u.id > ? ORDER BY u.id",
                    is_unchanged[change->action], condition.sql, condition.sql[0] == '\0' ? "WHERE" : "AND")
            .data;
    struct walk walk = {.each = each, .argument = argument, .match = is_matched ? &match : NULL};
    return stream(context, sql, parameters, count, &walk);
}
