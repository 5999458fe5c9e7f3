#include "ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const state_names[] = {"ok", "warning", "error"};
static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};

void findings_init(struct findings *findings, const struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"state", NULL, SHEET_TEXT}, {"subject", NULL, SHEET_TEXT}, {"text", NULL, SHEET_TEXT}};
    *findings = (struct findings){.invocation = invocation};
    sheet_init(&findings->sheet, invocation->context.arena, columns, sizeof columns / sizeof columns[0]);
}

void findings_add(struct findings *findings, enum finding_state state, const char *subject, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    findings->error_count += state == FINDING_ERROR;
    findings->warning_count += state == FINDING_WARNING;
    if (findings->invocation->json) {
        struct sheet_cell *row = sheet_add(&findings->sheet);
        row[0] = sheet_text(text_of(state_names[state]));
        row[1] = sheet_text(text_of(subject));
        row[2] = sheet_text(text_copy(findings->sheet.arena, text_of(text)));
    } else if (state != FINDING_GOOD || !findings->invocation->quiet) {
        bool colour = isatty(STDOUT_FILENO);
        printf("%s%-7s%s  %-13s  %s\n", colour ? colours[state] : "", state_names[state], colour ? "\033[0m" : "",
               subject, text);
        fflush(stdout);
    }
}

int findings_finish(struct findings *findings)
{
    if (findings->invocation->json) {
        sheet_print(findings->invocation, &findings->sheet);
    } else if (findings->error_count > 0) {
        ctl_say(findings->invocation, "\n%zu to mend, %zu to look at.", findings->error_count, findings->warning_count);
    } else if (findings->warning_count > 0) {
        ctl_say(findings->invocation, "\nNothing to mend, %zu to look at.", findings->warning_count);
    } else {
        ctl_say(findings->invocation, "\nAll is well.");
    }
    return findings->error_count > 0 ? EXIT_FAILED : EXIT_DONE;
}
