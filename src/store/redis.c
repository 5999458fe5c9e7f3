/* redis.c: see redis.h.
 *
 * hiredis' own reconnection is not used: after it there is no timeout for commands, and AUTH and SELECT are not
 * repeated. */
#include "store/redis.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "store/hiredis.h"

enum { DEFAULT_PORT = 6379, AWAY_LEAST_MICROSECONDS = 1000000, LOG_SECONDS = 60 };

/* The only state of this file: one connection per process. */
static struct {
    redisContext *connection; /* NULL: none */
    struct arena *arena;      /* of the request that the round belongs to; NULL: no round is open */
    unsigned pending;         /* appended, not yet read */
    bool round_failed;        /* nothing more comes in this round */

    int64_t away_until; /* monotonic microseconds */
    bool is_away;
} redis;

static bool is_configured(const struct config *config)
{
    return (config->redis_host != NULL && config->redis_host[0] != '\0') ||
           (config->redis_socket != NULL && config->redis_socket[0] != '\0');
}

static void close_connection(void)
{
    if (redis.connection != NULL) {
        redisFree(redis.connection);
        redis.connection = NULL;
    }
}

/* Closes the connection and counts Redis as away. `reason` holds no values. */
static void go_away(const struct context *context, const char *reason)
{
    const int64_t twice_microseconds = context != NULL ? context->config->redis_timeout * 2000 : 0;
    redis.round_failed = true;
    redis.is_away = true;
    redis.away_until = clock_monotonic_microseconds() +
                       (twice_microseconds > AWAY_LEAST_MICROSECONDS ? twice_microseconds : AWAY_LEAST_MICROSECONDS);
    if (log_topic_due(LOG_TOPIC_REDIS, LOG_SECONDS)) {
        log_error(context, "Redis is away: %s; %s", reason,
                  context != NULL && context->config->redis_required
                      ? "requests with a token are refused until it is back"
                      : "tokens are judged by signature, expiry and MariaDB alone");
    }
    close_connection(); /* last: `reason` may lie in it */
}

/* --- Connecting. --- */

/* Why a command or connection of ours failed: hiredis 0.14 has no error of its own for a timeout. */
static const char *reason_of(const redisContext *connection, int error_number)
{
    if (connection == NULL) {
        return "no memory";
    }
    if (connection->err == REDIS_ERR_IO &&
        (error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == ETIMEDOUT)) {
        return "no answer within redis_timeout";
    }
    if (connection->err == 0) {
        return "the connection broke";
    }
    return connection->errstr;
}

/* Splits HOST, HOST:PORT and [IPV6]:PORT. */
static const char *split_host(struct arena *arena, const char *text, int *port_r)
{
    struct text host = text_of(text);
    const char *port = NULL;
    *port_r = DEFAULT_PORT;
    if (text[0] == '[' && strchr(text, ']') != NULL) {
        const char *bracket = strchr(text, ']');
        host = (struct text){text + 1, (size_t)(bracket - text) - 1};
        port = bracket[1] == ':' ? bracket + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        if (colon != NULL && strchr(colon + 1, ':') == NULL) {
            host.length = (size_t)(colon - text);
            port = colon + 1;
        }
    }
    int64_t number;
    if (port != NULL && text_to_integer(text_of(port), &number) && number > 0 && number <= 65535) {
        *port_r = (int)number;
    }
    return text_to_string(arena, host);
}

/* The code of an error answer (`WRONGTYPE`, `NOAUTH`), its first word; the rest may quote what was sent. */
static const char *code_of(struct arena *arena, const redisReply *reply)
{
    size_t length = 0;
    while (length < reply->len && length < 32 &&
           ((reply->str[length] >= 'A' && reply->str[length] <= 'Z') || reply->str[length] == '_')) {
        length++;
    }
    return length > 0 ? text_to_string(arena, (struct text){reply->str, length}) : "an error";
}

/* AUTH and SELECT. NULL, or why it failed. */
static const char *greet(struct context *context, redisContext *connection)
{
    const struct config *config = context->config;
    if (config->redis_password.data != NULL) {
        redisAppendCommand(connection, "AUTH %b", config->redis_password.data, config->redis_password.length);
    }
    if (config->redis_database != 0) {
        redisAppendCommand(connection, "SELECT %lld", (long long)config->redis_database);
    }
    const char *error = NULL;
    for (int i = (config->redis_password.data != NULL) + (config->redis_database != 0); i > 0; i--) {
        void *reply = NULL;
        errno = 0;
        if (redisGetReply(connection, &reply) != REDIS_OK) {
            return reason_of(connection, errno);
        }
        const redisReply *answer = reply;
        if (answer->type == REDIS_REPLY_ERROR && error == NULL) {
            const char *command = i == 2 || config->redis_database == 0 ? "AUTH" : "SELECT";
            error =
                text_format(context->arena, "%s is answered with %s", command, code_of(context->arena, answer)).data;
        }
        freeReplyObject(reply);
    }
    return error;
}

/* One attempt. NULL with *error_r where it fails. */
static redisContext *connect_now(struct context *context, const char **error_r)
{
    const struct config *config = context->config;
    const struct timeval timeout = {config->redis_timeout / 1000, config->redis_timeout % 1000 * 1000};

    /* hiredis writes with write(), and a peer that has gone would end the process. */
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }

    redisContext *connection;
    const char *where;
    errno = 0;
    if (config->redis_host != NULL && config->redis_host[0] != '\0') {
        int port;
        const char *host = split_host(context->arena, config->redis_host, &port);
        where = config->redis_host;
        connection = redisConnectWithTimeout(host, port, timeout);
    } else {
        where = config->redis_socket;
        connection = redisConnectUnixWithTimeout(config->redis_socket, timeout);
    }
    const char *error = NULL;
    if (connection == NULL || connection->err != 0) {
        error = reason_of(connection, errno);
    } else if (redisSetTimeout(connection, timeout) != REDIS_OK) {
        error = "no timeout can be set";
    } else {
        error = greet(context, connection);
    }
    if (error != NULL) {
        *error_r = text_format(context->arena, "%s: %s", where, error).data;
        if (connection != NULL) {
            redisFree(connection);
        }
        return NULL;
    }
    return connection;
}

/* True where Redis has hung up meanwhile: a restart is no reason to count as away. */
static bool is_hung_up(void)
{
    char byte;
    ssize_t got = recv(redis.connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Makes sure of a connection; NULL, or why there is none. */
static const char *connect_where_needed(struct context *context)
{
    if (redis.connection != NULL && is_hung_up()) {
        close_connection();
    }
    if (redis.connection != NULL) {
        return NULL;
    }
    const char *error = NULL;
    redis.connection = connect_now(context, &error);
    if (redis.connection != NULL) {
        redis.is_away = false;
        if (log_topic_end(LOG_TOPIC_REDIS)) {
            log_notice(context, "Redis is back");
        }
    }
    return error;
}

static bool ensure_connection(struct context *context)
{
    if (redis.connection == NULL &&
        (!is_configured(context->config) || (redis.is_away && clock_monotonic_microseconds() < redis.away_until))) {
        return false;
    }
    const char *error = connect_where_needed(context);
    if (error != NULL) {
        go_away(context, error);
        return false;
    }
    return true;
}

/* --- Rounds. --- */

static void free_reply(void *reply)
{
    freeReplyObject(reply);
}

/* Answers that nobody has read must not be taken for those of the next round. */
static void drain(void)
{
    while (redis.connection != NULL && redis.pending > 0) {
        void *reply = NULL;
        if (redisGetReply(redis.connection, &reply) != REDIS_OK) {
            close_connection();
            break;
        }
        freeReplyObject(reply);
        redis.pending--;
    }
    redis.pending = 0;
}

/* The request is over. */
static void end_round(void *arena)
{
    if (redis.arena == arena) {
        drain();
        redis.arena = NULL;
    }
}

/* A round begins with the first append behind the last read. */
static bool begin_round(struct context *context)
{
    if (redis.arena != context->arena) {
        drain();
        redis.arena = context->arena;
        arena_cleanup(context->arena, end_round, context->arena);
    }
    redis.round_failed = false;
    if (!ensure_connection(context)) {
        redis.round_failed = true;
        return false;
    }
    return true;
}

bool redis_append(struct context *context, const char *format, ...)
{
    if ((redis.pending == 0 || redis.arena != context->arena) && !begin_round(context)) {
        return false;
    }
    if (redis.round_failed) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    int result = redisvAppendCommand(redis.connection, format, arguments);
    va_end(arguments);
    if (result != REDIS_OK) {
        go_away(context, reason_of(redis.connection, errno));
        return false;
    }
    redis.pending++;
    return true;
}

bool redis_flush(struct context *context)
{
    if (redis.pending == 0 || redis.round_failed) {
        return false;
    }
    int done = 0;
    while (!done) {
        errno = 0;
        if (redisBufferWrite(redis.connection, &done) != REDIS_OK) {
            go_away(context, reason_of(redis.connection, errno));
            return false;
        }
    }
    return true;
}

const redisReply *redis_read(struct context *context)
{
    if (redis.pending == 0) {
        return NULL;
    }
    redis.pending--;
    if (redis.round_failed) {
        return NULL;
    }
    void *got = NULL;
    errno = 0;
    if (redisGetReply(redis.connection, &got) != REDIS_OK) {
        go_away(context, reason_of(redis.connection, errno));
        return NULL;
    }
    redisReply *reply = got;
    arena_cleanup(context->arena, free_reply, reply);
    if (reply->type != REDIS_REPLY_ERROR) {
        return reply;
    }
    /* Some errors mean that this Redis is of no use at present. */
    const char *code = code_of(context->arena, reply);
    static const char *const useless[] = {"LOADING", "NOAUTH", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MISCONF"};
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        if (strcmp(code, useless[i]) == 0) {
            go_away(context, text_format(context->arena, "it answers with %s", code).data);
            return NULL;
        }
    }
    if (log_topic_due(LOG_TOPIC_REDIS_ERROR, LOG_SECONDS)) {
        log_error(context, "Redis answered a command with %s", code);
    }
    return NULL;
}

bool redis_is_present(void)
{
    return redis.connection != NULL || !redis.is_away || clock_monotonic_microseconds() >= redis.away_until;
}

bool redis_ping(struct context *context, const char **error_r)
{
    if (!is_configured(context->config)) {
        *error_r = "neither redis_socket nor redis_host is set";
        return false;
    }
    drain();
    const char *error = connect_where_needed(context);
    if (error != NULL) {
        *error_r = error;
        return false;
    }
    errno = 0;
    redisReply *reply = redisCommand(redis.connection, "PING");
    if (reply == NULL) {
        error = text_format(context->arena, "%s", reason_of(redis.connection, errno)).data;
        close_connection();
    } else if (reply->type == REDIS_REPLY_ERROR) {
        error = text_format(context->arena, "PING is answered with %s", code_of(context->arena, reply)).data;
    }
    freeReplyObject(reply);
    *error_r = error;
    return error == NULL;
}

void redis_close(void)
{
    close_connection();
    redis.pending = 0;
    redis.round_failed = false;
    redis.is_away = false;
    redis.away_until = 0;
}
