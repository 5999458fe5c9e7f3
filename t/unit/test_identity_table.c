/* test_identity_table.c: what is stored counts until somebody writes, whatever processes do and however they die. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "child.h"
#include "store/identity_table.h"

enum { BYTES = 4 << 20 };

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    assert_true(identity_table_create(BYTES));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    identity_table_set_source(0);
    return identity_table_create(0) ? 0 : -1;
}

static struct table_key row_of(const char *id)
{
    return (struct table_key){text_of(id), {text_of(id)}};
}

static void put(struct table_key key, const char *value)
{
    struct table_stamp stamp = identity_table_stamp(&key);
    identity_table_put(&key, &stamp, text_of(value));
}

static void assert_value(struct table_key key, const char *expected)
{
    struct text value = identity_table_get(&key, 0, arena);
    if (expected == NULL) {
        assert_null(value.data);
        return;
    }
    assert_int_equal(value.length, strlen(expected));
    assert_string_equal(value.data, expected);
}

static void stored_and_found(void **state)
{
    (void)state;
    assert_value(row_of("ada"), NULL);
    put(row_of("ada"), "Ada");
    put(row_of("bob"), "Bob");
    assert_value(row_of("ada"), "Ada");
    assert_value(row_of("bob"), "Bob");
    put(row_of("ada"), "Ada Lovelace, longer than before");
    assert_value(row_of("ada"), "Ada Lovelace, longer than before");
    put(row_of("ada"), "");
    assert_value(row_of("ada"), "");
    assert_value(row_of("adam"), NULL);
    assert_value(row_of(""), NULL);
}

/* Larger and larger, beside others in the same pages. */
static void sizes(void **state)
{
    (void)state;
    char *value = arena_zero(arena, 1, TABLE_ENTRY_BYTES + 2);
    const size_t max = TABLE_ENTRY_BYTES - strlen("ada");
    for (size_t length = 1; length <= max; length = length == max || length * 3 / 2 < max ? length * 3 / 2 + 1 : max) {
        memset(value, 'a' + (int)(length % 26), length);
        value[length] = '\0';
        put(row_of("ada"), value);
        assert_value(row_of("ada"), value);
        put(row_of("bob"), value);
        assert_value(row_of("bob"), value);
    }
    put(row_of("ada"), "short");
    assert_value(row_of("ada"), "short");
    memset(value, 'x', max + 1);
    put(row_of("ada"), value);
    assert_value(row_of("ada"), "short"); /* too large to be stored */
}

static void a_write_ends_it(void **state)
{
    (void)state;
    struct text ada = TEXT("ada");
    put(row_of("ada"), "old");
    put(row_of("bob"), "Bob");
    version_words_begin(&ada, 1, 7);
    assert_true(version_words_is_writing());
    assert_value(row_of("ada"), NULL);
    assert_value(row_of("bob"), "Bob");
    put(row_of("ada"), "read meanwhile");
    assert_value(row_of("ada"), NULL);
    version_words_end(true);
    assert_false(version_words_is_writing());
    assert_value(row_of("ada"), NULL);
    put(row_of("ada"), "new");
    assert_value(row_of("ada"), "new");
}

static void read_before_stored_after(void **state)
{
    (void)state;
    struct text ada = TEXT("ada");
    struct table_key key = row_of("ada");
    struct table_stamp stamp = identity_table_stamp(&key);
    version_words_begin(&ada, 1, 7);
    version_words_end(true);
    identity_table_put(&key, &stamp, TEXT("old"));
    assert_value(key, NULL);
}

/* What a writer stores of its own write counts, unless others wrote meanwhile. */
static void written_and_stored(void **state)
{
    (void)state;
    const struct table_key key = {TEXT("document"), {TEXT("ada"), TEXT("row ada")}};
    for (int other = 0; other < 5; other++) {
        struct version_orphan orphan;
        if (other == 1) {
            version_words_hold(99); /* somebody was writing before */
        }
        struct table_stamp stamp = identity_table_stamp(&key);
        if (other == 2) {
            version_words_begin(&key.concerns[1], 1, 7);
            version_words_end(true);
        }
        version_words_begin(&key.concerns[1], 1, 7);
        version_words_end(true);
        if (other == 3 || other == 4) {
            version_words_begin(other == 3 ? &key.concerns[0] : NULL, other == 3, 7);
            version_words_end(true);
        }
        stamp = identity_table_stamp_after(&key, &stamp, key.concerns[1]);
        identity_table_put(&key, &stamp, TEXT("new"));
        assert_value(key, other == 0 ? "new" : NULL);
        if (version_words_orphans(&orphan, 1) == 1) {
            version_words_release(&orphan);
        }
    }
    put(key, "as before");
    assert_value(key, "as before");
}

static void everything(void **state)
{
    (void)state;
    struct text many[9];
    char names[9][8];
    for (size_t i = 0; i < 9; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        many[i] = text_of(names[i]);
    }
    put(row_of("ada"), "old");
    version_words_begin(many, 9, 7);
    assert_value(row_of("ada"), NULL);
    put(row_of("ada"), "meanwhile");
    version_words_end(true);
    assert_value(row_of("ada"), NULL);
    put(row_of("ada"), "old");
    version_words_begin(NULL, 0, 7);
    assert_value(row_of("ada"), NULL);
    version_words_end(true);
    put(row_of("ada"), "old");
    version_words_forget_all();
    assert_value(row_of("ada"), NULL);
}

static void concerns_two(void **state)
{
    (void)state;
    struct table_key session = {TEXT("token"), {TEXT("jti"), TEXT("ada")}};
    put(session, "good");
    version_words_forget(TEXT("jti"));
    assert_value(session, NULL);
    put(session, "good");
    version_words_forget(TEXT("ada"));
    assert_value(session, NULL);
    put(session, "good");
    version_words_forget(TEXT("token")); /* only what it is found by */
    assert_value(session, "good");
}

static void ends_by_time(void **state)
{
    (void)state;
    struct table_key key = row_of("ada");
    struct table_stamp stamp = identity_table_stamp(&key);
    assert_true(stamp.at > 0 && stamp.at <= clock_monotonic_microseconds());
    stamp.at = 1000;
    identity_table_put(&key, &stamp, TEXT("old"));
    assert_non_null(identity_table_get(&key, 999, arena).data);
    assert_null(identity_table_get(&key, 1000, arena).data);
}

/* What a worker stores that asks another database. */
static void sources_are_apart(void **state)
{
    (void)state;
    put(row_of("ada"), "of one database");
    identity_table_beat(5000000);
    assert_true(identity_table_is_watched(5000000));
    identity_table_set_source(4711);
    assert_value(row_of("ada"), NULL);
    assert_false(identity_table_is_watched(5000000));
    put(row_of("ada"), "of another");
    assert_value(row_of("ada"), "of another");
    identity_table_set_source(0);
    assert_value(row_of("ada"), "of one database");
    version_words_forget(TEXT("ada")); /* a write is a write */
    assert_value(row_of("ada"), NULL);
    identity_table_set_source(4711);
    assert_value(row_of("ada"), NULL);
}

/* The connections of orphans are gone, up to this one. */
static size_t release_up_to(uint64_t connection)
{
    struct version_orphan orphans[8];
    size_t count = version_words_orphans(orphans, 8);
    for (size_t i = 0; i < count; i++) {
        if (orphans[i].connection <= connection) {
            version_words_release(&orphans[i]);
        }
    }
    return version_words_orphans(orphans, 8);
}

static void an_outcome_is_not_known(void **state)
{
    (void)state;
    struct text ada = TEXT("ada");
    version_words_begin(&ada, 1, 17);
    version_words_over(4711);
    version_words_end(false);
    put(row_of("ada"), "who knows");
    assert_value(row_of("ada"), NULL);
    put(row_of("bob"), "Bob");
    assert_value(row_of("bob"), "Bob");
    assert_int_equal(release_up_to(4710), 1);
    put(row_of("ada"), "who knows");
    assert_value(row_of("ada"), NULL);
    assert_int_equal(release_up_to(4711), 0);
    put(row_of("ada"), "new");
    assert_value(row_of("ada"), "new");
}

static void concerns_more(void **state)
{
    (void)state;
    struct text ada = TEXT("ada"), more[] = {TEXT("ada"), TEXT("bob"), VERSION_GROUPS};
    put(row_of("ada"), "old");
    put(row_of("bob"), "old");
    put(row_of("eve"), "old");
    version_words_begin(&ada, 1, 7);
    assert_value(row_of("bob"), "old");
    version_words_more(more, 3, 7);
    assert_value(row_of("bob"), NULL);
    put(row_of("bob"), "meanwhile");
    assert_value(row_of("bob"), NULL);
    assert_value(row_of("eve"), "old");
    for (int i = 0; i < 9; i++) { /* more than can be recorded */
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        struct text text = text_of(name);
        version_words_more(&text, 1, 7);
    }
    assert_value(row_of("eve"), NULL);
    put(row_of("eve"), "meanwhile");
    assert_value(row_of("eve"), NULL);
    version_words_end(true);
    put(row_of("eve"), "new");
    assert_value(row_of("eve"), "new");
    version_words_more(more, 3, 7); /* no write is under way: one begins */
    assert_true(version_words_is_writing());
    put(row_of("bob"), "meanwhile");
    assert_value(row_of("bob"), NULL);
    version_words_end(true);
    assert_value(row_of("eve"), "new");
}

/* More orphans than there are places for. */
static void many_orphans(void **state)
{
    (void)state;
    struct text ada = TEXT("ada");
    enum { MANY = 6000 };
    for (uint64_t i = 1; i <= MANY; i++) {
        version_words_begin(&ada, 1, i);
        version_words_end(false);
    }
    put(row_of("bob"), "Bob");
    assert_value(row_of("bob"), NULL);
    struct version_orphan orphans[MANY];
    size_t count = version_words_orphans(orphans, MANY);
    assert_true(count > 4096 && count < MANY);
    assert_true(orphans[0].ticket != 0);
    assert_int_equal(orphans[0].connection, MANY);
    version_words_begin(&ada, 1, MANY + 1);
    version_words_end(false);
    version_words_release(&orphans[0]); /* too late: another one has come */
    put(row_of("bob"), "Bob");
    assert_value(row_of("bob"), NULL);
    for (size_t i = 1; i < count; i++) {
        version_words_release(&orphans[i]);
    }
    put(row_of("bob"), "Bob");
    assert_value(row_of("bob"), NULL);
    assert_int_equal(version_words_orphans(orphans, MANY), 1);
    assert_int_equal(orphans[0].connection, MANY + 1);
    version_words_release(&orphans[0]);
    put(row_of("bob"), "Bob");
    assert_value(row_of("bob"), "Bob");
    put(row_of("ada"), "Ada");
    assert_value(row_of("ada"), "Ada");
}

static void held_for_another(void **state)
{
    (void)state;
    put(row_of("ada"), "old");
    version_words_hold(99);
    assert_int_equal(release_up_to(98), 1);
    assert_value(row_of("ada"), NULL);
    put(row_of("ada"), "meanwhile");
    assert_value(row_of("ada"), NULL);
    assert_int_equal(release_up_to(99), 0);
    put(row_of("ada"), "new");
    assert_value(row_of("ada"), "new");
}

static void begin_and_die(void)
{
    struct text ada = TEXT("ada");
    version_words_begin(&ada, 1, 4711);
}

static void write_and_die(void)
{
    begin_and_die();
    version_words_end(true);
}

static void a_writer_dies(void **state)
{
    (void)state;
    put(row_of("ada"), "old");
    pid_t pid = child_killed_after(begin_and_die);
    put(row_of("ada"), "before it is collected");
    assert_value(row_of("ada"), NULL);
    version_words_reap(pid);
    put(row_of("ada"), "its COMMIT may still be on the way");
    assert_value(row_of("ada"), NULL);
    assert_int_equal(release_up_to(4710), 1);
    assert_int_equal(release_up_to(4711), 0);
    put(row_of("ada"), "new");
    assert_value(row_of("ada"), "new");
    version_words_reap(child_killed_after(write_and_die));
    assert_int_equal(release_up_to(0), 0);
}

/* How many writes can be left with an unknown outcome before there are no places for them. */
static size_t count_free_places(void)
{
    struct text ada = TEXT("ada");
    struct version_orphan first = {.ticket = 0};
    size_t count = 0;
    for (; first.ticket == 0; count++) {
        version_words_begin(&ada, 1, count + 1);
        version_words_end(false);
        version_words_orphans(&first, 1);
    }
    return count;
}

static void places_are_given_back(void **state)
{
    (void)state;
    int64_t writing, orphans;
    const size_t places = count_free_places();
    assert_true(identity_table_create(0));
    assert_true(identity_table_create(BYTES));
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            begin_and_die();
            version_words_end(true);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        version_words_reap(pid);
    }
    version_words_count(&writing, &orphans);
    assert_int_equal(writing, 0);
    assert_int_equal(orphans, 0);
    assert_int_equal(count_free_places(), places);
}

static const char *name_of(int number)
{
    static char name[16];
    snprintf(name, sizeof name, "n%d", number);
    return name;
}

/* Stores rows of some hundred bytes until the table is about as full as it gets. Gives their number. */
static int fill(const char *value)
{
    struct table_figures figures;
    int64_t before = -1;
    int count = 0;
    for (;; count++) {
        put(row_of(name_of(count)), value);
        if (count % 100 == 99) {
            identity_table_figures(&figures);
            if (figures.entries < before + 60) {
                return count;
            }
            before = figures.entries;
        }
    }
}

static void full_of_the_newest(void **state)
{
    (void)state;
    struct table_figures figures;
    char value[300];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    const int room = fill(value);
    identity_table_figures(&figures);
    assert_true(figures.size > BYTES * 8 / 10 && figures.size <= BYTES);
    assert_true(figures.bytes > figures.size * 8 / 10 && figures.bytes <= figures.size);
    assert_true(figures.entries > room * 9 / 10);
    int newest = 0, older = 0;
    for (int i = room; i < 5 * room; i++) {
        put(row_of(name_of(i)), value);
        assert_value(row_of("kept"), i > room ? "kept" : NULL); /* used all the time */
        if (i == room) {
            put(row_of("kept"), "kept");
        }
        arena_reset(arena);
    }
    for (int i = 3 * room; i < 5 * room; i++) {
        struct table_key key = row_of(name_of(i));
        bool is_there = identity_table_get(&key, 0, arena).data != NULL;
        newest += is_there && i >= 5 * room - room / 2;
        older += is_there && i < 4 * room - room / 2;
        arena_reset(arena);
    }
    assert_true(newest > room / 2 * 95 / 100);
    assert_true(older < room / 20);
}

/* What does not count any more goes first. */
static void the_dead_go_first(void **state)
{
    (void)state;
    const char *value = "0123456789";
    const int room = fill(value);
    for (int i = 0; i < room / 2; i++) {
        version_words_forget(text_of(name_of(2 * i)));
    }
    int before = 0, after = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < room / 2; i++) {
            struct table_key key = row_of(name_of(2 * i + 1));
            *(pass == 0 ? &before : &after) += identity_table_get(&key, 0, arena).data != NULL;
        }
        for (int i = room; pass == 0 && i < room + room / 4; i++) {
            put(row_of(name_of(i)), value);
        }
        arena_reset(arena);
    }
    assert_true(before > room / 4);
    assert_true(after > before * 95 / 100);
}

/* ---- Many processes ---- */

enum { PEOPLE = 8, WRITERS = 3, READERS = 3, ROUNDS = 40000 };

/* The database: a row for each person, which is what is committed. `ended`: the newest value that any client knows of.
 */
struct database {
    _Atomic int64_t row[PEOPLE], known[PEOPLE];
    _Atomic int locked[PEOPLE];
    _Atomic int64_t wrong, hits;
};

static struct database *database;

static void learn(int person, int64_t value)
{
    int64_t known = atomic_load(&database->known[person]);
    while (known < value && !atomic_compare_exchange_weak(&database->known[person], &known, value)) {
    }
}

static void write_rounds(unsigned seed)
{
    for (int i = 0; i < ROUNDS / 4; i++) {
        int person = (int)((unsigned)rand_r(&seed) % PEOPLE);
        char name[8];
        snprintf(name, sizeof name, "p%d", person);
        struct text text = text_of(name);
        const struct table_key key = row_of(name);
        const struct table_stamp stamp = identity_table_stamp(&key);
        version_words_begin(&text, rand_r(&seed) % 50 == 0 ? 0 : 1, 1);
        int unlocked = 0;
        while (!atomic_compare_exchange_weak(&database->locked[person], &unlocked, 1)) {
            unlocked = 0;
        }
        int64_t value = atomic_fetch_add(&database->row[person], 1) + 1; /* COMMIT */
        atomic_store(&database->locked[person], 0);
        version_words_end(true);
        if (value % 2 == 0) {
            const struct table_stamp after = identity_table_stamp_after(&key, &stamp, text);
            identity_table_put(&key, &after, (struct text){(const char *)&value, sizeof value});
        }
        learn(person, value);
    }
}

static void read_rounds(unsigned seed)
{
    for (int i = 0; i < ROUNDS; i++) {
        int person = (int)((unsigned)rand_r(&seed) % PEOPLE);
        char name[8];
        struct text stored;
        int64_t value;
        snprintf(name, sizeof name, "p%d", person);
        struct table_key key = row_of(name);
        int64_t known = atomic_load(&database->known[person]);
        if ((stored = identity_table_get(&key, 0, arena)).length == sizeof value) {
            memcpy(&value, stored.data, sizeof value);
            atomic_fetch_add(&database->hits, 1);
        } else {
            struct table_stamp stamp = identity_table_stamp(&key);
            value = atomic_load(&database->row[person]); /* SELECT */
            identity_table_put(&key, &stamp, (struct text){(const char *)&value, sizeof value});
        }
        if (value < known) {
            atomic_fetch_add(&database->wrong, 1);
        }
        learn(person, value);
        arena_reset(arena);
    }
}

static void many_processes(void **state)
{
    (void)state;
    database = mmap(NULL, sizeof *database, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(database != MAP_FAILED);
    pid_t pids[WRITERS + READERS];
    for (int i = 0; i < WRITERS + READERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            if (i < WRITERS) {
                write_rounds((unsigned)i + 1);
            } else {
                read_rounds((unsigned)i + 1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(database->wrong, 0);
    assert_true(database->hits > 1000);
    munmap(database, sizeof *database);
}

static void the_watcher(void **state)
{
    (void)state;
    assert_false(identity_table_is_watched(5000000));
    identity_table_beat(4500000);
    assert_true(identity_table_is_watched(5000000));
    assert_true(identity_table_is_watched(5499000));
    assert_false(identity_table_is_watched(5500000));
}

static void no_table(void **state)
{
    (void)state;
    assert_true(identity_table_create(0));
    assert_false(identity_table_exists());
    assert_false(version_words_exist());
    put(row_of("ada"), "Ada");
    assert_value(row_of("ada"), NULL);
    version_words_begin(NULL, 0, 1);
    assert_false(version_words_is_writing());
    version_words_end(true);
    assert_false(identity_table_is_watched(0));
}

#define IN_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TABLE(stored_and_found),
        IN_TABLE(sizes),
        IN_TABLE(a_write_ends_it),
        IN_TABLE(read_before_stored_after),
        IN_TABLE(written_and_stored),
        IN_TABLE(everything),
        IN_TABLE(concerns_two),
        IN_TABLE(concerns_more),
        IN_TABLE(ends_by_time),
        IN_TABLE(sources_are_apart),
        IN_TABLE(an_outcome_is_not_known),
        IN_TABLE(many_orphans),
        IN_TABLE(held_for_another),
        IN_TABLE(a_writer_dies),
        IN_TABLE(places_are_given_back),
        IN_TABLE(full_of_the_newest),
        IN_TABLE(the_dead_go_first),
        IN_TABLE(many_processes),
        IN_TABLE(the_watcher),
        IN_TABLE(no_table),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
