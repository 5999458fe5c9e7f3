/* database_connection.c: hosts in order, the session's settings, the state of being away. */
#include "store/database_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

struct database_state database;

void database_close_connection(void)
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

/* True where the server has hung up meanwhile. It says so before anything is written, so that a write need not end
 * with an unknown outcome. */
static bool is_hung_up(void)
{
    char byte;
    ssize_t got = recv(mysql_get_socket(database.mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    }
    /* Nobody has asked anything, so what lies there is a farewell; with TLS it may also be a record of the
     * protocol itself. */
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

    /* The session's settings, none left to the server's defaults. The connection's collation is binary, so that
     * it yields to every column's; the server gives up on a statement, or on a lock, before we give up on the
     * server. */
    int64_t lock_wait = read_timeout / 2 < LOCK_WAIT_SECONDS ? read_timeout / 2 : LOCK_WAIT_SECONDS;
    struct text settings = text_format(context->arena,
                                       "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, autocommit = 1, time_zone = "
                                       "'+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,"
                                       "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
                                       "max_statement_time = %u.5, innodb_lock_wait_timeout = %" PRId64,
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
        error =
            text_format(context->arena, "%s: the node is not part of a cluster with quorum (wsrep_ready is off)", where)
                .data;
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
    database.packet_bytes =
        packet != NULL && text_to_integer(text_of(packet), &bytes) && bytes > 0 ? (size_t)bytes : 16u << 20;
    return true;
}

/* A connection that can be used, or a failure. */
bool database_ensure_connection(struct context *context, struct failure *failure)
{
    if (database.mysql != NULL && !database.in_transaction && is_hung_up()) {
        log_debug(context, "MariaDB has closed the connection; connecting again");
        database_close_connection();
    }
    if (database.mysql != NULL) {
        return true;
    }
    if (database.is_away && clock_monotonic_microseconds() < database.away_until) {
        database_fail(failure, FAILURE_AWAY, "away");
        return false;
    }
    const char *error = NULL;
    if (!database_connect(context, &error)) {
        database.is_away = true;
        database.away_until = clock_monotonic_microseconds() + AWAY_MICROSECONDS;
        if (log_topic_due(LOG_TOPIC_MARIADB, AWAY_LOG_SECONDS)) {
            log_error(context, "MariaDB is away: %s", error);
        }
        database_fail(failure, FAILURE_AWAY, error);
        return false;
    }
    database.is_away = false;
    if (log_topic_end(LOG_TOPIC_MARIADB)) {
        log_notice(context, "MariaDB is back: %s", database.version);
    }
    return true;
}

/* Connector/C never makes its buffer smaller again. */
void database_trim(struct context *context)
{
    if (database.mysql != NULL && !database.in_transaction && database.mysql->net.max_packet > PACKET_KEPT_BYTES) {
        struct failure failure;
        failure.code = 0;
        database_close_connection();
        database_ensure_connection(context, &failure);
    }
}

/* After an error that the connection does not survive. */
void database_lose_connection(unsigned code)
{
    size_t next = database.host + 1;
    database_close_connection();
    /* A node without quorum would take us again. */
    database.first_host = code == SERVER_UNKNOWN_COMMAND ? next : 0;
}
