/* test_accept.c: which form of an answer a client wants. */
#include "base/array.h"
#include "unit.h"
#include "worker/accept.h"

enum { PLAIN, JSON, PROMETHEUS, METRICS };

static const struct media_offer offers[] = {
    [PLAIN] = {"text/plain", NULL},
    [JSON] = {"application/json", NULL},
    [PROMETHEUS] = {"text/plain", "0.0.4"},
    [METRICS] = {"application/openmetrics-text", ""},
};

static void test_choose(void **state)
{
    static const struct {
        const char *accept;
        size_t chosen;
    } rows[] = {
        {NULL, PLAIN},
        {"", PLAIN},
        {"*/*", PLAIN},
        {"text/*", PLAIN},
        {"application/json", JSON},
        {"Application/JSON", JSON},
        {"application/*", JSON},
        {"application/json, text/plain", PLAIN}, /* equal: the first offer */
        {"text/plain;q=0.5, application/json", JSON},
        {"text/plain;q=0.5,application/json;q=0.4", PLAIN},
        {"text/plain;q=0,*/*;q=0.1", JSON},
        {"application/json;q=1.000", JSON},
        {"application/json; charset=utf-8", JSON},
        {"application/json;a=\",;q=0\";q=0.9, text/plain;q=0.8", JSON},
        {"text/plain;version=0.0.4", PROMETHEUS},
        {"text/plain; Version=\"0.0.4\"; q=0.5", PROMETHEUS},
        {"text/plain;version=0.0.5", PLAIN},
        /* Prometheus, by default and with OpenMetrics alone; browsers */
        {"application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS},
        {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PROMETHEUS},
        {"application/openmetrics-text", METRICS},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PLAIN},
        /* nothing that there is, or that can be read */
        {"image/png", PLAIN},
        {"application/json;q=nonsense", PLAIN},
        {"application/json;q=2", PLAIN},
        {",,;q=1,;", PLAIN},
        {"\"", PLAIN},
        {"application/json;x=\"", JSON},
        {"/", PLAIN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t chosen = accept_choose(text_of(rows[i].accept), offers, ARRAY_COUNT(offers));
        if (chosen != rows[i].chosen) {
            fail_msg("%s: %zu", rows[i].accept, chosen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
