/* test_log.c: base/log.h. The source is included, so that the tests reach the sinks and the name of the journal's
 * socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/log.c"
#include "unit.h"

static char directory[64];
static char error_path[128];
static char access_path[128];
static char content[1 << 20];

static int set_up(void **state)
{

    (void)state;
    strcpy(directory, "/tmp/roster-log-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(error_path, sizeof error_path, "%s/error.log", directory);
    snprintf(access_path, sizeof access_path, "%s/access.log", directory);
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_set_process("api");
    return 0;
}

static int tear_down(void **state)
{

    (void)state;
    assert_true(log_open("stderr", "off", LOG_SEVERITY_NOTICE, LOG_FORMAT_TEXT, NULL));
    unlink(error_path);
    unlink(access_path);
    rmdir(directory);
    return 0;
}

static const char *contents(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t length;

    assert_non_null(file);
    length = fread(content, 1, sizeof content - 1, file);
    content[length] = '\0';
    fclose(file);
    return content;
}

/* What stands behind the time, whose form is checked. */
static const char *behind_time(const char *line)
{
    int year, month, day, hour, minute, second, length = 0;

    assert_int_equal(sscanf(line, "%4d/%2d/%2d %2d:%2d:%2d %n", &year, &month, &day, &hour, &minute, &second, &length),
                     6);
    assert_int_equal(length, 20);
    assert_in_range(year, 2024, 2200);
    return line + length;
}

static void assert_line(const char *expected_form)
{
    char expected[1024];

    snprintf(expected, sizeof expected, expected_form, (long)getpid());
    assert_string_equal(behind_time(contents(error_path)), expected);
}

static void test_plain(void **state)
{
    (void)state;
    errno = EBUSY;
    log_error(NULL, "it is %s", "broken");
    assert_int_equal(errno, EBUSY);
    assert_line("[error] %ld#api: it is broken\n");
}

static void test_with_context(void **state)
{
    struct context context = {.stage = "authenticate", .client_address = "192.0.2.1", .request_id = "abc"};

    (void)state;
    log_warning(&context, "slow");
    assert_line("[warning] %ld#api: slow while authenticate, client: 192.0.2.1, request: abc\n");
}

static void test_with_a_part_of_the_context(void **state)
{
    struct context context = {.request_id = "a\nb"};

    (void)state;
    log_notice(&context, "text");
    assert_line("[notice] %ld#api: text, request: a\\x0Ab\n");
}

static void test_level(void **state)
{
    (void)state;
    log_debug(NULL, "not this");
    log_info(NULL, "but this");
    assert_line("[info] %ld#api: but this\n");
}

static void test_escapes(void **state)
{
    (void)state;
    log_error(NULL, "a\nb\x1b[31m\x7f \xc3\xa9 \xff \xc0\xaf \xed\xa0\x80 \xe2\x82 \xf0\x9f\x98\x80 \xc2\x9b "
                    "\xe2\x80\xae \xd8\x9c \xe2\x80\x8d \\ \"q\"");
    assert_line("[error] %ld#api: a\\x0Ab\\x1B[31m\\x7F \xc3\xa9 \\xFF \\xC0\\xAF \\xED\\xA0\\x80 \\xE2\\x82 "
                "\xf0\x9f\x98\x80 \\xC2\\x9B \\xE2\\x80\\xAE \\xD8\\x9C \xe2\x80\x8d \\ \"q\"\n");
}

static void test_long_line_is_cut(void **state)
{
    struct context context = {.stage = "handle", .client_address = "192.0.2.1", .request_id = "abc"};
    static char text[20000];
    static const char end[] = "\xc3\xa9\xe2\x80\xa6 while handle, client: 192.0.2.1, request: abc\n";
    const char *line;
    size_t i;

    (void)state;
    for (i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    log_error(&context, "%s", text);
    line = contents(error_path);
    assert_in_range(strlen(line), LOG_LINE_SIZE - 2, LOG_LINE_SIZE);
    assert_string_equal(line + strlen(line) - strlen(end), end);
}

/* Whatever the length, the line never exceeds the block, and is cut between characters. */
static void test_lengths_around_the_limit(void **state)
{
    static char text[LOG_LINE_SIZE + 100];
    size_t length;

    (void)state;
    for (length = LOG_LINE_SIZE - 80; length < LOG_LINE_SIZE + 20; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        memcpy(text + length - 3, "\xe2\x82\xac", 3);
        assert_int_equal(truncate(error_path, 0), 0);
        log_error(NULL, "%s", text);
        contents(error_path);
        assert_in_range(strlen(content), LOG_LINE_SIZE - 100, LOG_LINE_SIZE);
        assert_true(strstr(content, "\xe2\x82\xac\n") != NULL || strstr(content, "x\xe2\x80\xa6\n") != NULL);
    }
}

static void test_json(void **state)
{
    struct context context = {.stage = "handle", .client_address = "192.0.2.1", .request_id = "abc"};
    const char *rest;
    char expected[512];
    int length = 0, number;

    (void)state;
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_JSON, NULL));
    log_error(&context, "say \"a\\b\"\n\xff \xc3\xa9 \xc2\x85");
    contents(error_path);
    assert_int_equal(sscanf(content, "{\"time\":\"%4d-%2d-%2dT%2d:%2d:%2d.%3dZ\",%n", &number, &number, &number,
                            &number, &number, &number, &number, &length),
                     7);
    rest = content + length;
    snprintf(expected, sizeof expected,
             "\"severity\":\"error\",\"pid\":%ld,\"process\":\"api\",\"stage\":\"handle\",\"client\":"
             "\"192.0.2.1\",\"request\":\"abc\",\"message\":\"say \\\"a\\\\b\\\"\\u000a\\\\xFF \xc3\xa9 \\u0085\"}\n",
             (long)getpid());
    assert_string_equal(rest, expected);
}

static void test_json_long_line(void **state)
{
    static char text[20000];

    (void)state;
    memset(text, '"', sizeof text - 1);
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_JSON, NULL));
    log_error(NULL, "%s", text);
    contents(error_path);
    assert_in_range(strlen(content), LOG_LINE_SIZE - 5, LOG_LINE_SIZE);
    assert_string_equal(content + strlen(content) - 8, "\\\"\xe2\x80\xa6\"}\n");
}

static const struct log_field access_fields[] = {
    {"route", TEXT("users_list"), 0}, {"status", TEXT_NULL, 200},  {"agent", TEXT("a \"b\" \\ = \n\xff"), 0},
    {"caller", TEXT(""), 0},          {"duration", TEXT_NULL, -5},
};
enum { ACCESS_FIELD_COUNT = ARRAY_COUNT(access_fields) };

static void test_access_text(void **state)
{
    int number, length = 0;

    (void)state;
    log_access(clock_wall_microseconds(), access_fields, ACCESS_FIELD_COUNT);
    contents(access_path);
    assert_int_equal(sscanf(content, "time=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &number, &number, &number, &number,
                            &number, &number, &number, &length),
                     7);
    assert_string_equal(
        content + length,
        "route=users_list status=200 agent=\"a \\\"b\\\" \\\\ = \\x0A\\xFF\" caller=\"\" duration=-5\n");
    assert_string_equal(contents(error_path), "");
}

static void test_access_json(void **state)
{

    (void)state;
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_JSON, NULL));
    log_access(clock_wall_microseconds(), access_fields, ACCESS_FIELD_COUNT);
    contents(access_path);
    assert_non_null(
        strstr(content, "Z\",\"route\":\"users_list\",\"status\":200,\"agent\":\"a \\\"b\\\" \\\\ = \\u000a\\\\xFF\","
                        "\"caller\":\"\",\"duration\":-5}\n"));
}

/* The text of a time is kept for its second alone. */
static void test_times_go_on(void **state)
{
    static const struct second old = {1, 19, "1970-01-01T00:00:01"};

    (void)state;
    utc_second = local_second = syslog_second = old;
    assert_memory_not_equal(time_utc(clock_wall_microseconds()).data, old.text, old.length);
    assert_string_not_equal(time_syslog().data, old.text);
    log_error(NULL, "text");
    assert_line("[error] %ld#api: text\n");

    /* Within one second only the milliseconds are new. */
    char first[TIME_SIZE];
    for (int64_t second = 0; second != utc_second.seconds;) {
        strcpy(first, time_utc(clock_wall_microseconds()).data);
        second = utc_second.seconds;
        utc_second.text[0] = '3';
        time_utc(clock_wall_microseconds());
    }
    assert_int_equal(utc_second.text[0], '3');
    assert_memory_equal(utc_second.text + 1, first + 1, 19);
}

static void check_long_access(enum log_format format, const char *end)
{
    static char text[9000];
    struct log_field fields[20];
    size_t i;

    memset(text, '\'', sizeof text - 1);
    for (i = 0; i < 20; i++) {
        fields[i] = (struct log_field){"field", {text, sizeof text - 1}, 0};
    }
    fields[0] = (struct log_field){"first", TEXT("a b"), 0};
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, format, NULL));
    log_access(clock_wall_microseconds(), fields, 20);
    contents(access_path);
    assert_in_range(strlen(content), 4000, LOG_LINE_SIZE);
    assert_string_equal(content + strlen(content) - strlen(end), end);
}

static void test_access_long_text(void **state)
{
    (void)state;
    check_long_access(LOG_FORMAT_TEXT, "'\xe2\x80\xa6\n");
}

static void test_access_long_json(void **state)
{
    (void)state;
    check_long_access(LOG_FORMAT_JSON, "'\xe2\x80\xa6\"}\n");
}

static void test_access_off(void **state)
{

    (void)state;
    assert_true(log_open(error_path, "off", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_access(clock_wall_microseconds(), access_fields, ACCESS_FIELD_COUNT);
    assert_string_equal(contents(error_path), "");
    assert_string_equal(contents(access_path), "");
}

static void test_one_file_for_both(void **state)
{
    const char *end;

    (void)state;
    assert_true(log_open(error_path, error_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(NULL, "one");
    log_access(clock_wall_microseconds(), access_fields, 1);
    log_error(NULL, "three");
    contents(error_path);
    assert_non_null(strstr(content, "#api: one\ntime="));
    end = strstr(content, " route=users_list\n");
    assert_non_null(end);
    assert_non_null(strstr(end, "#api: three\n"));
}

static void test_file_is_made_with_mode_0640(void **state)
{
    struct stat status;
    mode_t saved = umask(0);

    (void)state;
    unlink(error_path);
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    umask(saved);
    assert_int_equal(stat(error_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static void test_reopens_after_rotation(void **state)
{
    char rotated[160];

    (void)state;
    log_error(NULL, "before");
    snprintf(rotated, sizeof rotated, "%s.1", error_path);
    assert_int_equal(rename(error_path, rotated), 0);
    log_error(NULL, "between");
    assert_true(log_open(error_path, access_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(NULL, "after");
    assert_line("[error] %ld#api: after\n");
    contents(rotated);
    assert_non_null(strstr(content, "before"));
    assert_non_null(strstr(content, "between"));
    unlink(rotated);
}

static void test_a_file_that_cannot_be_opened(void **state)
{
    struct error error;

    (void)state;
    assert_false(log_open(error_path, "/proc/none/access.log", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, &error));
    assert_string_equal(error.text,
                        "access_log: /proc/none/access.log can't be opened for writing: No such file or directory");
    assert_false(log_open("/", access_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, &error));
    assert_string_equal(error.text, "error_log: / can't be opened for writing: Is a directory");
    log_error(NULL, "still here");
    assert_line("[error] %ld#api: still here\n");
}

static void test_full_disk(void **state)
{
    char expected[256];
    const char *end;
    int fd;

    (void)state;
    assert_true(log_open("/dev/full", access_path, LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(NULL, "lost");
    log_error(NULL, "lost too");
    assert_int_equal(error_sink.lost, 2);
    fd = open(error_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(dup2(fd, error_sink.fd) >= 0);
    close(fd);
    log_error(NULL, "found");
    contents(error_path);
    end = strstr(content, ": found\n");
    assert_non_null(end);
    snprintf(expected, sizeof expected,
             "[warning] %ld#api: error_log: 2 lines before this one could not be written and are lost: "
             "No space left on device\n",
             (long)getpid());
    assert_string_equal(behind_time(end + 8), expected);
    assert_int_equal(error_sink.lost, 0);
}

static void test_full_disk_of_the_access_log(void **state)
{
    int fd;

    (void)state;
    assert_true(log_open(error_path, "/dev/full", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_access(clock_wall_microseconds(), access_fields, 1);
    assert_string_equal(contents(error_path), "");
    fd = open(access_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(dup2(fd, access_sink.fd) >= 0);
    close(fd);
    log_access(clock_wall_microseconds(), access_fields, 1);
    assert_non_null(strstr(contents(access_path), "route=users_list\n"));
    assert_non_null(strstr(contents(error_path), "access_log: 1 lines before"));
}

static void test_a_torn_line_does_not_spoil_the_next(void **state)
{
    struct rlimit limit, saved;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &saved);
    limit = saved;
    limit.rlim_cur = 30;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_error(NULL, "torn");
    setrlimit(RLIMIT_FSIZE, &saved);
    assert_int_equal(strlen(contents(error_path)), 30);
    log_error(NULL, "whole");
    contents(error_path);
    assert_int_equal(content[30], '\n');
    assert_non_null(strstr(behind_time(content + 31), "#api: whole\n"));
}

static void test_processes_share_a_file(void **state)
{
    enum { PROCESSES = 4, LINES = 200 };
    unsigned seen[PROCESSES] = {0}, process, line;
    char padding[200], *next;
    int status;

    (void)state;
    memset(padding, 'x', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    for (process = 0; process < PROCESSES; process++) {
        if (fork() == 0) {
            for (line = 0; line < LINES; line++) {
                log_error(NULL, "%u %u %s", process, line, padding);
            }
            _exit(0);
        }
    }
    while (wait(&status) > 0) {
        assert_int_equal(status, 0);
    }
    contents(error_path);
    for (next = content; *next != '\0'; next = strchr(next, '\n') + 1) {
        char *text = strstr(next, "#api: ");
        assert_non_null(text);
        assert_int_equal(sscanf(text, "#api: %u %u x", &process, &line), 2);
        assert_true(process < PROCESSES);
        assert_int_equal(line, seen[process]);
        seen[process]++;
        assert_int_equal(strcspn(next, "\n") - (size_t)(strchr(text, 'x') - next), sizeof padding - 1);
    }
    for (process = 0; process < PROCESSES; process++) {
        assert_int_equal(seen[process], LINES);
    }
}

static int bind_datagrams(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void test_journal_socket(void **state)
{
    struct context context = {.stage = "handle", .client_address = "192.0.2.1", .request_id = "abc"};
    const char *saved = journal_socket;
    char path[100], got[4096], expected[512];
    ssize_t length;
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/journal", directory);
    fd = bind_datagrams(path);
    journal_socket = path;
    assert_true(log_open("journal", "journal", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(&context, "a\nb");
    length = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(length > 0);
    got[length] = '\0';
    snprintf(expected, sizeof expected,
             "PRIORITY=3\nSYSLOG_IDENTIFIER=roster\nMESSAGE=[error] %ld#api: a\\x0Ab while handle, client: "
             "192.0.2.1, request: "
             "abc\nROSTER_PROCESS=api\nROSTER_STAGE=handle\nROSTER_CLIENT=192.0.2.1\nROSTER_REQUEST=abc\n",
             (long)getpid());
    assert_string_equal(got, expected);

    log_access(clock_wall_microseconds(), access_fields, 2);
    length = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(length > 0);
    got[length] = '\0';
    assert_string_equal(got, "PRIORITY=6\nSYSLOG_IDENTIFIER=roster\nMESSAGE=route=users_list status=200\n"
                             "ROSTER_ROUTE=users_list\nROSTER_STATUS=200\n");
    close(fd);
    log_error(NULL, "nobody reads this");
    assert_int_equal(error_sink.lost, 1);
    unlink(path);
    journal_socket = saved;
}

static void test_journal_stream(void **state)
{
    const char *saved = journal_socket;
    struct error error;
    int saved_stderr = dup(STDERR_FILENO), fd = open(error_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    char expected[128];

    (void)state;
    journal_socket = "/proc/none/socket";
    unsetenv("JOURNAL_STREAM");
    assert_false(log_open("journal", "off", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, &error));
    assert_string_equal(error.text,
                        "error_log: /proc/none/socket can't be opened for writing: No such file or directory");
    setenv("JOURNAL_STREAM", "1:2", 1);
    dup2(fd, STDERR_FILENO);
    assert_true(log_open("journal", "journal", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(NULL, "text");
    log_access(clock_wall_microseconds(), access_fields, 2);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(fd);
    snprintf(expected, sizeof expected, "<3>[error] %ld#api: text\n<6>route=users_list status=200\n", (long)getpid());
    assert_string_equal(contents(error_path), expected);
    unsetenv("JOURNAL_STREAM");
    journal_socket = saved;
}

/* Standard error that systemd has made the journal takes fields, as the journal itself does. */
static void test_stderr_that_is_the_journal(void **state)
{
    const char *saved = journal_socket;
    int saved_stderr = dup(STDERR_FILENO), ends[2], fd;
    char path[100], stream[64], got[1024];
    struct stat status;
    ssize_t length;

    (void)state;
    snprintf(path, sizeof path, "%s/journal", directory);
    fd = bind_datagrams(path);
    journal_socket = path;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fstat(ends[1], &status), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    dup2(ends[1], STDERR_FILENO);
    assert_true(log_open("stderr", "off", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    dup2(saved_stderr, STDERR_FILENO);
    log_error(NULL, "text");
    length = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(length > 0);
    got[length] = '\0';
    assert_non_null(strstr(got, "#api: text\nROSTER_PROCESS=api\n"));

    /* Another file than systemd's: as before. */
    assert_true(log_open("stderr", "off", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    assert_int_equal(error_sink.kind, SINK_STDERR);
    unsetenv("JOURNAL_STREAM");
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    unlink(path);
    journal_socket = saved;
}

static const char *receive(int fd)
{
    static char got[LOG_LINE_SIZE + 100];
    ssize_t length = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

    assert_true(length > 0);
    got[length] = '\0';
    return got;
}

static void test_syslog(void **state)
{
    const char *saved = syslog_socket, *got, *colon;
    struct error error;
    char path[100], expected[256], month[4];
    int fd, priority, day, hour, minute, second;
    long pid;

    (void)state;
    snprintf(path, sizeof path, "%s/syslog", directory);
    syslog_socket = path;
    assert_false(log_open("syslog", "off", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, &error));
    snprintf(expected, sizeof expected, "error_log: %s can't be opened for writing: No such file or directory", path);
    assert_string_equal(error.text, expected);

    fd = bind_datagrams(path);
    assert_true(log_open("syslog", "syslog", LOG_SEVERITY_INFO, LOG_FORMAT_TEXT, NULL));
    log_error(NULL, "a\nb");
    got = receive(fd);
    assert_int_equal(
        sscanf(got, "<%d>%3s %d %d:%d:%d roster[%ld]: ", &priority, month, &day, &hour, &minute, &second, &pid), 7);
    assert_int_equal(priority, LOG_DAEMON | LOG_ERR);
    assert_int_equal(pid, getpid());
    colon = strstr(got, "]: ");
    assert_non_null(colon);
    snprintf(expected, sizeof expected, "]: [error] %ld#api: a\\x0Ab", (long)getpid());
    assert_string_equal(colon, expected);
    log_access(clock_wall_microseconds(), access_fields, 2);
    got = receive(fd);
    assert_memory_equal(got, "<30>", 4);
    assert_non_null(strstr(got, "]: route=users_list status=200"));

    /* It is restarted: lines meanwhile are lost and counted, and the new one is found. */
    close(fd);
    log_error(NULL, "while nobody is there");
    assert_int_equal(error_sink.lost, 1);
    unlink(path);
    log_error(NULL, "while there is no socket");
    assert_int_equal(error_sink.lost, 2);
    fd = bind_datagrams(path);
    log_error(NULL, "again");
    assert_non_null(strstr(receive(fd), "#api: again"));
    assert_non_null(strstr(receive(fd), "[warning]"));
    assert_int_equal(error_sink.lost, 0);

    /* It is there and does not read: that costs time once. */
    int64_t started = clock_monotonic_microseconds();
    for (int i = 0; i < 5000; i++) {
        log_error(NULL, "nobody reads this");
    }
    assert_in_range(clock_monotonic_microseconds() - started, PATIENCE_MICROSECONDS, 20 * PATIENCE_MICROSECONDS);
    assert_in_range(error_sink.lost, 1000, 5000);
    while (recv(fd, expected, sizeof expected, MSG_DONTWAIT) > 0)
        ;
    log_error(NULL, "it reads");
    assert_non_null(strstr(receive(fd), "it reads"));
    assert_int_equal(error_sink.lost, 0);
    assert_false(error_sink.is_stalled);
    close(fd);
    unlink(path);
    syslog_socket = saved;
}

static void test_due(void **state)
{
    int64_t last = 0;

    (void)state;
    assert_true(log_due(&last, 3600));
    assert_false(log_due(&last, 3600));
    last -= 3600;
    assert_true(log_due(&last, 3600));
}

static void test_invariant(void **state)
{
    struct rlimit none = {0, 0};
    int status;
    pid_t pid;

    (void)state;
    invariant(1 + 1 == 2);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        invariant(1 + 1 == 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    contents(error_path);
    assert_non_null(strstr(content, "[alert]"));
    assert_non_null(strstr(content, "test_log.c:"));
    assert_non_null(strstr(content, "1 + 1 == 3\n"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),
        TEST(test_with_context),
        TEST(test_with_a_part_of_the_context),
        TEST(test_level),
        TEST(test_escapes),
        TEST(test_long_line_is_cut),
        TEST(test_lengths_around_the_limit),
        TEST(test_json),
        TEST(test_json_long_line),
        TEST(test_access_text),
        TEST(test_access_json),
        TEST(test_times_go_on),
        TEST(test_access_long_text),
        TEST(test_access_long_json),
        TEST(test_access_off),
        TEST(test_one_file_for_both),
        TEST(test_file_is_made_with_mode_0640),
        TEST(test_reopens_after_rotation),
        TEST(test_a_file_that_cannot_be_opened),
        TEST(test_full_disk),
        TEST(test_full_disk_of_the_access_log),
        TEST(test_a_torn_line_does_not_spoil_the_next),
        TEST(test_processes_share_a_file),
        TEST(test_journal_socket),
        TEST(test_journal_stream),
        TEST(test_stderr_that_is_the_journal),
        TEST(test_syslog),
        TEST(test_due),
        TEST(test_invariant),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
