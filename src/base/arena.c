#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_PIECE_APART 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define EACH_PIECE_APART 1
#endif

enum {
    ALIGNMENT = alignof(max_align_t),

    /* The first block is enough for most requests, and is all that an idle worker keeps. Each further block of a
     * request
     * has twice the size of the one before. */
    BLOCK_FIRST_BYTES = 16 * 1024,
    BLOCK_MAX_BYTES = 64 * 1024,

/* A larger piece has its own block: it does not waste the rest of a shared one, and is freed after the request. With
 * AddressSanitizer each piece has its own block, so that each overrun is detected. */
#ifdef EACH_PIECE_APART
    PIECE_SHARED_MAX_BYTES = 0,
    MAP_FROM_BYTES = INT32_MAX,
#else
    PIECE_SHARED_MAX_BYTES = BLOCK_FIRST_BYTES / 2,

    /* Larger blocks are mapped here: malloc raises its mmap threshold when such a block is freed, and would keep the
     * next
     * ones. */
    MAP_FROM_BYTES = 128 * 1024,
#endif
};

/* The header of a block. */
struct block {
    alignas(max_align_t) struct block *next;
    struct block *previous;
    size_t size_bytes;   /* with this header */
    size_t filled_bytes; /* the same; of a shared block */
};

struct cleanup {
    void (*function)(void *);
    void *argument;
    struct cleanup *next;
};

struct arena {
    size_t ceiling_bytes;
    size_t used_bytes;
    struct block *shared; /* newest first; a reset keeps the last one */
    struct block *own;    /* newest first */
    struct cleanup *cleanups;
};

static void count(struct arena *arena, size_t bytes)
{
    if (__builtin_add_overflow(arena->used_bytes, bytes, &arena->used_bytes)) {
        arena->used_bytes = SIZE_MAX;
    }
}

/* The size of a piece of `size` bytes, aligned, and at least one unit. Ends the process where the size overflows. */
static size_t room_of(size_t size)
{
    if (size > PTRDIFF_MAX / 2) {
        memory_give_up(size);
    }
    if (size == 0) {
        size = 1;
    }
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct block *block_new(size_t size_bytes)
{
    struct block *block;

    if (size_bytes >= MAP_FROM_BYTES) {
        block = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            block = NULL;
        }
    } else {
        block = malloc(size_bytes);
    }
    if (block == NULL) {
        memory_give_up(size_bytes);
    }
    block->next = block->previous = NULL;
    block->size_bytes = size_bytes;
    block->filled_bytes = sizeof *block;
    return block;
}

static void block_free(struct block *block)
{
    if (block->size_bytes >= MAP_FROM_BYTES) {
        munmap(block, block->size_bytes);
    } else {
        free(block);
    }
}

static void own_link(struct arena *arena, struct block *block)
{
    block->previous = NULL;
    block->next = arena->own;
    if (block->next != NULL) {
        block->next->previous = block;
    }
    arena->own = block;
}

static void own_unlink(struct arena *arena, struct block *block)
{
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        arena->own = block->next;
    }
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
}

static void *own_alloc(struct arena *arena, size_t size)
{
    struct block *block = block_new(sizeof *block + size);

    own_link(arena, block);
    return block + 1;
}

/* Enlarges a piece with its own block. The kernel moves pages of a large one without a copy. */
static void *own_grow(struct arena *arena, void *piece, size_t old_size, size_t size)
{
    struct block *block = (struct block *)piece - 1;
    size_t size_bytes = sizeof *block + size;
    void *moved;

    if (block->size_bytes < MAP_FROM_BYTES && size_bytes >= MAP_FROM_BYTES) {
        moved = own_alloc(arena, size);
        memcpy(moved, piece, old_size);
        own_unlink(arena, block);
        block_free(block);
        return moved;
    }
    own_unlink(arena, block);
    if (size_bytes >= MAP_FROM_BYTES) {
        moved = mremap(block, block->size_bytes, size_bytes, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED) {
            memory_give_up(size_bytes);
        }
    } else {
        moved = realloc(block, size_bytes);
        if (moved == NULL) {
            memory_give_up(size_bytes);
        }
    }
    block = moved;
    block->size_bytes = size_bytes;
    own_link(arena, block);
    return block + 1;
}

struct arena *arena_new(size_t ceiling_bytes)
{
    struct arena *arena = calloc(1, sizeof *arena);

    if (arena == NULL) {
        memory_give_up(sizeof *arena);
    }
    arena->ceiling_bytes = ceiling_bytes;
    return arena;
}

void arena_reset(struct arena *arena)
{
    /* One by one, since a cleanup may allocate memory or register another cleanup. */
    while (arena->cleanups != NULL) {
        struct cleanup *cleanup = arena->cleanups;

        arena->cleanups = cleanup->next;
        cleanup->function(cleanup->argument);
    }
    struct block *block;
    while ((block = arena->own) != NULL) {
        arena->own = block->next;
        block_free(block);
    }
    while ((block = arena->shared) != NULL && block->next != NULL) {
        arena->shared = block->next;
        block_free(block);
    }
    if (block != NULL) {
        /* Passwords and tokens were here. Other blocks were unmapped, or overwritten by free (memory.h). */
        explicit_bzero(block + 1, block->filled_bytes - sizeof *block);
        block->filled_bytes = sizeof *block;
    }
    arena->used_bytes = 0;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    arena_reset(arena);
    if (arena->shared != NULL) {
        block_free(arena->shared);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t room = room_of(size);
    struct block *block = arena->shared;
    void *piece;

    count(arena, room);
    if (room > PIECE_SHARED_MAX_BYTES) {
#ifdef EACH_PIECE_APART
        room = size;
#endif
        return own_alloc(arena, room);
    }
    if (block == NULL || block->size_bytes - block->filled_bytes < room) {
        size_t size_bytes = BLOCK_FIRST_BYTES;

        if (block != NULL) {
            size_bytes = block->size_bytes < BLOCK_MAX_BYTES ? block->size_bytes * 2 : BLOCK_MAX_BYTES;
        }
        block = block_new(size_bytes);
        block->next = arena->shared;
        arena->shared = block;
    }
    piece = (char *)block + block->filled_bytes;
    block->filled_bytes += room;
    return piece;
}

void *arena_grow(struct arena *arena, void *piece, size_t old_size, size_t size)
{
    size_t old_room, room;
    struct block *block = arena->shared;
    void *moved;

    if (piece == NULL) {
        return arena_alloc(arena, size);
    }
    old_room = room_of(old_size);
    room = room_of(size);
    if (old_room > PIECE_SHARED_MAX_BYTES) {
        if (room > old_room) {
            count(arena, room - old_room);
        }
#ifdef EACH_PIECE_APART
        old_room = old_size;
        room = size;
#endif
        return room > old_room ? own_grow(arena, piece, old_room, room) : piece;
    }
    if (room <= old_room) {
        return piece;
    }

    /* The newest piece of the newest block grows in place. */
    if (room <= PIECE_SHARED_MAX_BYTES && (char *)piece + old_room == (char *)block + block->filled_bytes &&
        block->size_bytes - block->filled_bytes >= room - old_room) {
        block->filled_bytes += room - old_room;
        count(arena, room - old_room);
        return piece;
    }
    moved = arena_alloc(arena, size);
    memcpy(moved, piece, old_size);
    return moved;
}

void *arena_zero(struct arena *arena, size_t count_of, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count_of, size, &total)) {
        memory_give_up(SIZE_MAX);
    }
    void *piece = arena_alloc(arena, total);
    memset(piece, 0, total);
    return piece;
}

void arena_cleanup(struct arena *arena, void (*function)(void *), void *argument)
{
    struct cleanup *cleanup = arena_alloc(arena, sizeof *cleanup);

    cleanup->function = function;
    cleanup->argument = argument;
    cleanup->next = arena->cleanups;
    arena->cleanups = cleanup;
}

void arena_account(struct arena *arena, size_t bytes)
{
    count(arena, bytes);
}

bool arena_exceeded(const struct arena *arena)
{
    return arena->ceiling_bytes != 0 && arena->used_bytes > arena->ceiling_bytes;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used_bytes;
}
