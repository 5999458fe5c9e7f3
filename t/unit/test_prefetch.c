/* test_prefetch.c: what the statement that finds the caller reads besides, and who gets it. */
#include "store/prefetch.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/problem.h"
#include "store/config_store.h"
#include "store/document_store.h"
#include "store/group_store.h"
#include "store/row_cache.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "store_fixture.h"
#include "unit.h"

static struct prefetch prefetch;

static int set_up(void **state)
{
    (void)state;
    if (!store_set_up("CHARACTER SET latin1", 8 << 20)) {
        return 1;
    }
    execute("INSERT INTO user (id, email, role, name, settings, info, last_active_at) VALUES "
            "('caller', 'caller@example.org', 'user', 'Caller', '{\"a\":1}', '{\"b\":2}', 7), "
            "('shown', 'shown@example.org', 'user', 'Shown', NULL, NULL, 8)");
    execute("INSERT INTO config (data) VALUES ('{\"c\":3}')");
    execute("INSERT INTO `group` (id, user_id, name, permissions, updated_at) VALUES "
            "('g1', 'x', 'One', '{}', 1), ('g2', 'x', 'Two', NULL, 2)");
    execute("INSERT INTO group_member (id, group_id, user_id) VALUES ('1', 'g1', 'caller'), ('2', 'g2', 'caller'), "
            "('3', 'g1', 'shown'), ('4', 'g2', 'shown')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

/* The caller is found, and this set of parts is read with it. Counts statements from there on. */
static void begin(unsigned parts, const char *user_id)
{
    struct token_session session;
    arena_reset(context.arena);
    memset(&context.problem, 0, sizeof context.problem);
    prefetch = (struct prefetch){.parts = parts, .user_id = text_of(user_id)};
    context.prefetch = &prefetch;
    assert_int_equal(session_store_find(&context, TEXT("caller"), TEXT("jti"), 5, NULL, &session), OK);
    assert_int_equal(session.state, SESSION_VALID);
    assert_text(session.caller.name, "Caller");
    context.statement_count = 0;
}

/* Each part alone, as many together as may be, and none: all give the same. */
static void test_parts(void **state)
{
    (void)state;
    enum { WITH_GROUPS = PREFETCH_PARTS, WITH_PERMISSIONS, NONE, SETS };
    const unsigned each_group = 1u << PREFETCH_GROUPS | 1u << PREFETCH_PERMISSIONS | 1u << PREFETCH_OWN_GROUPS;
    unsigned sets[SETS] = {[NONE] = 0};
    for (unsigned part = 0; part < PREFETCH_PARTS; part++) {
        sets[part] = 1u << part;
        sets[WITH_GROUPS] |= 1u << part & ~each_group;
        sets[WITH_PERMISSIONS] |= 1u << part & ~each_group;
    }
    sets[WITH_GROUPS] |= 1u << PREFETCH_GROUPS;
    sets[WITH_PERMISSIONS] |= 1u << PREFETCH_PERMISSIONS;
    for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
        const struct value *user, *caller;
        struct result groups, permissions;
        struct user_picture picture;
        struct text settings, info;
        json_object *document;
        int64_t last_active_at;
        begin(sets[i], "shown");
        assert_int_equal(user_store_get_with_groups(&context, TEXT("shown"), &user, &groups), OK);
        assert_text(user[USER_name].text, "Shown");
        assert_text(user[USER_profile_image_url].text, "/user.png");
        assert_int_equal(groups.row_count, 2);
        assert_text(result_row(&groups, 0)[0].text, "g2");
        assert_text(result_row(&groups, 0)[1].text, "Two");
        assert_text(result_row(&groups, 1)[0].text, "g1");
        assert_int_equal(user_store_get(&context, TEXT("caller"), &caller), OK);
        assert_text(caller[USER_name].text, "Caller");
        assert_int_equal(user_store_picture(&context, TEXT("shown"), &picture), OK);
        assert_text(picture.name, "Shown");
        assert_int_equal(user_store_last_active(&context, TEXT("shown"), &last_active_at), OK);
        assert_int_equal(last_active_at, 8);
        assert_int_equal(document_store_get(&context, TEXT("caller"), USER_settings, &settings), OK);
        assert_text(settings, "{\"a\":1}");
        assert_int_equal(document_store_get(&context, TEXT("caller"), USER_info, &info), OK);
        assert_text(info, "{\"b\":2}");
        assert_int_equal(config_store_read(&context, &document), OK);
        assert_int_equal(json_object_get_int(config_store_at(document, "c")), 3);
        assert_int_equal(group_store_permissions(&context, TEXT("caller"), &permissions), OK);
        assert_int_equal(permissions.row_count, 2);
        assert_text(result_row(&permissions, 0)[0].text, "{\"c\":3}");
        assert_text(result_row(&permissions, 1)[1].text, "g1");
        if (i == WITH_GROUPS || i == WITH_PERMISSIONS) {
            assert_int_equal(context.statement_count, 1);
        }
    }
}

static unsigned statements_of_user(const char *user_id)
{
    const struct value *user;
    struct result groups;
    const unsigned before = context.statement_count;
    assert_int_equal(user_store_get_with_groups(&context, text_of(user_id), &user, &groups), OK);
    assert_text(user[USER_id].text, user_id);
    return context.statement_count - before;
}

/* Once, and of nobody else. */
static void test_once(void **state)
{
    const unsigned parts = 1u << PREFETCH_USER | 1u << PREFETCH_GROUPS;
    (void)state;
    begin(parts, "shown");
    assert_int_equal(statements_of_user("caller"), 1);
    assert_int_equal(statements_of_user("shown"), 0);
    assert_int_equal(statements_of_user("shown"), 1);
}

/* The caller, with groups, and an older account that may be taken for the same. */
static void test_own(void **state)
{
    const unsigned parts = 1u << PREFETCH_CALLER | 1u << PREFETCH_OWN_GROUPS | 1u << PREFETCH_ELDERS;
    static const struct {
        const char *change, *of_email, *of_username; /* NULL: none */
    } cases[] = {
        {"created_at = 1", NULL, NULL},
        {"email = 'CÁLLER@example.org', created_at = 2", NULL, NULL},          /* younger */
        {"email = 'cáller@example.org', created_at = 1", "shown", "shown"},    /* older */
        {"email = 'caller@example.org.', username = 'cALLÉR'", NULL, "shown"}, /* by its username */
    };
    (void)state;
    execute("UPDATE user SET username = 'caller', created_at = 2 WHERE id = 'caller'");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "UPDATE user SET %s WHERE id = 'shown'", cases[i].change);
        execute(sql);
        for (int by_username = 0; by_username < 2; by_username++) {
            const char *expected = by_username ? cases[i].of_username : cases[i].of_email;
            begin(parts, "shown");
            assert_int_equal(statements_of_user("caller"), 0);
            for (unsigned statements = 0; statements < 2; statements++) { /* the second time it asks */
                struct text elder;
                assert_int_equal(user_store_elder(&context, TEXT("caller"), by_username, &elder), OK);
                assert_int_equal(context.statement_count, statements);
                if (expected != NULL) {
                    assert_text(elder, expected);
                } else {
                    assert_null(elder.data);
                }
            }
        }
    }
    execute("UPDATE user SET username = NULL, created_at = 0, email = CONCAT(id, '@example.org')");
}

/* The rows of nobody are known, too. */
static void test_nobody(void **state)
{
    const struct value *user;
    struct result groups;
    int64_t last_active_at;
    (void)state;
    begin(1u << PREFETCH_USER | 1u << PREFETCH_GROUPS | 1u << PREFETCH_LAST_ACTIVE, "nobody");
    assert_int_equal(user_store_get_with_groups(&context, TEXT("nobody"), &user, &groups), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_USER_NOT_FOUND);
    assert_int_equal(user_store_last_active(&context, TEXT("nobody"), &last_active_at), OK);
    assert_int_equal(last_active_at, -1);
    assert_int_equal(context.statement_count, 0);
}

/* A request sees what it has written. */
static void test_write(void **state)
{
    const struct value *user;
    (void)state;
    begin(1u << PREFETCH_CALLER, "shown");
    execute("UPDATE user SET name = 'Other' WHERE id = 'caller'");
    assert_int_equal(user_store_get(&context, TEXT("caller"), &user), OK);
    assert_text(user[USER_name].text, "Other");
    execute("UPDATE user SET name = 'Caller' WHERE id = 'caller'");
}

/* Of more than eight groups all are read, by another statement. */
static void test_many_groups(void **state)
{
    const struct value *user;
    struct result groups, permissions;
    (void)state;
    for (int more = 0; more < 2; more++) {
        execute(
            more ? "INSERT INTO `group` (id, user_id, name, permissions) VALUES ('last', 'x', 'Last', '{}')"
                 : "INSERT INTO `group` (id, user_id, name, permissions) SELECT seq, 'x', seq, '{}' FROM seq_1_to_6");
        for (int i = 0; i < 2; i++) {
            char sql[256];
            snprintf(sql, sizeof sql,
                     "INSERT INTO group_member (id, group_id, user_id) SELECT CONCAT('%d', id), id, '%s' FROM `group` "
                     "WHERE id NOT IN (SELECT group_id FROM group_member WHERE user_id = '%s')",
                     i, i == 0 ? "caller" : "shown", i == 0 ? "caller" : "shown");
            execute(sql);
        }
        begin(1u << PREFETCH_USER | 1u << PREFETCH_GROUPS, "shown");
        assert_int_equal(user_store_get_with_groups(&context, TEXT("shown"), &user, &groups), OK);
        assert_int_equal(groups.row_count, 8 + more);
        assert_int_equal(context.statement_count, more);
        begin(1u << PREFETCH_PERMISSIONS, "shown");
        assert_int_equal(group_store_permissions(&context, TEXT("caller"), &permissions), OK);
        assert_int_equal(permissions.row_count, 8 + more);
        assert_int_equal(context.statement_count, more);
    }
}

/* While the identity table is not used, as when another host may write, parts are read as without it. If it is used
 * again before the request ends, what was read in advance is not stored: its stamp would be too young. */
static void test_table_comes_back(void **state)
{
    (void)state;
    const struct value *user;
    const struct table_key key = {TEXT("a name"), {TEXT("shown")}};
    assert_true(identity_table_create(1 << 20));
    config.identity_cache = 5;
    begin(1u << PREFETCH_CALLER | 1u << PREFETCH_INFO, "shown");
    identity_table_beat(clock_monotonic_microseconds());
    assert_true(row_cache_is_usable(&context));
    assert_false(row_cache_stamp(&context, &key).may_store);
    assert_int_equal(user_store_get(&context, TEXT("caller"), &user), OK);
    assert_int_equal(context.statement_count, 0);
    begin(1u << PREFETCH_CALLER, "shown");
    assert_true(row_cache_stamp(&context, &key).may_store);
    assert_int_equal(user_store_get(&context, TEXT("caller"), &user), OK);
    assert_int_equal(context.statement_count, 1);
    config.identity_cache = 0;
    assert_true(identity_table_create(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_table_comes_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    private_server_need("mariadbd");
    return cmocka_run_group_tests_name("prefetch", tests, set_up, tear_down);
}
