/* notify.h: messages to systemd by the protocol of sd_notify(3), on NOTIFY_SOCKET, without its library. */
#ifndef ROSTER_MASTER_NOTIFY_H
#define ROSTER_MASTER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them from the environment, so that child processes
 * do not notify. */
void notify_init(void);

/* True where systemd waits for notifications (Type=notify); it then knows the master's process id. */
bool notify_is_wanted(void);

/* Sends lines of VARIABLE=VALUE. False without NOTIFY_SOCKET, or where sending failed; callers may ignore it. */
bool notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* READY=1 with a STATUS line. With `detached` also MAINPID, as systemd started another process than this one. */
bool notify_ready(bool detached, const char *status);

/* RELOADING=1 with MONOTONIC_USEC, as Type=notify-reload requires it. Send notify_ready when the reload has ended. */
bool notify_reloading(void);

/* STOPPING=1 with a STATUS line. */
bool notify_stopping(const char *status);

/* The interval for WATCHDOG=1: half of the unit's WatchdogSec. 0: no watchdog. */
int64_t notify_watchdog_microseconds(void);

#endif
