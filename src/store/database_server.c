/* database_server.c: reads variables of a server: whether it accepts writes, and max_allowed_packet. */
#include "store/database_internal.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"

enum { UNKNOWN_VARIABLE = 1193 };

/* Releases, and SELECT and SHOW, differ in how they show a switch: numbers or words. */
static bool is_off(const char *value)
{
    return strcmp(value, "0") == 0 || strcasecmp(value, "OFF") == 0;
}

/* One variable of the server. Variables that a release does not have are missing in its result. */
static void take_variable(struct context *context, struct server_facts *facts, const char *name, const char *value)
{
    int64_t number;
    if (strcasecmp(name, "max_allowed_packet") == 0) {
        facts->packet_bytes = text_to_integer(text_of(value), &number) && number > 0 ? number : 16 << 20;
    } else if (strcasecmp(name, "wsrep_on") == 0) {
        facts->is_cluster = !is_off(value);
    } else if (strcasecmp(name, "innodb_force_recovery") == 0) {
        if (text_to_integer(text_of(value), &number) && number >= 4) { /* InnoDB refuses writes */
            facts->locked = text_format(context->arena, "%s is %s", name, value).data;
            facts->cure = "dump the data (mariadb-dump), and repair or rebuild the server";
        }
    } else if (!is_off(value) && facts->locked == NULL) {
        facts->locked = text_format(context->arena, "%s is %s", name, strcmp(value, "1") == 0 ? "ON" : value).data;
        facts->cure = text_format(context->arena,
                                  strncasecmp(name, "innodb", 6) == 0
                                      ? "remove %s from its configuration, and restart it"
                                      : "if it should accept writes: SET GLOBAL %s = 0, and check its configuration",
                                  name)
                          .data;
    }
}

/* One row with a column for each variable. */
static void take_columns(struct context *context, struct server_facts *facts, MYSQL_RES *result)
{
    MYSQL_ROW row = mysql_fetch_row(result);
    for (unsigned i = 0; row != NULL && i < mysql_num_fields(result); i++) {
        if (row[i] != NULL) {
            take_variable(context, facts, mysql_fetch_field_direct(result, i)->name, row[i]);
        }
    }
}

/* A row with name and value for each variable. */
static void take_rows(struct context *context, struct server_facts *facts, MYSQL_RES *result)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(result)) != NULL) {
        take_variable(context, facts, row[0], row[1]);
    }
}

static MYSQL_RES *ask(MYSQL *mysql, const char *sql)
{
    return mysql_real_query(mysql, sql, strlen(sql)) == 0 ? mysql_store_result(mysql) : NULL;
}

/* A server looks at each of its thousand variables for SHOW, so that takes longer than the rest of the connecting. But
 * only SHOW can name variables that not every release has. */
static bool ask_variables(struct context *context, MYSQL *mysql, struct server_facts *facts)
{
    MYSQL_RES *result = ask(mysql, "SELECT @@GLOBAL.max_allowed_packet AS max_allowed_packet, "
                                   "@@GLOBAL.read_only AS read_only, @@GLOBAL.innodb_read_only AS innodb_read_only, "
                                   "@@GLOBAL.innodb_force_recovery AS innodb_force_recovery, "
                                   "@@GLOBAL.tx_read_only AS tx_read_only, @@GLOBAL.wsrep_on AS wsrep_on");
    if (result != NULL) {
        take_columns(context, facts, result);
    } else if (mysql_errno(mysql) == UNKNOWN_VARIABLE) {
        result = ask(mysql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'read_only', "
                            "'super_read_only', 'innodb_read_only', 'innodb_force_recovery', 'tx_read_only', "
                            "'transaction_read_only', 'wsrep_on')");
        if (result != NULL) {
            take_rows(context, facts, result);
        }
    }
    mysql_free_result(result);
    return result != NULL;
}

bool database_ask_server(struct context *context, MYSQL *mysql, struct server_facts *facts_r, struct error *error)
{
    *facts_r = (struct server_facts){.packet_bytes = 16 << 20};
    bool is_answered = ask_variables(context, mysql, facts_r);
    if (is_answered && facts_r->is_cluster) {
        /* A node without quorum accepts connections, and refuses all statements. */
        MYSQL_RES *result = ask(mysql, "SHOW GLOBAL STATUS LIKE 'wsrep_ready'");
        MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
        facts_r->is_stranded = row != NULL && is_off(row[1]);
        is_answered = result != NULL;
        mysql_free_result(result);
    }
    return is_answered || error_set(error, "[%u] %s", mysql_errno(mysql), mysql_error(mysql));
}

/* Whether a reply arrives in time. 0: Connector/C applies database_read_timeout. */
static bool answers_within(MYSQL *mysql, int milliseconds)
{
    struct pollfd descriptor = {mysql_get_socket(mysql), POLLIN, 0};
    return milliseconds == 0 || poll(&descriptor, 1, milliseconds) > 0;
}

/* Only variables that change while a server runs, with a SELECT, which is cheaper than SHOW. Releases have different
 * names for them. The statement belongs to the connection, not to a request, so it is not counted. */
bool database_look_again(MYSQL *mysql, int milliseconds, struct failure *failure)
{
    static const char *const texts[] = {"SELECT @@GLOBAL.read_only, @@GLOBAL.tx_read_only",
                                        "SELECT @@GLOBAL.read_only, @@GLOBAL.transaction_read_only",
                                        "SELECT @@GLOBAL.read_only, 0"};
    static size_t text;
    MYSQL_RES *result = NULL;
    for (;; text++) {
        bool answered = false;
        if (mysql_send_query(mysql, texts[text], strlen(texts[text])) == 0) {
            answered = answers_within(mysql, milliseconds);
            result = answered && mysql_read_query_result(mysql) == 0 ? mysql_store_result(mysql) : NULL;
        }
        if (!answered && mysql_errno(mysql) == 0) {
            database_fail_own(failure, FAILURE_LOST, "it does not answer");
            return false;
        }
        if (result != NULL || mysql_errno(mysql) != UNKNOWN_VARIABLE || text + 1 == ARRAY_COUNT(texts)) {
            break;
        }
    }
    if (result == NULL) {
        database_fail(failure, mysql_errno(mysql), mysql_error(mysql));
        return false;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row != NULL && (!is_off(row[0]) || !is_off(row[1]))) {
        database_fail(failure, SERVER_READ_ONLY_MODE, "it has been set read-only");
    }
    mysql_free_result(result);
    return failure->kind == FAILURE_NONE;
}
