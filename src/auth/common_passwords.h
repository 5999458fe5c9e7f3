/* common_passwords.h: the passwords that are guessed first.
 *
 * Some 10,000 entries: the most frequent passwords of zxcvbn's list (MIT licence; the notice stands in
 * common_passwords.inc), and what people make of a word, a season and a year, or a walk over the keyboard.
 * make_common_passwords makes the list. */
#ifndef ROSTER_AUTH_COMMON_PASSWORDS_H
#define ROSTER_AUTH_COMMON_PASSWORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* True where `password`, which is in lower case already, is one of them. */
bool common_password_is(struct text password);

/* The number of entries. */
size_t common_password_count(void);

#endif
