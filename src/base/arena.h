/* arena.h: the memory of one request.
 *
 * As nginx's pools and Dovecot's data stacks: memory is taken in blocks, and given back all at once when the request is over. Whatever a
 * library allocates on our behalf is registered as a cleanup where it is made, so that nobody else has to free it.
 *
 * arena_alloc never returns NULL: where the system has no memory left the process says so and ends (the master starts
 * another). The ceiling (`request_memory_limit`) is a flag instead of a failing allocation: what grows with its input (rows, output,
 * parsed bodies) looks at arena_exceeded and gives up with a problem; a single small allocation need not. */
#ifndef ROSTER_BASE_ARENA_H
#define ROSTER_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* A new arena with a ceiling in bytes (0: none). The caller frees it with arena_free. */
struct arena *arena_new(size_t ceiling_bytes);

/* Runs the cleanups, then gives all memory back. NULL is allowed. */
void arena_free(struct arena *arena);

/* Runs the cleanups, newest first, and makes the memory available again. One block is kept for the next request. */
void arena_reset(struct arena *arena);

/* `size` bytes, aligned for any type, not initialised. Valid until the next reset. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/* As arena_alloc, all bytes zero; `count * size` is checked for overflow. */
void *arena_zero(struct arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Makes a piece of `old_size` bytes larger and answers where it is now; its contents move along, its old place is no longer valid. NULL is a piece
 * of no bytes. The newest piece grows without a copy, and so does a very large one. */
void *arena_grow(struct arena *arena, void *piece, size_t old_size, size_t size) __attribute__((returns_nonnull));

/* Has `function(argument)` called at the next reset or free, before the memory goes. */
void arena_cleanup(struct arena *arena, void (*function)(void *), void *argument);

/* Counts memory that a library holds for this request (a parsed JSON body) against the ceiling. */
void arena_account(struct arena *arena, size_t bytes);

/* True once more has been taken than the ceiling allows. */
bool arena_exceeded(const struct arena *arena);

/* Bytes taken since the last reset. */
size_t arena_used(const struct arena *arena);

#endif
