/* arena.h: the memory of one request.
 *
 * Like nginx's pools: memory is allocated in blocks, and freed all at once at the end of the request.
 * Memory that a library allocates is registered as a cleanup where it is allocated. No other code frees it.
 *
 * arena_alloc never returns NULL: when the system is out of memory, the process logs an alert and exits. The master
 * starts another worker.
 * The limit (`request_memory_limit`) does not make an allocation fail: it sets a flag. Code whose memory grows with its
 * input (rows, output, parsed bodies) checks arena_exceeded and answers with a problem. A single small allocation does
 * not need the check. */
#ifndef ROSTER_BASE_ARENA_H
#define ROSTER_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* A new arena with a limit in bytes (0: unlimited).
 * The caller frees it with arena_free. */
struct arena *arena_new(size_t ceiling_bytes);

/* Runs the cleanups, then frees all memory. NULL is allowed. */
void arena_free(struct arena *arena);

/* Runs the cleanups, newest first, and makes the memory available again.
 * One block is overwritten and kept for the next request.
 * memory_wipe_freed overwrites the others. */
void arena_reset(struct arena *arena);

/* Allocates `size` bytes, aligned for any type, not initialised.
 * Never NULL. Valid until the next reset. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/* As arena_alloc, all bytes zero; `count * size` is checked for overflow. */
void *arena_zero(struct arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Enlarges a piece of `old_size` bytes and returns its new address. The content is kept.
 * The old address becomes invalid.
 * `piece` may be NULL, with `old_size` 0.
 * The newest piece, and a very large one, grow without a copy. */
void *arena_grow(struct arena *arena, void *piece, size_t old_size, size_t size) __attribute__((returns_nonnull));

/* Calls `function(argument)` at the next reset or free, before the memory is freed. */
void arena_cleanup(struct arena *arena, void (*function)(void *), void *argument);

/* Counts memory that a library holds for this request (a parsed JSON body) towards the limit. */
void arena_account(struct arena *arena, size_t bytes);

/* True once more memory than the limit has been allocated. */
bool arena_exceeded(const struct arena *arena);

/* Bytes allocated since the last reset. */
size_t arena_used(const struct arena *arena);

#endif
