/* test_device.c: the cookie of a device: what is ours, whom it knows, and what it does not tell. */
#include <stdio.h>

#include "auth/device.h"
#include "auth/token.h"
#include "base/hex.h"
#include "config/config.h"
#include "unit.h"

enum { NOW = 1800000000 };

static struct config config;
static struct context context;

static int set_up(void **state)
{
    (void)state;
    memset(&context, 0, sizeof context);
    memset(&config, 0, sizeof config);
    config.secret_keys = (struct secret_keys){{TEXT("a secret key of more than thirty-two bytes")}, 1};
    context.arena = arena_new(0);
    context.config = &config;
    context.now_seconds = NOW;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

/* A cookie with these accounts, signed in to in this order. */
static struct text make_cookie(const char *const *users, size_t count)
{
    struct device device = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        device_add(&context, &device, text_of(users[i]));
    }
    return device_print(&context, &device);
}

static bool knows(struct text cookie, const char *user)
{
    struct device device;
    return device_read(&context, cookie, &device) && device_knows(&context, &device, text_of(user));
}

static void test_a_device_knows_its_accounts(void **state)
{
    (void)state;
    struct text cookie = make_cookie((const char *const[]){"one", "two"}, 2);

    assert_true(knows(cookie, "one"));
    assert_true(knows(cookie, "two"));
    assert_false(knows(cookie, "three"));
    assert_false(knows(cookie, ""));
    assert_false(knows(cookie, NULL));
    struct device device;
    assert_false(device_read(&context, TEXT_NULL, &device));
    assert_false(device_knows(&context, &device, TEXT("one")));
    assert_false(device_read(&context, TEXT(""), &device));
}

/* Every bit counts, and nothing may be put behind or taken away. */
static void test_forgeries(void **state)
{
    (void)state;
    struct text cookie = make_cookie((const char *const[]){"one", "two"}, 2);
    struct device device;

    for (size_t i = 0; i < cookie.length; i++) {
        char *forged = (char *)text_copy(context.arena, cookie).data;
        forged[i] = forged[i] == '0' ? '1' : '0';
        assert_false(device_read(&context, (struct text){forged, cookie.length}, &device));
        assert_false(device_knows(&context, &device, TEXT("one")));
        assert_false(device_read(&context, (struct text){cookie.data, i}, &device));
    }
    struct text longer = text_format(context.arena, "%s00", cookie.data);
    assert_false(device_read(&context, longer, &device));
    struct text upper = text_format(context.arena, "%s", cookie.data);
    for (size_t i = 0; i < upper.length; i++) {
        if (upper.data[i] >= 'a') {
            ((char *)upper.data)[i] = (char)(upper.data[i] - 'a' + 'A');
        }
    }
    assert_false(device_read(&context, upper, &device));

    config.secret_keys = (struct secret_keys){{TEXT("another key of more than thirty-two bytes")}, 1};
    assert_false(device_read(&context, cookie, &device));
}

/* After a rotation a cookie counts until its key is retired; a sign-in meanwhile moves that account to the new key. */
static void test_rotation(void **state)
{
    (void)state;
    const struct text old = config.secret_keys.items[0], new = TEXT("another key of more than thirty-two bytes");
    struct text cookie = make_cookie((const char *const[]){"one", "two"}, 2);
    struct device device;

    config.secret_keys = (struct secret_keys){{new, old}, 2};
    assert_true(knows(cookie, "one"));
    assert_true(knows(cookie, "two"));
    assert_false(knows(cookie, "three"));
    assert_true(device_read(&context, cookie, &device));
    device_add(&context, &device, TEXT("one"));
    assert_int_equal(device.count, 2);
    struct text signed_anew = device_print(&context, &device);
    assert_true(knows(signed_anew, "one"));
    assert_true(knows(signed_anew, "two"));

    config.secret_keys = (struct secret_keys){{new}, 1};
    assert_false(device_read(&context, cookie, &device));
    assert_true(knows(signed_anew, "one"));
    assert_false(knows(signed_anew, "two"));

    config.secret_keys = (struct secret_keys){{old}, 1};
    assert_false(device_read(&context, signed_anew, &device));
}

static void test_a_cookie_is_no_token(void **state)
{
    (void)state;
    struct text jti;
    struct token token;
    struct device device;
    struct text cookie = make_cookie((const char *const[]){"one"}, 1);

    assert_int_equal(token_verify(&context, cookie, &config.secret_keys, true, &token), TOKEN_BAD);
    struct text issued = token_issue(&context, config.secret_keys.items[0], TEXT("one"), NOW, NOW + 100, &jti);
    assert_false(device_read(&context, issued, &device));
}

static void test_a_year(void **state)
{
    (void)state;
    struct text cookie = make_cookie((const char *const[]){"one"}, 1);

    context.now_seconds = NOW + DEVICE_LIFETIME_SECONDS - 1;
    assert_true(knows(cookie, "one"));
    context.now_seconds = NOW + DEVICE_LIFETIME_SECONDS;
    assert_false(knows(cookie, "one"));
    context.now_seconds = NOW - 60; /* another host's clock */
    assert_true(knows(cookie, "one"));
}

/* The latest five stay; one that comes again is not there twice, and its time is the new one. */
static void test_several_accounts(void **state)
{
    (void)state;
    static const char *const users[] = {"1", "2", "3", "4", "5", "6", "2"};
    struct device device;
    struct text cookie = make_cookie(users, 7);

    assert_true(device_read(&context, cookie, &device));
    assert_int_equal(device.count, DEVICE_ACCOUNTS_MAX);
    assert_false(knows(cookie, "1"));
    for (size_t i = 1; i < 6; i++) {
        assert_true(knows(cookie, users[i]));
    }
    unsigned char number[DEVICE_NUMBER_LENGTH];
    memcpy(number, device.number, sizeof number);
    context.now_seconds = NOW + 500;
    device_add(&context, &device, TEXT("4"));
    assert_int_equal(device.count, DEVICE_ACCOUNTS_MAX);
    assert_int_equal(device.accounts[0].signed_in_at, NOW + 500);
    assert_int_equal(device.accounts[1].signed_in_at, NOW);
    assert_memory_equal(device.number, number, sizeof number);
    cookie = device_print(&context, &device);
    assert_true(knows(cookie, "3"));
    assert_true(knows(cookie, "4"));
}

/* Two devices of one person have nothing in common, and an id stands in none. */
static void test_it_tells_nothing(void **state)
{
    (void)state;
    struct device first = {.count = 0}, second = {.count = 0};

    device_add(&context, &first, TEXT("one"));
    device_add(&context, &second, TEXT("one"));
    assert_memory_not_equal(first.number, second.number, DEVICE_NUMBER_LENGTH);
    assert_memory_not_equal(first.accounts[0].account, second.accounts[0].account, DEVICE_ACCOUNT_LENGTH);
    struct text cookie = device_print(&context, &first);
    assert_null(strstr(cookie.data, hex_encode(context.arena, (const unsigned char *)"one", 3).data));
    assert_false(text_equal(device_key(&context, &first, TEXT("one")), device_key(&context, &second, TEXT("one"))));
    assert_false(text_equal(device_key(&context, &first, TEXT("one")), device_key(&context, &first, TEXT("two"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_device_knows_its_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgeries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rotation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cookie_is_no_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_year, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_tells_nothing, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
