/* check_database.c: see check_database.h. */
#include "check/check_database.h"

#include <inttypes.h>
#include <stdlib.h>

#include "auth/password.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "config/config_accounts.h"
#include "config/config_pools.h"
#include "store/database_accounts.h"
#include "store/factor_store.h"
#include "store/migration.h"
#include "store/password_store.h"

enum {
    STATEMENTS_PER_WORKER = 128, /* maximum of prepared statements: STATEMENTS_MAX of store/database */
    PACKET_ROOM = 64 * 1024,     /* for the statement, in addition to the body */
    CLOCK_SECONDS = 5
};

/* ---- The hosts ---- */

/* The server refuses statements over max_allowed_packet, so larger pictures and documents can't be stored. */
static void check_packet(struct findings *findings, const struct config *config, const struct database_host *host)
{
    const int64_t body = config->request_body_limit;
    const int64_t picture = config->picture_size_limit;
    const int64_t needed = (body > picture ? body : picture) + PACKET_ROOM;
    if (host->packet_bytes < needed) {
        const int64_t wanted = (needed + 1048575) / 1048576 * 1048576;
        char cure[128];
        snprintf(cure, sizeof cure,
                 "mariadb -e 'SET GLOBAL max_allowed_packet = %" PRId64 "' && systemctl restart roster", wanted);
        findings_add_cure(findings, FINDING_WARNING, cure,
                          "MariaDB at %s: max_allowed_packet is %" PRId64 ", but %s is %" PRId64
                          ": larger data is refused (413, INVALID_IMAGE); raise max_allowed_packet to %" PRId64
                          " or more (SET GLOBAL, and in its configuration), and restart roster",
                          host->where, host->packet_bytes, body > picture ? "request_body_limit" : "picture_size_limit",
                          body > picture ? body : picture, wanted);
    }
}

/* The collations of the tables are those of MariaDB 10.10. */
static bool is_too_old(const char *version)
{
    char *end;
    const long major = strtol(version, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major < 10 || (major == 10 && minor < 10);
}

static void check_version(struct findings *findings, const struct database_host *host)
{
    if (is_too_old(host->version)) {
        findings_add_cure(findings, FINDING_ERROR, "apt install mariadb-server",
                          "MariaDB %s at %s is too old: Roster needs 10.10 or later", host->version, host->where);
    } else {
        findings_add(findings, FINDING_GOOD, "MariaDB %s at %s answers", host->version, host->where);
    }
}

/* Sessions and limits are compared with the clocks of both. */
static void check_clock(struct findings *findings, struct context *context)
{
    int64_t theirs;
    const int64_t ours = clock_wall_seconds();
    if (database_get_integer(context, "SELECT UNIX_TIMESTAMP()", NO_PARAMETERS, -1, &theirs) != OK || theirs < 0) {
        return;
    }
    if (llabs(theirs - ours) > CLOCK_SECONDS) {
        findings_add_cure(findings, FINDING_WARNING, "timedatectl set-ntp true",
                          "MariaDB's clock and that of this machine differ by %lld seconds: set both by NTP",
                          llabs(theirs - ours));
    }
}

/* The command that lets the accounts in, and gives them what they need. */
static const char *grants_command(const struct config *config)
{
    return config_has_accounts(config) ? "rosterctl grants --pools | mariadb" : "rosterctl grants | mariadb";
}

static void report_host(struct findings *findings, const struct config *config, const struct database_host *host,
                        bool another_works)
{
    enum finding_severity severity = another_works ? FINDING_WARNING : FINDING_ERROR;
    if (host->condition == DATABASE_AWAY && host->is_refused) {
        findings_add_cure(findings, severity, grants_command(config), "MariaDB does not let Roster in: %s: %s",
                          host->where, host->error);
    } else if (host->condition == DATABASE_AWAY) {
        findings_add_cure(findings, severity, "systemctl start mariadb", "MariaDB can't be reached: %s: %s",
                          host->where, host->error);
    } else {
        findings_add_cure(
            findings, severity,
            host->condition == DATABASE_READ_ONLY && !another_works ? "mariadb -e 'SET GLOBAL read_only = 0'" : "",
            "MariaDB at %s: %s: %s", host->where, host->error, host->cure);
    }
}

/* Returns true where at least one host can be used. */
static bool check_hosts(struct findings *findings, struct context *context)
{
    const size_t count = database_host_count(context->config);
    struct database_host *hosts = arena_zero(context->arena, count, sizeof *hosts);
    const struct database_host *writable = NULL, *second = NULL;
    for (size_t i = 0; i < count; i++) {
        database_look_at_host(context, i, &hosts[i]);
        if (hosts[i].error == NULL && writable == NULL) {
            writable = &hosts[i];
        } else if (hosts[i].error == NULL && second == NULL) {
            second = &hosts[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (hosts[i].error != NULL) {
            report_host(findings, context->config, &hosts[i], writable != NULL);
        } else {
            check_version(findings, &hosts[i]);
            check_packet(findings, context->config, &hosts[i]);
        }
    }
    if (writable == NULL && count > 1) {
        findings_add(findings, FINDING_ERROR,
                     "no server of database_host accepts writes: all requests get 503 until one does");
    }
    if (writable != NULL && second != NULL && !(writable->is_cluster && second->is_cluster)) {
        findings_add(
            findings, FINDING_WARNING,
            "MariaDB at %s and %s both accept writes, and are not a Galera cluster: data that is written to one is "
            "missing on the other; set read_only = 1 on the replica",
            writable->where, second->where);
    }
    return writable != NULL;
}

/* ---- Limits of the server ---- */

static void check_number(struct findings *findings, struct context *context, const char *variable, int64_t per_worker)
{
    int64_t workers = config_worker_count(context->config);
    int64_t needed = workers * per_worker;
    int64_t max = database_server_variable(context, variable);
    char cure[128];
    snprintf(cure, sizeof cure, "mariadb -e 'SET GLOBAL %s = %" PRId64 "', and the same in its configuration", variable,
             2 * needed);
    if (max < 0) {
        findings_add(findings, FINDING_WARNING, "MariaDB does not report its %s", variable);
    } else if (max < needed) {
        findings_add_cure(findings, FINDING_ERROR, cure,
                          "MariaDB's %s is %" PRId64 ", but %" PRId64 " workers may take %" PRId64
                          ": raise it to %" PRId64 " or more, or lower workers",
                          variable, max, workers, needed, 2 * needed);
    } else if (max < 2 * needed) { /* during a reload, old and new workers run together */
        findings_add_cure(findings, FINDING_WARNING, cure,
                          "MariaDB's %s is %" PRId64 ", but %" PRId64 " workers may take %" PRId64
                          " while a reload replaces them: raise it, or lower workers",
                          variable, max, workers, 2 * needed);
    }
}

/* Reduces the workers as the master does at its start. The following checks use the reduced numbers. */
static void check_fit(struct findings *findings, struct context *context)
{
    struct config *fitted = arena_alloc(context->arena, sizeof *fitted);
    int64_t max = database_server_variable(context, "max_connections");
    int64_t wanted = config_worker_count(context->config);
    *fitted = *context->config;
    if (max >= 0 && config_fit_workers(fitted, max)) {
        findings_add(findings, FINDING_WARNING,
                     "MariaDB's max_connections is %" PRId64 ": %" PRId64 " workers are started instead of %" PRId64
                     ": raise it to %" PRId64 " to start all, or set workers",
                     max, config_worker_count(fitted), wanted, config_connections_wanted(wanted));
    }
    context->config = fitted;
}

/* Compares the tables with the migrations that this program was built with. */
static void check_schema(struct findings *findings, struct context *context)
{
    struct error error;
    int present = migration_schema_version(context);
    if (present < 0) {
        findings_add(findings, FINDING_ERROR, "MariaDB does not report the version of the tables: see the line above");
    } else if (!migration_is_expected(context, present, &error)) {
        findings_add_cure(findings, FINDING_ERROR, present < migration_expected ? "rosterctl migrate" : "", "%s",
                          error.text);
    } else {
        findings_add(findings, FINDING_GOOD, "the tables are at version %d", present);
    }
}

/* Hosts that share the tables must not keep rows of them. */
static void check_identity_cache(struct findings *findings, struct context *context)
{
    struct text who;
    if (config_uses_identity_cache(context->config) && database_find_neighbour(context, &who) == OK &&
        who.data != NULL) {
        findings_add(findings, FINDING_WARNING,
                     "identity_cache has no effect, since %.*s may write to the same database: set it to 0 on each "
                     "host that runs Roster",
                     (int)who.length, who.data);
    }
}

/* ---- Stored passwords ---- */

static void check_hashes(struct findings *findings, struct context *context)
{
    const struct config *config = context->config;
    const struct scrypt_cost configured = {(uint64_t)config->password_scrypt_n, (uint32_t)config->password_scrypt_r,
                                           (uint32_t)config->password_scrypt_p};
    const uint64_t configured_work = configured.n * configured.r * configured.p;
    struct result costs;
    if (password_store_scrypt_costs(context, &costs) != OK) {
        findings_add(findings, FINDING_WARNING, "the stored passwords can't be read: see the line above");
        return;
    }
    for (size_t i = 0; i < costs.row_count; i++) {
        const struct value *row = result_row(&costs, i);
        struct scrypt_cost cost;
        if (!password_read_cost(row[0].text, &cost)) {
            continue;
        }
        const int64_t mebibytes = (password_cost_memory(cost) + 1048575) >> 20;
        if (!password_cost_is_allowed(config, cost)) {
            findings_add(findings, FINDING_ERROR,
                         "%" PRId64 " passwords were hashed with N %" PRIu64 ", r %u, p %u, which takes %" PRId64
                         " MiB each: they match nothing; raise password_hash_memory_limit, or set new passwords",
                         row[1].integer, cost.n, (unsigned)cost.r, (unsigned)cost.p, mebibytes);
        } else if (cost.n * cost.r * cost.p > 4 * configured_work ||
                   password_cost_memory(cost) > 4 * password_cost_memory(configured)) {
            findings_add(
                findings, FINDING_WARNING,
                "%" PRId64 " passwords were hashed with N %" PRIu64 ", r %u, p %u: verifying one takes %" PRId64
                " MiB and %.1f times the configured time, until the user signs in; make sure that MemoryMax= of the "
                "unit allows it in each password worker",
                row[1].integer, cost.n, (unsigned)cost.r, (unsigned)cost.p, mebibytes,
                (double)(cost.n * cost.r * cost.p) / (double)configured_work);
        }
    }
}

/* ---- Second factors ---- */

/* Those that none of the secret keys opens: nobody can sign in with them but by a code for an emergency. */
static void check_factors(struct findings *findings, struct context *context)
{
    const struct secret_keys *keys = &context->config->secret_keys;
    struct result counts;
    int64_t lost = 0;
    if (factor_store_by_key(context, &counts) != OK) {
        findings_add(findings, FINDING_WARNING, "the second factors can't be read: see the line above");
        return;
    }
    for (size_t i = 0; i < counts.row_count; i++) {
        const struct value *row = result_row(&counts, i);
        bool is_there = false;
        for (size_t key = 0; key < keys->count; key++) {
            is_there = is_there || text_equal(secret_box_key_id(context->arena, keys->items[key]), row[0].text);
        }
        lost += is_there ? 0 : row[1].integer;
    }
    if (lost > 0) {
        findings_add(findings, FINDING_ERROR,
                     "%" PRId64 " second factors were stored with a secret key that is not in secret_key_file: put it "
                     "back there, as the last line, or reset them with `rosterctl user mfa reset'",
                     lost);
    }
}

/* ---- The account ---- */

/* One account of database_accounts, over a connection of its own. */
static void check_account(struct findings *findings, struct context *context, enum account account)
{
    struct error error;
    struct database_account_state state;
    const char *user = context->config->accounts[account].user;
    char cure[1024];
    config_choose_account(account);
    if (!database_connect(context, &error)) {
        struct database_host host; /* without what `error' says to do */
        database_look_at_host(context, 0, &host);
        findings_add_cure(findings, FINDING_ERROR, grants_command(context->config),
                          "MariaDB does not let the account %s in: %s", user,
                          host.error != NULL ? host.error : error.text);
        return;
    }
    if (!database_account_look(context, account, &state)) {
        findings_add(findings, FINDING_WARNING, "MariaDB does not tell what the account %s may do", user);
        return;
    }
    if (state.missing != NULL) {
        snprintf(cure, sizeof cure, state.missing_count > 1 ? "rosterctl grants --pools | mariadb" : "mariadb -e '%s'",
                 state.missing);
        findings_add_cure(findings, FINDING_ERROR, cure, "MariaDB's account %s may not do what Roster needs: %s", user,
                          state.missing);
    }
    if (state.excess != NULL) {
        snprintf(cure, sizeof cure, "mariadb -e '%s'; rosterctl grants --pools | mariadb", state.excess);
        findings_add_cure(findings, FINDING_WARNING, cure,
                          state.reads_hashes
                              ? "MariaDB's account %s may read the hashes of passwords, which it does not need"
                              : "MariaDB's account %s may do more than Roster needs",
                          user);
    }
}

/* With accounts of their own, nobody needs the one before: a worker that somebody has taken over could use it, where it
 * has no password but the system user. */
static void check_former_account(struct findings *findings, struct context *context)
{
    struct error ignored;
    struct config former = *context->config;
    struct context with_former = {
        .arena = context->arena, .config = &former, .stage = "check", .now_seconds = context->now_seconds};
    former.database_accounts = "";
    former.database_password = TEXT_NULL;
    if (!database_connect(&with_former, &ignored)) {
        return;
    }
    if (database_has_privileges(&with_former, &ignored)) {
        findings_add_cure(findings, FINDING_WARNING,
                          text_format(context->arena,
                                      "mariadb -e 'REVOKE ALL PRIVILEGES, GRANT OPTION FROM `%s`@`localhost`'",
                                      former.database_user)
                              .data,
                          "MariaDB's account %s is not needed any more, but each process of the service may use it",
                          former.database_user);
    }
}

/* At the end the connection is that of rosterctl again. */
static void check_accounts(struct findings *findings, struct context *context)
{
    const size_t before = findings->counts[FINDING_ERROR] + findings->counts[FINDING_WARNING];
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        database_close();
        check_account(findings, context, account);
    }
    database_close();
    check_former_account(findings, context);
    database_close();
    config_choose_account(ACCOUNT_ROSTERCTL);
    if (findings->counts[FINDING_ERROR] + findings->counts[FINDING_WARNING] == before) {
        findings_add(findings, FINDING_GOOD,
                     "each of the %d accounts of database_accounts may do what it must, and no more",
                     (int)ACCOUNT_COUNT);
    }
}

static void check_privileges(struct findings *findings, struct context *context)
{
    const char *account = NULL, *excess = NULL;
    struct error missing;
    if (!database_has_privileges(context, &missing)) {
        findings_add_cure(
            findings, FINDING_ERROR, "rosterctl grants | mariadb",
            "MariaDB's account %s may not do what Roster needs: %s; `rosterctl grants` prints what it needs",
            context->config->database_user, missing.text);
    } else if (database_excess_privileges(context, &account, &excess)) {
        findings_add_cure(
            findings, FINDING_WARNING, "rosterctl grants | mariadb",
            "MariaDB's account %s may do more than Roster needs (%s): `rosterctl grants` prints what to change",
            account, excess);
    }
}

void check_database(struct findings *findings, struct context *context)
{
    struct error error;
    if (!check_hosts(findings, context)) {
        return;
    }
    if (!database_connect(context, &error)) {
        findings_add(findings, FINDING_ERROR, "MariaDB can't be reached: %s", error.text);
        return;
    }
    check_schema(findings, context);
    check_clock(findings, context);
    check_fit(findings, context);
    check_number(findings, context, "max_connections", 1);
    check_number(findings, context, "max_prepared_stmt_count", STATEMENTS_PER_WORKER);
    check_identity_cache(findings, context);
    check_hashes(findings, context);
    if (config_has_accounts(context->config)) {
        check_accounts(findings, context);
        database_connect(context, &error); /* for the checks that follow */
    } else {
        check_privileges(findings, context);
    }
    check_factors(findings, context);
}

const char *check_database_directory(struct context *context)
{
    struct text directory;
    const bool is_here = context->config->database_host.count == 0 &&
                         database_get_text(context, "SELECT @@datadir", NO_PARAMETERS, &directory, ERROR_NONE) == OK;
    return is_here && directory.data != NULL ? directory.data : "";
}
