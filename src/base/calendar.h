/* calendar.h: days of the Gregorian calendar in the format of rows and JSON: YYYY-MM-DD (RFC 3339, full-date). */
#ifndef ROSTER_BASE_CALENDAR_H
#define ROSTER_BASE_CALENDAR_H

#include <stdbool.h>

#include "base/text.h"

struct calendar_day {
    int year; /* from 0 to 9999 */
    int month;
    int day;
};

/* Parses the first ten characters of the text.
 * False where they do not have this format.
 * Does not check that the day exists: see calendar_has. */
bool calendar_read(struct text text, struct calendar_day *day_r);

/* True where the day exists. The year 0 is a leap year (ISO 8601). */
bool calendar_has(struct calendar_day day);

#endif
