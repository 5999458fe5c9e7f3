/* database_connection.c: connects to the hosts in order, and sets up the session. */
#include "base/host_port.h"
#include "store/database_internal.h"

#include <ma_pvio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "config/config_accounts.h"

struct database_state database;

void database_close_connection(void)
{
    if (database.mysql == NULL) {
        return;
    }
    /* Close the connection first: it detaches the statements, so that closing them sends nothing. */
    mysql_close(database.mysql);
    database.mysql = NULL;
    database.is_announced = false;
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

/* Whether the server has closed the connection. It is checked before a write is sent, so that the write's outcome does
 * not become unknown. */
static bool is_hung_up(void)
{
    char byte;
    ssize_t got = recv(mysql_get_socket(database.mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    }
    /* No request is pending, so unread data mean that the server closes the connection. With TLS they may also be a
     * record of TLS itself. */
    return got == 0 || !database.uses_tls;
}

/* Reads what the server sends, and waits for it. */
static ssize_t read_waiting(MARIADB_PVIO *pvio, uchar *buffer, size_t length)
{
    const int descriptor = mysql_get_socket(pvio->mysql);
    ssize_t got;
    do {
        got = recv(descriptor, buffer, length, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        errno = ETIMEDOUT; /* as Connector/C says it */
    }
    return got;
}

/* Connector/C tries to read before there can be a reply, polls, and reads again: three calls of the system. One call
 * that waits does the same, since Connector/C sets database_read_timeout as the timeout of the socket as well
 * (SO_RCVTIMEO), and relies on it with TLS, where it does not use this method. The methods are those of its interface
 * for plugins, the same in 3.1 to 3.4. Where something is not as expected, the connection stays as it is. */
static void wait_in_read(MYSQL *mysql)
{
    static PVIO_METHODS methods;
    MARIADB_PVIO *pvio = mysql->net.pvio;
    struct timeval timeout = {0, 0};
    socklen_t length = sizeof timeout;
    if (pvio == NULL || pvio->mysql != mysql ||
        getsockopt(mysql_get_socket(mysql), SOL_SOCKET, SO_RCVTIMEO, &timeout, &length) != 0 || timeout.tv_sec <= 0) {
        return;
    }
    if (pvio->methods != &methods) {
        methods = *pvio->methods;
        methods.read = read_waiting;
        pvio->methods = &methods;
    }
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
    /* An automatic reconnect would lose statements and settings (error 1243). */
    mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
    /* With LOCAL INFILE, a server may request any file that the client can read. */
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
        /* Connector/C 3.4 would verify the certificate by default, without a CA. */
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
    }

    /* Settings of the session; they do not depend on the server's defaults. The collation is binary, so that those of
     * columns take precedence. The server's timeout of a statement is shorter than the client's. The timeout of locks
     * is short, since waiting occupies a worker. GROUP_CONCAT would silently cut off longer texts. Who is patient may
     * also be slow to take rows, as a backup over a network: the server waits as long. */
    const bool is_patient = read_timeout > PATIENT_SECONDS;
    const unsigned lock_wait = is_patient ? PATIENT_LOCK_WAIT_SECONDS : LOCK_WAIT_SECONDS;
    struct text settings =
        text_format(context->arena,
                    "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, autocommit = 1, time_zone = "
                    "'+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,"
                    "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
                    "max_statement_time = %u.5, innodb_lock_wait_timeout = %u, lock_wait_timeout = %u, "
                    "group_concat_max_len = 4294967295%s",
                    read_timeout - 1, lock_wait, lock_wait, is_patient ? ", net_write_timeout = 86400" : "");
    mysql_options(mysql, MYSQL_INIT_COMMAND, settings.data);
    mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
}

/* What to do about an error that an administrator meets where something is not set up yet, or not any longer. */
static const char *cure_of(const struct config *config, const struct error *error)
{
    const unsigned code = error->text[0] == '[' ? (unsigned)strtoul(error->text + 1, NULL, 10) : 0;
    switch (code) {
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
        return "; is MariaDB running, and do database_socket or database_host name it?";
    case SERVER_NO_DATABASE:
    case SERVER_DATABASE_DENIED:
    case SERVER_ACCOUNT_DENIED:
    case SERVER_NO_PASSWORD_DENIED:
        return config_has_accounts(config)
                   ? "; `rosterctl grants --pools | mariadb', called as root, creates what is missing"
                   : "; `rosterctl grants | mariadb', called as root, creates what is missing";
    default:
        return "";
    }
}

bool database_load_library(struct error *error)
{
    return mysql_library_init(0, NULL, NULL) == 0 || error_set(error, "MariaDB's client library can't be loaded");
}

size_t database_host_count(const struct config *config)
{
    return config->database_host.count > 0 ? config->database_host.count : 1;
}

MYSQL *database_connect_to(struct context *context, size_t host_index, struct error *error)
{
    const struct config *config = context->config;
    const char *host_and_port = config->database_host.count > 0 ? config->database_host.items[host_index] : NULL;
    MYSQL *mysql = mysql_init(NULL);
    invariant(mysql != NULL);
    set_options(mysql, context, host_and_port != NULL);

    uint16_t port = 0;
    const char *host =
        host_and_port != NULL ? host_port_read(context->arena, host_and_port, DEFAULT_PORT, &port) : NULL;
    const struct database_account account = config_account(config);
    char *password = NULL;
    if (account.password.data != NULL) {
        password = malloc(account.password.length + 1);
        invariant(password != NULL);
        memcpy(password, account.password.data, account.password.length);
        password[account.password.length] = '\0';
    }
    MYSQL *connected = mysql_real_connect(mysql, host, account.user, password, config->database_name, port,
                                          host == NULL ? config->database_socket : NULL, CLIENT_FOUND_ROWS);
    if (password != NULL) {
        explicit_bzero(password, account.password.length);
        free(password);
    }

    if (connected == NULL) {
        error_set(error, "[%u] %s", mysql_errno(mysql), mysql_error(mysql));
        mysql_close(mysql);
        return NULL;
    }
    wait_in_read(mysql);
    return mysql;
}

/* Whether a server can be used, after connecting. */
static bool is_fit_for_work(struct context *context, MYSQL *mysql, struct server_facts *facts_r,
                            enum database_condition *condition_r, struct error *error)
{
    if (!database_ask_server(context, mysql, facts_r, error)) {
        return false;
    }
    if (facts_r->is_stranded) {
        *condition_r = DATABASE_STRANDED;
        return error_set(error, "the node is not part of a cluster with quorum (wsrep_ready is off)");
    }
    if (facts_r->locked != NULL) {
        *condition_r = DATABASE_READ_ONLY;
        return error_set(error, "it is read-only (%s)", facts_r->locked);
    }
    return true;
}

/* Tries one host. On false, the error names the host. */
static bool connect_for_work(struct context *context, size_t host, enum database_condition *condition_r,
                             struct error *error)
{
    const struct words *hosts = &context->config->database_host;
    struct server_facts facts;
    MYSQL *mysql = database_connect_to(context, host, error);
    if (mysql == NULL) {
        error_set(error, "%s%s", error->text, cure_of(context->config, error));
    }
    if (mysql == NULL || !is_fit_for_work(context, mysql, &facts, condition_r, error)) {
        error_prefix(error, "%s: ", hosts->count > 0 ? hosts->items[host] : context->config->database_socket);
        if (mysql != NULL) {
            mysql_close(mysql);
        }
        return false;
    }
    database.mysql = mysql;
    database.host = host;
    database.packet_bytes = (size_t)facts.packet_bytes;
    database.uses_tls = mysql_get_ssl_cipher(mysql) != NULL;
    database.version = strdup(mysql_get_server_info(mysql));
    database.looked_at = clock_monotonic_microseconds();
    database.condition = DATABASE_PRESENT;
    return true;
}

bool database_connect(struct context *context, struct error *error)
{
    if (database.mysql != NULL) {
        return true;
    }
    const size_t count = database_host_count(context->config);
    enum database_condition condition = DATABASE_AWAY;
    struct error reason, reasons = {""};
    bool connected = false;
    for (size_t i = 0; i < count && !connected; i++) {
        connected = connect_for_work(context, (database.first_host + i) % count, &condition, &reason);
        if (!connected) {
            error_set(&reasons, "%s%s%s", reasons.text, i > 0 ? "; " : "", reason.text);
        }
    }
    database.first_host = 0;
    if (!connected) {
        database.condition = condition;
        error_set(error, "%s", reasons.text);
    }
    return connected;
}

bool database_refuses_account(const struct error *error)
{
    static const char *const codes[] = {"[1044]", "[1045]", "[1698]"};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (strstr(error->text, codes[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void log_away(struct context *context, const char *error)
{
    if (!log_topic_due(LOG_TOPIC_MARIADB, AWAY_LOG_SECONDS)) {
        return;
    }
    if (database.condition == DATABASE_READ_ONLY) {
        log_error(context,
                  "MariaDB is read-only: %s; all requests get 503 until a server of database_host accepts writes; "
                  "`roster -t` shows what to do",
                  error);
    } else {
        log_error(context, "MariaDB is away: %s", error);
    }
}

/* Whether it was not checked for some time that the server still accepts writes. */
static bool is_look_due(void)
{
    return clock_monotonic_microseconds() - database.looked_at >= LOOK_MICROSECONDS;
}

/* Connects if there is no connection and an attempt is due. False: MariaDB is unavailable. `trusting`: a connection
 * that the server has closed may be returned. */
static bool find_connection(struct context *context, bool trusting, struct failure *failure)
{
    if (database.mysql != NULL && !trusting && !database.in_transaction && is_hung_up()) {
        log_debug(context, "MariaDB has closed the connection; reconnecting");
        database_close_connection();
    }
    if (database.mysql != NULL) {
        return true;
    }
    if (database.is_away && clock_monotonic_microseconds() < database.away_until) {
        database_fail_own(failure, FAILURE_AWAY, "away");
        return false;
    }
    struct error error;
    if (!database_connect(context, &error)) {
        database.is_away = true;
        database.away_until = clock_monotonic_microseconds() + AWAY_MICROSECONDS;
        log_away(context, error.text);
        database_fail_own(failure, FAILURE_AWAY, error.text);
        return false;
    }
    database.is_away = false;
    if (log_topic_end(LOG_TOPIC_MARIADB)) {
        log_notice(context, "MariaDB is back: %s", database.version);
    }
    return true;
}

static void (*announce_writes)(struct context *context, uint64_t connection);

void database_announce_writes(void (*announce)(struct context *context, uint64_t connection))
{
    announce_writes = announce;
}

void database_tell_connection(struct context *context)
{
    const uint64_t connection = mysql_thread_id(database.mysql);
    version_words_over(connection);
    if (announce_writes != NULL && !database.is_announced) {
        database.is_announced = true;
        announce_writes(context, connection);
    }
}

/* A server that has become read-only refuses writes itself. But a process that only reads would use a copy that may be
 * outdated, in which ended sessions are still valid. */
bool database_ensure_connection(struct context *context, bool is_read, struct failure *failure)
{
    const bool is_due = !database.in_transaction && is_look_due();
    if (!find_connection(context, is_read && !is_due, failure)) {
        return false;
    }
    if (!is_due || !is_look_due()) {
        return true;
    }
    if (database_look_again(database.mysql, 0, failure)) {
        database.looked_at = clock_monotonic_microseconds();
        return true;
    }
    log_info(context, "connecting to MariaDB again (error %u: %s)", failure->code, failure->message);
    database_lose_connection(failure);
    *failure = (struct failure){.kind = FAILURE_NONE};
    return find_connection(context, false, failure);
}

bool database_glance(struct context *context)
{
    struct failure failure = {.kind = FAILURE_NONE};
    if (!find_connection(context, false, &failure)) {
        return false;
    }
    if (!is_look_due()) {
        return true;
    }
    if (database_look_again(database.mysql, GLANCE_MILLISECONDS, &failure)) {
        database.looked_at = clock_monotonic_microseconds();
        return true;
    }
    database_lose_connection(&failure);
    if (failure.code != 0) { /* it answered, or closed the connection: try again, or another host */
        return find_connection(context, false, &failure);
    }
    database.is_away = true;
    database.away_until = clock_monotonic_microseconds() + AWAY_MICROSECONDS;
    return false;
}

/* The buffer keeps the last packets, which may contain secrets: imported API keys are looked up in plain text, and the
 * settings contain a password. Each packet is at the start of the buffer. Packets that describe columns are smaller
 * than SMALL_BYTES. */
void database_wipe(void)
{
    enum { SMALL_BYTES = 4096 };
    if (database.mysql == NULL || database.in_transaction || database.mysql->net.buff == NULL) {
        return;
    }
    size_t size = (size_t)(database.mysql->net.buff_end - database.mysql->net.buff);
    size_t used = database.packet_max_bytes + SMALL_BYTES;
    explicit_bzero(database.mysql->net.buff, used < size ? used : size);
    database.packet_max_bytes = 0;
    /* The read-ahead buffer of the socket. Between requests, all of it has been consumed. */
    const struct st_ma_pvio *pvio = database.mysql->net.pvio;
    if (pvio != NULL && pvio->cache != NULL && pvio->cache_pos >= pvio->cache + pvio->cache_size) {
        explicit_bzero(pvio->cache, PVIO_READ_AHEAD_CACHE_SIZE);
    }
}

bool database_holds_much(void)
{
    return database.mysql != NULL && database.mysql->net.max_packet > PACKET_KEPT_BYTES;
}

/* Connector/C never shrinks its buffer, so the connection is replaced. */
void database_trim(struct context *context)
{
    if (database.mysql != NULL && !database.in_transaction && database.mysql->net.max_packet > PACKET_KEPT_BYTES) {
        struct failure failure = {.kind = FAILURE_NONE};
        database_close_connection();
        database_ensure_connection(context, false, &failure);
    }
}

void database_lose_connection(const struct failure *failure)
{
    size_t next = database.host + 1;
    database_close_connection();
    /* A node that rejects queries still accepts connections, so try another one first. */
    database.first_host = failure->code == SERVER_UNKNOWN_COMMAND ? next : 0;
    database.condition = failure->kind == FAILURE_READ_ONLY        ? DATABASE_READ_ONLY
                         : failure->code == SERVER_UNKNOWN_COMMAND ? DATABASE_STRANDED
                                                                   : DATABASE_AWAY;
}
