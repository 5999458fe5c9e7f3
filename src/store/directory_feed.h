/* directory_feed.h: fills the directory (directory.h) from MariaDB, and keeps it as MariaDB is.
 *
 * It is loaded in steps, behind answers and by idle workers of the pool directory. From then on each answer begins
 * with a look for who was changed or deleted since the last one: by user.changed_at, which MariaDB sets itself, and
 * deleted_user. As these are times of statements, not of commits, the last OVERLAP_SECONDS are read again each time; a
 * statement that takes half the time says whether somebody was changed in them at all. So every change counts whose
 * transaction took no longer, whoever made it. How the others are found:
 * - transactions that were open for up to WIDE_SECONDS: read again now and then
 * - rows that were deleted by hand, without a row in deleted_user: the number of users is compared now and then, and a
 *   page misses their rows; then all ids are compared, in steps */
#ifndef ROSTER_STORE_DIRECTORY_FEED_H
#define ROSTER_STORE_DIRECTORY_FEED_H

#include "store/database.h"

/* Makes the directory have what was committed before this call. False: it is not ready, or MariaDB does not answer, or
 * far too much has changed; SQL has to be asked. Does not change context->problem. */
bool directory_feed_catch_up(struct context *context);

/* An id from the directory has no row: somebody deleted it by hand. All ids will be compared. */
void directory_feed_doubt(void);

/* Does a part of the work that is due. Called behind each answer, and by idle workers, of one pool.
 * Returns the milliseconds after which an idle worker should call it again; -1: never. Does not change
 * context->problem. */
int directory_feed_upkeep(struct context *context);

#endif
