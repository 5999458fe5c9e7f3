/* test_host_port.c: hosts and ports. */
#include "base/arena.h"
#include "base/array.h"
#include "base/host_port.h"
#include "unit.h"

static void test_split(void **state)
{
    static const struct {
        struct text text, host, port;
        bool has_brackets;
    } rows[] = {
        {TEXT("db1"), TEXT("db1"), TEXT_NULL, false},
        {TEXT("db1:3307"), TEXT("db1"), TEXT("3307"), false},
        {TEXT("db1:"), TEXT("db1"), TEXT(""), false},
        {TEXT(":3307"), TEXT(""), TEXT("3307"), false},
        {TEXT("192.0.2.1:80"), TEXT("192.0.2.1"), TEXT("80"), false},
        {TEXT("2001:db8::1"), TEXT("2001:db8::1"), TEXT_NULL, false},
        {TEXT("a:b:c"), TEXT("a:b:c"), TEXT_NULL, false},
        {TEXT("[2001:db8::1]"), TEXT("2001:db8::1"), TEXT_NULL, true},
        {TEXT("[2001:db8::1]:80"), TEXT("2001:db8::1"), TEXT("80"), true},
        {TEXT("[::1]:"), TEXT("::1"), TEXT(""), true},
        {TEXT("[]"), TEXT(""), TEXT_NULL, true},
        {TEXT("a]:1"), TEXT("a]"), TEXT("1"), false},
        {TEXT(""), TEXT(""), TEXT_NULL, false},
        {TEXT("a\0b:1"), TEXT("a\0b"), TEXT("1"), false},
    };
    static const struct text bad[] = {TEXT("["), TEXT("[::1"), TEXT("[::1]x"), TEXT("[::1]80"), TEXT("[::1]]:80")};
    struct host_port parts;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_true(host_port_split(rows[i].text, &parts));
        assert_true(text_equal(parts.host, rows[i].host));
        assert_true(text_equal(parts.port, rows[i].port));
        assert_int_equal(parts.has_brackets, rows[i].has_brackets);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(host_port_split(bad[i], &parts));
    }
}

static void test_read(void **state)
{
    static const struct {
        const char *value, *host;
        int port;
    } rows[] = {
        {"db1", "db1", 3306},        {"db1:1", "db1", 1},    {"db1:65535", "db1", 65535}, {"[::1]", "::1", 3306},
        {"[::1]:6380", "::1", 6380}, {"::1", "::1", 3306},   {"db1:65536", "db1", 3306},  {"db1:0", "db1", 3306},
        {"db1:", "db1", 3306},       {"db1:x", "db1", 3306},
    };
    struct arena *arena = arena_new(0);
    uint16_t port;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_string_equal(host_port_read(arena, rows[i].value, 3306, &port), rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_read),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
