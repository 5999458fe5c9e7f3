/* user_search.c: see user_search.h. */
#include "store/user_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "store/directory.h"
#include "store/directory_feed.h"

enum {
    ROWS_PER_ID =
        10, /* rows of an index that are read in the time that a row takes which is found by its id and sorted */
    SORTED_MIN = 200,      /* so few are always sorted: it saves a statement */
    WALK_ROWS = 100000,    /* read at once while an index is walked along, at most */
    GROUPED_MAX = 1000,    /* so many are sorted by whether they are in a group; of more, each part is found */
    NARROWED_MAX = 1000,   /* of so many it is asked who passes the filters; else for all who do */
    FILTERED_MAX = 200000, /* of so many users all who pass the filters are read; of more SQL finds the page */
};

/* A list of ids with their rows: one parameter. */
#define LISTED_USERS                                                                                              \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$')) j " \
    "STRAIGHT_JOIN " USER_BY_ID " ON u.id = j.id"

/* ---- Pages that MariaDB sorts ---- */

/* Makes a page of the rows behind `first` others, of `total`: from the nearer end, and of all users or of these ids. */
static void select_page(struct context *context, const struct user_order *order, const struct text *ids, int64_t total,
                        int64_t first, struct user_page *page)
{
    const bool is_by_group = order->group_id.data != NULL;
    const struct user_range range = user_page_range(first, total);
    page->count = (size_t)range.count;
    page->is_reversed = range.is_reversed;
    page->order_by = user_page_order_by(context->arena, order, range.is_reversed, "member");
    page->select =
        text_format(context->arena, "SELECT u.id%s FROM %s", is_by_group ? ", " USER_IS_MEMBER " AS member" : "",
                    ids != NULL ? LISTED_USERS : user_page_from(context->arena, order))
            .data;
    page->parameter_count = 0;
    if (is_by_group) {
        page->parameters[page->parameter_count++] = BIND_TEXT(order->group_id);
    }
    if (ids != NULL) {
        page->parameters[page->parameter_count++] = BIND_TEXT(json_list_of_texts(context->arena, ids, (size_t)total));
    }
    page->parameters[page->parameter_count++] = BIND_INTEGER(range.count);
    page->parameters[page->parameter_count++] = BIND_INTEGER(range.offset);
}

/* ---- Pages of many, in an order that MariaDB knows ---- */

/* Who is listed, and in which order. */
struct sequence {
    const struct directory_filter *filter;
    struct user_order order; /* by a column */
    int64_t users;           /* that there are at all */
};

struct walk {
    const struct directory_filter *filter;
    struct arena *arena; /* of the request */
    int64_t skip, count; /* users that match, before the page and on it */
    int64_t rows;
    bool is_valid;
    struct user_page *page;
};

static bool is_on_page(const struct user_page *page, struct text id)
{
    for (size_t i = 0; i < page->count; i++) {
        if (text_equal(page->ids[i], id)) {
            return true;
        }
    }
    return false;
}

static enum outcome walk_row(struct context *context, const struct value *row, void *argument)
{
    (void)context;
    struct walk *walk = argument;
    bool matches;
    walk->rows++;
    if (!walk->is_valid || walk->count == 0) {
        return OK;
    }
    walk->is_valid = directory_filter_matches(walk->filter, row->text, &matches);
    if (!walk->is_valid || !matches) {
        return OK;
    }
    if (walk->skip > 0) {
        walk->skip--;
    } else if (!is_on_page(walk->page, row->text)) { /* rows may move between two statements */
        walk->page->ids[walk->page->count++] = text_copy(walk->arena, row->text);
        walk->count--;
    }
    return OK;
}

/* Walks along an index until the page is full. */
static enum outcome walk_ids(struct context *context, const struct sequence *sequence, int64_t skip, int64_t count,
                             struct user_page *page)
{
    const char *sql = text_format(context->arena, "SELECT u.id FROM %s ORDER BY %s LIMIT ? OFFSET ?",
                                  user_page_from(context->arena, &sequence->order),
                                  user_page_order_by(context->arena, &sequence->order, false, NULL))
                          .data;
    struct walk walk = {sequence->filter, context->arena, skip, count, 0, true, page};
    enum outcome outcome = OK;
    for (int64_t offset = 0; outcome == OK && walk.is_valid && walk.count > 0;) {
        const int64_t expected = (walk.skip + walk.count + 1) * sequence->users / sequence->filter->count;
        const int64_t limit =
            expected + expected / 8 + USER_PAGE_ROWS < WALK_ROWS ? expected + expected / 8 + USER_PAGE_ROWS : WALK_ROWS;
        walk.rows = 0;
        outcome = database_stream(context, sql, PARAMETERS(BIND_INTEGER(limit), BIND_INTEGER(offset)), walk_row, &walk);
        offset += limit;
        if (walk.rows < limit) {
            break;
        }
    }
    return outcome;
}

static void reverse(struct text *ids, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const struct text swap = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = swap;
    }
}

/* Adds ids of a sequence to a page: `count` of them, behind `skip` others. They are counted from the nearer end. */
static enum outcome add_ids(struct context *context, struct sequence sequence, int64_t skip, int64_t count,
                            struct user_page *page)
{
    const size_t before = page->count;
    const int64_t behind = sequence.filter->count - skip - count;
    const bool is_reversed = behind < skip;
    if (count <= 0) {
        return OK;
    }
    sequence.order.ascending = sequence.order.ascending != is_reversed;
    enum outcome outcome = walk_ids(context, &sequence, is_reversed ? behind : skip, count, page);
    if (is_reversed) {
        reverse(page->ids + before, page->count - before);
    }
    return outcome;
}

/* ---- Members and others ---- */

/* The ids of a group's members, those who match first or last: two sequences, each by name. */
static enum outcome add_by_group(struct context *context, const struct user_order *order,
                                 const struct directory_answer *answer, int64_t users, int64_t first, int64_t count,
                                 struct user_page *page)
{
    struct result members;
    struct directory_filter parts[2]; /* in the order of the list */
    enum outcome outcome = database_execute(context, "SELECT user_id FROM group_member WHERE group_id = ?",
                                            PARAMETERS(BIND_TEXT(order->group_id)), &members, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    const struct user_order by_name = {.column = order->column, .index = order->index, .ascending = true};
    struct text *ids = arena_alloc(context->arena, (members.row_count + 1) * sizeof *ids);
    for (size_t i = 0; i < members.row_count; i++) {
        ids[i] = result_row(&members, i)->text;
    }
    if (!directory_filter_part(context->arena, &answer->filter, ids, members.row_count,
                               &parts[order->ascending ? 1 : 0], &parts[order->ascending ? 0 : 1])) {
        return OK;
    }
    const int64_t of_first = parts[0].count - first < 0       ? 0
                             : parts[0].count - first < count ? parts[0].count - first
                                                              : count;
    const int64_t skipped = first > parts[0].count ? first - parts[0].count : 0;
    outcome = add_ids(context, (struct sequence){&parts[0], by_name, users}, first, of_first, page);
    return outcome == OK
               ? add_ids(context, (struct sequence){&parts[1], by_name, users}, skipped, count - of_first, page)
               : outcome;
}

/* ---- Filters ---- */

/* The ids of a result's first column. */
static struct text *ids_of(struct context *context, const struct result *result)
{
    struct text *ids = arena_alloc(context->arena, (result->row_count + 1) * sizeof *ids);
    for (size_t i = 0; i < result->row_count; i++) {
        ids[i] = result_row(result, i)->text;
    }
    return ids;
}

/* Those of these ids who pass. */
static enum outcome narrow_ids(struct context *context, const struct user_condition *condition, const struct text *ids,
                               size_t count, struct result *passed_r)
{
    struct parameter parameters[1 + USER_CONDITION_PARAMETERS] = {
        BIND_TEXT(json_list_of_texts(context->arena, ids, count))};
    memcpy(parameters + 1, condition->parameters, condition->count * sizeof *parameters);
    return database_execute(context,
                            text_format(context->arena, "SELECT u.id FROM " LISTED_USERS "%s", condition->sql).data,
                            parameters, 1 + condition->count, passed_r, ERROR_NONE);
}

/* Narrows who matches to who also passes the filters: *ids_r has the ids where they are few, else answer->filter has
 * who they are. *is_valid_r false: something has changed meanwhile. */
static enum outcome narrow(struct context *context, const struct user_condition *condition,
                           struct directory_answer *answer, struct text **ids_r, bool *is_valid_r)
{
    struct result passed;
    enum outcome outcome;
    if (answer->total <= NARROWED_MAX) {
        struct text *ids;
        *is_valid_r = directory_filter_ids(context->arena, &answer->filter, &ids);
        outcome = *is_valid_r ? narrow_ids(context, condition, ids, (size_t)answer->total, &passed) : OK;
        if (outcome == OK && *is_valid_r) {
            *ids_r = ids_of(context, &passed);
            answer->total = (int64_t)passed.row_count;
        }
        return outcome;
    }
    outcome = database_execute(context, text_format(context->arena, "SELECT u.id FROM user u%s", condition->sql).data,
                               condition->parameters, condition->count, &passed, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    struct directory_filter others, matching = answer->filter;
    *is_valid_r = directory_filter_part(context->arena, &matching, ids_of(context, &passed), passed.row_count,
                                        &answer->filter, &others);
    answer->total = answer->filter.count;
    return OK;
}

/* ---- A page ---- */

/* Whether sorting all who match takes less than walking along an index. */
static bool is_sorted_sooner(int64_t total, int64_t first, int64_t users)
{
    const int64_t skipped = first < total - first ? first : total - first;
    return total <= SORTED_MIN || total * ROWS_PER_ID <= (skipped + USER_PAGE_ROWS) * users / total;
}

/* A page in an order that the directory does not know. `expected`: users on it. */
static enum outcome find_elsewhere(struct context *context, const struct user_order *order,
                                   const struct directory_answer *answer, bool is_all, int64_t first, int64_t expected,
                                   struct user_page *page)
{
    struct directory_figures figures;
    struct text *ids;
    directory_figures(&figures);
    const bool is_by_group = order->group_id.data != NULL;
    if (is_all && (!is_by_group || answer->total <= GROUPED_MAX)) {
        select_page(context, order, NULL, answer->total, first, page);
        return OK;
    }
    if (is_by_group ? answer->total <= GROUPED_MAX : is_sorted_sooner(answer->total, first, figures.users)) {
        if (directory_filter_ids(context->arena, &answer->filter, &ids)) {
            select_page(context, order, ids, answer->total, first, page);
        }
        return OK;
    }
    return is_by_group
               ? add_by_group(context, order, answer, figures.users, first, expected, page)
               : add_ids(context, (struct sequence){&answer->filter, *order, figures.users}, first, expected, page);
}

/* *found_r: the directory is ready. *is_whole_r: the page has all that it should have; else something has changed
 * meanwhile. */
static enum outcome find_once(struct context *context, const struct user_listing *listing, struct text query,
                              struct user_page *page, bool *found_r, bool *is_whole_r)
{
    const struct user_order order = user_page_order(listing);
    const int64_t first = user_page_first(listing);
    const bool is_filtered = user_filter_is_set(&listing->filter);
    const bool is_all = query.length == 0, is_by_group = order.group_id.data != NULL;
    const bool is_by_creation = !is_filtered && !is_by_group && strcmp(order.column, "created_at") == 0;
    struct directory_question question = {
        .query = query,
        .by_creation = is_by_creation || (is_all && !is_by_group), /* which needs no filter */
        .ascending = order.ascending,
        .skip = first,
        .page = is_by_creation ? USER_PAGE_ROWS : 0,
    };
    struct directory_answer answer;
    *page = (struct user_page){.count = 0};
    *is_whole_r = true;
    *found_r = directory_ask(context->arena, &question, &answer);
    if (!*found_r) {
        return OK;
    }
    struct text *ids = NULL;
    enum outcome outcome = OK;
    if (is_filtered) {
        const struct user_condition condition = user_page_condition(context->arena, &listing->filter, TEXT_NULL);
        outcome = narrow(context, &condition, &answer, &ids, is_whole_r);
        if (outcome != OK || !*is_whole_r) {
            return outcome;
        }
    }
    page->total = answer.total;
    const int64_t left = answer.total - first, expected = left < 0 ? 0 : left < USER_PAGE_ROWS ? left : USER_PAGE_ROWS;
    if (is_by_creation) {
        memcpy(page->ids, answer.ids, answer.count * sizeof *answer.ids);
        page->count = answer.count;
    } else if (expected > 0 && ids != NULL) {
        select_page(context, &order, ids, answer.total, first, page);
    } else if (expected > 0) {
        outcome = find_elsewhere(context, &order, &answer, is_all, first, expected, page);
    }
    *is_whole_r = (int64_t)page->count == expected;
    return outcome;
}

enum outcome user_search_find(struct context *context, const struct user_listing *listing, struct user_page *page_r,
                              bool *found_r)
{
    const struct text query = text_fold(context->arena, listing->query);
    *found_r = false;
    if (!directory_exists() || (query.length == 0 && listing->query.length > 0)) {
        return OK;
    }
    if (user_filter_is_set(&listing->filter)) { /* without a query, indices know better than the directory */
        struct directory_figures figures;
        directory_figures(&figures);
        if (query.length == 0 || figures.users > FILTERED_MAX) {
            return OK;
        }
    }
    for (int attempt = 0; attempt < 2 && directory_feed_catch_up(context); attempt++) {
        bool is_whole;
        enum outcome outcome = find_once(context, listing, query, page_r, found_r, &is_whole);
        if (outcome != OK || is_whole) {
            return outcome;
        }
        *found_r = false;
        if (attempt > 0) {
            directory_feed_doubt();
        }
    }
    return OK;
}

static int compare_ids(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

enum outcome user_search_match(struct context *context, struct text query, struct user_match *match_r, bool *found_r)
{
    const struct directory_question question = {.query = text_fold(context->arena, query)};
    *found_r = false;
    for (int attempt = 0; !*found_r && attempt < 2; attempt++) {
        struct directory_answer answer;
        if (question.query.length == 0 || !directory_exists() || !directory_feed_catch_up(context) ||
            !directory_ask(context->arena, &question, &answer)) {
            return OK;
        }
        *found_r = directory_filter_ids(context->arena, &answer.filter, &match_r->ids);
        match_r->count = (size_t)answer.total;
    }
    if (*found_r) {
        qsort(match_r->ids, match_r->count, sizeof *match_r->ids, compare_ids);
    }
    return OK;
}

bool user_match_has(const struct user_match *match, struct text id)
{
    return bsearch(&id, match->ids, match->count, sizeof *match->ids, compare_ids) != NULL;
}

void user_search_doubt(void)
{
    directory_feed_doubt();
}
