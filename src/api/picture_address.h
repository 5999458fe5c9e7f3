/* picture_address.h: validates the address of a picture that a client sends. */
#ifndef ROSTER_API_PICTURE_ADDRESS_H
#define ROSTER_API_PICTURE_ADDRESS_H

#include "worker/request.h"

struct picture;

/* Validates the `profile_image_url` `sent` for the user `user_id` (null: a new account).
 * `present`: the address that this user's answers show now (null for a new account).
 * *address_r: the address to store; null: keep the stored one, since `sent` equals `present`, or is the address
 * PROFILE/image of this user (relative or at this site, with or without a query).
 * *picture_r: the decoded picture of a data URI, to store with the address; else NULL.
 * OK, FAULT, or PROBLEM with INVALID_IMAGE for:
 * - text that is neither an address (picture_is_address) nor a valid picture
 * - an address of over 2,048 bytes
 * - the address PROFILE/image of another user, whose picture the caller must not publish
 * - a path below /pictures/ other than /pictures/HASH.EXT
 * - a path below /auths/ at this site: a browser that shows it would do what it says, as to sign out
 * Does not check whether the picture exists: picture_store_hold does, when the row is written. */
enum outcome picture_address_take(struct request *request, struct text sent, struct text user_id, struct text present,
                                  struct text *address_r, const struct picture **picture_r);

#endif
