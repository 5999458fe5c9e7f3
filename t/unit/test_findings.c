/* test_findings.c: check/findings.h: what is told, about what, and how it is counted. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "check/findings.h"
#include "unit.h"

struct told {
    size_t count;
    enum finding_severity severity;
    char subject[32], text[2 * ERROR_TEXT_SIZE], cure[64];
};

static void tell(enum finding_severity severity, const char *subject, const char *text, const char *cure,
                 void *argument)
{
    struct told *told = argument;
    told->count++;
    told->severity = severity;
    snprintf(told->subject, sizeof told->subject, "%s", subject);
    snprintf(told->text, sizeof told->text, "%s", text);
    snprintf(told->cure, sizeof told->cure, "%s", cure);
}

static void assert_told(const struct told *told, size_t count, enum finding_severity severity, const char *subject,
                        const char *text)
{
    assert_int_equal(told->count, count);
    assert_int_equal(told->severity, severity);
    assert_string_equal(told->subject, subject);
    assert_string_equal(told->text, text);
}

static void test_telling(void **state)
{
    (void)state;
    struct told told = {0};
    struct findings findings;
    findings_init(&findings, tell, &told);
    findings_add(&findings, FINDING_GOOD, "%s is good", "all");
    assert_told(&told, 1, FINDING_GOOD, "", "all is good");
    findings_begin(&findings, "files");
    findings_add(&findings, FINDING_WARNING, "line %d", 7);
    assert_told(&told, 2, FINDING_WARNING, "files", "line 7");
    findings_add(&findings, FINDING_ERROR, "line %d", 8);
    assert_told(&told, 3, FINDING_ERROR, "files", "line 8");
    assert_string_equal(told.cure, "");
    findings_add_cure(&findings, FINDING_WARNING, "chmod 600 FILE", "line %d", 9);
    assert_told(&told, 4, FINDING_WARNING, "files", "line 9");
    assert_string_equal(told.cure, "chmod 600 FILE");
}

static void test_counting(void **state)
{
    (void)state;
    struct told told = {0};
    struct findings findings;
    findings_init(&findings, tell, &told);
    assert_true(findings_are_good(&findings));
    findings_begin(&findings, "one");
    findings_add(&findings, FINDING_GOOD, "good");
    assert_true(findings_are_good(&findings));
    findings_add(&findings, FINDING_WARNING, "to look at");
    assert_false(findings_are_good(&findings));
    findings_begin(&findings, "two");
    findings_add(&findings, FINDING_UNSEEN, "not to be seen");
    assert_true(findings_are_good(&findings));
    findings_add(&findings, FINDING_ERROR, "to fix");
    findings_add(&findings, FINDING_ERROR, "to fix");
    assert_false(findings_are_good(&findings));
    assert_int_equal(findings.counts[FINDING_GOOD], 1);
    assert_int_equal(findings.counts[FINDING_WARNING], 1);
    assert_int_equal(findings.counts[FINDING_ERROR], 2);
}

/* The longest error, with the name of a directive before it. */
static void test_room(void **state)
{
    (void)state;
    struct told told = {0};
    struct findings findings;
    struct error error;
    memset(error.text, 'x', sizeof error.text - 1);
    error.text[sizeof error.text - 1] = '\0';
    findings_init(&findings, tell, &told);
    findings_add(&findings, FINDING_ERROR, "listen_second: %s", error.text);
    assert_int_equal(strlen(told.text), strlen("listen_second: ") + sizeof error.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_telling),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_room),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
