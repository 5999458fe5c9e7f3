/* test_validate.c: bodies and queries against schemas: the values that come out, and each fault with its type and
 * place, in order. */
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/permission_table.h"
#include "base/problem.h"
#include "fastcgi_streams.h"
#include "unit.h"
#include "worker/validate.h"

static struct streams streams;
static struct request *const request = &streams.request;
static struct route route;

static int set_up(void **state)
{
    arena_set_up(state);
    streams.config = streams_config();
    return 0;
}

/* "type loc, type loc", or the code of another problem, or "" where all is well. */
static const char *result_of(enum outcome outcome)
{
    const struct problem *problem = &request->context.problem;
    struct buffer faults;
    buffer_init(&faults, arena);
    assert_int_equal(outcome, problem->code == ERROR_NONE ? OK : PROBLEM);
    if (problem->code != ERROR_NONE && problem->code != ERROR_VALIDATION_ERROR) {
        return error_name(problem->code);
    }
    for (const struct fault *fault = problem->faults; fault != NULL; fault = fault->next) {
        buffer_add_format(&faults, "%s %.*s%s", fault_name(fault->type), (int)fault->loc.length, fault->loc.data,
                          fault->next != NULL ? ", " : "");
        assert_true(strlen(fault->msg) > 10);
    }
    return buffer_text(&faults).data;
}

static const char *check_as(enum schema schema, const char *content_type, struct text body)
{
    streams_begin(&streams, arena);
    memset(&route, 0, sizeof route);
    route.body = schema;
    request->route = &route;
    request->content_type = text_of(content_type);
    streams_send(&streams, body);
    streams.chunk = 100000;
    request->content_length = (int64_t)body.length;
    return result_of(validate_request(request));
}

static const char *check(enum schema schema, const char *body)
{
    return check_as(schema, "application/json", text_of(body));
}

static void assert_checks(enum schema schema, const char *const (*cases)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *result = check(schema, cases[i][0]);
        if (strcmp(result, cases[i][1]) != 0) {
            fail_msg("%s: '%s' instead of '%s'", cases[i][0], result, cases[i][1]);
        }
    }
}

#define ASSERT_CHECKS(schema, cases) assert_checks(schema, cases, ARRAY_COUNT(cases))

static void whole_bodies(void **state)
{
    (void)state;
    static const char *const model[][2] = {
        {"", "missing [\"body\"]"},
        {"null", "missing [\"body\"]"},
        {" ", "json_invalid [\"body\",1]"},
        {"1", "model_attributes_type [\"body\"]"},
        {"\"{}\"", "model_attributes_type [\"body\"]"},
        {"[]", "model_attributes_type [\"body\"]"},
        {"true", "model_attributes_type [\"body\"]"},
        {"{", "json_invalid [\"body\",1]"},
        {"{\"email\":}", "json_invalid [\"body\",9]"},
        {"{\"email\":\"a\",}", "json_invalid [\"body\",13]"},
        {"{\"email\":\"a\",\"password\":\"b\"} x", "json_invalid [\"body\",29]"},
        {"{\"\xc3\xa9\":}", "json_invalid [\"body\",5]"}, /* characters, not bytes */
        {"{'email':1}", "json_invalid [\"body\",1]"},
        {"{\"email\":\"\xff\"}", "BODY_PARSE_ERROR"},
        {"{}", "missing [\"body\",\"email\"], missing [\"body\",\"password\"]"},
        {"{\"email\":\"a\",\"password\":\"b\"}", ""},
        {"\xef\xbb\xbf{\"email\":\"a\",\"password\":\"b\"}", ""},
        {"{\"email\":\"a\",\"password\":\"b\",\"more\":{\"x\":\"\\u0000\"}}", ""},
    };
    ASSERT_CHECKS(SCHEMA_sign_in, model);

    static const char *const free_form[][2] = {
        {"", "missing [\"body\"]"},
        {"null", "missing [\"body\"]"},
        {"[]", "dict_type [\"body\"]"},
        {"1", "dict_type [\"body\"]"},
        {"{}", ""},
        {"{\"a\":{\"b\":[1,null,\"x\"]}}", ""},
        {"{\"a\":9223372036854775807,\"b\":-9223372036854775808}", ""},
        {"{\"a\":9223372036854775808}", "int_parsing_size [\"body\",\"a\"]"},
        {"{\"a\":-9223372036854775809}", "int_parsing_size [\"body\",\"a\"]"},
        {"{\"a\":1,\"b\":{\"c\":[0,18446744073709551616]}}", "int_parsing_size [\"body\",\"b\"]"},
        {"{\"a\":\"\\u0000\"}", "string_unicode [\"body\",\"a\"]"},
        {"{\"a\":\"\\ud800\"}", "string_unicode [\"body\",\"a\"]"},
        {"{\"a\":\"\\ud83d\\ude00\"}", ""},
        {"{\"a\":[\"x\",\"\\udc00\"]}", "string_unicode [\"body\",\"a\",1]"},
        {"{\"a\":[\"\\udc00\",\"x\"]}", "string_unicode [\"body\",\"a\",0]"},
    };
    ASSERT_CHECKS(SCHEMA_info, free_form);

    /* 64 levels, 65 levels; 300 digits, 301. */
    struct buffer deep;
    for (int levels = 64; levels <= 65; levels++) {
        buffer_init(&deep, arena);
        buffer_add_literal(&deep, "{\"a\":");
        for (int i = 1; i < levels; i++) {
            buffer_add_byte(&deep, '[');
        }
        for (int i = 1; i < levels; i++) {
            buffer_add_byte(&deep, ']');
        }
        buffer_add_byte(&deep, '}');
        assert_string_equal(check(SCHEMA_info, buffer_text(&deep).data), levels == 64 ? "" : "BODY_PARSE_ERROR");
    }
    assert_string_equal(check(SCHEMA_info, text_format(arena, "{\"a\":%0300d}", 1).data), "json_invalid [\"body\",6]");
    for (int digits = 300; digits <= 301; digits++) {
        char number[302];
        memset(number, '9', sizeof number);
        number[digits] = '\0';
        assert_string_equal(check(SCHEMA_info, text_format(arena, "{\"a\":%s}", number).data),
                            digits == 300 ? "int_parsing_size [\"body\",\"a\"]" : "BODY_PARSE_ERROR");
    }
}

static void content_types(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool json;
    } cases[] = {
        {NULL, true},
        {"", true},
        {"application/json", true},
        {"APPLICATION/Json", true},
        {"application/json; charset=utf-8", true},
        {" application/json ;x", true},
        {"application/scim+json", true},
        {"application/A+JSON;v=1", true},
        {"text/plain", false},
        {"text/json", false},
        {"application/jsonp", false},
        {"application/x-json", false},
        {"application/json+xml", false},
        {"application/+jso", false},
        {"text/a+json", false},
        {"application/x-www-form-urlencoded", false},
        {"multipart/form-data; boundary=application/json", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *result = check_as(SCHEMA_ldap, cases[i].type, TEXT("{}"));
        if (strcmp(result, cases[i].json ? "" : "model_attributes_type [\"body\"]") != 0) {
            fail_msg("%s: %s", cases[i].type, result);
        }
    }
    assert_string_equal(check_as(SCHEMA_info, "text/plain", TEXT("{}")), "dict_type [\"body\"]");
}

static void body_problems(void **state)
{
    (void)state;
    streams.config.request_body_limit = 10;
    assert_string_equal(check(SCHEMA_info, "{\"a\":1234}"), "");
    assert_string_equal(check(SCHEMA_info, "{\"a\":12345}"), "CONTENT_TOO_LARGE");

    /* A tree that takes more memory than a request may, though its text does not. */
    streams.config.request_body_limit = 60000;
    struct buffer many;
    buffer_init(&many, arena);
    buffer_add_literal(&many, "{\"a\":[");
    for (int i = 0; i < 10000; i++) {
        buffer_add_literal(&many, "{},");
    }
    buffer_add_literal(&many, "0]}");
    const char *body = buffer_text(&many).data;
    struct arena *whole = arena;
    arena = arena_new(1000000);
    const char *result = check(SCHEMA_info, body);
    arena_free(arena);
    arena = whole;
    assert_string_equal(result, "CONTENT_TOO_LARGE");
    assert_string_equal(check(SCHEMA_info, body), "");
}

static void order_of_faults(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        /* that of the fields, not of the members */
        {"{\"password\":1,\"email\":2,\"name\":3,\"role\":4}",
         "string_type [\"body\",\"role\"], string_type [\"body\",\"name\"], string_type [\"body\",\"email\"], "
         "string_type [\"body\",\"password\"]"},
        {"{\"role\":\"root\",\"name\":\"\\u0000\",\"email\":null,\"profile_image_url\":[]}",
         "enum [\"body\",\"role\"], string_unicode [\"body\",\"name\"], "
         "string_type [\"body\",\"profile_image_url\"]"},
        {"{\"role\":\"user\",\"name\":\"\",\"email\":\"\",\"profile_image_url\":\"\"}", ""},
        {"{\"role\":\"user\",\"name\":\"a\\u009bb\",\"email\":\"\",\"profile_image_url\":\"\"}",
         "string_pattern_mismatch [\"body\",\"name\"]"},
        {"{\"role\":\"user\",\"name\":\"\\u202eb\",\"email\":\"\",\"profile_image_url\":\"\"}",
         "string_pattern_mismatch [\"body\",\"name\"]"},
        {"{\"role\":\"user\",\"name\":\"a\\u200d\\u00a0b\",\"email\":\"\",\"profile_image_url\":\"\"}", ""},
        {"{\"role\":\"admin\",\"name\":\"\",\"email\":\"\",\"profile_image_url\":\"\",\"password\":null}", ""},
        {"{\"role\":\"Admin\",\"name\":\"\",\"email\":\"\",\"profile_image_url\":\"\"}", "enum [\"body\",\"role\"]"},
        {"{\"role\":null,\"name\":\"\",\"email\":\"\",\"profile_image_url\":\"\"}", ""},
        {"{\"role\":\"user\\u0000\",\"name\":\"\",\"email\":\"\",\"profile_image_url\":\"\"}",
         "string_unicode [\"body\",\"role\"]"},
    };
    ASSERT_CHECKS(SCHEMA_user_update, cases);

    assert_string_equal(check(SCHEMA_user_update, "{\"role\":\"pending\",\"name\":\"n\",\"email\":\"e\\u00e9\","
                                                  "\"profile_image_url\":\"\",\"password\":null}"),
                        "");
    assert_true(text_is(request->input[INPUT_user_update_role].text, "pending"));
    assert_true(text_is(request->input[INPUT_user_update_email].text, "e\xc3\xa9"));
    assert_true(request->input[INPUT_user_update_profile_image_url].present);
    assert_false(request->input[INPUT_user_update_password].present);
    assert_true(request->input[INPUT_user_update_password].is_null);

    /* The last of a name counts; a name may be written with escapes. */
    assert_string_equal(
        check(SCHEMA_sign_in, "{\"\\u0065mail\":1,\"email\":\"\\u0000\",\"email\":\"a\",\"password\":\"b\"}"),
        "string_unicode [\"body\",\"email\"]");
    assert_string_equal(check(SCHEMA_sign_in, "{\"\\u0065mail\":\"a\",\"password\":\"b\"}"), "");
    assert_true(text_is(request->input[INPUT_sign_in_email].text, "a"));
    assert_string_equal(check(SCHEMA_sign_in, "{\"\\u0065mail\":\"\\u0000\",\"password\":\"b\"}"),
                        "string_unicode [\"body\",\"email\"]");
}

static void lengths(void **state)
{
    (void)state;
    static const struct {
        size_t characters;
        const char *character;
        const char *result;
    } cases[] = {
        {0, "a", "string_too_short [\"body\",\"name\"]"},
        {1, "a", ""},
        {1, "\xf0\x9f\x98\x80", ""},
        {100, "a", ""},
        {100, "\xf0\x9f\x98\x80", ""},
        {101, "a", "string_too_long [\"body\",\"name\"]"},
        {101, "\xc3\xa9", "string_too_long [\"body\",\"name\"]"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct buffer body;
        buffer_init(&body, arena);
        buffer_add_literal(&body, "{\"name\":\"");
        for (size_t c = 0; c < cases[i].characters; c++) {
            buffer_add_string(&body, cases[i].character);
        }
        buffer_add_literal(&body, "\"}");
        assert_string_equal(check(SCHEMA_named_key, buffer_text(&body).data), cases[i].result);
    }
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *type; /* NULL: good */
        int64_t integer;
    } cases[] = {
        {"5", NULL, 5},
        {"-5", NULL, -5},
        {"-0", NULL, 0},
        {"5.0", NULL, 5},
        {"5e2", NULL, 500},
        {"true", NULL, 1},
        {"false", NULL, 0},
        {"\" 5 \"", NULL, 5},
        {"\"1_000.0\"", NULL, 1000},
        {"9223372036854775807", NULL, INT64_MAX},
        {"-9223372036854775808", NULL, INT64_MIN},
        {"9223372036854775808", "int_parsing_size", 0},
        {"-9223372036854775809", "int_parsing_size", 0},
        {"18446744073709551615", "int_parsing_size", 0},
        {"18446744073709551616", "int_parsing_size", 0},
        {"99999999999999999999999999", "int_parsing_size", 0},
        {"\"9223372036854775808\"", "int_parsing_size", 0},
        {"9.3e18", "int_parsing_size", 0},
        {"9223372036854775808.0", "int_parsing_size", 0},
        {"-9223372036854775808.0", NULL, INT64_MIN},
        {"1.5", "int_from_float", 0},
        {"1e-1", "int_from_float", 0},
        {"1e400", "finite_number", 0},
        {"-1e400", "finite_number", 0},
        {"\"\"", "int_parsing", 0},
        {"\"x\"", "int_parsing", 0},
        {"\"5\\u0000\"", "int_parsing", 0},
        {"\"\\ud800\"", "string_unicode", 0},
        {"[]", "int_type", 0},
        {"{}", "int_type", 0},
        {"[\"\\u0000\"]", "int_type", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *result = check(SCHEMA_status, text_format(arena, "{\"status_expires_at\":%s}", cases[i].json).data);
        const char *expected =
            cases[i].type == NULL ? "" : text_format(arena, "%s [\"body\",\"status_expires_at\"]", cases[i].type).data;
        if (strcmp(result, expected) != 0) {
            fail_msg("%s: '%s' instead of '%s'", cases[i].json, result, expected);
        }
        if (cases[i].type == NULL) {
            assert_true(request->input[INPUT_status_status_expires_at].present);
            assert_true(request->input[INPUT_status_status_expires_at].integer == cases[i].integer);
        }
    }
    assert_string_equal(check(SCHEMA_status, "{\"status_expires_at\":null}"), "");
    assert_false(request->input[INPUT_status_status_expires_at].present);
    assert_true(request->input[INPUT_status_status_expires_at].is_null);
    assert_string_equal(check(SCHEMA_status, "{}"), "");
    assert_false(request->input[INPUT_status_status_expires_at].present);
    assert_false(request->input[INPUT_status_status_expires_at].is_null);
}

static void booleans(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *type;
        bool boolean;
    } cases[] = {
        {"true", NULL, true},
        {"false", NULL, false},
        {"1", NULL, true},
        {"0", NULL, false},
        {"1.0", NULL, true},
        {"0.0", NULL, false},
        {"\"on\"", NULL, true},
        {"\"OFF\"", NULL, false},
        {"2", "bool_parsing", false},
        {"-1", "bool_parsing", false},
        {"\"2\"", "bool_parsing", false},
        {"\"\"", "bool_parsing", false},
        {"\" true\"", "bool_parsing", false},
        {"0.5", "bool_type", false},
        {"1e400", "bool_type", false},
        {"9223372036854775808", "bool_type", false},
        {"-9223372036854775809", "bool_type", false},
        {"[]", "bool_type", false},
        {"{}", "bool_type", false},
        {"\"true\\u0000\"", "bool_parsing", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *result = check(SCHEMA_ldap, text_format(arena, "{\"enable_ldap\":%s}", cases[i].json).data);
        const char *expected =
            cases[i].type == NULL ? "" : text_format(arena, "%s [\"body\",\"enable_ldap\"]", cases[i].type).data;
        if (strcmp(result, expected) != 0) {
            fail_msg("%s: '%s' instead of '%s'", cases[i].json, result, expected);
        }
        if (cases[i].type == NULL) {
            assert_int_equal(request->input[INPUT_ldap_enable_ldap].integer, cases[i].boolean);
        }
    }
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *type;
        const char *date;
    } cases[] = {
        {"\"1999-12-31\"", NULL, "1999-12-31"},
        {"\"1999-12-31T00:00:00Z\"", NULL, "1999-12-31"},
        {"0", NULL, "1970-01-01"},
        {"86400.0", NULL, "1970-01-02"},
        {"\"86400\"", NULL, "1970-01-02"},
        {"\"0000-01-01\"", "date_parsing", NULL},
        {"\"1999-02-29\"", "date_from_datetime_parsing", NULL},
        {"\"\"", "date_from_datetime_parsing", NULL},
        {"1e300", "date_from_datetime_parsing", NULL},
        {"\"1999-12-31T01:00\"", "date_from_datetime_inexact", NULL},
        {"1", "date_from_datetime_inexact", NULL},
        {"true", "date_type", NULL},
        {"[]", "date_type", NULL},
        {"{}", "date_type", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *result = check(
            SCHEMA_profile,
            text_format(arena, "{\"profile_image_url\":\"\",\"name\":\"\",\"date_of_birth\":%s}", cases[i].json).data);
        const char *expected =
            cases[i].type == NULL ? "" : text_format(arena, "%s [\"body\",\"date_of_birth\"]", cases[i].type).data;
        if (strcmp(result, expected) != 0) {
            fail_msg("%s: '%s' instead of '%s'", cases[i].json, result, expected);
        }
        if (cases[i].type == NULL) {
            assert_true(text_is(request->input[INPUT_profile_date_of_birth].text, cases[i].date));
        }
    }
}

static void lists(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"user_ids\":null}", ""},
        {"{\"user_ids\":[]}", ""},
        {"{\"user_ids\":\"a\"}", "list_type [\"body\",\"user_ids\"]"},
        {"{\"user_ids\":{\"0\":\"a\"}}", "list_type [\"body\",\"user_ids\"]"},
        {"{\"user_ids\":[\"a\",1,\"b\",null]}",
         "string_type [\"body\",\"user_ids\",1], string_type [\"body\",\"user_ids\",3]"},
        {"{\"user_ids\":[\"a\",\"\\u0000\"]}", "string_unicode [\"body\",\"user_ids\",1]"},
    };
    ASSERT_CHECKS(SCHEMA_group_members, cases);
    assert_string_equal(check(SCHEMA_group_members, "{\"user_ids\":[\"a\",\"\"]}"), "");
    const struct input *ids = &request->input[INPUT_group_members_user_ids];
    assert_int_equal(ids->text_count, 2);
    assert_true(text_is(ids->texts[0], "a"));
    assert_true(text_is(ids->texts[1], ""));
}

static void sections(void **state)
{
    (void)state;
#define OTHERS "\"workspace\":{},\"sharing\":{},\"features\":{}"
    static const char *const cases[][2] = {
        {"{}", "missing [\"body\",\"workspace\"], missing [\"body\",\"sharing\"], missing [\"body\",\"chat\"], "
               "missing [\"body\",\"features\"]"},
        {"{" OTHERS ",\"chat\":[]}", "model_attributes_type [\"body\",\"chat\"]"},
        {"{" OTHERS ",\"chat\":null}", "model_attributes_type [\"body\",\"chat\"]"},
        {"{" OTHERS ",\"chat\":{\"edit\":\"x\",\"controls\":null,\"valves\":2}}",
         "bool_type [\"body\",\"chat\",\"controls\"], bool_parsing [\"body\",\"chat\",\"valves\"], "
         "bool_parsing [\"body\",\"chat\",\"edit\"]"},
        {"{" OTHERS ",\"chat\":{\"no such key\":\"\\u0000\"}}", ""},
    };
    ASSERT_CHECKS(SCHEMA_permissions, cases);
    assert_string_equal(
        check(SCHEMA_permissions, "{" OTHERS ",\"chat\":{\"edit\":\"off\",\"temporary_enforced\":1,\"x\":true}}"), "");
    json_object *chat = request->input[INPUT_permissions_chat].json;
    size_t rows = 0;
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (strcmp(row->section, "chat") == 0 && row->since == COMPATIBILITY_0_6) {
            json_object *value;
            bool expected =
                strcmp(row->key, "temporary_enforced") == 0 || (strcmp(row->key, "edit") != 0 && row->absent);
            assert_true(json_object_object_get_ex(chat, row->key, &value));
            assert_int_equal(json_object_get_type(value), json_type_boolean);
            assert_int_equal(json_object_get_boolean(value), expected);
            rows++;
        }
    }
    assert_int_equal(json_object_object_length(chat), rows);
    json_object *value;
    assert_true(json_object_object_get_ex(request->input[INPUT_permissions_sharing].json, "public_tools", &value));
    assert_true(json_object_get_boolean(value));
}

/* What compatibility = 0.12 makes of the same body: further sections and keys, and nothing is required. */
static void later_sections(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"chat\":null}", "model_attributes_type [\"body\",\"chat\"]"},
        {"{\"access_grants\":[],\"settings\":{\"interface\":null}}",
         "model_attributes_type [\"body\",\"access_grants\"], bool_type [\"body\",\"settings\",\"interface\"]"},
    };
    assert_string_equal(check(SCHEMA_permissions, "{" OTHERS ",\"chat\":{},\"settings\":7}"), ""); /* unknown */
    streams.config.compatibility = COMPATIBILITY_0_12;
    ASSERT_CHECKS(SCHEMA_permissions, cases);
    assert_string_equal(check(SCHEMA_permissions, "{\"chat\":{\"import_\":false,\"edit\":\"yes\",\"x\":1}}"), "");
    assert_string_equal(json_object_to_json_string_ext(request->input[INPUT_permissions_chat].json, 0),
                        "{\"edit\":true,\"import\":false}");
    assert_false(request->input[INPUT_permissions_workspace].present);
    streams.config.compatibility = COMPATIBILITY_0_6;
}

static void later_settings(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"FOLDER_MAX_FILE_COUNT\":\"x\"}", "int_parsing [\"body\",\"FOLDER_MAX_FILE_COUNT\"]"},
        {"{\"FOLDER_MAX_FILE_COUNT\":\"5.5\"}", "int_parsing [\"body\",\"FOLDER_MAX_FILE_COUNT\"]"},
        {"{\"FOLDER_MAX_FILE_COUNT\":[]}", "int_type [\"body\",\"FOLDER_MAX_FILE_COUNT\"]"},
        {"{\"ENABLE_MFA\":1,\"MFA_ALLOW_OAUTH_BYPASS\":\"true\"}",
         "bool_type [\"body\",\"ENABLE_MFA\"], bool_type [\"body\",\"MFA_ALLOW_OAUTH_BYPASS\"]"},
        {"{\"I18N\":[],\"ADMIN_EMAIL\":7}", "string_type [\"body\",\"ADMIN_EMAIL\"], dict_type [\"body\",\"I18N\"]"},
        {"{\"ADMIN_EMAIL\":null,\"FOLDER_MAX_FILE_COUNT\":null,\"ENABLE_MFA\":true}", ""},
    };
    static const struct {
        const char *json;
        int64_t integer;
        bool is_number;
    } amounts[] = {{"6", 6, true},  {"\"6\"", 6, true}, {"5.0", 5, true},    {"-1", -1, true},    {"\"0\"", 0, true},
                   {"0", 0, false}, {"\"\"", 0, false}, {"false", 0, false}, {"\" 7 \"", 7, true}};
    streams.config.compatibility = COMPATIBILITY_0_12;
    ASSERT_CHECKS(SCHEMA_admin_config, cases);
    for (size_t i = 0; i < ARRAY_COUNT(amounts); i++) {
        const struct text body = text_format(arena, "{\"AUTOMATION_MAX_COUNT\":%s}", amounts[i].json);
        assert_string_equal(check(SCHEMA_admin_config, body.data), "");
        const struct input *input = &request->input[INPUT_admin_config_AUTOMATION_MAX_COUNT];
        if (!input->present || input->integer != amounts[i].integer ||
            (input->text.data == NULL) != amounts[i].is_number) {
            fail_msg("%s is read as %lld", amounts[i].json, (long long)input->integer);
        }
    }
    streams.config.compatibility = COMPATIBILITY_0_6;
}

static void overlays(void **state)
{
    (void)state;
#define GROUP(permissions) "{\"name\":\"g\",\"description\":\"\",\"permissions\":" permissions "}"
    static const char *const cases[][2] = {
        {GROUP("null"), ""},
        {GROUP("{}"), ""},
        {GROUP("{\"chat\":{\"edit\":true},\"own\":{\"a\":{\"b\":false}},\"flag\":true}"), ""},
        {GROUP("[]"), "dict_type [\"body\",\"permissions\"]"},
        {GROUP("{\"chat\":true}"), "dict_type [\"body\",\"permissions\",\"chat\"]"},
        {GROUP("{\"chat\":null,\"own\":null}"),
         "dict_type [\"body\",\"permissions\",\"chat\"], bool_type [\"body\",\"permissions\",\"own\"]"},
        {GROUP("{\"chat\":{\"edit\":1}}"), "bool_type [\"body\",\"permissions\",\"chat\",\"edit\"]"},
        {GROUP("{\"chat\":{\"edit\":{}}}"), "bool_type [\"body\",\"permissions\",\"chat\",\"edit\"]"},
        {GROUP("{\"chat\":{\"own\":{\"x\":\"y\"}}}"), "bool_type [\"body\",\"permissions\",\"chat\",\"own\"]"},
        {GROUP("{\"q\\\"\":1}"), "bool_type [\"body\",\"permissions\",\"q\\\"\"]"},
        {GROUP("{\"chat\":{\"edit\":\"\\u0000\"}}"), "string_unicode [\"body\",\"permissions\"]"},
    };
    ASSERT_CHECKS(SCHEMA_group_create, cases);
}

static void free_objects(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"ui\":null}", ""},
        {"{\"ui\":{\"a\":[1.5,null]},\"more\":[{}]}", ""},
        {"{\"ui\":[]}", "dict_type [\"body\",\"ui\"]"},
        {"{\"ui\":\"{}\"}", "dict_type [\"body\",\"ui\"]"},
        {"{\"ui\":{\"a\":9223372036854775808}}", "int_parsing_size [\"body\",\"ui\"]"},
        {"{\"ui\":{\"a\":-9223372036854775809}}", "int_parsing_size [\"body\",\"ui\"]"},
        {"{\"more\":9223372036854775808,\"ui\":1}",
         "dict_type [\"body\",\"ui\"], int_parsing_size [\"body\",\"more\"]"},
        {"{\"ui\":{\"a\":\"\\u0000\"}}", "string_unicode [\"body\",\"ui\"]"},
        {"{\"more\":\"\\u0000\"}", "string_unicode [\"body\",\"more\"]"},
    };
    ASSERT_CHECKS(SCHEMA_settings, cases);
}

static const char *check_query(enum schema schema, const char *query)
{
    streams_begin(&streams, arena);
    memset(&route, 0, sizeof route);
    route.query = schema;
    request->route = &route;
    request->query_string = text_of(query);
    return result_of(validate_request(request));
}

static void queries(void **state)
{
    (void)state;
    static const char *const users[][2] = {
        {"", ""},
        {"page=2", ""},
        {"page=%20%2B2.0+", ""},
        {"page=", "int_parsing [\"query\",\"page\"]"},
        {"page", "int_parsing [\"query\",\"page\"]"},
        {"page=x&page=1", ""},
        {"page=1&page=x", "int_parsing [\"query\",\"page\"]"},
        {"page=9223372036854775808", "int_parsing_size [\"query\",\"page\"]"},
        {"page=x&query=%00", "string_unicode [\"query\",\"query\"], int_parsing [\"query\",\"page\"]"},
        {"query=%ff", "string_unicode [\"query\",\"query\"]"},
        {"query=%ed%a0%80", "string_unicode [\"query\",\"query\"]"},
        {"query=%c3%a9", ""},
        {"unknown=%00&Page=x", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(users); i++) {
        const char *result = check_query(SCHEMA_users_query, users[i][0]);
        if (strcmp(result, users[i][1]) != 0) {
            fail_msg("%s: '%s' instead of '%s'", users[i][0], result, users[i][1]);
        }
    }
    assert_string_equal(check_query(SCHEMA_groups_query, "share=ON"), "");
    assert_true(request->query[INPUT_groups_query_share].present);
    assert_int_equal(request->query[INPUT_groups_query_share].integer, 1);
    assert_string_equal(check_query(SCHEMA_groups_query, "share=maybe"), "bool_parsing [\"query\",\"share\"]");
    assert_string_equal(check_query(SCHEMA_groups_query, ""), "");
    assert_false(request->query[INPUT_groups_query_share].present);

    assert_string_equal(check_query(SCHEMA_users_query, "query=a+b%26c&query=d&page=-3&direction="), "");
    assert_true(text_is(request->query[INPUT_users_query_query].text, "d"));
    assert_int_equal(request->query[INPUT_users_query_page].integer, -3);
    assert_true(request->query[INPUT_users_query_direction].present);
    assert_true(text_is(request->query[INPUT_users_query_direction].text, ""));
    assert_false(request->query[INPUT_users_query_order_by].present);
}

/* Both at once: the query's faults come first. Nothing at all: nothing is read. */
static void query_and_body(void **state)
{
    (void)state;
    streams_begin(&streams, arena);
    memset(&route, 0, sizeof route);
    route.query = SCHEMA_users_query;
    route.body = SCHEMA_sign_in;
    request->route = &route;
    request->query_string = TEXT("page=x");
    streams_send(&streams, TEXT("{\"email\":\"a\"}"));
    assert_string_equal(result_of(validate_request(request)),
                        "int_parsing [\"query\",\"page\"], missing [\"body\",\"password\"]");

    streams_begin(&streams, arena);
    request->route = &route;
    request->query_string = TEXT("page=x");
    streams_send(&streams, TEXT("{\"email\":\"a\",\"password\":\"b\"}"));
    assert_string_equal(result_of(validate_request(request)), "int_parsing [\"query\",\"page\"]");

    streams_begin(&streams, arena);
    memset(&route, 0, sizeof route);
    request->route = &route;
    streams_send(&streams, TEXT("no JSON"));
    assert_string_equal(result_of(validate_request(request)), "");
    assert_int_equal(streams.body_sent, 0);
    assert_null(request->input);
    assert_null(request->query);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whole_bodies), TEST(content_types),  TEST(body_problems),  TEST(order_of_faults),
        TEST(lengths),      TEST(integers),       TEST(booleans),       TEST(dates),
        TEST(lists),        TEST(sections),       TEST(overlays),       TEST(free_objects),
        TEST(queries),      TEST(query_and_body), TEST(later_sections), TEST(later_settings),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
