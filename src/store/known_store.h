/* known_store.h: the networks from which each account has recently been signed in to. Sign-ins from known networks
 * overtake others in the queue of password hashes, and are not limited because of what other networks try. */
#ifndef ROSTER_STORE_KNOWN_STORE_H
#define ROSTER_STORE_KNOWN_STORE_H

#include <stdbool.h>

#include "base/context.h"

enum { KNOWN_NETWORK_SECONDS = 30 * 86400 };

/* *user_id_r: the account with this email address; null: there is no such account.
 * *known_r: it was signed in to from `network` (network_name) within KNOWN_NETWORK_SECONDS.
 * Known and unknown addresses run the same statements, so that timing does not reveal them. */
enum outcome known_store_find(struct context *context, struct text email, struct text network, struct text *user_id_r,
                              bool *known_r);

/* Records a successful sign-in. Writes at most once an hour for each pair. OK if the user was deleted meanwhile. */
enum outcome known_store_add(struct context *context, struct text user_id, struct text network);

/* Deletes rows older than KNOWN_NETWORK_SECONDS. Called periodically; each call deletes a few. */
enum outcome known_store_clean(struct context *context);

#endif
