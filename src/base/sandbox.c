/* sandbox.c: a call that is not on the list raises SIGSYS (SECCOMP_RET_TRAP) in place of being carried out: only so can
 * the process tell which it was. The handler notes the call where the master looks, and makes one that the kernel ends
 * the process for (SECCOMP_RET_KILL_PROCESS). The kernel also ends a process that has blocked or ignores SIGSYS, and no
 * list lets anybody put another handler in place. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
/* Of x86; elsewhere there is no arch_prctl. */
#define ARCH_SET_FS 0x1002
#define ARCH_CET_STATUS 0x3001

#define SANDBOX_NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* In place of a number of sandbox.def that is known only in the process: its id. */
#define SANDBOX_OWN_PID INT64_C(-1)

enum group {
    SELF = 1,
    OPEN = 2,
    CLIENT = 4,
    NETWORK = 8,
    SERVE = 16,
    WORK = 32,
    STATUS = 64,
    PROGRAM = 128,
    PARENT = 256
};
enum scope { FILES, ANY };
enum test { ALWAYS, EQ = SCMP_CMP_EQ, NE = SCMP_CMP_NE, MASKED_EQ = SCMP_CMP_MASKED_EQ };
_Static_assert((int)ALWAYS != (int)NE && (int)ALWAYS != (int)EQ && (int)ALWAYS != (int)MASKED_EQ,
               "a test of libseccomp has another number");

static const struct kind {
    unsigned groups;
    enum scope scope;
} kinds[] = {
#define SANDBOX_KIND(kind, groups, scope, text) [SANDBOX_##kind] = {groups, scope},
#include "tables/sandbox.def"
};

static const struct call {
    enum group group;
    const char *name;
    unsigned argument;
    enum test test;
    int64_t value;
    uint64_t mask;
} calls[] = {
#define SANDBOX_CALL(group, call) {group, #call, 0, ALWAYS, 0, 0},
#define SANDBOX_CALL_WHEN(group, call, argument, test, value, mask) {group, #call, argument, test, value, mask},
#include "tables/sandbox.def"
};

static const char *const absent[] = {
#define SANDBOX_ABSENT(call) #call,
#include "tables/sandbox.def"
};

static const struct refused {
    unsigned groups;
    const char *name;
    unsigned argument;
    uint64_t value;
} refused[] = {
#define SANDBOX_REFUSED(groups, call, argument, value) {groups, #call, argument, value},
#include "tables/sandbox.def"
};

static const struct file {
    enum group group;
    struct landlock_path path;
} files[] = {
#define SANDBOX_FILE(group, path, rights) {group, {path, LANDLOCK_##rights}},
#include "tables/sandbox.def"
};

/* The call of a process that ends itself. No list has it; with these arguments it would fail. */
#define END_CALL SYS_reboot

/* What processes died of: the id of the process, and the number of the call. An entry is found by the id; one of an
 * older process of another id is overwritten, as the master has looked long since. */
enum { NOTES = 512 };
static _Atomic uint64_t *notes;

static _Atomic uint64_t *note_of(pid_t pid)
{
    return &notes[(uint32_t)pid % NOTES];
}

/* Of the process whose end nobody reads: the master. */
static bool tells_itself;

/* The name of a call, for free(3); NULL: unknown. */
static char *name_of(uint32_t number)
{
    return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
}

static void on_refusal(int signal_number, siginfo_t *info, void *unused)
{
    (void)signal_number;
    (void)unused;
    const pid_t pid = getpid();
    atomic_store(note_of(pid), (uint64_t)(uint32_t)pid << 32 | (uint32_t)info->si_syscall);
    if (tells_itself) {
        const char *name = name_of((uint32_t)info->si_syscall);
        log_alert(NULL, "the kernel ends this process: it called %s, which its sandbox does not allow",
                  name != NULL ? name : "an unknown system call");
    }
    syscall(END_CALL, 0, 0, 0, 0);
    _exit(EXIT_FAILURE); /* not reached */
}

/* valgrind names the libraries that it puts before all others here. */
static bool is_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

bool sandbox_is_possible(void)
{
    return memory_is_ours() && !is_under_valgrind();
}

bool sandbox_share(void)
{
    const struct sigaction action = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO};
    if (notes == NULL) {
        void *mapping = mmap(NULL, NOTES * sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) {
            return false;
        }
        notes = mapping;
    }
    return sigaction(SIGSYS, &action, NULL) == 0;
}

const char *sandbox_verdict(pid_t pid)
{
    static char *name;
    const uint64_t note = notes != NULL ? atomic_load(note_of(pid)) : 0;
    free(name);
    name = note >> 32 == (uint32_t)pid ? name_of((uint32_t)note) : NULL;
    return name != NULL ? name : "a system call (the kernel's log has its number)";
}

/* ---- System calls ---- */

/* 0, or an error number. A call that this machine does not have is left out. */
static int allow(scmp_filter_ctx filter, const struct call *call)
{
    const int number = seccomp_syscall_resolve_name(call->name);
    if (number == __NR_SCMP_ERROR) {
        return 0;
    }
    const uint64_t value = call->value == SANDBOX_OWN_PID ? (uint64_t)getpid() : (uint64_t)call->value;
    const uint64_t first = call->test == MASKED_EQ ? call->mask : value;
    const struct scmp_arg_cmp condition = {call->argument, (enum scmp_compare)call->test, first, value};
    const int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, call->test == ALWAYS ? 0 : 1, &condition);
    return result == -EDOM || result == -EEXIST ? 0 : -result;
}

/* The filter of the groups, for seccomp_release; NULL with errno set. */
static scmp_filter_ctx make_filter(unsigned groups)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int failure = filter == NULL ? ENOMEM : 0;
    if (filter == NULL) {
        errno = failure;
        return NULL;
    }
    /* calls of another architecture (32 bits) have other numbers */
    failure = -seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);      /* set by whoever calls, or not meant to be */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; an older library makes a list */
    for (size_t i = 0; failure == 0 && i < ARRAY_COUNT(calls); i++) {
        failure = (calls[i].group & groups) != 0 ? allow(filter, &calls[i]) : 0;
    }
    failure = failure != 0 ? failure : -seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, END_CALL, 0);
    for (size_t i = 0; failure == 0 && i < ARRAY_COUNT(absent); i++) {
        const int number = seccomp_syscall_resolve_name(absent[i]);
        failure = number >= 0 ? -seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0) : 0;
    }
    for (size_t i = 0; failure == 0 && i < ARRAY_COUNT(refused); i++) {
        const int number = seccomp_syscall_resolve_name(refused[i].name);
        const struct scmp_arg_cmp condition = {refused[i].argument, SCMP_CMP_EQ, refused[i].value, 0};
        failure = (refused[i].groups & groups) == 0
                      ? -seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), number, 1, &condition)
                      : 0;
    }
    if (failure != 0) {
        seccomp_release(filter);
        errno = failure;
        return NULL;
    }
    return filter;
}

static bool limit_calls(unsigned groups, struct error *error)
{
    scmp_filter_ctx filter = make_filter(groups);
    const int result = filter != NULL ? seccomp_load(filter) : -errno;
    if (filter != NULL) {
        seccomp_release(filter);
    }
    return result == 0 || error_set(error, "the filter of system calls: %s", strerror(-result));
}

/* ---- Files, and capabilities ---- */

static bool limit_files(const struct sandbox *sandbox, unsigned groups, struct error *error)
{
    const size_t most = ARRAY_COUNT(files) + sandbox->path_count;
    struct landlock_path *paths = calloc(most, sizeof *paths);
    size_t count = 0;
    if (paths == NULL) {
        return error_set(error, "%s", strerror(errno));
    }
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        if ((files[i].group & groups) != 0) {
            paths[count++] = files[i].path;
        }
    }
    memcpy(paths + count, sandbox->paths, sandbox->path_count * sizeof *paths);
    const bool is_done = landlock_limit(paths, count + sandbox->path_count, sandbox->ports, sandbox->port_count, error);
    free(paths);
    return is_done;
}

/* systemd may have taken all of them, and the call that drops them. */
static bool drop_capabilities(struct error *error)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
    if (syscall(SYS_capget, &header, now) == 0 && memcmp(now, none, sizeof none) == 0) {
        return true;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* kernels before 4.3 have none */
    return syscall(SYS_capset, &header, none) == 0 || error_set(error, "capabilities: %s", strerror(errno));
}

/* ---- All of it ---- */

const char *sandbox_shortcoming(void)
{
    uint32_t action = SCMP_ACT_TRAP;
    const bool has_filters = syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &action) == 0;
    const bool has_landlock = landlock_version() > 0;
    return has_filters && has_landlock ? NULL
           : has_filters ? "the kernel has no Landlock, or it is switched off: processes can open all files that their "
                           "user may"
           : has_landlock ? "the kernel filters no system calls (seccomp): processes can make each of them"
                          : "the kernel has neither filters of system calls (seccomp) nor Landlock: processes can do "
                            "all that their user may";
}

bool sandbox_enter(const struct sandbox *sandbox, struct error *error)
{
    const struct kind *kind = &kinds[sandbox->kind];
    const unsigned groups = kind->groups | (sandbox->uses_network ? NETWORK : 0);
    struct error one, all;
    size_t failures = 0;
    const bool has_every_right = geteuid() == 0;
    tells_itself = sandbox->kind == SANDBOX_MASTER;
    all.text[0] = '\0';
    /* Landlock and filters need it, of a process that is not root's. */
    if (!sandbox->may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        failures++;
        error_set(&all, "no_new_privs: %s", strerror(errno));
    }
    if (kind->scope == FILES && !limit_files(sandbox, groups, &one) && landlock_version() > 0) {
        error_set(&all, "%s%s%s", all.text, failures++ > 0 ? "; " : "", one.text);
    }
    if (sandbox->kind != SANDBOX_MASTER && !sandbox->may_gain && !drop_capabilities(&one)) {
        error_set(&all, "%s%s%s", all.text, failures++ > 0 ? "; " : "", one.text);
    }
    /* one that may gain privileges has the filter of the master alone, unless it is root's */
    if ((!sandbox->may_gain || has_every_right) && !limit_calls(groups, &one)) {
        error_set(&all, "%s%s%s", all.text, failures++ > 0 ? "; " : "", one.text);
    }
    return failures == 0 || error_set(error, "%s", all.text);
}
