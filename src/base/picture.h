/* picture.h: the type and the size of an uploaded picture, from its first bytes, never from the media type in the
 * request. */
#ifndef ROSTER_BASE_PICTURE_H
#define ROSTER_BASE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

/* The maximum length of an address, in bytes. */
enum { PICTURE_ADDRESS_MAX = 2048 };

enum picture_type { PICTURE_NONE, PICTURE_PNG, PICTURE_JPEG, PICTURE_GIF, PICTURE_WEBP, PICTURE_TYPE_COUNT };

struct picture {
    enum picture_type type;
    struct text bytes;      /* decoded; in the arena */
    uint32_t width, height; /* in pixels, never 0; of a GIF, the logical screen */
    struct text hash;       /* SHA-256 of `bytes`, 64 hexadecimal digits */
};

/* "image/png", … and "png", "jpeg", "gif", "webp". NULL for PICTURE_NONE.
 * picture_type_of_extension accepts only these four words. */
const char *picture_media_type(enum picture_type type);
const char *picture_extension(enum picture_type type);
enum picture_type picture_type_of_extension(struct text extension);

/* The type according to the first bytes. PICTURE_NONE for other types. */
enum picture_type picture_sniff(struct text bytes);

/* Decodes `data:image/…;base64,…` (RFC 2397), and fills in type, dimensions and hash.
 * The base64 may hold white space and line ends, but no other characters.
 * False where it is not a data URI, can't be decoded, has another type, or its dimensions can't be read.
 * The caller checks the size. */
bool picture_of_data_uri(struct arena *arena, struct text uri, struct picture *picture_r);

/* True where `text` starts with "data:", in upper or lower case. */
bool picture_is_data_uri(struct text text);

/* True for a valid profile_image_url that is not a data URI: http(s)://…, a relative path, or the empty text.
 * A path is `/…` or `x.png`, but not `//…` or `/\…`, which lead to another host.
 * Control characters are not allowed. */
bool picture_is_address(struct text text);

/* True for http(s)://… (in upper or lower case) for which picture_is_address is true. */
bool picture_is_remote(struct text text);

#endif
