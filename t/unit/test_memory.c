/* test_memory.c: the end of a process without memory, also inside a library, and what is left in memory that was freed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "unit.h"

/* How a child ends that runs `function`. */
static int status_of(void (*function)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static size_t resident_limit(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1) {
        _exit(99);
    }
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct arena *arena;
static struct text large;

/* An object of many members, which json-c needs several megabytes for; as much is not there. */
static void prepare_large(void)
{
    struct buffer buffer;
    arena = arena_new(0);
    buffer_init(&buffer, arena);
    for (int i = 0; i < 100000; i++) {
        buffer_add_format(&buffer, "%s\"key%d\":\"%d\"", i == 0 ? "{" : ",", i, i);
    }
    buffer_add_byte(&buffer, '}');
    large = buffer_text(&buffer);
}

static void leave_room(size_t bytes)
{
    const struct rlimit limit = {resident_limit() + bytes, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &limit) != 0) {
        _exit(98);
    }
}

static void parse_without_memory(void)
{
    memory_end_on_failure();
    prepare_large();
    leave_room(8 << 20);
    json_object *object = json_parse(arena, large);
    _exit(object == NULL ? 1 : 2); /* NULL, or members are missing */
}

static void parse_with_memory(void)
{
    memory_end_on_failure();
    prepare_large();
    json_object *object = json_parse(arena, large);
    _exit(object != NULL && json_object_object_length(object) == 100000 ? 0 : 3);
}

static void allocate(void)
{
    memory_end_on_failure();
    leave_room(1 << 20);
    void *volatile piece = malloc(64 << 20);
    _exit(piece == NULL ? 1 : 2);
}

static void allocate_zeroed(void)
{
    memory_end_on_failure();
    leave_room(1 << 20);
    void *volatile piece = calloc(64, 1 << 20);
    _exit(piece == NULL ? 1 : 2);
}

static void overflow(void)
{
    memory_end_on_failure();
    volatile size_t count = SIZE_MAX / 2;
    void *volatile piece = calloc(count, 4);
    _exit(piece == NULL ? 1 : 2);
}

static void grow(void)
{
    memory_end_on_failure();
    void *piece = malloc(100);
    leave_room(1 << 20);
    piece = realloc(piece, 64 << 20);
    _exit(piece == NULL ? 1 : 2);
}

static void allocate_by_default(void)
{
    leave_room(1 << 20);
    void *volatile piece = malloc(64 << 20);
    _exit(piece == NULL && errno == ENOMEM ? 0 : 2);
}

static void test_end(void **state)
{
    (void)state;
    if (!memory_is_ours()) {
        return; /* a sanitizer ends the process in its own way */
    }
    assert_int_equal(status_of(parse_with_memory), 0);
    assert_int_equal(WEXITSTATUS(status_of(parse_without_memory)), EX_OSERR);
    assert_int_equal(WEXITSTATUS(status_of(allocate)), EX_OSERR);
    assert_int_equal(WEXITSTATUS(status_of(allocate_zeroed)), EX_OSERR);
    assert_int_equal(WEXITSTATUS(status_of(overflow)), EX_OSERR);
    assert_int_equal(WEXITSTATUS(status_of(grow)), EX_OSERR);
    assert_int_equal(status_of(allocate_by_default), 0);
}

/* True where `secret`, whose bytes are each one too high, stands anywhere in the heap or in what is mapped. */
static bool is_in_memory(const char *shifted)
{
    size_t length = strlen(shifted);
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    static char window[1 << 16];
    if (maps == NULL || memory < 0) {
        _exit(97);
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' || rights[1] != 'w') {
            continue;
        }
        for (unsigned long at = from; at < to; at += sizeof window - 256) {
            ssize_t got = pread(memory, window, to - at < sizeof window ? to - at : sizeof window, (off_t)at);
            for (ssize_t i = 0; i + (ssize_t)length <= got; i++) {
                size_t j = 0;
                while (j < length && window[i + (ssize_t)j] == (char)(shifted[j] - 1)) {
                    j++;
                }
                found = found || j == length;
            }
        }
        memset(window, 0, sizeof window);
    }
    close(memory);
    fclose(maps);
    return found;
}

/* "a secret in memory", each byte one higher, so that the program's own text is not what is found. */
static const char shifted_secret[] = "b!tfdsfu!jo!nfnpsz";

static void write_secret(char *place)
{
    for (size_t i = 0; shifted_secret[i] != '\0'; i++) {
        place[i] = (char)(shifted_secret[i] - 1);
    }
}

static void use_and_free(void)
{
    enum { PIECES = 40 };
    char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = malloc(32 + i * 700);
        write_secret(pieces[i]);
        pieces[i] = realloc(pieces[i], 64 + i * 1500); /* most move */
    }
    for (size_t i = 0; i < PIECES; i++) {
        free(pieces[i]);
    }
}

static void look_after_free(void)
{
    use_and_free();
    _exit(is_in_memory(shifted_secret) ? 1 : 0);
}

static void look_after_wiped_free(void)
{
    memory_wipe_freed();
    use_and_free();
    _exit(is_in_memory(shifted_secret) ? 1 : 0);
}

/* An arena's pieces of every size, and those that have grown out of their place. */
static void look_after_reset(void)
{
    memory_wipe_freed();
    struct arena *pieces = arena_new(0);
    for (size_t size = 32; size < 300000; size = size * 3 / 2) {
        char *piece = arena_alloc(pieces, size);
        write_secret(piece);
        arena_alloc(pieces, 1);
        arena_grow(pieces, piece, size, size * 2);
    }
    bool there = is_in_memory(shifted_secret);
    arena_reset(pieces);
    _exit(!there ? 2 : is_in_memory(shifted_secret) ? 1 : 0);
}

static void look_after_secret(void)
{
    char *secret = memory_secret_alloc(100);
    memset(secret, 0, 100);
    write_secret(secret);
    bool there = is_in_memory(shifted_secret);
    memory_secret_free(secret);
    memory_secret_free(NULL);
    _exit(!there ? 2 : is_in_memory(shifted_secret) ? 1 : 0);
}

/* A large piece with a secret at `offset`, of which the first 64 bytes are wiped, and then one that is wiped whole. */
static void look_after_part(size_t offset)
{
    memory_wipe_freed();
    char *part = malloc(8192), *whole = malloc(8192);
    write_secret(part + offset);
    write_secret(whole + 4000);
    memory_wipe_at_most(64);
    free(part);
    memory_wipe_at_most(SIZE_MAX);
    free(whole);
    _exit(is_in_memory(shifted_secret) ? 1 : 0);
}

static void look_after_used_part(void)
{
    look_after_part(0);
}

static void look_after_unused_part(void)
{
    look_after_part(4000);
}

static void test_wipe(void **state)
{
    (void)state;
    if (!memory_is_ours()) {
        return;
    }
    assert_int_equal(WEXITSTATUS(status_of(look_after_free)), 1); /* the search finds it where nothing is wiped */
    assert_int_equal(WEXITSTATUS(status_of(look_after_wiped_free)), 0);
    assert_int_equal(WEXITSTATUS(status_of(look_after_used_part)), 0);
    assert_int_equal(WEXITSTATUS(status_of(look_after_unused_part)), 1); /* it was said not to be written */
    assert_int_equal(WEXITSTATUS(status_of(look_after_reset)), 0);
    assert_int_equal(WEXITSTATUS(status_of(look_after_secret)), 0);
}

static void test_regrowth(void **state)
{
    (void)state;
    memory_wipe_freed();
    char *piece = NULL;
    for (size_t size = 1; size < 5000000; size = size * 5 / 3 + 1) {
        char *grown = realloc(piece, size);
        assert_non_null(grown);
        for (size_t i = 0; piece != NULL && i < size / 2; i++) {
            assert_int_equal(grown[i], 'x');
        }
        memset(grown, 'x', size);
        piece = grown;
    }
    piece = realloc(piece, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(piece[i], 'x');
    }
    assert_null(realloc(piece, 0));
}

static void hide(void)
{
    struct rlimit limit;
    memory_hide();
    getrlimit(RLIMIT_CORE, &limit);
    _exit(prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 1);
}

static void test_hide(void **state)
{
    (void)state;
    if (memory_is_ours()) {
        assert_int_equal(WEXITSTATUS(status_of(hide)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_regrowth),
        cmocka_unit_test(test_hide),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
