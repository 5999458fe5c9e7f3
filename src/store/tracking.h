/* tracking.h: what other programs revoke in Redis, told by Redis itself.
 *
 * CLIENT TRACKING in broadcast mode (Redis 6 and later). hiredis 0.14 knows RESP2 alone, where the messages come over a
 * second connection that has subscribed to __redis__:invalidate. They end up in the identity table: a key that was
 * changed makes forget what is stored of its token or user, a flush makes forget everything.
 *
 * Redis sends the messages of one turn of its loop behind the answers of that turn. So a PING is sent only when the one
 * before has been answered, which puts it into a later turn: its answer proves that what was changed before the PING
 * before it has been told. */
#ifndef ROSTER_STORE_TRACKING_H
#define ROSTER_STORE_TRACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"
#include "base/error.h"

/* Opens both connections, and makes the table forget everything: nobody knows what was missed. False with *error. */
bool tracking_open(struct context *context, struct error *error);

/* Readable when there are messages; -1: not open. */
int tracking_descriptor(void);

/* Asks Redis for a sign of life on both connections, where it has given the last one. False with *error: close it. */
bool tracking_ask(int64_t now, struct error *error);

/* Takes the messages that have come, and tells the table of them. Waits for nothing.
 * *seen_r: what was changed before this moment (monotonic microseconds) has been told; 0: nobody knows.
 * False with *error: close it. */
bool tracking_take(struct context *context, int64_t *seen_r, struct error *error);

/* Closes both; the table is then not used, as the last beat gets old. */
void tracking_close(void);

#endif
