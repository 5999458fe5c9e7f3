/* database.c: see database.h.
 *
 * Four layers, each a group of functions below:
 *   connection   hosts in order, the session's settings, the state of being away
 *   statements   prepared once per connection, known by their text, the least recently used thrown out
 *   run          one statement, once: bind, execute, rows into the arena
 *   judgement    what an error means: try again, lost, in conflict, refused
 */
#include "store/database.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <errmsg.h>
#include <mysql.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

enum {
    STATEMENTS_MOST = 128,        /* kept per connection; `roster -t` multiplies it by the workers */
    STATEMENT_BUCKETS = 256,
    SCRATCH_BYTES = 256,          /* texts up to this length are read in one go */
    SCRATCH_ROWS_BYTES = 1 << 20, /* more than this is given back after a large result */
    ATTEMPTS_MOST = 10,           /* of a transaction, or of a statement outside one */
    AWAY_MICROSECONDS = 1000000,  /* between two attempts to connect */
    AWAY_LOG_SECONDS = 60,
    LOCK_WAIT_SECONDS = 5,        /* well below the read timeout, so that a lock shows as 1205 and not as a lost connection */
    DEFAULT_PORT = 3306
};

/* The server's errors that are looked at. Connector/C has names for few of them. */
enum {
    SERVER_TOO_MANY_CONNECTIONS = 1040,
    SERVER_UNKNOWN_COMMAND = 1047,     /* Galera: this node has no quorum */
    SERVER_SHUTDOWN = 1053,
    SERVER_DUPLICATE = 1062,
    SERVER_DISCONNECTED_FIRST = 1158,  /* 1158 to 1161: the connection broke */
    SERVER_DISCONNECTED_LAST = 1161,
    SERVER_ERROR_DURING_COMMIT = 1180,
    SERVER_LOCK_WAIT = 1205,
    SERVER_DEADLOCK = 1213,
    SERVER_UNKNOWN_STATEMENT = 1243,
    SERVER_INTERRUPTED = 1317,
    SERVER_TOO_MANY_STATEMENTS = 1461,
    SERVER_DUPLICATE_WITH_NAME = 1586,
    SERVER_REPREPARE = 1615,
    SERVER_KILLED = 1927,
    SERVER_TIMED_OUT = 1969,           /* max_statement_time */
    SERVER_SNAPSHOT_CHANGED = 1020,    /* innodb_snapshot_isolation, 11.6 and later */
    SERVER_IDLE = 4031
};

/* Ours, beside the server's (from 1000) and the client's (from 2000). */
enum { FAILURE_AWAY = 1, FAILURE_MEMORY = 2, FAILURE_TOO_LARGE = 3 };

struct failure {
    unsigned code;     /* 0: none */
    char message[512]; /* the server's; may hold values: see mask_values */
};

/* Where a column of the row that is being read is put. */
struct slot {
    bool is_integer;
    my_bool is_null;
    my_bool is_truncated;
    int64_t integer;
    unsigned long length; /* of the whole text, also where it did not fit */
    char bytes[SCRATCH_BYTES];
};

struct statement {
    struct statement *next; /* in the bucket */
    char *sql;              /* ours: context->last_statement points here */
    size_t length;
    uint64_t hash;
    uint64_t used;          /* the tick of the last use */
    bool is_read;           /* SELECT or SHOW: may be repeated */
    MYSQL_STMT *handle;     /* NULL: not prepared on this connection */
    unsigned parameter_count;
    unsigned column_count;
    MYSQL_BIND *parameters;
    struct slot *slots;
};

/* The only state of this file: one connection per process. */
static struct {
    MYSQL *mysql; /* NULL: no connection */
    char *version;
    size_t packet_bytes;       /* max_allowed_packet of the server */
    size_t host;               /* of database_host, that the connection goes to */
    size_t first_host;         /* where the next attempt starts */
    bool uses_tls;

    int64_t away_until;        /* monotonic microseconds; no attempt before */
    bool is_away;              /* the last attempt failed */

    struct statement *buckets[STATEMENT_BUCKETS];
    unsigned statement_count;
    uint64_t tick;

    struct value *rows;        /* of the result that is being read */
    size_t rows_capacity;      /* in values */

    bool in_transaction;
    bool transaction_broken;   /* nothing of it stands any more: every further statement fails */
    bool transaction_retry;    /* and it may be done again */
} database;

static void fail(struct failure *failure, unsigned code, const char *message)
{
    failure->code = code;
    snprintf(failure->message, sizeof failure->message, "%s", message != NULL ? message : "");
}

/* An error while rows are read stands with the connection alone, not with the statement. */
static void fail_statement(struct failure *failure, MYSQL_STMT *handle)
{
    if (mysql_stmt_errno(handle) != 0) {
        fail(failure, mysql_stmt_errno(handle), mysql_stmt_error(handle));
    } else if (mysql_errno(database.mysql) != 0) {
        fail(failure, mysql_errno(database.mysql), mysql_error(database.mysql));
    } else {
        fail(failure, CR_UNKNOWN_ERROR, "no error was given");
    }
}

static enum outcome unavailable(struct context *context)
{
    problem_set_fault(context, ERROR_UNAVAILABLE);
    context->problem.retry_after_seconds = 1;
    return FAULT;
}

/* --- What an error means. --- */

static bool is_conflict(unsigned code)
{
    return code == SERVER_DEADLOCK || code == SERVER_LOCK_WAIT || code == SERVER_SNAPSHOT_CHANGED;
}

/* The connection can't be used any more. */
static bool is_lost(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR && code != CR_NEW_STMT_METADATA && code != CR_INVALID_PARAMETER_NO &&
            code != CR_NO_PREPARE_STMT && code != CR_UNSUPPORTED_PARAM_TYPE) ||
           code == SERVER_UNKNOWN_COMMAND || code == SERVER_SHUTDOWN || code == SERVER_KILLED || code == SERVER_IDLE ||
           code == SERVER_ERROR_DURING_COMMIT || (code >= SERVER_DISCONNECTED_FIRST && code <= SERVER_DISCONNECTED_LAST);
}

/* The server has not begun with what was sent. */
static bool is_undone(unsigned code)
{
    return code == CR_SERVER_GONE_ERROR || code == SERVER_UNKNOWN_COMMAND;
}

/* The statement must be prepared again; it was not executed. */
static bool is_stale(unsigned code)
{
    return code == SERVER_UNKNOWN_STATEMENT || code == SERVER_REPREPARE || code == CR_NEW_STMT_METADATA || code == CR_NO_PREPARE_STMT ||
           code == SERVER_TOO_MANY_STATEMENTS;
}

static bool is_duplicate(unsigned code)
{
    return code == SERVER_DUPLICATE || code == SERVER_DUPLICATE_WITH_NAME;
}

/* True for errors whose text names tables, columns and keys only, never a value. */
static bool names_no_values(unsigned code)
{
    static const unsigned short codes[] = {1030, 1040, 1044, 1045, 1046, 1048, 1049, 1054, 1064, 1091, 1109, 1142, 1143, 1146, 1176,
                                           1203, 1205, 1213, 1226, 1227, 1264, 1267, 1290, 1364, 1406, 1451, 1452, 1461, 1665, 4025};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR;
}

/* The message for the log: no values. Of a duplicate key only the key's name stays; of others what stands between quotes goes. */
static void mask_values(struct failure *failure)
{
    char *message = failure->message;
    if (is_duplicate(failure->code)) {
        /* Duplicate entry 'VALUE' for key 'NAME': the value may hold anything, so the last one counts. */
        const char *key = NULL;
        for (const char *at = message; (at = strstr(at, "for key ")) != NULL; at++) {
            key = at;
        }
        char name[160] = "a key";
        if (key != NULL && strlen(key) < 120) {
            snprintf(name, sizeof name, "%s", key + 4);
        }
        snprintf(message, sizeof failure->message, "Duplicate entry for %s", name);
        return;
    }
    if (names_no_values(failure->code)) {
        return;
    }
    char *first = strpbrk(message, "'\"`(");
    if (first != NULL) {
        /* A value may hold quotes itself: nothing behind the first is shown. */
        snprintf(first, sizeof failure->message - (size_t)(first - message), "…");
    }
}

/* --- The connection. --- */

static void close_connection(void)
{
    if (database.mysql == NULL) {
        return;
    }
    /* The connection goes first: it cuts the statements off, so that closing them sends nothing. */
    mysql_close(database.mysql);
    database.mysql = NULL;
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        for (struct statement *statement = database.buckets[bucket]; statement != NULL; statement = statement->next) {
            if (statement->handle != NULL) {
                mysql_stmt_close(statement->handle);
                statement->handle = NULL;
            }
        }
    }
    free(database.version);
    database.version = NULL;
}

/* True where the server has hung up meanwhile. It says so before anything is written, so that a write need not end with an unknown outcome. */
static bool is_hung_up(void)
{
    char byte;
    ssize_t got = recv(mysql_get_socket(database.mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    }
    /* Nobody has asked anything, so what lies there is a farewell; with TLS it may also be a record of the protocol itself. */
    return got == 0 || !database.uses_tls;
}

/* Splits HOST, HOST:PORT, [IPV6] and [IPV6]:PORT. A bare IPv6 address has no port. */
static const char *split_host(struct arena *arena, const char *text, unsigned *port_r)
{
    *port_r = DEFAULT_PORT;
    const char *host = text;
    size_t length = strlen(text);
    const char *port = NULL;
    if (text[0] == '[' && strchr(text, ']') != NULL) {
        const char *bracket = strchr(text, ']');
        host = text + 1;
        length = (size_t)(bracket - host);
        port = bracket[1] == ':' ? bracket + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        if (colon != NULL && strchr(colon + 1, ':') == NULL) {
            length = (size_t)(colon - text);
            port = colon + 1;
        }
    }
    int64_t number;
    if (port != NULL && text_to_integer(text_of(port), &number) && number > 0 && number <= 65535) {
        *port_r = (unsigned)number;
    }
    return text_to_string(arena, (struct text){host, length});
}

static void set_options(MYSQL *mysql, struct context *context, bool is_remote)
{
    const struct config *config = context->config;
    const unsigned connect_timeout = (unsigned)config->database_connect_timeout;
    const unsigned read_timeout = (unsigned)config->database_read_timeout;
    const my_bool no = 0;
    const my_bool yes = 1;
    const unsigned no_files = 0;
    const unsigned protocol = is_remote ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;

    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &read_timeout);
    mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &read_timeout);
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    /* A connection that comes back by itself has lost its statements and settings (error 1243). */
    mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
    /* A server may ask the client for any file that it can read. */
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "roster");

    const char *ca = config->database_tls_ca;
    bool wants_tls = is_remote && ca != NULL && ca[0] != '\0';
    if (wants_tls) {
        mysql_ssl_set(mysql, NULL, NULL, ca, NULL, NULL);
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    } else {
        /* Connector/C 3.4 would verify by default, against nothing. */
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
    }

    /* The session's settings, none left to the server's defaults. The connection's collation is binary, so that it yields to every
     * column's; the server gives up on a statement, or on a lock, before we give up on the server. */
    int64_t lock_wait = read_timeout / 2 < LOCK_WAIT_SECONDS ? read_timeout / 2 : LOCK_WAIT_SECONDS;
    struct text settings = text_format(context->arena,
        "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,"
        "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', max_statement_time = %u.5, innodb_lock_wait_timeout = %" PRId64,
        read_timeout - 1, lock_wait > 0 ? lock_wait : 1);
    mysql_options(mysql, MYSQL_INIT_COMMAND, settings.data);
    mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
}

/* The first column of the first row of a plain statement, as a text in the arena; NULL where there is none. */
static const char *ask_plainly(struct context *context, MYSQL *mysql, const char *sql, unsigned column)
{
    if (mysql_query(mysql, sql) != 0) {
        return NULL;
    }
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result == NULL) {
        return NULL;
    }
    const char *answer = NULL;
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row != NULL && column < mysql_num_fields(result) && row[column] != NULL) {
        answer = text_to_string(context->arena, text_of(row[column]));
    }
    mysql_free_result(result);
    return answer;
}

/* A node of a Galera cluster without quorum takes connections, and refuses everything else. */
static bool is_stranded(struct context *context, MYSQL *mysql)
{
    const char *is_cluster = ask_plainly(context, mysql, "SELECT @@GLOBAL.wsrep_on", 0);
    if (is_cluster == NULL || strcmp(is_cluster, "1") != 0) {
        return false;
    }
    const char *is_ready = ask_plainly(context, mysql, "SHOW GLOBAL STATUS LIKE 'wsrep_ready'", 1);
    return is_ready != NULL && strcasecmp(is_ready, "ON") != 0;
}

/* One attempt at one host (NULL: the socket). NULL with *error_r where it fails. */
static MYSQL *connect_to(struct context *context, const char *host_and_port, bool check_quorum, const char **error_r)
{
    const struct config *config = context->config;
    MYSQL *mysql = mysql_init(NULL);
    invariant(mysql != NULL);
    set_options(mysql, context, host_and_port != NULL);

    unsigned port = 0;
    const char *host = host_and_port != NULL ? split_host(context->arena, host_and_port, &port) : NULL;
    const char *where = host_and_port != NULL ? host_and_port : config->database_socket;

    char *password = NULL;
    if (config->database_password.data != NULL) {
        password = malloc(config->database_password.length + 1);
        invariant(password != NULL);
        memcpy(password, config->database_password.data, config->database_password.length);
        password[config->database_password.length] = '\0';
    }
    MYSQL *connected = mysql_real_connect(mysql, host, config->database_user, password, config->database_name, port,
                                          host == NULL ? config->database_socket : NULL, CLIENT_FOUND_ROWS);
    if (password != NULL) {
        explicit_bzero(password, config->database_password.length);
        free(password);
    }

    const char *error = NULL;
    if (connected == NULL) {
        error = text_format(context->arena, "%s: [%u] %s", where, mysql_errno(mysql), mysql_error(mysql)).data;
    } else if (check_quorum && is_stranded(context, mysql)) {
        error = text_format(context->arena, "%s: the node is not part of a cluster with quorum (wsrep_ready is off)", where).data;
    }
    if (error != NULL) {
        mysql_close(mysql);
        *error_r = error;
        return NULL;
    }
    return mysql;
}

bool database_connect(struct context *context, const char **error_r)
{
    if (database.mysql != NULL) {
        return true;
    }
    const struct words *hosts = &context->config->database_host;
    const size_t count = hosts->count > 0 ? hosts->count : 1;
    const char *error = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t index = (database.first_host + i) % count;
        const char *host = hosts->count > 0 ? hosts->items[index] : NULL;
        const char *reason = NULL;
        database.mysql = connect_to(context, host, count > 1, &reason);
        if (database.mysql != NULL) {
            database.host = index;
            break;
        }
        error = error == NULL ? reason : text_format(context->arena, "%s; %s", error, reason).data;
    }
    database.first_host = 0;
    if (database.mysql == NULL) {
        *error_r = error;
        return false;
    }
    database.uses_tls = mysql_get_ssl_cipher(database.mysql) != NULL;
    database.version = strdup(mysql_get_server_info(database.mysql));
    const char *packet = ask_plainly(context, database.mysql, "SELECT @@max_allowed_packet", 0);
    int64_t bytes;
    database.packet_bytes = packet != NULL && text_to_integer(text_of(packet), &bytes) && bytes > 0 ? (size_t)bytes : 16u << 20;
    return true;
}

/* A connection that can be used, or a failure. */
static bool ensure_connection(struct context *context, struct failure *failure)
{
    if (database.mysql != NULL && !database.in_transaction && is_hung_up()) {
        log_debug(context, "MariaDB has closed the connection; connecting again");
        close_connection();
    }
    if (database.mysql != NULL) {
        return true;
    }
    if (database.is_away && clock_monotonic_microseconds() < database.away_until) {
        fail(failure, FAILURE_AWAY, "away");
        return false;
    }
    const char *error = NULL;
    if (!database_connect(context, &error)) {
        database.is_away = true;
        database.away_until = clock_monotonic_microseconds() + AWAY_MICROSECONDS;
        if (log_topic_due(LOG_TOPIC_MARIADB, AWAY_LOG_SECONDS)) {
            log_error(context, "MariaDB is away: %s", error);
        }
        fail(failure, FAILURE_AWAY, error);
        return false;
    }
    database.is_away = false;
    if (log_topic_end(LOG_TOPIC_MARIADB)) {
        log_notice(context, "MariaDB is back: %s", database.version);
    }
    return true;
}

/* After an error that the connection does not survive. */
static void lose_connection(unsigned code)
{
    size_t next = database.host + 1;
    close_connection();
    /* A node without quorum would take us again. */
    database.first_host = code == SERVER_UNKNOWN_COMMAND ? next : 0;
}

/* --- Statements. --- */

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        bytes += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, length);
    hash = (hash ^ rest) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 29);
}

static void close_handle(struct statement *statement)
{
    if (statement->handle != NULL) {
        mysql_stmt_close(statement->handle);
        statement->handle = NULL;
    }
    free(statement->parameters);
    free(statement->slots);
    statement->parameters = NULL;
    statement->slots = NULL;
}

static void forget_statement(struct statement *statement)
{
    struct statement **link = &database.buckets[statement->hash % STATEMENT_BUCKETS];
    while (*link != statement) {
        link = &(*link)->next;
    }
    *link = statement->next;
    database.statement_count--;
    close_handle(statement);
    free(statement->sql);
    free(statement);
}

static void forget_oldest_statement(void)
{
    struct statement *oldest = NULL;
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        for (struct statement *statement = database.buckets[bucket]; statement != NULL; statement = statement->next) {
            if (oldest == NULL || statement->used < oldest->used) {
                oldest = statement;
            }
        }
    }
    forget_statement(oldest);
}

static bool text_reads(const char *sql)
{
    sql += strspn(sql, " \t\r\n(");
    return strncasecmp(sql, "SELECT", 6) == 0 || strncasecmp(sql, "SHOW", 4) == 0;
}

/* The entry of this text, made where it is new. Not yet prepared then. */
static struct statement *find_statement(const char *sql)
{
    const size_t length = strlen(sql);
    const uint64_t hash = hash_of(sql, length);
    struct statement **bucket = &database.buckets[hash % STATEMENT_BUCKETS];
    struct statement *statement = *bucket;
    while (statement != NULL && (statement->hash != hash || statement->length != length || memcmp(statement->sql, sql, length) != 0)) {
        statement = statement->next;
    }
    if (statement == NULL) {
        if (database.statement_count >= STATEMENTS_MOST) {
            forget_oldest_statement();
        }
        statement = calloc(1, sizeof *statement);
        invariant(statement != NULL);
        statement->sql = malloc(length + 1);
        invariant(statement->sql != NULL);
        memcpy(statement->sql, sql, length + 1);
        statement->length = length;
        statement->hash = hash;
        statement->is_read = text_reads(sql);
        statement->next = *bucket;
        *bucket = statement;
        database.statement_count++;
    }
    statement->used = ++database.tick;
    return statement;
}

static bool type_is_integer(enum enum_field_types type)
{
    return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
           type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

/* Ties the columns of the result to slots, for as long as the statement is prepared. Called again where the server names the columns only when it
 * executes (RETURNING). */
static bool bind_columns(struct statement *statement)
{
    free(statement->slots);
    statement->slots = NULL;
    statement->column_count = mysql_stmt_field_count(statement->handle);
    if (statement->column_count == 0) {
        return true;
    }
    MYSQL_RES *metadata = mysql_stmt_result_metadata(statement->handle);
    if (metadata == NULL) {
        return false;
    }
    statement->slots = calloc(statement->column_count, sizeof *statement->slots);
    MYSQL_BIND *columns = calloc(statement->column_count, sizeof *columns);
    invariant(statement->slots != NULL && columns != NULL);
    const MYSQL_FIELD *fields = mysql_fetch_fields(metadata);
    for (unsigned i = 0; i < statement->column_count; i++) {
        struct slot *slot = &statement->slots[i];
        slot->is_integer = type_is_integer(fields[i].type);
        columns[i].is_null = &slot->is_null;
        columns[i].error = &slot->is_truncated;
        columns[i].length = &slot->length;
        if (slot->is_integer) {
            columns[i].buffer_type = MYSQL_TYPE_LONGLONG;
            columns[i].buffer = &slot->integer;
            columns[i].buffer_length = sizeof slot->integer;
        } else {
            columns[i].buffer_type = MYSQL_TYPE_STRING;
            columns[i].buffer = slot->bytes;
            columns[i].buffer_length = SCRATCH_BYTES;
        }
    }
    mysql_free_result(metadata);
    bool bound = mysql_stmt_bind_result(statement->handle, columns) == 0; /* copies the array */
    free(columns);
    return bound;
}

static bool prepare(struct statement *statement, struct failure *failure)
{
    close_handle(statement);
    statement->handle = mysql_stmt_init(database.mysql);
    invariant(statement->handle != NULL);
    if (mysql_stmt_prepare(statement->handle, statement->sql, statement->length) != 0 || !bind_columns(statement)) {
        fail_statement(failure, statement->handle);
        close_handle(statement);
        return false;
    }
    statement->parameter_count = (unsigned)mysql_stmt_param_count(statement->handle);
    if (statement->parameter_count > 0) {
        statement->parameters = calloc(statement->parameter_count, sizeof *statement->parameters);
        invariant(statement->parameters != NULL);
    }
    return true;
}

/* Closes all our statements at the server, which has too many of them. */
static void close_all_handles(void)
{
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        for (struct statement *statement = database.buckets[bucket]; statement != NULL; statement = statement->next) {
            close_handle(statement);
        }
    }
}

/* --- One statement, once. --- */

static void bind_parameters(struct statement *statement, const struct parameter *parameters, size_t *bytes_r)
{
    size_t bytes = statement->length;
    for (unsigned i = 0; i < statement->parameter_count; i++) {
        MYSQL_BIND *bind = &statement->parameters[i];
        const struct parameter *parameter = &parameters[i];
        switch (parameter->kind) {
        case PARAMETER_NULL:
            bind->buffer_type = MYSQL_TYPE_NULL;
            bind->buffer = NULL;
            bind->buffer_length = 0;
            break;
        case PARAMETER_INTEGER:
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = (void *)(uintptr_t)&parameter->integer;
            bind->buffer_length = sizeof parameter->integer;
            break;
        case PARAMETER_TEXT:
            bind->buffer_type = MYSQL_TYPE_STRING;
            bind->buffer = (void *)(uintptr_t)parameter->text.data;
            bind->buffer_length = parameter->text.length;
            bytes += parameter->text.length;
            break;
        }
    }
    *bytes_r = bytes + 16 * (size_t)statement->parameter_count;
}

/* Copies the row in the slots into the arena; false where a column can't be read. */
static bool copy_row(struct context *context, struct statement *statement, struct value *values)
{
    const unsigned count = statement->column_count;
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct slot *slot = &statement->slots[i];
        bytes += slot->is_integer || slot->is_null ? 0 : slot->length + 1;
    }
    char *end = bytes > 0 ? arena_alloc(context->arena, bytes) : NULL;
    for (unsigned i = 0; i < count; i++) {
        struct slot *slot = &statement->slots[i];
        struct value *value = &values[i];
        *value = (struct value){{NULL, 0}, 0, slot->is_null != 0};
        if (slot->is_null) {
            continue;
        }
        if (slot->is_integer) {
            value->integer = slot->integer;
            continue;
        }
        const size_t length = slot->length;
        if (length <= SCRATCH_BYTES) {
            memcpy(end, slot->bytes, length);
        } else {
            unsigned long whole = 0;
            my_bool is_null = 0;
            my_bool is_truncated = 0;
            MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING, .buffer = end, .buffer_length = length, .length = &whole,
                               .is_null = &is_null, .error = &is_truncated};
            if (mysql_stmt_fetch_column(statement->handle, &bind, i, 0) != 0 || whole != length) {
                return false;
            }
        }
        end[length] = '\0';
        value->text = (struct text){end, length};
        end += length + 1;
    }
    return true;
}

static void reserve_rows(size_t values)
{
    if (values > database.rows_capacity) {
        size_t capacity = database.rows_capacity > 0 ? database.rows_capacity : 64;
        while (capacity < values) {
            capacity *= 2;
        }
        database.rows = realloc(database.rows, capacity * sizeof *database.rows);
        invariant(database.rows != NULL);
        database.rows_capacity = capacity;
    }
}

/* Reads all rows; database.rows holds them then. */
static void fetch_rows(struct context *context, struct statement *statement, size_t *row_count_r, struct failure *failure)
{
    const unsigned columns = statement->column_count;
    const size_t ceiling = context->config != NULL ? (size_t)context->config->request_memory_limit : 0;
    size_t count = 0;
    for (;;) {
        int got = mysql_stmt_fetch(statement->handle);
        if (got == MYSQL_NO_DATA) {
            break;
        }
        if (got != 0 && got != MYSQL_DATA_TRUNCATED) {
            fail_statement(failure, statement->handle);
            break;
        }
        reserve_rows((count + 1) * columns);
        if (!copy_row(context, statement, database.rows + count * columns)) {
            fail(failure, CR_MALFORMED_PACKET, "a column could not be read");
            break;
        }
        count++;
        const size_t row_bytes = count * columns * sizeof *database.rows;
        if (arena_exceeded(context->arena) || (ceiling > 0 && arena_used(context->arena) + row_bytes > ceiling)) {
            fail(failure, FAILURE_MEMORY, "");
            break;
        }
    }
    *row_count_r = count;
}

/* Prepares where needed, executes, reads everything. failure->code is 0 where it went well. */
static void run(struct context *context, struct statement *statement, const struct parameter *parameters, size_t parameter_count,
                struct result *result_r, struct failure *failure)
{
    if (!ensure_connection(context, failure)) {
        return;
    }
    if (statement->handle == NULL && !prepare(statement, failure)) {
        return;
    }
    invariant(statement->parameter_count == parameter_count);
    size_t bytes = 0;
    bind_parameters(statement, parameters, &bytes);
    if (bytes > database.packet_bytes) {
        fail(failure, FAILURE_TOO_LARGE, "");
        return;
    }
    context->statement_count++;
    MYSQL_STMT *handle = statement->handle;
    if ((parameter_count > 0 && mysql_stmt_bind_param(handle, statement->parameters) != 0) || mysql_stmt_execute(handle) != 0) {
        fail_statement(failure, handle);
        if (failure->code == CR_NEW_STMT_METADATA && !statement->is_read) {
            failure->code = CR_SERVER_LOST; /* it was executed, and its rows can't be read */
        }
        return;
    }
    if (mysql_stmt_field_count(handle) != statement->column_count && !bind_columns(statement)) {
        fail_statement(failure, handle);
        return;
    }
    size_t row_count = 0;
    uint64_t affected_rows = 0;
    if (statement->column_count > 0) {
        fetch_rows(context, statement, &row_count, failure);
        affected_rows = row_count;
        mysql_stmt_free_result(handle); /* also what was not read */
    } else {
        affected_rows = mysql_stmt_affected_rows(handle);
    }
    if (failure->code == 0 && result_r != NULL) {
        const size_t size = row_count * statement->column_count * sizeof *database.rows;
        *result_r = (struct result){NULL, row_count, statement->column_count, affected_rows};
        if (size > 0) {
            result_r->values = arena_alloc(context->arena, size);
            memcpy(result_r->values, database.rows, size);
        }
    }
    if (database.rows_capacity * sizeof *database.rows > SCRATCH_ROWS_BYTES) {
        free(database.rows);
        database.rows = NULL;
        database.rows_capacity = 0;
    }
}

/* --- Judgement. --- */

/* Sleeps for a random time that grows with the attempts: 1 to 4 ms, then up to 64 ms. */
static void wait_a_little(unsigned attempt)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        random = (uint32_t)clock_monotonic_microseconds();
    }
    const uint32_t most_microseconds = 4000u << (attempt < 4 ? attempt : 4);
    const uint32_t microseconds = 1000 + random % most_microseconds;
    const struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Whether there is time left for another attempt at what began at `started`. */
static bool has_time(const struct context *context, int64_t started, unsigned attempt)
{
    const int64_t limit = context->config != NULL ? context->config->database_read_timeout * 1000000 : 15000000;
    return attempt < ATTEMPTS_MOST && clock_monotonic_microseconds() - started < limit / 2;
}

/* Logs a refusal and answers for it. */
static enum outcome refuse(struct context *context, const struct statement *statement, struct failure *failure)
{
    if (failure->code == FAILURE_MEMORY) {
        log_error(context, "a result is larger than request_memory_limit allows; statement: %s", statement->sql);
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
    if (failure->code == FAILURE_TOO_LARGE) {
        log_error(context, "a statement with its values is larger than MariaDB's max_allowed_packet (%zu bytes); statement: %s",
                  database.packet_bytes, statement->sql);
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
    mask_values(failure);
    log_error(context, "MariaDB refused with error %u: %s; statement: %s", failure->code, failure->message, statement->sql);
    if (failure->code == SERVER_TIMED_OUT || failure->code == SERVER_INTERRUPTED) {
        return unavailable(context);
    }
    return problem_set_fault(context, ERROR_INTERNAL_ERROR);
}

/* A failure inside a transaction: what it means for the whole of it. */
static enum outcome fail_transaction(struct context *context, const struct statement *statement, struct failure *failure)
{
    if (is_conflict(failure->code)) {
        log_debug(context, "MariaDB reports a conflict (error %u)", failure->code);
        database.transaction_broken = true;
        database.transaction_retry = true;
        return unavailable(context);
    }
    if (is_lost(failure->code) || failure->code == FAILURE_AWAY || failure->code == SERVER_UNKNOWN_STATEMENT) {
        /* The server rolls back what was not committed, so it may be done again. */
        if (failure->code != FAILURE_AWAY) {
            mask_values(failure);
            log_warning(context, "the connection to MariaDB was lost inside a transaction (error %u: %s)", failure->code,
                        failure->message);
            lose_connection(failure->code);
            database.transaction_retry = true;
        }
        database.transaction_broken = true;
        return unavailable(context);
    }
    return refuse(context, statement, failure);
}

enum outcome database_execute(struct context *context, const char *sql, const struct parameter *parameters, size_t parameter_count,
                              struct result *result_r, enum error_code on_duplicate)
{
    if (database.in_transaction && database.transaction_broken) {
        return unavailable(context);
    }
    struct statement *statement = find_statement(sql);
    context->last_statement = statement->sql;
    const int64_t started = clock_monotonic_microseconds();
    const unsigned reconnects_most = context->config != NULL && context->config->database_host.count > 1
                                         ? (unsigned)context->config->database_host.count : 1;
    unsigned reconnects = 0;
    bool prepared_again = false;
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure;
        failure.code = 0;
        run(context, statement, parameters, parameter_count, result_r, &failure);
        if (failure.code == 0) {
            return OK;
        }
        if (is_duplicate(failure.code) && on_duplicate != ERROR_NONE) {
            return problem_set(context, on_duplicate);
        }
        if (is_stale(failure.code) && !prepared_again && !(database.in_transaction && failure.code == SERVER_UNKNOWN_STATEMENT)) {
            prepared_again = true;
            if (failure.code == SERVER_TOO_MANY_STATEMENTS) {
                log_warning(context, "MariaDB's max_prepared_stmt_count is reached: raise it, or run fewer workers");
                close_all_handles();
            } else {
                close_handle(statement);
            }
            continue;
        }
        if (database.in_transaction) {
            return fail_transaction(context, statement, &failure);
        }
        if (failure.code == FAILURE_AWAY) {
            return unavailable(context);
        }
        if (is_conflict(failure.code)) {
            if (has_time(context, started, attempt)) {
                wait_a_little(attempt);
                continue;
            }
            log_error(context, "gave up after %u attempts: MariaDB reports a conflict (error %u); statement: %s", attempt, failure.code,
                      statement->sql);
            return unavailable(context);
        }
        if (is_lost(failure.code)) {
            lose_connection(failure.code);
            if ((statement->is_read || is_undone(failure.code)) && reconnects < reconnects_most && has_time(context, started, attempt)) {
                reconnects++;
                continue;
            }
            mask_values(&failure);
            log_error(context, "the connection to MariaDB was lost (error %u: %s)%s; statement: %s", failure.code, failure.message,
                      statement->is_read || is_undone(failure.code) ? "" : ", and whether it was executed is not known", statement->sql);
            return unavailable(context);
        }
        return refuse(context, statement, &failure);
    }
}

/* --- Transactions. --- */

/* START TRANSACTION, COMMIT, ROLLBACK. */
static bool command(struct context *context, const char *sql, struct failure *failure)
{
    context->statement_count++;
    context->last_statement = sql;
    if (mysql_real_query(database.mysql, sql, strlen(sql)) != 0) {
        fail(failure, mysql_errno(database.mysql), mysql_error(database.mysql));
        return false;
    }
    return true;
}

/* Begins on a living connection; a dead one is replaced once. */
static bool begin(struct context *context, struct failure *failure)
{
    for (unsigned attempt = 1;; attempt++) {
        if (!ensure_connection(context, failure)) {
            return false;
        }
        if (command(context, "START TRANSACTION", failure)) {
            return true;
        }
        if (!is_lost(failure->code) || attempt == 2) {
            return false;
        }
        lose_connection(failure->code);
    }
}

/* Commits. Where it fails, transaction_retry says whether nothing of it stands. */
static enum outcome commit(struct context *context)
{
    struct failure failure;
    failure.code = 0;
    if (command(context, "COMMIT", &failure)) {
        return OK;
    }
    database.transaction_broken = true;
    if (is_conflict(failure.code)) {
        database.transaction_retry = true;
        return unavailable(context);
    }
    mask_values(&failure);
    if (is_lost(failure.code)) {
        database.transaction_retry = is_undone(failure.code);
        lose_connection(failure.code);
        log_error(context, "the connection to MariaDB was lost at COMMIT (error %u: %s)%s", failure.code, failure.message,
                  database.transaction_retry ? "" : ": whether it was executed is not known");
        return unavailable(context);
    }
    log_error(context, "MariaDB refused to commit with error %u: %s", failure.code, failure.message);
    return problem_set_fault(context, ERROR_INTERNAL_ERROR);
}

static void roll_back(struct context *context)
{
    struct failure failure;
    failure.code = 0;
    /* Whatever goes wrong here, closing the connection rolls back as well. */
    if (database.mysql != NULL && !command(context, "ROLLBACK", &failure)) {
        lose_connection(failure.code);
    }
}

enum outcome database_transaction(struct context *context, enum outcome (*body)(struct context *, void *), void *argument)
{
    invariant(!database.in_transaction);
    const struct problem problem = context->problem;
    const int64_t started = clock_monotonic_microseconds();
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure;
        failure.code = 0;
        if (!begin(context, &failure)) {
            if (failure.code != FAILURE_AWAY) {
                mask_values(&failure);
                log_error(context, "MariaDB refused a transaction with error %u: %s", failure.code, failure.message);
                lose_connection(failure.code);
            }
            return unavailable(context);
        }
        database.in_transaction = true;
        database.transaction_broken = false;
        database.transaction_retry = false;
        enum outcome outcome = body(context, argument);
        if (database.transaction_broken && outcome == OK) {
            outcome = unavailable(context); /* the body went on regardless */
        }
        if (outcome == OK) {
            outcome = commit(context);
        }
        if (outcome != OK) {
            roll_back(context);
        }
        database.in_transaction = false;
        const bool retry = database.transaction_broken && database.transaction_retry;
        if (outcome == OK || !retry) {
            return outcome;
        }
        if (!has_time(context, started, attempt)) {
            log_error(context, "gave up after %u attempts: the transaction met a conflict, or lost its connection, each time", attempt);
            return unavailable(context);
        }
        context->problem = problem;
        wait_a_little(attempt);
    }
}

/* --- The rest. --- */

bool database_is_connected(void)
{
    return database.mysql != NULL;
}

bool database_is_ready(struct context *context)
{
    const struct problem problem = context->problem;
    struct result result;
    bool ready = database_execute(context, "SELECT `id` FROM `user` LIMIT 1", NULL, 0, &result, ERROR_NONE) == OK;
    context->problem = problem;
    return ready;
}

int64_t database_server_variable(struct context *context, const char *name)
{
    const struct problem problem = context->problem;
    const struct parameter parameter = BIND_TEXT(text_of(name));
    struct result result;
    int64_t number = -1;
    enum outcome outcome = database_execute(
        context, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = ?", &parameter, 1, &result,
        ERROR_NONE);
    if (outcome != OK || result.row_count == 0 || !text_to_integer(result_row(&result, 0)[0].text, &number)) {
        number = -1;
    }
    context->problem = problem;
    return number;
}

const char *database_server_version(void)
{
    return database.version;
}

const char *database_run_script(struct context *context, const char *sql)
{
    struct failure failure;
    failure.code = 0;
    if (!ensure_connection(context, &failure)) {
        return text_format(context->arena, "MariaDB is away: %s", failure.message).data;
    }
    MYSQL *mysql = database.mysql;
    unsigned number = 1;
    int more = 0;
    if (mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0 || mysql_real_query(mysql, sql, strlen(sql)) != 0) {
        more = 1;
    }
    while (more == 0) {
        MYSQL_RES *result = mysql_store_result(mysql);
        if (result != NULL) {
            mysql_free_result(result);
        } else if (mysql_errno(mysql) != 0) {
            more = 1;
            break;
        }
        more = mysql_next_result(mysql); /* -1: that was the last */
        number++;
    }
    context->statement_count += number;
    const char *error = NULL;
    if (more > 0) {
        failure.code = mysql_errno(mysql);
        error = text_format(context->arena, "statement %u: [%u] %s", number, failure.code, mysql_error(mysql)).data;
    }
    if (is_lost(failure.code) || mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0) {
        close_connection();
    }
    return error;
}

void database_close(void)
{
    close_connection();
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        while (database.buckets[bucket] != NULL) {
            forget_statement(database.buckets[bucket]);
        }
    }
    free(database.rows);
    memset(&database, 0, sizeof database);
}
