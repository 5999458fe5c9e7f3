/* test_user_listing.c: pages of lists against a MariaDB of our own: each page in each order has the rows that the plain
 * SELECT with that OFFSET gives, whether the total is known or not. */
#include "store/user_listing.h"

#include "base/array.h"
#include "base/buffer.h"
#include "listing_fixture.h"
#include "store/group_store.h"
#include "unit.h"

/* People whose names, addresses, roles and times are often equal, in groups; many more come at the end. */
enum { PEOPLE = 217, PEOPLE_LATER = 3500 };

static void add_people(int from, int to)
{
    static const char names[] =
        "IF(seq % 7, CONCAT(ELT(seq % 5 + 1, 'Ada', 'ADA', 'Bj\xC3\xB6rn', 'bjorn', '\xE2\x82\xAC'), "
        "IF(seq % 3, '', ' x')), '')";
    execute(text_format(
                context.arena,
                "INSERT INTO user (id, email, name, role, last_active_at, updated_at, created_at) SELECT "
                "CONCAT(IF(seq %% 2, 'b', 'A'), MD5(seq)), CONCAT(IF(seq %% 4, 'e', '\xC3\xA9'), seq, '@example.org'), "
                "%s, ELT(seq %% 3 + 1, 'user', 'admin', 'pending'), seq %% 11, 5, seq DIV 50 FROM seq_%d_to_%d",
                names, from, to)
                .data);
    arena_reset(context.arena);
}

static void add_groups(void)
{
    execute("INSERT INTO `group` (id, user_id, name, created_at, updated_at) SELECT CONCAT('g', seq), 'x', seq, 1, "
            "seq DIV 2 FROM seq_1_to_6");
    execute("INSERT INTO group_member (id, group_id, user_id) SELECT UUID(), g.id, u.id FROM user u JOIN `group` g "
            "WHERE CRC32(CONCAT(u.id, g.id)) % 3 = 0 AND g.id <> 'g6'");
}

static int set_up(void **state)
{
    (void)state;
    if (!store_set_up("", 0)) {
        return -1;
    }
    add_people(1, PEOPLE);
    add_groups();
    listing_disable_some();
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
    LISTING_ORDER_OF("updated_at", "updated_at"),
    LISTING_ORDER_OF("role", "role"),
    LISTING_ORDER_OF_MEMBERS("g1"),
    LISTING_ORDER_OF_NOBODY("g6"),
    LISTING_ORDER_OF_NOBODY("nobody"),
    LISTING_ORDER_UNKNOWN("size"),
    LISTING_ORDER_UNKNOWN(NULL),
};

static const struct listing_filter filters[] = {
    LISTING_QUERY(NULL, "TRUE"),
    LISTING_QUERY("", "TRUE"),
    LISTING_QUERY("bjo", "u.name LIKE '%bjo%' OR u.email_order LIKE '%bjo%'"),
    LISTING_QUERY("3@", "u.name LIKE '%3@%' OR u.email_order LIKE '%3@%'"),
    LISTING_QUERY("%", "FALSE"),
    LISTING_FILTERS("g1"),
};

static void compare_page(struct user_listing listing, const struct listing_filter *filter,
                         const struct listing_order *order, int64_t total)
{
    struct text expected = listing_expected(filter, order, listing.ascending, listing.page);
    struct user_page page;
    const int64_t totals[] = {USER_TOTAL_UNKNOWN, total};
    for (size_t i = 0; i < ARRAY_COUNT(totals); i++) {
        const unsigned before = context.statement_count;
        assert_int_equal(user_listing_find(&context, &listing, totals[i], &page), OK);
        assert_in_range(context.statement_count - before, 0, totals[i] == USER_TOTAL_UNKNOWN ? 2 : 1);
        assert_int_equal(page.total, total);
        struct text got = listing_ids(page.ids, page.count);
        if (!text_equal(got, expected)) {
            fail_msg("%.*s %s, '%.*s', page %d of %d, total %d:\n%s\ninstead of\n%s", (int)listing.order_by.length,
                     listing.order_by.data, listing.ascending ? "ASC" : "DESC", (int)listing.query.length,
                     listing.query.data, (int)listing.page, (int)total, (int)totals[i], got.data, expected.data);
        }
    }
    arena_reset(context.arena);
}

static void compare_pages(size_t order, size_t filter, bool ascending)
{
    const int64_t total = listing_total(&filters[filter]);
    const int64_t last = total / 30 + 2;
    for (int64_t page = 0; page <= last; page++) {
        compare_page((struct user_listing){.query = text_of(filters[filter].query),
                                           .filter = filters[filter].filter,
                                           .order_by = text_of(orders[order].order_by),
                                           .ascending = ascending,
                                           .page = page},
                     &filters[filter], &orders[order], total);
    }
}

static void test_each_page(void **state)
{
    (void)state;
    for (size_t order = 0; order < ARRAY_COUNT(orders); order++) {
        for (size_t filter = 0; filter < ARRAY_COUNT(filters); filter++) {
            compare_pages(order, filter, true);
            compare_pages(order, filter, false);
        }
    }
}

/* What user_listing_rows shows of a page. */
static void compare_rows(const struct user_page *page, bool whole)
{
    struct result rows;
    assert_int_equal(user_listing_rows(&context, page, whole, &rows), OK);
    assert_int_equal(rows.row_count, page->count);
    for (size_t i = 0; i < rows.row_count; i++) {
        const struct value *row = result_row(&rows, i);
        assert_true(text_equal(row[whole ? (int)USER_id : (int)USER_INFO_id].text, page->ids[i]));
        const struct text email = row[whole ? (int)USER_email : (int)USER_INFO_email].text;
        assert_text(
            email,
            ask_text(text_format(context.arena, "SELECT email FROM user WHERE id = '%s'", page->ids[i].data).data)
                .data);
    }
}

static void test_rows(void **state)
{
    (void)state;
    struct user_page page;
    struct user_listing listing = {.order_by = TEXT("name"), .page = 2};
    assert_int_equal(user_listing_find(&context, &listing, USER_TOTAL_UNKNOWN, &page), OK);
    assert_int_equal(page.count, 30);
    compare_rows(&page, true);
    compare_rows(&page, false);

    page.count = 0;
    compare_rows(&page, true);

    struct result rows;
    page = (struct user_page){.ids = {TEXT("nobody"), page.ids[0], TEXT("A")}, .count = 3};
    assert_int_equal(user_listing_rows(&context, &page, true, &rows), OK);
    assert_int_equal(rows.row_count, 1); /* who is not there is left out */
    assert_true(text_equal(result_row(&rows, 0)[USER_id].text, page.ids[1]));
    arena_reset(context.arena);
}

/* The groups of a user as the row of a page has them. */
static struct text groups_of(const char *user_id, size_t *count_r)
{
    struct user_page page = {.ids = {text_of(user_id)}, .count = 1};
    struct result rows;
    struct json_writer json;
    struct text id;
    assert_int_equal(user_listing_rows(&context, &page, true, &rows), OK);
    assert_int_equal(rows.row_count, 1);
    struct text groups = result_row(&rows, 0)[USER_LISTED_groups].text;
    *count_r = 0;
    json_start(&json, context.arena);
    json_begin_array(&json);
    while (user_listing_next_group(&groups, &id)) {
        json_add_text(&json, id);
        ++*count_r;
    }
    json_end_array(&json);
    return json_finish(&json);
}

static void test_groups(void **state)
{
    (void)state;
    size_t count;
    execute("INSERT INTO user (id, email, name) VALUES ('many', 'm@g.org', 'm'), ('none', 'n@g.org', 'n')");
    execute("INSERT INTO `group` (id, user_id, name, updated_at) VALUES ('3:abc', 'x', '', 10), ('', 'x', '', 11), "
            "(',\"', 'x', '', 12), ('12', 'x', '', 12)");
    execute("INSERT INTO group_member (id, group_id, user_id) SELECT UUID(), id, 'many' FROM `group` WHERE updated_at "
            ">= 10");
    assert_text(groups_of("many", &count), "[\",\\\"\",\"12\",\"\",\"3:abc\"]");
    assert_text(groups_of("none", &count), "[]");
    arena_reset(context.arena);
}

/* More than GROUP_CONCAT gives by itself. */
static void test_many_groups(void **state)
{
    (void)state;
    size_t count;
    execute("INSERT INTO `group` (id, user_id, name, updated_at) SELECT "
            "CONCAT(LPAD(seq, 5, '0'), REPEAT('\xF0\x9F\x98\x80', 250)), 'x', '', 20 FROM seq_1_to_1200");
    execute("INSERT INTO group_member (id, group_id, user_id) SELECT UUID(), id, 'none' FROM `group` WHERE updated_at "
            "= 20");
    struct text groups = groups_of("none", &count);
    assert_int_equal(count, 1200);
    assert_int_equal(groups.length, 1200 * (5 + 4 * 250 + 3) + 1);
    arena_reset(context.arena);
}

static void test_far_pages(void **state)
{
    (void)state;
    add_people(PEOPLE + 1, PEOPLE_LATER);
    const int64_t total = ask_integer("SELECT COUNT(*) FROM user");
    for (size_t order = 0; order < ARRAY_COUNT(orders); order++) {
        for (int64_t page = 98; page <= 119; page += 3) {
            compare_page((struct user_listing){.order_by = text_of(orders[order].order_by), .page = page}, &filters[0],
                         &orders[order], total);
        }
    }
}

/* Gathers the first column of rows. */
static enum outcome add_id(struct context *row_context, const struct value *row, void *ids)
{
    (void)row_context; /* its arena is the row's */
    buffer_add_text(ids, row[0].text);
    buffer_add_byte(ids, '\n');
    return OK;
}

static void compare_chunks(const struct buffer *got, const char *sql)
{
    struct result rows;
    struct buffer expected;
    buffer_init(&expected, context.arena);
    assert_int_equal(database_execute(&context, sql, NULL, 0, &rows, ERROR_NONE), OK);
    for (size_t i = 0; i < rows.row_count; i++) {
        add_id(&context, result_row(&rows, i), &expected);
    }
    assert_int_equal(got->length, expected.length);
    assert_memory_equal(got->data, expected.data, got->length);
    arena_reset(context.arena);
}

/* More rows than one chunk has, with equal keys at the end of each. */
static void test_all(void **state)
{
    (void)state;
    struct buffer ids;
    buffer_init(&ids, context.arena);
    const unsigned before = context.statement_count;
    assert_int_equal(user_listing_all(&context, add_id, &ids), OK);
    assert_int_equal(context.statement_count - before, 4);
    compare_chunks(&ids, "SELECT id FROM user ORDER BY created_at DESC, id DESC");
}

/* A whole list, from page to page. */
static void compare_whole(size_t order, size_t filter, bool ascending)
{
    const struct user_listing listing = {.query = text_of(filters[filter].query),
                                         .filter = filters[filter].filter,
                                         .order_by = text_of(orders[order].order_by),
                                         .ascending = ascending};
    struct user_place place = {0};
    struct user_page page;
    struct buffer ids;
    char by[128];
    const unsigned before = context.statement_count;
    unsigned pages = 0;
    buffer_init(&ids, context.arena);
    do {
        assert_int_equal(user_listing_next(&context, &listing, &place, &page), OK);
        for (size_t i = 0; i < page.count; i++) {
            buffer_add_text(&ids, page.ids[i]);
            buffer_add_byte(&ids, '\n');
        }
        pages++;
    } while (page.count == USER_PAGE_ROWS);
    assert_int_equal(context.statement_count - before, pages);
    snprintf(by, sizeof by, orders[order].clause, ascending ? "ASC" : "DESC");
    compare_chunks(
        &ids,
        text_format(context.arena, "SELECT u.id FROM user u WHERE %s ORDER BY %s", filters[filter].condition, by).data);
}

static void test_next(void **state)
{
    (void)state;
    for (size_t order = 0; order < ARRAY_COUNT(orders); order++) {
        const char *name = orders[order].order_by;
        for (size_t filter = 0; filter < ARRAY_COUNT(filters) && (name == NULL || strncmp(name, "group", 5) != 0);
             filter++) {
            compare_whole(order, filter, true);
            compare_whole(order, filter, false);
        }
    }
}

/* The same; and for each chunk there is one more case: nobody knows when they joined. */
static void test_members(void **state)
{
    (void)state;
    static const char sql[] = "SELECT user_id FROM group_member WHERE group_id = 'g6' ORDER BY created_at, id";
    execute("INSERT INTO group_member (id, group_id, user_id, created_at) SELECT CONCAT(CRC32(id), id), 'g6', id, "
            "IF(CRC32(id) % 3 = 0, CRC32(id) % 8, NULL) FROM user");
    struct buffer ids;
    buffer_init(&ids, context.arena);
    assert_int_equal(user_listing_members(&context, TEXT("g6"), add_id, &ids), OK);
    compare_chunks(&ids, sql);
    buffer_init(&ids, context.arena);
    assert_int_equal(group_store_each_member_id(&context, TEXT("g6"), add_id, &ids), OK);
    compare_chunks(&ids, sql);
    buffer_init(&ids, context.arena);
    assert_int_equal(user_listing_members(&context, TEXT("nobody"), add_id, &ids), OK);
    assert_int_equal(ids.length, 0);

    /* Exactly one chunk, and none is known. */
    execute("DELETE FROM group_member WHERE group_id = 'g6' AND created_at IS NOT NULL");
    execute("SET @more = (SELECT COUNT(*) - 1000 FROM group_member WHERE group_id = 'g6')");
    execute("DELETE FROM group_member WHERE group_id = 'g6' AND id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER "
            "(ORDER BY id) AS place FROM group_member WHERE group_id = 'g6') p WHERE place <= @more)");
    buffer_init(&ids, context.arena);
    assert_int_equal(user_listing_members(&context, TEXT("g6"), add_id, &ids), OK);
    compare_chunks(&ids, sql);
}

/* What stops the rows ends the list. */
static enum outcome fail_later(struct context *row_context, const struct value *row, void *argument)
{
    size_t *count = argument;
    (void)row_context;
    (void)row;
    return ++*count < 1500 ? OK : FAULT;
}

static void test_stopped(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(user_listing_all(&context, fail_later, &count), FAULT);
    assert_int_equal(count, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_page),   cmocka_unit_test(test_rows),      cmocka_unit_test(test_groups),
        cmocka_unit_test(test_many_groups), cmocka_unit_test(test_far_pages), cmocka_unit_test(test_all),
        cmocka_unit_test(test_next),        cmocka_unit_test(test_members),   cmocka_unit_test(test_stopped),
    };
    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("user_listing", tests, set_up, tear_down);
}
