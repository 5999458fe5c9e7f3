/* ctl_check.c: rosterctl check: the state of the service in one line, for Icinga, Nagios and their kin. The form is
 * that of the Monitoring Plugins: state and reasons, a bar, performance data; the exit status is the state. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "config/config_read.h"
#include "ctl/ctl.h"
#include "ctl/fastcgi_client.h"

enum { ANSWER_MILLISECONDS = 5000 };

static const char *const state_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

/* Shares of the limit of a queue, in percent. */
enum { QUEUE_WARNING = 50, QUEUE_CRITICAL = 90 };

struct verdict {
    enum check_state state;
    struct buffer reasons;
    struct buffer figures;
};

static void __attribute__((format(printf, 3, 4))) blame(struct verdict *verdict, enum check_state state,
                                                        const char *format, ...)
{
    char text[ERROR_TEXT_SIZE + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* a bar would begin the performance data, a line end the long text */
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '|' ? '/' : (unsigned char)*at < ' ' ? ' ' : *at;
    }
    if (verdict->reasons.length > 0) {
        buffer_add_literal(&verdict->reasons, "; ");
    }
    buffer_add_string(&verdict->reasons, text);
    verdict->state = state > verdict->state ? state : verdict->state;
}

static int64_t number(json_object *object, const char *name)
{
    return json_object_get_int64(json_object_object_get(object, name));
}

/* A member that is text; "" where there is none. */
static const char *word(json_object *object, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(object, name));
    return text != NULL ? text : "";
}

/* 'label'=value[unit];warning;critical;least;most */
static void add_figure(struct verdict *verdict, json_object *object, const char *name, const char *label,
                       const char *unit)
{
    if (json_object_object_get(object, name) != NULL) {
        buffer_add_format(&verdict->figures, " %s=%" PRId64 "%s;;;0", label, number(object, name), unit);
    }
}

static void judge_queue(struct verdict *verdict, const char *pool, const char *which, json_object *figures,
                        const char *name, const char *limit_name)
{
    const int64_t limit = number(figures, limit_name), waiting = number(figures, name);
    if (json_object_object_get(figures, name) == NULL || limit <= 0) {
        return;
    }
    const int64_t warning = limit * QUEUE_WARNING / 100, critical = limit * QUEUE_CRITICAL / 100;
    if (waiting > warning) {
        blame(verdict, waiting > critical ? CHECK_CRITICAL : CHECK_WARNING,
              "%" PRId64 " of %" PRId64 " places of the queue of pool %s%s are taken", waiting, limit, pool, which);
    }
    buffer_add_format(&verdict->figures, " %s%s_waiting=%" PRId64 ";%" PRId64 ";%" PRId64 ";0;%" PRId64, pool,
                      *which != '\0' ? "_second" : "", waiting, warning, critical, limit);
}

/* A member that is an object; NULL where there is none: counts that are not known, or a service of another version. */
static json_object *members(json_object *object, const char *name)
{
    json_object *found = json_object_object_get(object, name);
    return json_object_is_type(found, json_type_object) ? found : NULL;
}

static void judge_pools(struct verdict *verdict, json_object *status)
{
    json_object *pools = members(status, "pools");
    if (pools == NULL) {
        return;
    }
    json_object_object_foreach(pools, name, pool)
    {
        if (json_object_get_boolean(json_object_object_get(pool, "paused"))) {
            blame(verdict, CHECK_CRITICAL, "pool %s is paused, since its workers exited at their start", name);
        }
        judge_queue(verdict, name, "", pool, "waiting", "waiting_most");
        judge_queue(verdict, name, " (second socket)", pool, "second_waiting", "second_waiting_most");
    }
}

static void judge_services(struct verdict *verdict, const struct config *config, json_object *status)
{
    const char *mariadb = word(status, "mariadb"), *redis = word(status, "redis");
    if (strcmp(mariadb, "present") != 0) {
        blame(verdict, CHECK_CRITICAL, "MariaDB: %s", mariadb);
    }
    if (strcmp(redis, "away") == 0) {
        blame(verdict, config->redis_required ? CHECK_CRITICAL : CHECK_WARNING, "Redis: away");
    }
    if (strcmp(word(status, "directory"), "full") == 0) {
        blame(verdict, CHECK_WARNING, "directory_size is too small for all users");
    }
    if (word(status, "reload_error")[0] != '\0') {
        blame(verdict, CHECK_WARNING, "the last reload failed, and the old configuration stays: %s",
              word(status, "reload_error"));
    }
}

static void judge_backup(struct verdict *verdict, const struct config *config, json_object *status, int64_t age_max)
{
    json_object *moment = json_object_object_get(status, "last_backup_at");
    const int64_t age = clock_wall_seconds() - json_object_get_int64(moment);
    if (moment == NULL && age_max > 0) {
        blame(verdict, CHECK_WARNING, "there is no sign of a backup: %s",
              config->backup_stamp[0] != '\0' ? config->backup_stamp : "backup_stamp is empty");
    } else if (age_max > 0 && age > age_max) {
        blame(verdict, age > 2 * age_max ? CHECK_CRITICAL : CHECK_WARNING,
              "the last backup was made %" PRId64 " hours ago", age / 3600);
    }
    if (moment != NULL && age_max > 0) {
        buffer_add_format(&verdict->figures, " backup_age=%" PRId64 "s;%" PRId64 ";%" PRId64 ";0", age, age_max,
                          2 * age_max);
    } else if (moment != NULL) {
        buffer_add_format(&verdict->figures, " backup_age=%" PRId64 "s;;;0", age);
    }
}

static void add_figures(struct verdict *verdict, json_object *status)
{
    add_figure(verdict, status, "uptime_seconds", "uptime", "s");
    add_figure(verdict, status, "requests", "requests", "c");
    add_figure(verdict, status, "statements", "statements", "c");
    add_figure(verdict, status, "rate_limited", "rate_limited", "c");
    add_figure(verdict, status, "worker_deaths", "worker_deaths", "c");
    add_figure(verdict, status, "resident_bytes", "memory", "B");
    add_figure(verdict, status, "sessions", "sessions", "");
    json_object *accounts = members(status, "accounts");
    if (accounts == NULL) {
        return;
    }
    json_object_object_foreach(accounts, role, count)
    {
        buffer_add_format(&verdict->figures, " accounts_%s=%" PRId64 ";;;0", role, json_object_get_int64(count));
    }
}

/* Asks the service. */
static void examine(struct verdict *verdict, struct arena *arena, const struct config *config, int64_t age_max)
{
    const char *path = config->pools[POOL_STATUS].listen;
    struct fastcgi_answer answer;
    struct error error;
    errno = 0;
    if (!fastcgi_get(arena, path, "/status?format=json", ANSWER_MILLISECONDS, &answer, &error)) {
        if (errno == EACCES) {
            blame(verdict, CHECK_UNKNOWN, "%s; run this as root, or in the group of the socket", error.text);
        } else {
            blame(verdict, CHECK_CRITICAL, "the service does not answer: %s", error.text);
        }
        return;
    }
    json_object *status = json_parse(arena, answer.body);
    if (answer.status != 200 || !json_object_is_type(status, json_type_object)) {
        blame(verdict, CHECK_CRITICAL, "the service answers %d to /status", answer.status);
        return;
    }
    judge_services(verdict, config, status);
    judge_pools(verdict, status);
    judge_backup(verdict, config, status, age_max);
    add_figures(verdict, status);
    if (verdict->reasons.length == 0) {
        buffer_add_format(&verdict->reasons, "roster %s, up %" PRId64 " h, requests: %" PRId64, word(status, "version"),
                          number(status, "uptime_seconds") / 3600, number(status, "requests"));
    }
}

static void print(const struct invocation *invocation, struct verdict *verdict)
{
    struct text reasons = buffer_text(&verdict->reasons), figures = buffer_text(&verdict->figures);
    if (!invocation->json) {
        printf("ROSTER %s - %.*s%s%.*s\n", state_names[verdict->state], (int)reasons.length, reasons.data,
               figures.length > 0 ? " |" : "", (int)figures.length, figures.length > 0 ? figures.data : "");
        return;
    }
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_string(&json, "state", state_names[verdict->state]);
    json_member_text(&json, "text", reasons);
    json_member_text(&json, "performance", figures.length > 0 ? text_trim(figures) : TEXT(""));
    json_end_object(&json);
    ctl_print_json(invocation, buffer_text(json.buffer));
}

int command_check(struct invocation *invocation)
{
    struct arena *arena = invocation->context.arena;
    struct verdict verdict = {.state = CHECK_OK};
    int64_t age_max = 0;
    buffer_init(&verdict.reasons, arena);
    buffer_init(&verdict.figures, arena);
    struct error error;
    if (ctl_has_option(invocation, OPTION_backup_age) &&
        ctl_take_duration(invocation, OPTION_backup_age, &age_max) != EXIT_DONE) {
        return CHECK_UNKNOWN;
    }
    const struct config *config = config_read(invocation->config_path, &error);
    if (config == NULL) {
        blame(&verdict, CHECK_UNKNOWN, "%s", error.text);
    } else {
        examine(&verdict, arena, config, age_max);
    }
    print(invocation, &verdict);
    return (int)verdict.state;
}
