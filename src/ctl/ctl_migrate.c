/* ctl_migrate.c: rosterctl migrate and rosterctl grants. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/process_user.h"
#include "config/config_accounts.h"
#include "config/config_secrets.h"
#include "ctl/ctl.h"
#include "store/database_accounts.h"
#include "store/migration.h"
#include "store/redis_grants.h"

static void report(const char *line, void *argument)
{
    ctl_say(argument, "%s", line);
    fflush(stdout);
}

static const char *directory_of(const struct invocation *invocation)
{
    const char *directory = ctl_option(invocation, OPTION_directory);
    return directory != NULL ? directory : PKGDATADIR "/sql";
}

/* `newest`: -1: it is not printed. */
static void print_version(const struct invocation *invocation, int version, int newest)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_integer(&json, "version", version);
    if (newest >= 0) {
        json_member_integer(&json, "newest", newest);
    }
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

/* Checks whether migrations are missing. Changes nothing. */
static int check(struct invocation *invocation)
{
    int status = ctl_connect(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    int present = migration_schema_version(&invocation->context);
    int newest = migration_newest(directory_of(invocation));
    if (newest < 0) {
        return ctl_fail(EXIT_FAILED, "there are no migrations in %s; name another directory with --directory",
                        directory_of(invocation));
    }
    if (invocation->json) {
        print_version(invocation, present, newest);
    }
    struct error error;
    if (present > newest) {
        migration_refuse_newer(present, newest, &error);
        return ctl_fail(EXIT_FAILED, "%s", error.text);
    }
    if (present < newest) {
        return ctl_fail(EXIT_FAILED, "the tables are at version %d, the newest is %d: call `rosterctl migrate'",
                        present, newest);
    }
    ctl_say(invocation, "The tables are up to date: version %d.", present);
    return EXIT_DONE;
}

/* Switches from root to the system user of the MariaDB account, for unix_socket authentication: if the account has no
 * password, and there is such a user. Otherwise to the service's user. */
static bool become(const struct config *config, const struct config *migrator, struct error *error)
{
    uid_t uid;
    gid_t gid;
    if (!config_has_accounts(migrator) && migrator->database_password.data == NULL &&
        process_user_find(migrator->database_user, &uid, &gid)) {
        return process_user_become(migrator->database_user, "", error);
    }
    return !process_user_find(config->user, &uid, &gid) || process_user_become(config->user, config->group, error);
}

/* Whether MariaDB accepts the account. A child process tries it, since a process that switched to another user can't
 * become root again. If MariaDB is unavailable, the connection made later reports it. */
static bool is_let_in(struct invocation *invocation, const struct config *migrator)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        invocation->context.config = migrator;
        bool refused = !become(invocation->config, migrator, &error) ||
                       (!database_connect(&invocation->context, &error) && database_refuses_account(&error));
        _exit(refused ? 1 : 0);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* *migrator_r: a copy of the configuration with the account that changes tables: migration_user, or the service's. */
static int choose_account(struct invocation *invocation, struct config *migrator_r)
{
    struct config *config = invocation->config;
    *migrator_r = *config;
    if (config->migration_user[0] == '\0') {
        return EXIT_DONE;
    }
    struct error error;
    if (!config_load_migration_secret(config, &error)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
    }
    migrator_r->database_accounts = "";
    migrator_r->database_user = config->migration_user;
    migrator_r->database_password = config->migration_password;
    if (!is_let_in(invocation, migrator_r)) {
        ctl_say_aside(invocation,
                      "MariaDB refuses the account %s; the account %s is used instead. `rosterctl grants' prints the "
                      "statements that create it.",
                      config->migration_user, config_account(config).user);
        *migrator_r = *config;
    }
    return EXIT_DONE;
}

/* Where the service connects from, if --from does not say it. */
static const char *usual_from(const struct config *config)
{
    return config->database_host.count > 0 ? "%" : "localhost";
}

/* New tables and columns: the processes' own accounts don't have them. */
static void grant_accounts(struct invocation *invocation)
{
    struct error error;
    if (!database_accounts_grant(&invocation->context, usual_from(invocation->config), &error)) {
        ctl_say_aside(invocation,
                      "The accounts of database_accounts can't be given what they need of the tables (%s): call "
                      "`rosterctl grants --pools | mariadb'.",
                      error.text);
    }
}

int ctl_migrate(struct invocation *invocation, const char *directory)
{
    struct config migrator;
    int status = choose_account(invocation, &migrator);
    if (status != EXIT_DONE) {
        return status;
    }
    invocation->context.config = &migrator;
    struct error error;
    if (!become(invocation->config, &migrator, &error)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s: %s", invocation->config_path, error.text);
    }
    if (!database_connect(&invocation->context, &error)) {
        return ctl_fail(EXIT_AWAY, "MariaDB can't be used: %s", error.text);
    }
    const bool is_done = migration_run(&invocation->context, directory, report, invocation, &error);
    status = is_done ? EXIT_DONE : ctl_fail(EXIT_FAILED, "%s", error.text);
    if (is_done && config_has_accounts(invocation->config)) {
        grant_accounts(invocation);
    }
    if (status == EXIT_DONE && invocation->json && invocation->command == &commands[COMMAND_migrate]) {
        print_version(invocation, migration_schema_version(&invocation->context), -1);
    }
    database_close();
    invocation->context.config = invocation->config;
    return status;
}

int command_migrate(struct invocation *invocation)
{
    int status = ctl_load_secrets(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    return ctl_has_option(invocation, OPTION_check) ? check(invocation)
                                                    : ctl_migrate(invocation, directory_of(invocation));
}

static int print_account_grants(struct invocation *invocation, const char *from)
{
    struct error error;
    if (!config_has_accounts(invocation->config)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s: set database_accounts to a directory with the passwords first",
                        invocation->config_path);
    }
    if (!config_load_database_secret(invocation->config, &error)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
    }
    const struct text statements = database_accounts_grants(&invocation->context, from);
    fwrite(statements.data, 1, statements.length, stdout);
    return EXIT_DONE;
}

static int print_redis_grants(struct invocation *invocation)
{
    const int status = ctl_load_secrets(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    if (invocation->config->redis_user[0] == '\0' || invocation->config->redis_password.data == NULL) {
        return ctl_fail(EXIT_CONFIGURATION, "%s: set redis_user and a password for it (redis_password_file) first",
                        invocation->config_path);
    }
    const struct text command = redis_grants(&invocation->context);
    fwrite(command.data, 1, command.length, stdout);
    return EXIT_DONE;
}

int command_grants(struct invocation *invocation)
{
    struct error ignored;
    struct config *config = invocation->config;
    const char *from = ctl_option(invocation, OPTION_from);
    from = from != NULL ? from : usual_from(config);
    if (ctl_has_option(invocation, OPTION_redis)) {
        return print_redis_grants(invocation);
    }
    if (ctl_has_option(invocation, OPTION_pools)) {
        return print_account_grants(invocation, from);
    }
    /* Only whether there are passwords matters. A caller that may not read the files gets what the directives say. */
    config_load_database_password(config, &ignored);
    config_load_migration_secret(config, &ignored);
    struct text statements = database_grants(&invocation->context, from);
    fwrite(statements.data, 1, statements.length, stdout);
    return EXIT_DONE;
}
