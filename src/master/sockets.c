/* sockets.c: only unix sockets; see unix(7). */
#include "master/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static int inherited_count; /* descriptors from SOCKETS_FIRST_INHERITED on */
static bool *inherited_taken;

static bool set_flags(int descriptor)
{
    int status = fcntl(descriptor, F_GETFL);
    return status != -1 && fcntl(descriptor, F_SETFL, status | O_NONBLOCK) != -1 &&
           fcntl(descriptor, F_SETFD, FD_CLOEXEC) != -1;
}

/* The number in an environment variable; -1 if it is unset or invalid. */
static long environment_number(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL || *value == '\0') {
        return -1;
    }
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    return errno != 0 || *end != '\0' || number < 0 ? -1 : number;
}

void sockets_take_inherited(void)
{
    long pid = environment_number("LISTEN_PID");
    long count = environment_number("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid != getpid() || count < 1 || count > 1024) {
        return;
    }
    inherited_taken = calloc((size_t)count, sizeof *inherited_taken);
    if (inherited_taken == NULL) {
        return;
    }
    inherited_count = (int)count;
    for (int i = 0; i < inherited_count; i++) {
        fcntl(SOCKETS_FIRST_INHERITED + i, F_SETFD, FD_CLOEXEC);
    }
}

bool sockets_were_inherited(void)
{
    return inherited_count > 0;
}

size_t sockets_list_inherited(int *descriptors_r, size_t max)
{
    size_t count = 0;
    for (int i = 0; i < inherited_count && count < max; i++) {
        if (set_flags(SOCKETS_FIRST_INHERITED + i)) {
            descriptors_r[count++] = SOCKETS_FIRST_INHERITED + i;
        }
    }
    return count;
}

static bool socket_option_is(int descriptor, int option, int expected)
{
    int value;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 && value == expected;
}

/* The path that a unix socket is bound to, NUL-terminated; "" where it has none, or is not a unix socket. */
static void socket_path(int descriptor, char path_r[static sizeof(struct sockaddr_un)])
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    path_r[0] = '\0';
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) == -1 || address.sun_family != AF_UNIX ||
        length <= offsetof(struct sockaddr_un, sun_path)) {
        return;
    }
    size_t path_length = length - offsetof(struct sockaddr_un, sun_path);
    if (path_length > sizeof address.sun_path) {
        path_length = sizeof address.sun_path;
    }
    memcpy(path_r, address.sun_path, path_length);
    path_r[path_length] = '\0';
}

/* Compares the paths, and the files behind them, as /var/run is often a link to /run. */
static bool same_path(const char *left, const char *right)
{
    if (strcmp(left, right) == 0) {
        return true;
    }
    struct stat left_status, right_status;
    return *left == '/' && stat(left, &left_status) == 0 && stat(right, &right_status) == 0 &&
           left_status.st_dev == right_status.st_dev && left_status.st_ino == right_status.st_ino;
}

/* The index of the inherited descriptor for `path`, or -1. */
static int find_inherited(const char *path)
{
    for (int i = 0; i < inherited_count; i++) {
        char bound[sizeof(struct sockaddr_un)];
        socket_path(SOCKETS_FIRST_INHERITED + i, bound);
        if (!inherited_taken[i] && *bound != '\0' && same_path(bound, path)) {
            return i;
        }
    }
    return -1;
}

static bool use_inherited(int index, const struct listener_options *options, struct listener *listener,
                          struct error *error)
{
    int descriptor = SOCKETS_FIRST_INHERITED + index;
    if (!socket_option_is(descriptor, SO_TYPE, SOCK_STREAM) || !socket_option_is(descriptor, SO_ACCEPTCONN, 1)) {
        return error_set(
            error,
            "the socket %s from systemd is not a listening stream socket: its unit needs ListenStream=", options->path);
    }
    /* A second listen(2) sets the configured backlog. That of the password pool limits the queue of sign-ins. */
    if (!set_flags(descriptor) || listen(descriptor, options->backlog) == -1) {
        return error_set(error, "the socket %s from systemd can't be used: %s", options->path, strerror(errno));
    }
    inherited_taken[index] = true;
    listener->descriptor = descriptor;
    listener->inherited = true;
    return true;
}

/* True where the file may be removed, as no process listens on it. */
static bool is_stale(const struct sockaddr_un *address, struct error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) == -1) {
        return errno == ENOENT ||
               error_set(error, "the socket %s can't be made: %s", address->sun_path, strerror(errno));
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(error, "%s exists and is not a socket: remove it, or set listen to another path",
                         address->sun_path);
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe == -1) {
        return error_set(error, "socket: %s", strerror(errno));
    }
    int failure = connect(probe, (const struct sockaddr *)address, sizeof *address) == -1 ? errno : 0;
    close(probe);
    if (failure == ECONNREFUSED || failure == ENOENT) {
        return true;
    }
    return error_set(error, "another process listens on %s: stop it, or set listen to another path", address->sun_path);
}

/* Where systemd makes the sockets, a path that its unit does not have is one that the service may not make itself. */
static bool add_systemd(struct error *error)
{
    char others[1024] = "";
    for (int i = 0; i < inherited_count; i++) {
        char bound[sizeof(struct sockaddr_un)];
        size_t length = strlen(others);
        socket_path(SOCKETS_FIRST_INHERITED + i, bound);
        if (!inherited_taken[i]) {
            snprintf(others + length, sizeof others - length, "%s%s", length > 0 ? ", " : ", but ", bound);
        }
    }
    return inherited_count == 0
               ? false
               : error_set(error,
                           "%s; systemd gave no socket with this path%s: let ListenStream= in roster.socket "
                           "(systemctl edit roster.socket) and nginx's upstream have the path of `listen'",
                           error->text, others);
}

/* bind(2) with the mode set by umask(2): a chmod(2) afterwards could change another file at this path. Clients can't
 * connect before listen(2). */
static bool bind_path(int descriptor, const struct sockaddr_un *address, mode_t mode, struct error *error)
{
    for (int attempt = 0;; attempt++) {
        mode_t old_mask = umask(0777 & ~mode);
        int failure = bind(descriptor, (const struct sockaddr *)address, sizeof *address) == -1 ? errno : 0;
        umask(old_mask);
        if (failure == 0) {
            return true;
        }
        if (failure != EADDRINUSE || attempt > 0) {
            error_set(error, "the socket %s can't be made: %s", address->sun_path, strerror(failure));
            return add_systemd(error);
        }
        if (!is_stale(address, error)) {
            return false;
        }
        unlink(address->sun_path);
    }
}

static bool set_owner(const struct listener_options *options, struct error *error)
{
    if (options->owner == (uid_t)-1 && options->group == (gid_t)-1) {
        return true;
    }
    if (fchownat(AT_FDCWD, options->path, options->owner, options->group, AT_SYMLINK_NOFOLLOW) == 0) {
        return true;
    }
    return error_set(error, "the owner of %s can't be set (listen_owner, listen_group): %s", options->path,
                     strerror(errno));
}

static bool set_address(const struct listener_options *options, struct sockaddr_un *address_r, struct error *error)
{
    *address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(options->path) >= sizeof address_r->sun_path) {
        return error_set(error, "the path of a socket may have at most %zu bytes: %s", sizeof address_r->sun_path - 1,
                         options->path);
    }
    if (!safe_path_make_directory(options->path, error) || !safe_path_directory(options->path, options->depth, error)) {
        error_prefix(error, "the socket %s can't be made: ", options->path);
        return add_systemd(error);
    }
    strcpy(address_r->sun_path, options->path);
    return true;
}

static bool make_socket(const struct listener_options *options, struct listener *listener, struct error *error)
{
    struct sockaddr_un address;
    if (!set_address(options, &address, error)) {
        return false;
    }
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor == -1) {
        return error_set(error, "socket: %s", strerror(errno));
    }
    if (!bind_path(descriptor, &address, options->mode, error)) {
        close(descriptor);
        return false;
    }
    struct stat status;
    if (!set_owner(options, error)) {
        goto failed;
    }
    if (listen(descriptor, options->backlog) == -1 || lstat(options->path, &status) == -1) {
        error_set(error, "the socket %s can't be set up: %s", options->path, strerror(errno));
        goto failed;
    }
    listener->descriptor = descriptor;
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return true;

failed:
    unlink(options->path);
    close(descriptor);
    return false;
}

bool sockets_open(const struct listener_options *options, struct listener *listener_r, struct error *error)
{
    *listener_r = (struct listener){.descriptor = -1};
    int index = find_inherited(options->path);
    if (index != -1 ? !use_inherited(index, options, listener_r, error) : !make_socket(options, listener_r, error)) {
        return false;
    }
    listener_r->path = strdup(options->path);
    invariant(listener_r->path != NULL);
    return true;
}

void sockets_close_unused(void (*report)(const char *path))
{
    for (int i = 0; i < inherited_count; i++) {
        if (inherited_taken[i]) {
            continue;
        }
        char path[sizeof(struct sockaddr_un)];
        socket_path(SOCKETS_FIRST_INHERITED + i, path);
        if (report != NULL) {
            report(*path != '\0' ? path : "(not a unix socket)");
        }
        close(SOCKETS_FIRST_INHERITED + i);
    }
    free(inherited_taken);
    inherited_taken = NULL;
    inherited_count = 0;
}

bool sockets_has_waiting(const struct listener *listener)
{
    struct pollfd descriptor = {.fd = listener->descriptor, .events = POLLIN};
    return listener->descriptor != -1 && poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLIN) != 0;
}

void sockets_remove_file(struct listener *listener)
{
    struct stat status;
    if (listener->inherited || listener->path == NULL) {
        return;
    }
    if (lstat(listener->path, &status) == 0 && status.st_dev == listener->device && status.st_ino == listener->inode) {
        unlink(listener->path);
    }
}

void sockets_close(struct listener *listener)
{
    if (listener->descriptor != -1) {
        close(listener->descriptor);
    }
    listener->descriptor = -1;
    free(listener->path);
    listener->path = NULL;
}
