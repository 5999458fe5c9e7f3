/* picture_store.h: pictures. Each is stored once, under the SHA-256 of its bytes; rows of users contain the address
 * `/pictures/HASH.EXT`. */
#ifndef ROSTER_STORE_PICTURE_STORE_H
#define ROSTER_STORE_PICTURE_STORE_H

#include "base/picture.h"
#include "store/rows.h"

/* Decodes a data URI that a client sent, and checks it against picture_size_limit and picture_side_limit.
 * *address_r: /pictures/HASH.EXT. *picture_r: the picture to store.
 * PROBLEM INVALID_IMAGE. */
enum outcome picture_store_take(struct context *context, struct text sent, struct text *address_r,
                                const struct picture **picture_r);

/* A user refers to a picture if profile_image_url or profile_banner_image_url is its address, with its hash and its
 * type. A transaction that adds a reference keeps the picture's row locked until it commits (keep, hold). A transaction
 * that removes a picture locks its row first, and then looks for references. */

/* Within a transaction: stores the picture, unless it is stored already. */
enum outcome picture_store_keep(struct context *context, const struct picture *picture);

/* Within a transaction, before a row is changed to refer to `address` (null: unchanged).
 * Stores `picture`, if it is not NULL. Otherwise, if the address is /pictures/HASH.EXT, checks that the picture exists,
 * and locks it. The address that the row has already (`present`) is accepted without a check.
 * PROBLEM INVALID_IMAGE: there is no such picture. */
enum outcome picture_store_hold(struct context *context, struct text present, struct text address,
                                const struct picture *picture);

/* Within a transaction: removes the picture that `address` names, if no user refers to it. */
enum outcome picture_store_drop_unused(struct context *context, struct text address);

/* The same in a separate transaction, for a picture that was replaced just now. If it fails, the picture stays until
 * `rosterctl pictures clean'. */
void picture_store_drop_replaced(struct context *context, struct text address);

/* *exists_r: whether there is this picture. */
enum outcome picture_store_exists(struct context *context, struct text hash, enum picture_type type, bool *exists_r);

/* Moves pictures from rows of users to their table, one at a time: for rows of USER_COLUMNS in which a picture is
 * `data:` (see columns.def). Replaces them by their addresses, in MariaDB and in `rows`.
 * In `rows` only: a picture that can't be decoded is replaced by the default (/user.png; NULL for a banner), and one
 * that can't be moved now by the address PROFILE/image. */
void picture_store_adopt(struct context *context, struct result *rows);

/* Moves the picture of one user whose profile_image_url is a data URI to the table of pictures.
 * *picture_r: the decoded picture, even if it could not be stored. Its type is PICTURE_NONE if it can't be decoded. */
enum outcome picture_store_bring(struct context *context, struct text user_id, struct picture *picture_r);

/* `/pictures/HASH.EXT` of a picture. */
struct text picture_store_address(struct arena *arena, const struct picture *picture);

/* Reads the type and the bytes of a picture. PROBLEM NOT_FOUND. */
enum outcome picture_store_read(struct context *context, struct text hash, enum picture_type *type_r,
                                struct text *bytes_r);

/* Splits `/pictures/HASH.EXT`. False: it is another address. */
bool picture_store_parse_address(struct text address, struct text *hash_r, enum picture_type *type_r);

#endif
