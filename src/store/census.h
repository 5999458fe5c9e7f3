/* census.h: how many accounts and sessions there are, and when the last backup was made: what /status tells of the
 * data. All workers share the counts. */
#ifndef ROSTER_STORE_CENSUS_H
#define ROSTER_STORE_CENSUS_H

#include "base/context.h"
#include "base/scoreboard.h"

extern const char *const census_roles[SCOREBOARD_ROLES];

struct census {
    bool is_counted; /* false: the next ones, up to schema_version, are not known */
    int64_t accounts[SCOREBOARD_ROLES];
    int64_t active;   /* users who were active within USER_ACTIVE_SECONDS */
    int64_t sessions; /* valid ones */
    int64_t mails_waiting, mails_given_up;
    int64_t oldest_mail_at; /* since when the oldest of those that wait has; -1: none does */
    int64_t schema_version;
    int64_t last_backup_at; /* epoch seconds; -1: not known */
};

/* The counts of the last time. Where `may_count`, counts again if it is time: so that counting takes a hundredth of the
 * time at most, and a minute after the last time at the latest. The first time, and where it is quick, that is at once.
 * With MariaDB's limit for the statements of the pool status, it takes half a second at most; where that is too little,
 * the counts are not known, and are tried again after ten minutes. */
void census_read(struct context *context, bool may_count, struct census *census_r);

/* Marks that a backup was made now: sets the time of backup_stamp, which it makes where it is missing.
 * False: it can't be written; the error says why. */
bool census_stamp_backup(const struct config *config, struct error *error);

#endif
