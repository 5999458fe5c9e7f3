/* allocations.c: counts what a program and the processes that it forks allocate, for t/bench/run: LD_PRELOAD it.
 *
 * The file that ROSTER_BENCH_ALLOCATIONS names, of 16 bytes, gets two numbers: how often memory was asked for, and how
 * many bytes. A piece that is made larger or smaller counts as one more.
 *
 * Roster has functions malloc, calloc and realloc of its own (memory.c), which stand before these: its calls are seen
 * where they go on to the C library's. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
    _Atomic uint64_t calls, bytes;
};

static struct counters unused, *counters = &unused;

/* The C library's, under the names that only it has; found at the first call, which comes before any constructor. */
static struct {
    void *(*allocate)(size_t size);
    void *(*zero)(size_t count, size_t size);
    void *(*change)(void *piece, size_t size);
    void *(*align)(size_t alignment, size_t size);
} library;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *piece, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void find_library(void)
{
    *(void **)&library.zero = dlsym(RTLD_NEXT, "__libc_calloc");
    *(void **)&library.change = dlsym(RTLD_NEXT, "__libc_realloc");
    *(void **)&library.align = dlsym(RTLD_NEXT, "__libc_memalign");
    *(void **)&library.allocate = dlsym(RTLD_NEXT, "__libc_malloc");
    if (library.zero == NULL || library.change == NULL || library.align == NULL || library.allocate == NULL) {
        static const char message[] = "allocations: this C library is not glibc\n";
        if (write(STDERR_FILENO, message, sizeof message - 1) < 0) {
            _exit(2);
        }
        _exit(1);
    }
}

static void count(size_t bytes)
{
    if (library.allocate == NULL) {
        find_library();
    }
    atomic_fetch_add_explicit(&counters->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes, bytes, memory_order_relaxed);
}

__attribute__((constructor)) static void open_counters(void)
{
    const char *path = getenv("ROSTER_BENCH_ALLOCATIONS");
    int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *place = file >= 0 ? mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (file >= 0) {
        close(file);
    }
    if (place != MAP_FAILED) {
        counters = place;
    }
}

void *__libc_malloc(size_t size)
{
    count(size);
    return library.allocate(size);
}

void *__libc_calloc(size_t number, size_t size)
{
    count(number * size);
    return library.zero(number, size);
}

void *__libc_realloc(void *piece, size_t size)
{
    count(size);
    return library.change(piece, size);
}

void *__libc_memalign(size_t alignment, size_t size)
{
    count(size);
    return library.align(alignment, size);
}

void *malloc(size_t size)
{
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return __libc_calloc(number, size);
}

void *realloc(void *piece, size_t size)
{
    return __libc_realloc(piece, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **piece_r, size_t alignment, size_t size)
{
    *piece_r = __libc_memalign(alignment, size);
    return *piece_r != NULL ? 0 : 12; /* ENOMEM */
}
