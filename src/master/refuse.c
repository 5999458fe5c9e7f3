/* refuse.c: one loop over few connections. Each is answered when its first bytes arrive, and closed when the client has
 * closed it, or a second after it was accepted. */
#include "master/refuse.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/problem.h"

enum {
    SOCKETS_MAX = 1024,   /* listening: the maximum of LISTEN_FDS */
    CONNECTIONS_MAX = 64, /* further ones stay in the queue */
    RETRY_SECONDS = 5,
    PATIENCE = 1000000,      /* microseconds for a connection */
    POLL_MILLISECONDS = 100, /* the timeout of poll(2) */
    HEADER_LENGTH = 8,
};

/* The types of records (FastCGI 1.0, section 8). */
enum { RECORD_VERSION = 1, RECORD_END = 3, RECORD_STDOUT = 6 };

struct connection {
    int descriptor;
    int64_t deadline;
    bool is_answered;
};

static struct connection connections[CONNECTIONS_MAX];
static size_t connection_count;

static size_t add_record(unsigned char *out, int type, const unsigned char id[static 2], const char *content,
                         size_t length)
{
    const unsigned char header[HEADER_LENGTH] = {
        RECORD_VERSION, (unsigned char)type, id[0], id[1], (unsigned char)(length >> 8), (unsigned char)length, 0, 0};
    memcpy(out, header, sizeof header);
    memcpy(out + sizeof header, content, length);
    return sizeof header + length;
}

/* `first` is the header of the first record, which has the request id. */
static void answer(int descriptor, const unsigned char first[static HEADER_LENGTH])
{
    char text[600];
    unsigned char out[sizeof text + 4 * HEADER_LENGTH];
    int length = snprintf(text, sizeof text,
                          "Status: %d Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: %d\r\n"
                          "Cache-Control: no-store\r\n\r\n{\"detail\": \"%s\", \"code\": \"%s\"}",
                          error_status(ERROR_UNAVAILABLE), RETRY_SECONDS, error_detail(ERROR_UNAVAILABLE),
                          error_name(ERROR_UNAVAILABLE));
    size_t all = add_record(out, RECORD_STDOUT, first + 2, text, (size_t)length);
    all += add_record(out + all, RECORD_STDOUT, first + 2, "", 0);
    all += add_record(out + all, RECORD_END, first + 2, "\0\0\0\0\0\0\0\0", 8);
    /* It fits into the socket's buffer. A client that has closed the connection gets no answer. */
    (void)!send(descriptor, out, all, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(descriptor, SHUT_WR);
}

/* False where the connection has ended. Further records are read, too: closing a socket with unread data would discard
 * the answer. */
static bool serve(struct connection *connection)
{
    unsigned char bytes[65536];
    ssize_t got = recv(connection->descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (got == 0) {
        return false;
    }
    if (!connection->is_answered) {
        if (got < HEADER_LENGTH) {
            return false;
        }
        answer(connection->descriptor, bytes);
        connection->is_answered = true;
    }
    return true;
}

static void accept_all(int socket, int64_t now)
{
    while (connection_count < CONNECTIONS_MAX) {
        int descriptor = accept4(socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor == -1) {
            return;
        }
        connections[connection_count++] = (struct connection){descriptor, now + PATIENCE, false};
    }
}

/* Serves the connections that poll(2) reports, and closes those that have ended or timed out. */
static void serve_all(const struct pollfd *descriptors, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < connection_count; i++) {
        bool is_ready = descriptors[i].revents != 0;
        if (now < connections[i].deadline && (!is_ready || serve(&connections[i]))) {
            connections[kept++] = connections[i];
        } else {
            close(connections[i].descriptor);
        }
    }
    connection_count = kept;
}

void refuse_run(const int *sockets, size_t count, int64_t until, int stop)
{
    static struct pollfd descriptors[1 + CONNECTIONS_MAX + SOCKETS_MAX];
    int64_t now;
    if (count > SOCKETS_MAX) {
        count = SOCKETS_MAX;
    }
    while ((now = clock_monotonic_microseconds()) < until) {
        size_t used = 0, listening = connection_count < CONNECTIONS_MAX ? count : 0;
        descriptors[used++] = (struct pollfd){stop, POLLIN, 0};
        for (size_t i = 0; i < connection_count; i++) {
            descriptors[used++] = (struct pollfd){connections[i].descriptor, POLLIN, 0};
        }
        struct pollfd *listeners = descriptors + used;
        for (size_t i = 0; i < listening; i++) {
            descriptors[used++] = (struct pollfd){sockets[i], POLLIN, 0};
        }
        int ready = poll(descriptors, used, POLL_MILLISECONDS);
        if (ready > 0 && (descriptors[0].revents & POLLIN) != 0) {
            break;
        }
        for (size_t i = 0; ready < 0 && i < used; i++) {
            descriptors[i].revents = 0; /* poll(2) has set none */
        }
        now = clock_monotonic_microseconds();
        serve_all(descriptors + 1, now);
        bool has_new = false;
        for (size_t i = 0; i < listening; i++) {
            if ((listeners[i].revents & POLLIN) != 0) {
                size_t before = connection_count;
                accept_all(sockets[i], now);
                has_new = has_new || connection_count > before;
            }
        }
        if (ready > 0 && !has_new && connection_count == 0) {
            /* No queued connection could be accepted (out of descriptors, say): wait before the next try. */
            poll(NULL, 0, POLL_MILLISECONDS);
        }
    }
    while (connection_count > 0) {
        close(connections[--connection_count].descriptor);
    }
}
