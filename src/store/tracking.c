/* tracking.c: see tracking.h. */
#include "store/tracking.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "store/hiredis.h"
#include "store/redis.h"
#include "store/revocation_store.h"
#include "store/version_words.h"

/* The only state of this file: the two connections of this process. */
static struct {
    redisContext *messages; /* subscribed; NULL: not open */
    redisContext *tracker;  /* its tracking is redirected to `messages` */
    int64_t asked, before;  /* when the last PINGs were sent, and those before them; 0: none were */
    bool waits[2];          /* for the answer to the last PING over each */
} tracking;

/* Runs a command and gives its answer; NULL with *error. To be freed. */
static redisReply *run(redisContext *connection, struct error *error, const char *command)
{
    redisReply *reply = redisCommand(connection, command);
    if (reply == NULL) {
        error_set(error, "%s", connection->err != 0 ? connection->errstr : "no answer within redis_timeout");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        error_set(error, "%.*s is answered with %.*s", (int)strcspn(command, " "), command,
                  (int)strcspn(reply->str, " "), reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static bool subscribe(struct error *error, int64_t *client_r)
{
    redisReply *id = run(tracking.messages, error, "CLIENT ID");
    if (id == NULL) {
        return false;
    }
    *client_r = id->integer;
    freeReplyObject(id);
    redisReply *reply = run(tracking.messages, error, "SUBSCRIBE __redis__:invalidate");
    freeReplyObject(reply);
    return reply != NULL;
}

static bool track(struct context *context, struct error *error, int64_t client)
{
    char command[512];
    const char *prefix = context->config->redis_prefix;
    if (strpbrk(prefix, " \t%\"'") != NULL || strlen(prefix) > 200) {
        return error_set(error, "redis_prefix holds a character that can't be followed");
    }
    snprintf(command, sizeof command,
             "CLIENT TRACKING on REDIRECT %lld BCAST PREFIX %s" REVOCATION_TOKEN_START
             " PREFIX %s" REVOCATION_USER_START,
             (long long)client, prefix, prefix);
    redisReply *reply = run(tracking.tracker, error, command);
    freeReplyObject(reply);
    return reply != NULL;
}

bool tracking_open(struct context *context, struct error *error)
{
    int64_t client;
    tracking_close();
    tracking.messages = redis_open(context, error);
    tracking.tracker = tracking.messages != NULL ? redis_open(context, error) : NULL;
    if (tracking.tracker == NULL || !subscribe(error, &client) || !track(context, error, client)) {
        tracking_close();
        return false;
    }
    version_words_forget_all();
    return true;
}

int tracking_descriptor(void)
{
    return tracking.messages != NULL ? tracking.messages->fd : -1;
}

enum { OF_MESSAGES, OF_TRACKER };

static bool send_ping(redisContext *connection, struct error *error)
{
    int done = 0;
    redisAppendCommand(connection, "PING");
    while (!done) {
        if (redisBufferWrite(connection, &done) != REDIS_OK) {
            return error_set(error, "%s", connection->errstr);
        }
    }
    return true;
}

bool tracking_ask(int64_t now, struct error *error)
{
    enum { PATIENCE_MICROSECONDS = 2000000 };
    if (tracking.waits[OF_MESSAGES] || tracking.waits[OF_TRACKER]) {
        return now - tracking.asked < PATIENCE_MICROSECONDS || error_set(error, "it has stopped to answer");
    }
    if (!send_ping(tracking.messages, error) || !send_ping(tracking.tracker, error)) {
        return false;
    }
    tracking.waits[OF_MESSAGES] = tracking.waits[OF_TRACKER] = true;
    tracking.before = tracking.asked;
    tracking.asked = now;
    return true;
}

/* What stands between two parts of a key; false where the key has not this form. */
static bool key_part(struct text key, const char *prefix, const char *kind, const char *end, struct text *part_r)
{
    size_t prefix_length = strlen(prefix), kind_length = strlen(kind), end_length = strlen(end);
    if (key.length <= prefix_length + kind_length + end_length || memcmp(key.data, prefix, prefix_length) != 0 ||
        memcmp(key.data + prefix_length, kind, kind_length) != 0 ||
        memcmp(key.data + key.length - end_length, end, end_length) != 0) {
        return false;
    }
    *part_r =
        (struct text){key.data + prefix_length + kind_length, key.length - prefix_length - kind_length - end_length};
    return true;
}

/* The key of a token or a user was changed. */
static void forget_key(struct context *context, struct text key)
{
    struct text part;
    const char *prefix = context->config->redis_prefix;
    if (key_part(key, prefix, REVOCATION_TOKEN_START, REVOCATION_TOKEN_END, &part) ||
        key_part(key, prefix, REVOCATION_USER_START, REVOCATION_USER_END, &part)) {
        version_words_forget(part);
    }
}

/* ["message", "__redis__:invalidate", [KEY, …]], or null in place of the list: everything was flushed. An answer to a
 * PING is ["pong", ""]. */
static void take_message(struct context *context, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || reply->element[0]->type != REDIS_REPLY_STRING) {
        return;
    }
    if (strcmp(reply->element[0]->str, "pong") == 0) {
        tracking.waits[OF_MESSAGES] = false;
        return;
    }
    const redisReply *keys = reply->elements == 3 ? reply->element[2] : NULL;
    if (strcmp(reply->element[0]->str, "message") != 0 || keys == NULL) {
        return;
    }
    if (keys->type != REDIS_REPLY_ARRAY) {
        version_words_forget_all();
        return;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key->type == REDIS_REPLY_STRING) {
            forget_key(context, (struct text){key->str, key->len});
        }
    }
}

/* The next answer that has been read already; false with *error where there is none that can be understood. */
static bool next_reply(redisContext *connection, redisReply **reply_r, struct error *error)
{
    void *got = NULL;
    if (redisGetReplyFromReader(connection, &got) != REDIS_OK) {
        return error_set(error, "%s", connection->errstr);
    }
    *reply_r = got;
    return true;
}

/* Reads what has come, without waiting. */
static bool fill(redisContext *connection, struct error *error)
{
    struct pollfd readable = {connection->fd, POLLIN, 0};
    while (poll(&readable, 1, 0) > 0) {
        if (redisBufferRead(connection) != REDIS_OK) {
            return error_set(error, "%s", connection->errstr);
        }
    }
    return true;
}

bool tracking_take(struct context *context, int64_t *seen_r, struct error *error)
{
    redisReply *reply = NULL;
    *seen_r = 0;
    if (!fill(tracking.tracker, error) || !fill(tracking.messages, error)) {
        return false;
    }
    while (next_reply(tracking.tracker, &reply, error) && reply != NULL) {
        tracking.waits[OF_TRACKER] = false;
        freeReplyObject(reply);
    }
    while (tracking.tracker->err == 0 && next_reply(tracking.messages, &reply, error) && reply != NULL) {
        take_message(context, reply);
        freeReplyObject(reply);
    }
    if (tracking.tracker->err != 0 || tracking.messages->err != 0) {
        return false;
    }
    *seen_r = !tracking.waits[OF_MESSAGES] && !tracking.waits[OF_TRACKER] ? tracking.before : 0;
    return true;
}

void tracking_close(void)
{
    if (tracking.messages != NULL) {
        redisFree(tracking.messages);
    }
    if (tracking.tracker != NULL) {
        redisFree(tracking.tracker);
    }
    memset(&tracking, 0, sizeof tracking);
}
