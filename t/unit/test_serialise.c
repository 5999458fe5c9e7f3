/* test_serialise.c: rows as JSON: all keys in their order, nulls, escapes, and what others may not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json.h>

#include "base/arena.h"
#include "worker/serialise.h"

static struct arena *arena;
static struct buffer buffer;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    buffer_init(&buffer, arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* What was written since the last time. */
static const char *written(void)
{
    const char *text = buffer_text(&buffer).data;
    buffer_init(&buffer, arena);
    return text;
}

#define TEXT_VALUE(literal)     \
    {                           \
        TEXT(literal), 0, false \
    }
#define INTEGER_VALUE(number)    \
    {                            \
        {NULL, 0}, number, false \
    }
#define NULL_VALUE         \
    {                      \
        {NULL, 0}, 0, true \
    }

static const struct value user[USER_COLUMNS] = {
    [USER_id] = TEXT_VALUE("u-1"),
    [USER_email] = TEXT_VALUE("ann@example.org"),
    [USER_username] = NULL_VALUE,
    [USER_role] = TEXT_VALUE("admin"),
    [USER_name] = TEXT_VALUE("Ann \"\\ \n\x01 \xc3\xa9 \xff"),
    [USER_profile_image_url] = TEXT_VALUE("/user.png"),
    [USER_profile_banner_image_url] = NULL_VALUE,
    [USER_bio] = TEXT_VALUE(""),
    [USER_gender] = TEXT_VALUE("f"),
    [USER_date_of_birth] = TEXT_VALUE("1999-12-31"),
    [USER_timezone] = TEXT_VALUE("Europe/Vienna"),
    [USER_presence_state] = NULL_VALUE,
    [USER_status_emoji] = NULL_VALUE,
    [USER_status_message] = TEXT_VALUE("null"),
    [USER_status_expires_at] = INTEGER_VALUE(INT64_MAX),
    [USER_info] = TEXT_VALUE("{\"a\": [1, null]}"),
    [USER_settings] = NULL_VALUE,
    [USER_oauth] = TEXT_VALUE("{\"sub\":\"s\"}"),
    [USER_last_active_at] = INTEGER_VALUE(0),
    [USER_updated_at] = INTEGER_VALUE(-7),
    [USER_created_at] = INTEGER_VALUE(1800000000),
};

#define USER_TO_EXPIRY                                                                                          \
    "\"id\":\"u-1\",\"email\":\"ann@example.org\",\"username\":null,\"role\":\"admin\","                        \
    "\"name\":\"Ann \\\"\\\\ \\n\\u0001 \xc3\xa9 \xef\xbf\xbd\",\"profile_image_url\":\"/user.png\","           \
    "\"profile_banner_image_url\":null,\"bio\":\"\",\"gender\":\"f\",\"date_of_birth\":\"1999-12-31\","         \
    "\"timezone\":\"Europe/Vienna\",\"presence_state\":null,\"status_emoji\":null,\"status_message\":\"null\"," \
    "\"status_expires_at\":9223372036854775807,"
#define USER_FROM_ACTIVE "\"last_active_at\":0,\"updated_at\":-7,\"created_at\":1800000000"
#define PRIVATE_SHOWN "\"info\":{\"a\": [1, null]},\"settings\":null,\"oauth\":{\"sub\":\"s\"},"
#define PRIVATE_HIDDEN "\"info\":null,\"settings\":null,\"oauth\":null,"

static void users(void **state)
{
    (void)state;
    serialise_user(&buffer, user, true);
    assert_string_equal(written(), "{" USER_TO_EXPIRY PRIVATE_SHOWN USER_FROM_ACTIVE "}");
    serialise_user(&buffer, user, false);
    assert_string_equal(written(), "{" USER_TO_EXPIRY PRIVATE_HIDDEN USER_FROM_ACTIVE "}");
    serialise_user_members(&buffer, user, false);
    assert_string_equal(written(), USER_TO_EXPIRY PRIVATE_HIDDEN USER_FROM_ACTIVE);

    /* All null: every key is still there. */
    struct value nothing[USER_COLUMNS];
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        nothing[i] = (struct value)NULL_VALUE;
    }
    serialise_user(&buffer, nothing, true);
    json_object *object = json_tokener_parse(written());
    assert_int_equal(json_object_object_length(object), 21);
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        json_object *member;
        assert_true(json_object_object_get_ex(object, user_columns[i].name, &member));
        assert_null(member);
    }
    json_object_put(object);
}

/* What may be private is nothing else: a password or a key of the API has no column at all. */
static void columns(void **state)
{
    (void)state;
    size_t hidden = 0;
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        hidden += user_columns[i].place == COLUMN_PRIVATE;
        assert_null(strstr(user_columns[i].name, "password"));
        assert_null(strstr(user_columns[i].name, "key"));
    }
    assert_int_equal(hidden, 3);
    assert_int_equal(user_columns[USER_info].place, COLUMN_PRIVATE);
    assert_int_equal(user_columns[USER_settings].place, COLUMN_PRIVATE);
    assert_int_equal(user_columns[USER_oauth].place, COLUMN_PRIVATE);
    for (size_t i = 0; i < OAUTH_SESSION_COLUMNS; i++) {
        assert_null(strstr(oauth_session_columns[i].name, "token"));
    }
}

static void user_infos(void **state)
{
    (void)state;
    static const struct value info[USER_INFO_COLUMNS] = {
        [USER_INFO_id] = TEXT_VALUE("u-2"),
        [USER_INFO_email] = TEXT_VALUE("bob@example.org"),
        [USER_INFO_role] = TEXT_VALUE("user"),
        [USER_INFO_name] = TEXT_VALUE("Bob\t</script>\x7f"),
        [USER_INFO_status_emoji] = TEXT_VALUE("\xf0\x9f\x98\x80"),
        [USER_INFO_status_message] = NULL_VALUE,
        [USER_INFO_status_expires_at] = NULL_VALUE,
    };
    serialise_user_info(&buffer, info);
    assert_string_equal(written(), "{\"id\":\"u-2\",\"email\":\"bob@example.org\",\"role\":\"user\","
                                   "\"name\":\"Bob\\t</script>\x7f\",\"status_emoji\":\"\xf0\x9f\x98\x80\","
                                   "\"status_message\":null,\"status_expires_at\":null}");
}

static void groups(void **state)
{
    (void)state;
    struct value rows[2 * GROUP_COLUMNS] = {
        [GROUP_id] = TEXT_VALUE("g-1"),
        [GROUP_user_id] = TEXT_VALUE("u-1"),
        [GROUP_name] = TEXT_VALUE("Editors"),
        [GROUP_description] = TEXT_VALUE(""),
        [GROUP_data] = NULL_VALUE,
        [GROUP_meta] = TEXT_VALUE("{}"),
        [GROUP_permissions] = TEXT_VALUE("{\"chat\":{\"edit\":true}}"),
        [GROUP_created_at] = INTEGER_VALUE(1),
        [GROUP_updated_at] = INTEGER_VALUE(INT64_MIN),
    };
    memcpy(rows + GROUP_COLUMNS, rows, GROUP_COLUMNS * sizeof *rows);
    rows[GROUP_COLUMNS + GROUP_id] = (struct value)TEXT_VALUE("g-2");
#define BEHIND_ID                                                                              \
    "\"user_id\":\"u-1\",\"name\":\"Editors\",\"description\":\"\",\"data\":null,\"meta\":{}," \
    "\"permissions\":{\"chat\":{\"edit\":true}},\"created_at\":1,\"updated_at\":-9223372036854775808"
    serialise_group_members(&buffer, rows);
    assert_string_equal(written(), "\"id\":\"g-1\"," BEHIND_ID);

    struct result result = {.values = rows, .row_count = 0, .column_count = GROUP_COLUMNS};
    serialise_groups(&buffer, &result);
    assert_string_equal(written(), "[]");
    result.row_count = 1;
    serialise_groups(&buffer, &result);
    assert_string_equal(written(), "[{\"id\":\"g-1\"," BEHIND_ID "}]");
    result.row_count = 2;
    serialise_groups(&buffer, &result);
    assert_string_equal(written(), "[{\"id\":\"g-1\"," BEHIND_ID "},{\"id\":\"g-2\"," BEHIND_ID "}]");
}

static void sessions(void **state)
{
    (void)state;
    static const struct value oauth[OAUTH_SESSION_COLUMNS] = {
        TEXT_VALUE("o-1"), TEXT_VALUE("u-1"), TEXT_VALUE("idp"), INTEGER_VALUE(3), INTEGER_VALUE(1), INTEGER_VALUE(2),
    };
    serialise_oauth_session(&buffer, oauth);
    assert_string_equal(written(), "{\"id\":\"o-1\",\"user_id\":\"u-1\",\"provider\":\"idp\",\"expires_at\":3,"
                                   "\"created_at\":1,\"updated_at\":2}");

    static const struct value session[SESSION_COLUMNS] = {
        [SESSION_jti] = TEXT_VALUE("j-1"),         [SESSION_created_at] = INTEGER_VALUE(1),
        [SESSION_last_seen_at] = INTEGER_VALUE(2), [SESSION_expires_at] = NULL_VALUE,
        [SESSION_address] = TEXT_VALUE("::1"),     [SESSION_user_agent] = TEXT_VALUE("a \"b\""),
    };
#define SESSION_MEMBERS                                                                             \
    "{\"jti\":\"j-1\",\"created_at\":1,\"last_seen_at\":2,\"expires_at\":null,\"address\":\"::1\"," \
    "\"user_agent\":\"a \\\"b\\\"\",\"current\":"
    serialise_session(&buffer, session, TEXT("j-1"));
    assert_string_equal(written(), SESSION_MEMBERS "true}");
    serialise_session(&buffer, session, TEXT("j-2"));
    assert_string_equal(written(), SESSION_MEMBERS "false}");
    serialise_session(&buffer, session, (struct text){NULL, 0});
    assert_string_equal(written(), SESSION_MEMBERS "false}");
}

static void members(void **state)
{
    (void)state;
    serialise_key(&buffer, "a", true);
    serialise_key(&buffer, "b", false);
    assert_string_equal(written(), "\"a\":,\"b\":");
    serialise_text_member(&buffer, "a", TEXT("\b\f\r\"/"), true);
    serialise_text_member(&buffer, "b", (struct text){NULL, 0}, false);
    serialise_text_member(&buffer, "c", TEXT("x\0y"), false);
    serialise_integer_member(&buffer, "d", INT64_MIN, false);
    assert_string_equal(written(),
                        "\"a\":\"\\b\\f\\r\\\"/\",\"b\":null,\"c\":\"x\\u0000y\",\"d\":-9223372036854775808");
    serialise_integer_member(&buffer, "e", 0, true);
    assert_string_equal(written(), "\"e\":0");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(users), TEST(columns), TEST(user_infos), TEST(groups), TEST(sessions), TEST(members),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("serialise", tests, NULL, NULL);
}
