/* roster.c: roster(8): its options, and the ordered list of modules. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/handlers.h"
#include "auth/password.h"
#include "auth/ratelimit.h"
#include "auth/token.h"
#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process_user.h"
#include "base/safe_path.h"
#include "base/scoreboard.h"
#include "check/check.h"
#include "check/check_nginx.h"
#include "check/findings.h"
#include "check/probe.h"
#include "config/config.h"
#include "config/config_accounts.h"
#include "config/config_logs.h"
#include "config/config_print.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "master/master.h"
#include "master/module.h"
#include "master/title.h"
#include "store/database.h"
#include "store/directory.h"
#include "store/identity_table.h"
#include "store/redis.h"
#include "store/touch_table.h"
#include "store/version_words.h"
#include "worker/housekeeper.h"
#include "worker/mailer.h"
#include "worker/router.h"
#include "worker/watcher.h"
#include "worker/worker.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

_Static_assert((int)ROUTE_COUNT <= (int)SCOREBOARD_ROUTES, "the scoreboard has a place for each route");

static bool sandbox_init_master(const struct config *config, struct error *error)
{
    (void)config;
    return sandbox_share() || error_set(error, "no shared memory is available");
}

static bool scoreboard_init_master(const struct config *config, struct error *error)
{
    (void)config;
    return scoreboard_create() || error_set(error, "no shared memory is available");
}

static bool ratelimit_init_master(const struct config *config, struct error *error)
{
    (void)config;
    return ratelimit_share() || error_set(error, "no shared memory is available");
}

static bool password_init_master(const struct config *config, struct error *error)
{
    return password_check_pattern(config->password_pattern, error) ||
           error_prefix(error, "password_pattern is not a valid PCRE2 pattern: ");
}

static bool log_init_master(const struct config *config, struct error *error)
{
    return config_open_logs(config, error);
}

static bool identity_table_init_master(const struct config *config, struct error *error)
{
    return identity_table_exists() || identity_table_create((size_t)config->identity_cache_size) ||
           error_set(error, "there is no memory for identity_cache_size");
}

/* Without this memory workers write all times themselves. */
static bool touch_table_init_master(const struct config *config, struct error *error)
{
    (void)config;
    (void)error;
    if (!touch_table_exists() && !touch_table_create()) {
        log_warning(NULL, "there is no memory for the times of last use: each is written by itself");
    }
    return true;
}

/* Without this memory the service goes on, only slower. */
static bool directory_init_master(const struct config *config, struct error *error)
{
    (void)error;
    if (!directory_exists() && !directory_create((size_t)config->directory_size)) {
        log_warning(NULL, "there is no memory for directory_size: lists and searches will ask MariaDB alone");
    }
    return true;
}

/* Each worker would do this at its start and in its first request: it takes ten times as long as both. */
static bool libraries_init_master(const struct config *config, struct error *error)
{
    (void)config;
    token_load_library();
    return database_load_library(error);
}

/* The master has the keys in memory, too; its workers inherit the setting. */
static bool memory_init_master(const struct config *config, struct error *error)
{
    (void)error;
    if (!config->core_dumps) {
        memory_hide();
    }
    return true;
}

/* In this order: modules that only check the configuration come before those that change something. */
static const struct module modules[] = {
    {.init_master = sandbox_init_master},     {.init_master = scoreboard_init_master},
    {.init_master = ratelimit_init_master},   {.init_master = identity_table_init_master},
    {.init_master = touch_table_init_master}, {.init_master = directory_init_master},
    {.init_master = memory_init_master},      {.init_master = libraries_init_master},
    {.init_master = password_init_master},    {.init_master = log_init_master},
    {.exit_worker = database_close},          {.exit_worker = redis_close},
};

/* A new watcher makes all that is kept count no more. What is kept depends on the servers, and on what a picture may
 * be. */
static const char *const watcher_concerned[] = {"database_",  "redis_", "picture_", "error_log",
                                                "access_log", "log_",   NULL};

static const char *const housekeeper_concerned[] = {
    "database_",       "redis_",    "last_active_interval", "session_", "audit_",
    "secret_key_file", "error_log", "access_log",           "log_",     NULL};

static const char *const mailer_concerned[] = {"database_",   "sendmail_",     "mail_",      "reset_",
                                               "invitation_", "verification_", "public_url", "site_name",
                                               "error_log",   "access_log",    "log_",       NULL};

/* -M: another process sends mails (-m). */
static bool mails_elsewhere;

static bool wants_mailer(const struct config *config)
{
    return mailer_is_wanted(config) && !mails_elsewhere;
}

/* Processes beside the workers. */
static const struct helper helpers[] = {
    {.name = "watcher",
     .kind = SANDBOX_WATCHER,
     .run = watcher_run,
     .is_wanted = config_uses_identity_cache,
     .concerned = watcher_concerned},
    {.name = "housekeeper",
     .kind = SANDBOX_HOUSEKEEPER,
     .run = housekeeper_run,
     .concerned = housekeeper_concerned,
     .ends_last = true},
    {.name = "mailer",
     .kind = SANDBOX_MAILER,
     .run = mailer_run,
     .is_wanted = wants_mailer,
     .concerned = mailer_concerned},
};

/* What a process that is gone has left in shared memory. */
static void forget_process(pid_t pid)
{
    version_words_reap(pid);
    touch_table_reap(pid);
}

static const char usage[] =
    "Usage: roster [-c FILE] [-d] [-M] run the service, in the foreground or (-d) detached;\n"
    "                                  -M: without the process that sends mails\n"
    "       roster [-c FILE] -m        send mails, and nothing else, in the foreground\n"
    "       roster [-c FILE] -t        check the configuration, and files and services that it names\n"
    "       roster [-c FILE] -T        print the effective configuration\n"
    "       roster -v | -h             print the version | this text\n"
    "\n"
    "FILE is " SYSCONFDIR "/roster/roster.conf unless -c is given. With -d the command returns 0 when the\n"
    "workers are ready, or prints why they are not and returns 1.\n"
    "Signals: HUP reloads the configuration, USR1 reopens the logs, QUIT stops gracefully, TERM fast.\n"
    "See roster(8) and roster.conf(5).\n";

static void print_finding(enum finding_severity severity, const char *subject, const char *text, const char *cure,
                          void *argument)
{
    static const char *const names[] = {
        [FINDING_UNSEEN] = "not checked", [FINDING_WARNING] = "warning", [FINDING_ERROR] = "error"};
    const struct config *config = argument;
    (void)subject; /* the text names the directive or the service */
    if (severity == FINDING_GOOD) {
        fprintf(stderr, "roster: %s\n", text);
    } else {
        fprintf(stderr, "roster: %s: %s: %s%s%s\n", config->path, names[severity], text,
                *cure != '\0' ? "; mend it: " : "", cure);
    }
}

static int check(const char *path)
{
    struct error error;
    struct config *config = master_read_config(path, &error);
    if (config == NULL) {
        fprintf(stderr, "roster: %s\n", error.text);
        return EXIT_FAILURE;
    }
    struct findings findings;
    findings_init(&findings, print_finding, config);
    check_files(config, &findings);
    check_services(config, &findings);
    check_nginx_upstream(config, &findings);
    config_free(config);
    bool good = findings.counts[FINDING_ERROR] == 0;
    fprintf(stderr, "roster: %s %s\n", path,
            good ? "and what it names are good" : "can't be used as it is: see the errors above");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int dump(const char *path)
{
    struct error error;
    struct config *config = config_read(path, &error);
    if (config == NULL) {
        fprintf(stderr, "roster: %s\n", error.text);
        return EXIT_FAILURE;
    }
    config_dump(config, stdout);
    config_free(config);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What root executes names no file that others can change. */
static bool is_ours(const struct config *config, struct error *error)
{
    return geteuid() != 0 || safe_path_file(config->path, SAFE_PATH_WHOLE, error);
}

/* It needs, and mostly has, no other password. */
static bool load_mailer_secret(struct config *config, struct error *error)
{
    config_choose_account(ACCOUNT_MAILER);
    return config_has_accounts(config) ? config_load_account_secret(config, ACCOUNT_MAILER, error)
                                       : config_load_database_secret(config, error);
}

/* For a process that systemd starts with fewer restrictions than the service: see roster-mail.service. */
static int send_mails(const char *path)
{
    struct error error;
    struct config *config = config_read(path, &error);
    if (config != NULL && is_ours(config, &error) && load_mailer_secret(config, &error) &&
        process_user_become(config->user, config->group, &error) && database_load_library(&error) &&
        log_init_master(config, &error)) {
        log_set_process("mailer");
        log_notice(NULL, config->sends_mail ? "mails are sent by %s" : "no mails are sent: %s",
                   config->sends_mail ? config->sendmail_command : "sendmail_command or public_url is not set");
        return mailer_run(config);
    }
    fprintf(stderr, "roster: %s\n", error.text);
    return EXIT_FAILURE;
}

static int run(const char *path, bool detach)
{
    worker_use_handlers(handlers);
    const struct master_options options = {
        .config_path = path,
        .detach = detach,
        .modules = modules,
        .module_count = ARRAY_COUNT(modules),
        .run_worker = worker_run,
        .route_name = router_route_name,
        .helpers = helpers,
        .helper_count = ARRAY_COUNT(helpers),
        .worker_ended = forget_process,
        .probe = probe_services,
    };
    return master_run(&options);
}

/* Opens descriptors 0, 1 and 2 if they are closed: a socket there could get printed text. */
static void open_standard_descriptors(void)
{
    int descriptor;
    do {
        descriptor = open("/dev/null", O_RDWR);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor > STDERR_FILENO) {
        close(descriptor);
    }
}

int main(int argc, char **argv)
{
    const char *path = SYSCONFDIR "/roster/roster.conf";
    bool detach = false;
    char action = 'r';
    int option;

    open_standard_descriptors();
    while ((option = getopt(argc, argv, "c:dmMtTvh")) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'd':
            detach = true;
            break;
        case 'M':
            mails_elsewhere = true;
            break;
        case '?':
            fputs(usage, stderr);
            return EXIT_FAILURE;
        default:
            action = (char)option;
            break;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "roster: unexpected argument '%s'\n%s", argv[optind], usage);
        return EXIT_FAILURE;
    }
    switch (action) {
    case 't':
        return check(path);
    case 'T':
        return dump(path);
    case 'm':
        return send_mails(path);
    case 'v':
        puts("roster " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    default:
        break;
    }
    title_init(argc, argv);
    return run(path, detach);
}
