/* listing_fixture.h: what a page of a list should be: what the plain SELECT with that OFFSET gives. */
#ifndef ROSTER_T_LISTING_FIXTURE_H
#define ROSTER_T_LISTING_FIXTURE_H

#include <stdio.h>

#include "base/json_writer.h"
#include "store/user_page.h"
#include "store_fixture.h"

/* An order that a list may have, and what SQL says for it. %s: the direction. */
struct listing_order {
    const char *order_by, *clause;
};

#define LISTING_ORDER_OF(name, column) {name, "u." column " %1$s, u.id %1$s"}
#define LISTING_ORDER_OF_MEMBERS(group) \
    {"group_id:" group, "u.id IN (SELECT user_id FROM group_member WHERE group_id = '" group "') %1$s, u.name, u.id"}
#define LISTING_ORDER_OF_NOBODY(group) {"group_id:" group, "u.name, u.id"}
#define LISTING_ORDER_UNKNOWN(name) {name, "u.created_at DESC, u.id DESC"}

/* A search, and what SQL says for it. */
struct listing_filter {
    const char *query, *condition;
    struct user_filter filter; /* zero: none */
};

#define LISTING_QUERY(query, condition) \
    {                                   \
        query, condition,               \
        {                               \
            .by_disabled = false        \
        }                               \
    }

/* Filters of a list, and what SQL says for them. In people whom add_people has made. */
#define LISTING_FILTERS(group)                                                                                         \
    {NULL, "u.role = 'admin'", {.role = {"admin", 5}}},                                                                \
        {NULL,                                                                                                         \
         "u.id IN (SELECT user_id FROM group_member WHERE group_id = '" group "')",                                    \
         {.group_id = {group, sizeof group - 1}}},                                                                     \
        {NULL, "u.id IN (SELECT id FROM auth WHERE active = 0)", {.by_disabled = true, .is_disabled = true}},          \
        {NULL, "u.id NOT IN (SELECT id FROM auth WHERE active = 0)", {.by_disabled = true}},                           \
        {NULL, "u.last_active_at >= 3 AND u.last_active_at > u.created_at", {.by_activity = true, .active_since = 3}}, \
    {                                                                                                                  \
        "bjo",                                                                                                         \
            "u.name LIKE '%bjo%' AND u.role = 'admin' AND u.id NOT IN (SELECT id FROM auth WHERE active = 0) "         \
            "AND u.id IN (SELECT user_id FROM group_member WHERE group_id = '" group "')",                             \
        {                                                                                                              \
            .role = {"admin", 5}, .group_id = {group, sizeof group - 1}, .by_disabled = true                           \
        }                                                                                                              \
    }

/* Some of them are disabled. */
static inline void listing_disable_some(void)
{
    execute("INSERT IGNORE INTO auth (id, email, password, active) SELECT id, email, '', CRC32(id) % 5 > 0 FROM user "
            "WHERE CRC32(id) % 3 > 0");
}

/* Ids in one text. */
static inline struct text listing_ids(const struct text *ids, size_t count)
{
    return json_list_of_texts(context.arena, ids, count);
}

/* Those in the first column of some rows, a page at most. */
static inline struct text listing_ids_of_rows(const struct result *rows)
{
    struct text ids[USER_PAGE_ROWS];
    assert_in_range(rows->row_count, 0, USER_PAGE_ROWS);
    for (size_t i = 0; i < rows->row_count; i++) {
        ids[i] = result_row(rows, i)->text;
    }
    return listing_ids(ids, rows->row_count);
}

static inline struct text listing_expected(const struct listing_filter *filter, const struct listing_order *order,
                                           bool ascending, int64_t page)
{
    struct result rows;
    char by[256];
    snprintf(by, sizeof by, order->clause, ascending ? "ASC" : "DESC");
    const char *sql = text_format(context.arena, "SELECT u.id FROM user u WHERE %s ORDER BY %s LIMIT 30 OFFSET %d",
                                  filter->condition, by, (int)((page < 1 ? 1 : page) - 1) * 30)
                          .data;
    assert_int_equal(database_execute(&context, sql, NULL, 0, &rows, ERROR_NONE), OK);
    return listing_ids_of_rows(&rows);
}

/* How many match. */
static inline int64_t listing_total(const struct listing_filter *filter)
{
    return ask_integer(text_format(context.arena, "SELECT COUNT(*) FROM user u WHERE %s", filter->condition).data);
}

#endif
