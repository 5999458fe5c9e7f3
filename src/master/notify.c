/* notify.c: one datagram per message. */
#include "master/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static struct sockaddr_un address;
static socklen_t address_length; /* 0: no NOTIFY_SOCKET */
static int64_t watchdog_microseconds;

static int64_t environment_number(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL || *value == '\0') {
        return -1;
    }
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    return errno != 0 || *end != '\0' || number < 0 ? -1 : number;
}

void notify_init(void)
{
    address_length = 0;
    watchdog_microseconds = 0;

    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path != NULL ? strlen(path) : 0;
    if (length > 1 && length < sizeof address.sun_path && (*path == '/' || *path == '@')) {
        memset(&address, 0, sizeof address);
        address.sun_family = AF_UNIX;
        memcpy(address.sun_path, path, length);
        if (*path == '@') {
            /* the abstract namespace (unix(7)): the address length delimits the name */
            address.sun_path[0] = '\0';
        }
        address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }

    int64_t pid = environment_number("WATCHDOG_PID");
    int64_t interval = environment_number("WATCHDOG_USEC");
    if (interval > 0 && (pid == -1 || pid == getpid())) {
        watchdog_microseconds = interval / 2;
    }

    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

bool notify_is_wanted(void)
{
    return address_length != 0;
}

bool notify_send(const char *format, ...)
{
    if (address_length == 0) {
        return false;
    }
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return false;
    }
    if ((size_t)length >= sizeof message) {
        length = (int)sizeof message - 1;
    }

    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor == -1) {
        return false;
    }
    ssize_t sent = sendto(descriptor, message, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address, address_length);
    close(descriptor);
    return sent == length;
}

bool notify_ready(bool detached, const char *status)
{
    if (detached) {
        return notify_send("READY=1\nMAINPID=%ld\nSTATUS=%s", (long)getpid(), status);
    }
    return notify_send("READY=1\nSTATUS=%s", status);
}

bool notify_reloading(void)
{
    return notify_send("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading", (long long)clock_monotonic_microseconds());
}

bool notify_stopping(const char *status)
{
    return notify_send("STOPPING=1\nSTATUS=%s", status);
}

int64_t notify_watchdog_microseconds(void)
{
    return address_length != 0 ? watchdog_microseconds : 0;
}
