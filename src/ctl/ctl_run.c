/* ctl_run.c: what every command needs around it: configuration, connection, remarks, failures. */
#include <json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "master/process_user.h"
#include "store/database.h"

const char *ctl_option(const struct invocation *invocation, const char *name)
{
    enum command_id id = (enum command_id)(invocation->command - commands);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id && strcmp(options[i].name, name) == 0) {
            return invocation->values[i];
        }
    }
    log_invariant_failed("the option has a row", __FILE__, __LINE__);
}

bool ctl_has_option(const struct invocation *invocation, const char *name)
{
    return ctl_option(invocation, name) != NULL;
}

const char *ctl_argument(const struct invocation *invocation, size_t index)
{
    return index < invocation->argument_count ? invocation->arguments[index] : NULL;
}

static void print_line(FILE *out, const char *format, va_list arguments)
{
    vfprintf(out, format, arguments);
    putc('\n', out);
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

/* The exit status that stands for an error of errors.def. */
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

int ctl_problem(struct invocation *invocation, const char *what)
{
    const struct problem *problem = &invocation->context.problem;
    const char *detail = problem->detail != NULL ? problem->detail : error_detail(problem->code);
    return ctl_fail(status_of_error(problem->code), "%s: %s", what, detail);
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

void ctl_print_json(struct invocation *invocation, struct text json)
{
    json_object *parsed = NULL;
    if (isatty(STDOUT_FILENO) && !invocation->json) {
        parsed = json_tokener_parse(text_to_string(invocation->context.arena, json));
    }
    if (parsed != NULL) {
        puts(json_object_to_json_string_ext(parsed, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                        JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(parsed);
    } else {
        fwrite(json.data, 1, json.length, stdout);
        putchar('\n');
    }
}

int ctl_load_config(struct invocation *invocation)
{
    const char *error;
    invocation->config = config_read(invocation->config_path, &error);
    if (invocation->config == NULL) {
        return ctl_fail(EXIT_CONFIGURATION, "%s", error);
    }
    invocation->context.config = invocation->config;
    return EXIT_DONE;
}

int ctl_load_secrets(struct invocation *invocation)
{
    const char *error;
    if (!config_load_secrets(invocation->config, &error)) {
        ctl_fail(EXIT_CONFIGURATION, "%s", error);
        if (geteuid() != 0) {
            fputs("rosterctl: This command needs the secrets of the service: call it as root, or as the service's "
                  "user.\n",
                  stderr);
        }
        return EXIT_CONFIGURATION;
    }
    return EXIT_DONE;
}

/* As the service's user, where root called and there is such a user: MariaDB then knows us by unix_socket
 * authentication. */
int ctl_connect(struct invocation *invocation)
{
    const char *error;
    uid_t uid;
    gid_t gid;
    if (process_user_find(invocation->config->user, &uid, &gid) &&
        !process_user_become(invocation->config->user, invocation->config->group, &error)) {
        return ctl_fail(EXIT_CONFIGURATION, "%s: %s", invocation->config_path, error);
    }
    if (!database_connect(&invocation->context, &error)) {
        return ctl_fail(EXIT_AWAY, "MariaDB does not answer: %s", error);
    }
    return EXIT_DONE;
}
