#include "store/user_listing.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "config/compatibility.h"
#include "store/chunks.h"
#include "store/picture_store.h"
#include "store/touch_store.h"
#include "store/user_search.h"

/* ---- a page ---- */

#define COUNT_ALL "SELECT COUNT(*) FROM user u"

static enum outcome count_all(struct context *context, const struct user_condition *condition, int64_t *total_r)
{
    const char *sql = text_format(context->arena, COUNT_ALL "%s", condition->sql).data;
    return database_get_integer(context, sql, condition->parameters, condition->count, 0, total_r);
}

/* The SELECT of a page's ids. `counts`: with the total in each row. */
static const char *find_statement(struct arena *arena, const struct user_order *order, const char *condition,
                                  bool counts, bool is_reversed)
{
    return text_format(arena, "SELECT u.id%s%s%s FROM %s%s ORDER BY %s LIMIT ? OFFSET ?", counts ? ", (" COUNT_ALL : "",
                       counts ? condition : "", counts ? ")" : "",
                       condition[0] != '\0' ? "user u" : user_page_from(arena, order), condition,
                       user_page_order_by(arena, order, is_reversed, USER_IS_MEMBER))
        .data;
}

/* The ids of the page, from the first column of the rows that were found. */
static void take_ids(const struct result *found, bool is_reversed, struct user_page *page)
{
    invariant(found->row_count <= USER_PAGE_ROWS);
    for (size_t i = 0; i < found->row_count; i++) {
        page->ids[is_reversed ? found->row_count - 1 - i : i] = result_row(found, i)->text;
    }
    page->count = found->row_count;
}

/* Reads the ids of the page whose first row is behind `first` others, and the total where it is unknown and the page
 * has a row. */
static enum outcome find_ids(struct context *context, const struct user_order *order,
                             const struct user_condition *condition, int64_t first, struct user_page *page_r)
{
    const struct user_range range = user_page_range(first, page_r->total);
    const bool counts = page_r->total == USER_TOTAL_UNKNOWN;
    struct parameter parameters[2 * USER_CONDITION_PARAMETERS + 3];
    size_t count = 0;
    for (size_t i = 0; i < condition->count * (counts ? 2 : 1); i++) {
        parameters[count++] = condition->parameters[i % condition->count];
    }
    if (order->group_id.data != NULL) {
        parameters[count++] = BIND_TEXT(order->group_id);
    }
    parameters[count++] = BIND_INTEGER(range.count);
    parameters[count++] = BIND_INTEGER(range.offset);
    struct result found;
    enum outcome outcome =
        database_execute(context, find_statement(context->arena, order, condition->sql, counts, range.is_reversed),
                         parameters, count, &found, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    take_ids(&found, range.is_reversed, page_r);
    if (counts && found.row_count > 0) {
        page_r->total = result_row(&found, 0)[1].integer;
    }
    return OK;
}

/* A page whose first row is behind so many others is found from the nearer end, after a count of its own if need be. */
enum { FAR_ROWS = 3000 };

enum outcome user_listing_find(struct context *context, const struct user_listing *listing, int64_t total,
                               struct user_page *page_r)
{
    const struct user_order order = user_page_order(listing);
    const struct user_condition condition =
        user_page_condition(context->arena, &listing->filter, user_page_pattern(context->arena, listing->query));
    const int64_t first = user_page_first(listing);
    enum outcome outcome = OK;
    *page_r = (struct user_page){.total = total};
    if (total == USER_TOTAL_UNKNOWN && first >= FAR_ROWS) {
        outcome = count_all(context, &condition, &page_r->total);
    }
    if (outcome == OK && (page_r->total == USER_TOTAL_UNKNOWN || first < page_r->total)) {
        outcome = find_ids(context, &order, &condition, first, page_r);
    }
    if (outcome == OK && page_r->total == USER_TOTAL_UNKNOWN) {
        outcome = count_all(context, &condition, &page_r->total);
    }
    return outcome;
}

static struct parameter parameter_of_value(const struct value *value)
{
    return value->text.data != NULL ? BIND_TEXT(value->text) : BIND_INTEGER(value->integer);
}

enum outcome user_listing_next(struct context *context, const struct user_listing *listing, struct user_place *place,
                               struct user_page *page_r)
{
    const struct user_order order = user_page_order(listing);
    const char *comparison = order.ascending ? ">" : "<";
    const struct user_condition condition =
        user_page_condition(context->arena, &listing->filter, user_page_pattern(context->arena, listing->query));
    struct parameter parameters[USER_CONDITION_PARAMETERS + 4];
    size_t count = condition.count;
    struct buffer sql;
    struct result found;
    invariant(order.group_id.data == NULL);
    buffer_init(&sql, context->arena);
    buffer_add_format(&sql, "SELECT u.id, u.%s FROM %s%s", order.column, user_page_from(context->arena, &order),
                      condition.sql[0] != '\0' ? condition.sql : " WHERE TRUE");
    memcpy(parameters, condition.parameters, count * sizeof *parameters);
    if (place->is_behind) {
        buffer_add_format(&sql, " AND (u.%s %s ? OR (u.%s = ? AND u.id %s ?))", order.column, comparison, order.column,
                          comparison);
        parameters[count++] = parameter_of_value(&place->key);
        parameters[count++] = parameter_of_value(&place->key);
        parameters[count++] = parameter_of_value(&place->id);
    }
    buffer_add_format(&sql, " ORDER BY %s LIMIT ?", user_page_order_by(context->arena, &order, false, NULL));
    parameters[count++] = BIND_INTEGER(USER_PAGE_ROWS);
    *page_r = (struct user_page){.total = USER_TOTAL_UNKNOWN};
    enum outcome outcome = database_execute(context, buffer_text(&sql).data, parameters, count, &found, ERROR_NONE);
    if (outcome == OK && found.row_count > 0) {
        const struct value *last = result_row(&found, found.row_count - 1);
        take_ids(&found, false, page_r);
        *place = (struct user_place){.is_behind = true, .key = last[1], .id = last[0]};
    }
    return outcome;
}

/* The ids of a user's groups as one text: of each its length in bytes, a colon, and the id. Null: no groups. */
#define GROUP_IDS                                                                                              \
    "(SELECT GROUP_CONCAT(LENGTH(m.group_id), ':', m.group_id ORDER BY g.updated_at DESC, g.id SEPARATOR '') " \
    "FROM group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id = u.id)"

bool user_listing_next_group(struct text *groups, struct text *id_r)
{
    size_t at = 0, length = 0;
    if (groups->length == 0) {
        return false;
    }
    while (groups->data[at] != ':') {
        length = length * 10 + (size_t)(groups->data[at++] - '0');
        invariant(at < groups->length);
    }
    at++;
    invariant(length <= groups->length - at);
    *id_r = (struct text){groups->data + at, length};
    *groups = (struct text){groups->data + at + length, groups->length - at - length};
    return true;
}

/* Puts the rows into the order of the page's ids. The first column is the id. */
static void sort_rows(struct context *context, const struct user_page *page, struct result *users)
{
    const size_t row_size = users->column_count * sizeof *users->values;
    struct value *sorted = arena_alloc(context->arena, users->row_count * row_size);
    size_t done = 0;
    for (size_t i = 0; i < page->count; i++) {
        for (size_t j = 0; j < users->row_count && done < users->row_count; j++) {
            if (text_equal(result_row(users, j)->text, page->ids[i])) {
                memcpy(sorted + done++ * users->column_count, result_row(users, j), row_size);
                break;
            }
        }
    }
    users->values = sorted;
}

_Static_assert((int)USER_id == 0 && (int)USER_INFO_id == 0, "sort_rows looks at the first column");
_Static_assert((int)USER_PAGE_ROWS <= (int)DATABASE_LIST_MAX, "a page is one list");

/* The rows whose ids are given. */
static enum outcome read_ids(struct context *context, const struct user_page *page, bool whole, struct result *users_r)
{
    static const char *sql_whole, *sql_info[COMPATIBILITY_NEWEST + 1];
    const enum compatibility compatibility = context->config->compatibility;
    const char *sql =
        whole ? rows_statement(&sql_whole, "SELECT %s, " GROUP_IDS " FROM " USER_BY_ID " WHERE u.id IN " DATABASE_LIST,
                               rows_of_user)
              : rows_statement(&sql_info[compatibility], "SELECT %s FROM " USER_BY_ID " WHERE u.id IN " DATABASE_LIST,
                               rows_of_user_info(compatibility));
    enum outcome outcome = database_execute_texts(context, sql, page->ids, page->count, users_r);
    if (outcome == OK) {
        sort_rows(context, page, users_r);
    }
    return outcome;
}

static void reverse_rows(struct context *context, struct result *users)
{
    const size_t columns = users->column_count;
    struct value *reversed = arena_alloc(context->arena, users->row_count * columns * sizeof *reversed);
    for (size_t i = 0; i < users->row_count; i++) {
        memcpy(reversed + i * columns, result_row(users, users->row_count - 1 - i), columns * sizeof *reversed);
    }
    users->values = reversed;
}

/* The rows whose ids a SELECT finds. */
static enum outcome read_selected(struct context *context, const struct user_page *page, bool whole,
                                  struct result *users_r)
{
    const char *sql = text_format(context->arena,
                                  "SELECT %s%s FROM (%s ORDER BY %s LIMIT ? OFFSET ?) page STRAIGHT_JOIN " USER_BY_ID
                                  " ON u.id = page.id ORDER BY %s",
                                  whole ? rows_of_user : rows_of_user_info(context->config->compatibility),
                                  whole ? ", " GROUP_IDS : "", page->select, page->order_by, page->order_by)
                          .data;
    enum outcome outcome = database_execute(context, sql, page->parameters, page->parameter_count, users_r, ERROR_NONE);
    if (outcome == OK && page->is_reversed) {
        reverse_rows(context, users_r);
    }
    return outcome;
}

/* Reads the ids that a SELECT finds, in its place. */
static enum outcome select_ids(struct context *context, struct user_page *page)
{
    const char *sql = text_format(context->arena, "%s ORDER BY %s LIMIT ? OFFSET ?", page->select, page->order_by).data;
    struct result ids;
    enum outcome outcome = database_execute(context, sql, page->parameters, page->parameter_count, &ids, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    take_ids(&ids, page->is_reversed, page);
    page->select = NULL;
    return OK;
}

/* Whether a UserInfo says how long ago something was. */
static bool user_info_ages(const struct context *context)
{
    return config_has(context->config, user_info_columns[USER_INFO_last_active_at].since);
}

enum outcome user_listing_rows(struct context *context, const struct user_page *page, bool whole,
                               struct result *users_r)
{
    *users_r = (struct result){0};
    if (page->count == 0) {
        return OK;
    }
    enum outcome outcome =
        page->select != NULL ? read_selected(context, page, whole, users_r) : read_ids(context, page, whole, users_r);
    if (outcome == OK && whole) {
        picture_store_adopt(context, users_r);
        touch_store_lay_over_rows(context, TOUCH_USER, users_r, USER_id, USER_last_active_at);
    } else if (outcome == OK && user_info_ages(context)) {
        touch_store_lay_over_rows(context, TOUCH_USER, users_r, USER_INFO_id, USER_INFO_last_active_at);
    }
    return outcome;
}

/* ---- a page as it is shown ---- */

/* What is shown of a user depends on the row, that of User on the groups, too, and both on the directive compatibility:
 * a letter for each. */
static struct table_key key_of(struct context *context, struct text user_id, bool whole)
{
    static const char letters[][2] = {[COMPATIBILITY_0_6] = {'i', 'l'}, [COMPATIBILITY_0_12] = {'j', 'm'}};
    struct table_key key = row_cache_row_key(context, letters[context->config->compatibility][whole], user_id);
    if (whole) {
        key.concerns[2] = VERSION_GROUPS;
    }
    return key;
}

/* Fills in who is in the table. The others follow in *missing_r. */
static void take_kept(struct context *context, const struct user_page *page, bool whole, struct listed_page *page_r,
                      struct user_page *missing_r)
{
    *missing_r = (struct user_page){.count = 0};
    for (size_t i = 0; i < page->count; i++) {
        struct listed_user *user = &page_r->users[i];
        user->id = page->ids[i];
        user->key = key_of(context, user->id, whole);
        if (whole ? touch_table_look(TOUCH_USER, user->id) >= 0 : user_info_ages(context)) {
            /* last_active_at may have changed; the row is read, and not kept: the stamp allows nothing */
            missing_r->ids[missing_r->count++] = user->id;
            continue;
        }
        user->shown = row_cache_get(context, &user->key);
        if (user->shown.data == NULL) {
            user->stamp = row_cache_stamp(context, &user->key);
            missing_r->ids[missing_r->count++] = page->ids[i];
        }
    }
}

/* Gives the others their rows, which are in the order of the page. Who has none is left out. */
static void fill_in(const struct user_page *page, const struct result *rows, struct listed_page *page_r)
{
    size_t kept = 0, row = 0;
    for (size_t i = 0; i < page->count; i++) {
        struct listed_user *user = &page_r->users[i];
        if (user->shown.data == NULL && row < rows->row_count &&
            text_equal(result_row(rows, row)->text, page->ids[i])) {
            user->row = result_row(rows, row++);
        }
        if (user->shown.data != NULL || user->row != NULL) {
            page_r->users[kept++] = *user;
        }
    }
    page_r->count = kept;
}

/* Everybody as a row. */
static enum outcome show_rows(struct context *context, const struct user_page *page, bool whole,
                              struct listed_page *page_r)
{
    struct result rows;
    enum outcome outcome = user_listing_rows(context, page, whole, &rows);
    for (size_t i = 0; outcome == OK && i < rows.row_count; i++) {
        page_r->users[page_r->count++] =
            (struct listed_user){.id = result_row(&rows, i)->text, .row = result_row(&rows, i)};
    }
    return outcome;
}

static enum outcome show_page(struct context *context, struct user_page *page, bool whole, struct listed_page *page_r)
{
    struct user_page missing;
    struct result rows;
    *page_r = (struct listed_page){.total = page->total};
    if (page->select != NULL && row_cache_is_usable(context)) {
        enum outcome outcome = select_ids(context, page);
        if (outcome != OK) {
            return outcome;
        }
    }
    if (page->select != NULL) {
        return show_rows(context, page, whole, page_r);
    }
    take_kept(context, page, whole, page_r, &missing);
    enum outcome outcome = user_listing_rows(context, &missing, whole, &rows);
    if (outcome == OK) {
        fill_in(page, &rows, page_r);
    }
    return outcome;
}

/* One row is missing where somebody was deleted meanwhile; who is missing twice was deleted by hand. */
enum outcome user_listing_show(struct context *context, const struct user_listing *listing, struct listed_page *page_r)
{
    struct user_page page;
    enum outcome outcome = OK;
    bool is_found = true;
    for (int attempt = 0; outcome == OK && is_found && attempt < 2; attempt++) {
        outcome = user_search_find(context, listing, &page, &is_found);
        if (outcome == OK && is_found) {
            outcome = show_page(context, &page, listing->whole, page_r);
            if (outcome != OK || page_r->count == page.count) {
                return outcome;
            }
        }
    }
    if (is_found) {
        user_search_doubt();
    }
    if (outcome == OK) {
        outcome = user_listing_find(context, listing, USER_TOTAL_UNKNOWN, &page);
    }
    return outcome == OK ? show_page(context, &page, listing->whole, page_r) : outcome;
}

void user_listing_keep(const struct listed_user *user, struct text shown)
{
    if (user->stamp.may_store) {
        row_cache_put(&user->key, &user->stamp, shown);
    }
}

/* ---- all of them, and members ---- */

enum outcome user_listing_all(struct context *context, user_each *each, void *argument)
{
    static const char *sql[COMPATIBILITY_NEWEST + 1];
    const enum compatibility compatibility = context->config->compatibility;
    const struct chunks chunks = {
        .select =
            rows_statement(&sql[compatibility],
                           "SELECT u.created_at, u.id, %s FROM user u FORCE INDEX (user_by_created_at) WHERE TRUE",
                           rows_of_user_info(compatibility)),
        .key = "u.created_at",
        .id = "u.id",
        .descending = true,
    };
    return chunks_stream(context, &chunks, NO_PARAMETERS, each, argument);
}

enum outcome user_listing_members(struct context *context, struct text group_id, user_each *each, void *argument)
{
    static const char *sql[COMPATIBILITY_NEWEST + 1];
    const enum compatibility compatibility = context->config->compatibility;
    const struct chunks chunks = {
        .select =
            rows_statement(&sql[compatibility],
                           "SELECT m.created_at, m.id, %s FROM group_member m FORCE INDEX (group_member_in_order) "
                           "STRAIGHT_JOIN user u ON u.id = m.user_id WHERE m.group_id = ?",
                           rows_of_user_info(compatibility)),
        .key = "m.created_at",
        .id = "m.id",
    };
    return chunks_stream(context, &chunks, PARAMETERS(BIND_TEXT(group_id)), each, argument);
}
