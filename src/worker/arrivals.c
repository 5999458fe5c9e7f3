/* arrivals.c: an epoll descriptor for each worker.
 *
 * With poll(2) a connection wakes all idle workers, and all but one find it taken. With EPOLLEXCLUSIVE it wakes one:
 * the first that waits. A busy worker finds it when it waits again.
 *
 * No connection waits while a worker is idle. For a worker that was idle, the event that woke it is the first in the
 * kernel's list. So it asks for one event, and takes the connection that it was woken for; a connection that comes to
 * its other socket meanwhile has woken another worker. The same holds for a signal: a worker that leaves because of one
 * was not woken for a connection. What is ready for longer is reported in turn, since the kernel puts each event that
 * it has reported at the end of its list.
 *
 * Where one socket is served first, a worker has to look at both. So there a connection wakes all idle workers: a
 * worker that is woken for the first socket, and takes from the second, leaves the first to the others. */
#include "worker/arrivals.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"

/* Between two attempts to accept while the system is out of descriptors or memory. */
enum { SHORTAGE_MILLISECONDS = 100 };

static bool watch(int arrivals, int descriptor, uint32_t how, uint32_t bit)
{
    struct epoll_event event = {.events = EPOLLIN | how, .data.u32 = bit};
    return descriptor < 0 || epoll_ctl(arrivals, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

int arrivals_open(const struct worker_sockets *sockets, int signals)
{
    uint32_t how = sockets->prefers_second ? 0 : EPOLLEXCLUSIVE;
    int arrivals = epoll_create1(EPOLL_CLOEXEC);
    if (arrivals >= 0 &&
        !(watch(arrivals, signals, 0, ARRIVED_SIGNAL) && watch(arrivals, sockets->first, how, ARRIVED_FIRST) &&
          watch(arrivals, sockets->second, how, ARRIVED_SECOND))) {
        int saved_errno = errno;
        close(arrivals);
        errno = saved_errno;
        return -1;
    }
    return arrivals;
}

int arrivals_wait(int arrivals, const struct worker_sockets *sockets, int milliseconds)
{
    struct epoll_event events[3];
    int count;
    do {
        count = epoll_wait(arrivals, events, sockets->prefers_second ? 3 : 1, milliseconds);
    } while (count < 0 && errno == EINTR);
    int arrived = count < 0 ? -1 : 0;
    for (int i = 0; i < count; i++) {
        arrived |= (int)events[i].data.u32;
    }
    return arrived;
}

int arrivals_choose(const struct worker_sockets *sockets, int arrived)
{
    return (arrived & ARRIVED_SECOND) != 0 ? sockets->second : (arrived & ARRIVED_FIRST) != 0 ? sockets->first : -1;
}

/* Where the system is out of descriptors or memory, the connection stays in the queue and would be reported again at
 * once: so this waits. */
static void after_failed_accept(int error, int signals, bool *is_short)
{
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM) {
        return; /* another worker took it, or the client left */
    }
    *is_short = true;
    if (log_topic_due(LOG_TOPIC_ACCEPT, 60)) {
        log_error(NULL, "connections can't be accepted (retried ten times a second): %s%s", strerror(error),
                  error == EMFILE   ? ": raise the limit of open files (LimitNOFILE= of the unit)"
                  : error == ENFILE ? ": raise fs.file-max with sysctl"
                                    : "");
    }
    struct pollfd descriptor = {signals, POLLIN, 0};
    poll(&descriptor, 1, SHORTAGE_MILLISECONDS);
}

bool arrivals_accept(FCGX_Request *fcgi, int socket, int signals)
{
    static bool is_short;
    fcgi->listen_sock = socket;
    int result = FCGX_Accept_r(fcgi);
    if (result != 0) {
        after_failed_accept(-result, signals, &is_short);
        return false;
    }
    /* One request per connection, whatever the client asks for. What follows the first one may be the body of another
     * client's request, made to look like a request. */
    fcgi->keepConnection = 0;
    if (is_short) {
        is_short = false;
        if (log_topic_end(LOG_TOPIC_ACCEPT)) {
            log_notice(NULL, "connections are accepted again");
        }
    }
    return true;
}

bool arrivals_have_more(const struct worker_sockets *sockets, int chosen)
{
    bool prefers_second = sockets->prefers_second && chosen == sockets->second;
    struct pollfd waiting[] = {{prefers_second ? -1 : sockets->first, POLLIN, 0}, {sockets->second, POLLIN, 0}};
    return poll(waiting, 2, 0) > 0;
}
