/* picture_upkeep.h: maintenance of all pictures, for `rosterctl pictures'. */
#ifndef ROSTER_STORE_PICTURE_UPKEEP_H
#define ROSTER_STORE_PICTURE_UPKEEP_H

#include "base/context.h"

/* Newer pictures and files are not removed: the row that refers to the picture, or the picture of the file, may not be
 * committed yet. */
enum { PICTURE_YOUNG_SECONDS = 3600 };

/* Result: how many pictures were moved, and of how many users the picture can't be decoded: the default picture
 * replaces these. */
struct picture_adoption {
    int64_t adopted, refused;
    void (*refuse)(struct text user_id, void *argument); /* called for each of these users; may be NULL */
    void *argument;
};

/* Moves pictures that rows of users contain as data URIs to their table, one user at a time. */
enum outcome picture_upkeep_adopt(struct context *context, struct picture_adoption *adoption);

/* Removes pictures that are older than PICTURE_YOUNG_SECONDS and that no user refers to. */
enum outcome picture_upkeep_drop_unused(struct context *context, int64_t *dropped_r);

/* For each of `count` names, HASH.EXT, whether there is such a picture. */
enum outcome picture_upkeep_find(struct context *context, const struct text *names, size_t count, bool *found_r);

#endif
