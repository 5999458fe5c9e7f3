/* config_sandbox.c: see config_sandbox.h. */
#include "config/config_sandbox.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/host_port.h"
#include "base/log.h"

enum { MARIADB_PORT = 3306, REDIS_PORT = 6379, DNS_PORT = 53 };
enum { PATHS_MAX = 8, PORTS_MAX = 32 };

struct scope {
    struct landlock_path paths[PATHS_MAX];
    char directories[PATHS_MAX][PATH_MAX]; /* what some of them point to */
    size_t path_count;
    uint16_t ports[PORTS_MAX]; /* many hosts mostly have the same */
    size_t port_count;
};

static void add_path(struct scope *scope, const char *path, unsigned rights)
{
    if (scope->path_count < PATHS_MAX) {
        scope->paths[scope->path_count++] = (struct landlock_path){path, rights};
    }
}

/* In a log's directory the master makes a new file when logs are rotated, which this process then opens. The log itself
 * may be a link. */
static void add_log(struct scope *scope, const char *log)
{
    char resolved[PATH_MAX], named[PATH_MAX];
    const char *files[] = {log, realpath(log, resolved)};
    for (size_t i = 0; log[0] == '/' && i < ARRAY_COUNT(files); i++) {
        const size_t length = files[i] != NULL ? strlen(files[i]) : sizeof named;
        if (length < sizeof named && scope->path_count < PATHS_MAX) {
            memcpy(named, files[i], length + 1);
            const char *directory = dirname(named);
            char *kept = scope->directories[scope->path_count];
            memcpy(kept, directory, strlen(directory) + 1);
            add_path(scope, kept, LANDLOCK_WRITE);
        }
    }
}

static void add_port(struct scope *scope, uint16_t port)
{
    for (size_t i = 0; i < scope->port_count; i++) {
        if (scope->ports[i] == port) {
            return;
        }
    }
    if (scope->port_count < PORTS_MAX) {
        scope->ports[scope->port_count++] = port;
    }
}

static void add_host(struct scope *scope, struct arena *arena, const char *host, uint16_t usual)
{
    uint16_t port;
    host_port_read(arena, host, usual, &port);
    add_port(scope, port);
    add_port(scope, DNS_PORT); /* for answers that are too long for UDP */
}

static void collect(const struct config *config, int64_t niceness, struct arena *arena, struct scope *scope)
{
    add_log(scope, config->error_log);
    add_log(scope, config->access_log);
    add_log(scope, config->audit_log);
    if (config->database_tls_ca[0] != '\0') {
        add_path(scope, config->database_tls_ca, LANDLOCK_READ);
    }
    if (niceness > 0) { /* /proc/self/autogroup, whose own entry may be another one when it is opened again */
        add_path(scope, "/proc", LANDLOCK_WRITE);
    }
    for (size_t i = 0; i < config->database_host.count; i++) {
        add_host(scope, arena, config->database_host.items[i], MARIADB_PORT);
    }
    if (config->redis_host[0] != '\0') {
        add_host(scope, arena, config->redis_host, REDIS_PORT);
    }
}

void config_sandbox_enter(const struct config *config, enum sandbox_kind kind, int64_t niceness, bool may_gain)
{
    if (!config->sandbox || !sandbox_is_possible()) {
        return;
    }
    struct error error;
    struct scope scope = {.path_count = 0};
    struct arena *arena = arena_new(0);
    collect(config, niceness, arena, &scope);
    const struct sandbox sandbox = {
        .kind = kind,
        .uses_network = scope.port_count > 0,
        .paths = scope.paths,
        .path_count = scope.path_count,
        .ports = scope.ports,
        .port_count = scope.port_count,
        .may_gain = may_gain,
    };
    arena_free(arena);
    if (!sandbox_enter(&sandbox, &error) && log_topic_due(LOG_TOPIC_SANDBOX, 3600)) {
        log_warning(NULL, "the kernel refuses a part of the sandbox: %s; the process goes on without it", error.text);
    }
}
