/* floor.c: the least that a request can cost in Roster's shape, made of the same libraries. Figures of t/bench/run are
 * ratios to these, taken in turn in the same run. They check nothing that they need not, so they are no services.
 *
 *   hello   libfcgi alone
 *   user    verifies a token's signature, asks Redis once, runs one prepared SELECT for one row, prints JSON
 *   list    runs one prepared SELECT for thirty whole rows, prints JSON
 *   update  runs one prepared UPDATE: the last part of the path is the user's id, the body is what is stored
 *
 * usage: floor KIND LISTEN_SOCKET WORKERS DATABASE_SOCKET DATABASE_USER DATABASE_PASSWORD_FILE DATABASE_NAME
 * REDIS_SOCKET SECRET_KEY_FILE */
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

enum { COLUMNS_MAX = 24, COLUMN_SIZE = 2048 };

/* A place for one column of a row: a text, or a number. */
struct column {
    char name[64], text[COLUMN_SIZE];
    long long number;
    bool is_number;
    unsigned long length;
    my_bool is_null;
};

/* One worker's connections, and its one statement with the places of its columns. */
struct worker {
    const char *key;
    MYSQL *database;
    MYSQL_STMT *statement;
    redisContext *redis;
    unsigned column_count;
    struct column columns[COLUMNS_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

/* ---- the kinds ---- */

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

static bool execute(struct worker *worker, MYSQL_BIND *parameters)
{
    return (parameters == NULL || mysql_stmt_bind_param(worker->statement, parameters) == 0) &&
           mysql_stmt_execute(worker->statement) == 0;
}

static MYSQL_BIND text_parameter(char *text, unsigned long *length)
{
    *length = strlen(text);
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING, .buffer = text, .length = length};
}

static void print_value(const struct column *column, FCGX_Stream *out)
{
    char number[32];
    if (column->is_null) {
        FCGX_PutS("null", out);
    } else if (column->is_number) {
        FCGX_PutStr(number, snprintf(number, sizeof number, "%lld", column->number), out);
    } else {
        FCGX_PutChar('"', out);
        FCGX_PutStr(column->text, (int)column->length, out);
        FCGX_PutChar('"', out);
    }
}

static void print_row(const struct worker *worker, FCGX_Stream *out)
{
    for (unsigned i = 0; i < worker->column_count; i++) {
        FCGX_PutS(i > 0 ? ",\"" : "{\"", out);
        FCGX_PutS(worker->columns[i].name, out);
        FCGX_PutS("\":", out);
        print_value(&worker->columns[i], out);
    }
    FCGX_PutChar('}', out);
}

static void print_head(FCGX_Request *request, bool good)
{
    FCGX_PutS(good ? "Content-Type: application/json\r\n\r\n" : "Status: 401 Unauthorized\r\n\r\n", request->out);
}

static void answer_hello(struct worker *worker, FCGX_Request *request)
{
    (void)worker;
    print_head(request, true);
    FCGX_PutS("{\"hello\":true}", request->out);
}

static void answer_user(struct worker *worker, FCGX_Request *request)
{
    char id[256] = "";
    unsigned long length;
    const char *authorization = FCGX_GetParam("HTTP_AUTHORIZATION", request->envp);
    bool good = authorization != NULL && strncmp(authorization, "Bearer ", 7) == 0 &&
                verify(authorization + 7, worker->key, id, sizeof id);
    redisReply *reply = redisCommand(worker->redis, "EXISTS open-webui:auth:token:%s:revoked", id);
    good = good && reply != NULL && reply->integer == 0;
    freeReplyObject(reply);
    MYSQL_BIND parameter = text_parameter(id, &length);
    good = good && execute(worker, &parameter) && mysql_stmt_fetch(worker->statement) == 0;
    print_head(request, good);
    if (good) {
        const struct column *row = worker->columns;
        FCGX_FPrintF(request->out,
                     "{\"id\":\"%.*s\",\"name\":\"%.*s\",\"email\":\"%.*s\",\"role\":\"%.*s\",\"last_active_at\":%d}",
                     (int)row[0].length, row[0].text, (int)row[1].length, row[1].text, (int)row[2].length, row[2].text,
                     (int)row[3].length, row[3].text, (int)row[4].number);
    }
}

static void answer_list(struct worker *worker, FCGX_Request *request)
{
    bool good = execute(worker, NULL);
    print_head(request, good);
    FCGX_PutS("{\"users\":[", request->out);
    for (int row = 0; good && mysql_stmt_fetch(worker->statement) == 0; row++) {
        FCGX_PutS(row > 0 ? "," : "", request->out);
        print_row(worker, request->out);
    }
    FCGX_PutS("]}", request->out);
}

static void answer_update(struct worker *worker, FCGX_Request *request)
{
    char body[4096], id[256];
    unsigned long lengths[2];
    const char *path = FCGX_GetParam("REQUEST_URI", request->envp);
    const char *last = path != NULL ? strrchr(path, '/') : NULL;
    int length = FCGX_GetStr(body, sizeof body - 1, request->in);
    body[length] = '\0';
    snprintf(id, sizeof id, "%s", last != NULL ? last + 1 : "");
    MYSQL_BIND parameters[2] = {text_parameter(body, &lengths[0]), text_parameter(id, &lengths[1])};
    bool good = execute(worker, parameters) && mysql_stmt_affected_rows(worker->statement) == 1;
    print_head(request, good);
    FCGX_PutS(body, request->out);
}

static const struct kind {
    const char *name, *sql; /* sql NULL: it needs neither MariaDB nor Redis */
    void (*answer)(struct worker *worker, FCGX_Request *request);
} kinds[] = {
    {"hello", NULL, answer_hello},
    {"user", "SELECT id, name, email, role, last_active_at FROM user WHERE id = ?", answer_user},
    {"list",
     "SELECT id, email, username, role, name, profile_image_url, profile_banner_image_url, bio, gender, date_of_birth, "
     "timezone, presence_state, status_emoji, status_message, status_expires_at, info, settings, oauth, "
     "last_active_at, updated_at, created_at FROM user ORDER BY created_at DESC, id DESC LIMIT 30",
     answer_list},
    {"update", "UPDATE user SET changed_at = changed_at, info = ?, updated_at = UNIX_TIMESTAMP() WHERE id = ?",
     answer_update},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    die("there is no such kind");
    return NULL;
}

/* ---- a worker ---- */

static char *read_line(const char *path)
{
    char *line = malloc(4096);
    FILE *file = fopen(path, "r");
    if (line == NULL || file == NULL || fgets(line, 4096, file) == NULL) {
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
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1024) != 0) {
        die(path);
    }
    return listener;
}

/* Where a column of a row goes to: numbers stay numbers, all else comes as text. */
static MYSQL_BIND column_place(struct column *column, const MYSQL_FIELD *field)
{
    snprintf(column->name, sizeof column->name, "%s", field->name);
    column->is_number = field->type == MYSQL_TYPE_LONGLONG;
    if (column->is_number) {
        return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &column->number, .is_null = &column->is_null};
    }
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                        .buffer = column->text,
                        .buffer_length = sizeof column->text,
                        .length = &column->length,
                        .is_null = &column->is_null};
}

static void prepare(struct worker *worker, const char *sql)
{
    MYSQL_BIND places[COLUMNS_MAX];
    worker->statement = mysql_stmt_init(worker->database);
    if (mysql_stmt_prepare(worker->statement, sql, strlen(sql)) != 0) {
        die(mysql_stmt_error(worker->statement));
    }
    MYSQL_RES *fields = mysql_stmt_result_metadata(worker->statement);
    if (fields == NULL) {
        return; /* no SELECT */
    }
    worker->column_count = mysql_num_fields(fields);
    for (unsigned i = 0; i < worker->column_count; i++) {
        places[i] = column_place(&worker->columns[i], mysql_fetch_field_direct(fields, i));
    }
    mysql_free_result(fields);
    mysql_stmt_bind_result(worker->statement, places);
}

static void connect_all(struct worker *worker, char **arguments)
{
    worker->key = read_line(arguments[9]);
    worker->database = mysql_init(NULL);
    if (mysql_real_connect(worker->database, NULL, arguments[5], read_line(arguments[6]), arguments[7], 0, arguments[4],
                           0) == NULL) {
        die(mysql_error(worker->database));
    }
    worker->redis = redisConnectUnix(arguments[8]);
    if (worker->redis == NULL || worker->redis->err != 0) {
        die("no Redis");
    }
}

static void serve(char **arguments, const struct kind *kind, int listener)
{
    static struct worker worker;
    if (kind->sql != NULL) {
        connect_all(&worker, arguments);
        prepare(&worker, kind->sql);
    }
    FCGX_Request request;
    FCGX_Init();
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        kind->answer(&worker, &request);
        if (worker.statement != NULL) {
            mysql_stmt_free_result(worker.statement);
        }
        FCGX_Finish_r(&request);
    }
}

int main(int count, char **arguments)
{
    if (count != 10) {
        die("wrong arguments: see the head of floor.c");
    }
    const struct kind *kind = find_kind(arguments[1]);
    int listener = listen_on(arguments[2]);
    for (int i = 0; i < atoi(arguments[3]); i++) {
        if (fork() == 0) {
            serve(arguments, kind, listener);
            return 0;
        }
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
