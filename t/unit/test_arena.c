/* test_arena.c: pieces, growth, cleanups, the ceiling, and the end where there is no memory. */
#include <stdalign.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/array.h"
#include "unit.h"

static void test_pieces(void **state)
{
    struct arena *arena = arena_new(0);
    enum { PIECES = 600 };
    char *pieces[PIECES];

    (void)state;
    for (int round = 0; round < 3; round++) {
        /* Of 0 to 19 KB: shared and own blocks in turn. */
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = i * i % 20000;

            pieces[i] = arena_alloc(arena, size);
            assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < PIECES; i++) {
            for (size_t at = 0; at < i * i % 20000; at++) {
                if (pieces[i][at] != (char)(i % 251)) {
                    fail_msg("piece %zu was overwritten", i);
                }
            }
        }
        assert_true(arena_used(arena) > 0);
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
    arena_free(arena);
    arena_free(NULL);
}

static void test_zero(void **state)
{
    struct arena *arena = arena_new(0);

    (void)state;
    for (size_t size = 1; size < 40000; size = size * 3 + 1) {
        memset(arena_alloc(arena, size), 0xFF, size);
        arena_reset(arena);
        for (size_t at = 0, *zero = arena_zero(arena, size, sizeof *zero); at < size; at++) {
            assert_int_equal(zero[at], 0);
        }
    }
    arena_free(arena);
}

/* A string of cleanups writes its name here. */
static char called[16];

static void note(void *name)
{
    strcat(called, name);
}

static struct arena *late_arena;

static void note_late(void *name)
{
    note(name);
    memset(arena_alloc(late_arena, 100), 0, 100);
    arena_cleanup(late_arena, note, "!");
}

static void test_cleanups(void **state)
{
    struct arena *arena = arena_new(0);
    char *name = arena_alloc(arena, 2);

    (void)state;
    called[0] = '\0';
    strcpy(name, "m");
    arena_cleanup(arena, note, "a");
    arena_cleanup(arena, note, name); /* its argument is still there */
    arena_cleanup(arena, note, "z");
    assert_string_equal(called, "");
    arena_reset(arena);
    assert_string_equal(called, "zma");
    arena_reset(arena);
    assert_string_equal(called, "zma");

    called[0] = '\0';
    late_arena = arena;
    arena_cleanup(arena, note, "b");
    arena_cleanup(arena, note_late, "l");
    arena_free(arena);
    assert_string_equal(called, "l!b");
}

static void test_ceiling(void **state)
{
    struct arena *arena = arena_new(10000);

    (void)state;
    assert_false(arena_exceeded(arena));
    arena_alloc(arena, 5000);
    assert_false(arena_exceeded(arena));
    arena_account(arena, 5000);
    assert_true(arena_exceeded(arena));
    memset(arena_alloc(arena, 100000), 1, 100000); /* the ceiling is soft */
    arena_account(arena, SIZE_MAX);
    assert_true(arena_exceeded(arena));
    assert_true(arena_used(arena) == SIZE_MAX);
    arena_reset(arena);
    assert_false(arena_exceeded(arena));
    arena_free(arena);

    arena = arena_new(0);
    arena_account(arena, SIZE_MAX);
    assert_false(arena_exceeded(arena));
    arena_free(arena);
}

static void test_grow(void **state)
{
    struct arena *arena = arena_new(0);
    unsigned char *one = NULL, *two = NULL;
    size_t size = 0;

    (void)state;
    /* Two that grow in turn, past every kind of block. */
    while (size < 2000000) {
        size_t more = size + size / 2 + 7;

        one = arena_grow(arena, one, size, more);
        two = arena_grow(arena, two, size, more);
        for (size_t at = size; at < more; at++) {
            one[at] = (unsigned char)(at % 253);
            two[at] = (unsigned char)(at % 241);
        }
        size = more;
        for (size_t at = 0; at < size; at++) {
            if (one[at] != at % 253 || two[at] != at % 241) {
                fail_msg("byte %zu of %zu was lost", at, size);
            }
        }
    }
    assert_ptr_equal(arena_grow(arena, one, size, size), one);
    assert_ptr_equal(arena_grow(arena, one, size, 10), one);
    arena_free(arena);
}

static void test_grow_counts_once(void **state)
{
    struct arena *arena = arena_new(0);
    char *piece = NULL;

    (void)state;
    for (size_t size = 0; size < 1000000; size += 1000) {
        piece = arena_grow(arena, piece, size, size + 1000);
    }
    /* Each kind of block counts at most once more. */
    assert_true(arena_used(arena) >= 1000000);
    assert_true(arena_used(arena) < 1100000);
    arena_free(arena);
}

/* What is large is unmapped at once. AddressSanitizer keeps freed memory for a while; nothing is looked at there. */
static void test_reset_gives_back(void **state)
{
    struct arena *arena = arena_new(0);
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    char *large = memset(arena_alloc(arena, 4000000), 1, 4000000);
    char *first = arena_alloc(arena, 100);
    char *page = large - (uintptr_t)large % page_size;
    unsigned char resident = 0;

    (void)state;
    assert_int_equal(mincore(page, 1, &resident), 0);
    arena_reset(arena);
#if !defined(__SANITIZE_ADDRESS__)
    assert_int_equal(mincore(page, 1, &resident), -1);
    assert_int_equal(errno, ENOMEM);
    assert_ptr_equal(arena_alloc(arena, 100), first); /* the block that was kept */
#endif
    (void)first;
    arena_free(arena);
}

static void ask_too_much(struct arena *arena)
{
    arena_alloc(arena, SIZE_MAX);
}

static void ask_half(struct arena *arena)
{
    arena_alloc(arena, SIZE_MAX / 2);
}

static void ask_overflow(struct arena *arena)
{
    arena_zero(arena, SIZE_MAX / 8, 16);
}

static void grow_too_much(struct arena *arena)
{
    arena_grow(arena, arena_alloc(arena, 10), 10, SIZE_MAX - 1);
}

static void ask_unmappable(struct arena *arena)
{
    arena_alloc(arena, SIZE_MAX / 8);
}

static void test_exhaustion_ends_the_process(void **state)
{
    static struct arena *arena; /* static, so that no leak is found in the children, which end without freeing it */
    static void (*const asks[])(struct arena *) = {ask_too_much, ask_half, ask_overflow, grow_too_much, ask_unmappable};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(asks); i++) {
        int status = 0;
        pid_t child;

        arena = arena_new(0);
#if defined(__SANITIZE_ADDRESS__)
        if (asks[i] == ask_unmappable) {
            arena_free(arena);
            continue; /* the sanitizer has words of its own for this */
        }
#endif
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(STDERR_FILENO);
            asks[i](arena);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EX_OSERR);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_cleanups),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_grow_counts_once),
        cmocka_unit_test(test_reset_gives_back),
        cmocka_unit_test(test_exhaustion_ends_the_process),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
