/* fuzz_identity_table.c: the identity table, used by three threads at once. An input is what they do, two bytes each,
 * in turn one for each thread. Whatever is found is whole, and of the name that was asked for; what was read before a
 * write that has ended by now is not found. */
#include <pthread.h>
#include <stdatomic.h>

#include "fuzz.h"
#include "store/identity_table.h"

enum { THREADS = 3, STEPS_MAX = 4096, NAMES = 12, ROWS = 4, WORDS_MAX = 940 };

static struct text script;
static _Atomic int64_t rows[ROWS], known[ROWS]; /* what MariaDB would have, and the least that may be found */
static pthread_mutex_t row_locks[ROWS];         /* two writes of one row wait for each other */

static struct table_key key_of(unsigned name, char text_r[static 16])
{
    const int length = snprintf(text_r, 16, "name-%u", name);
    const struct text text = {text_r, (size_t)length};
    return (struct table_key){text, {text, name % 3 == 0 ? VERSION_GROUPS : TEXT_NULL}};
}

static void learn(unsigned row, int64_t value)
{
    int64_t least = atomic_load(&known[row]);
    while (least < value && !atomic_compare_exchange_weak(&known[row], &least, value)) {
    }
}

static void write_row(unsigned row)
{
    char text[16];
    const struct table_key key = key_of(row, text);
    const struct table_stamp before = identity_table_stamp(&key);
    version_words_begin(&key.name, 1, row + 1);
    pthread_mutex_lock(&row_locks[row]);
    const int64_t value = atomic_fetch_add(&rows[row], 1) + 1;
    pthread_mutex_unlock(&row_locks[row]);
    version_words_end(true);
    if (value % 2 == 0) {
        const struct table_stamp after = identity_table_stamp_after(&key, &before, key.name);
        identity_table_put(&key, &after, (struct text){(const char *)&value, sizeof value});
    }
    learn(row, value);
}

static void read_row(struct arena *arena, unsigned row)
{
    char text[16];
    const struct table_key key = key_of(row, text);
    const int64_t least = atomic_load(&known[row]);
    const struct text kept = identity_table_get(&key, 0, arena);
    int64_t value;
    if (kept.data != NULL) {
        require(kept.length == sizeof value);
        memcpy(&value, kept.data, sizeof value);
    } else {
        const struct table_stamp stamp = identity_table_stamp(&key);
        value = atomic_load(&rows[row]);
        identity_table_put(&key, &stamp, (struct text){(const char *)&value, sizeof value});
    }
    require(value >= least);
    learn(row, value);
}

/* Entries of any length: each of their words is the name and the length. */
static void put_entry(unsigned name, unsigned amount)
{
    char text[16];
    uint32_t words[2 * WORDS_MAX];
    const struct table_key key = key_of(ROWS + name, text);
    const size_t count = 1 + amount * (2 * WORDS_MAX - 1) / 255;
    for (size_t i = 0; i < count; i++) {
        words[i] = (uint32_t)(name << 16 | count);
    }
    const struct table_stamp stamp = identity_table_stamp(&key);
    identity_table_put(&key, &stamp, (struct text){(const char *)words, 4 * count});
}

static void get_entry(struct arena *arena, unsigned name)
{
    char text[16];
    const struct table_key key = key_of(ROWS + name, text);
    const struct text value = identity_table_get(&key, 0, arena);
    for (size_t i = 0; i + 4 <= value.length; i += 4) {
        uint32_t word;
        memcpy(&word, value.data + i, 4);
        require(word == (name << 16 | value.length / 4));
    }
}

static void forget(unsigned name)
{
    char text[16];
    if (name % 4 == 0) {
        version_words_forget(VERSION_GROUPS);
    } else if (name % 4 == 1) {
        version_words_forget_all();
    } else {
        version_words_forget(key_of(ROWS + name, text).name);
    }
}

static void run_script(struct arena *arena, size_t first)
{
    for (size_t at = 2 * first; at + 2 <= script.length && at < 2 * STEPS_MAX; at += 2 * THREADS) {
        const unsigned what = (unsigned char)script.data[at], how = (unsigned char)script.data[at + 1];
        switch (what % 8) {
        case 0:
        case 1:
            write_row(how % ROWS);
            break;
        case 2:
        case 3:
            read_row(arena, how % ROWS);
            break;
        case 4:
        case 5:
            put_entry(what / 8 % NAMES, how);
            break;
        case 6:
            get_entry(arena, how % NAMES);
            break;
        default:
            forget(how % NAMES);
            break;
        }
        arena_reset(arena);
    }
}

/* The threads stay, as each has a place of its own among the writers, which only a process that ends gives back. */
static pthread_barrier_t begin, end;

static void *run_scripts(void *number)
{
    struct arena *arena = arena_new(0);
    for (;;) {
        pthread_barrier_wait(&begin);
        run_script(arena, (size_t)(intptr_t)number);
        pthread_barrier_wait(&end);
    }
    return arena;
}

static void start(void)
{
    pthread_t thread;
    require(identity_table_create(256 << 10));
    require(pthread_barrier_init(&begin, NULL, THREADS + 1) == 0 && pthread_barrier_init(&end, NULL, THREADS + 1) == 0);
    for (int i = 0; i < ROWS; i++) {
        require(pthread_mutex_init(&row_locks[i], NULL) == 0);
    }
    for (intptr_t i = 0; i < THREADS; i++) {
        require(pthread_create(&thread, NULL, run_scripts, (void *)i) == 0 && pthread_detach(thread) == 0);
    }
}

static void fuzz_input(struct arena *arena, struct text input)
{
    (void)arena;
    struct table_figures figures;
    if (!identity_table_exists()) {
        start();
    }
    script = input;
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&end);
    identity_table_figures(&figures);
    require(figures.entries >= 0 && figures.bytes <= figures.size && figures.writing == 0 && figures.orphans == 0);
}
