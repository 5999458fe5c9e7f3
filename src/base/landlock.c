/* landlock.c: the three calls of Landlock, for which the C library has no functions. Its numbers and structures are
 * written out, since headers may be older than the kernel. */
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all architectures. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

enum {
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_MAKE_REG = 1 << 8,
    FS_TRUNCATE = 1 << 14,
};

enum { NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1 };
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

/* What a version of the interface has: the rights to files are the lowest bits. */
enum { VERSION_REFER = 2, VERSION_TRUNCATE = 3, VERSION_NETWORK = 4, VERSION_IOCTL = 5, VERSION_SCOPE = 6 };
enum { FS_BITS_FIRST = 13 };

struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t parent;
};

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

int landlock_version(void)
{
    const long version = syscall(CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t file_rights(int version)
{
    const int bits =
        FS_BITS_FIRST + (version >= VERSION_REFER) + (version >= VERSION_TRUNCATE) + (version >= VERSION_IOCTL);
    return (UINT64_C(1) << bits) - 1;
}

/* False on a failure of the kernel's. */
static bool add_path(int ruleset, uint64_t handled, const struct landlock_path *path)
{
    struct stat status;
    struct path_rule rule = {.parent = open(path->path, O_PATH | O_CLOEXEC)};
    if (rule.parent < 0) {
        return true;
    }
    rule.allowed |= (path->rights & LANDLOCK_READ) != 0 ? FS_READ_FILE | FS_READ_DIR : 0;
    rule.allowed |= (path->rights & LANDLOCK_WRITE) != 0 ? FS_WRITE_FILE | FS_MAKE_REG | FS_TRUNCATE : 0;
    if (fstat(rule.parent, &status) == 0 && !S_ISDIR(status.st_mode)) {
        rule.allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
    }
    rule.allowed &= handled;
    const bool is_good = syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    const int failure = errno;
    close(rule.parent);
    errno = failure;
    return is_good;
}

static bool add_port(int ruleset, uint16_t port)
{
    const struct port_rule rule = {.allowed = NET_CONNECT_TCP, .port = port};
    return syscall(ADD_RULE, ruleset, RULE_NET_PORT, &rule, 0) == 0;
}

bool landlock_limit(const struct landlock_path *paths, size_t path_count, const uint16_t *ports, size_t port_count,
                    struct error *error)
{
    const int version = landlock_version();
    if (version == 0) {
        return error_set(error, "it has no Landlock, or Landlock is switched off");
    }
    const struct ruleset rights = {
        .handled_fs = file_rights(version),
        .handled_net = version >= VERSION_NETWORK ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
        .scoped = version >= VERSION_SCOPE ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
    };
    const int ruleset = (int)syscall(CREATE_RULESET, &rights, sizeof rights, 0);
    bool is_good = ruleset >= 0;
    for (size_t i = 0; is_good && i < path_count; i++) {
        is_good = add_path(ruleset, rights.handled_fs, &paths[i]);
    }
    for (size_t i = 0; is_good && rights.handled_net != 0 && i < port_count; i++) {
        is_good = add_port(ruleset, ports[i]);
    }
    is_good = is_good && syscall(RESTRICT_SELF, ruleset, 0) == 0;
    if (!is_good) {
        error_set(error, "Landlock: %s", strerror(errno));
    }
    if (ruleset >= 0) {
        close(ruleset);
    }
    return is_good;
}
