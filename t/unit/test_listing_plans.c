/* test_listing_plans.c: how many rows MariaDB reads and sorts for a page of a list while its statistics are of a time
 * when nobody was there, as they are for a while after many people came: it believes then that reading everybody takes
 * no time. Each order, from both ends, at the first page, in the middle and at the last one. */
#include "base/array.h"
#include "listing_fixture.h"
#include "store/directory.h"
#include "store/directory_feed.h"
#include "store/overview_store.h"
#include "store/user_listing.h"
#include "store/user_search.h"
#include "unit.h"

enum {
    PEOPLE = 6000,
    A_PAGE = 600 /* rows that are read for thirty users in all, at most: of each a few tables and the sorted page */
};

static int set_up(void **state)
{
    (void)state;
    if (!store_set_up("", 0) || !directory_create(8 * 1024 * 1024)) {
        return -1;
    }
    execute("ALTER TABLE user STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0");
    execute("ALTER TABLE auth STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0");
    execute("ANALYZE TABLE user, auth");
    execute("REPLACE INTO mysql.table_stats VALUES ('roster', 'user', 1), ('roster', 'auth', 1)");
    execute(text_format(
                context.arena,
                "INSERT INTO user (id, email, name, role, last_active_at, updated_at, created_at, changed_at) SELECT "
                "MD5(seq), CONCAT(seq, '@example.org'), CONCAT(IF(seq %% 300, 'Ada ', 'Grace '), MD5(seq + 7)), "
                "ELT(seq %% 3 + 1, 'user', 'admin', 'pending'), seq %% 900, seq %% 800, seq %% 700, NULL "
                "FROM seq_1_to_%d",
                PEOPLE)
                .data);
    execute("INSERT INTO auth (id, email, password) SELECT id, email, 'x' FROM user");
    execute("FLUSH TABLES");
    while (directory_state() != DIRECTORY_READY) {
        assert_int_equal(directory_feed_upkeep(&context), 0);
        arena_reset(context.arena);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

static int64_t counted(const char *names)
{
    return ask_integer(text_format(context.arena,
                                   "SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.session_status "
                                   "WHERE variable_name IN (%s)",
                                   names)
                           .data);
}

static void start_counting(void)
{
    execute("FLUSH STATUS");
}

/* What was run since then has sorted so many times, and read so many rows, at most. */
static void compare_counts(const char *what, const struct user_listing *listing, int64_t sorts, int64_t rows)
{
    const int64_t read = counted("'Handler_read_first', 'Handler_read_key', 'Handler_read_last', 'Handler_read_next', "
                                 "'Handler_read_prev', 'Handler_read_rnd', 'Handler_read_rnd_next'");
    const int64_t sorted = counted("'Sort_scan', 'Sort_range', 'Sort_merge_passes'");
    if (read > rows || sorted > sorts) {
        fail_msg("%s by %s %s, page %d: %d rows read, of %d at most; sorted %d times, of %d at most", what,
                 listing->order_by.data, listing->ascending ? "ASC" : "DESC", (int)listing->page, (int)read, (int)rows,
                 (int)sorted, (int)sorts);
    }
}

/* Rows between the page and the nearer end of the list. */
static int64_t skipped(int64_t page, int64_t total)
{
    return user_page_range((page - 1) * USER_PAGE_ROWS, total).offset;
}

/* Whom SQL finds. */
static void find_by_sql(const struct user_listing *listing)
{
    struct user_page page;
    start_counting();
    assert_int_equal(user_listing_find(&context, listing, PEOPLE, &page), OK);
    compare_counts("found", listing, 0, skipped(listing->page, PEOPLE) + A_PAGE);
    start_counting();
    assert_int_equal(user_listing_find(&context, listing, USER_TOTAL_UNKNOWN, &page), OK);
    compare_counts("found and counted", listing, 0, 2 * PEOPLE + A_PAGE);
    assert_int_equal(page.count, USER_PAGE_ROWS);
}

/* What is shown of them, to clients and to administrators. */
static void read_rows(const struct user_listing *listing, struct user_page *page, int64_t sorts, int64_t skip)
{
    struct result users;
    struct text ids[USER_PAGE_ROWS];
    struct account_overview overviews[USER_PAGE_ROWS];
    start_counting();
    assert_int_equal(user_listing_rows(&context, page, true, &users), OK);
    compare_counts("read", listing, sorts, skip + A_PAGE);
    assert_int_equal(users.row_count, page->count);
    for (size_t i = 0; i < users.row_count; i++) {
        ids[i] = result_row(&users, i)[USER_id].text;
    }
    start_counting();
    assert_int_equal(overview_store_accounts(&context, ids, users.row_count, overviews), OK);
    compare_counts("looked over", listing, 0, A_PAGE);
}

/* Whom the directory finds: everybody, by an index; many, by walking along it; few, whom MariaDB sorts. */
static void find_by_directory(const struct user_listing *listing)
{
    struct user_page page;
    bool is_found;
    start_counting();
    assert_int_equal(user_search_find(&context, listing, &page, &is_found), OK);
    assert_true(is_found);
    const int64_t skip = skipped(listing->page, page.total);
    compare_counts("searched", listing, 0, skip + skip / 4 + A_PAGE);
    assert_int_equal(page.count, page.total < USER_PAGE_ROWS ? page.total : USER_PAGE_ROWS);
    const int64_t sorts = listing->query.length == 0 ? 1 : 2; /* the page, and of few all of them */
    read_rows(listing, &page, page.select != NULL ? sorts : 0, skip);
    arena_reset(context.arena);
}

/* The page behind it, for a list that is read to its end. */
static void read_on(const struct user_listing *listing)
{
    struct user_page page;
    struct user_place place = {.is_behind = true};
    const struct user_order order = user_page_order(listing);
    assert_int_equal(user_listing_find(&context, listing, PEOPLE, &page), OK);
    place.id.text = page.ids[0];
    place.key =
        *ask(text_format(context.arena, "SELECT %s FROM user WHERE id = '%s'", order.column, page.ids[0].data).data);
    start_counting();
    assert_int_equal(user_listing_next(&context, listing, &place, &page), OK);
    compare_counts("read on", listing, 0, A_PAGE);
    assert_int_equal(page.count, listing->page == PEOPLE / USER_PAGE_ROWS ? USER_PAGE_ROWS - 1 : USER_PAGE_ROWS);
    arena_reset(context.arena);
}

static const char *const orders[] = {"name", "email", "created_at", "last_active_at", "updated_at", "role"};

static void pages(const char *query, int64_t last, void (*look)(const struct user_listing *listing))
{
    const int64_t numbers[] = {1, last / 3 + 1, (last + 1) / 2, last};
    for (size_t order = 0; order < ARRAY_COUNT(orders); order++) {
        for (size_t i = 0; i < 2 * ARRAY_COUNT(numbers); i++) {
            const struct user_listing listing = {.query = text_of(query),
                                                 .order_by = text_of(orders[order]),
                                                 .ascending = i % 2 == 0,
                                                 .page = numbers[i / 2]};
            look(&listing);
        }
    }
}

static void everybody_by_sql(void **state)
{
    (void)state;
    pages("", PEOPLE / USER_PAGE_ROWS, find_by_sql);
}

static void read_to_the_end(void **state)
{
    (void)state;
    pages("", PEOPLE / USER_PAGE_ROWS, read_on);
}

static void everybody(void **state)
{
    (void)state;
    pages("", PEOPLE / USER_PAGE_ROWS, find_by_directory);
}

static void many(void **state)
{
    (void)state;
    pages("ada", PEOPLE / USER_PAGE_ROWS - 1, find_by_directory);
}

static void few(void **state)
{
    (void)state;
    pages("grace", 1, find_by_directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_by_sql),
        cmocka_unit_test(read_to_the_end),
        cmocka_unit_test(everybody),
        cmocka_unit_test(many),
        cmocka_unit_test(few),
    };
    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("listing_plans", tests, set_up, tear_down);
}
