#include "base/hex.h"

#include "base/arena.h"

char hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 0x0F];
}

struct text hex_encode(struct arena *arena, const unsigned char *bytes, size_t length)
{
    char *hex = arena_alloc(arena, length * 2 + 1);
    for (size_t i = 0; i < length; i++) {
        hex[i * 2] = hex_digit(bytes[i] >> 4);
        hex[i * 2 + 1] = hex_digit(bytes[i]);
    }
    hex[length * 2] = '\0';
    return (struct text){hex, length * 2};
}

static int lower_case_value(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static int value_of(char digit)
{
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : lower_case_value(digit);
}

bool hex_decode(struct text text, unsigned char *bytes_r, size_t length)
{
    if (text.length != length * 2) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        int high = lower_case_value(text.data[i * 2]), low = lower_case_value(text.data[i * 2 + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes_r[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

long hex_number(struct text text, size_t count)
{
    if (text.length < count) {
        return -1;
    }
    long number = 0;
    for (size_t i = 0; i < count; i++) {
        int value = value_of(text.data[i]);
        if (value < 0) {
            return -1;
        }
        number = number << 4 | value;
    }
    return number;
}
