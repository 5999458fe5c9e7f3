/* fuzz_request.c: whole requests, from the bytes of FastCGI to the answer: a worker of the service in a thread, with
 * all its stages and handlers. Its MariaDB is recorded.h, which at the start hears what a server says to each of the
 * seeds; its Redis is away.
 *
 * An input begins with a line: '6' or '2' for compatibility 0.6 or 0.12, or 't' for a proxy that signs people in, and
 * what MariaDB answers to each statement (recorded.h). Then follow FastCGI parameters, a line each, an empty line, and
 * the body. @admin, @user and @pending in a parameter stand for their tokens. An input that begins with '!' has the
 * bytes of FastCGI themselves. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>

#include "../unit/private_server.h"
#include "api/handlers.h"
#include "auth/ratelimit.h"
#include "auth/token.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "config/compatibility.h"
#include "config/config_logs.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "recorded.h"
#include "store/database_internal.h"
#include "store/migration.h"
#include "store/touch_table.h"
#include "worker/router.h"

enum { FASTCGI_BEGIN = 1, FASTCGI_END = 3, FASTCGI_PARAMETERS = 4, FASTCGI_INPUT = 5, FASTCGI_OUTPUT = 6 };

static struct private_server mariadb;
static struct config *config;
static struct scoreboard_slot *slot;
static struct sockaddr_un worker_address = {.sun_family = AF_UNIX};
static int worker_listener;
static struct text tokens[3];
static const char *const people[] = {"admin", "user", "pending"};

/* ---- Starting ---- */

static const char conf_text[] =
    "database_socket = %1$s/recorded.sock\ndatabase_user = root\nredis_socket = %1$s/none.sock\n"
    "secret_key_file = %1$s/key\nerror_log = %1$s/error.log\naccess_log = /dev/null\ncore_dumps = yes\n"
    "public_url = https://users.example.org\nsendmail_command = /bin/true\ncors_origins = https://app.example.org\n"
    "return_hosts = app.example.org\ntrusted_email_header = X-Forwarded-Email\ntrusted_name_header = X-Forwarded-Name\n"
    "trusted_groups_header = X-Forwarded-Groups\ntrusted_proxies = 192.0.2.9\nbackup_stamp = %1$s/stamp\n"
    "password_scrypt_n = 1024\npassword_scrypt_r = 1\npassword_scrypt_p = 1\nlast_active_interval = 0\n"
    "identity_cache = 0\nrate_limit_sign_in = 1000000\nrate_limit_sign_in_email = 1000000\n"
    "rate_limit_sign_in_address = 10000000\nrate_limit_sign_up = 1000000\nrate_limit_link = 1000000\n"
    "rate_limit_link_mail = 1000000\nrate_limit_list = 10000000\nrate_limit_password = 1000000\n"
    "rate_limit_api_key = 1000000\nrate_limit_update = 1000000\naudit_refusals = 1000000\n";

/* Who and what there is while the server is heard. The passwords are all `correct horse', bcrypt of cost 4. */
static const char people_sql[] =
    "INSERT INTO user (id, email, role, name, username, created_at, email_verified_at, info, settings) VALUES "
    "('u-admin', 'admin@example.org', 'admin', 'Ada Admin', 'ada', 100, 5, '{\"a\":1}', '{\"ui\":{\"b\":[2]}}'), "
    "('u-user', 'user@example.org', 'user', 'Uwe User', NULL, 200, NULL, NULL, NULL), "
    "('u-pending', 'pending@example.org', 'pending', 'Pia', NULL, 300, NULL, NULL, NULL), "
    "('u-other', 'other@example.org', 'user', 'Ole Other', 'ole', 400, 7, NULL, NULL), "
    "('u-gone', 'gone@example.org', 'user', 'Gus Gone', NULL, 500, 7, NULL, NULL);"
    "INSERT INTO auth (id, email, password, active) SELECT id, email, "
    "'$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e', id <> 'u-gone' FROM user;"
    "INSERT INTO `group` (id, user_id, name, description, permissions) VALUES "
    "('g-1', 'u-admin', 'Staff', 'All of them', '{\"chat\":{\"delete\":false}}'), ('g-2', 'u-admin', 'Sales', '', "
    "NULL), "
    "('g-3', 'u-admin', 'Empty', '', NULL);"
    "UPDATE `group` SET parent_group_id = 'g-1' WHERE id = 'g-2';"
    "INSERT INTO group_member (id, group_id, user_id, created_at) VALUES ('m-1', 'g-1', 'u-user', 1), "
    "('m-2', 'g-2', 'u-user', 2), ('m-3', 'g-1', 'u-other', 3);"
    "INSERT INTO api_key (id, user_id, `key`, is_primary, name, suffix) VALUES "
    "('k-1', 'u-user', CONCAT('sha256:', SHA2('sk-00000000000000000000000000000001', 256)), 1, NULL, '0001'), "
    "('k-2', 'u-user', CONCAT('sha256:', SHA2('sk-00000000000000000000000000000002', 256)), 0, 'script', '0002');"
    "INSERT INTO chat (id, user_id, share_id) VALUES ('c-1', 'u-other', 's-1');"
    "INSERT INTO oauth_session (id, user_id, provider, token, expires_at) VALUES ('o-1', 'u-user', 'oidc', 'x', 99);"
    "INSERT INTO config (id, data, version) VALUES (1, "
    "'{\"ui\":{\"enable_signup\":true},\"auth\":{\"enable_api_keys\":true},\"user\":{\"permissions\":{\"features\":{"
    "\"api_keys\":true}}}}', 0);";

static void ignore_line(const char *line, void *argument)
{
    (void)line;
    (void)argument;
}

static void must(bool is_done, const struct error *error)
{
    if (!is_done) {
        fprintf(stderr, "fuzz_request: %s\n", error->text);
        exit(1);
    }
}

static void write_text(const char *directory, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    require(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
}

static void make_tables(struct arena *arena)
{
    struct error error;
    char sql[512];
    struct config direct = *config;
    struct context context = {.arena = arena, .config = &direct, .now_seconds = clock_wall_seconds()};
    private_source(sql, sizeof sql, "sql");
    direct.database_socket = mariadb.socket;
    direct.database_name = "mysql";
    must(database_run_script(&context, "CREATE DATABASE roster", &error), &error);
    database_close();
    direct.database_name = "roster";
    must(migration_run(&context, sql, ignore_line, NULL, &error), &error);
    must(database_run_script(&context, people_sql, &error), &error);
    for (size_t i = 0; i < 3; i++) {
        struct text jti;
        const struct text id = text_format(arena, "u-%s", people[i]);
        const struct text token = token_issue(&context, config->secret_keys.items[0], id, 1700000000, 4000000000, &jti);
        tokens[i] = text_of(strdup(token.data)); /* beyond the arena */
    }
    database_close();
}

static void *work(void *unused)
{
    const struct worker_sockets sockets = {.first = worker_listener, .second = -1};
    exit(worker_run(config, POOL_API, &sockets, slot) + 1); /* it never ends by itself */
    return unused;
}

static void start_worker(void)
{
    struct error error;
    pthread_t thread;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    snprintf(worker_address.sun_path, sizeof worker_address.sun_path, "%s/worker.sock", mariadb.directory);
    worker_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    require(bind(worker_listener, (struct sockaddr *)&worker_address, sizeof worker_address) == 0);
    require(listen(worker_listener, 16) == 0 && scoreboard_create() && ratelimit_share() && touch_table_create());
    must(config_open_logs(config, &error), &error);
    slot = scoreboard_take(POOL_API, 1);
    atomic_store(&slot->pid, (int32_t)getpid());
    worker_use_handlers(handlers);
    require(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_detach(thread) == 0);
}

static void clean_up(void)
{
    private_server_free(&mariadb);
}

/* ---- A request ---- */

static void add_record(struct buffer *out, unsigned char type, struct text content)
{
    do {
        const size_t length = content.length < 65000 ? content.length : 65000;
        const unsigned char head[8] = {1, type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length, 0, 0};
        buffer_add(out, head, sizeof head);
        buffer_add(out, content.data, length);
        content.data += length;
        content.length -= length;
    } while (content.length > 0);
}

static void add_length(struct buffer *out, size_t length)
{
    const unsigned char bytes[4] = {(unsigned char)(length >> 24 | 0x80), (unsigned char)(length >> 16),
                                    (unsigned char)(length >> 8), (unsigned char)length};
    buffer_add(out, bytes, sizeof bytes);
}

/* With the token that an @ stands for. */
static struct text fill_token(struct arena *arena, struct text value)
{
    for (size_t i = 0; i < 3; i++) {
        const char *mark = text_format(arena, "@%s", people[i]).data;
        const size_t length = strlen(mark);
        if (value.length >= length && memcmp(value.data + value.length - length, mark, length) == 0) {
            return text_format(arena, "%.*s%s", (int)(value.length - length), value.data, tokens[i].data);
        }
    }
    return value;
}

static struct text encode_request(struct arena *arena, struct text input)
{
    struct buffer out, parameters;
    buffer_init(&out, arena);
    buffer_init(&parameters, arena);
    while (input.length > 0) {
        const struct text line = text_take(&input, '\n');
        if (line.length == 0) {
            break;
        }
        struct text value = line;
        const struct text name = text_take(&value, '=');
        value = fill_token(arena, value);
        add_length(&parameters, name.length);
        add_length(&parameters, value.length);
        buffer_add_text(&parameters, name);
        buffer_add_text(&parameters, value);
    }
    add_record(&out, FASTCGI_BEGIN, (struct text){"\0\1\0\0\0\0\0\0", 8});
    if (buffer_text(&parameters).length > 0) {
        add_record(&out, FASTCGI_PARAMETERS, buffer_text(&parameters));
    }
    add_record(&out, FASTCGI_PARAMETERS, TEXT(""));
    if (input.length > 0) {
        add_record(&out, FASTCGI_INPUT, input);
    }
    add_record(&out, FASTCGI_INPUT, TEXT(""));
    return buffer_text(&out);
}

/* Sends all, and gives what comes back until the worker closes the connection. `ends`: what is sent may not be a whole
 * request, so nothing more comes; as when a client has gone. */
static struct text exchange(struct arena *arena, struct text sent, bool ends)
{
    struct buffer got;
    buffer_init(&got, arena);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&worker_address, sizeof worker_address) == 0);
    write_whole(fd, sent.data, sent.length);
    if (ends) {
        shutdown(fd, SHUT_WR);
    }
    ssize_t length;
    do {
        length = read(fd, buffer_reserve(&got, 16384), 16384);
        got.length += length > 0 ? (size_t)length : 0;
    } while (length > 0 || (length < 0 && errno == EINTR));
    close(fd);
    while (atomic_load(&slot->state) != WORKER_IDLE) {
        sched_yield();
    }
    return buffer_text(&got);
}

/* The content of the records of output. */
static struct text output_of(struct arena *arena, struct text got)
{
    struct buffer out;
    buffer_init(&out, arena);
    while (got.length >= 8) {
        const unsigned char *head = (const unsigned char *)got.data;
        const size_t length = (size_t)head[4] << 8 | head[5], whole = 8 + length + head[6];
        require(head[0] == 1 && whole <= got.length);
        if (head[1] == FASTCGI_OUTPUT) {
            buffer_add(&out, got.data + 8, length);
        }
        got.data += whole;
        got.length -= whole;
    }
    return buffer_text(&out);
}

/* The value of a field of the head; null: there is none. */
static struct text field_of(struct text head, const char *name)
{
    while (head.length > 0) {
        struct text value = text_take(&head, '\n');
        const struct text found = text_take(&value, ':');
        if (text_is_ignoring_case(found, name)) {
            return text_trim(value);
        }
    }
    return TEXT_NULL;
}

/* What a worker may answer: a head, and a body that is what the head says. Where MariaDB said nothing odd, and nothing
 * that it was told for other values, which may not fit what was read before, it is no fault of the service. */
static void check_answer(struct arena *arena, struct text answer, bool is_head)
{
    const char *end = answer.length > 0 ? memmem(answer.data, answer.length, "\r\n\r\n", 4) : NULL;
    if (answer.length == 0) {
        return; /* it was no request */
    }
    require(end != NULL && text_starts_with(answer, "Status: "));
    const struct text head = {answer.data, (size_t)(end + 2 - answer.data)};
    const struct text body = {end + 4, answer.length - head.length - 2};
    const int status = atoi(answer.data + strlen("Status: "));
    for (size_t i = 0; i < head.length; i++) {
        const unsigned char byte = (unsigned char)head.data[i];
        require(byte == '\n' ? i > 0 && head.data[i - 1] == '\r' : byte >= ' ' || byte == '\r' || byte == '\t');
    }
    require(status >= 200 && status < 600);
    if (atomic_load(&recorded.odd) > 0) {
        return;
    }
    const bool may_fail = atomic_load(&recorded.guessed) > 0;
    if (status >= 500 && !may_fail) {
        fprintf(stderr, "%.*s\n", (int)answer.length, answer.data);
    }
    require(status < 500 || may_fail);
    const struct text type = field_of(head, "Content-Type");
    if (!is_head && body.length > 0 &&
        (text_is(type, "application/json") || text_is(type, "application/problem+json"))) {
        require(json_scan(arena, body, 100).verdict == JSON_GOOD);
    }
}

/* What an earlier input has made the worker believe of MariaDB is no matter of this one. */
static void forget_faults(void)
{
    database.is_away = false;
    database.away_until = 0;
    database.full_at = 0;
    log_topic_end(LOG_TOPIC_MARIADB_FULL);
}

static void request_once(struct arena *arena, struct text input)
{
    forget_faults();
    struct text rest = input;
    if (input.length > 0 && input.data[0] == '!') {
        atomic_store(&recorded.odd, 1);
        fuzz_take_byte(&rest);
        check_answer(arena, output_of(arena, exchange(arena, rest, true)), true);
        return;
    }
    const struct text line = text_take(&rest, '\n');
    const char *choices = text_format(arena, "%.*s", (int)line.length, line.data).data;
    config->compatibility = choices[0] == '2' ? COMPATIBILITY_0_12 : COMPATIBILITY_0_6;
    config->trusted_email_header = choices[0] == 't' ? "X-Forwarded-Email" : "";
    atomic_store(&recorded.choices, choices[0] != '\0' ? choices + 1 : choices);
    atomic_store(&recorded.odd, 0);
    atomic_store(&recorded.guessed, 0);
    const struct text answer = output_of(arena, exchange(arena, encode_request(arena, rest), false));
    if (getenv("FUZZ_SHOW") != NULL) {
        fprintf(stderr, "odd %d: %.*s\n", atomic_load(&recorded.odd), (int)answer.length, answer.data);
    }
    check_answer(arena, answer, memmem(rest.data, rest.length, "=HEAD\n", 6) != NULL);
    atomic_store(&recorded.choices, "");
}

/* ---- Hearing the seeds ---- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void hear_seeds(struct arena *arena)
{
    char directory[512];
    struct dirent **entries;
    private_source(directory, sizeof directory, "t/fuzz/corpus/request");
    const int count = scandir(directory, &entries, is_visible, alphasort);
    require(count > 0);
    for (int i = 0; i < count; i++) {
        struct text seed;
        const char *path = text_format(arena, "%s/%s", directory, entries[i]->d_name).data;
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        require(fd >= 0 && file_read_descriptor(arena, fd, FUZZ_BYTES, &seed));
        close(fd);
        if (seed.length > 0 && seed.data[0] != '!') {
            request_once(arena, seed);
        }
        free(entries[i]);
    }
    free(entries);
}

/* libfcgi forgets 96 bytes of a request that is aborted before its parameters, which no nginx does. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfcgi.so";
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct error error;
    struct arena *arena = arena_new(0);
    char path[128], text[4096];
    private_server_need("mariadbd");
    alarm(0);
    require(private_mariadb_new(&mariadb));
    atexit(clean_up);
    snprintf(text, sizeof text, conf_text, mariadb.directory);
    write_text(mariadb.directory, "roster.conf", text);
    write_text(mariadb.directory, "key", "a secret key of more than thirty-two bytes\n");
    snprintf(path, sizeof path, "%s/roster.conf", mariadb.directory);
    config = config_read(path, &error);
    must(config != NULL && config_load_secrets(config, &error) && database_load_library(&error), &error);
    router_init();
    make_tables(arena);
    recorded_start(config->database_socket, mariadb.socket);
    start_worker();
    hear_seeds(arena);
    /* from here on it speaks by itself: the worker notices that its connection is gone, and makes another */
    recorded.speaks = true;
    private_server_stop(&mariadb, SIGKILL);
    arena_free(arena);
    return 0;
}

static void fuzz_input(struct arena *arena, struct text input)
{
    request_once(arena, input);
}
