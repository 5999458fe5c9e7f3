/* picture_upkeep.h: what is to be done to all pictures now and then: by `rosterctl pictures'. */
#ifndef ROSTER_STORE_PICTURE_UPKEEP_H
#define ROSTER_STORE_PICTURE_UPKEEP_H

#include "base/context.h"

/* What is young may be on its way: a picture whose row is not there yet, a file whose picture is not. */
enum { PICTURE_YOUNG_SECONDS = 3600 };

/* How many rows were gone through, and of how many users the picture does not decode: these have the default one now. */
struct picture_adoption {
    int64_t adopted, refused;
    void (*refuse)(struct text user_id, void *argument); /* is told of each of them; may be NULL */
    void *argument;
};

/* Brings the pictures that lie in rows of users as data URIs over into their table, one user at a time. */
enum outcome picture_upkeep_adopt(struct context *context, struct picture_adoption *adoption);

/* Removes pictures that are older than PICTURE_YOUNG_SECONDS and that no user refers to. */
enum outcome picture_upkeep_drop_unused(struct context *context, int64_t *dropped_r);

/* For each of `count` names, HASH.EXT, whether there is such a picture. */
enum outcome picture_upkeep_find(struct context *context, const struct text *names, size_t count, bool *found_r);

#endif
