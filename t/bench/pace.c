/* pace.c: requests at a steady rate, however long the answers take. wrk sends a request when the answer to the one
 * before has come: while the server stands still it sends nothing, and so its percentiles do not show the pause.
 *
 *   usage: pace PORT CONNECTIONS RATE SECONDS FILE
 *
 * Lines of FILE are requests, as those of wrk.lua: method, path, token, body, with tabs between. They are sent in turn.
 * The first line that is printed is the start, in microseconds of the monotonic clock. One line follows for each
 * request: when it was due (microseconds from the start), how long after that its answer was complete (microseconds),
 * and the status; 0 where the connection was closed without an answer. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, ANSWER_MAX = 1 << 20, PATIENCE_MILLISECONDS = 30000 };

struct request {
    char *bytes;
    size_t length;
};

struct connection {
    int socket; /* -1: closed */
    bool is_busy;
    size_t number; /* of the request that runs */
    size_t length; /* of the answer so far */
    char *answer;
};

struct result {
    int64_t microseconds;
    int status;
};

static struct request *requests;
static size_t request_count;
static struct connection connections[CONNECTIONS_MAX];
static size_t connection_count;
static struct result *results;
static size_t total;  /* of all requests to send */
static double period; /* microseconds from one request to the next */
static int64_t start;
static uint16_t port;

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "pace: %s\n", what);
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int64_t due(size_t number)
{
    return start + (int64_t)((double)number * period);
}

/* ---- requests ---- */

static void add_request(char *line)
{
    char *rest = line;
    const char *method = strsep(&rest, "\t"), *path = strsep(&rest, "\t"), *token = strsep(&rest, "\t");
    if (path == NULL) {
        die("a line is not a request");
    }
    size_t size = strlen(path) + (token != NULL ? strlen(token) : 0) + (rest != NULL ? strlen(rest) : 0) + 300;
    struct request request = {malloc(size), 0};
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    if (request.bytes == NULL || requests == NULL) {
        die("no memory");
    }
    bool has_token = token != NULL && *token != '\0', has_body = rest != NULL && *rest != '\0';
    request.length =
        (size_t)snprintf(request.bytes, size, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s", method, path,
                         has_token ? "Authorization: Bearer " : "", has_token ? token : "", has_token ? "\r\n" : "");
    if (has_body) {
        request.length += (size_t)snprintf(request.bytes + request.length, size - request.length,
                                           "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(rest));
    }
    request.length +=
        (size_t)snprintf(request.bytes + request.length, size - request.length, "\r\n%s", has_body ? rest : "");
    requests[request_count++] = request;
}

static void read_requests(const char *path)
{
    static char line[65536];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        add_request(line);
    }
    if (request_count == 0) {
        die("the file has no requests");
    }
    fclose(file);
}

/* ---- connections ---- */

static void connect_to_server(struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->socket == -1 ||
        connect(connection->socket, (const struct sockaddr *)&address, sizeof address) != 0) {
        die("the server can't be reached");
    }
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void end_request(struct connection *connection, int status)
{
    results[connection->number] = (struct result){now() - due(connection->number), status};
    connection->is_busy = false;
    connection->length = 0;
}

static void break_connection(struct connection *connection)
{
    close(connection->socket);
    connection->socket = -1;
    if (connection->is_busy) {
        end_request(connection, 0);
    }
}

static void send_request(struct connection *connection, size_t number)
{
    const struct request *request = &requests[number % request_count];
    if (connection->socket == -1) {
        connect_to_server(connection);
    }
    connection->is_busy = true;
    connection->number = number;
    if (send(connection->socket, request->bytes, request->length, MSG_NOSIGNAL) != (ssize_t)request->length) {
        break_connection(connection);
    }
}

/* Whether the answer is complete; it is NUL-terminated. */
static bool is_complete(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    const char *chunked = strcasestr(connection->answer, "\r\nTransfer-Encoding: chunked\r\n");
    if (end == NULL) {
        return false;
    }
    size_t body = connection->length - (size_t)(end + 4 - connection->answer);
    if (length != NULL && length < end) {
        return body >= strtoul(length + 17, NULL, 10);
    }
    if (chunked == NULL || chunked > end) {
        return strncmp(connection->answer + 9, "204", 3) == 0 || strncmp(connection->answer + 9, "304", 3) == 0;
    }
    return body >= 5 && memcmp(connection->answer + connection->length - 5, "0\r\n\r\n", 5) == 0 &&
           (body == 5 || connection->answer[connection->length - 6] == '\n');
}

static void receive(struct connection *connection)
{
    ssize_t got = recv(connection->socket, connection->answer + connection->length, ANSWER_MAX - 1 - connection->length,
                       MSG_DONTWAIT);
    if (got <= 0) {
        break_connection(connection);
        return;
    }
    connection->length += (size_t)got;
    connection->answer[connection->length] = '\0';
    if (connection->is_busy && is_complete(connection)) {
        bool is_last = strcasestr(connection->answer, "\r\nConnection: close\r\n") != NULL;
        end_request(connection, atoi(connection->answer + 9));
        if (is_last) {
            break_connection(connection);
        }
    }
}

/* ---- the loop ---- */

/* Sends all that is due, as far as connections are free. Gives the number of the next request. */
static size_t send_due(size_t next)
{
    int64_t moment = now();
    for (size_t i = 0; i < connection_count && next < total && due(next) <= moment; i++) {
        if (!connections[i].is_busy) {
            send_request(&connections[i], next++);
        }
    }
    return next;
}

static size_t count_busy(void)
{
    size_t busy = 0;
    for (size_t i = 0; i < connection_count; i++) {
        busy += connections[i].is_busy;
    }
    return busy;
}

/* Until a connection has something to read, or the next request is due and can be sent. */
static void wait_and_receive(size_t next)
{
    struct pollfd descriptors[CONNECTIONS_MAX];
    struct timespec patience = {PATIENCE_MILLISECONDS / 1000, 0};
    size_t busy = count_busy();
    if (next < total && busy < connection_count) {
        int64_t left = due(next) - now();
        patience.tv_sec = left > 0 ? left / 1000000 : 0;
        patience.tv_nsec = left > 0 ? left % 1000000 * 1000 : 0;
    }
    for (size_t i = 0; i < connection_count; i++) {
        descriptors[i] = (struct pollfd){connections[i].socket, POLLIN, 0}; /* poll ignores -1 */
    }
    int ready = ppoll(descriptors, connection_count, &patience, NULL);
    if (ready == 0 && busy > 0 && (next == total || busy == connection_count)) {
        die("the server does not answer");
    }
    for (size_t i = 0; ready > 0 && i < connection_count; i++) {
        if (descriptors[i].revents != 0) {
            receive(&connections[i]);
        }
    }
}

int main(int count, char **arguments)
{
    double rate = count == 6 ? atof(arguments[3]) : 0;
    connection_count = count == 6 ? (size_t)atoi(arguments[2]) : 0;
    if (rate <= 0 || connection_count == 0 || connection_count > CONNECTIONS_MAX) {
        die("wrong arguments: see the head of pace.c");
    }
    port = (uint16_t)atoi(arguments[1]);
    period = 1e6 / rate;
    total = (size_t)(atof(arguments[4]) * rate);
    read_requests(arguments[5]);
    results = calloc(total > 0 ? total : 1, sizeof *results);
    for (size_t i = 0; i < connection_count; i++) {
        connections[i].answer = malloc(ANSWER_MAX);
        if (results == NULL || connections[i].answer == NULL) {
            die("no memory");
        }
        connect_to_server(&connections[i]);
    }
    start = now();
    for (size_t next = 0; next < total || count_busy() > 0;) {
        next = send_due(next);
        wait_and_receive(next);
    }
    printf("%lld\n", (long long)start);
    for (size_t i = 0; i < total; i++) {
        printf("%lld %lld %d\n", (long long)(due(i) - start), (long long)results[i].microseconds, results[i].status);
    }
    return 0;
}
