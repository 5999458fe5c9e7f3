/* private_server.h: a MariaDB or a Redis of the test's own, in a directory of its own, that is gone with it. */
#ifndef ROSTER_T_PRIVATE_SERVER_H
#define ROSTER_T_PRIVATE_SERVER_H

#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct private_server {
    char directory[64];
    char socket[96];
    int port; /* on the loopback; 0 where not asked for */
    pid_t pid;
};

/* Ends the program as a test that could not run, where a server is not installed. */
static inline void private_server_need(const char *program)
{
    char command[128];

    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (system(command) != 0) {
        printf("1..0 # SKIP %s is not installed\n", program);
        exit(0);
    }
    alarm(300); /* whatever hangs */
}

static inline void private_server_pause(int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};

    nanosleep(&time, NULL);
}

/* A socket at this port of the loopback, at which nobody listens; port 0: at any. -1: another program has the port. */
static inline int private_server_bind(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static inline int private_server_port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        abort();
    }
    return ntohs(address.sin_port);
}

/* A port that is free now: none of those that the system gives to whoever asks for any, as another program would soon
 * have it. */
static inline int private_server_free_port(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    srandom((unsigned)now.tv_nsec);
    for (int i = 0; i < 100; i++) {
        int port = 10000 + (int)(random() % 20000), fd = private_server_bind(port);

        if (fd >= 0) {
            close(fd);
            return port;
        }
    }
    abort();
}

/* Starts a program whose output goes to DIRECTORY/log; it dies with us. */
static inline pid_t private_server_spawn(const char *directory, char *const arguments[])
{
    pid_t pid = fork();

    if (pid == 0) {
        char log[96];
        int fd;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(log, sizeof log, "%s/log", directory);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd >= 0) {
            dup2(fd, 1);
            dup2(fd, 2);
        }
        execvp(arguments[0], arguments);
        _exit(127);
    }
    return pid;
}

/* The path of what stands at `name` in the sources: where TOP_SRCDIR says, or beside this file. */
static inline void private_source(char *path_r, size_t size, const char *name)
{
    const char *top = getenv("TOP_SRCDIR");
    if (top != NULL) {
        snprintf(path_r, size, "%s/%s", top, name);
    } else {
        snprintf(path_r, size, "%.*s%s", (int)(strlen(__FILE__) - strlen("t/unit/private_server.h")), __FILE__, name);
    }
}

/* Waits until somebody listens at the socket; false where the server ended, or after two minutes. */
static inline bool private_server_listens(struct private_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->socket);
    for (int i = 0; i < 6000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        int connected = connect(fd, (struct sockaddr *)&address, sizeof address);

        close(fd);
        if (connected == 0) {
            return true;
        }
        if (waitpid(server->pid, NULL, WNOHANG) != 0) {
            server->pid = 0;
            return false;
        }
        private_server_pause(20);
    }
    return false;
}

static inline void private_server_directory(struct private_server *server, const char *socket_name)
{
    snprintf(server->directory, sizeof server->directory, "/tmp/roster-test-XXXXXX");
    if (mkdtemp(server->directory) == NULL) {
        abort();
    }
    snprintf(server->socket, sizeof server->socket, "%s/%s", server->directory, socket_name);
}

static inline void private_server_stop(struct private_server *server, int signal_number)
{
    if (server->pid > 0) {
        kill(server->pid, SIGCONT);
        kill(server->pid, signal_number);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

/* MariaDB over DIRECTORY/data, as the end-to-end tests have it; t/lib/mariadb makes what is not there. */
static inline bool private_mariadb_start(struct private_server *server)
{
    char program[512], data[112], port[32];

    private_source(program, sizeof program, "t/lib/mariadb");
    snprintf(data, sizeof data, "%s/data", server->directory);
    snprintf(port, sizeof port, "--port=%d", server->port);
    char *const arguments[] = {program, data, server->socket, "--skip-networking=0", "--bind-address=127.0.0.1",
                               port,    NULL};
    server->pid = private_server_spawn(server->directory, arguments);
    return private_server_listens(server);
}

/* A new MariaDB; root has no password. */
static inline bool private_mariadb_new(struct private_server *server)
{
    private_server_directory(server, "mariadb.sock");
    for (int i = 0; i < 3; i++) { /* a free port may be another program's by the time that it is asked for */
        server->port = private_server_free_port();
        if (private_mariadb_start(server)) {
            return true;
        }
        private_server_stop(server, SIGKILL);
    }
    return false;
}

static inline bool private_redis_start(struct private_server *server)
{
    char *const arguments[] = {"redis-server", "--port", "0",     "--unixsocket",    server->socket,
                               "--save",       "",       "--dir", server->directory, NULL};

    unlink(server->socket);
    server->pid = private_server_spawn(server->directory, arguments);
    return private_server_listens(server);
}

static inline bool private_redis_new(struct private_server *server)
{
    private_server_directory(server, "redis.sock");
    server->port = 0;
    return private_redis_start(server);
}

/* Freezes it: it still takes connections, and answers nothing, until SIGCONT. */
static inline void private_server_freeze(const struct private_server *server)
{
    char path[32], text[256] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", (int)server->pid);
    kill(server->pid, SIGSTOP);
    for (int i = 0; i < 500; i++) {
        FILE *file = fopen(path, "r");
        const char *state = file != NULL && fgets(text, sizeof text, file) != NULL ? strrchr(text, ')') : NULL;

        if (file != NULL) {
            fclose(file);
        }
        if (state != NULL && state[2] == 'T') {
            break;
        }
        private_server_pause(10);
    }
    private_server_pause(50);
}

static inline int private_server_unlink(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void private_server_free(struct private_server *server)
{
    private_server_stop(server, SIGKILL);
    nftw(server->directory, private_server_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
