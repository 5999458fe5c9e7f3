/* recorded.h: a MariaDB that has only what it was heard to say.
 *
 * At first it stands between the service and a server, passes on what both say, and keeps each answer (recorded_hear).
 * Then it answers by itself with what it has kept (recorded_speak): to a statement with the same values what was said
 * then, to others what was said to this statement last. An input can have it say something else: recorded_choose. It
 * knows only of MariaDB's packets where they end, and of commands which they are. */
#ifndef ROSTER_T_FUZZ_RECORDED_H
#define ROSTER_T_FUZZ_RECORDED_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    COMMAND_QUIT = 1,
    COMMAND_QUERY = 3,
    COMMAND_PREPARE = 0x16,
    COMMAND_EXECUTE = 0x17,
    COMMAND_LONG_DATA = 0x18,
    COMMAND_CLOSE = 0x19
};

enum { HEAD = 4, PACKET_MAX = 1 << 24 };

struct bytes {
    unsigned char *data;
    size_t length, capacity;
};

/* An answer to one statement: `values` is what was sent with it. */
struct recorded_answer {
    struct bytes values, said;
    struct recorded_answer *next; /* the one that was heard before */
};

struct recorded_statement {
    struct bytes text;
    struct bytes prepared; /* the answer to its preparation */
    unsigned char id[4];   /* the server's, on the connection that is heard */
    struct recorded_answer *answers;
    unsigned answer_count;
    struct recorded_statement *next;
};

static struct {
    struct sockaddr_un address, server;
    int listener;
    _Atomic bool speaks;
    struct bytes greeting, welcome; /* the first packet, and the answer to the name and password */
    struct recorded_statement *statements[1024];
    unsigned count;
    _Atomic(const char *) choices; /* of the input */
    _Atomic int odd;               /* how often it has said what was not an answer to just that */
    _Atomic int guessed;           /* how often it has answered what it was told for other values */
} recorded;

static inline void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = 2 * (bytes->length + length) + 64;
        bytes->data = realloc(bytes->data, bytes->capacity);
        require(bytes->data != NULL);
    }
    if (length > 0) {
        memcpy(bytes->data + bytes->length, data, length);
        bytes->length += length;
    }
}

static inline bool bytes_equal(const struct bytes *left, const void *data, size_t length)
{
    return left->length == length && (length == 0 || memcmp(left->data, data, length) == 0);
}

static inline bool read_whole(int fd, void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        const ssize_t got = read(fd, (char *)data + done, length - done);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static inline bool write_whole(int fd, const void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        const ssize_t sent = send(fd, (const char *)data + done, length - done, MSG_NOSIGNAL);
        if (sent <= 0 && !(sent < 0 && errno == EINTR)) {
            return false;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* The next packet, with its head. */
static inline bool read_packet(int fd, struct bytes *packet)
{
    unsigned char head[HEAD];
    packet->length = 0;
    if (!read_whole(fd, head, HEAD)) {
        return false;
    }
    const size_t length = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    bytes_add(packet, head, HEAD);
    while (packet->length < HEAD + length) {
        unsigned char part[4096];
        const size_t left = HEAD + length - packet->length, size = left < sizeof part ? left : sizeof part;
        if (!read_whole(fd, part, size)) {
            return false;
        }
        bytes_add(packet, part, size);
    }
    return true;
}

/* ---- What was heard ---- */

static inline struct recorded_statement *recorded_find(const void *text, size_t length, bool makes)
{
    for (unsigned i = 0; i < recorded.count; i++) {
        if (bytes_equal(&recorded.statements[i]->text, text, length)) {
            return recorded.statements[i];
        }
    }
    if (!makes || recorded.count == sizeof recorded.statements / sizeof *recorded.statements) {
        return NULL;
    }
    struct recorded_statement *statement = calloc(1, sizeof *statement);
    require(statement != NULL);
    bytes_add(&statement->text, text, length);
    recorded.statements[recorded.count++] = statement;
    return statement;
}

/* The statement that a command of the service is about; NULL: none, or it is not known. */
static inline struct recorded_statement *recorded_of(const struct bytes *packet, bool makes)
{
    const unsigned char command = packet->length > HEAD ? packet->data[HEAD] : 0;
    if (command == COMMAND_QUERY || command == COMMAND_PREPARE) {
        return recorded_find(packet->data + HEAD + 1, packet->length - HEAD - 1, makes);
    }
    if (command != COMMAND_EXECUTE || packet->length < HEAD + 5) {
        return NULL;
    }
    if (recorded.speaks) {
        const size_t place = packet->data[HEAD + 1] | (size_t)packet->data[HEAD + 2] << 8;
        return place < recorded.count ? recorded.statements[place] : NULL;
    }
    for (unsigned i = 0; i < recorded.count; i++) {
        const struct recorded_statement *statement = recorded.statements[i];
        if (statement->prepared.length > 0 && memcmp(statement->id, packet->data + HEAD + 1, 4) == 0) {
            return recorded.statements[i];
        }
    }
    return NULL;
}

/* What is sent with a statement, but for its number. */
static inline struct bytes recorded_values(const struct bytes *packet)
{
    const size_t start = packet->data[HEAD] == COMMAND_EXECUTE ? HEAD + 5 : packet->length;
    return (struct bytes){packet->data + start, packet->length - start, 0};
}

static inline void recorded_keep(const struct bytes *asked, const struct bytes *said)
{
    struct recorded_statement *statement = asked->length > 0 ? recorded_of(asked, true) : NULL;
    if (statement == NULL || said->length == 0) {
        return;
    }
    if (asked->data[HEAD] == COMMAND_PREPARE) {
        if (said->length >= HEAD + 5 && said->data[HEAD] == 0) {
            statement->prepared.length = 0;
            bytes_add(&statement->prepared, said->data, said->length);
            memcpy(statement->id, said->data + HEAD + 1, 4);
        }
        return;
    }
    const struct bytes values = recorded_values(asked);
    struct recorded_answer *answer = calloc(1, sizeof *answer);
    require(answer != NULL);
    bytes_add(&answer->values, values.data, values.length);
    bytes_add(&answer->said, said->data, said->length);
    answer->next = statement->answers;
    statement->answers = answer;
    statement->answer_count++;
}

/* Stands between both. What the server says belongs to the command before it. */
static inline void recorded_hear(int client)
{
    static struct bytes asked, said, packet;
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    bool is_begun = false;
    asked.length = said.length = 0;
    recorded.greeting.length = recorded.welcome.length = 0;
    require(connect(server, (struct sockaddr *)&recorded.server, sizeof recorded.server) == 0);
    while (poll(both, 2, -1) > 0) {
        unsigned char part[16384];
        if (both[1].revents != 0) {
            const ssize_t got = read(server, part, sizeof part);
            if (got <= 0 || !write_whole(client, part, (size_t)got)) {
                break;
            }
            bytes_add(!is_begun && asked.length == 0 ? &recorded.greeting : &said, part, (size_t)got);
            continue;
        }
        if (!read_packet(client, &packet)) {
            break;
        }
        if (is_begun) {
            recorded_keep(&asked, &said);
        } else if (said.length > 0) {
            bytes_add(&recorded.welcome, said.data, said.length);
            is_begun = true;
        }
        said.length = 0;
        asked.length = 0;
        bytes_add(&asked, packet.data, packet.length);
        if (!write_whole(server, packet.data, packet.length)) {
            break;
        }
    }
    recorded_keep(&asked, &said);
    close(server);
}

/* ---- What is said ---- */

static inline char recorded_next_choice(void)
{
    const char *choices = atomic_load(&recorded.choices);
    if (choices == NULL || *choices == '\0') {
        return '.';
    }
    atomic_store(&recorded.choices, choices + 1);
    return *choices;
}

/* What an input chooses besides an answer that was heard: an error of the server. */
static const struct {
    char choice;
    unsigned short code;
    const char *text;
} recorded_errors[] = {
    {'d', 1062, "#23000Duplicate entry 'x' for key 'PRIMARY'"},
    {'e', 1062, "#23000Duplicate entry 'x' for key 'user_email'"},
    {'k', 1452, "#23000Cannot add or update a child row: a foreign key constraint fails"},
    {'l', 1213, "#40001Deadlock found when trying to get lock; try restarting transaction"},
    {'t', 1205, "#HY000Lock wait timeout exceeded; try restarting transaction"},
    {'f', 1114, "#HY000The table 'user' is full"},
    {'r', 1290, "#HY000The MariaDB server is running with the --read-only option"},
    {'m', 1969, "#70100Query execution was interrupted (max_statement_time exceeded)"},
    {'s', 1146, "#42S02Table 'roster.user' doesn't exist"},
    {'n', 1461, "#42000Can't create more than max_prepared_stmt_count statements"},
    {'y', 1927, "#70100Connection was killed"},
};

static inline bool recorded_say_error(int client, unsigned short code, const char *text)
{
    unsigned char packet[256] = {0, 0, 0, 1, 0xff, (unsigned char)code, (unsigned char)(code >> 8)};
    const size_t length = strlen(text);
    memcpy(packet + HEAD + 3, text, length);
    packet[0] = (unsigned char)(length + 3);
    atomic_fetch_add(&recorded.odd, 1);
    return write_whole(client, packet, HEAD + 3 + length);
}

/* Done, of no row. */
static inline bool recorded_say_done(int client)
{
    static const unsigned char packet[] = {7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
    atomic_fetch_add(&recorded.odd, 1);
    return write_whole(client, packet, sizeof packet);
}

static inline bool recorded_say_prepared(int client, struct recorded_statement *statement)
{
    for (unsigned i = 0; i < recorded.count; i++) {
        if (recorded.statements[i] == statement) {
            statement->prepared.data[HEAD + 1] = (unsigned char)i;
            statement->prepared.data[HEAD + 2] = (unsigned char)(i >> 8);
            statement->prepared.data[HEAD + 3] = statement->prepared.data[HEAD + 4] = 0;
        }
    }
    return write_whole(client, statement->prepared.data, statement->prepared.length);
}

static inline bool recorded_say_answer(int client, const struct recorded_statement *statement,
                                       const struct bytes *packet, char choice)
{
    const struct bytes values = recorded_values(packet);
    const struct recorded_answer *answer = statement->answers;
    if (choice >= '0' && choice <= '9') {
        for (unsigned left = (unsigned)(choice - '0') % statement->answer_count; left > 0; left--) {
            answer = answer->next;
        }
        atomic_fetch_add(&recorded.odd, 1);
    } else {
        while (answer != NULL && !bytes_equal(&answer->values, values.data, values.length)) {
            answer = answer->next;
        }
        if (answer == NULL) { /* times and random numbers are never the same */
            answer = statement->answers;
            atomic_fetch_add(&recorded.guessed, 1);
        }
    }
    if (choice == 'h') { /* goes in the midst of it */
        atomic_fetch_add(&recorded.odd, 1);
        write_whole(client, answer->said.data, answer->said.length / 2);
        return false;
    }
    return write_whole(client, answer->said.data, answer->said.length);
}

/* What is sent when a connection begins: inputs have no say in it, as a connection may begin at any time. */
static inline bool recorded_is_of_beginning(const struct bytes *packet)
{
    const struct text sent = {(const char *)packet->data + HEAD, packet->length - HEAD};
    return packet->data[HEAD] == COMMAND_QUERY && (memmem(sent.data, sent.length, "@@GLOBAL", 8) != NULL ||
                                                   memmem(sent.data, sent.length, "\003SET ", 5) == sent.data ||
                                                   memmem(sent.data, sent.length, "\003SHOW ", 6) == sent.data);
}

/* Answers a command. False: the connection ends. */
static inline bool recorded_answer_command(int client, const struct bytes *packet)
{
    const unsigned char command = packet->length > HEAD ? packet->data[HEAD] : COMMAND_QUIT;
    if (command == COMMAND_QUIT) {
        return false;
    }
    if (command == COMMAND_CLOSE || command == COMMAND_LONG_DATA) {
        return true;
    }
    struct recorded_statement *statement = recorded_of(packet, false);
    if (command == COMMAND_PREPARE && statement != NULL && statement->prepared.length > 0) {
        return recorded_say_prepared(client, statement);
    }
    if (command == COMMAND_PREPARE || command == COMMAND_QUERY || command == COMMAND_EXECUTE) {
        const char choice = recorded_is_of_beginning(packet) ? '.' : recorded_next_choice();
        for (size_t i = 0; i < sizeof recorded_errors / sizeof *recorded_errors; i++) {
            if (choice == recorded_errors[i].choice) {
                return recorded_say_error(client, recorded_errors[i].code, recorded_errors[i].text);
            }
        }
        if (choice == 'g') { /* goes without a word */
            atomic_fetch_add(&recorded.odd, 1);
            return false;
        }
        if (statement != NULL && statement->answers != NULL && command != COMMAND_PREPARE) {
            return recorded_say_answer(client, statement, packet, choice);
        }
        return command == COMMAND_QUERY ? recorded_say_done(client)
                                        : recorded_say_error(client, 1064, "#42000This statement was not heard before");
    }
    return recorded_say_done(client);
}

static inline void recorded_speak(int client)
{
    static struct bytes packet;
    if (!write_whole(client, recorded.greeting.data, recorded.greeting.length) || !read_packet(client, &packet) ||
        !write_whole(client, recorded.welcome.data, recorded.welcome.length)) {
        return;
    }
    while (read_packet(client, &packet) && recorded_answer_command(client, &packet)) {
    }
}

/* One connection after the other, as a worker has only one. */
static inline void *recorded_serve(void *unused)
{
    for (;;) {
        const int client = accept(recorded.listener, NULL, NULL);
        if (client >= 0) {
            if (recorded.speaks) {
                recorded_speak(client);
            } else {
                recorded_hear(client);
            }
            close(client);
        }
    }
    return unused;
}

/* Begins to listen at a socket, and to hear what the server at the other socket says. */
static inline void recorded_start(const char *path, const char *server)
{
    pthread_t thread;
    recorded.address.sun_family = recorded.server.sun_family = AF_UNIX;
    snprintf(recorded.address.sun_path, sizeof recorded.address.sun_path, "%s", path);
    snprintf(recorded.server.sun_path, sizeof recorded.server.sun_path, "%s", server);
    recorded.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    require(bind(recorded.listener, (struct sockaddr *)&recorded.address, sizeof recorded.address) == 0);
    require(listen(recorded.listener, 8) == 0);
    require(pthread_create(&thread, NULL, recorded_serve, NULL) == 0 && pthread_detach(thread) == 0);
}

#endif
