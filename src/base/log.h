/* log.h: the error log and the access log.
 *
 * Errors have the format of nginx:
 * `2026/11/24 10:00:00 [error] 123#api: text while STAGE, client: ADDRESS, request: ID`.
 * Unprintable bytes are escaped.
 * Callers never pass a token, a password, a key or a body; only names, ids, lengths and error numbers.
 * A full disk, or a syslog that hangs, does not stop a process. Lost lines are counted, and the next line that can be
 * written gives their number. */
#ifndef ROSTER_BASE_LOG_H
#define ROSTER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/enums.h"
#include "base/error.h"
#include "base/text.h"

struct context;

/* Opens both logs, for lines of the severity `min` and above.
 * `error_log` and `access_log` are a path, "stderr", "syslog", "journal" or "off" (only access_log).
 * "stderr" is the same as "journal" where systemd has connected standard error to the journal.
 * A further call reopens them (SIGUSR1, SIGHUP).
 * False where one of them can't be opened. The old ones stay open then. */
bool log_open(const char *error_log, const char *access_log, enum severity min, enum log_format format,
              struct error *error);

/* Opens a third log, of what log_audit writes: a path, "stderr", "syslog", "journal" or "off". Otherwise as log_open.
 */
bool log_open_audit(const char *audit_log, struct error *error);

/* Sets a function that opens log files instead of open(2), for a process that runs as root.
 * It takes the flags and the mode of open(2), and returns a descriptor, or -1 with errno set.
 * NULL: use open(2). */
void log_set_file_opener(int (*open_file)(const char *path, int flags, mode_t mode));

/* Sets the name of this process in the lines: "master", "api", "password".
 * The string must stay valid. */
void log_set_process(const char *name);

void log_write(const struct context *context, enum severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Write a line. With a context: with the stage, the client and the id of the request. NULL is allowed. */
#define log_alert(context, ...) log_write((context), LOG_SEVERITY_ALERT, __VA_ARGS__)
#define log_error(context, ...) log_write((context), LOG_SEVERITY_ERROR, __VA_ARGS__)
#define log_warning(context, ...) log_write((context), LOG_SEVERITY_WARNING, __VA_ARGS__)
#define log_notice(context, ...) log_write((context), LOG_SEVERITY_NOTICE, __VA_ARGS__)
#define log_info(context, ...) log_write((context), LOG_SEVERITY_INFO, __VA_ARGS__)
#define log_debug(context, ...) log_write((context), LOG_SEVERITY_DEBUG, __VA_ARGS__)

/* True at most once in `seconds`: for messages that would fill the log.
 * *last_seconds: a static variable of the caller, initially 0. */
bool log_due(int64_t *last_seconds, int64_t seconds);

/* States of the whole service. One process logs them for all: the one that notices first. */
enum log_topic {
    LOG_TOPIC_MARIADB,
    LOG_TOPIC_MARIADB_FULL,
    LOG_TOPIC_REDIS,
    LOG_TOPIC_REDIS_ERROR,
    LOG_TOPIC_TRUSTED_HEADERS,
    LOG_TOPIC_ACCEPT,
    LOG_TOPIC_CROSS_SITE,
    LOG_TOPIC_UNTOLD,
    LOG_TOPIC_KEEP,
    LOG_TOPIC_TRACKING,
    LOG_TOPIC_COOKIE_DOMAIN,
    LOG_TOPIC_SANDBOX,
    LOG_TOPIC_COUNT
};

/* Like log_due, but shared by all processes that were forked after the first log_open. */
bool log_topic_due(enum log_topic topic, int64_t seconds);

/* Ends a state. True for the first process that calls it after a line was due.
 * The next line is due at once. */
bool log_topic_end(enum log_topic topic);

/* Seconds since the last line of a state was due. -1 where the state has ended, or never began. */
int64_t log_topic_age(enum log_topic topic);

/* One field of a line in the access log. */
struct log_field {
    const char *name;
    struct text text; /* data == NULL: the value is `integer` */
    int64_t integer;
};

/* Writes a line to the access log: `key=value key=value`, or a JSON object, according to the configuration.
 * `now` is the time of the line: wall time, in microseconds. */
void log_access(int64_t now, const struct log_field *fields, size_t count);

/* The same to the audit log. */
void log_audit(int64_t now, const struct log_field *fields, size_t count);

/* An assertion in every build: logs FILE:LINE and aborts. Not for the validation of input. */
#define invariant(condition) ((condition) ? (void)0 : log_invariant_failed(#condition, __FILE__, __LINE__))
void log_invariant_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
