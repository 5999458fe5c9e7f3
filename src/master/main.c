/* main.c: roster(8): options, and the ordered list of modules. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/log.h"
#include "config/config.h"
#include "master/check.h"
#include "master/master.h"
#include "master/module.h"
#include "master/scoreboard.h"
#include "master/title.h"
#include "store/database.h"
#include "store/redis.h"
#include "worker/router.h"
#include "worker/worker.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

_Static_assert((int)ROUTE_COUNT <= (int)SCOREBOARD_ROUTES, "the scoreboard has a place for each route");

static bool scoreboard_init_master(const struct config *config, const char **error_r)
{
    (void)config;
    *error_r = "there is no memory to share";
    return scoreboard_create();
}

static bool password_init_master(const struct config *config, const char **error_r)
{
    static char text[512];
    const char *reason = NULL;
    if (*config->password_pattern == '\0' || password_check_pattern(config->password_pattern, &reason))
        return true;
    snprintf(text, sizeof text, "password_pattern is no PCRE2 pattern: %s", reason);
    *error_r = text;
    return false;
}

static bool log_init_master(const struct config *config, const char **error_r)
{
    return log_open(config->error_log, config->access_log, config->log_level, config->log_format, error_r);
}

/* In this order. What refuses a configuration without doing anything comes first. */
static const struct module modules[] = {
    {"scoreboard", scoreboard_init_master, NULL, NULL},
    {"password", password_init_master, NULL, NULL},
    {"log", log_init_master, NULL, NULL},
    {"database", NULL, NULL, database_close},
    {"redis", NULL, NULL, redis_close},
};

static const char usage[] =
    "Usage: roster [-c FILE] [-d]      run the service, in the foreground or (-d) detached\n"
    "       roster [-c FILE] -t        check the configuration and everything that it names\n"
    "       roster [-c FILE] -T        print the effective configuration\n"
    "       roster -v | -h             print the version | this text\n"
    "\n"
    "FILE is " SYSCONFDIR "/roster/roster.conf unless -c says otherwise. With -d the command returns when the\n"
    "workers are ready, or prints why they are not and returns 1.\n"
    "Signals: HUP reloads the configuration, USR1 opens the logs anew, QUIT stops gracefully, TERM fast.\n"
    "See roster(8) and roster.conf(5).\n";

static int check(const char *path)
{
    const char *error = NULL;
    struct config *config = master_read_config(path, &error);
    if (config == NULL) {
        fprintf(stderr, "roster: %s\n", error);
        return EXIT_FAILURE;
    }
    bool good = check_files(config, stderr);
    good = check_services(config, stderr) && good;
    fprintf(stderr, "roster: %s %s\n", path,
            good ? "and what it names are good" : "can't be used as it is: see the errors above");
    config_free(config);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int dump(const char *path)
{
    const char *error = NULL;
    struct config *config = config_read(path, &error);
    if (config == NULL) {
        fprintf(stderr, "roster: %s\n", error);
        return EXIT_FAILURE;
    }
    config_dump(config, stdout);
    config_free(config);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const char *path, bool detach)
{
    const struct master_options options = {
        .config_path = path,
        .detach = detach,
        .modules = modules,
        .module_count = sizeof modules / sizeof *modules,
        .run_worker = worker_run,
        .route_name = router_route_name,
    };
    return master_run(&options);
}

/* A socket must never become descriptor 0, 1 or 2, where something may print. */
static void open_standard_descriptors(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor > STDERR_FILENO)
        close(descriptor);
}

int main(int argc, char **argv)
{
    const char *path = SYSCONFDIR "/roster/roster.conf";
    bool detach = false;
    char action = 'r';
    int option;

    open_standard_descriptors();
    while ((option = getopt(argc, argv, "c:dtTvh")) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'd':
            detach = true;
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
