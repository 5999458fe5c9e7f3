/* title.c: the kernel shows the memory of the arguments as the title, so the title is written there. The environment
 * nearly always follows it in memory, and is moved to make room. */
#include "master/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *title;
static size_t title_size;

/* The copy of the environment. setenv(3) and unsetenv(3) may drop the pointers to it; these keep it reachable for leak
 * checkers. */
static char **environment_list __attribute__((used));
static char *environment_text __attribute__((used));

/* Moves the environment to new memory. Returns the end of the part that followed `end` directly; NULL without
 * memory. */
static char *move_environment(char *end)
{
    size_t count = 0, size = 0;
    for (; environ[count] != NULL; count++) {
        size += strlen(environ[count]) + 1;
    }
    environment_list = calloc(count + 1, sizeof *environment_list);
    environment_text = malloc(size + 1);
    if (environment_list == NULL || environment_text == NULL) {
        return NULL;
    }
    char *next = environment_text;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(environ[i]) + 1;
        memcpy(next, environ[i], length);
        environment_list[i] = next;
        next += length;
        if (environ[i] == end) {
            end += length;
        }
    }
    environ = environment_list;
    return end;
}

void title_init(int argc, char **argv)
{
    static char program_name[] = "roster"; /* glibc's prefix of messages points into argv[0] */
    program_invocation_name = program_name;
    program_invocation_short_name = program_name;

    if (argc < 1 || argv[0] == NULL) {
        return;
    }
    char *end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++) {
        end = argv[i] + strlen(argv[i]) + 1;
    }
    end = move_environment(end);
    if (end == NULL) {
        return;
    }
    title = argv[0];
    title_size = (size_t)(end - title);
}

void title_set(const char *name, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && title != NULL && title_size > 1) {
        memset(title, 0, title_size);
        memcpy(title, text, strnlen(text, title_size - 1));
    }
    prctl(PR_SET_NAME, name);
}
