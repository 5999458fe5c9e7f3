/* log.h: what the operator reads.
 *
 * Errors are in nginx's shape: `2026/11/24 10:00:00 [error] 123#api: text while STAGE, client: ADDRESS, request: ID`. Unprintable bytes are
 * escaped. No caller ever passes a token, a password, a key or a body: names of things, ids, lengths and error numbers only.
 * A full disk, or a syslog that hangs, stops nobody's work: what can't be written is counted, and the next line that can says how many were lost. */
#ifndef ROSTER_BASE_LOG_H
#define ROSTER_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct context;

enum severity { LOG_SEVERITY_ALERT, LOG_SEVERITY_ERROR, LOG_SEVERITY_WARNING, LOG_SEVERITY_NOTICE, LOG_SEVERITY_INFO, LOG_SEVERITY_DEBUG };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Where lines go, and from which severity on. `error_log` and `access_log` are a path, "stderr" (the same as "journal" where
 * systemd has made that standard error), "syslog", "journal" or "off" (access only). False, with a text in *error_r, where one of them can't be opened; what was
 * open stays open then. Called again, it opens anew (USR1, HUP). */
bool log_open(const char *error_log, const char *access_log, enum severity least, enum log_format format, const char **error_r);

/* The name of this process in the lines: "master", "api", "password". Static or kept for ever. */
void log_set_process(const char *name);

void log_write(const struct context *context, enum severity severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* With the request's id, stage and client where context is not NULL. */
#define log_alert(context, ...) log_write((context), LOG_SEVERITY_ALERT, __VA_ARGS__)
#define log_error(context, ...) log_write((context), LOG_SEVERITY_ERROR, __VA_ARGS__)
#define log_warning(context, ...) log_write((context), LOG_SEVERITY_WARNING, __VA_ARGS__)
#define log_notice(context, ...) log_write((context), LOG_SEVERITY_NOTICE, __VA_ARGS__)
#define log_info(context, ...) log_write((context), LOG_SEVERITY_INFO, __VA_ARGS__)
#define log_debug(context, ...) log_write((context), LOG_SEVERITY_DEBUG, __VA_ARGS__)

/* True at most once in `seconds` for one `*last` (a static of the caller, 0 at first): for states that would fill the log. */
bool log_due(int64_t *last_seconds, int64_t seconds);

/* States that concern all processes of the service, and that one line is enough for, whichever process notices first. */
enum log_topic { LOG_TOPIC_MARIADB, LOG_TOPIC_REDIS, LOG_TOPIC_REDIS_ERROR, LOG_TOPIC_TRUSTED_HEADERS, LOG_TOPIC_COUNT };

/* As log_due, counted for all processes that were forked after the first log_open together. */
bool log_topic_due(enum log_topic topic, int64_t seconds);

/* The state is over: true for the first process that says so after a line was due. The next line is due at once. */
bool log_topic_end(enum log_topic topic);

/* One field of an access line. Either text or integer. */
struct log_field {
    const char *name;
    struct text text;  /* data NULL: the integer counts */
    int64_t integer;
};

/* One line to the access log: `key=value key=value`, or a JSON object, as configured. */
void log_access(const struct log_field *fields, size_t count);

/* For invariants, in every build: logs FILE:LINE and aborts. Never for input. */
#define invariant(condition) ((condition) ? (void)0 : log_invariant_failed(#condition, __FILE__, __LINE__))
void log_invariant_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
