/* findings.h: the results of checks of the installation, for `roster -t` and `rosterctl doctor`. */
#ifndef ROSTER_CHECK_FINDINGS_H
#define ROSTER_CHECK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

/* GOOD: nothing to do. UNSEEN: the caller may not look. WARNING: should be looked at. ERROR: must be fixed. */
enum finding_severity { FINDING_GOOD, FINDING_UNSEEN, FINDING_WARNING, FINDING_ERROR, FINDING_SEVERITY_COUNT };

/* Called for each finding, at once.
 * `text` is one line: what is wrong, and how to fix it where no command does. `cure` is the command that fixes it; "":
 * none does. Both are valid until the handler returns. */
typedef void finding_handler(enum finding_severity severity, const char *subject, const char *text, const char *cure,
                             void *argument);

struct findings {
    finding_handler *tell;
    void *argument;
    const char *subject;                   /* of the next findings */
    size_t counts[FINDING_SEVERITY_COUNT]; /* of all subjects */
    size_t faults_before;                  /* warnings and errors before this subject */
};

void findings_init(struct findings *findings, finding_handler *tell, void *argument);

/* Sets the subject of the next findings, for example "files" or "MariaDB". Keeps the pointer. */
void findings_begin(struct findings *findings, const char *subject);

/* Reports a finding, whose text is formatted as by printf(3). */
void findings_add(struct findings *findings, enum finding_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the command that mends it. */
void findings_add_cure(struct findings *findings, enum finding_severity severity, const char *cure, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

/* True where the current subject has no warnings and no errors so far. */
bool findings_are_good(const struct findings *findings);

#endif
