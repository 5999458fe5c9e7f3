#include "base/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOCATOR_IS_FOREIGN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define ALLOCATOR_IS_FOREIGN 1
#endif

static void report_on_standard_error(size_t size)
{
    dprintf(STDERR_FILENO, "out of memory: %zu bytes requested; this process exits\n", size);
}

static void (*report_exhaustion)(size_t size) = report_on_standard_error;

void memory_report_with(void (*report)(size_t size))
{
    report_exhaustion = report;
}

void memory_give_up(size_t size)
{
    static bool giving_up;

    if (!giving_up) {
        giving_up = true; /* the report may allocate memory, too */
        report_exhaustion(size);
    }
    _exit(EX_OSERR);
}

#ifndef ALLOCATOR_IS_FOREIGN

/* The functions of the C library, exported for wrappers. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *piece, size_t size);
extern void __libc_free(void *piece);

/* Larger pieces are reallocated by the C library: they usually have their own pages, which the kernel moves without
 * leaving a copy. */
enum { MOVED_BY_US_MAX = 1 << 20 };

static bool ends_on_failure, wipes_freed;
static size_t wiped_max = SIZE_MAX;

void memory_end_on_failure(void)
{
    ends_on_failure = true;
}

void memory_wipe_freed(void)
{
    wipes_freed = true;
}

void memory_wipe_at_most(size_t bytes)
{
    wiped_max = bytes;
}

bool memory_is_ours(void)
{
    return true;
}

static void *checked(void *piece, size_t size)
{
    if (piece == NULL && size > 0 && ends_on_failure) {
        memory_give_up(size);
    }
    return piece;
}

void *malloc(size_t size)
{
    return checked(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        total = (size_t)-1;
    }
    return checked(__libc_calloc(count, size), total);
}

void free(void *piece)
{
    if (wipes_freed && piece != NULL) {
        const size_t size = malloc_usable_size(piece);
        explicit_bzero(piece, size < wiped_max ? size : wiped_max);
    }
    __libc_free(piece);
}

/* While freed memory is overwritten, a piece is copied and freed here: the C library would not overwrite the old one.
 * */
void *realloc(void *piece, size_t size)
{
    size_t usable;

    if (!wipes_freed || piece == NULL || (usable = malloc_usable_size(piece)) > MOVED_BY_US_MAX) {
        return checked(__libc_realloc(piece, size), size);
    }
    if (size == 0) {
        free(piece);
        return NULL;
    }
    if (size <= usable && size >= usable / 4) {
        return piece;
    }
    void *moved = checked(__libc_malloc(size), size);
    if (moved != NULL) {
        memcpy(moved, piece, size < usable ? size : usable);
        free(piece);
    }
    return moved;
}

#else

void memory_end_on_failure(void)
{
}

void memory_wipe_freed(void)
{
}

void memory_wipe_at_most(size_t bytes)
{
    (void)bytes;
}

bool memory_is_ours(void)
{
    return false;
}

#endif

void memory_hide(void)
{
    if (!memory_is_ours()) {
        return; /* the leak checker of a sanitizer traces the process, as a debugger does */
    }
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

void memory_show(bool shown)
{
    static int before;

    if (shown) {
        before = prctl(PR_GET_DUMPABLE);
        prctl(PR_SET_DUMPABLE, 1);
    } else if (before == 0) {
        prctl(PR_SET_DUMPABLE, 0);
    }
}

/* The header before a secret, on the same pages. */
struct secret {
    _Alignas(max_align_t) size_t mapped_bytes;
};

void *memory_secret_alloc(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (sizeof(struct secret) + size + page - 1) / page * page;
    struct secret *secret = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED) {
        memory_give_up(bytes);
    }
    madvise(secret, bytes, MADV_DONTDUMP);
    secret->mapped_bytes = bytes;
    return secret + 1;
}

void memory_secret_free(void *piece)
{
    struct secret *secret = piece;

    if (secret == NULL) {
        return;
    }
    secret--;
    explicit_bzero(secret + 1, secret->mapped_bytes - sizeof *secret);
    munmap(secret, secret->mapped_bytes);
}
