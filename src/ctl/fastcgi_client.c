#include "ctl/fastcgi_client.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

/* Types of records, and offsets of the fields of a record header (FastCGI 1.0, sections 3.3 and 8). */
enum {
    BEGIN_REQUEST = 1,
    END_REQUEST = 3,
    PARAMS = 4,
    STDIN = 5,
    STDOUT = 6,
    HEADER_SIZE = 8,
    REQUEST_ID = 1,
    ROLE_RESPONDER = 1
};
enum { ANSWER_SIZE_MAX = 16 * 1024 * 1024 };

static void add_record(struct buffer *out, unsigned type, const void *content, size_t length)
{
    const char header[HEADER_SIZE] = {1, (char)type, 0, REQUEST_ID, (char)(length >> 8), (char)(length & 0xff), 0, 0};
    buffer_add(out, header, sizeof header);
    buffer_add(out, content, length);
}

static void add_length(struct buffer *out, size_t length)
{
    if (length < 128) {
        buffer_add_byte(out, (char)length);
    } else {
        const char bytes[4] = {(char)(0x80 | (length >> 24)), (char)(length >> 16), (char)(length >> 8), (char)length};
        buffer_add(out, bytes, sizeof bytes);
    }
}

static void add_parameter(struct buffer *out, const char *name, const char *value)
{
    add_length(out, strlen(name));
    add_length(out, strlen(value));
    buffer_add_string(out, name);
    buffer_add_string(out, value);
}

/* `hold`: the value of ROSTER_HOLD, or NULL. */
static struct text compose(struct arena *arena, const char *target, const char *hold)
{
    static const char begin[8] = {0, ROLE_RESPONDER};
    const char *question = strchr(target, '?');
    struct buffer parameters;
    buffer_init(&parameters, arena);
    add_parameter(&parameters, "REQUEST_METHOD", "GET");
    add_parameter(&parameters, "REQUEST_URI", target);
    add_parameter(&parameters, "QUERY_STRING", question != NULL ? question + 1 : "");
    add_parameter(&parameters, "SERVER_PROTOCOL", "HTTP/1.1");
    add_parameter(&parameters, "GATEWAY_INTERFACE", "CGI/1.1");
    add_parameter(&parameters, "REMOTE_ADDR", "127.0.0.1");
    add_parameter(&parameters, "HTTP_HOST", "localhost");
    add_parameter(&parameters, "HTTP_USER_AGENT", "rosterctl");
    if (hold != NULL) {
        add_parameter(&parameters, "ROSTER_HOLD", hold);
    }

    struct buffer out;
    buffer_init(&out, arena);
    add_record(&out, BEGIN_REQUEST, begin, sizeof begin);
    add_record(&out, PARAMS, parameters.data, parameters.length);
    add_record(&out, PARAMS, "", 0);
    add_record(&out, STDIN, "", 0);
    return buffer_text(&out);
}

/* Waits until the socket can be read or written. False: timeout. */
static bool wait_for(int descriptor, short events, int64_t deadline)
{
    struct pollfd waiting = {descriptor, events, 0};
    int64_t left = (deadline - clock_monotonic_microseconds()) / 1000;
    int ready = left > 0 ? poll(&waiting, 1, (int)left) : 0;
    if (ready == 0) {
        errno = ETIMEDOUT;
    }
    return ready > 0;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        int failure = errno;
        close(descriptor);
        errno = failure;
        return -1;
    }
    return descriptor;
}

static bool send_all(int descriptor, struct text text, int64_t deadline)
{
    while (text.length > 0) {
        ssize_t sent = send(descriptor, text.data, text.length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            text = (struct text){text.data + sent, text.length - (size_t)sent};
        } else if (!wait_for(descriptor, POLLOUT, deadline)) {
            return false;
        }
    }
    return true;
}

/* Reads until the peer closes the connection. */
static bool receive_all(int descriptor, struct buffer *in, int64_t deadline)
{
    for (;;) {
        ssize_t got = recv(descriptor, buffer_reserve(in, 16384), 16384, 0);
        if (got == 0) {
            return true;
        }
        if (got > 0) {
            in->length += (size_t)got;
            if (in->length > ANSWER_SIZE_MAX) {
                errno = EMSGSIZE;
                return false;
            }
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(descriptor, POLLIN, deadline)) {
            return false;
        }
    }
}

/* The content of the FCGI_STDOUT records. False: truncated. */
static bool take_records(struct text in, struct buffer *out)
{
    size_t at = 0;
    while (in.length - at >= HEADER_SIZE) {
        const unsigned char *header = (const unsigned char *)in.data + at;
        size_t length = (size_t)header[4] << 8 | header[5];
        size_t whole = HEADER_SIZE + length + header[6];
        if (in.length - at < whole) {
            return false;
        }
        if (header[1] == END_REQUEST) {
            return true;
        }
        if (header[1] == STDOUT) {
            buffer_add(out, in.data + at + HEADER_SIZE, length);
        }
        at += whole;
    }
    return false;
}

/* Header lines, an empty line, and the body (RFC 3875, section 6). */
static bool split_answer(struct text out, struct fastcgi_answer *answer)
{
    const char *end = memmem(out.data, out.length, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    answer->headers = (struct text){out.data, (size_t)(end + 2 - out.data)};
    answer->body = (struct text){end + 4, out.length - answer->headers.length - 2};
    const char *status = memmem(answer->headers.data, answer->headers.length, "Status:", 7);
    answer->status = status != NULL ? atoi(status + 7) : 200;
    return true;
}

static bool ask(struct arena *arena, const char *socket_path, struct text request, int timeout_milliseconds,
                struct fastcgi_answer *answer_r, struct error *error)
{
    int64_t deadline = clock_monotonic_microseconds() + (int64_t)timeout_milliseconds * 1000;
    struct buffer in, out;
    buffer_init(&in, arena);
    buffer_init(&out, arena);
    int descriptor = open_socket(socket_path);
    bool good = descriptor >= 0 && send_all(descriptor, request, deadline) && receive_all(descriptor, &in, deadline);
    int failure = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (!good) {
        return error_set(error, "%s: %s", socket_path, strerror(failure));
    }
    *answer_r = (struct fastcgi_answer){.status = 0};
    if (!take_records(buffer_text(&in), &out) || !split_answer(buffer_text(&out), answer_r)) {
        return error_set(error, "%s: the answer is invalid FastCGI, or truncated", socket_path);
    }
    return true;
}

bool fastcgi_get(struct arena *arena, const char *socket_path, const char *target, int timeout_milliseconds,
                 struct fastcgi_answer *answer_r, struct error *error)
{
    return ask(arena, socket_path, compose(arena, target, NULL), timeout_milliseconds, answer_r, error);
}

bool fastcgi_hold(struct arena *arena, const char *socket_path, uint64_t connection, int timeout_milliseconds,
                  struct error *error)
{
    struct fastcgi_answer answer;
    const char *hold = text_format(arena, "%" PRIu64, connection).data;
    return ask(arena, socket_path, compose(arena, "/ping", hold), timeout_milliseconds, &answer, error);
}
