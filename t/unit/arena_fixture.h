/* arena_fixture.h: one arena for all tests of a program; a test that wants it empty calls arena_reset. */
#ifndef ROSTER_T_ARENA_FIXTURE_H
#define ROSTER_T_ARENA_FIXTURE_H

#include "base/arena.h"

static struct arena *arena;

static inline int arena_set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static inline int arena_tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

#endif
