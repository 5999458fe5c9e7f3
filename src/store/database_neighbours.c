/* database_neighbours.c: who else may write to the same tables, as far as it can be known.
 *
 * A service that keeps rows takes a lock of the server's by name, and each other one finds it taken, and takes a second
 * one, which the first one finds taken. */
#include "store/database.h"

#include <inttypes.h>

#include "config/config_accounts.h"

/* ---- What the server tells ---- */

/* Connections over a socket, and those over the loopback interface, are of the same host. */
static struct text host_name(struct text host)
{
    return text_is(host, "127.0.0.1") || text_is(host, "::1") ? TEXT("localhost") : host;
}

static enum outcome find_cluster(struct context *context, struct text *who_r)
{
    int64_t nodes;
    enum outcome outcome = database_get_integer(context,
                                                "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM "
                                                "information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                                                "'WSREP_CLUSTER_SIZE'",
                                                NO_PARAMETERS, 0, &nodes);
    if (outcome == OK && nodes > 1) {
        *who_r = text_format(context->arena, "the other nodes of a cluster of %" PRId64, nodes);
    }
    return outcome;
}

/* The hosts of this account's connections to this database, or of those of all accounts of the service's, without
 * ports, and which one is ours. */
static enum outcome find_hosts(struct context *context, struct text *who_r)
{
    struct result hosts;
    const struct text user = text_of(config_has_accounts(context->config) ? context->config->database_user : "");
    enum outcome outcome = database_execute(
        context,
        "SELECT DISTINCT IF(HOST LIKE '%:%', LEFT(HOST, CHAR_LENGTH(HOST) - LOCATE(':', REVERSE(HOST))), HOST), "
        "ID = CONNECTION_ID() FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND "
        "(USER = SUBSTRING_INDEX(USER(), '@', 1) OR (? <> '' AND LOCATE(CONCAT(?, '-'), USER) = 1)) ORDER BY 2 DESC, 1 "
        "LIMIT 50",
        PARAMETERS(BIND_TEXT(user), BIND_TEXT(user)), &hosts, ERROR_NONE);
    if (outcome != OK || hosts.row_count == 0) {
        return outcome;
    }
    const struct text own = host_name(result_row(&hosts, 0)[0].text);
    for (size_t i = 1; i < hosts.row_count && who_r->data == NULL; i++) {
        const struct text other = result_row(&hosts, i)[0].text;
        if (!text_equal(host_name(other), own)) {
            *who_r = text_format(context->arena, "the host %.*s", (int)other.length, other.data);
        }
    }
    return outcome;
}

enum outcome database_find_neighbour(struct context *context, struct text *who_r)
{
    *who_r = TEXT_NULL;
    enum outcome outcome = find_cluster(context, who_r);
    return outcome == OK && who_r->data == NULL ? find_hosts(context, who_r) : outcome;
}

/* ---- Locks ---- */

/* The names of the locks of this database. Longer names than the server allows are cut. */
#define FIRST_LOCK "LEFT(CONCAT('roster 1 ', DATABASE()), 64)"
#define SECOND_LOCK "LEFT(CONCAT('roster 2 ', DATABASE()), 64)"

#define IS_OWN(lock) "COALESCE(IS_USED_LOCK(" lock ") = CONNECTION_ID(), 0)"
#define TAKE(lock) "SELECT IF(" IS_OWN(lock) ", 1, GET_LOCK(" lock ", 0))"
#define GIVE_BACK(lock) "SELECT IF(" IS_OWN(lock) ", RELEASE_LOCK(" lock "), 1)"

static enum outcome ask_for_lock(struct context *context, const char *sql, bool *is_so_r)
{
    int64_t answer;
    enum outcome outcome = database_get_integer(context, sql, NO_PARAMETERS, 0, &answer);
    *is_so_r = answer == 1;
    return outcome;
}

enum outcome database_claim_tables(struct context *context, bool *is_alone_r)
{
    bool has_first, is_done;
    *is_alone_r = false;
    enum outcome outcome = ask_for_lock(context, TAKE(FIRST_LOCK), &has_first);
    if (outcome == OK) {
        outcome = ask_for_lock(context, has_first ? GIVE_BACK(SECOND_LOCK) : TAKE(SECOND_LOCK), &is_done);
    }
    return outcome == OK && has_first ? ask_for_lock(context, "SELECT IS_FREE_LOCK(" SECOND_LOCK ")", is_alone_r)
                                      : outcome;
}
