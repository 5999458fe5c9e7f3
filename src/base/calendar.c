#include "base/calendar.h"

bool calendar_read(struct text text, struct calendar_day *day_r)
{
    if (text.length < 10 || text.data[4] != '-' || text.data[7] != '-') {
        return false;
    }
    *day_r = (struct calendar_day){text_digits_at(text, 0, 4), text_digits_at(text, 5, 2), text_digits_at(text, 8, 2)};
    return day_r->year >= 0 && day_r->month >= 0 && day_r->day >= 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool calendar_has(struct calendar_day day)
{
    return day.month >= 1 && day.month <= 12 && day.day >= 1 && day.day <= days_in_month(day.year, day.month);
}
