/* unit.h: what each unit test begins with: cmocka, behind the headers that it wants, and assertions about texts. */
#ifndef ROSTER_T_UNIT_H
#define ROSTER_T_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

/* These bytes, with a NUL behind them. */
static inline void assert_bytes(struct text got, struct text expected)
{
    assert_non_null(got.data);
    assert_int_equal(got.length, expected.length);
    assert_memory_equal(got.data, expected.data, expected.length);
    assert_int_equal(got.data[got.length], '\0');
}

/* This text; NULL stands for the null text. */
static inline void assert_text(struct text got, const char *expected)
{
    if (expected == NULL ? got.data != NULL : !text_is(got, expected)) {
        fail_msg("'%.*s' instead of '%s'", (int)got.length, got.data != NULL ? got.data : "",
                 expected != NULL ? expected : "(null)");
    }
}

#endif
