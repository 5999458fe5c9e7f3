/* listeners.c: the options of each socket, from roster.conf. */
#include "master/listeners.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scoreboard.h"

void listeners_each(struct listener listeners[POOL_COUNT][LISTENER_COUNT], void (*what)(struct listener *listener))
{
    for (int i = 0; i < POOL_COUNT; i++) {
        for (int j = 0; j < LISTENER_COUNT; j++) {
            what(&listeners[i][j]);
        }
    }
}

static bool resolve_options(const struct pool_config *pool, const struct process_user *workers,
                            struct listener_options *options_r, struct error *error)
{
    uid_t user = (uid_t)-1;
    gid_t group = (gid_t)-1, ignored;
    if (workers->changes) {
        user = workers->uid;
        group = workers->gid;
    }
    if (*pool->listen_owner != '\0' && !process_user_find(pool->listen_owner, &user, &ignored)) {
        return error_set(error, "listen_owner: there is no user '%s'", pool->listen_owner);
    }
    if (*pool->listen_group != '\0' && !process_user_find_group(pool->listen_group, &group)) {
        return error_set(error, "listen_group: there is no group '%s'", pool->listen_group);
    }
    char *end;
    unsigned long mode = strtoul(pool->listen_mode, &end, 8);
    if (*end != '\0' || end == pool->listen_mode || mode > 0777) {
        return error_set(error, "listen_mode: '%s' is not an octal mode, for example 0660", pool->listen_mode);
    }
    *options_r = (struct listener_options){
        .owner = user, .group = group, .mode = (mode_t)mode, .backlog = (int)pool->listen_backlog};
    return true;
}

void listeners_warn_of_short_backlog(const struct config *config)
{
    char content[32];
    int file = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
    if (file == -1) {
        return;
    }
    ssize_t length = read(file, content, sizeof content - 1);
    close(file);
    content[length > 0 ? length : 0] = '\0';
    long max = strtol(content, NULL, 10);
    for (int i = 0; max > 0 && i < POOL_COUNT; i++) {
        if (config->pools[i].listen_backlog > max) {
            log_warning(NULL, "listen_backlog of pool %s is %lld, but the kernel allows %ld: raise net.core.somaxconn",
                        pool_names[i], (long long)config->pools[i].listen_backlog, max);
        }
    }
}

static void report_unused_socket(const char *path)
{
    log_warning(NULL,
                "systemd passed the socket %s, which no pool listens on: set listen and ListenStream= to the same path",
                path);
}

/* Opens one of a pool's sockets. Succeeds without one where its path is empty. */
static bool open_listener(const struct config *config, enum pool pool, int kind, struct listener_options *options,
                          struct listener *listener_r, struct error *error)
{
    struct scoreboard_pool *board = &scoreboard_get()->pools[pool];
    int64_t *inode = kind == LISTENER_FIRST ? &board->listener_inode : &board->second_inode;
    struct stat status;
    *inode = 0;
    options->path = kind == LISTENER_FIRST ? config->pools[pool].listen : config->pools[pool].listen_second;
    if (*options->path == '\0') {
        return true;
    }
    struct error reason;
    if (!sockets_open(options, listener_r, &reason)) {
        bool is_needed = pool <= POOL_PASSWORD && kind == LISTENER_FIRST;
        if (is_needed || !sockets_were_inherited()) {
            return error_set(error, "%s", reason.text);
        }
        /* The unit of an earlier version passes only two sockets, and nginx's files of that version use no others. */
        log_warning(NULL,
                    "systemd passed no socket for pool %s, and %s. Stop roster.service, restart roster.socket, and "
                    "start roster.service",
                    pool_names[pool], reason.text);
        return true;
    }
    if (fstat(listener_r->descriptor, &status) == 0) {
        *inode = (int64_t)status.st_ino;
    }
    log_info(NULL, "pool %s listens on %s%s", pool_names[pool], options->path,
             listener_r->inherited ? ", a systemd socket" : "");
    return true;
}

bool listeners_open(const struct config *config, const struct process_user *user, enum safe_path_depth depth,
                    struct listener listeners_r[POOL_COUNT][LISTENER_COUNT], struct error *error)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        struct listener_options options;
        if (!resolve_options(&config->pools[i], user, &options, error)) {
            return false;
        }
        options.depth = depth;
        for (int kind = 0; kind < LISTENER_COUNT; kind++) {
            if (!open_listener(config, (enum pool)i, kind, &options, &listeners_r[i][kind], error)) {
                return false;
            }
        }
    }
    sockets_close_unused(report_unused_socket);
    return true;
}
