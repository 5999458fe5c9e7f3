/* fuzz_picture.c: a picture, and its header.
 *
 * The input is taken as a data URI as it stands, as a picture that is encoded here, and as an address. */
#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/picture.h"
#include "fuzz.h"

static bool try_uri(struct arena *arena, struct text uri, struct picture *picture_r)
{
    if (!picture_of_data_uri(arena, uri, picture_r)) {
        return false;
    }
    require(picture_is_data_uri(uri));
    require(picture_r->type == picture_sniff(picture_r->bytes));
    require(picture_r->type > PICTURE_NONE && picture_r->type < PICTURE_TYPE_COUNT);
    require(picture_r->width > 0 && picture_r->height > 0);
    require(picture_r->hash.length == 64);
    return true;
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct picture picture;
    struct buffer buffer;
    size_t encoded_max = (input.length + 2) / 3 * 4 + 1; /* with EVP_EncodeBlock's NUL */

    if (try_uri(arena, input, &picture)) {
        require(!picture_is_address(input));
    }
    picture_is_address(input);

    buffer_init(&buffer, arena);
    buffer_add_literal(&buffer, "data:image/any;base64,");
    buffer.length += (size_t)EVP_EncodeBlock((unsigned char *)buffer_reserve(&buffer, encoded_max),
                                             (const unsigned char *)input.data, (int)input.length);
    if (try_uri(arena, buffer_text(&buffer), &picture)) {
        require(text_equal(picture.bytes, input));
    }
}
