/* fuzz.h: the frame of each harness. A harness is a file fuzz_NAME.c that defines `fuzz_input', and has its seeds in
 * corpus/NAME: Makefile.am links it with libFuzzer (`make fuzz'), and with replay.c, which `make check' runs. */
#ifndef ROSTER_T_FUZZ_H
#define ROSTER_T_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger inputs are passed over: they take time, and find nothing else. */
enum { FUZZ_BYTES = 65536 };

/* What must hold for every input; else the program ends as a crash. */
#define require(condition) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
static inline void fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

/* What the harness does with one input, which may be empty. The memory is freed afterwards. */
static void fuzz_input(struct arena *arena, struct text input);

/* The first byte of an input often says what the rest is. '\0' of an empty one. */
static inline char fuzz_take_byte(struct text *input)
{
    if (input->length == 0) {
        return '\0';
    }
    input->length--;
    return *input->data++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    if (arena == NULL) {
        arena = arena_new(0);
    }
    if (size > FUZZ_BYTES) {
        return 0;
    }
    /* A copy of exactly this size, so that a sanitizer sees each byte read beyond it. */
    char *copy = malloc(size > 0 ? size : 1);
    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    fuzz_input(arena, (struct text){copy, size});
    arena_reset(arena);
    free(copy);
    return 0;
}

#endif
