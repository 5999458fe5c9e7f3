#include "auth/api_key.h"

#include "auth/password.h"
#include "base/hex.h"
#include "base/random.h"

#define PREFIX "sk-"

enum { RANDOM_BYTES = 16 };

bool api_key_is(struct text credential)
{
    return text_starts_with(credential, PREFIX);
}

struct text api_key_make(struct arena *arena)
{
    unsigned char bytes[RANDOM_BYTES];
    random_bytes(bytes, sizeof bytes);
    struct text digits = hex_encode(arena, bytes, sizeof bytes);
    struct text key = text_format(arena, PREFIX "%s", digits.data);
    explicit_bzero(bytes, sizeof bytes);
    password_wipe(digits);
    return key;
}

struct text api_key_mask(struct arena *arena, struct text suffix)
{
    return text_format(arena, PREFIX "…%.*s", (int)suffix.length, suffix.data);
}
