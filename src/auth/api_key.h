/* api_key.h: the form of an API key: `sk-` and 32 hexadecimal digits. */
#ifndef ROSTER_AUTH_API_KEY_H
#define ROSTER_AUTH_API_KEY_H

#include <stdbool.h>

#include "base/text.h"

struct arena;

/* True where a credential is an API key: it begins with `sk-`. No token of a session does. */
bool api_key_is(struct text credential);

/* Returns a new key of 128 random bits, NUL-terminated, in the arena. The caller wipes it. */
struct text api_key_make(struct arena *arena);

/* Returns the masked form of a key, in the arena. `suffix` is the last characters, the only ones that are shown. */
struct text api_key_mask(struct arena *arena, struct text suffix);

#endif
