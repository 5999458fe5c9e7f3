/* test_permission.c: how the permissions of a user come about. What the tables hold is made up here, in the place of
 * group_store. */
#include "auth/permission.h"
#include "base/array.h"
#include "base/json.h"
#include "config/compatibility.h"
#include "store/group_store.h"
#include "unit.h"

static struct context context;
static struct config config; /* compatibility = 0.6, unless a test says another */

/* ---- The stand-in: a document of settings, then the groups' permissions ---- */

static struct value sources[8];
static size_t source_count;
static enum outcome source_outcome;
static struct text asked_for;

enum outcome group_store_permissions(struct context *given, struct text user_id, struct result *rows_r)
{
    assert_ptr_equal(given, &context);
    asked_for = user_id;
    if (source_outcome == OK) {
        *rows_r = (struct result){.values = sources, .row_count = source_count, .column_count = 1};
    }
    return source_outcome;
}

enum outcome group_store_permissions_of_group(struct context *given, struct text group_id, struct result *rows_r)
{
    return group_store_permissions(given, group_id, rows_r);
}

static void store(const char *document, const char *first, const char *second)
{
    const char *texts[] = {document, first, second};

    source_count = 1;
    for (size_t i = 0; i < 3; i++) {
        sources[i] = (struct value){.text = text_of(texts[i]), .is_null = texts[i] == NULL};
        if (i > 0 && texts[i] != NULL) {
            source_count = i + 1;
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    memset(&context, 0, sizeof context);
    context.arena = arena_new(0);
    memset(&config, 0, sizeof config);
    context.config = &config;
    source_outcome = OK;
    store(NULL, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

/* ---- Looking ---- */

/* 1 and 0 for booleans, -1 where there is none, -2 for anything else. */
static int look(json_object *permissions, const char *section, const char *key)
{
    json_object *value = permissions;

    if (!json_object_object_get_ex(value, section, &value) ||
        (key != NULL && !json_object_object_get_ex(value, key, &value))) {
        return -1;
    }
    return json_object_get_type(value) != json_type_boolean ? -2 : json_object_get_boolean(value);
}

static json_object *combine(const char *defaults, const char *first, const char *second)
{
    const struct text groups[] = {text_of(first), text_of(second)};
    size_t count = second != NULL ? 2 : first != NULL ? 1 : 0;

    return permission_combine(&context, json_parse(context.arena, text_of(defaults)), groups, count,
                              config.compatibility);
}

/* permissions.def, written out. */
static const char *const sections[] = {"workspace", "sharing", "chat", "features"};
static const char *const keys[4][24] = {
    {"models", "knowledge", "prompts", "tools", "models_import", "models_export", "prompts_import", "prompts_export",
     "tools_import", "tools_export"},
    {"models", "public_models", "knowledge", "public_knowledge", "prompts", "public_prompts", "tools", "notes",
     "public_tools", "public_notes"},
    {"controls", "valves", "system_prompt", "params", "file_upload", "delete", "delete_message", "continue_response",
     "regenerate_response", "rate_response", "edit", "share", "export", "stt", "tts", "call", "multiple_models",
     "temporary", "temporary_enforced"},
    {"api_keys", "direct_tool_servers", "notes", "channels", "folders", "web_search", "image_generation",
     "code_interpreter"},
};

static bool expected(size_t section, const char *key, bool fresh)
{
    switch (section) {
    case 0:
        return false;
    case 1:
        return !fresh && (strcmp(key, "public_tools") == 0 || strcmp(key, "public_notes") == 0);
    case 2:
        return strcmp(key, "temporary_enforced") != 0;
    default:
        return strcmp(key, "api_keys") != 0 && strcmp(key, "direct_tool_servers") != 0;
    }
}

/* All of the table, and nothing besides. */
static void assert_table(json_object *permissions, bool fresh)
{
    assert_int_equal(json_object_object_length(permissions), 4);
    for (size_t i = 0; i < 4; i++) {
        json_object *section = json_object_object_get(permissions, sections[i]);
        int count = 0;

        for (; keys[i][count] != NULL; count++) {
            if (look(permissions, sections[i], keys[i][count]) != expected(i, keys[i][count], fresh)) {
                fail_msg("%s.%s is %d", sections[i], keys[i][count], look(permissions, sections[i], keys[i][count]));
            }
        }
        assert_int_equal(json_object_object_length(section), count);
    }
}

/* ---- permission_combine ---- */

static void test_fresh_install(void **state)
{
    (void)state;
    assert_table(combine(NULL, NULL, NULL), true);
    assert_table(combine("[]", NULL, NULL), true);
    assert_table(combine("{}", NULL, NULL), true);
    assert_table(combine(NULL, "{}", "{\"features\":{}}"), true);
    assert_int_equal(look(combine(NULL, "{\"features\":{\"api_keys\":true}}", NULL), "features", "api_keys"), 1);
    assert_int_equal(look(combine(NULL, "{\"chat\":{\"delete\":false}}", NULL), "chat", "delete"), 1);
}

static void test_true_wins(void **state)
{
    static const char yes[] = "{\"chat\":{\"delete\":true}}", no[] = "{\"chat\":{\"delete\":false}}";

    (void)state;
    assert_int_equal(look(combine(no, NULL, NULL), "chat", "delete"), 0);
    assert_int_equal(look(combine(no, no, no), "chat", "delete"), 0);
    assert_int_equal(look(combine(yes, no, no), "chat", "delete"), 1);
    assert_int_equal(look(combine(no, yes, no), "chat", "delete"), 1);
    assert_int_equal(look(combine(no, no, yes), "chat", "delete"), 1);
    /* Filled only where nobody has the key: two groups that say no are two that have it. */
    assert_int_equal(look(combine("{\"chat\":{}}", no, NULL), "chat", "delete"), 0);
    assert_int_equal(look(combine("{\"chat\":{}}", no, NULL), "chat", "edit"), 1);
    assert_int_equal(look(combine("{\"chat\":{}}", no, yes), "chat", "delete"), 1);
}

static void test_sections_are_combined_by_key(void **state)
{
    json_object *permissions =
        combine("{\"workspace\":{\"models\":true,\"tools\":false},\"chat\":{\"edit\":false}}",
                "{\"workspace\":{\"tools\":true}}", "{\"workspace\":{\"prompts\":true,\"models\":false}}");

    (void)state;
    assert_int_equal(look(permissions, "workspace", "models"), 1);
    assert_int_equal(look(permissions, "workspace", "tools"), 1);
    assert_int_equal(look(permissions, "workspace", "prompts"), 1);
    assert_int_equal(look(permissions, "workspace", "knowledge"), 0);
    assert_int_equal(look(permissions, "chat", "edit"), 0);
    assert_int_equal(look(permissions, "chat", "stt"), 1);
    assert_int_equal(look(permissions, "sharing", "public_tools"), 0);
}

static void test_further_keys(void **state)
{
    json_object *permissions =
        combine("{\"features\":{\"own\":false},\"x\":{\"y\":{\"a\":false,\"b\":true}}}",
                "{\"features\":{\"own\":true,\"group\":false},\"flag\":true,\"x\":{\"y\":{\"a\":true}}}",
                "{\"more\":{\"deep\":{\"deeper\":true,\"not\":false}},\"x\":{\"y\":{\"b\":false}},\"flag\":false}");

    (void)state;
    assert_int_equal(look(permissions, "features", "own"), 1);
    assert_int_equal(look(permissions, "features", "group"), 0);
    assert_int_equal(look(permissions, "flag", NULL), 1);
    assert_string_equal(json_print(context.arena, json_object_object_get(permissions, "x")).data,
                        "{\"y\":{\"a\":true,\"b\":true}}");
    assert_string_equal(json_print(context.arena, json_object_object_get(permissions, "more")).data,
                        "{\"deep\":{\"deeper\":true,\"not\":false}}");

    /* Where nobody knows what belongs, the first kind stays; names of the table mean nothing further down. */
    assert_int_equal(look(combine("{\"x\":true}", "{\"x\":{\"y\":true}}", NULL), "x", NULL), 1);
    assert_int_equal(look(combine("{\"x\":{\"y\":true}}", "{\"x\":true}", NULL), "x", "y"), 1);
    permissions = combine("{}", "{\"x\":{\"chat\":{\"delete\":{\"z\":true}}}}", NULL);
    assert_string_equal(json_print(context.arena, json_object_object_get(permissions, "x")).data,
                        "{\"chat\":{\"delete\":{\"z\":true}}}");
}

/* What is of the wrong kind grants nothing, and takes nothing from those that are right. */
static void test_broken_values(void **state)
{
    static const char *const broken[] = {
        "{\"features\":{\"api_keys\":1}}",
        "{\"features\":{\"api_keys\":\"true\"}}",
        "{\"features\":{\"api_keys\":null}}",
        "{\"features\":{\"api_keys\":[true]}}",
        "{\"features\":{\"api_keys\":{\"a\":true}}}",
        "{\"features\":true}",
        "{\"features\":null}",
        "{\"features\":[true]}",
        "{\"features\":\"api_keys\"}",
        "{\"api_keys\":true}",
        "true",
        "[{\"features\":{\"api_keys\":true}}]",
        "null",
        "{\"features\":{\"api_keys\":true}", /* no JSON */
        "",
    };
    static const char yes[] = "{\"features\":{\"api_keys\":true,\"notes\":false}}";

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        assert_int_equal(look(combine("{}", broken[i], NULL), "features", "api_keys"), 0);
        assert_int_equal(look(combine("{}", broken[i], broken[i]), "features", "notes"), 1);
        assert_int_equal(look(combine(broken[i], NULL, NULL), "features", "api_keys"), 0);
        assert_int_equal(look(combine(NULL, broken[i], NULL), "features", "api_keys"), 0);
        if (look(combine("{}", broken[i], yes), "features", "api_keys") != 1 ||
            look(combine("{}", yes, broken[i]), "features", "api_keys") != 1 ||
            look(combine(yes, broken[i], NULL), "features", "api_keys") != 1 ||
            look(combine(broken[i], yes, NULL), "features", "api_keys") != 1) {
            fail_msg("%s takes away", broken[i]);
        }
        assert_int_equal(look(combine("{}", broken[i], yes), "features", "notes"), 0);
    }
    assert_int_equal(look(combine("{}", "{\"x\":7}", NULL), "x", NULL), -1);
    assert_int_equal(look(combine("{}", "{\"x\":{\"y\":\"z\"}}", NULL), "x", "y"), -1);
}

static void test_sources_stay(void **state)
{
    json_object *defaults = json_parse(context.arena, TEXT("{\"features\":{\"api_keys\":false}}"));
    const struct text group = TEXT("{\"features\":{\"api_keys\":true},\"x\":{}}");

    (void)state;
    permission_combine(&context, defaults, &group, 1, config.compatibility);
    assert_string_equal(json_print(context.arena, defaults).data, "{\"features\":{\"api_keys\":false}}");
}

/* ---- permission_defaults ---- */

static json_object *defaults_of(const char *document)
{
    return permission_defaults(&context, json_parse(context.arena, text_of(document)), config.compatibility);
}

static void test_defaults(void **state)
{
    json_object *defaults, *document;

    (void)state;
    assert_table(permission_defaults(&context, NULL, config.compatibility), true);
    assert_table(defaults_of("{}"), true);
    assert_table(defaults_of("{\"user\":{}}"), true);
    assert_table(defaults_of("{\"user\":{\"permissions\":[]}}"), true);
    assert_table(defaults_of("{\"user\":{\"permissions\":{}}}"), false);
    assert_table(defaults_of("{\"user\":{\"permissions\":{\"chat\":true,\"sharing\":null}}}"), false);

    /* What is known stays, what is broken is filled, what is not known is not shown. */
    defaults = defaults_of(
        "{\"user\":{\"permissions\":{\"chat\":{\"edit\":false,\"stt\":1,\"own\":true},\"more\":{\"a\":true},"
        "\"features\":{\"api_keys\":true}}}}");
    assert_int_equal(look(defaults, "chat", "edit"), 0);
    assert_int_equal(look(defaults, "chat", "stt"), 1);
    assert_int_equal(look(defaults, "chat", "own"), -1);
    assert_int_equal(look(defaults, "more", "a"), -1);
    assert_int_equal(look(defaults, "features", "api_keys"), 1);
    assert_int_equal(look(defaults, "sharing", "public_tools"), 1);
    assert_int_equal(json_object_object_length(defaults), 4);

    /* Theirs: the document is not touched, and may go. */
    document = json_object_new_object();
    json_object_object_add(document, "user", json_tokener_parse("{\"permissions\":{\"chat\":{\"edit\":false}}}"));
    defaults = permission_defaults(&context, document, config.compatibility);
    assert_string_equal(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN),
                        "{\"user\":{\"permissions\":{\"chat\":{\"edit\":false}}}}");
    json_object_put(document);
    assert_int_equal(look(defaults, "chat", "edit"), 0);
}

/* ---- compatibility = 0.12 ---- */

static size_t count_keys(json_object *permissions)
{
    size_t count = 0;
    json_object_object_foreach(permissions, name, section)
    {
        (void)name;
        count += (size_t)json_object_object_length(section);
    }
    return count;
}

/* A key that is there since 0.12 is stored and counts with 0.6, too, but is not shown, unless a group has it. */
static void test_later_keys(void **state)
{
    static const char stored[] =
        "{\"user\":{\"permissions\":{\"features\":{\"memories\":false,\"webhooks\":true},\"settings\":"
        "{\"interface\":false}}}}";
    bool granted;
    (void)state;
    store(stored, NULL, NULL);
    json_object *permissions = NULL;
    assert_int_equal(permission_of_user(&context, TEXT("u"), &permissions), OK);
    assert_table(permissions, true);
    assert_int_equal(count_keys(permissions), 47);
    assert_int_equal(permission_check(&context, TEXT("u"), false, PERMISSION_features_webhooks, &granted), OK);
    assert_true(granted);
    assert_int_equal(permission_check(&context, TEXT("u"), false, PERMISSION_settings_interface, &granted), OK);
    assert_false(granted);
    assert_int_equal(count_keys(defaults_of(stored)), 47);
    store(stored, "{\"settings\":{\"interface\":true}}", NULL);
    assert_int_equal(permission_of_user(&context, TEXT("u"), &permissions), OK);
    assert_int_equal(look(permissions, "settings", "interface"), 1);
    assert_int_equal(look(permissions, "features", "webhooks"), -1);

    config.compatibility = COMPATIBILITY_0_12;
    assert_int_equal(permission_of_user(&context, TEXT("u"), &permissions), OK);
    assert_int_equal(count_keys(permissions), PERMISSION_COUNT);
    assert_int_equal(look(permissions, "features", "webhooks"), 1);
    assert_int_equal(look(permissions, "features", "memories"), 0);
    permissions = defaults_of(stored);
    assert_int_equal(count_keys(permissions), 67);
    assert_int_equal(look(permissions, "settings", "interface"), 0);
    assert_int_equal(look(permissions, "sharing", "public_tools"),
                     0); /* what is not stored is as in a new installation */
    assert_int_equal(look(permissions, "access_grants", "allow_users"), 1);
}

/* ---- Asking ---- */

static void test_granted(void **state)
{
    json_object *permissions = json_parse(
        context.arena, TEXT("{\"features\":{\"api_keys\":true,\"notes\":false,\"channels\":1,\"folders\":\"true\"},"
                            "\"sharing\":true,\"api_keys\":true}"));

    (void)state;
    assert_true(permission_is_granted(permissions, PERMISSION_features_api_keys));
    assert_false(permission_is_granted(permissions, PERMISSION_features_notes));
    assert_false(permission_is_granted(permissions, PERMISSION_features_channels)); /* an integer */
    assert_false(permission_is_granted(permissions, PERMISSION_features_folders));  /* a text */
    assert_false(permission_is_granted(permissions, PERMISSION_features_web_search));
    assert_false(permission_is_granted(permissions, PERMISSION_sharing_notes)); /* true is no section */
    assert_false(permission_is_granted(permissions, PERMISSION_chat_edit));
    assert_false(permission_is_granted(NULL, PERMISSION_features_api_keys));
}

static void test_of_user(void **state)
{
    json_object *permissions = NULL;

    (void)state;
    assert_int_equal(permission_of_user(&context, TEXT("u1"), &permissions), OK);
    assert_true(text_is(asked_for, "u1"));
    assert_table(permissions, true);

    /* Keys that nobody has are those of a fresh install here, whatever the defaults' own page shows. */
    store("{\"user\":{\"permissions\":{\"features\":{\"notes\":false}}}}", NULL, NULL);
    assert_int_equal(permission_of_user(&context, TEXT("u1"), &permissions), OK);
    assert_int_equal(look(permissions, "features", "notes"), 0);
    assert_int_equal(look(permissions, "sharing", "public_tools"), 0);

    store("{\"user\":{\"permissions\":{\"features\":{\"notes\":false}}}}", "{\"own\":{\"a\":true}}",
          "{\"features\":{\"notes\":true}}");
    assert_int_equal(permission_of_user(&context, TEXT("u1"), &permissions), OK);
    assert_int_equal(look(permissions, "features", "notes"), 1);
    assert_int_equal(look(permissions, "own", "a"), 1);

    store(NULL, "{\"features\":{\"api_keys\":true}}", NULL);
    assert_int_equal(permission_of_user(&context, TEXT("u1"), &permissions), OK);
    assert_int_equal(look(permissions, "features", "api_keys"), 1);

    source_outcome = FAULT;
    assert_int_equal(permission_of_user(&context, TEXT("u1"), &permissions), FAULT);
}

static void test_of_group(void **state)
{
    json_object *permissions = NULL;

    (void)state;
    store(NULL, "{\"features\":{\"api_keys\":true}}", "{\"workspace\":{\"models\":true}}");
    assert_int_equal(permission_of_group(&context, TEXT("g1"), &permissions), OK);
    assert_true(text_is(asked_for, "g1"));
    assert_int_equal(look(permissions, "features", "api_keys"), 1);
    assert_int_equal(look(permissions, "workspace", "models"), 1);
    source_outcome = FAULT;
    assert_int_equal(permission_of_group(&context, TEXT("g1"), &permissions), FAULT);
}

static void test_check(void **state)
{
    bool granted = true;

    (void)state;
    assert_int_equal(permission_check(&context, TEXT("u1"), false, PERMISSION_features_api_keys, &granted), OK);
    assert_false(granted);
    assert_int_equal(permission_check(&context, TEXT("u1"), false, PERMISSION_features_notes, &granted), OK);
    assert_true(granted);
    store(NULL, "{\"features\":{\"api_keys\":true}}", NULL);
    granted = false;
    assert_int_equal(permission_check(&context, TEXT("u1"), false, PERMISSION_features_api_keys, &granted), OK);
    assert_true(granted);

    source_outcome = FAULT;
    assert_int_equal(permission_check(&context, TEXT("u1"), false, PERMISSION_features_api_keys, &granted), FAULT);
    assert_false(granted);
    assert_int_equal(permission_check(&context, TEXT("a1"), true, PERMISSION_features_api_keys, &granted),
                     OK); /* without a look */
    assert_true(granted);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fresh_install), TEST(test_true_wins),     TEST(test_sections_are_combined_by_key),
        TEST(test_further_keys),  TEST(test_broken_values), TEST(test_sources_stay),
        TEST(test_defaults),      TEST(test_granted),       TEST(test_of_user),
        TEST(test_check),         TEST(test_later_keys),    TEST(test_of_group),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("permission", tests, NULL, NULL);
}
