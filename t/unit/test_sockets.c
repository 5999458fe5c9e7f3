/* test_sockets.c: making, replacing, refusing and inheriting listening sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "master/sockets.h"
#include "unit.h"

static char directory[64];
static char path[96];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/roster-sockets-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/api.sock", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static struct listener_options options_of(const char *name)
{
    return (struct listener_options){name, (uid_t)-1, (gid_t)-1, 0620, 16, SAFE_PATH_DIRECTORY};
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, name);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
        return descriptor;
    }
    close(descriptor);
    return -1;
}

/* A bound stream socket, listening or not. */
static int bind_to(const char *name, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, name);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    if (listening) {
        assert_int_equal(listen(descriptor, 1), 0);
    }
    return descriptor;
}

static void test_open(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_options options = options_of(path);
    mode_t mask = umask(0077); /* the mode is as asked for, whatever the umask */
    assert_true(sockets_open(&options, &listener, NULL));
    assert_int_equal(umask(mask), 0077);
    assert_false(listener.inherited);

    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0620);
    assert_true(fcntl(listener.descriptor, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(accept(listener.descriptor, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);

    assert_false(sockets_has_waiting(&listener));
    int client = connect_to(path);
    assert_true(client != -1);
    assert_true(sockets_has_waiting(&listener));
    sockets_remove_file(&listener);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(sockets_has_waiting(&listener)); /* still served */
    close(client);
    sockets_close(&listener);
    assert_int_equal(listener.descriptor, -1);
}

static void test_stale_file_is_replaced(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_options options = options_of(path);
    close(bind_to(path, true));
    assert_true(sockets_open(&options, &listener, NULL));
    int client = connect_to(path);
    assert_true(client != -1);
    close(client);
    sockets_remove_file(&listener);
    sockets_close(&listener);
}

static void test_socket_in_use_is_refused(void **state)
{
    (void)state;
    struct listener first, second;
    struct error error;
    struct listener_options options = options_of(path);
    assert_true(sockets_open(&options, &first, &error));
    assert_false(sockets_open(&options, &second, &error));
    assert_non_null(strstr(error.text, "another process listens on"));
    assert_int_equal(second.descriptor, -1);
    int client = connect_to(path);
    assert_true(client != -1);
    close(client);
    sockets_remove_file(&first);
    sockets_close(&first);
}

static void test_full_backlog_is_in_use(void **state)
{
    (void)state;
    struct listener listener;
    struct error error;
    struct listener_options options = options_of(path);
    int other = bind_to(path, true);
    int clients[2] = {connect_to(path), connect_to(path)}; /* a backlog of 1 holds two */
    assert_false(sockets_open(&options, &listener, &error));
    assert_non_null(strstr(error.text, "another process listens on"));
    close(clients[0]);
    close(clients[1]);
    close(other);
    unlink(path);
}

static void test_other_file_is_refused(void **state)
{
    (void)state;
    struct listener listener;
    struct error error;
    struct listener_options options = options_of(path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file != -1);
    close(file);
    assert_false(sockets_open(&options, &listener, &error));
    assert_non_null(strstr(error.text, "is not a socket"));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void test_long_path_is_refused(void **state)
{
    (void)state;
    struct listener listener;
    struct error error;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    struct listener_options options = options_of(longer);
    assert_false(sockets_open(&options, &listener, &error));
    assert_non_null(strstr(error.text, "at most 107 bytes"));
}

static void test_missing_directory(void **state)
{
    (void)state;
    struct listener listener;
    struct error error;
    struct listener_options options = options_of("/proc/none/at/all.sock");
    assert_false(sockets_open(&options, &listener, &error));
    assert_non_null(strstr(error.text, "/proc/none/at/all.sock"));
    assert_non_null(strstr(error.text, strerror(ENOENT)));
}

/* Another's file at the same path stays. */
static void test_only_own_file_is_removed(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_options options = options_of(path);
    assert_true(sockets_open(&options, &listener, NULL));
    unlink(path);
    int other = bind_to(path, true);
    sockets_remove_file(&listener);
    assert_int_equal(access(path, F_OK), 0);
    sockets_close(&listener);
    close(other);
    unlink(path);
}

/* Inheriting, in a child, as the descriptors' numbers are fixed: `prepare` fills them from SOCKETS_FIRST_INHERITED on.
 */

static char unused[200];

static void note_unused(const char *name)
{
    strncat(unused, name, sizeof unused - strlen(unused) - 1);
}

static void set_environment(const char *count, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_FDNAMES", "a:b", 1);
}

/* 0 where all is as it should be, else the number of the step. */
static int inherit(const char *wanted, bool listening, pid_t pid_for)
{
    struct listener listener;
    struct error error;
    char other[120];
    snprintf(other, sizeof other, "%s/other.sock", directory);
    int first = fcntl(bind_to(other, true), F_DUPFD, 10);
    int second = fcntl(bind_to(path, listening), F_DUPFD, 10);
    if (dup2(first, SOCKETS_FIRST_INHERITED) == -1 || dup2(second, SOCKETS_FIRST_INHERITED + 1) == -1) {
        return 1;
    }
    close(first);
    close(second);
    set_environment("2", pid_for != 0 ? pid_for : getpid());
    sockets_take_inherited();
    if (getenv("LISTEN_FDS") != NULL || getenv("LISTEN_PID") != NULL || getenv("LISTEN_FDNAMES") != NULL) {
        return 2;
    }
    struct listener_options options = options_of(wanted);
    bool opened = sockets_open(&options, &listener, &error);
    unlink(other);
    if (pid_for != 0) { /* meant for somebody else: the path is in use */
        return opened || strstr(error.text, "another process listens on") == NULL ? 3 : 0;
    }
    if (!listening) {
        return opened || strstr(error.text, "is not a listening stream socket") == NULL ? 4 : 0;
    }
    if (!opened || !listener.inherited || listener.descriptor != SOCKETS_FIRST_INHERITED + 1) {
        return 5;
    }
    if (!(fcntl(listener.descriptor, F_GETFL) & O_NONBLOCK) || !(fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC)) {
        return 6;
    }
    sockets_close_unused(note_unused);
    if (strcmp(unused, other) != 0 || fcntl(SOCKETS_FIRST_INHERITED, F_GETFD) != -1) {
        return 7;
    }
    sockets_remove_file(&listener); /* systemd's: it stays */
    if (access(path, F_OK) == -1) {
        return 8;
    }
    sockets_close(&listener);
    return 0;
}

static void run_inherit(const char *wanted, bool listening, pid_t pid_for)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(inherit(wanted, listening, pid_for));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_inherited_by_path(void **state)
{
    (void)state;
    run_inherit(path, true, 0);
}

static void test_inherited_by_another_name_of_the_path(void **state)
{
    (void)state;
    char link[96], name[128];
    snprintf(link, sizeof link, "%s.link", directory);
    snprintf(name, sizeof name, "%s/api.sock", link);
    assert_int_equal(symlink(directory, link), 0);
    run_inherit(name, true, 0);
    unlink(link);
}

static void test_inherited_for_another_process(void **state)
{
    (void)state;
    run_inherit(path, true, getpid());
}

static void test_inherited_without_listen(void **state)
{
    (void)state;
    run_inherit(path, false, 0);
}

static void test_environment_that_is_nonsense(void **state)
{
    (void)state;
    static const char *const counts[] = {"", "x", "-1", "0", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        set_environment(counts[i], getpid());
        sockets_take_inherited();
        assert_null(getenv("LISTEN_FDS"));
        unused[0] = '\0';
        sockets_close_unused(note_unused);
        assert_string_equal(unused, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_stale_file_is_replaced),
        cmocka_unit_test(test_socket_in_use_is_refused),
        cmocka_unit_test(test_full_backlog_is_in_use),
        cmocka_unit_test(test_other_file_is_refused),
        cmocka_unit_test(test_long_path_is_refused),
        cmocka_unit_test(test_missing_directory),
        cmocka_unit_test(test_only_own_file_is_removed),
        cmocka_unit_test(test_inherited_by_path),
        cmocka_unit_test(test_inherited_by_another_name_of_the_path),
        cmocka_unit_test(test_inherited_for_another_process),
        cmocka_unit_test(test_inherited_without_listen),
        cmocka_unit_test(test_environment_that_is_nonsense),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sockets", tests, make_directory, remove_directory);
}
