#include "worker/scalar.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/calendar.h"

enum { INTEGER_TEXT_MAX = 4300 };

enum fault_type scalar_read_integer(struct text text, int64_t *integer_r)
{
    text = text_trim(text);
    if (text.length > INTEGER_TEXT_MAX) {
        return FAULT_int_parsing_size;
    }
    size_t at = 0;
    bool negative = false;
    if (at < text.length && (text.data[at] == '-' || text.data[at] == '+')) {
        negative = text.data[at++] == '-';
    }
    if (at == text.length || !ascii_is_digit(text.data[at])) {
        return FAULT_int_parsing;
    }
    uint64_t value = 0;
    bool too_large = false;
    for (; at < text.length && text.data[at] != '.'; at++) {
        if (text.data[at] == '_' && at + 1 < text.length && ascii_is_digit(text.data[at + 1])) {
            continue;
        }
        if (!ascii_is_digit(text.data[at])) {
            return FAULT_int_parsing;
        }
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        too_large = too_large || value > (UINT64_MAX - digit) / 10;
        value = too_large ? value : value * 10 + digit;
    }
    if (at < text.length) { /* ".", then only zeros */
        if (++at == text.length) {
            return FAULT_int_parsing;
        }
        for (; at < text.length; at++) {
            if (text.data[at] != '0') {
                return FAULT_int_parsing;
            }
        }
    }
    uint64_t max = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (too_large || value > max) {
        return FAULT_int_parsing_size;
    }
    *integer_r = negative ? (int64_t)(0 - value) : (int64_t)value;
    return FAULT_NONE;
}

enum fault_type scalar_read_boolean(struct text text, bool *boolean_r)
{
    static const char *const yes[] = {"true", "yes", "on", "t", "y", "1"};
    static const char *const no[] = {"false", "no", "off", "f", "n", "0"};
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        if (text_is_ignoring_case(text, yes[i]) || text_is_ignoring_case(text, no[i])) {
            *boolean_r = text_is_ignoring_case(text, yes[i]);
            return FAULT_NONE;
        }
    }
    return FAULT_bool_parsing;
}

enum fault_type scalar_date_of_seconds(struct arena *arena, double seconds, struct text *date_r)
{
    /* a number beyond 2e10 is milliseconds: existing clients send these, too */
    if (fabs(seconds) > 2e10) {
        seconds /= 1000;
    }
    if (!(seconds >= -62135596800.0 && seconds <= 253402300799.0)) {
        return FAULT_date_from_datetime_parsing;
    }
    time_t time = (time_t)seconds;
    if ((double)time != seconds || time % 86400 != 0) {
        return FAULT_date_from_datetime_inexact;
    }
    struct tm utc;
    if (gmtime_r(&time, &utc) == NULL) {
        return FAULT_date_from_datetime_parsing;
    }
    *date_r = text_format(arena, "%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
    return FAULT_NONE;
}

/* Parses a time after a date: T or a space, hh:mm, optional seconds and fraction, Z or an offset.
 * Returns 0: no time; 1: midnight; 2: another time; -1: malformed. */
static int time_behind_date(struct text text)
{
    if (text.length == 10) {
        return 0;
    }
    char separator = text.data[10];
    int hour = text_digits_at(text, 11, 2);
    int minute = text_digits_at(text, 14, 2);
    if (text.length < 16 || (separator != 'T' && separator != 't' && separator != ' ' && separator != '_') ||
        hour < 0 || hour > 23 || text.data[13] != ':' || minute < 0 || minute > 59) {
        return -1;
    }
    bool midnight = hour == 0 && minute == 0;
    size_t at = 16;
    if (at < text.length && text.data[at] == ':') {
        int second = text_digits_at(text, at + 1, 2);
        if (second < 0 || second > 59) {
            return -1;
        }
        midnight = midnight && second == 0;
        at += 3;
        if (at < text.length && (text.data[at] == '.' || text.data[at] == ',')) {
            size_t start = ++at;
            for (; at < text.length && ascii_is_digit(text.data[at]); at++) {
                midnight = midnight && text.data[at] == '0';
            }
            if (at == start || at - start > 9) {
                return -1;
            }
        }
    }
    if (at < text.length && (text.data[at] == 'Z' || text.data[at] == 'z')) {
        at++;
    } else if (at < text.length && (text.data[at] == '+' || text.data[at] == '-')) {
        bool colon = at + 3 < text.length && text.data[at + 3] == ':';
        int hours = text_digits_at(text, at + 1, 2);
        int minutes = text_digits_at(text, at + (colon ? 4 : 3), 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
            return -1;
        }
        at += colon ? 6 : 5;
    }
    return at != text.length ? -1 : midnight ? 1 : 2;
}

enum fault_type scalar_read_date(struct arena *arena, struct text text, struct text *date_r)
{
    struct calendar_day day;
    if (calendar_read(text, &day)) {
        if (!calendar_has(day)) {
            return FAULT_date_from_datetime_parsing;
        }
        int time = time_behind_date(text);
        if (time < 0) {
            return FAULT_date_from_datetime_parsing;
        }
        if (day.year == 0) {
            return FAULT_date_parsing;
        }
        if (time == 2) {
            return FAULT_date_from_datetime_inexact;
        }
        *date_r = text_format(arena, "%.10s", text.data);
        return FAULT_NONE;
    }
    const char *string = text_to_string(arena, text);
    char *end;
    double seconds = strtod(string, &end);
    if (text.length == 0 || *end != '\0' || strspn(string, "+-0123456789.") != text.length || !isfinite(seconds)) {
        return FAULT_date_from_datetime_parsing;
    }
    return scalar_date_of_seconds(arena, seconds, date_r);
}
