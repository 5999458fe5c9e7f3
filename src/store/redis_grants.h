/* redis_grants.h: the user of Redis that may do what Roster does, and nothing else (tables/redis.def). */
#ifndef ROSTER_STORE_REDIS_GRANTS_H
#define ROSTER_STORE_REDIS_GRANTS_H

#include "base/context.h"

/* The command ACL SETUSER for redis_user, with what Redis stores of redis_password: its SHA-256. One line, in the
 * arena. Needs a user and a password that was loaded. */
struct text redis_grants(struct context *context);

#endif
