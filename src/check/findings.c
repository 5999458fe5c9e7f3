/* findings.c: see findings.h. */
#include "check/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

void findings_init(struct findings *findings, finding_handler *tell, void *argument)
{
    *findings = (struct findings){.tell = tell, .argument = argument, .subject = ""};
}

static size_t faults(const struct findings *findings)
{
    return findings->counts[FINDING_WARNING] + findings->counts[FINDING_ERROR];
}

void findings_begin(struct findings *findings, const char *subject)
{
    findings->subject = subject;
    findings->faults_before = faults(findings);
}

static void __attribute__((format(printf, 4, 0))) add(struct findings *findings, enum finding_severity severity,
                                                      const char *cure, const char *format, va_list arguments)
{
    char text[ERROR_TEXT_SIZE + 1024]; /* an error, and what stands before it */
    vsnprintf(text, sizeof text, format, arguments);
    findings->counts[severity]++;
    findings->tell(severity, findings->subject, text, cure, findings->argument);
}

void findings_add(struct findings *findings, enum finding_severity severity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, severity, "", format, arguments);
    va_end(arguments);
}

void findings_add_cure(struct findings *findings, enum finding_severity severity, const char *cure, const char *format,
                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, severity, cure, format, arguments);
    va_end(arguments);
}

bool findings_are_good(const struct findings *findings)
{
    return faults(findings) == findings->faults_before;
}
