/* ctl_status.c: rosterctl status, top and reload: they request the status over the service's socket. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/fastcgi_client.h"

enum { ANSWER_MILLISECONDS = 5000, ROUTES_SHOWN = 12, RELOAD_SECONDS = 150 };

static int ask(struct invocation *invocation, struct arena *arena, json_object **status_r, struct text *json_r)
{
    const char *socket_path = invocation->config->pools[POOL_STATUS].listen;
    struct fastcgi_answer answer;
    struct error error;
    if (!fastcgi_get(arena, socket_path, "/status?format=json", ANSWER_MILLISECONDS, &answer, &error)) {
        return ctl_fail(EXIT_AWAY,
                        "the service does not answer: %s; check that it runs, and that you may connect to its socket",
                        error.text);
    }
    *json_r = answer.body;
    *status_r = json_parse(arena, answer.body);
    if (answer.status != 200 || !json_object_is_type(*status_r, json_type_object)) {
        return ctl_fail(EXIT_FAILED, "the service answers %d, without a status document", answer.status);
    }
    return EXIT_DONE;
}

static int64_t number(json_object *object, const char *key)
{
    return json_object_get_int64(json_object_object_get(object, key));
}

static void print_duration(int64_t seconds)
{
    if (seconds >= 86400) {
        printf("%" PRId64 " d ", seconds / 86400);
    }
    printf("%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

static void print_pools(json_object *status)
{
    printf("%-10s %8s %6s %6s %8s %8s %12s %8s %6s\n", "POOL", "WORKERS", "IDLE", "BUSY", "LEAVING", "WAITING",
           "LONGEST ms", "MARIADB", "REDIS");
    json_object_object_foreach(json_object_object_get(status, "pools"), name, pool)
    {
        json_object *waiting = json_object_object_get(pool, "waiting");
        int64_t all_waiting = number(pool, "waiting") + number(pool, "second_waiting");
        printf("%-10s %8" PRId64 " %6" PRId64 " %6" PRId64 " %8" PRId64, name,
               number(pool, "starting") + number(pool, "idle") + number(pool, "busy") + number(pool, "leaving"),
               number(pool, "idle"), number(pool, "busy"), number(pool, "leaving"));
        if (waiting != NULL) {
            printf(" %8" PRId64, all_waiting);
        } else {
            printf(" %8s", "?");
        }
        printf(" %12" PRId64 " %8" PRId64 " %6" PRId64 "\n", number(pool, "longest_microseconds") / 1000,
               number(pool, "with_database"), number(pool, "with_redis"));
    }
}

/* Why the identity table is not used, in words. */
static const char *reason_of(const char *state)
{
    static const struct {
        const char *state, *reason;
    } reasons[] = {
        {"off", "identity_cache is 0"},
        {"several-hosts", "database_host names several hosts"},
        {"unwatched", "the watcher does not answer: see the error log"},
        {"no-redis", "Redis can't be followed: see the error log"},
        {"no-mariadb", "it is not known yet who else writes to MariaDB"},
        {"shared-database", "others may write to the same database: see the error log"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        if (strcmp(state, reasons[i].state) == 0) {
            return reasons[i].reason;
        }
    }
    return state;
}

static void print_table(json_object *status)
{
    json_object *table = json_object_object_get(status, "identity_table");
    const char *state = json_object_get_string(json_object_object_get(table, "state"));
    if (state == NULL) {
        return; /* an older service */
    }
    if (strcmp(state, "used") != 0) {
        printf("Identity table: not used, since %s\n", reason_of(state));
        return;
    }
    const int64_t hits = number(table, "hits"), asked = hits + number(table, "misses");
    printf("Identity table: %.1f%% of %" PRId64 " questions answered, %" PRId64 " entries, %.1f of %.1f MiB",
           asked > 0 ? 100.0 * (double)hits / (double)asked : 0.0, asked, number(table, "entries"),
           (double)number(table, "bytes") / 1048576, (double)number(table, "size") / 1048576);
    if (number(table, "orphans") > 0) {
        printf(", %" PRId64 " writes whose outcome is not known yet", number(table, "orphans"));
    }
    putchar('\n');
}

static void print_touches(json_object *status)
{
    json_object *touches = json_object_object_get(status, "touches");
    const char *state = json_object_get_string(json_object_object_get(touches, "state"));
    if (state == NULL) {
        return; /* an older service */
    }
    printf("Times of last use: %" PRId64 " written in %" PRId64 " statements, %" PRId64 " waiting",
           number(touches, "written"), number(touches, "written_statements"), number(touches, "waiting"));
    if (number(touches, "direct") > 0) {
        printf(", %" PRId64 " by workers themselves", number(touches, "direct"));
    }
    puts(strcmp(state, "gathered") == 0 ? "" : "; the housekeeper does not answer: see the error log");
}

static void print_pauses(json_object *status)
{
    json_object_object_foreach(json_object_object_get(status, "pools"), name, pool)
    {
        if (json_object_get_boolean(json_object_object_get(pool, "paused"))) {
            printf("Pool %s is paused, because its workers exited at start: see the error log. `rosterctl reload' "
                   "starts it again at once.\n",
                   name);
        }
    }
    json_object *error = json_object_object_get(status, "reload_error");
    if (error != NULL) {
        printf("The last reload failed, and the old configuration stays in effect: %s\n",
               json_object_get_string(error));
    }
}

/* The latency, in milliseconds, that this share of the requests between two samples did not exceed.
 * `before` NULL: since the start. -1: there were no requests. -2: above the highest bound of the histogram. */
static double percentile(json_object *now, json_object *before, double share)
{
    json_object *buckets = json_object_object_get(now, "latency");
    json_object *old = before != NULL ? json_object_object_get(before, "latency") : NULL;
    size_t count = json_object_is_type(buckets, json_type_array) ? json_object_array_length(buckets) : 0;
    int64_t total = 0, below = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            json_object *bucket = json_object_array_get_idx(buckets, i);
            int64_t requests = number(bucket, "requests");
            if (old != NULL) {
                requests -= number(json_object_array_get_idx(old, i), "requests");
            }
            if (pass == 0) {
                total += requests;
            } else if (total > 0 && (double)(below += requests) >= share * (double)total) {
                json_object *bound = json_object_object_get(bucket, "up_to_microseconds");
                return bound != NULL ? (double)json_object_get_int64(bound) / 1000 : -2;
            }
        }
    }
    return -1;
}

static void print_percentile(const char *name, double milliseconds)
{
    if (milliseconds == -1) {
        printf("%s -", name);
    } else if (milliseconds == -2) {
        printf("%s more than can be measured", name);
    } else {
        printf("%s up to %g ms", name, milliseconds);
    }
}

struct route_row {
    const char *name;
    int64_t requests, client_errors, server_errors, microseconds;
};

static int compare_rows(const void *left, const void *right)
{
    const struct route_row *a = left, *b = right;
    return a->requests != b->requests ? (a->requests < b->requests ? 1 : -1) : strcmp(a->name, b->name);
}

/* Routes with requests between two samples, most requests first. `before` NULL: since the start.
 * `seconds` > 0: print rates per second. */
static void print_routes(struct arena *arena, json_object *now, json_object *before, double seconds, size_t max)
{
    json_object *routes = json_object_object_get(now, "routes");
    json_object *old_routes = before != NULL ? json_object_object_get(before, "routes") : NULL;
    struct route_row *rows = arena_zero(arena, (size_t)json_object_object_length(routes) + 1, sizeof *rows);
    size_t count = 0;
    json_object_object_foreach(routes, name, route)
    {
        json_object *old = old_routes != NULL ? json_object_object_get(old_routes, name) : NULL;
        struct route_row row = {.name = name};
        json_object *old_statuses = old != NULL ? json_object_object_get(old, "statuses") : NULL;
        json_object_object_foreach(json_object_object_get(route, "statuses"), status, count_now)
        {
            int64_t more = json_object_get_int64(count_now) - (old_statuses != NULL ? number(old_statuses, status) : 0);
            row.requests += more;
            row.client_errors += status[0] == '4' ? more : 0;
            row.server_errors += status[0] == '5' ? more : 0;
        }
        row.microseconds = number(route, "microseconds") - (old != NULL ? number(old, "microseconds") : 0);
        if (row.requests > 0) {
            rows[count++] = row;
        }
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    printf("%-28s %12s %8s %8s %10s\n", "ROUTE", seconds > 0 ? "REQUESTS/s" : "REQUESTS", "4xx", "5xx", "MEAN ms");
    for (size_t i = 0; i < count && i < max; i++) {
        double requests = (double)rows[i].requests / (seconds > 0 ? seconds : 1);
        printf("%-28s %12.*f %8" PRId64 " %8" PRId64 " %10.2f\n", rows[i].name, seconds > 0 ? 1 : 0, requests,
               rows[i].client_errors, rows[i].server_errors,
               (double)rows[i].microseconds / (double)rows[i].requests / 1000);
    }
}

/* An older service has none. */
static void print_directory(json_object *status)
{
    const char *state = json_object_get_string(json_object_object_get(status, "directory"));
    if (state != NULL && strcmp(state, "off") != 0) {
        printf("The directory is %s: %" PRId64 " users in %.1f MB\n", state, number(status, "directory_users"),
               (double)number(status, "directory_bytes") / 1e6);
    }
}

/* An older service has none of this. */
static void print_census(json_object *status)
{
    json_object *accounts = json_object_object_get(status, "accounts");
    if (accounts != NULL) {
        printf("Accounts: %" PRId64 " administrators, %" PRId64 " users, %" PRId64 " pending; %" PRId64
               " valid sessions; the tables are at version %" PRId64 "\n",
               number(accounts, "admin"), number(accounts, "user"), number(accounts, "pending"),
               number(status, "sessions"), number(status, "schema_version"));
    }
    if (number(status, "mails_waiting") + number(status, "mails_given_up") > 0) {
        printf("Mails: %" PRId64 " wait, %" PRId64 " were given up (rosterctl mail says why)\n",
               number(status, "mails_waiting"), number(status, "mails_given_up"));
    }
    json_object *backup = json_object_object_get(status, "last_backup_at");
    if (backup != NULL) {
        printf("The last backup was made ");
        print_duration(clock_wall_seconds() - json_object_get_int64(backup));
        printf(" ago\n");
    }
}

int command_status(struct invocation *invocation)
{
    json_object *status;
    struct text json;
    int result = ask(invocation, invocation->context.arena, &status, &json);
    if (result != EXIT_DONE) {
        return result;
    }
    if (invocation->json) {
        ctl_print_json(invocation, json);
        return EXIT_DONE;
    }
    if (!invocation->quiet) {
        printf("Up ");
        print_duration(number(status, "uptime_seconds"));
        printf("; %" PRId64 " requests, %" PRId64 " statements, %" PRId64 " refused by rate limits, %" PRId64
               " reloads, %" PRId64 " workers died\n",
               number(status, "requests"), number(status, "statements"), number(status, "rate_limited"),
               number(status, "reloads"), number(status, "worker_deaths"));
        print_census(status);
        print_directory(status);
        print_percentile("Half of the requests took", percentile(status, NULL, 0.5));
        print_percentile(", 99 of 100", percentile(status, NULL, 0.99));
        putchar('\n');
        print_table(status);
        print_touches(status);
        putchar('\n');
        print_pools(status);
        print_pauses(status);
        putchar('\n');
        print_routes(invocation->context.arena, status, NULL, 0, SIZE_MAX);
    }
    return EXIT_DONE;
}

/* Counters of reloads, from one sample of the status. */
struct reloads {
    int64_t done, failed;
    pid_t master;
    const char *error; /* in the sample's arena, or static */
};

static int look_at_reloads(struct invocation *invocation, struct arena *arena, struct reloads *reloads_r)
{
    json_object *status;
    struct text json;
    arena_reset(arena);
    int result = ask(invocation, arena, &status, &json);
    if (result == EXIT_DONE) {
        const char *error = json_object_get_string(json_object_object_get(status, "reload_error"));
        *reloads_r = (struct reloads){number(status, "reloads"), number(status, "reload_failures"),
                                      (pid_t)number(status, "master"), error != NULL ? error : "see the error log"};
    }
    return result;
}

int command_reload(struct invocation *invocation)
{
    struct arena *arena = arena_new(0);
    struct reloads before;
    int result = look_at_reloads(invocation, arena, &before);
    if (result == EXIT_DONE && (before.master <= 1 || kill(before.master, SIGHUP) != 0)) {
        result = ctl_fail(EXIT_FAILED, "can't send SIGHUP to the master, process %ld: %s", (long)before.master,
                          strerror(errno));
    }
    int64_t end = clock_monotonic_microseconds() + RELOAD_SECONDS * INT64_C(1000000);
    bool is_over = false;
    struct reloads now = {0};
    const struct timespec pause = {0, 50000000};
    while (result == EXIT_DONE && !is_over && clock_monotonic_microseconds() < end) {
        nanosleep(&pause, NULL);
        result = look_at_reloads(invocation, arena, &now);
        is_over = result == EXIT_DONE && (now.done > before.done || now.failed > before.failed);
    }
    if (result == EXIT_DONE && !is_over) {
        result = ctl_fail(EXIT_FAILED, "the reload has not finished after %d s; see the error log", RELOAD_SECONDS);
    } else if (result == EXIT_DONE && now.failed > before.failed) {
        result = ctl_fail(EXIT_FAILED, "the old configuration stays: %s", now.error);
    } else if (result == EXIT_DONE) {
        ctl_say(invocation, "The service has the new configuration.");
    }
    arena_free(arena);
    return result;
}

static int take_number(const struct invocation *invocation, enum option option, double min, double otherwise,
                       double *number_r)
{
    const char *typed = ctl_option(invocation, option);
    char *end = NULL;
    *number_r = typed != NULL ? strtod(typed, &end) : otherwise;
    if (typed != NULL && (*end != '\0' || end == typed || !(*number_r >= min) || *number_r > 1e6)) {
        return ctl_fail(EXIT_USAGE, "--%s: `%s' is not a number from %g to 1000000", option_names[option].words, typed,
                        min);
    }
    return EXIT_DONE;
}

static void print_screen(struct arena *arena, json_object *now, json_object *before, double seconds)
{
    char moment[32] = "";
    time_t wall = (time_t)clock_wall_seconds();
    struct tm local;
    if (localtime_r(&wall, &local) != NULL) {
        strftime(moment, sizeof moment, "%H:%M:%S", &local);
    }
    printf("roster, %s, up ", moment);
    print_duration(number(now, "uptime_seconds"));
    printf("; %.1f requests/s, ", (double)(number(now, "requests") - number(before, "requests")) / seconds);
    printf("%.1f statements/s\n", (double)(number(now, "statements") - number(before, "statements")) / seconds);
    print_percentile("half of the requests took", percentile(now, before, 0.5));
    print_percentile(", 99 of 100", percentile(now, before, 0.99));
    printf("\n\n");
    print_pools(now);
    putchar('\n');
    print_routes(arena, now, before, seconds, ROUTES_SHOWN);
}

/* ---- top ---- */

static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
}

/* Keys count at once, and are not shown. False: there is no terminal, or it has refused. */
static bool take_keys(struct termios *before_r)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, before_r) != 0) {
        return false;
    }
    struct sigaction stopping = {.sa_handler = stop};
    sigemptyset(&stopping.sa_mask);
    sigaction(SIGINT, &stopping, NULL);
    sigaction(SIGTERM, &stopping, NULL);
    sigaction(SIGHUP, &stopping, NULL);
    struct termios keys = *before_r;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

/* Waits, or until somebody wants to leave: true. */
static bool wait_or_leave(double seconds, bool has_keys)
{
    struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    int64_t end = clock_monotonic_microseconds() + (int64_t)(seconds * 1e6), left;
    while (!is_stopped && (left = end - clock_monotonic_microseconds()) > 0) {
        char key = '\0';
        if (poll(&keys, 1, (int)((left + 999) / 1000)) > 0 &&
            (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == '\4')) {
            return true;
        }
    }
    return is_stopped;
}

/* Two samples are kept at a time, each in its own arena. */
int command_top(struct invocation *invocation)
{
    double interval, count;
    bool terminal = isatty(STDOUT_FILENO);
    int result = take_number(invocation, OPTION_interval, 0.1, 1, &interval);
    result = result == EXIT_DONE ? take_number(invocation, OPTION_count, 1, 0, &count) : result;
    struct arena *arenas[2] = {arena_new(0), arena_new(0)};
    json_object *now = NULL, *before = NULL;
    struct text json;
    int64_t last = clock_monotonic_microseconds();
    result = result == EXIT_DONE ? ask(invocation, arenas[0], &before, &json) : result;
    struct termios before_keys;
    bool has_keys = result == EXIT_DONE && take_keys(&before_keys);
    for (unsigned round = 1; result == EXIT_DONE && (count == 0 || round <= (unsigned)count) && !ferror(stdout);
         round++) {
        struct arena *arena = arenas[round % 2];
        fflush(stdout);
        if (wait_or_leave(interval, has_keys)) {
            break;
        }
        arena_reset(arena);
        result = ask(invocation, arena, &now, &json);
        if (result != EXIT_DONE) {
            break;
        }
        int64_t moment = clock_monotonic_microseconds();
        if (invocation->json) {
            printf("%.*s\n", (int)json.length, json.data);
        } else {
            printf("%s", terminal ? "\033[H\033[2J" : round > 1 ? "\n" : "");
            print_screen(arena, now, before, (double)(moment - last) / 1e6);
            printf("%s", has_keys ? "\nq leaves\n" : "");
        }
        before = now;
        last = moment;
    }
    if (has_keys) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before_keys);
    }
    arena_free(arenas[0]);
    arena_free(arenas[1]);
    return result;
}
