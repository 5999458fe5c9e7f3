/* test_serialise.c: rows as JSON: all keys in their order, nulls, escapes, and what others may not see. */
#include <string.h>

#include <json.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "config/config.h"
#include "unit.h"
#include "worker/serialise.h"

static struct json_writer json;
static struct config config; /* compatibility = 0.6, unless a test says another */
static struct context context = {.config = &config, .now_seconds = 1000};

static int set_up(void **state)
{
    arena_set_up(state);
    config.compatibility = COMPATIBILITY_0_6;
    json_start(&json, arena);
    return 0;
}

/* What was written since the last time. */
static const char *written(void)
{
    const char *text = json_finish(&json).data;
    json_start(&json, arena);
    return text;
}

static const char *written_user(const struct value *user, bool show_private)
{
    json_begin_object(&json);
    serialise_user_members(&context, &json, user, show_private);
    json_end_object(&json);
    return written();
}

#define TEXT_VALUE(literal) {TEXT(literal), 0, false}
#define INTEGER_VALUE(number) {TEXT_NULL, number, false}
#define NULL_VALUE {TEXT_NULL, 0, true}

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
    [USER_scim] = TEXT_VALUE("{\"x\":1}"),
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
    assert_string_equal(written_user(user, true), "{" USER_TO_EXPIRY PRIVATE_SHOWN USER_FROM_ACTIVE "}");
    assert_string_equal(written_user(user, false), "{" USER_TO_EXPIRY PRIVATE_HIDDEN USER_FROM_ACTIVE "}");
    config.compatibility = COMPATIBILITY_0_12;
    assert_string_equal(written_user(user, true),
                        "{" USER_TO_EXPIRY PRIVATE_SHOWN "\"scim\":{\"x\":1}," USER_FROM_ACTIVE "}");
    assert_string_equal(written_user(user, false),
                        "{" USER_TO_EXPIRY PRIVATE_HIDDEN "\"scim\":null," USER_FROM_ACTIVE "}");

    json_begin_object(&json);
    json_member_null(&json, "before");
    serialise_user_column(&json, user, USER_status_expires_at);
    serialise_user_column(&json, user, USER_settings);
    json_end_object(&json);
    assert_string_equal(written(), "{\"before\":null,\"status_expires_at\":9223372036854775807,\"settings\":null}");

    /* All null: every key is still there. */
    struct value nothing[USER_COLUMNS];
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        nothing[i] = (struct value)NULL_VALUE;
    }
    json_object *object = json_tokener_parse(written_user(nothing, true));
    assert_int_equal(json_object_object_length(object), USER_COLUMNS);
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
    assert_int_equal(hidden, 4);
    assert_int_equal(user_columns[USER_info].place, COLUMN_PRIVATE);
    assert_int_equal(user_columns[USER_settings].place, COLUMN_PRIVATE);
    assert_int_equal(user_columns[USER_oauth].place, COLUMN_PRIVATE);
    assert_int_equal(user_columns[USER_scim].place, COLUMN_PRIVATE);
    for (size_t i = 0; i < OAUTH_SESSION_COLUMNS; i++) {
        assert_null(strstr(oauth_session_columns[i].name, "token"));
    }
}

static void user_infos(void **state)
{
    (void)state;
    struct value info[USER_INFO_COLUMNS + 1] = {
        [USER_INFO_id] = TEXT_VALUE("u-2"),
        [USER_INFO_email] = TEXT_VALUE("bob@example.org"),
        [USER_INFO_role] = TEXT_VALUE("user"),
        [USER_INFO_name] = TEXT_VALUE("Bob\t</script>\x7f"),
        [USER_INFO_status_emoji] = TEXT_VALUE("\xf0\x9f\x98\x80"),
        [USER_INFO_status_message] = NULL_VALUE,
        [USER_INFO_status_expires_at] = NULL_VALUE,
        [USER_INFO_bio] = TEXT_VALUE("b"),
        [USER_INFO_timezone] = NULL_VALUE,
        [USER_INFO_last_active_at] = INTEGER_VALUE(820),
        [USER_INFO_groups] = TEXT_VALUE("[{\"id\":\"g\",\"name\":\"G\"}]"),
    };
    serialise_user_info(&context, &json, info);
    assert_string_equal(written(), "{\"id\":\"u-2\",\"email\":\"bob@example.org\",\"role\":\"user\","
                                   "\"name\":\"Bob\\t</script>\\u007f\",\"status_emoji\":\"\xf0\x9f\x98\x80\","
                                   "\"status_message\":null,\"status_expires_at\":null}");
    config.compatibility = COMPATIBILITY_0_12;
#define INFO_BEGINS                                                                         \
    "{\"id\":\"u-2\",\"email\":\"bob@example.org\",\"role\":\"user\","                      \
    "\"name\":\"Bob\\t</script>\\u007f\",\"bio\":\"b\",\"timezone\":null,\"status_emoji\":" \
    "\"\xf0\x9f\x98\x80\",\"status_message\":null,\"status_expires_at\":null,"
    serialise_user_info(&context, &json, info);
    assert_string_equal(written(), INFO_BEGINS
                        "\"last_active_at\":820,\"groups\":[{\"id\":\"g\",\"name\":\"G\"}],\"is_active\":true}");
    info[USER_INFO_last_active_at].integer--;
    info[USER_INFO_groups] = (struct value)NULL_VALUE;
    serialise_user_info(&context, &json, info);
    assert_string_equal(written(), INFO_BEGINS "\"last_active_at\":819,\"groups\":[],\"is_active\":false}");
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
        [GROUP_parent_group_id] = TEXT_VALUE("g-0"),
        [GROUP_created_at] = INTEGER_VALUE(1),
        [GROUP_updated_at] = INTEGER_VALUE(INT64_MIN),
    };
    memcpy(rows + GROUP_COLUMNS, rows, GROUP_COLUMNS * sizeof *rows);
    rows[GROUP_COLUMNS + GROUP_id] = (struct value)TEXT_VALUE("g-2");
#define BEHIND_ID                                                                              \
    "\"user_id\":\"u-1\",\"name\":\"Editors\",\"description\":\"\",\"data\":null,\"meta\":{}," \
    "\"permissions\":{\"chat\":{\"edit\":true}},\"created_at\":1,\"updated_at\":-9223372036854775808"
    json_begin_object(&json);
    serialise_group_members(&context, &json, rows);
    json_end_object(&json);
    assert_string_equal(written(), "{\"id\":\"g-1\"," BEHIND_ID "}");

    serialise_group(&context, &json, rows);
    assert_string_equal(written(), "{\"id\":\"g-1\"," BEHIND_ID "}");
    serialise_group(&context, &json, rows + GROUP_COLUMNS);
    assert_string_equal(written(), "{\"id\":\"g-2\"," BEHIND_ID "}");

    config.compatibility = COMPATIBILITY_0_12;
    serialise_group(&context, &json, rows);
    const char *parent = strstr(written(), "\"parent_group_id\":\"g-0\",\"created_at\":1");
    assert_non_null(parent);
}

static void sessions(void **state)
{
    (void)state;
    static const struct value oauth[OAUTH_SESSION_COLUMNS] = {
        TEXT_VALUE("o-1"), TEXT_VALUE("u-1"), TEXT_VALUE("idp"), INTEGER_VALUE(3), INTEGER_VALUE(1), INTEGER_VALUE(2),
    };
    serialise_oauth_session(&json, oauth);
    assert_string_equal(written(), "{\"id\":\"o-1\",\"user_id\":\"u-1\",\"provider\":\"idp\",\"expires_at\":3,"
                                   "\"created_at\":1,\"updated_at\":2}");

    static const struct value session[SESSION_COLUMNS] = {
        [SESSION_jti] = TEXT_VALUE("j-1"),         [SESSION_created_at] = INTEGER_VALUE(1),
        [SESSION_last_seen_at] = INTEGER_VALUE(2), [SESSION_expires_at] = NULL_VALUE,
        [SESSION_address] = TEXT_VALUE("::1"),     [SESSION_user_agent] = TEXT_VALUE("a \"b\""),
    };
#define SESSION_MEMBERS                                                                             \
    "{\"jti\":\"j-1\",\"created_at\":1,\"last_seen_at\":2,\"expires_at\":null,\"address\":\"::1\"," \
    "\"user_agent\":\"a \\\"b\\\"\",\"idle_at\":"
    serialise_session(&context, &json, session, TEXT("j-1"));
    assert_string_equal(written(), SESSION_MEMBERS "null,\"current\":true}");
    serialise_session(&context, &json, session, TEXT("j-2"));
    assert_string_equal(written(), SESSION_MEMBERS "null,\"current\":false}");
    serialise_session(&context, &json, session, TEXT_NULL);
    assert_string_equal(written(), SESSION_MEMBERS "null,\"current\":false}");
    config.session_idle = 600;
    config.last_active_interval = 60;
    serialise_session(&context, &json, session, TEXT_NULL);
    assert_string_equal(written(), SESSION_MEMBERS "612,\"current\":false}");
    config.session_idle = 0;
}

static void group_names(void **state)
{
    (void)state;
    struct value values[] = {TEXT_VALUE("g-1"), TEXT_VALUE("Editors"), TEXT_VALUE("g-2"), TEXT_VALUE("\"")};
    struct result names = {.values = values, .column_count = 2};
    serialise_group_names(&json, &names);
    assert_string_equal(written(), "[]");
    names.row_count = 2;
    serialise_group_names(&json, &names);
    assert_string_equal(written(), "[{\"id\":\"g-1\",\"name\":\"Editors\"},{\"id\":\"g-2\",\"name\":\"\\\"\"}]");
}

static void integers(void **state)
{
    (void)state;
    serialise_integer(&json, &(struct value)INTEGER_VALUE(INT64_MIN));
    assert_string_equal(written(), "-9223372036854775808");
    serialise_integer(&json, &(struct value)NULL_VALUE);
    assert_string_equal(written(), "null");
}

/* A document as it is stored; what is none, as null. */
static void documents(void **state)
{
    (void)state;
    static const struct {
        struct text stored;
        const char *shown;
    } rows[] = {
        {TEXT(" {\"a\": 1e400} "), "{\"a\": 1e400}"},
        {TEXT("\"[1]\""), "[1]"},
        {TEXT("null"), "null"},
        {TEXT(""), "null"},
        {TEXT("{"), "null"},
        {TEXT_NULL, "null"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        serialise_document(&json, "user", "info", TEXT("u-1"), rows[i].stored);
        assert_string_equal(written(), rows[i].shown);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(users),    TEST(columns),     TEST(user_infos), TEST(groups),
        TEST(sessions), TEST(group_names), TEST(integers),   TEST(documents),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("serialise", tests, NULL, NULL);
}
