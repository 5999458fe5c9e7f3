/* redis.c: see redis.h.
 *
 * hiredis' redisReconnect is not used: after it, commands have no timeout, and AUTH and SELECT are not repeated. */
#include "store/redis.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/host_port.h"
#include "base/log.h"
#include "config/config.h"
#include "store/hiredis.h"

enum { DEFAULT_PORT = 6379, AWAY_MIN_MICROSECONDS = 1000000, LOG_SECONDS = 60, SEND_AGAIN_MAX = 3 };

/* An appended command whose reply has not been read. */
struct command {
    struct command *next;
    struct text bytes;
};

/* The only state of this file: one connection per process. */
static struct {
    redisContext *connection; /* NULL: not connected */
    struct arena *arena;      /* of the request that the round belongs to; NULL: no round is open */
    struct command *unread;   /* in order, in this arena */
    struct command **unread_end;
    unsigned sent_again; /* retries in this round */
    bool round_failed;   /* all further reads of this round fail */

    int64_t away_until; /* monotonic microseconds */
    bool is_away;
    bool is_unproven; /* no reply yet on this connection: a server that hangs also accepts connections */
} redis;

bool redis_is_configured(const struct config *config)
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

/* Closes the connection, and counts Redis as unavailable. `reason` must not contain values. */
static void go_away(const struct context *context, const char *reason)
{
    const int64_t twice_microseconds = context != NULL ? context->config->redis_timeout * 2000 : 0;
    redis.round_failed = true;
    redis.is_away = true;
    redis.away_until = clock_monotonic_microseconds() +
                       (twice_microseconds > AWAY_MIN_MICROSECONDS ? twice_microseconds : AWAY_MIN_MICROSECONDS);
    if (log_topic_due(LOG_TOPIC_REDIS, LOG_SECONDS)) {
        log_error(context, "Redis is away: %s; %s", reason,
                  context != NULL && context->config->redis_required
                      ? "requests with a token are refused until it is back"
                      : "tokens are checked by signature, expiry and MariaDB only");
    }
    close_connection(); /* last, since `reason` may point into it */
}

/* ---- Connecting ---- */

/* Why a command or connection failed. hiredis 0.14 has no error code for a timeout. */
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
        return "the connection was lost";
    }
    return connection->errstr;
}

/* The code of an error reply (`WRONGTYPE`, `NOAUTH`): its first word. The rest may quote values. */
static const char *code_of(struct arena *arena, const redisReply *reply)
{
    size_t length = 0;
    while (length < reply->len && length < 32 && (ascii_is_upper(reply->str[length]) || reply->str[length] == '_')) {
        length++;
    }
    return length > 0 ? text_to_string(arena, (struct text){reply->str, length}) : "an error";
}

/* AUTH and SELECT. */
static bool greet(struct context *context, redisContext *connection, struct error *error)
{
    const struct config *config = context->config;
    if (config->redis_password.data != NULL && config->redis_user != NULL && config->redis_user[0] != '\0') {
        redisAppendCommand(connection, "AUTH %s %b", config->redis_user, config->redis_password.data,
                           config->redis_password.length);
    } else if (config->redis_password.data != NULL) {
        redisAppendCommand(connection, "AUTH %b", config->redis_password.data, config->redis_password.length);
    }
    if (config->redis_database != 0) {
        redisAppendCommand(connection, "SELECT %lld", (long long)config->redis_database);
    }
    bool is_good = true;
    for (int i = (config->redis_password.data != NULL) + (config->redis_database != 0); i > 0; i--) {
        void *reply = NULL;
        errno = 0;
        if (redisGetReply(connection, &reply) != REDIS_OK) {
            return error_set(error, "%s", reason_of(connection, errno));
        }
        const redisReply *answer = reply;
        if (answer->type == REDIS_REPLY_ERROR && is_good) {
            const char *command = i == 2 || config->redis_database == 0 ? "AUTH" : "SELECT";
            is_good = error_set(error, "%s is answered with %s", command, code_of(context->arena, answer));
        }
        freeReplyObject(reply);
    }
    return is_good;
}

redisContext *redis_open(struct context *context, struct error *error)
{
    const struct config *config = context->config;
    const struct timeval timeout = {config->redis_timeout / 1000, config->redis_timeout % 1000 * 1000};

    /* hiredis uses write(): SIGPIPE would kill the process if the peer has closed the connection. */
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }

    redisContext *connection;
    const char *where;
    errno = 0;
    if (config->redis_host != NULL && config->redis_host[0] != '\0') {
        uint16_t port;
        const char *host = host_port_read(context->arena, config->redis_host, DEFAULT_PORT, &port);
        where = config->redis_host;
        connection = redisConnectWithTimeout(host, port, timeout);
    } else {
        where = config->redis_socket;
        connection = redisConnectUnixWithTimeout(config->redis_socket, timeout);
    }
    bool is_good;
    if (connection == NULL || connection->err != 0) {
        is_good = error_set(error, "%s", reason_of(connection, errno));
    } else if (redisSetTimeout(connection, timeout) != REDIS_OK) {
        is_good = error_set(error, "can't set a timeout");
    } else {
        is_good = greet(context, connection, error);
    }
    if (!is_good) {
        error_prefix(error, "%s: ", where);
        if (connection != NULL) {
            redisFree(connection);
        }
        return NULL;
    }
    return connection;
}

/* Connects if needed. */
static bool connect_where_needed(struct context *context, struct error *error)
{
    if (redis.connection != NULL) {
        return true;
    }
    redis.connection = redis_open(context, error);
    redis.is_unproven = redis.connection != NULL;
    return redis.connection != NULL;
}

/* Only a reply shows that it is available again. */
static void note_answer(const struct context *context)
{
    if (redis.is_unproven) {
        redis.is_unproven = redis.is_away = false;
        if (log_topic_end(LOG_TOPIC_REDIS)) {
            log_notice(context, "Redis is back");
        }
    }
}

static bool ensure_connection(struct context *context)
{
    if (redis.connection == NULL && (!redis_is_configured(context->config) ||
                                     (redis.is_away && clock_monotonic_microseconds() < redis.away_until))) {
        return false;
    }
    struct error error;
    if (!connect_where_needed(context, &error)) {
        go_away(context, error.text);
        return false;
    }
    return true;
}

/* ---- Rounds ---- */

static void free_reply(void *reply)
{
    freeReplyObject(reply);
}

/* Adds `$4\r\nPING\r\n`. */
static void add_word(struct buffer *bytes, const struct buffer *word)
{
    buffer_add_byte(bytes, '$');
    buffer_add_integer(bytes, (int64_t)word->length);
    buffer_add_literal(bytes, "\r\n");
    buffer_add(bytes, word->data, word->length);
    buffer_add_literal(bytes, "\r\n");
}

/* Adds what stands for a `%` of the format to a word. Returns the last character of its conversion. */
static const char *add_argument(struct buffer *word, const char *conversion, va_list *arguments)
{
    if (conversion[1] == 's') {
        buffer_add_string(word, va_arg(*arguments, const char *));
        return conversion + 1;
    }
    if (conversion[1] == 'b') {
        const char *bytes = va_arg(*arguments, const char *);
        buffer_add(word, bytes, va_arg(*arguments, size_t));
        return conversion + 1;
    }
    invariant(strncmp(conversion, "%lld", 4) == 0);
    buffer_add_integer(word, va_arg(*arguments, long long));
    return conversion + 3;
}

/* The command as Redis reads it. redisvFormatCommand would do it, with a malloc or two for each word and each
 * conversion: three short commands took a seventh of all instructions of GET /users/ID. */
static struct text command_bytes(struct arena *arena, const char *format, va_list *arguments)
{
    struct buffer bytes, word;
    int64_t words = 1;
    for (const char *at = format; *at != '\0'; at++) {
        words += *at == ' ';
    }
    buffer_init(&bytes, arena);
    buffer_init(&word, arena);
    buffer_add_byte(&bytes, '*');
    buffer_add_integer(&bytes, words);
    buffer_add_literal(&bytes, "\r\n");
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '%') {
            at = add_argument(&word, at, arguments);
        } else if (*at != ' ') {
            buffer_add_byte(&word, *at);
        } else {
            add_word(&bytes, &word);
            word.length = 0;
        }
    }
    add_word(&bytes, &word);
    return buffer_text(&bytes);
}

/* Discards unread replies, so that they are not taken for replies of the next round. */
static void drain(void)
{
    for (; redis.connection != NULL && redis.unread != NULL; redis.unread = redis.unread->next) {
        void *reply = NULL;
        if (redisGetReply(redis.connection, &reply) != REDIS_OK) {
            close_connection();
            break;
        }
        freeReplyObject(reply);
    }
    redis.unread = NULL;
}

/* The request is over. */
static void end_round(void *arena)
{
    if (redis.arena == arena) {
        drain();
        redis.arena = NULL;
    }
}

/* A round begins with the first append after the last read. */
static bool begin_round(struct context *context)
{
    if (redis.arena != context->arena) {
        drain();
        redis.arena = context->arena;
        arena_cleanup(context->arena, end_round, context->arena);
    }
    redis.round_failed = false;
    redis.sent_again = 0;
    if (!ensure_connection(context)) {
        redis.round_failed = true;
        return false;
    }
    return true;
}

bool redis_append(struct context *context, const char *format, ...)
{
    if ((redis.unread == NULL || redis.arena != context->arena) && !begin_round(context)) {
        return false;
    }
    if (redis.round_failed) {
        return false;
    }
    struct command *command = arena_zero(context->arena, 1, sizeof *command);
    va_list arguments;
    va_start(arguments, format);
    command->bytes = command_bytes(context->arena, format, &arguments);
    va_end(arguments);
    if (redisAppendFormattedCommand(redis.connection, command->bytes.data, command->bytes.length) != REDIS_OK) {
        go_away(context, reason_of(redis.connection, errno));
        return false;
    }
    *(redis.unread == NULL ? &redis.unread : redis.unread_end) = command;
    redis.unread_end = &command->next;
    return true;
}

/* If Redis has closed the connection, commands without a reply are sent again over a new one. After any other failure,
 * Redis counts as unavailable. */
static bool send_again(struct context *context, int error_number)
{
    const int kind = redis.connection->err;
    bool is_closed =
        kind == REDIS_ERR_EOF || (kind == REDIS_ERR_IO && (error_number == EPIPE || error_number == ECONNRESET));
    if (!is_closed || redis.sent_again++ == SEND_AGAIN_MAX) {
        go_away(context, reason_of(redis.connection, error_number));
        return false;
    }
    close_connection();
    if (!ensure_connection(context)) {
        return false;
    }
    for (const struct command *command = redis.unread; command != NULL; command = command->next) {
        if (redisAppendFormattedCommand(redis.connection, command->bytes.data, command->bytes.length) != REDIS_OK) {
            go_away(context, reason_of(redis.connection, errno));
            return false;
        }
    }
    return true;
}

bool redis_flush(struct context *context)
{
    if (redis.unread == NULL || redis.round_failed) {
        return false;
    }
    int done = 0;
    while (!done) {
        errno = 0;
        if (redisBufferWrite(redis.connection, &done) != REDIS_OK && !send_again(context, errno)) {
            return false;
        }
    }
    return true;
}

const redisReply *redis_read(struct context *context)
{
    void *got = NULL;
    while (redis.unread != NULL && !redis.round_failed) {
        errno = 0;
        if (redisGetReply(redis.connection, &got) == REDIS_OK || !send_again(context, errno)) {
            break;
        }
    }
    if (redis.unread != NULL) {
        redis.unread = redis.unread->next;
    }
    if (got == NULL) {
        return NULL;
    }
    redisReply *reply = got;
    arena_cleanup(context->arena, free_reply, reply);
    if (reply->type != REDIS_REPLY_ERROR) {
        note_answer(context);
        return reply;
    }
    /* Some errors mean that this Redis can't be used now. */
    const char *code = code_of(context->arena, reply);
    static const char *const useless[] = {"LOADING", "NOAUTH", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MISCONF"};
    for (size_t i = 0; i < ARRAY_COUNT(useless); i++) {
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

/* Whether Redis has closed the connection. After a restart it does not count as unavailable. Other commands need not
 * look, since they are sent again. */
static bool is_hung_up(void)
{
    char byte;
    ssize_t got = recv(redis.connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool redis_ping(struct context *context, struct error *error)
{
    if (!redis_is_configured(context->config)) {
        return error_set(error, "neither redis_socket nor redis_host is set");
    }
    drain();
    if (redis.connection != NULL && is_hung_up()) {
        close_connection();
    }
    if (!connect_where_needed(context, error)) {
        return false;
    }
    errno = 0;
    redisReply *reply = redisCommand(redis.connection, "PING");
    bool is_good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (is_good) {
        note_answer(context);
    } else if (reply == NULL) {
        error_set(error, "%s", reason_of(redis.connection, errno));
        close_connection();
    } else {
        error_set(error, "PING is answered with %s", code_of(context->arena, reply));
    }
    freeReplyObject(reply);
    return is_good;
}

void redis_close(void)
{
    close_connection();
    redis.unread = NULL;
    redis.round_failed = false;
    redis.is_away = false;
    redis.away_until = 0;
}
