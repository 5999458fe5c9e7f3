/* redis.h: one connection to Redis per process, with pipelined commands, retry, and a pause after failures.
 *
 * Commands are appended, then their replies are read in the same order. redis_flush sends them without waiting, so that
 * a MariaDB statement can run meanwhile. All replies must be read before the next append; this is one round.
 *
 * If Redis closes the connection, commands without a reply are sent again over a new one, up to three times a round. So
 * a command may be executed twice.
 * After any other failure, the connection is closed, and all further reads of the round return NULL. A timeout is such
 * a failure, since the late reply would be taken for the next one. Redis then counts as unavailable for 2 ×
 * redis_timeout, at least 1 s, without further attempts. The log gets one line a minute for all processes, and one when
 * Redis is back.
 */
#ifndef ROSTER_STORE_REDIS_H
#define ROSTER_STORE_REDIS_H

#include <stdbool.h>

#include "base/context.h"

struct redisReply; /* hiredis */

/* Appends a command: words with one space between, in which %s stands for a string, %b for a pointer and a size_t, and
 * %lld for an integer; there are no other conversions, and spaces in what they stand for separate nothing.
 * False: Redis is unavailable. */
bool redis_append(struct context *context, const char *format, ...);

/* Sends the appended commands. False: Redis is unavailable. */
bool redis_flush(struct context *context);

/* Reads the next reply; it is freed with the request.
 * NULL: Redis is unavailable, the read failed, or the reply is an error (logged). */
const struct redisReply *redis_read(struct context *context);

/* Whether roster.conf names a Redis server. */
bool redis_is_configured(const struct config *config);

/* Whether there is a connection, or an attempt to connect is due. */
bool redis_is_present(void);

/* Sends PING, for /ready and `roster -t`. On false, the error says why it failed. */
bool redis_ping(struct context *context, struct error *error);

/* Opens a further connection: authenticated, at the configured database, with redis_timeout.
 * The caller frees it with redisFree. NULL with *error. */
struct redisContext *redis_open(struct context *context, struct error *error);

/* Closes the connection: at exit, or at a reload. */
void redis_close(void);

#endif
