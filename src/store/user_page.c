/* user_page.c: see user_page.h. */
#include "store/user_page.h"

#include "base/array.h"
#include "base/buffer.h"

/* Orders of lists: the name in the query, the column, and the index of both column and id. */
enum { BY_NAME, BY_EMAIL, BY_CREATED_AT, BY_LAST_ACTIVE_AT, BY_UPDATED_AT, BY_ROLE };

static const struct {
    const char *name, *column, *index;
} orders[] = {
    [BY_NAME] = {"name", "name", "user_by_name"},
    [BY_EMAIL] = {"email", "email_order", "user_by_email"},
    [BY_CREATED_AT] = {"created_at", "created_at", "user_by_created_at"},
    [BY_LAST_ACTIVE_AT] = {"last_active_at", "last_active_at", "user_by_last_active_at"},
    [BY_UPDATED_AT] = {"updated_at", "updated_at", "user_by_updated_at"},
    [BY_ROLE] = {"role", "role", "user_by_role"},
};

static struct user_order order_of(size_t which, bool ascending)
{
    return (struct user_order){.column = orders[which].column, .index = orders[which].index, .ascending = ascending};
}

struct user_order user_page_order(const struct user_listing *listing)
{
    static const char group_prefix[] = "group_id:";
    const size_t prefix_length = sizeof group_prefix - 1;
    struct text by = listing->order_by;
    if (by.data != NULL && text_starts_with(by, group_prefix)) {
        struct user_order order = order_of(BY_NAME, listing->ascending);
        order.group_id = (struct text){by.data + prefix_length, by.length - prefix_length};
        return order;
    }
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
        if (text_is(by, orders[i].name)) {
            return order_of(i, listing->ascending);
        }
    }
    return order_of(BY_CREATED_AT, false);
}

bool user_filter_is_set(const struct user_filter *filter)
{
    return filter->role.data != NULL || filter->group_id.data != NULL || filter->by_disabled || filter->by_activity;
}

struct text user_page_pattern(struct arena *arena, struct text query)
{
    struct buffer pattern;
    if (query.length == 0) {
        return TEXT_NULL;
    }
    buffer_init(&pattern, arena);
    buffer_add_byte(&pattern, '%');
    for (size_t i = 0; i < query.length; i++) {
        if (query.data[i] == '%' || query.data[i] == '_' || query.data[i] == '\\') {
            buffer_add_byte(&pattern, '\\');
        }
        buffer_add_byte(&pattern, query.data[i]);
    }
    buffer_add_byte(&pattern, '%');
    return buffer_text(&pattern);
}

static void add_condition(struct buffer *sql, const char *condition)
{
    buffer_add_string(sql, sql->length == 0 ? " WHERE " : " AND ");
    buffer_add_string(sql, condition);
}

struct user_condition user_page_condition(struct arena *arena, const struct user_filter *filter, struct text pattern)
{
    struct user_condition condition = {.count = 0};
    struct buffer sql;
    buffer_init(&sql, arena);
    if (pattern.data != NULL) {
        add_condition(&sql, "(u.name LIKE ? OR u.email_order LIKE ?)");
        condition.parameters[condition.count++] = BIND_TEXT(pattern);
        condition.parameters[condition.count++] = BIND_TEXT(pattern);
    }
    if (filter->role.data != NULL) {
        add_condition(&sql, "u.role = ?");
        condition.parameters[condition.count++] = BIND_TEXT(filter->role);
    }
    if (filter->group_id.data != NULL) {
        add_condition(&sql, USER_IS_MEMBER);
        condition.parameters[condition.count++] = BIND_TEXT(filter->group_id);
    }
    if (filter->by_disabled) {
        add_condition(&sql, filter->is_disabled ? "EXISTS (SELECT 1 FROM auth a WHERE a.id = u.id AND a.active = 0)"
                                                : "NOT " USER_IS_DISABLED);
    }
    if (filter->by_activity) { /* a new account has the time of its creation there */
        add_condition(&sql, "u.last_active_at >= ? AND u.last_active_at > u.created_at");
        condition.parameters[condition.count++] = BIND_INTEGER(filter->active_since);
    }
    condition.sql = buffer_text(&sql).data;
    return condition;
}

int64_t user_page_first(const struct user_listing *listing)
{
    const int64_t page = listing->page < 1 ? 1 : listing->page > INT32_MAX ? INT32_MAX : listing->page;
    return (page - 1) * USER_PAGE_ROWS;
}

struct user_range user_page_range(int64_t first, int64_t total)
{
    const int64_t left = total - first, count = left < USER_PAGE_ROWS ? left : USER_PAGE_ROWS, behind = left - count;
    if (total == USER_TOTAL_UNKNOWN) {
        return (struct user_range){false, USER_PAGE_ROWS, first};
    }
    return behind < first ? (struct user_range){true, count, behind} : (struct user_range){false, count, first};
}

const char *user_page_from(struct arena *arena, const struct user_order *order)
{
    return order->group_id.data != NULL ? "user u" : text_format(arena, "user u FORCE INDEX (%s)", order->index).data;
}

const char *user_page_order_by(struct arena *arena, const struct user_order *order, bool is_reversed,
                               const char *member)
{
    const char *direction = order->ascending == is_reversed ? "DESC" : "ASC", *by_name = is_reversed ? "DESC" : "ASC";
    return order->group_id.data == NULL
               ? text_format(arena, "u.%s %s, u.id %s", order->column, direction, direction).data
               : text_format(arena, "%s %s, u.%s %s, u.id %s", member, direction, order->column, by_name, by_name).data;
}
