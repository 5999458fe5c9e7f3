/* account.h: what every way of making or changing an account has in common. */
#ifndef ROSTER_API_ACCOUNT_H
#define ROSTER_API_ACCOUNT_H

#include "base/context.h"

/* Lower case, without white space around. INVALID_EMAIL_FORMAT (`x@y.z` or `x@localhost`), EMAIL_TAKEN by another than `user_id`. `present` is what this user has now: it
 * is good in whatever form it was moved over. Both null for a new account. */
enum outcome account_take_email(struct context *context, struct text sent, struct text user_id, struct text present, struct text *email_r);

struct picture;

/* As picture_store_take, where `present` is what this user has now (null for a new account): sent back, it stays. */
enum outcome account_take_picture(struct context *context, struct text sent, struct text present, struct text *address_r,
                                  const struct picture **picture_r);

/* Whether this has the form of an email address. */
bool account_is_email(struct text email);

/* Checks the rules for new passwords, then hashes. */
enum outcome account_take_password(struct context *context, struct text password, struct text email, struct text name, struct text *hash_r);

#endif
