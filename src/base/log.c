/* log.c: a line is composed in a buffer on the stack, and written by one write(2). So several processes can share a
 * file,
 * and logging works without memory or disk space. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/log_line.h"
#include "base/memory.h"

enum {
    VALUE_MAX = 1024,              /* of a field of an access line, escaped */
    SUFFIX_MAX = 256,              /* of each of stage, client and request */
    PATIENCE_MICROSECONDS = 100000 /* timeout of a syslog or a journal that does not read, once */
};

enum sink_kind { SINK_STDERR, SINK_FILE, SINK_SYSLOG, SINK_JOURNAL_SOCKET, SINK_JOURNAL_STREAM, SINK_OFF };

struct sink {
    const char *directive; /* error_log or access_log */
    enum sink_kind kind;
    int fd;
    uint64_t lost; /* number of lines that were not written since the last written one */
    int lost_errno;
    bool is_torn;    /* the last line was written partially */
    bool is_stalled; /* the last datagram timed out */
};

static struct sink error_sink = {"error_log", SINK_STDERR, STDERR_FILENO, 0, 0, false, false};
static struct sink access_sink = {"access_log", SINK_OFF, -1, 0, 0, false, false};
static struct sink audit_sink = {"audit_log", SINK_OFF, -1, 0, 0, false, false};
static enum severity min_severity = LOG_SEVERITY_NOTICE;
static enum log_format line_format = LOG_FORMAT_TEXT;
static const char *process_name = "roster";
static const char *journal_socket = "/run/systemd/journal/socket";
static const char *syslog_socket = "/dev/log";

static const int severity_priorities[] = {LOG_ALERT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

/* `"name":` with the comma before it. False where it does not fit. */
static bool line_add_json_name(struct log_line *line, const char *name)
{
    return (line->length <= 1 || log_line_add(line, ",")) && log_line_add(line, "\"") && log_line_add(line, name) &&
           log_line_add(line, "\":");
}

/* A member, or nothing where it does not fit. */
static void line_add_json_text(struct log_line *line, const char *name, struct text text, size_t max)
{
    size_t start = line->length;

    if (line_add_json_name(line, name) && log_line_add(line, "\"") && line->limit > line->length) {
        line->limit--; /* reserve room for the closing quote */
        log_line_add_escaped(line, text, LOG_ESCAPE_JSON, max);
        line->limit++;
        log_line_add(line, "\"");
    } else {
        line->length = start;
    }
}

static void line_add_json_integer(struct log_line *line, const char *name, int64_t integer)
{
    size_t start = line->length;

    if (!line_add_json_name(line, name) || !log_line_add_integer(line, integer)) {
        line->length = start;
    }
}

enum { TIME_SIZE = 32 };

/* A time as text, which is formatted once a second. */
struct second {
    int64_t seconds; /* 0: none yet */
    size_t length;
    char text[TIME_SIZE];
};

static struct second utc_second, local_second, syslog_second;

/* False where `second` holds the text of this one. */
static bool second_is_new(struct second *second, int64_t seconds)
{
    bool is_new = second->seconds != seconds;
    second->seconds = seconds;
    return is_new;
}

/* A time as "2026-11-24T10:00:00.000Z", valid until the next call. */
static struct text time_utc(int64_t now)
{
    static const char form[] = ".000Z";
    int milliseconds = (int)(now % 1000000 / 1000);
    time_t seconds = (time_t)(now / 1000000);

    if (second_is_new(&utc_second, seconds)) {
        struct tm parts;
        gmtime_r(&seconds, &parts);
        utc_second.length = strftime(utc_second.text, TIME_SIZE - sizeof form, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    char *end = utc_second.text + utc_second.length;
    memcpy(end, form, sizeof form);
    end[1] = (char)('0' + milliseconds / 100);
    end[2] = (char)('0' + milliseconds / 10 % 10);
    end[3] = (char)('0' + milliseconds % 10);
    return (struct text){utc_second.text, utc_second.length + sizeof form - 1};
}

static void add_time_local(struct log_line *line)
{
    time_t seconds = (time_t)clock_wall_seconds();

    if (second_is_new(&local_second, seconds)) {
        struct tm parts;
        localtime_r(&seconds, &parts);
        local_second.length = strftime(local_second.text, TIME_SIZE, "%Y/%m/%d %H:%M:%S", &parts);
    }
    log_line_add_bytes(line, local_second.text, local_second.length);
}

/* RFC 3164, section 4.1.2: "Nov 24 10:00:00". */
static struct text time_syslog(void)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)clock_wall_seconds();

    if (second_is_new(&syslog_second, seconds)) {
        struct tm parts;
        localtime_r(&seconds, &parts);
        syslog_second.length = (size_t)snprintf(syslog_second.text, TIME_SIZE, "%s %2d %02d:%02d:%02d",
                                                months[(unsigned)parts.tm_mon % 12], parts.tm_mday % 100,
                                                parts.tm_hour % 100, parts.tm_min % 100, parts.tm_sec % 100);
    }
    return (struct text){syslog_second.text, syslog_second.length};
}

/* Where lines go. */

static bool write_fd(struct sink *sink, const char *data, size_t length)
{
    ssize_t written;
    size_t done = 0;

    if (sink->is_torn) {
        if (write(sink->fd, "\n", 1) != 1) {
            goto failed;
        }
        sink->is_torn = false;
    }
    while (done < length) {
        written = write(sink->fd, data + done, length - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            goto failed;
        }
        done += (size_t)written;
    }
    return true;

failed:
    if (done > 0) {
        sink->is_torn = true;
    }
    return false;
}

/* Connects a datagram socket to `path`. -1 with errno set. */
static int connect_datagrams(const char *path)
{
    const struct timeval patience = {0, PATIENCE_MICROSECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int saved_errno = errno;
        close(fd);
        errno = saved_errno;
        fd = -1;
    }
    return fd;
}

static const char *socket_of(enum sink_kind kind)
{
    return kind == SINK_SYSLOG ? syslog_socket : journal_socket;
}

/* Connects to the new socket of a daemon that was restarted. */
static bool connect_again(const struct sink *sink)
{
    int fd = connect_datagrams(socket_of(sink->kind));
    bool is_done = fd >= 0 && dup3(fd, sink->fd, O_CLOEXEC) >= 0;

    if (fd >= 0) {
        close(fd);
    }
    return is_done;
}

/* Sends a datagram. A daemon that does not read delays the process by one timeout, and not again until it reads. */
static bool send_datagram(struct sink *sink, struct iovec *parts, size_t count)
{
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = count};
    bool is_new = false;

    while (sendmsg(sink->fd, &datagram, MSG_NOSIGNAL | (sink->is_stalled ? MSG_DONTWAIT : 0)) < 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN) {
            sink->is_stalled = true;
        }
        if (errno == EAGAIN || errno == EMSGSIZE || is_new || !connect_again(sink)) {
            return false;
        }
        is_new = true;
    }
    sink->is_stalled = false;
    return true;
}

/* The native protocol of the journal: a datagram of NAME=value lines. Values are escaped, so they hold no line ends. */
static bool send_journal(struct sink *sink, int priority, const struct log_line *message, const struct log_line *fields)
{
    char head[64];
    struct iovec parts[4] = {
        {head, (size_t)snprintf(head, sizeof head, "PRIORITY=%d\nSYSLOG_IDENTIFIER=roster\nMESSAGE=", priority)},
        {(void *)(uintptr_t)message->data, message->length},
        {(void *)(uintptr_t)"\n", 1},
        {(void *)(uintptr_t)fields->data, fields->length},
    };

    return send_datagram(sink, parts, 4);
}

/* RFC 3164, section 4.1, without the host name, as syslog(3) sends it to a daemon on the same machine. */
static bool send_syslog(struct sink *sink, int priority, const struct log_line *message)
{
    char head[64];

    snprintf(head, sizeof head, "<%d>%s roster[%ld]: ", LOG_DAEMON | priority, time_syslog().data, (long)getpid());
    return send_datagram(
        sink, (struct iovec[]){{head, strlen(head)}, {(void *)(uintptr_t)message->data, message->length}}, 2);
}

/* Writes a line. The caller leaves room for the line end. `fields` are for the socket of the journal. */
static void emit(struct sink *sink, int priority, struct log_line *line, const struct log_line *fields)
{
    bool is_written = true;

    switch (sink->kind) {
    case SINK_OFF:
        return;
    case SINK_SYSLOG:
        is_written = send_syslog(sink, priority, line);
        break;
    case SINK_JOURNAL_SOCKET:
        is_written = send_journal(sink, priority, line, fields);
        break;
    case SINK_STDERR:
    case SINK_FILE:
    case SINK_JOURNAL_STREAM:
        line->data[line->length] = '\n';
        is_written = write_fd(sink, line->data, line->length + 1);
        break;
    }
    if (!is_written) {
        sink->lost++;
        sink->lost_errno = errno;
    } else if (sink->lost > 0) {
        uint64_t lost = sink->lost;
        sink->lost = 0;
        log_warning(NULL, "%s: %" PRIu64 " lines before this one could not be written and are lost: %s",
                    sink->directive, lost, strerror(sink->lost_errno));
    }
}

/* True where the destination adds time and severity itself. */
static bool has_own_head(const struct sink *sink)
{
    return sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNAL_SOCKET || sink->kind == SINK_JOURNAL_STREAM;
}

static void line_start(struct log_line *line, const struct sink *sink, int priority)
{
    log_line_init(line, LOG_LINE_SIZE - 1);
    if (sink->kind == SINK_JOURNAL_STREAM) {
        log_line_add_format(line, "<%d>", priority);
    }
}

static void add_suffix(struct log_line *suffix, const char *intro, const char *string)
{
    if (string == NULL) {
        return;
    }
    log_line_add(suffix, intro);
    log_line_add_escaped(suffix, text_of(string), LOG_ESCAPE_PLAIN, SUFFIX_MAX);
}

static void format_error_text(struct log_line *line, const struct sink *sink, const struct context *context,
                              enum severity severity, struct text message)
{
    struct log_line suffix;

    log_line_init(&suffix, sizeof suffix.data);
    if (context != NULL) {
        add_suffix(&suffix, " while ", context->stage);
        add_suffix(&suffix, ", client: ", context->client_address);
        add_suffix(&suffix, ", request: ", context->request_id);
    }
    if (!has_own_head(sink)) {
        add_time_local(line);
        log_line_add(line, " ");
    }
    log_line_add_format(line, "[%s] %ld#%s: ", enum_word(severity_words, (int)severity), (long)getpid(), process_name);
    line->limit -= suffix.length;
    log_line_add_escaped(line, message, LOG_ESCAPE_PLAIN, LOG_LINE_SIZE);
    line->limit += suffix.length;
    log_line_add_bytes(line, suffix.data, suffix.length);
}

/* Begins a JSON object for the end of `line`, with room for its closing brace. */
static void line_begin_object(struct log_line *object, const struct log_line *line, int64_t now)
{
    log_line_init(object, line->limit - line->length - 1);
    log_line_add(object, "{");
    line_add_json_text(object, "time", time_utc(now), SUFFIX_MAX);
}

static void line_end_object(struct log_line *line, const struct log_line *object)
{
    log_line_add_bytes(line, object->data, object->length);
    log_line_add(line, "}");
}

static void format_error_json(struct log_line *line, const struct context *context, enum severity severity,
                              struct text message)
{
    struct log_line object;

    line_begin_object(&object, line, clock_wall_microseconds());
    line_add_json_text(&object, "severity", text_of(enum_word(severity_words, (int)severity)), SUFFIX_MAX);
    line_add_json_integer(&object, "pid", getpid());
    line_add_json_text(&object, "process", text_of(process_name), SUFFIX_MAX);
    if (context != NULL && context->stage != NULL) {
        line_add_json_text(&object, "stage", text_of(context->stage), SUFFIX_MAX);
    }
    if (context != NULL && context->client_address != NULL) {
        line_add_json_text(&object, "client", text_of(context->client_address), SUFFIX_MAX);
    }
    if (context != NULL && context->request_id != NULL) {
        line_add_json_text(&object, "request", text_of(context->request_id), SUFFIX_MAX);
    }
    line_add_json_text(&object, "message", message, LOG_LINE_SIZE);
    line_end_object(line, &object);
}

static void add_journal_field(struct log_line *fields, const char *name, struct text text)
{
    size_t start = fields->length;

    if (!log_line_add(fields, "ROSTER_")) {
        return;
    }
    for (; *name != '\0'; name++) {
        char byte = ascii_is_letter(*name) || ascii_is_digit(*name) ? ascii_to_upper(*name) : '_';
        log_line_add_bytes(fields, &byte, 1);
    }
    if (fields->limit - fields->length < VALUE_MAX + 2) {
        fields->length = start;
        return;
    }
    log_line_add(fields, "=");
    log_line_add_escaped(fields, text, LOG_ESCAPE_PLAIN, VALUE_MAX);
    log_line_add(fields, "\n");
}

void log_write(const struct context *context, enum severity severity, const char *format, ...)
{
    int saved_errno = errno;
    int priority = severity_priorities[severity];

    if (severity > min_severity) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char message[LOG_LINE_SIZE];
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct text text;
    text.data = message;
    text.length = length < 0 ? 0 : (size_t)length;
    if (text.length >= sizeof message) {
        text.length = sizeof message - 1; /* longer than any line: it is truncated below */
    }

    struct log_line line;
    line_start(&line, &error_sink, priority);
    if (line_format == LOG_FORMAT_JSON) {
        format_error_json(&line, context, severity, text);
    } else {
        format_error_text(&line, &error_sink, context, severity, text);
    }

    struct log_line fields;
    log_line_init(&fields, sizeof fields.data);
    if (error_sink.kind == SINK_JOURNAL_SOCKET) {
        add_journal_field(&fields, "PROCESS", text_of(process_name));
        if (context != NULL && context->stage != NULL) {
            add_journal_field(&fields, "STAGE", text_of(context->stage));
        }
        if (context != NULL && context->client_address != NULL) {
            add_journal_field(&fields, "CLIENT", text_of(context->client_address));
        }
        if (context != NULL && context->request_id != NULL) {
            add_journal_field(&fields, "REQUEST", text_of(context->request_id));
        }
    }
    emit(&error_sink, priority, &line, &fields);
    errno = saved_errno;
}

static void add_access_field(struct log_line *line, const char *separator, const struct log_field *field)
{
    size_t start = line->length;
    bool is_good = log_line_add(line, separator) && log_line_add(line, field->name) && log_line_add(line, "=");

    if (field->text.data == NULL) {
        is_good = is_good && log_line_add_integer(line, field->integer);
    } else if (field->text.length <= VALUE_MAX && log_is_bare(field->text)) {
        is_good = is_good && line->limit - line->length >= VALUE_MAX &&
                  log_line_add_bytes(line, field->text.data, field->text.length);
    } else if (log_needs_quotes(field->text)) {
        is_good = is_good && log_line_add(line, "\"") && line->limit - line->length > VALUE_MAX;
        if (is_good) {
            log_line_add_escaped(line, field->text, LOG_ESCAPE_QUOTED, VALUE_MAX - 1);
            log_line_add(line, "\"");
        }
    } else {
        is_good = is_good && line->limit - line->length >= VALUE_MAX;
        if (is_good) {
            log_line_add_escaped(line, field->text, LOG_ESCAPE_PLAIN, VALUE_MAX);
        }
    }
    if (!is_good) {
        line->length = start;
    }
}

static void format_access_text(struct log_line *line, const struct sink *sink, int64_t now,
                               const struct log_field *fields, size_t count)
{
    const char *separator = "";

    if (!has_own_head(sink)) {
        log_line_add(line, "time=");
        struct text time = time_utc(now);
        log_line_add_bytes(line, time.data, time.length);
        separator = " ";
    }
    for (size_t i = 0; i < count; i++) {
        add_access_field(line, separator, &fields[i]);
        separator = " ";
    }
}

static void format_access_json(struct log_line *line, int64_t now, const struct log_field *fields, size_t count)
{
    struct log_line object;

    line_begin_object(&object, line, now);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text.data == NULL) {
            line_add_json_integer(&object, fields[i].name, fields[i].integer);
        } else {
            line_add_json_text(&object, fields[i].name, fields[i].text, VALUE_MAX);
        }
    }
    line_end_object(line, &object);
}

static void write_fields(struct sink *sink, int priority, int64_t now, const struct log_field *fields, size_t count)
{
    int saved_errno = errno;

    if (sink->kind == SINK_OFF) {
        return;
    }
    struct log_line line;
    line_start(&line, sink, priority);
    if (line_format == LOG_FORMAT_JSON) {
        format_access_json(&line, now, fields, count);
    } else {
        format_access_text(&line, sink, now, fields, count);
    }

    struct log_line journal_fields;
    log_line_init(&journal_fields, sizeof journal_fields.data);
    char digits[32];
    for (size_t i = 0; sink->kind == SINK_JOURNAL_SOCKET && i < count; i++) {
        if (fields[i].text.data == NULL) {
            snprintf(digits, sizeof digits, "%" PRId64, fields[i].integer);
        }
        add_journal_field(&journal_fields, fields[i].name,
                          fields[i].text.data != NULL ? fields[i].text : text_of(digits));
    }
    emit(sink, priority, &line, &journal_fields);
    errno = saved_errno;
}

void log_access(int64_t now, const struct log_field *fields, size_t count)
{
    write_fields(&access_sink, LOG_INFO, now, fields, count);
}

void log_audit(int64_t now, const struct log_field *fields, size_t count)
{
    write_fields(&audit_sink, LOG_NOTICE, now, fields, count);
}

/* Opening. */

/* True where standard error is connected to the journal (JOURNAL_STREAM in systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    struct stat status;

    if (journal == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    char own[64];
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(journal, own) == 0;
}

static int (*file_opener)(const char *path, int flags, mode_t mode);

void log_set_file_opener(int (*open_file)(const char *path, int flags, mode_t mode))
{
    file_opener = open_file;
}

/* Opens the destination `name`. False with errno set. */
static bool sink_open(struct sink *sink, const char *name)
{
    sink->fd = -1;
    if (strcmp(name, "off") == 0) {
        sink->kind = SINK_OFF;
    } else if (strcmp(name, "stderr") == 0 && !stderr_is_journal()) {
        sink->kind = SINK_STDERR;
        sink->fd = STDERR_FILENO;
    } else if (strcmp(name, "syslog") == 0) {
        sink->kind = SINK_SYSLOG;
        sink->fd = connect_datagrams(syslog_socket);
        return sink->fd >= 0;
    } else if (strcmp(name, "journal") == 0 || strcmp(name, "stderr") == 0) {
        /* The socket of the journal accepts fields; the stream accepts only lines. */
        sink->kind = SINK_JOURNAL_SOCKET;
        sink->fd = connect_datagrams(journal_socket);
        if (sink->fd < 0 && getenv("JOURNAL_STREAM") != NULL) {
            sink->kind = SINK_JOURNAL_STREAM;
            sink->fd = STDERR_FILENO;
        }
        return sink->fd >= 0;
    } else {
        /* O_NONBLOCK: a FIFO without a reader must not block the process. */
        sink->kind = SINK_FILE;
        int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        if (geteuid() == 0) {
            flags |= O_NOFOLLOW; /* the directory may belong to the workers' user: do not follow links there as root */
        }
        sink->fd = file_opener != NULL ? file_opener(name, flags, 0640) : open(name, flags, 0640);
        return sink->fd >= 0;
    }
    return true;
}

static void sink_close(struct sink *sink)
{
    if (sink->fd > STDERR_FILENO) {
        close(sink->fd);
    }
    sink->fd = -1;
}

/* The time of the last line of each topic, as in log_due; 0: never. From the first log_open on this memory is shared
 * with
 * child processes. */
static _Atomic int64_t own_topics[LOG_TOPIC_COUNT];
static _Atomic int64_t *topics = own_topics;

static void share_topics(void)
{
    if (topics == own_topics) {
        void *shared = mmap(NULL, sizeof own_topics, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared != MAP_FAILED) {
            topics = shared;
        }
    }
}

static void report_exhausted_memory(size_t size)
{
    log_alert(NULL, "out of memory: %zu bytes requested; this process exits", size);
}

/* After sink_open has failed. False. */
static bool refuse_target(const char *directive, const char *name, struct error *error)
{
    return error_set(error, "%s: %s can't be opened for writing: %s", directive,
                     strcmp(name, "journal") == 0  ? journal_socket
                     : strcmp(name, "syslog") == 0 ? syslog_socket
                                                   : name,
                     strerror(errno));
}

bool log_open(const char *error_log, const char *access_log, enum severity min, enum log_format format,
              struct error *error)
{
    struct sink new_error = {.directive = "error_log", .fd = -1};
    struct sink new_access = {.directive = "access_log", .fd = -1};
    const char *name = error_log;
    bool is_open = sink_open(&new_error, error_log);
    memory_report_with(report_exhausted_memory);

    if (is_open) {
        name = access_log;
        is_open = sink_open(&new_access, access_log);
    }
    if (!is_open) {
        refuse_target(name == error_log ? "error_log" : "access_log", name, error);
        sink_close(&new_error);
        sink_close(&new_access);
        return false;
    }
    sink_close(&error_sink);
    sink_close(&access_sink);
    error_sink = new_error;
    access_sink = new_access;
    min_severity = min;
    line_format = format;
    share_topics();
    tzset();
    local_second.seconds = syslog_second.seconds = 0; /* the time zone may be another one */
    return true;
}

bool log_open_audit(const char *audit_log, struct error *error)
{
    struct sink new_audit = {.directive = "audit_log", .fd = -1};
    if (!sink_open(&new_audit, audit_log)) {
        refuse_target("audit_log", audit_log, error);
        sink_close(&new_audit);
        return false;
    }
    sink_close(&audit_sink);
    audit_sink = new_audit;
    return true;
}

void log_set_process(const char *name)
{
    process_name = name;
}

bool log_due(int64_t *last_seconds, int64_t seconds)
{
    /* Plus one, since 0 means never. */
    int64_t now = clock_monotonic_microseconds() / 1000000 + 1;

    if (*last_seconds != 0 && now - *last_seconds < seconds) {
        return false;
    }
    *last_seconds = now;
    return true;
}

bool log_topic_due(enum log_topic topic, int64_t seconds)
{
    int64_t now = clock_monotonic_microseconds() / 1000000 + 1;
    int64_t last = atomic_load(&topics[topic]);

    return (last == 0 || now - last >= seconds) && atomic_compare_exchange_strong(&topics[topic], &last, now);
}

bool log_topic_end(enum log_topic topic)
{
    return atomic_load(&topics[topic]) != 0 && atomic_exchange(&topics[topic], 0) != 0;
}

int64_t log_topic_age(enum log_topic topic)
{
    int64_t last = atomic_load(&topics[topic]);
    return last == 0 ? -1 : clock_monotonic_microseconds() / 1000000 + 1 - last;
}

void log_invariant_failed(const char *condition, const char *file, int line)
{
    log_alert(NULL, "%s:%d: assertion failed, please report this bug: %s", file, line, condition);
    abort();
}
