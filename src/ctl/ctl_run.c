/* ctl_run.c: functions that all commands use: configuration, connection, remarks, errors. */
#include <errno.h>
#include <json.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/process_user.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "ctl/ctl.h"
#include "ctl/fastcgi_client.h"
#include "store/audit_store.h"
#include "store/database.h"
#include "store/migration.h"

/* Whether the running command takes an option. */
static bool takes(const struct invocation *invocation, enum option option)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_global = options[i].command == COMMAND_COUNT;
        if (options[i].option == option && (is_global || commands + options[i].command == invocation->command)) {
            return true;
        }
    }
    return false;
}

const char *ctl_option(const struct invocation *invocation, enum option option)
{
    invariant(takes(invocation, option));
    return invocation->values[option];
}

enum compatibility ctl_compatibility(const struct invocation *invocation)
{
    const char *typed = ctl_option(invocation, OPTION_compatibility);
    const struct enum_word *word = typed != NULL ? enum_find(compatibility_words, text_of(typed)) : NULL;
    return word != NULL ? (enum compatibility)word->value : COMPATIBILITY_0_6;
}

bool ctl_has_option(const struct invocation *invocation, enum option option)
{
    return ctl_option(invocation, option) != NULL;
}

const char *ctl_argument(const struct invocation *invocation, size_t index)
{
    return index < invocation->argument_count ? invocation->arguments[index] : NULL;
}

int ctl_take_duration(const struct invocation *invocation, enum option option, int64_t *seconds_r)
{
    const char *typed = ctl_option(invocation, option);
    return duration_parse(text_of(typed), seconds_r) && *seconds_r >= 1 && *seconds_r <= INT64_MAX / 2
               ? EXIT_DONE
               : ctl_fail(EXIT_USAGE,
                          "--%s: `%s' is not a valid duration; give a number and a unit, for example 12h, 90d or 4w",
                          option_names[option].words, typed);
}

/* A line may hold what was typed, or what stands in a file or a row, which a terminal would interpret: control
 * characters are escaped, but for line ends, and other bytes than UTF-8 become question marks. */
static void print_line(FILE *out, const char *format, va_list arguments)
{
    char *line = NULL;
    const int length = vasprintf(&line, format, arguments);
    for (int at = 0; at < length;) {
        uint32_t character;
        const size_t step = text_utf8_step(line + at, (size_t)(length - at), &character);
        char escape[TEXT_ESCAPE_SIZE];
        if (step == 0) {
            putc('?', out);
        } else if (character != '\n' && text_character_is_odd(character)) {
            fputs(text_escape(character, escape), out);
        } else {
            fwrite(line + at, 1, step, out);
        }
        at += step > 0 ? (int)step : 1;
    }
    putc('\n', out);
    if (length >= 0) {
        explicit_bzero(line, (size_t)length); /* it may contain a new password */
        free(line);
    }
}

int ctl_fail(enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("rosterctl: ", stderr);
    print_line(stderr, format, arguments);
    va_end(arguments);
    return (int)status;
}

/* The exit status for an error of errors.def. */
static enum exit_status status_of_error(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
    case ERROR_INTERNAL_ERROR:
    case ERROR_CREATE_USER_ERROR:
    case ERROR_DELETE_USER_ERROR:
        return EXIT_FAILED;
    case ERROR_USER_NOT_FOUND:
    case ERROR_NOT_FOUND:
    case ERROR_API_KEY_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case ERROR_UNAVAILABLE:
        return EXIT_AWAY;
    default:
        return EXIT_REFUSED;
    }
}

const char *ctl_problem_words(const struct context *context)
{
    const struct problem *problem = &context->problem;
    return problem->detail != NULL ? problem->detail : error_detail(problem->code);
}

int ctl_problem(struct invocation *invocation, const char *what)
{
    return ctl_fail(status_of_error(invocation->context.problem.code), "%s: %s", what,
                    ctl_problem_words(&invocation->context));
}

void ctl_say(const struct invocation *invocation, const char *format, ...)
{
    if (!invocation->quiet && !invocation->json) {
        va_list arguments;
        va_start(arguments, format);
        print_line(stdout, format, arguments);
        va_end(arguments);
    }
}

void ctl_say_aside(const struct invocation *invocation, const char *format, ...)
{
    if (!invocation->quiet && !invocation->json) {
        va_list arguments;
        va_start(arguments, format);
        print_line(stderr, format, arguments);
        va_end(arguments);
    }
}

void ctl_print(struct buffer *buffer)
{
    struct text text = buffer_text(buffer);
    fwrite(text.data, 1, text.length, stdout);
    if (text.length == 0 || text.data[text.length - 1] != '\n') {
        putchar('\n');
    }
}

/* Escapes control characters in stored documents, since a terminal would interpret them. Values do not change. */
static struct text escape_odd(struct arena *arena, struct text json)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (size_t at = 0; at < json.length;) {
        uint32_t character;
        size_t step = text_utf8_step(json.data + at, json.length - at, &character);
        if (step > 0 && character >= 0x7f && text_character_is_odd(character)) {
            char escape[TEXT_ESCAPE_SIZE];
            buffer_add_string(&out, text_escape(character, escape));
        } else {
            step = step > 0 ? step : 1;
            buffer_add(&out, json.data + at, step);
        }
        at += step;
    }
    return buffer_text(&out);
}

void ctl_print_json(const struct invocation *invocation, struct text json)
{
    json_object *parsed = NULL;
    if (isatty(STDOUT_FILENO) && !invocation->json) {
        parsed = json_tokener_parse(text_to_string(invocation->context.arena, json));
    }
    if (parsed != NULL) {
        json = text_of(json_object_to_json_string_ext(parsed, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    struct text escaped = escape_odd(invocation->context.arena, json);
    json_object_put(parsed);
    fwrite(escaped.data, 1, escaped.length, stdout);
    putchar('\n');
    if (parsed == NULL) {
        /* it may contain a new key or password */
        explicit_bzero((char *)escaped.data, escaped.length);
    }
}

int ctl_load_config(struct invocation *invocation)
{
    struct error error;
    invocation->config = config_read(invocation->config_path, &error);
    if (invocation->config == NULL) {
        return ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
    }
    invocation->context.config = invocation->config;
    return EXIT_DONE;
}

int ctl_load_secrets(struct invocation *invocation)
{
    struct error error;
    if (!config_load_secrets(invocation->config, &error)) {
        ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
        if (geteuid() != 0) {
            fputs("rosterctl: this command needs the secret files of the service: call it as root, or as the service's "
                  "user\n",
                  stderr);
        }
        return EXIT_CONFIGURATION;
    }
    return EXIT_DONE;
}

/* The name of a system user, or its number. */
static const char *user_name(struct arena *arena, uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);
    return entry != NULL ? text_copy(arena, text_of(entry->pw_name)).data : text_format(arena, "%ld", (long)uid).data;
}

/* Who signed in on this machine, whoever they have become since: the kernel keeps it. NULL: not known. */
static const char *login_name_of(struct arena *arena)
{
    struct text content;
    int64_t uid;
    if (file_read(arena, "/proc/self/loginuid", &content) && text_to_integer(text_trim(content), &uid) && uid >= 0 &&
        uid < UINT32_MAX) {
        return user_name(arena, (uid_t)uid);
    }
    /* only root is believed, as anybody can set a variable */
    return getuid() == 0 ? getenv("SUDO_USER") : NULL;
}

void ctl_set_actor(struct invocation *invocation)
{
    static struct audit_actor actor;
    struct arena *arena = invocation->context.arena;
    const char *name = user_name(arena, getuid()), *login = login_name_of(arena);
    const struct text shown =
        login != NULL && strcmp(login, name) != 0 ? text_format(arena, "%s (%s)", name, login) : text_of(name);
    actor = (struct audit_actor){.system_user = text_cut_bytes(shown, 200),
                                 .through = text_format(arena, "rosterctl %s", invocation->command->words)};
    if (!text_is_utf8(actor.system_user)) {
        actor.system_user = text_format(arena, "%ld", (long)getuid());
    }
    invocation->context.actor = &actor;
}

static bool become(const struct config *config, gid_t group, struct error *error)
{
    struct process_user user;
    bool is_done = process_user_resolve(config->user, config->group, &user, error) &&
                   process_user_add_group(&user, group, error) && process_user_assume(&user, error);
    process_user_free(&user);
    return is_done;
}

/* Before the first write: the service must not answer from what it keeps meanwhile. One that does not run keeps
 * nothing. */
static void announce_writes(struct context *context, uint64_t connection)
{
    enum { ANSWER_MILLISECONDS = 2000 };
    struct error error;
    const char *path = context->config->pools[POOL_STATUS].listen;
    if (config_uses_identity_cache(context->config) && access(path, F_OK) == 0 &&
        !fastcgi_hold(context->arena, path, connection, ANSWER_MILLISECONDS, &error)) {
        fprintf(stderr,
                "rosterctl: warning: the service could not be told of the change (%s); it sees it after "
                "identity_cache at most\n",
                error.text);
    }
}

/* Root switches to the service's user, if there is such a user, for unix_socket authentication. */
int ctl_connect_in_group(struct invocation *invocation, gid_t group)
{
    struct error error;
    uid_t uid;
    gid_t gid;
    if (process_user_find(invocation->config->user, &uid, &gid) && !become(invocation->config, group, &error)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s: %s", invocation->config_path, error.text);
    }
    if (!database_connect(&invocation->context, &error)) {
        return ctl_fail(EXIT_AWAY, "MariaDB can't be used: %s", error.text);
    }
    database_announce_writes(announce_writes);
    if (!log_open_audit(invocation->config->audit_log, &error)) {
        fprintf(stderr, "rosterctl: warning: %s\n", error.text);
    }
    return EXIT_DONE;
}

int ctl_connect(struct invocation *invocation)
{
    return ctl_connect_in_group(invocation, (gid_t)-1);
}

/* Newer tables have all that this program knows, as migrations only add: while one host is upgraded, the others go on.
 * So a command only warns of them; the service does not start with them. */
static int check_tables(struct invocation *invocation)
{
    struct error error;
    int version = migration_schema_version(&invocation->context);
    if (version < 0 || migration_is_expected(&invocation->context, version, &error)) {
        return EXIT_DONE; /* the error of the command's own statements tells more than an unknown version */
    }
    if (version < migration_expected) {
        return ctl_fail(EXIT_FAILED, "%s", error.text);
    }
    fprintf(stderr, "rosterctl: warning: %s\n", error.text);
    return EXIT_DONE;
}

int ctl_open_store(struct invocation *invocation)
{
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        status = ctl_connect(invocation);
    }
    return status == EXIT_DONE ? check_tables(invocation) : status;
}

/* ---- A part in a child process ---- */

static volatile sig_atomic_t running_child;

static void pass_on(int signal_number)
{
    if (running_child > 0) {
        kill((pid_t)running_child, signal_number);
    }
}

static int wait_for_child(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return ctl_fail(EXIT_FAILED, "a process can't be waited for: %s", strerror(errno));
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : ctl_fail(EXIT_FAILED, "stopped by signal %d", WTERMSIG(status));
}

int ctl_run_child(struct invocation *invocation, int (*run)(struct invocation *invocation, void *argument),
                  void *argument)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction passing = {.sa_handler = pass_on}, before[ARRAY_COUNT(ending)];
    sigset_t blocked, old;
    sigemptyset(&passing.sa_mask);
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_COUNT(ending); i++) {
        sigaddset(&blocked, ending[i]);
    }
    fflush(NULL);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    pid_t child = fork();
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        int status = run(invocation, argument);
        database_close();
        fflush(NULL);
        _exit(status);
    }
    if (child < 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        return ctl_fail(EXIT_FAILED, "there can be no further process: %s", strerror(errno));
    }
    running_child = child;
    for (size_t i = 0; i < ARRAY_COUNT(ending); i++) {
        sigaction(ending[i], &passing, &before[i]);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    int status = wait_for_child(child);
    running_child = 0;
    for (size_t i = 0; i < ARRAY_COUNT(ending); i++) {
        sigaction(ending[i], &before[i], NULL);
    }
    return status;
}

void *ctl_shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    invariant(memory != MAP_FAILED);
    return memory;
}
