/* test_sandbox.c: each kind of process, in a child that enters its sandbox: what it can still do, and what ends it. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "logged.h"

static char directory[] = "/tmp/test_sandbox-XXXXXX";

static const char *const kind_names[] = {
#define SANDBOX_KIND(kind, groups, scope, text) [SANDBOX_##kind] = #kind,
#include "tables/sandbox.def"
};

/* ---- What a process tries: each gives its exit status ---- */

static int try_nothing(void)
{
    return 0;
}

static int try_execve(void)
{
    char *const arguments[] = {"true", NULL};
    execve("/bin/true", arguments, arguments + 1);
    return 2;
}

static int try_execve_at_end(void)
{
    syscall(SYS_execveat, -1, "", NULL, NULL, 0);
    return 2;
}

static int try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 2 : 3;
}

static int try_network(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : errno == EACCES ? 1 : 2;
}

static int try_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int try_packets(void)
{
    socket(AF_PACKET, SOCK_RAW, 0);
    return 2;
}

static int try_fork(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : 1;
}

static int try_namespace(void)
{
    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    return 2;
}

static void *end_at_once(void *argument)
{
    return argument;
}

static int try_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, end_at_once, NULL) == 0 && pthread_join(thread, NULL) == 0 ? 0 : 1;
}

static int try_kill(void)
{
    kill(getppid(), SIGCONT);
    return 2;
}

static int try_look_for_process(void)
{
    return kill(getppid(), 0) == 0 || errno == EPERM ? 0 : 1;
}

static int try_writable_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return 2;
}

static int try_code_of_data(void)
{
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(data, 4096, PROT_READ | PROT_EXEC);
    return 2;
}

static int try_own_handler(void)
{
    signal(SIGSYS, SIG_IGN);
    return 2;
}

/* With SIGSYS blocked, too, the process ends. */
static int try_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    return 2;
}

static int try_memory(void)
{
    char *piece = malloc(1 << 22), *more = realloc(piece, 1 << 23);
    if (more == NULL) {
        return 1;
    }
    memset(more, 1, 1 << 23);
    free(more);
    return 0;
}

static int try_abort(void)
{
    abort();
}

static int try_open_log(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/rotated.log", directory);
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    return file >= 0 && write(file, "x", 1) == 1 ? 0 : 1;
}

static int try_open_passwd(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno == EACCES ? 1 : 2;
}

static int try_open_zone(void)
{
    return open("/usr/share/zoneinfo", O_RDONLY) >= 0 || errno == ENOENT ? 0 : 1;
}

static int try_open_process(void)
{
    return open("/proc/self/statm", O_RDONLY) >= 0 ? 0 : errno == EACCES ? 1 : 2;
}

static int try_remove(void)
{
    unlink("/nowhere");
    return 2;
}

/* ---- What comes of it ---- */

enum result { DONE, REFUSED, KILLED, UNEXPECTED };
static const char *const result_names[] = {"done", "refused", "killed", "something else"};
static char last_call[64];

static enum result result_of(const struct sandbox *sandbox, int (*attempt)(void))
{
    struct error error;
    int status;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!sandbox_share() || !sandbox_enter(sandbox, &error)) { /* cmocka has a handler of its own for SIGSYS */
            fprintf(stderr, "%s\n", error.text);
            _exit(99);
        }
        _exit(attempt());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(last_call, sizeof last_call, "%s", sandbox_verdict(pid));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS    ? KILLED
           : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? DONE
           : WIFEXITED(status) && WEXITSTATUS(status) < 2       ? (enum result)WEXITSTATUS(status)
                                                                : UNEXPECTED;
}

static struct sandbox sandbox_of(enum sandbox_kind kind)
{
    static struct landlock_path logs;
    logs = (struct landlock_path){directory, LANDLOCK_WRITE};
    return (struct sandbox){.kind = kind, .paths = &logs, .path_count = 1};
}

static unsigned bit(enum sandbox_kind kind)
{
    return 1U << kind;
}

static bool has_files(enum sandbox_kind kind)
{
    return kind != SANDBOX_MASTER && kind != SANDBOX_MAILER && kind != SANDBOX_TRIAL;
}

enum {
    ALL = (1 << SANDBOX_KIND_COUNT) - 1,
    WIDE = 1 << SANDBOX_MASTER | 1 << SANDBOX_MAILER,
    WORKERS = 1 << SANDBOX_API | 1 << SANDBOX_PASSWORD | 1 << SANDBOX_DIRECTORY | 1 << SANDBOX_STATUS,
};

static void test_calls(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int (*attempt)(void);
        unsigned allowed; /* to these kinds; the others are killed */
        const char *call; /* which one they are killed for; NULL: the C library blocks signals, so it is unknown */
    } rows[] = {
        {"nothing", try_nothing, ALL, NULL},
        {"memory", try_memory, ALL, NULL},
        {"abort", try_abort, ALL, NULL},
        {"whether a process is there", try_look_for_process, ALL, NULL},
        {"execve", try_execve, WIDE, "execve"},
        {"execveat", try_execve_at_end, 0, "execveat"},
        {"ptrace", try_ptrace, 0, "ptrace"},
        {"a namespace", try_namespace, 0, "clone"},
        {"socket(AF_PACKET)", try_packets, 0, "socket"},
        {"socket(AF_INET)", try_network, WIDE | 1 << SANDBOX_TRIAL, "socket"},
        {"socket(AF_UNIX)", try_unix_socket, ALL & ~(1 << SANDBOX_REFUSER), "socket"},
        {"fork", try_fork, WIDE, NULL},
        {"a thread", try_thread, WIDE | WORKERS, NULL},
        {"a signal to another process", try_kill, 0, "kill"},
        {"memory that is writable and code", try_writable_code, 0, "mmap"},
        {"data that becomes code", try_code_of_data, 0, "mprotect"},
        {"another handler of SIGSYS", try_own_handler, 0, "rt_sigaction"},
        {"a forbidden call with its signal blocked", try_blocked, 0, NULL},
        {"removing a file", try_remove, 0, NULL},
    };
    /* the master and the mailer have these, with any argument, for the programs that may be executed */
    static const char *const of_programs[] = {"execveat", "socket", "kill", "mmap", "mprotect", "rt_sigaction"};
    for (int i = 0; i < SANDBOX_KIND_COUNT; i++) {
        const enum sandbox_kind kind = (enum sandbox_kind)i;
        const struct sandbox sandbox = sandbox_of(kind);
        for (size_t j = 0; j < ARRAY_COUNT(rows); j++) {
            bool is_loose = (bit(kind) & WIDE) != 0 && strcmp(rows[j].what, "removing a file") == 0;
            for (size_t k = 0; k < ARRAY_COUNT(of_programs); k++) {
                is_loose =
                    is_loose || ((bit(kind) & WIDE) != 0 && rows[j].call != NULL &&
                                 (rows[j].allowed & bit(kind)) == 0 && strcmp(rows[j].call, of_programs[k]) == 0);
            }
            if (is_loose) {
                continue;
            }
            const enum result result = result_of(&sandbox, rows[j].attempt);
            const enum result expected = (rows[j].allowed & bit(kind)) != 0 ? DONE : KILLED;
            if (result != expected) {
                fail_msg("%s: %s is %s, not %s (%s)", kind_names[i], rows[j].what, result_names[result],
                         result_names[expected], last_call);
            }
            if (expected == KILLED && rows[j].call != NULL) {
                assert_string_equal(last_call, rows[j].call);
            }
        }
    }
}

static void test_network(void **state)
{
    (void)state;
    const uint16_t port = 3306;
    struct sandbox sandbox = sandbox_of(SANDBOX_API);
    sandbox.uses_network = true;
    sandbox.ports = &port;
    sandbox.port_count = 1;
    assert_int_equal(result_of(&sandbox, try_network), DONE);
    assert_int_equal(result_of(&sandbox, try_netlink), DONE);
    assert_int_equal(result_of(&sandbox, try_ptrace), KILLED);
}

/* Connects to a port of loopback where nobody listens: REFUSED where the kernel does not let it, else DONE. */
static uint16_t port_to_try;
static int try_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port_to_try)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    return connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 || errno != EACCES ? 0 : 1;
}

static void test_ports(void **state)
{
    (void)state;
    if (landlock_version() < 4) {
        skip();
    }
    const uint16_t port = 1;
    struct sandbox sandbox = sandbox_of(SANDBOX_API);
    sandbox.uses_network = true;
    sandbox.ports = &port;
    sandbox.port_count = 1;
    port_to_try = 1;
    assert_int_equal(result_of(&sandbox, try_connect), DONE);
    port_to_try = 2;
    assert_int_equal(result_of(&sandbox, try_connect), REFUSED);
}

/* A question to the kernel for which there is another answer. */
static void test_refused(void **state)
{
    (void)state;
    for (int i = 0; i < SANDBOX_KIND_COUNT; i++) {
        const struct sandbox sandbox = sandbox_of((enum sandbox_kind)i);
        const enum result expected =
            i == SANDBOX_MASTER || i == SANDBOX_STATUS || i == SANDBOX_MAILER || i == SANDBOX_TRIAL ? DONE : REFUSED;
        assert_int_equal(result_of(&sandbox, try_netlink), expected);
    }
}

static void test_files(void **state)
{
    (void)state;
    if (landlock_version() == 0) {
        skip();
    }
    for (int i = 0; i < SANDBOX_KIND_COUNT; i++) {
        const enum sandbox_kind kind = (enum sandbox_kind)i;
        const struct sandbox sandbox = sandbox_of(kind);
        if (kind == SANDBOX_REFUSER) {
            assert_int_equal(result_of(&sandbox, try_open_log), KILLED);
            continue;
        }
        assert_int_equal(result_of(&sandbox, try_open_log), DONE);
        assert_int_equal(result_of(&sandbox, try_open_zone), DONE);
        assert_int_equal(result_of(&sandbox, try_open_passwd), has_files(kind) ? REFUSED : DONE);
        assert_int_equal(result_of(&sandbox, try_open_process),
                         has_files(kind) && kind != SANDBOX_STATUS ? REFUSED : DONE);
    }
}

/* What the kernel says of a process in its sandbox. */
static int try_own_status(void)
{
    char text[4096];
    const int file = open("/proc/self/status", O_RDONLY);
    const ssize_t length = read(file, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    return strstr(text, "Seccomp:\t2\n") != NULL && strstr(text, "NoNewPrivs:\t1\n") != NULL &&
                   strstr(text, "CapEff:\t0000000000000000\n") != NULL &&
                   strstr(text, "CapPrm:\t0000000000000000\n") != NULL
               ? 0
               : 1;
}

static void test_privileges(void **state)
{
    (void)state;
    struct sandbox sandbox = sandbox_of(SANDBOX_STATUS);
    assert_int_equal(result_of(&sandbox, try_own_status), DONE);
    sandbox = sandbox_of(SANDBOX_TRIAL);
    assert_int_equal(result_of(&sandbox, try_own_status), DONE);
}

/* Each name of the table is one that libseccomp knows, on some machine. */
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {
#define SANDBOX_CALL(group, call) #call,
#define SANDBOX_CALL_WHEN(group, call, argument, test, value, mask) #call,
#define SANDBOX_ABSENT(call) #call,
#define SANDBOX_REFUSED(groups, call, argument, value) #call,
#include "tables/sandbox.def"
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (seccomp_syscall_resolve_name(names[i]) == __NR_SCMP_ERROR) {
            fail_msg("there is no system call %s", names[i]);
        }
    }
}

/* A kernel that refuses filters, and Landlock: what is refused is said, and the process goes on. */
static int try_refused_kernel(void)
{
    struct error error;
    const struct sandbox sandbox = sandbox_of(SANDBOX_API);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, SCMP_A0_64(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), 444, 0);
    if (seccomp_load(filter) != 0) {
        return 3;
    }
    const char *shortcoming = sandbox_shortcoming();
    return shortcoming != NULL && strstr(shortcoming, "neither") != NULL && !sandbox_enter(&sandbox, &error) &&
                   strstr(error.text, "the filter of system calls: ") != NULL && open("/etc/passwd", O_RDONLY) >= 0
               ? 0
               : 1;
}

static void test_kernel_refuses(void **state)
{
    (void)state;
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(try_refused_kernel());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && logged_open(directory) && sandbox_share() ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),   cmocka_unit_test(test_network),        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_files),          cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_kernel_refuses),
    };
    const struct CMUnitTest none[] = {cmocka_unit_test(test_names)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return sandbox_is_possible() && sandbox_shortcoming() == NULL ? cmocka_run_group_tests(tests, set_up, tear_down)
                                                                  : cmocka_run_group_tests(none, NULL, NULL);
}
