/* ctl_doctor.c: rosterctl doctor and nginx check: checks everything that Roster depends on. Each finding says what to
 * do. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/array.h"
#include "base/json.h"
#include "check/check.h"
#include "check/check_database.h"
#include "check/check_disk.h"
#include "check/check_entry.h"
#include "check/check_nginx.h"
#include "check/check_protect.h"
#include "check/check_site.h"
#include "check/findings.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "ctl/ctl.h"
#include "ctl/fastcgi_client.h"
#include "ctl/input.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/database.h"
#include "store/overview_store.h"
#include "store/user_store.h"

enum { ANSWER_MILLISECONDS = 5000 };

/* Printing. */

static const char *const state_names[] = {"ok", "unseen", "warning", "error"};
static const char *const colours[] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};

struct report {
    const struct invocation *invocation;
    bool is_root;       /* the caller; later root is the user of the service */
    struct sheet sheet; /* collects the findings for --json, which prints them at the end */
};

/* --quiet leaves out good findings. */
static void print_finding(enum finding_severity severity, const char *subject, const char *text, const char *cure,
                          void *argument)
{
    struct report *report = argument;
    if (report->invocation->json) {
        struct sheet_cell *row = sheet_add(&report->sheet);
        row[0] = sheet_text(text_of(state_names[severity]));
        row[1] = sheet_text(text_of(subject));
        row[2] = sheet_text(text_copy(report->sheet.arena, text_of(text)));
        row[3] = sheet_text(*cure != '\0' ? text_copy(report->sheet.arena, text_of(cure)) : TEXT_NULL);
    } else if (severity != FINDING_GOOD || !report->invocation->quiet) {
        bool colour = isatty(STDOUT_FILENO);
        printf("%s%-7s%s  %-13s  %s\n", colour ? colours[severity] : "", state_names[severity], colour ? "\033[0m" : "",
               subject, text);
        if (*cure != '\0') {
            printf("%-22s   mend it: %s\n", "", cure);
        }
        fflush(stdout);
    }
}

static void begin(struct report *report, struct findings *findings, const struct invocation *invocation)
{
    static const struct sheet_column columns[] = {{"state", NULL, SHEET_TEXT},
                                                  {"subject", NULL, SHEET_TEXT},
                                                  {"text", NULL, SHEET_TEXT},
                                                  {"cure", NULL, SHEET_TEXT}};
    report->invocation = invocation;
    report->is_root = geteuid() == 0;
    sheet_init(&report->sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    findings_init(findings, print_finding, report);
}

/* Prints the findings as JSON, or how many there are. EXIT_FAILED: at least one is an error. */
static int finish(const struct report *report, const struct findings *findings)
{
    const size_t errors = findings->counts[FINDING_ERROR], warnings = findings->counts[FINDING_WARNING];
    if (report->invocation->json) {
        sheet_print(report->invocation, &report->sheet);
    } else if (errors > 0) {
        ctl_say(report->invocation, "\nErrors: %zu, warnings: %zu.", errors, warnings);
    } else if (warnings > 0) {
        ctl_say(report->invocation, "\nNo errors, warnings: %zu.", warnings);
    } else {
        ctl_say(report->invocation, "\nNo errors, no warnings.");
    }
    if (findings->counts[FINDING_UNSEEN] > 0 && !report->invocation->json) {
        ctl_say(report->invocation, "Not seen: %zu.%s", findings->counts[FINDING_UNSEEN],
                report->is_root ? "" : " Call this as root to see everything.");
    }
    return errors > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* The machine. */

/* The number after `name` at the start of a line. -1: there is no such line. */
static int64_t number_in_file(const char *path, const char *name)
{
    char line[256];
    FILE *file = fopen(path, "re");
    int64_t number = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoll(line + strlen(name), NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

static void check_machine(struct findings *findings, const struct config *config)
{
    int64_t max_waiting = number_in_file("/proc/sys/net/core/somaxconn", "");
    int64_t available = number_in_file("/proc/meminfo", "MemAvailable:") * 1024;
    int64_t hash = 128 * config->password_scrypt_n * config->password_scrypt_r;
    int64_t hashing = hash * config->pools[POOL_PASSWORD].workers;
    findings_begin(findings, "machine");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (max_waiting >= 0 && config->pools[pool].listen_backlog > max_waiting) {
            findings_add(findings, FINDING_WARNING,
                         "[%s] listen_backlog is %" PRId64 ", but the kernel allows %" PRId64
                         ": increase net.core.somaxconn with sysctl, or decrease listen_backlog",
                         pool_names[pool], config->pools[pool].listen_backlog, max_waiting);
        }
    }
    if (available > 0 && hashing > available / 2) {
        findings_add(findings, FINDING_WARNING,
                     "hashing of passwords needs up to %" PRId64 " MiB of memory, and %" PRId64
                     " MiB are available: decrease [password] workers or password_scrypt_n",
                     hashing >> 20, available >> 20);
    }
    if (findings_are_good(findings)) {
        findings_add(findings, FINDING_GOOD, "memory and listen backlog are sufficient");
    }
}

/* The service. */

/* The command that starts it. */
static const char *start_command(void)
{
    return access("/run/systemd/system", F_OK) == 0 ? "systemctl restart roster.socket roster" : "roster -d";
}

/* The sockets of all pools. Gives how many there are. */
static size_t list_sockets(const struct config *config, const char *paths_r[static 2 * POOL_COUNT],
                           enum pool pools_r[static 2 * POOL_COUNT])
{
    size_t count = 0;
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        const char *const own[] = {config->pools[pool].listen, config->pools[pool].listen_second};
        for (size_t i = 0; i < ARRAY_COUNT(own); i++) {
            if (own[i][0] != '\0') {
                pools_r[count] = pool;
                paths_r[count++] = own[i];
            }
        }
    }
    return count;
}

/* Whether nobody listens there. errno says why. */
static bool is_down(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const bool down = descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0 &&
                      (errno == ENOENT || errno == ECONNREFUSED);
    const int why = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    errno = why;
    return down;
}

static void check_socket(struct findings *findings, struct arena *arena, const struct config *config, enum pool pool,
                         const char *path)
{
    struct stat status;
    struct fastcgi_answer answer;
    struct error error;
    const char *log = check_log_command(arena, config);
    if (stat(path, &status) != 0 && errno == EACCES) {
        findings_add(findings, FINDING_UNSEEN, "pool %s: %s: %s", pool_names[pool], path, strerror(errno));
    } else if (stat(path, &status) != 0) {
        findings_add_cure(findings, FINDING_ERROR, start_command(), "pool %s has no socket %s (%s): start the service",
                          pool_names[pool], path, strerror(errno));
    } else if (access(path, W_OK) != 0 && errno == EACCES && check_is_outsider(config)) {
        findings_add(findings, FINDING_UNSEEN, "whether pool %s answers at %s: you may not connect to it",
                     pool_names[pool], path);
    } else if (!fastcgi_get(arena, path, "/ping", ANSWER_MILLISECONDS, &answer, &error)) {
        findings_add_cure(findings, FINDING_ERROR, log, "pool %s does not answer at %s: %s", pool_names[pool], path,
                          error.text);
    } else if (answer.status != 200) {
        findings_add_cure(findings, FINDING_ERROR, log, "pool %s answers %d to /ping", pool_names[pool], answer.status);
    } else if ((status.st_mode & S_IRWXO) != 0) {
        findings_add_cure(findings, FINDING_WARNING, text_format(arena, "chmod 660 %s", path).data,
                          "pool %s answers, but all users of this machine may connect to %s: set listen_mode to 0660",
                          pool_names[pool], path);
    } else {
        findings_add(findings, FINDING_GOOD, "pool %s answers at %s", pool_names[pool], path);
    }
}

static void check_ready(struct findings *findings, struct arena *arena, const struct config *config)
{
    struct fastcgi_answer answer;
    struct error error;
    if (fastcgi_get(arena, config->pools[POOL_STATUS].listen, "/ready", ANSWER_MILLISECONDS, &answer, &error)) {
        json_object *body = json_parse(arena, answer.body);
        json_object *detail = NULL;
        json_object_object_get_ex(body, "detail", &detail);
        findings_add(findings, answer.status == 200 ? FINDING_GOOD : FINDING_ERROR, "/ready answers %d%s%s",
                     answer.status, detail != NULL ? ": " : "", detail != NULL ? json_object_get_string(detail) : "");
    }
}

static void check_service(struct findings *findings, struct arena *arena, const struct config *config)
{
    findings_begin(findings, "service");
    const char *paths[2 * POOL_COUNT];
    enum pool pools[2 * POOL_COUNT];
    const size_t count = list_sockets(config, paths, pools);
    size_t down = 0;
    while (down < count && is_down(paths[down])) {
        down++;
    }
    if (down == count) {
        findings_add_cure(findings, FINDING_ERROR, start_command(),
                          "the service does not run: nobody listens at any of its sockets (%s: %s)", paths[count - 1],
                          strerror(errno));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_socket(findings, arena, config, pools[i], paths[i]);
    }
    check_ready(findings, arena, config);
}

/* Accounts. */

/* Whom GET /verify refuses, since applications may take them for others. */
static void check_elders(struct findings *findings, struct context *context, bool by_username)
{
    struct result pairs;
    if (overview_store_elders(context, by_username, &pairs) != OK) {
        findings_add(findings, FINDING_ERROR, "the accounts can't be compared: the lines about dependencies say why");
        return;
    }
    if (pairs.row_count > 0) {
        const struct value *row = result_row(&pairs, 0);
        findings_add_cure(
            findings, FINDING_WARNING,
            by_username ? "set remote_user to id in roster.conf" : "rosterctl user set USER --email EMAIL",
            "protected applications are closed to user %.*s (%.*s), whom they may take for user %.*s (%.*s), who is "
            "older%s",
            (int)row[0].text.length, row[0].text.data, (int)row[1].text.length, row[1].text.data,
            (int)row[2].text.length, row[2].text.data, (int)row[3].text.length, row[3].text.data,
            pairs.row_count > 2 ? "; and so to others" : "");
    }
}

static void check_accounts(struct findings *findings, struct context *context)
{
    json_object *document;
    struct text primary;
    findings_begin(findings, "accounts");
    if (user_store_primary(context, &primary) != OK || config_store_read(context, &document) != OK) {
        findings_add(findings, FINDING_ERROR, "the accounts can't be read: the lines about dependencies say why");
        return;
    }
    bool sign_up = config_store_is_on(context, document, SETTING_ENABLE_SIGNUP);
    if (primary.data == NULL) {
        findings_add_cure(findings, FINDING_WARNING,
                          "rosterctl user add --email EMAIL --name NAME --role admin --random-password",
                          "there are no accounts, and the first one that signs up becomes the administrator");
    } else if (sign_up && text_is(config_store_text(context, document, SETTING_DEFAULT_USER_ROLE), "admin")) {
        findings_add_cure(findings, FINDING_ERROR, "rosterctl settings set DEFAULT_USER_ROLE=pending",
                          "each new account becomes an administrator's");
    } else {
        findings_add(findings, FINDING_GOOD, "accounts exist; sign-up is %s", sign_up ? "open" : "closed");
    }
    check_elders(findings, context, false);
    if (context->config->remote_user == REMOTE_USER_USERNAME) {
        check_elders(findings, context, true);
    }
}

/* nginx. */

static void look_at_nginx(struct findings *findings, const struct config *config, const char *directory, bool with_site)
{
    struct nginx_site site;
    findings_begin(findings, "nginx");
    check_nginx(config, directory != NULL ? directory : CHECK_NGINX_DIRECTORY, findings, &site);
    if (with_site && site.is_there) {
        findings_begin(findings, "site");
        check_site(config, &site, findings);
    } else if (with_site) {
        findings_add(findings, FINDING_UNSEEN,
                     "nginx itself: no site that nginx.conf in %s reads has roster-locations.conf",
                     directory != NULL ? directory : CHECK_NGINX_DIRECTORY);
    }
}

int command_nginx_check(struct invocation *invocation)
{
    struct report report;
    struct findings findings;
    const char *dump = ctl_option(invocation, OPTION_dump), *url = ctl_argument(invocation, 0);
    struct text printed;
    if (dump != NULL) {
        int status = input_read(invocation, dump, &printed);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    if (url != NULL) {
        int status = ctl_open_store(invocation);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    begin(&report, &findings, invocation);
    if ((dump == NULL && url == NULL) || ctl_has_option(invocation, OPTION_directory)) {
        look_at_nginx(&findings, invocation->config, ctl_option(invocation, OPTION_directory), false);
    }
    if (dump != NULL) {
        findings_begin(&findings, "applications");
        check_protect(invocation->config, printed, &findings);
    }
    if (url != NULL) {
        check_entry(&invocation->context, url, &findings);
    }
    return finish(&report, &findings);
}

/* Where the service writes, nginx keeps pictures, and MariaDB (NULL: not yet) its data. */
static void check_disks(struct findings *findings, const struct config *config, const char *data)
{
    const char *const paths[] = {config->error_log, config->access_log, "/var/cache/roster", data};
    findings_begin(findings, "disk");
    check_disk(findings, paths, ARRAY_COUNT(paths) - (data == NULL), data != NULL ? ARRAY_COUNT(paths) - 1 : 0);
}

static void check_dependencies(struct invocation *invocation, struct findings *findings, bool has_secrets)
{
    const struct config *config = invocation->config;
    findings_begin(findings, "dependencies");
    if (check_is_outsider(config)) {
        findings_add(findings, FINDING_UNSEEN, "MariaDB, Redis and the accounts: only root and the user %s can look",
                     config->user);
    } else if (has_secrets) {
        check_services(config, findings);
        if (database_connect(&invocation->context, NULL)) {
            check_disks(findings, config, check_database_directory(&invocation->context));
            check_accounts(findings, &invocation->context);
        }
    }
}

/* Everything that roster.conf names. What root alone can try comes before MariaDB: for its sake root becomes the user
 * of the service. */
static void examine(struct invocation *invocation, struct findings *findings)
{
    const struct config *config = invocation->config;
    struct error error;
    findings_begin(findings, "secrets");
    bool has_secrets = config_load_secrets(invocation->config, &error);
    findings_add(findings,
                 has_secrets                 ? FINDING_GOOD
                 : check_is_outsider(config) ? FINDING_UNSEEN
                                             : FINDING_ERROR,
                 "%s", has_secrets ? "all secret files can be read, and by no other user" : error.text);
    findings_begin(findings, "files");
    check_files(config, findings);
    if (findings_are_good(findings)) {
        findings_add(findings, FINDING_GOOD, "no file or directory is missing");
    }
    check_machine(findings, config);
    check_disks(findings, config, NULL);
    look_at_nginx(findings, config, ctl_option(invocation, OPTION_nginx_directory), true);
    check_dependencies(invocation, findings, has_secrets);
    check_service(findings, invocation->context.arena, config);
}

int command_doctor(struct invocation *invocation)
{
    struct report report;
    struct findings findings;
    begin(&report, &findings, invocation);
    findings_begin(&findings, "configuration");
    struct error error;
    invocation->config = config_read(invocation->config_path, &error);
    invocation->context.config = invocation->config;
    if (invocation->config == NULL) {
        findings_add(&findings, FINDING_ERROR, "%s", error.text);
    } else {
        findings_add(&findings, FINDING_GOOD, "%s is valid", invocation->config->path);
        examine(invocation, &findings);
    }
    return finish(&report, &findings);
}
