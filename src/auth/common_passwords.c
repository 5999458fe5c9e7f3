/* common_passwords.c: looks up a password in the list. */
#include "auth/common_passwords.h"

#include "base/array.h"

/* Entries of one length are joined into one string: it needs no pointers to relocate, and no offsets. */
static const struct entries {
    size_t length; /* of one entry */
    size_t count;
    const char *bytes;
} common_passwords[] = {
#define COMMON_PASSWORDS(length, bytes) {(length), (sizeof(bytes) - 1) / (length), (bytes)},
#include "auth/common_passwords.inc"
#undef COMMON_PASSWORDS
};

enum { LENGTH_COUNT = ARRAY_COUNT(common_passwords) };

bool common_password_is(struct text password)
{
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        const struct entries *entries = &common_passwords[i];
        if (entries->length != password.length) {
            continue;
        }

        size_t low = 0;
        size_t high = entries->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            int order = memcmp(password.data, entries->bytes + middle * entries->length, entries->length);
            if (order == 0) {
                return true;
            }
            if (order < 0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return false;
    }
    return false;
}
