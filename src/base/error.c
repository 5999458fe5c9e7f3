/* error.c: see error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Ends a truncated text with "...", and removes a partial character. */
static void mark_cut(char text[static ERROR_TEXT_SIZE])
{
    static const char mark[] = "...";
    size_t end = ERROR_TEXT_SIZE - sizeof mark;

    for (int i = 0; i < 3 && ((unsigned char)text[end] & 0xc0) == 0x80; i++) {
        end--;
    }
    memcpy(text + end, mark, sizeof mark);
}

/* Sets the formatted text, followed by `rest`. */
static void compose(struct error *error, const char *format, va_list arguments, const char *rest)
{
    struct error made; /* not in place: an argument, or `rest`, may be the old text */
    int errno_before = errno;
    int length = vsnprintf(made.text, sizeof made.text, format, arguments);

    if (length < 0) {
        made.text[0] = '\0';
    } else if (length < (int)sizeof made.text) {
        length += snprintf(made.text + length, sizeof made.text - (size_t)length, "%s", rest);
    }
    if (length >= (int)sizeof made.text) {
        mark_cut(made.text);
    }
    memcpy(error->text, made.text, strlen(made.text) + 1);
    errno = errno_before;
}

bool error_set(struct error *error, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        compose(error, format, arguments, "");
        va_end(arguments);
    }
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        compose(error, format, arguments, error->text);
        va_end(arguments);
    }
    return false;
}
