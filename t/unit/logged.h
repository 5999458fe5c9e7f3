/* logged.h: Roster's log in a file of the test's, and what comes into it. */
#ifndef ROSTER_T_LOGGED_H
#define ROSTER_T_LOGGED_H

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "unit.h"

static char log_path[128];

/* DIRECTORY/roster.log, for everything. */
static inline bool logged_open(const char *directory)
{
    struct error error;
    snprintf(log_path, sizeof log_path, "%s/roster.log", directory);
    return log_open(log_path, "off", LOG_SEVERITY_DEBUG, LOG_FORMAT_TEXT, &error);
}

/* What was logged since the last call, at most 32 KB. Valid until the next call. */
static inline const char *logged(void)
{
    static char text[32768];
    static long position;
    FILE *file = fopen(log_path, "r");
    assert_non_null(file);
    fseek(file, position, SEEK_SET);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    position = ftell(file);
    fclose(file);
    return text;
}

#endif
