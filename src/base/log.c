/* log.c: lines are put together in a fixed block on the stack and leave in one write(2), so that several processes
 * may share a file, and logging works where memory or disk do not. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

#include "base/clock.h"
#include "base/context.h"

enum {
    LINE_SIZE = 8192,  /* of a line, with its line end */
    VALUE_MOST = 1024, /* of a field of an access line, escaped */
    SUFFIX_MOST = 256, /* of each of stage, client and request */
    PATIENCE_MICROSECONDS = 100000 /* with a syslog or a journal that does not read, once */
};

enum sink_kind { SINK_STDERR, SINK_FILE, SINK_SYSLOG, SINK_JOURNAL_SOCKET, SINK_JOURNAL_STREAM, SINK_OFF };

struct sink {
    const char *directive; /* whose lines these are */
    enum sink_kind kind;
    int fd;
    uint64_t lost; /* lines that could not be written since the last that could */
    int lost_errno;
    bool is_torn;    /* the last line was written in part */
    bool is_stalled; /* nobody read the last datagram in time */
};

static struct sink error_sink = {"error_log", SINK_STDERR, STDERR_FILENO, 0, 0, false, false};
static struct sink access_sink = {"access_log", SINK_OFF, -1, 0, 0, false, false};
static enum severity least_severity = LOG_SEVERITY_NOTICE;
static enum log_format line_format = LOG_FORMAT_TEXT;
static const char *process_name = "roster";
static const char *journal_socket = "/run/systemd/journal/socket";
static const char *syslog_socket = "/dev/log";

static const char *const severity_names[] = {"alert", "error", "warning", "notice", "info", "debug"};
static const int severity_priorities[] = {LOG_ALERT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

/* A line, or a part of one, that is being put together. What does not fit is left out. */
struct line {
    char data[LINE_SIZE];
    size_t length;
    size_t limit; /* at most sizeof data */
};

enum escaping { ESCAPE_PLAIN, ESCAPE_QUOTED, ESCAPE_JSON };

static void line_init(struct line *line, size_t limit)
{
    line->length = 0;
    line->limit = limit;
}

static bool line_add_bytes(struct line *line, const char *bytes, size_t length)
{
    if (length > line->limit - line->length)
        return false;
    memcpy(line->data + line->length, bytes, length);
    line->length += length;
    return true;
}

static bool line_add(struct line *line, const char *string)
{
    return line_add_bytes(line, string, strlen(string));
}

static bool __attribute__((format(printf, 2, 3))) line_add_format(struct line *line, const char *format, ...)
{
    char part[256];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    return length > 0 && line_add_bytes(line, part, (size_t)length < sizeof part ? (size_t)length : sizeof part - 1);
}

/* The length of the UTF-8 sequence at `bytes` (RFC 3629), or 0 where it is none. */
static size_t utf8_length(const unsigned char *bytes, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character;
    size_t size, i;

    if (bytes[0] < 0x80)
        return 1;
    size = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || size > length)
        return 0;
    character = bytes[0] & (0xffu >> (size + 1));
    for (i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (bytes[i] & 0x3f);
    }
    if (character < smallest[size] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return 0;
    return size;
}

/* The next character of `bytes` as it goes into the log, in `out`, and how many bytes it was. Control characters
 * (also those of two bytes, U+0080 to U+009F, which terminals obey) and bytes that are no UTF-8 become \xHH. */
static size_t escape_character(const unsigned char *bytes, size_t length, enum escaping escaping, char out[static 16])
{
    size_t size = utf8_length(bytes, length);
    unsigned char byte = bytes[0];

    if (size == 0) {
        snprintf(out, 16, escaping == ESCAPE_JSON ? "\\\\x%02X" : "\\x%02X", byte);
        return 1;
    }
    if (byte < 0x20 || byte == 0x7f) {
        snprintf(out, 16, escaping == ESCAPE_JSON ? "\\u%04x" : "\\x%02X", byte);
        return 1;
    }
    if (byte == 0xc2 && bytes[1] < 0xa0) {
        if (escaping == ESCAPE_JSON)
            snprintf(out, 16, "\\u%04x", bytes[1]);
        else
            snprintf(out, 16, "\\x%02X\\x%02X", byte, bytes[1]);
        return 2;
    }
    if (escaping != ESCAPE_PLAIN && (byte == '"' || byte == '\\')) {
        snprintf(out, 16, "\\%c", byte);
        return 1;
    }
    memcpy(out, bytes, size);
    out[size] = '\0';
    return size;
}

/* Adds escaped text of at most `most` bytes; what is longer is cut and ends in "…". */
static void line_add_escaped(struct line *line, struct text text, enum escaping escaping, size_t most)
{
    static const char ellipsis[] = "…";
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t room = line->limit - line->length;
    size_t cut, end, offset = 0;
    char out[16];

    if (room > most)
        room = most;
    end = line->length + room;
    cut = line->length; /* where the ellipsis may go */
    while (offset < text.length) {
        offset += escape_character(bytes + offset, text.length - offset, escaping, out);
        if (line->length + strlen(out) > end) {
            line->length = cut;
            if (room >= sizeof ellipsis - 1)
                line_add(line, ellipsis);
            return;
        }
        line_add(line, out);
        if (line->length + sizeof ellipsis - 1 <= end)
            cut = line->length;
    }
}

/* `"name":"text"` with the comma before it, or nothing where it does not fit. */
static void line_add_json_text(struct line *line, const char *name, struct text text, size_t most)
{
    size_t start = line->length;

    if (start > 1 && !line_add(line, ","))
        return;
    if (line_add_format(line, "\"%s\":\"", name) && line->limit > line->length) {
        line->limit--; /* the closing quote has its place */
        line_add_escaped(line, text, ESCAPE_JSON, most);
        line->limit++;
        line_add(line, "\"");
    } else {
        line->length = start;
    }
}

static void line_add_json_integer(struct line *line, const char *name, int64_t integer)
{
    size_t start = line->length;

    if (start > 1 && !line_add(line, ","))
        return;
    if (!line_add_format(line, "\"%s\":%" PRId64, name, integer))
        line->length = start;
}

static void add_time_utc(struct line *line)
{
    int64_t now = clock_wall_microseconds();
    time_t seconds = (time_t)(now / 1000000);
    struct tm parts;
    char text[32];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    line_add_format(line, "%s.%03dZ", text, (int)(now % 1000000 / 1000));
}

static void add_time_local(struct line *line)
{
    time_t seconds = (time_t)clock_wall_seconds();
    struct tm parts;
    char text[32];

    localtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y/%m/%d %H:%M:%S", &parts);
    line_add(line, text);
}

/* Where lines go. */

static bool write_fd(struct sink *sink, const char *data, size_t length)
{
    ssize_t written;
    size_t done = 0;

    if (sink->is_torn) {
        if (write(sink->fd, "\n", 1) != 1)
            goto failed;
        sink->is_torn = false;
    }
    while (done < length) {
        written = write(sink->fd, data + done, length - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            goto failed;
        done += (size_t)written;
    }
    return true;

failed:
    if (done > 0)
        sink->is_torn = true;
    return false;
}

/* A datagram socket that is connected to `path`, or -1 with errno set. */
static int connect_datagrams(const char *path)
{
    const struct timeval patience = {0, PATIENCE_MICROSECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
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

/* The daemon was restarted, and has another socket now. */
static bool connect_again(const struct sink *sink)
{
    int fd = connect_datagrams(socket_of(sink->kind));
    bool is_done = fd >= 0 && dup3(fd, sink->fd, O_CLOEXEC) >= 0;

    if (fd >= 0)
        close(fd);
    return is_done;
}

/* A daemon that does not read holds us up once, and not again before it reads: requests must not wait for a log. */
static bool send_datagram(struct sink *sink, struct iovec *parts, size_t count)
{
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = count};
    bool is_new = false;

    while (sendmsg(sink->fd, &datagram, MSG_NOSIGNAL | (sink->is_stalled ? MSG_DONTWAIT : 0)) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            sink->is_stalled = true;
        if (errno == EAGAIN || errno == EMSGSIZE || is_new || !connect_again(sink))
            return false;
        is_new = true;
    }
    sink->is_stalled = false;
    return true;
}

/* The journal's own protocol: fields of the form NAME=value in one datagram. No value holds a line end: all are
 * escaped. */
static bool send_journal(struct sink *sink, int priority, const struct line *message, const struct line *fields)
{
    char head[64];
    struct iovec parts[4] = {
        {head, (size_t)snprintf(head, sizeof head, "PRIORITY=%d\nSYSLOG_IDENTIFIER=roster\nMESSAGE=", priority)},
        {(void *)(uintptr_t)message->data, message->length},
        {(void *)(uintptr_t) "\n", 1},
        {(void *)(uintptr_t)fields->data, fields->length},
    };

    return send_datagram(sink, parts, 4);
}

/* RFC 3164, section 4.1, as syslog(3) sends it to a daemon on this machine, which knows the name of the host itself. */
static bool send_syslog(struct sink *sink, int priority, const struct line *message)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)clock_wall_seconds();
    struct tm parts;
    char head[64];

    localtime_r(&seconds, &parts);
    snprintf(head, sizeof head, "<%d>%s %2d %02d:%02d:%02d roster[%ld]: ", LOG_DAEMON | priority,
             months[(unsigned)parts.tm_mon % 12], parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (long)getpid());
    return send_datagram(
        sink, (struct iovec[]){{head, strlen(head)}, {(void *)(uintptr_t)message->data, message->length}}, 2);
}

/* One line, without its line end, for which the caller has left room. `fields` are for the journal's socket. */
static void emit(struct sink *sink, int priority, struct line *line, const struct line *fields)
{
    bool is_written = true;
    uint64_t lost;

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
        lost = sink->lost;
        sink->lost = 0;
        log_warning(NULL, "%s: %" PRIu64 " lines before this one could not be written and are lost: %s",
                    sink->directive, lost, strerror(sink->lost_errno));
    }
}

/* What a line starts with where the sink says nothing of time and severity itself. */
static bool has_own_head(const struct sink *sink)
{
    return sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNAL_SOCKET || sink->kind == SINK_JOURNAL_STREAM;
}

static void line_start(struct line *line, const struct sink *sink, int priority)
{
    line_init(line, LINE_SIZE - 1);
    if (sink->kind == SINK_JOURNAL_STREAM)
        line_add_format(line, "<%d>", priority);
}

static void add_suffix(struct line *suffix, const char *intro, const char *string)
{
    if (string == NULL)
        return;
    line_add(suffix, intro);
    line_add_escaped(suffix, text_of(string), ESCAPE_PLAIN, SUFFIX_MOST);
}

static void format_error_text(struct line *line, const struct sink *sink, const struct context *context,
                              enum severity severity, struct text message)
{
    struct line suffix;

    line_init(&suffix, sizeof suffix.data);
    if (context != NULL) {
        add_suffix(&suffix, " while ", context->stage);
        add_suffix(&suffix, ", client: ", context->client_address);
        add_suffix(&suffix, ", request: ", context->request_id);
    }
    if (!has_own_head(sink)) {
        add_time_local(line);
        line_add(line, " ");
    }
    line_add_format(line, "[%s] %ld#%s: ", severity_names[severity], (long)getpid(), process_name);
    line->limit -= suffix.length;
    line_add_escaped(line, message, ESCAPE_PLAIN, LINE_SIZE);
    line->limit += suffix.length;
    line_add_bytes(line, suffix.data, suffix.length);
}

static void format_error_json(struct line *line, const struct context *context, enum severity severity,
                              struct text message)
{
    size_t start = line->length;
    struct line object;

    line_init(&object, line->limit - start - 1);
    line_add(&object, "{\"time\":\"");
    add_time_utc(&object);
    line_add(&object, "\"");
    line_add_json_text(&object, "severity", text_of(severity_names[severity]), SUFFIX_MOST);
    line_add_json_integer(&object, "pid", getpid());
    line_add_json_text(&object, "process", text_of(process_name), SUFFIX_MOST);
    if (context != NULL && context->stage != NULL)
        line_add_json_text(&object, "stage", text_of(context->stage), SUFFIX_MOST);
    if (context != NULL && context->client_address != NULL)
        line_add_json_text(&object, "client", text_of(context->client_address), SUFFIX_MOST);
    if (context != NULL && context->request_id != NULL)
        line_add_json_text(&object, "request", text_of(context->request_id), SUFFIX_MOST);
    line_add_json_text(&object, "message", message, LINE_SIZE);
    line_add_bytes(line, object.data, object.length);
    line_add(line, "}");
}

static void add_journal_field(struct line *fields, const char *name, struct text text)
{
    size_t start = fields->length;

    if (!line_add(fields, "ROSTER_"))
        return;
    for (; *name != '\0'; name++) {
        char byte = *name;
        if (byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 'a' + 'A');
        else if (!((byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')))
            byte = '_';
        line_add_bytes(fields, &byte, 1);
    }
    if (fields->limit - fields->length < VALUE_MOST + 2) {
        fields->length = start;
        return;
    }
    line_add(fields, "=");
    line_add_escaped(fields, text, ESCAPE_PLAIN, VALUE_MOST);
    line_add(fields, "\n");
}

void log_write(const struct context *context, enum severity severity, const char *format, ...)
{
    int saved_errno = errno;
    int priority = severity_priorities[severity];
    char message[LINE_SIZE];
    struct line line, fields;
    struct text text;
    va_list arguments;
    int length;

    if (severity > least_severity)
        return;
    va_start(arguments, format);
    length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    text.data = message;
    text.length = length < 0 ? 0 : (size_t)length;
    if (text.length >= sizeof message)
        text.length = sizeof message - 1; /* longer than any line: it is cut below */

    line_start(&line, &error_sink, priority);
    if (line_format == LOG_FORMAT_JSON)
        format_error_json(&line, context, severity, text);
    else
        format_error_text(&line, &error_sink, context, severity, text);

    line_init(&fields, sizeof fields.data);
    if (error_sink.kind == SINK_JOURNAL_SOCKET) {
        add_journal_field(&fields, "PROCESS", text_of(process_name));
        if (context != NULL && context->stage != NULL)
            add_journal_field(&fields, "STAGE", text_of(context->stage));
        if (context != NULL && context->client_address != NULL)
            add_journal_field(&fields, "CLIENT", text_of(context->client_address));
        if (context != NULL && context->request_id != NULL)
            add_journal_field(&fields, "REQUEST", text_of(context->request_id));
    }
    emit(&error_sink, priority, &line, &fields);
    errno = saved_errno;
}

/* A value that holds anything which would make the line ambiguous stands in quotes. */
static bool needs_quotes(struct text text)
{
    size_t i;

    for (i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr("\"\\=", text.data[i]) != NULL)
            return true;
    return text.length == 0;
}

static void add_access_field(struct line *line, const char *separator, const struct log_field *field)
{
    size_t start = line->length;
    bool is_good;

    line_add(line, separator);
    if (field->text.data == NULL) {
        is_good = line_add_format(line, "%s=%" PRId64, field->name, field->integer);
    } else if (needs_quotes(field->text)) {
        is_good = line_add_format(line, "%s=\"", field->name) && line->limit - line->length > VALUE_MOST;
        if (is_good) {
            line_add_escaped(line, field->text, ESCAPE_QUOTED, VALUE_MOST - 1);
            line_add(line, "\"");
        }
    } else {
        is_good = line_add_format(line, "%s=", field->name) && line->limit - line->length >= VALUE_MOST;
        if (is_good)
            line_add_escaped(line, field->text, ESCAPE_PLAIN, VALUE_MOST);
    }
    if (!is_good)
        line->length = start;
}

static void format_access_text(struct line *line, const struct sink *sink, const struct log_field *fields, size_t count)
{
    const char *separator = "";
    size_t i;

    if (!has_own_head(sink)) {
        line_add(line, "time=");
        add_time_utc(line);
        separator = " ";
    }
    for (i = 0; i < count; i++) {
        add_access_field(line, separator, &fields[i]);
        separator = " ";
    }
}

static void format_access_json(struct line *line, const struct log_field *fields, size_t count)
{
    struct line object;
    size_t i;

    line_init(&object, line->limit - line->length - 1);
    line_add(&object, "{\"time\":\"");
    add_time_utc(&object);
    line_add(&object, "\"");
    for (i = 0; i < count; i++) {
        if (fields[i].text.data == NULL)
            line_add_json_integer(&object, fields[i].name, fields[i].integer);
        else
            line_add_json_text(&object, fields[i].name, fields[i].text, VALUE_MOST);
    }
    line_add_bytes(line, object.data, object.length);
    line_add(line, "}");
}

void log_access(const struct log_field *fields, size_t count)
{
    int saved_errno = errno;
    struct line line, journal_fields;
    char digits[32];
    size_t i;

    if (access_sink.kind == SINK_OFF)
        return;
    line_start(&line, &access_sink, LOG_INFO);
    if (line_format == LOG_FORMAT_JSON)
        format_access_json(&line, fields, count);
    else
        format_access_text(&line, &access_sink, fields, count);

    line_init(&journal_fields, sizeof journal_fields.data);
    for (i = 0; access_sink.kind == SINK_JOURNAL_SOCKET && i < count; i++) {
        if (fields[i].text.data == NULL)
            snprintf(digits, sizeof digits, "%" PRId64, fields[i].integer);
        add_journal_field(&journal_fields, fields[i].name,
                          fields[i].text.data != NULL ? fields[i].text : text_of(digits));
    }
    emit(&access_sink, LOG_INFO, &line, &journal_fields);
    errno = saved_errno;
}

/* Opening. */

/* Whether systemd has made the journal our standard error (see JOURNAL_STREAM in systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (journal == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(journal, own) == 0;
}

/* Opens what `name` says into *sink. False with errno set. */
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
        /* The journal's own socket takes fields; the stream to it only lines. */
        sink->kind = SINK_JOURNAL_SOCKET;
        sink->fd = connect_datagrams(journal_socket);
        if (sink->fd < 0 && getenv("JOURNAL_STREAM") != NULL) {
            sink->kind = SINK_JOURNAL_STREAM;
            sink->fd = STDERR_FILENO;
        }
        return sink->fd >= 0;
    } else {
        /* O_NONBLOCK is for a FIFO that nobody reads: it must neither hold us here nor later. */
        sink->kind = SINK_FILE;
        int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        if (geteuid() == 0)
            flags |= O_NOFOLLOW; /* the directory may be the workers': no link there may lead root elsewhere */
        sink->fd = open(name, flags, 0640);
        return sink->fd >= 0;
    }
    return true;
}

static void sink_close(struct sink *sink)
{
    if (sink->fd > STDERR_FILENO)
        close(sink->fd);
    sink->fd = -1;
}

/* When the last line of a topic was written, as log_due counts; 0: never. In memory that is shared with the children from the first log_open on. */
static _Atomic int64_t own_topics[LOG_TOPIC_COUNT];
static _Atomic int64_t *topics = own_topics;

static void share_topics(void)
{
    if (topics == own_topics) {
        void *shared = mmap(NULL, sizeof own_topics, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared != MAP_FAILED)
            topics = shared;
    }
}

bool log_open(const char *error_log, const char *access_log, enum severity least, enum log_format format,
              const char **error_r)
{
    static char error_text[4400];
    struct sink new_error = {.directive = "error_log", .fd = -1};
    struct sink new_access = {.directive = "access_log", .fd = -1};
    const char *name = error_log;
    bool is_open = sink_open(&new_error, error_log);

    if (is_open) {
        name = access_log;
        is_open = sink_open(&new_access, access_log);
    }
    if (!is_open) {
        snprintf(error_text, sizeof error_text, "%s: %s can't be opened for writing: %s",
                 name == error_log ? "error_log" : "access_log",
                 strcmp(name, "journal") == 0  ? journal_socket
                 : strcmp(name, "syslog") == 0 ? syslog_socket
                                               : name,
                 strerror(errno));
        *error_r = error_text;
        sink_close(&new_error);
        sink_close(&new_access);
        return false;
    }
    sink_close(&error_sink);
    sink_close(&access_sink);
    error_sink = new_error;
    access_sink = new_access;
    least_severity = least;
    line_format = format;
    share_topics();
    tzset();
    return true;
}

void log_set_process(const char *name)
{
    process_name = name;
}

bool log_due(int64_t *last_seconds, int64_t seconds)
{
    /* One more than the clock says: 0 stands for 'never'. */
    int64_t now = clock_monotonic_microseconds() / 1000000 + 1;

    if (*last_seconds != 0 && now - *last_seconds < seconds)
        return false;
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

void log_invariant_failed(const char *condition, const char *file, int line)
{
    log_alert(NULL, "%s:%d: this must hold and does not, please report it: %s", file, line, condition);
    abort();
}
