/* user_page.c: see user_page.h. */
#include "store/user_page.h"

#include "base/array.h"

/* Orders of lists: the name in the query, and the column, which has an index. */
static const struct {
    const char *name, *column;
} orders[] = {
    {"name", "name"},
    {"email", "email_order"},
    {"created_at", "created_at"},
    {"last_active_at", "last_active_at"},
    {"updated_at", "updated_at"},
    {"role", "role"},
};

struct user_order user_page_order(const struct user_listing *listing)
{
    static const char group_prefix[] = "group_id:";
    const size_t prefix_length = sizeof group_prefix - 1;
    struct text by = listing->order_by;
    struct user_order order = {.column = "created_at", .ascending = listing->ascending};
    if (by.data != NULL && text_starts_with(by, group_prefix)) {
        order.group_id = (struct text){by.data + prefix_length, by.length - prefix_length};
        return order;
    }
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
        if (text_is(by, orders[i].name)) {
            order.column = orders[i].column;
            return order;
        }
    }
    order.ascending = false;
    return order;
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

const char *user_page_order_by(struct arena *arena, const struct user_order *order, bool is_reversed,
                               const char *member)
{
    const char *direction = order->ascending == is_reversed ? "DESC" : "ASC", *by_name = is_reversed ? "DESC" : "ASC";
    return order->group_id.data == NULL
               ? text_format(arena, "u.%s %s, u.id %s", order->column, direction, direction).data
               : text_format(arena, "%s %s, u.name %s, u.id %s", member, direction, by_name, by_name).data;
}
