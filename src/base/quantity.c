/* quantity.c: see quantity.h. */
#include "base/quantity.h"

#include "base/ascii.h"

/* Further digits after the point are ignored. */
static const int64_t FRACTION_SCALE_MAX = 1000000000;

static bool starts_with_digit(struct text text)
{
    return text.length > 0 && ascii_is_digit(text.data[0]);
}

static char take_byte(struct text *rest)
{
    rest->length--;
    return *rest->data++;
}

static int64_t multiply(int64_t left, int64_t right)
{
    int64_t product;
    return __builtin_mul_overflow(left, right, &product) ? INT64_MAX : product;
}

static int64_t add(int64_t left, int64_t right)
{
    int64_t sum;
    return __builtin_add_overflow(left, right, &sum) ? INT64_MAX : sum;
}

static bool take_whole(struct text *rest, int64_t *whole_r)
{
    *whole_r = 0;
    if (!starts_with_digit(*rest)) {
        return false;
    }
    while (starts_with_digit(*rest)) {
        *whole_r = add(multiply(*whole_r, 10), take_byte(rest) - '0');
    }
    return true;
}

/* Parses a fraction: *numerator_r / *scale_r. 0 / 1 where there is no point. */
static bool take_fraction(struct text *rest, int64_t *numerator_r, int64_t *scale_r)
{
    *numerator_r = 0;
    *scale_r = 1;
    if (rest->length == 0 || rest->data[0] != '.') {
        return true;
    }
    take_byte(rest);
    if (!starts_with_digit(*rest)) {
        return false;
    }
    while (starts_with_digit(*rest)) {
        int digit = take_byte(rest) - '0';
        if (*scale_r < FRACTION_SCALE_MAX) {
            *numerator_r = *numerator_r * 10 + digit;
            *scale_r *= 10;
        }
    }
    return true;
}

/* The name of the unit ends at the next digit. */
static const struct unit *take_unit(struct text *rest, const struct unit *units, bool any_case)
{
    struct text name = {rest->data, 0};

    while (rest->length > 0 && !starts_with_digit(*rest)) {
        take_byte(rest);
        name.length++;
    }
    for (; units->name != NULL; units++) {
        if (any_case ? text_is_ignoring_case(name, units->name) : text_is(name, units->name)) {
            return units;
        }
    }
    return NULL;
}

bool quantity_take(struct text *rest, const struct unit *units, unsigned rules, int64_t *amount_r)
{
    int64_t whole, numerator = 0, scale = 1;

    if (!take_whole(rest, &whole) || ((rules & QUANTITY_FRACTIONS) != 0 && !take_fraction(rest, &numerator, &scale))) {
        return false;
    }
    const struct unit *unit = take_unit(rest, units, (rules & QUANTITY_ANY_CASE) != 0);
    if (unit == NULL) {
        return false;
    }
    *amount_r = add(multiply(whole, unit->factor), multiply(numerator, unit->factor) / scale);
    return true;
}

bool quantity_sum(struct text text, const struct unit *units, unsigned rules, int64_t *sum_r)
{
    *sum_r = 0;
    do {
        int64_t amount;
        if (!quantity_take(&text, units, rules, &amount)) {
            return false;
        }
        *sum_r = add(*sum_r, amount);
    } while (text.length > 0);
    return true;
}
