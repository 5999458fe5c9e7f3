/* config_pools.c: values of the pools that depend on each other and on the machine: paths of sockets, numbers of
 * workers. */
#include "config/config_pools.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* The minimum of MariaDB's connections that is left to other clients, and its default max_connections. */
enum { ROOM_MIN = 20, CONNECTIONS_DEFAULT = 151 };

/* The longest path of a socket (unix(7)), without the NUL. */
enum { SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 };

/* The sockets. */

/* "/run/roster/api.sock" → "/run/roster/directory.sock", "/srv/one-api.sock" → "/srv/one-directory.sock",
 * "/srv/one.sock" → "/srv/one-directory.sock": two services with sockets in one directory do not conflict. */
static const char *beside(struct arena *arena, const char *api, const char *pool)
{
    const char *name = strrchr(api, '/') + 1, *end = name + strlen(name);

    if (end - name > 5 && strcmp(end - 5, ".sock") == 0) {
        end -= 5;
    }
    const char *stem_end = end;
    if (end - name >= 3 && strncmp(end - 3, "api", 3) == 0) {
        stem_end -= 3;
    }
    bool needs_dash = stem_end == end && end > name;
    return text_format(arena, "%.*s%s%s%s", (int)(stem_end - api), api, needs_dash ? "-" : "", pool, end).data;
}

/* "/run/roster/api.sock", "write" → "/run/roster/api-write.sock". */
static const char *with_suffix(struct arena *arena, const char *path, const char *suffix)
{
    size_t length = strlen(path);
    bool ends = length > 5 && strcmp(path + length - 5, ".sock") == 0;

    return text_format(arena, "%.*s-%s%s", (int)(ends ? length - 5 : length), path, suffix, ends ? ".sock" : "").data;
}

static const char *suffix_of(unsigned pool)
{
    return pool_second[pool] == SECOND_FIRST ? "first" : "write";
}

/* Derives paths that are not set from those that are, so that a file of an earlier version continues to work. */
static void resolve_sockets(struct config_loaded *loaded)
{
    struct config *config = &loaded->config;

    for (unsigned pool = POOL_DIRECTORY; pool < POOL_COUNT; pool++) {
        if (config_line(loaded, "listen", pool) == 0) {
            config->pools[pool].listen = beside(config->arena, config->pools[POOL_API].listen, pool_names[pool]);
        }
    }
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (pool_second[pool] != SECOND_NONE && config_line(loaded, "listen", pool) != 0 &&
            config_line(loaded, "listen_second", pool) == 0) {
            config->pools[pool].listen_second = with_suffix(config->arena, config->pools[pool].listen, suffix_of(pool));
        }
    }
}

/* A socket of a pool, for the checks. */
struct socket {
    unsigned pool, line;
    const char *directive, *path;
};

static bool check_length(const struct socket *socket, unsigned *line_r, struct error *error)
{
    if (strlen(socket->path) <= SOCKET_PATH_MAX) {
        return true;
    }
    *line_r = socket->line;
    return error_set(error, "%s of [%s] would be %s, which is longer than %d bytes: set it to a shorter path",
                     socket->directive, pool_names[socket->pool], socket->path, (int)SOCKET_PATH_MAX);
}

static bool check_pair(const struct socket *left, const struct socket *right, unsigned *line_r, struct error *error)
{
    if (strcmp(left->path, right->path) != 0) {
        return true;
    }
    *line_r = left->line > right->line ? left->line : right->line;
    if (left->pool == right->pool) {
        error_set(error, "listen and listen_second of [%s] are both %.200s: give each its own path",
                  pool_names[left->pool], left->path);
    } else {
        error_set(error, "[%s] and [%s] both listen on %.200s: give each its own socket", pool_names[left->pool],
                  pool_names[right->pool], left->path);
    }
    return false;
}

bool config_pools_check(const struct config_loaded *loaded, unsigned *line_r, struct error *error)
{
    struct socket sockets[2 * POOL_COUNT];
    size_t count = 0;
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        const struct pool_config *settings = &loaded->config.pools[pool];
        unsigned second_line = config_line(loaded, "listen_second", pool);
        sockets[count++] = (struct socket){pool, config_line(loaded, "listen", pool), "listen", settings->listen};
        if (settings->listen_second[0] == '\0') {
            continue;
        }
        if (pool_second[pool] == SECOND_NONE) {
            *line_r = second_line;
            return error_set(error, "[%s] has only one socket: remove listen_second", pool_names[pool]);
        }
        sockets[count++] = (struct socket){pool, second_line, "listen_second", settings->listen_second};
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_length(&sockets[i], line_r, error)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (!check_pair(&sockets[j], &sockets[i], line_r, error)) {
                return false;
            }
        }
    }
    return true;
}

/* The machine. */

/* ROSTER_CORES overrides the number: for tests, and for containers that see all cores and may use only some. */
static long count_cores(void)
{
    const char *told = getenv("ROSTER_CORES");
    long cores = told != NULL ? strtol(told, NULL, 10) : 0;

    if (cores < 1) {
        cores = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return cores < 1 ? 1 : cores;
}

static void resolve_workers(struct config *config)
{
    long cores = count_cores();

    if (cores > 512) {
        cores = 512; /* the range of `workers` ends at 1024 */
    }
    const int64_t defaults[POOL_COUNT] = {
        [POOL_API] = 2 * cores,
        [POOL_PASSWORD] = cores > 1 ? cores : 2, /* one of them for people who have signed in before */
        [POOL_DIRECTORY] = cores,
        [POOL_STATUS] = 1,
    };
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        config->workers_are_chosen[pool] = config->pools[pool].workers != 0;
        if (config->pools[pool].workers == 0) {
            config->pools[pool].workers = defaults[pool];
        }
    }
}

/* MariaDB. */

/* Connections left to other clients: rosterctl, backups, other programs, and one for root. */
static int64_t room_for_others(int64_t connections)
{
    return connections / 4 > ROOM_MIN ? connections / 4 : ROOM_MIN;
}

int64_t config_worker_count(const struct config *config)
{
    int64_t all = 0;

    for (int pool = 0; pool < POOL_COUNT; pool++) {
        all += config->pools[pool].workers;
    }
    return all;
}

int64_t config_connections_wanted(int64_t workers)
{
    int64_t connections = 2 * workers + ROOM_MIN;

    while (connections - room_for_others(connections) < 2 * workers) {
        connections++;
    }
    return connections;
}

bool config_fit_workers(struct config *config, int64_t connections)
{
    int64_t before = config_worker_count(config), unchosen = 0;
    if (connections < 0) {
        connections = CONNECTIONS_DEFAULT;
    }
    int64_t rest = (connections - room_for_others(connections)) / 2 - before;
    if (rest >= 0) {
        return false;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        unchosen += config->workers_are_chosen[pool] ? 0 : config->pools[pool].workers;
    }
    rest += unchosen;
    int64_t left = rest;
    for (int pool = POOL_COUNT - 1; pool >= 0; pool--) {
        if (!config->workers_are_chosen[pool]) {
            int64_t share = rest > 0 ? config->pools[pool].workers * rest / unchosen : 0;
            share = pool == POOL_API && left > share ? left : share; /* plus the remainder of the divisions */
            config->pools[pool].workers = share > 1 ? share : 1;
            left -= config->pools[pool].workers;
        }
    }
    return config_worker_count(config) < before;
}

void config_pools_resolve(struct config_loaded *loaded)
{
    resolve_sockets(loaded);
    resolve_workers(&loaded->config);
}
