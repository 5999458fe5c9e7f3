/* email.h: the canonical form of an email address. */
#ifndef ROSTER_BASE_EMAIL_H
#define ROSTER_BASE_EMAIL_H

#include "base/text.h"

/* The canonical form of an address: roster-api(7), Email addresses.
 * Addresses are stored, looked up, counted and compared in this form.
 * In the arena. The null text stays null. Bytes that are not UTF-8 stay unchanged. */
struct text email_fold(struct arena *arena, struct text typed);

/* True where two addresses have the same canonical form. The null text equals only itself. */
bool email_equal(struct arena *arena, struct text left, struct text right);

/* True where an address in canonical form is valid: roster-api(7), Email addresses.
 * Its maximum length is that of RFC 5321, section 4.5.3.1.3, without the angle brackets.
 * It is UTF-8 (RFC 6531). */
bool email_is_valid(struct text email);

#endif
