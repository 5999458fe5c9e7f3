/* device.h: the device cookie, which identifies a device that has signed in before.
 *
 * OWASP describes it in 'Slow Down Online Guessing Attacks with Device Cookies'. It grants no session. Its sign-ins are
 * served before those of unknown clients, and have rate limit counters of their own. So it stays valid when sessions
 * end and passwords change, and can't be revoked.
 *
 * It holds, in hexadecimal: a version, a random number of the device, up to DEVICE_ACCOUNTS_MAX accounts with the
 * time of their last sign-in, and an HMAC-SHA256 over all of it. An account is stored as an HMAC of the device's number
 * and the user's id, so that the cookie does not reveal its users. The key of the HMAC is derived from a secret key
 * with a label, so that a cookie never verifies as a token, nor a token as a cookie. The first secret key signs, and
 * all verify. An account keeps the name that it got by an older key until its next sign-in. */
#ifndef ROSTER_AUTH_DEVICE_H
#define ROSTER_AUTH_DEVICE_H

#include <stdbool.h>

#include "base/context.h"

enum {
    DEVICE_ACCOUNTS_MAX = 5,
    DEVICE_NUMBER_LENGTH = 16,
    DEVICE_ACCOUNT_LENGTH = 16,
    DEVICE_LIFETIME_SECONDS = 365 * 86400,
};

struct device {
    unsigned char number[DEVICE_NUMBER_LENGTH];
    struct device_account {
        unsigned char account[DEVICE_ACCOUNT_LENGTH];
        int64_t signed_in_at;
    } accounts[DEVICE_ACCOUNTS_MAX]; /* the latest sign-in first */
    size_t count;
};

/* The name of the cookie. nginx checks whether it was sent. */
#define DEVICE_COOKIE "roster_device"

/* Parses and verifies the value of a cookie. False where it is null, malformed, or not signed with our key. */
bool device_read(struct context *context, struct text cookie, struct device *device_r);

/* Whether this account was signed in to from the device within DEVICE_LIFETIME_SECONDS.
 * Takes the same time for each account. False for a null id. */
bool device_knows(struct context *context, const struct device *device, struct text user_id);

/* Puts an account first, with the present time. Where the list is full, the account with the oldest sign-in is dropped.
 * A device that is all zero gets a random number. */
void device_add(struct context *context, struct device *device, struct text user_id);

/* Returns the value of the cookie, in the arena. */
struct text device_print(struct context *context, const struct device *device);

/* Returns the rate limit key for sign-ins of a device to an account, in the arena. */
struct text device_key(struct context *context, const struct device *device, struct text user_id);

#endif
