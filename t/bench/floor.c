/* floor.c: the least that a request can cost in Roster's shape, made of the same libraries: verify a token's signature, ask Redis once, run one prepared SELECT, print
 * JSON. Every figure of t/bench is a ratio to this program, taken in turn in the same run. It checks nothing that it need not, so it is no service.
 *
 * usage: floor LISTEN_SOCKET WORKERS DATABASE_SOCKET DATABASE_USER DATABASE_PASSWORD_FILE DATABASE_NAME REDIS_SOCKET SECRET_KEY_FILE */
#include <fcgiapp.h>
#include <mysql.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/hiredis.h"

static void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

static char *read_line(const char *path)
{
    static char lines[2][4096];
    static int next;
    char *line = lines[next++ % 2];
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof lines[0], file) == NULL) {
        die(path);
    }
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    unlink(path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) {
        die(path);
    }
    return listener;
}

static int sextet(char digit)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = strchr(digits, digit);
    return at != NULL && digit != '\0' ? (int)(at - digits) : 0;
}

static size_t decode(const char *text, size_t length, char *out)
{
    unsigned bits = 0, held = 0;
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 6 | (unsigned)sextet(text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[size++] = (char)(bits >> held & 0xff);
        }
    }
    out[size] = '\0';
    return size;
}

/* The `id` of a token that is signed with the key; false where it is not. */
static bool verify(const char *token, const char *key, char *id, size_t id_size)
{
    const char *dot = strchr(token, '.');
    const char *last = dot != NULL ? strchr(dot + 1, '.') : NULL;
    unsigned char mac[32];
    unsigned mac_length;
    char signature[256], payload[4096];
    if (last == NULL || strlen(last) > 60 || last - dot > 4000) {
        return false;
    }
    HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)token, (size_t)(last - token), mac, &mac_length);
    if (decode(last + 1, strlen(last + 1), signature) != 32 || CRYPTO_memcmp(signature, mac, 32) != 0) {
        return false;
    }
    decode(dot + 1, (size_t)(last - dot - 1), payload);
    const char *found = strstr(payload, "\"id\":\"");
    if (found == NULL) {
        return false;
    }
    snprintf(id, id_size, "%.*s", (int)strcspn(found + 6, "\""), found + 6);
    return true;
}

static void serve(char **arguments, int listener)
{
    const char *key = read_line(arguments[8]);
    MYSQL *database = mysql_init(NULL);
    if (mysql_real_connect(database, NULL, arguments[4], read_line(arguments[5]), arguments[6], 0, arguments[3], 0) == NULL) {
        die(mysql_error(database));
    }
    redisContext *redis = redisConnectUnix(arguments[7]);
    MYSQL_STMT *statement = mysql_stmt_init(database);
    static const char sql[] = "SELECT id, name, email, role, last_active_at FROM user WHERE id = ?";
    char id[256], columns[4][512];
    unsigned long id_length, lengths[4];
    long long active;
    MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_STRING, .buffer = id, .length = &id_length};
    MYSQL_BIND out[5];
    memset(out, 0, sizeof out);
    for (int i = 0; i < 4; i++) {
        out[i].buffer_type = MYSQL_TYPE_STRING;
        out[i].buffer = columns[i];
        out[i].buffer_length = sizeof columns[i];
        out[i].length = &lengths[i];
    }
    out[4].buffer_type = MYSQL_TYPE_LONGLONG;
    out[4].buffer = &active;
    if (redis == NULL || redis->err != 0 || mysql_stmt_prepare(statement, sql, sizeof sql - 1) != 0) {
        die("no Redis, or no statement");
    }
    mysql_stmt_bind_param(statement, &in);
    mysql_stmt_bind_result(statement, out);
    FCGX_Request request;
    FCGX_Init();
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        const char *authorization = FCGX_GetParam("HTTP_AUTHORIZATION", request.envp);
        bool good = authorization != NULL && strncmp(authorization, "Bearer ", 7) == 0 && verify(authorization + 7, key, id, sizeof id);
        redisReply *reply = redisCommand(redis, "EXISTS open-webui:auth:token:%s:revoked", id);
        good = good && reply != NULL && reply->integer == 0;
        freeReplyObject(reply);
        id_length = strlen(id);
        if (good && mysql_stmt_execute(statement) == 0 && mysql_stmt_fetch(statement) == 0) {
            FCGX_FPrintF(request.out,
                         "Content-Type: application/json\r\n\r\n{\"id\":\"%.*s\",\"name\":\"%.*s\",\"email\":\"%.*s\",\"role\":\"%.*s\",\"last_active_at\":%d}",
                         (int)lengths[0], columns[0], (int)lengths[1], columns[1], (int)lengths[2], columns[2], (int)lengths[3], columns[3],
                         (int)active);
        } else {
            FCGX_FPrintF(request.out, "Status: 401 Unauthorized\r\n\r\n");
        }
        mysql_stmt_free_result(statement);
        FCGX_Finish_r(&request);
    }
}

int main(int count, char **arguments)
{
    if (count != 9) {
        die("wrong arguments: see the head of floor.c");
    }
    int listener = listen_on(arguments[1]);
    for (int i = 0; i < atoi(arguments[2]); i++) {
        if (fork() == 0) {
            serve(arguments, listener);
            return 0;
        }
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
