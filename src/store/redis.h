/* redis.h: one connection to Redis per process, commands in pipelines, and what to do while it is away.
 *
 * Commands are appended, then read in the same order; redis_flush sends them without waiting, so that a statement at MariaDB can run in the meantime. All answers
 * must be read before the next append. Once anything fails (also a timeout: the late answer would be taken for the next one's) the connection is closed and every
 * further read of this round answers false; for `redis_timeout` × 2, at least 1 s, Redis then counts as away and nothing is tried. One line a minute says so in the log, whatever
 * the number of processes, one when it is back. */
#ifndef ROSTER_STORE_REDIS_H
#define ROSTER_STORE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"

struct redisReply; /* hiredis */

/* Appends a command in hiredis' form: %s for strings, %b with a pointer and a size_t, %lld. False while Redis is away. */
bool redis_append(struct context *context, const char *format, ...);

/* Sends what was appended. False while Redis is away. */
bool redis_flush(struct context *context);

/* The next answer, freed with the request. NULL while Redis is away, or where it failed just now, or answered with an error (logged). */
const struct redisReply *redis_read(struct context *context);

/* True while a connection stands or may be tried. */
bool redis_is_present(void);

/* PING, for readiness and -t. False with the reason in *error_r (in the arena). */
bool redis_ping(struct context *context, const char **error_r);

/* Closes the connection (end of process, or a reload). */
void redis_close(void);

#endif
