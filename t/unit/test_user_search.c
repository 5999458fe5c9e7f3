/* test_user_search.c: pages found with the directory against a MariaDB of our own. Each page in each order, of each
 * search, has the rows that the plain SELECT with that OFFSET gives; of few people and of so many that all ways are
 * taken. */
#include "store/user_search.h"

#include "base/array.h"
#include "listing_fixture.h"
#include "store/directory.h"
#include "store/directory_feed.h"
#include "store/user_listing.h"
#include "unit.h"

enum { FEW = 230, MANY = 4000 };

/* People whose names, addresses, roles and times are often equal, in groups of many and of few. */
static void add_people(int from, int to)
{
    static const char names[] = "CONCAT(ELT(seq % 6 + 1, 'Ada', 'ADA', 'Bj\xC3\xB6rn', 'bjorn', '\xE2\x82\xAC', "
                                "'\xE5\xB1\xB1\xE7\x94\xB0'), IF(seq % 3, '', ' x'))";
    execute(text_format(
                context.arena,
                "INSERT INTO user (id, email, name, role, last_active_at, updated_at, created_at, changed_at) SELECT "
                "CONCAT(IF(seq %% 2, 'b', 'A'), MD5(seq)), CONCAT(IF(seq %% 4, 'e', '\xC3\xA9'), seq, '@example.org'), "
                "%s, ELT(seq %% 3 + 1, 'user', 'admin', 'pending'), seq %% 11, 5, seq DIV 50, NULL FROM seq_%d_to_%d",
                names, from, to)
                .data);
    listing_disable_some();
    execute("DELETE FROM group_member");
    execute("INSERT INTO group_member (id, group_id, user_id) SELECT UUID(), g.id, u.id FROM user u JOIN `group` g "
            "WHERE CRC32(CONCAT(u.id, g.id)) % IF(g.id = 'half', 2, 70) = 0 AND g.id <> 'none'");
    arena_reset(context.arena);
}

static void read_all(void)
{
    assert_true(directory_lock(0));
    directory_empty();
    directory_unlock();
    while (directory_state() != DIRECTORY_READY) {
        assert_int_equal(directory_feed_upkeep(&context), 0);
        arena_reset(context.arena);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (!store_set_up("", 0) || !directory_create(8 * 1024 * 1024)) {
        return -1;
    }
    execute(
        "INSERT INTO `group` (id, user_id, name) VALUES ('half', 'x', 'h'), ('some', 'x', 's'), ('none', 'x', 'n')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

static const struct listing_order orders[] = {
    LISTING_ORDER_OF("name", "name"),
    LISTING_ORDER_OF("email", "email_order"),
    LISTING_ORDER_OF("created_at", "created_at"),
    LISTING_ORDER_OF("last_active_at", "last_active_at"),
    LISTING_ORDER_OF("role", "role"),
    LISTING_ORDER_OF_MEMBERS("half"),
    LISTING_ORDER_OF_MEMBERS("some"),
    LISTING_ORDER_OF_NOBODY("none"),
    LISTING_ORDER_UNKNOWN("size"),
    LISTING_ORDER_UNKNOWN(NULL),
};

static const struct listing_filter filters[] = {
    LISTING_QUERY(NULL, "TRUE"),
    LISTING_QUERY("bjo", "u.name LIKE '%bjo%'"),
    LISTING_QUERY("77", "u.email_order LIKE '%77%'"),
    LISTING_QUERY("X", "u.name LIKE '%x%' OR u.email_order LIKE '%x%'"),
    LISTING_QUERY("\xE5\xB1\xB1", "u.name LIKE '%\xE5\xB1\xB1%'"),
    LISTING_QUERY("%", "FALSE"),
    LISTING_FILTERS("half"),
    {"e", "(u.name LIKE '%e%' OR u.email_order LIKE '%e%') AND u.role = 'user'", {.role = {"user", 4}}},
};

/* Without a query SQL knows better. */
static bool is_for_sql(const struct listing_filter *filter)
{
    return filter->query == NULL && user_filter_is_set(&filter->filter);
}

static void compare_page(struct user_listing listing, size_t filter, size_t order, int64_t total)
{
    struct text expected = listing_expected(&filters[filter], &orders[order], listing.ascending, listing.page);
    struct user_page page;
    struct result rows;
    bool is_found;
    assert_int_equal(user_search_find(&context, &listing, &page, &is_found), OK);
    assert_int_equal(is_found, !is_for_sql(&filters[filter]));
    if (!is_found) {
        return;
    }
    assert_int_equal(page.total, total);
    assert_int_equal(user_listing_rows(&context, &page, false, &rows), OK);
    struct text got = listing_ids_of_rows(&rows);
    if (!text_equal(got, expected) || rows.row_count != page.count) {
        fail_msg("%s %s, '%s', page %d, total %d:\n%s\ninstead of\n%s", orders[order].order_by,
                 listing.ascending ? "ASC" : "DESC", filters[filter].query, (int)listing.page, (int)total, got.data,
                 expected.data);
    }
    arena_reset(context.arena);
}

/* Pages at both ends, in the middle, and behind the last one. */
static void compare_pages(size_t order, size_t filter, bool ascending)
{
    const int64_t total = listing_total(&filters[filter]);
    const int64_t last = (total + 29) / 30, pages[] = {1, 2, last / 3, last / 2 + 1, last - 1, last, last + 1};
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        if (pages[i] >= 1 && (i == 0 || pages[i] > pages[i - 1])) {
            compare_page((struct user_listing){.query = text_of(filters[filter].query),
                                               .filter = filters[filter].filter,
                                               .order_by = text_of(orders[order].order_by),
                                               .ascending = ascending,
                                               .page = pages[i]},
                         filter, order, total);
        }
    }
}

static void compare_all(void)
{
    for (size_t order = 0; order < ARRAY_COUNT(orders); order++) {
        for (size_t filter = 0; filter < ARRAY_COUNT(filters); filter++) {
            compare_pages(order, filter, true);
            compare_pages(order, filter, false);
        }
    }
}

static void nobody(void **state)
{
    (void)state;
    read_all();
    compare_all();
}

static void few(void **state)
{
    (void)state;
    add_people(1, FEW);
    read_all();
    compare_all();
}

static void many(void **state)
{
    (void)state;
    add_people(FEW + 1, MANY);
    read_all();
    compare_all();
}

static void queries_without_letters(void **state)
{
    (void)state;
    struct user_page page;
    bool is_found;
    struct user_listing listing = {.query = TEXT("\xCC\x81"), .page = 1}; /* an accent alone */
    assert_int_equal(user_search_find(&context, &listing, &page, &is_found), OK);
    assert_false(is_found);
    listing.query = TEXT("");
    assert_int_equal(user_search_find(&context, &listing, &page, &is_found), OK);
    assert_true(is_found);
    assert_int_equal(page.total, MANY);
}

static const char *first_name(const char *order_by, const char *query, int64_t *total_r)
{
    struct listed_page page;
    struct user_listing listing = {
        .query = text_of(query), .order_by = text_of(order_by), .ascending = true, .page = 1};
    assert_int_equal(user_listing_show(&context, &listing, &page), OK);
    *total_r = page.total;
    return page.count > 0 ? page.users[0].row[USER_INFO_name].text.data : "nobody";
}

/* Somebody whom the directory knows, and MariaDB does not. */
static void deleted_by_hand(void **state)
{
    (void)state;
    int64_t total;
    execute("INSERT INTO user (id, email, name, created_at) VALUES ('by-hand', 'q1', 'AAA by hand', 1), "
            "('stays', 'q2', 'AAA stays', 2)");
    assert_string_equal(first_name("created_at", "aaa", &total), "AAA by hand");
    execute("DELETE FROM user WHERE id = 'by-hand'");
    assert_string_equal(first_name("created_at", "aaa", &total), "AAA stays");
    assert_int_equal(total, 1);
    assert_string_equal(first_name("name", "aaa", &total), "AAA stays");
    assert_int_equal(total, 1);
    while (directory_feed_upkeep(&context) == 0) { /* now all ids are compared */
        arena_reset(context.arena);
    }
    assert_string_equal(first_name("created_at", "aaa", &total), "AAA stays");
    assert_int_equal(total, 1);
    struct user_page page;
    bool is_found;
    struct user_listing listing = {.query = TEXT("aaa"), .page = 1};
    assert_int_equal(user_search_find(&context, &listing, &page, &is_found), OK);
    assert_true(is_found);
    assert_int_equal(page.total, 1);
    assert_true(page.count == 1 && text_is(page.ids[0], "stays"));
}

static void not_ready(void **state)
{
    (void)state;
    int64_t total;
    assert_true(directory_lock(0));
    directory_empty();
    directory_unlock();
    assert_string_equal(first_name("name", "aaa", &total), "AAA stays");
    assert_int_equal(total, 1);
    assert_true(directory_create(0));
    assert_string_equal(first_name("name", "aaa", &total), "AAA stays");
    assert_int_equal(directory_feed_upkeep(&context), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody),
        cmocka_unit_test(few),
        cmocka_unit_test(many),
        cmocka_unit_test(queries_without_letters),
        cmocka_unit_test(deleted_by_hand),
        cmocka_unit_test(not_ready),
    };
    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("user_search", tests, set_up, tear_down);
}
