/* common_passwords.h: a list of the most common passwords.
 *
 * About 10,000 entries: the most frequent passwords of zxcvbn's list (MIT licence; the notice is in
 * common_passwords.inc), and common combinations of words, seasons, years and neighbouring keys.
 * make_common_passwords makes the list. */
#ifndef ROSTER_AUTH_COMMON_PASSWORDS_H
#define ROSTER_AUTH_COMMON_PASSWORDS_H

#include <stdbool.h>

#include "base/text.h"

/* True where `password` is in the list. It must be in lower case. */
bool common_password_is(struct text password);

#endif
