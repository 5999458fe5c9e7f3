/* picture_store.h: pictures, each stored once under the SHA-256 of its bytes; rows of users hold the address `/pictures/HASH.EXT`. */
#ifndef ROSTER_STORE_PICTURE_STORE_H
#define ROSTER_STORE_PICTURE_STORE_H

#include "base/picture.h"
#include "store/rows.h"

/* Looks at what a client sent as profile_image_url. An address goes through as it is; a data URI is decoded and checked against picture_size_limit and picture_side_limit: *address_r is then
 * /pictures/HASH.EXT, and *picture_r the picture to store (NULL otherwise). INVALID_IMAGE. */
enum outcome picture_store_take(struct context *context, struct text sent, struct text *address_r, const struct picture **picture_r);

/* Within a transaction: stores the bytes unless they are there. */
enum outcome picture_store_keep(struct context *context, const struct picture *picture);

/* Within a transaction: removes the picture that `address` names where no user refers to it any more. */
enum outcome picture_store_drop_unused(struct context *context, struct text address);

/* Rows whose place of the picture shows `data:` (see columns.def): brings the pictures over into the table and puts their addresses into the rows; /user.png into those (in
 * memory only) whose picture does not decode. `column` is where the picture stands in the rows, `id_column` where the id. */
enum outcome picture_store_adopt(struct context *context, struct result *rows, unsigned id_column, unsigned column);

/* `/pictures/HASH.EXT` of a picture. */
struct text picture_store_address(struct arena *arena, const struct picture *picture);

/* The bytes of HASH.EXT; NOT_FOUND. */
enum outcome picture_store_read(struct context *context, struct text hash, enum picture_type *type_r, struct text *bytes_r);

/* Splits `/pictures/HASH.EXT`: false where it is no such address. */
bool picture_store_parse_address(struct text address, struct text *hash_r, enum picture_type *type_r);

#endif
