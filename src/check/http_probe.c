/* http_probe.c: see http_probe.h. */
#include "check/http_probe.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/host_port.h"

enum { TIMEOUT_SECONDS = 10, HEADER_BYTES_MAX = 65536 };

bool http_target_read(struct arena *arena, const char *url, struct http_target *target_r, struct error *error)
{
    *target_r = (struct http_target){.tls = strncmp(url, "https://", 8) == 0};
    const char *rest = target_r->tls ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
    struct host_port parts;
    if (rest == NULL || strpbrk(url, " \t\r\n#@\\") != NULL) {
        return error_set(
            error, "\"%s\" is no address: write http:// or https://, the host, and the path of a protected page", url);
    }
    struct text authority = {rest, strcspn(rest, "/?")};
    if (authority.length == 0 || !host_port_split(authority, &parts) || parts.host.length == 0) {
        return error_set(error, "\"%s\" has no host", url);
    }
    target_r->host = text_to_string(arena, parts.host);
    target_r->port = parts.port.length > 0 ? text_to_string(arena, parts.port) : target_r->tls ? "443" : "80";
    target_r->authority = text_to_string(arena, authority);
    target_r->path = text_format(arena, "%s%s", rest[authority.length] == '/' ? "" : "/", rest + authority.length).data;
    return true;
}

static int connect_to(const struct http_target *target, struct error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    struct addrinfo *addresses;
    int failed = getaddrinfo(target->host, target->port, &hints, &addresses);
    if (failed != 0) {
        error_set(error, "%s: %s", target->host, gai_strerror(failed));
        return -1;
    }
    int connected = -1;
    for (const struct addrinfo *at = addresses; at != NULL && connected < 0; at = at->ai_next) {
        connected = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (connected >= 0) {
            setsockopt(connected, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
            setsockopt(connected, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
            if (connect(connected, at->ai_addr, at->ai_addrlen) != 0) {
                int why = errno;
                close(connected);
                connected = -1;
                errno = why;
            }
        }
    }
    if (connected < 0) {
        error_set(error, "%s: %s", target->authority, strerror(errno));
    }
    freeaddrinfo(addresses);
    return connected;
}

/* A connection, with or without TLS. */
struct stream {
    int descriptor;
    SSL *tls;
};

static bool start_tls(struct stream *stream, const struct http_target *target, struct error *error)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    stream->tls = settings != NULL ? SSL_new(settings) : NULL;
    SSL_CTX_free(settings); /* the connection holds it */
    if (stream->tls != NULL && SSL_set_tlsext_host_name(stream->tls, target->host) == 1 &&
        SSL_set_fd(stream->tls, stream->descriptor) == 1 && SSL_connect(stream->tls) == 1) {
        return true;
    }
    return error_set(error, "%s: TLS fails", target->authority);
}

static long receive(const struct stream *stream, char *bytes, size_t size)
{
    return stream->tls != NULL ? SSL_read(stream->tls, bytes, (int)size)
                               : (long)recv(stream->descriptor, bytes, size, 0);
}

static bool transmit(const struct stream *stream, struct text bytes)
{
    if (stream->tls != NULL) {
        return SSL_write(stream->tls, bytes.data, (int)bytes.length) == (int)bytes.length;
    }
    while (bytes.length > 0) {
        ssize_t sent = send(stream->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes = (struct text){bytes.data + sent, bytes.length - (size_t)sent};
    }
    return true;
}

static bool read_header(struct arena *arena, const struct stream *stream, struct text *header_r)
{
    struct buffer received;
    buffer_init(&received, arena);
    while (received.length < HEADER_BYTES_MAX) {
        long got = receive(stream, buffer_reserve(&received, 4096), 4096);
        received.length += got > 0 ? (size_t)got : 0;
        *header_r = buffer_text(&received);
        if (strstr(header_r->data, "\r\n\r\n") != NULL) {
            return true;
        }
        if (got <= 0) {
            break;
        }
    }
    return false;
}

static bool parse_header(struct text header, struct http_answer *answer_r)
{
    struct text line = text_take(&header, '\n');
    if (!text_starts_with(line, "HTTP/1.") || line.length < 12) {
        return false;
    }
    *answer_r = (struct http_answer){.status = text_digits_at(line, 9, 3)};
    while (header.length > 0) {
        struct text value = text_trim(text_take(&header, '\n'));
        if (value.length == 0) {
            break;
        }
        struct text name = text_take(&value, ':');
        if (text_is_ignoring_case(name, "Location")) {
            answer_r->location = text_trim(value);
        }
    }
    return answer_r->status > 0;
}

bool http_probe(struct arena *arena, const struct http_target *target, const char *method, const char *path,
                const char *fields, struct http_answer *answer_r, struct error *error)
{
    struct stream stream = {connect_to(target, error), NULL};
    if (stream.descriptor < 0) {
        return false;
    }
    struct text request = text_format(
        arena,
        "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: rosterctl\r\nContent-Length: 0\r\n%s\r\n",
        method, path, target->authority, fields);
    struct text header;
    bool good = !target->tls || start_tls(&stream, target, error);
    if (good) {
        good = (transmit(&stream, request) && read_header(arena, &stream, &header) && parse_header(header, answer_r)) ||
               error_set(error, "%s: no answer to %s %s", target->authority, method, path);
    }
    SSL_free(stream.tls);
    close(stream.descriptor);
    return good;
}
