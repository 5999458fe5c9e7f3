/* random.h: random bytes and identifiers. */
#ifndef ROSTER_BASE_RANDOM_H
#define ROSTER_BASE_RANDOM_H

#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

/* `size` bytes from the kernel's generator (getrandom(2)). On failure the process logs an alert and aborts. */
void random_bytes(unsigned char *bytes, size_t size);

/* A random UUID (RFC 9562, version 4) as 36 characters, in the arena. */
struct text random_uuid(struct arena *arena);

#endif
