/* notify.h: what systemd is told (sd_notify(3), the protocol on NOTIFY_SOCKET), without its library. */
#ifndef ROSTER_MASTER_NOTIFY_H
#define ROSTER_MASTER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
 * speaks for the master. */
void notify_init(void);

/* Sends lines of VARIABLE=VALUE. False where nobody listens, or where sending failed; nothing depends on it. */
bool notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* READY=1 with a STATUS line. With `detached` also MAINPID, as the process is not the one that systemd started. */
bool notify_ready(bool detached, const char *status);

/* RELOADING=1 with MONOTONIC_USEC, as Type=notify-reload wants it; end it with notify_ready. */
bool notify_reloading(void);

/* STOPPING=1 with a STATUS line. */
bool notify_stopping(const char *status);

/* How often WATCHDOG=1 must be sent: half of what the unit allows. 0: there is no watchdog. */
int64_t notify_watchdog_microseconds(void);

#endif
