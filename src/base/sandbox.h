/* sandbox.h: what a process gives up for good, before it does anything for others: tables/sandbox.def says what each
 * kind keeps. A system call that its kind does not have ends the process by SIGSYS, and the master logs which it was. A
 * file outside of what it may open is as one that its user may not (EACCES). */
#ifndef ROSTER_BASE_SANDBOX_H
#define ROSTER_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/landlock.h"

enum sandbox_kind {
#define SANDBOX_KIND(kind, groups, scope, text) SANDBOX_##kind,
#include "tables/sandbox.def"
    SANDBOX_KIND_COUNT
};

struct sandbox {
    enum sandbox_kind kind;
    bool uses_network;                 /* false: unix sockets alone, unless the kind has the network anyway */
    const struct landlock_path *paths; /* what it may open besides the files of its kind */
    size_t path_count;
    const uint16_t *ports; /* of TCP, that it may connect to, where it uses the network and its files are limited */
    size_t port_count;
    bool may_gain; /* a program that the process executes may gain privileges from its file, as setgid programs do */
};

/* False in a build with a sanitizer, and under valgrind: both need calls that no kind has. */
bool sandbox_is_possible(void);

/* Called once, before processes are forked that enter a sandbox: memory in which they tell what they died of, and the
 * handler of SIGSYS. False: no memory. */
bool sandbox_share(void);

/* What this kernel can't do of the above, in words for the operator. NULL: nothing. Static. */
const char *sandbox_shortcoming(void);

/* Gives up privileges, capabilities, files and system calls, in this order.
 * False where the kernel refuses one of them, with all refusals in the error; what it does not refuse is given up. */
bool sandbox_enter(const struct sandbox *sandbox, struct error *error);

/* What to say of a process that died of SIGSYS, which must have been reaped: "execve", or where the process had blocked
 * all signals, as in fork(3), where to look. Valid until the next call. */
const char *sandbox_verdict(pid_t pid);

#endif
