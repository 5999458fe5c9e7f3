/* test_shared_memory.c: what processes share without a lock, by many threads at once: readers see what was written as a
 * whole, or nothing. `make check-tsan` runs it under ThreadSanitizer, which sees threads alone; that is why these are
 * no processes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scoreboard.h"
#include "base/shared_mutex.h"
#include "store/directory.h"
#include "store/identity_table.h"
#include "store/touch_table.h"
#include "unit.h"

enum { THREADS = 6, ROUNDS = 12000 };

/* Whatever has no right to be. */
static _Atomic int64_t wrong, seen;

/* Runs the first function in so many threads, and the second one in the others; each gets its number. */
static void run_threads(int first_count, void *(*first)(void *), void *(*others)(void *))
{
    pthread_t threads[THREADS];
    atomic_store(&wrong, 0);
    atomic_store(&seen, 0);
    for (intptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < first_count ? first : others, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(atomic_load(&seen) > 0);
}

static unsigned seed_of(void *number)
{
    return (unsigned)(intptr_t)number * 7919 + 1;
}

static unsigned pick(unsigned *seed, unsigned count)
{
    return (unsigned)rand_r(seed) % count;
}

/* ---- Entries of the identity table ---- */

/* More than there is room for, so that some go while others come; up to 7 KB each, in pages of 8 KB. Some are written
 * and read all the time, so that it often happens at once. */
enum { NAMES = 700, HOT_NAMES = 6, WORDS_LEAST = 3, WORDS_MOST = 900, ENTRY_ROUNDS = 60000 };

/* What an entry holds: whose it is, how long, which of its versions; then words that follow from these. */
struct filling {
    uint64_t name, words, version;
};

static uint64_t next_word(uint64_t word)
{
    word ^= word << 13;
    word ^= word >> 7;
    return word ^ word << 17;
}

static uint64_t first_word(const struct filling *filling)
{
    return filling->name * 0x9e3779b97f4a7c15u + filling->version * 0xd6e8feb86659fd93u + filling->words + 1;
}

static struct text fill(uint64_t *value, const struct filling *filling)
{
    memcpy(value, filling, sizeof *filling);
    uint64_t word = first_word(filling);
    for (size_t i = WORDS_LEAST; i < filling->words; i++) {
        value[i] = word = next_word(word);
    }
    return (struct text){(const char *)value, filling->words * 8};
}

static bool is_whole(struct text value, uint64_t name)
{
    struct filling filling;
    uint64_t found;
    if (value.length < sizeof filling) {
        return false;
    }
    memcpy(&filling, value.data, sizeof filling);
    if (filling.name != name || filling.words * 8 != value.length) {
        return false;
    }
    uint64_t word = first_word(&filling);
    for (size_t i = WORDS_LEAST; i < filling.words; i++) {
        word = next_word(word);
        memcpy(&found, value.data + 8 * i, 8);
        if (found != word) {
            return false;
        }
    }
    return true;
}

static struct table_key key_of(unsigned name, char text_r[static 16])
{
    const int length = snprintf(text_r, 16, "n%u", name);
    const struct text text = {text_r, (size_t)length};
    return (struct table_key){text, {text}};
}

static void *store_entries(void *number)
{
    unsigned seed = seed_of(number);
    uint64_t value[WORDS_MOST];
    char text[16];
    for (uint64_t i = 0; i < ENTRY_ROUNDS; i++) {
        const unsigned name = pick(&seed, pick(&seed, 4) ? HOT_NAMES : NAMES);
        const struct table_key key = key_of(name, text);
        const struct filling filling = {name, WORDS_LEAST + pick(&seed, pick(&seed, 2) ? 80 : WORDS_MOST - WORDS_LEAST),
                                        i << 8 | (uint64_t)(intptr_t)number};
        if (i % 16 == 0) {
            version_words_forget(key.name);
        }
        const struct table_stamp stamp = identity_table_stamp(&key);
        identity_table_put(&key, &stamp, fill(value, &filling));
    }
    return NULL;
}

static void *read_entries(void *number)
{
    unsigned seed = seed_of(number);
    struct arena *own = arena_new(0);
    char text[16];
    for (int i = 0; i < 2 * ENTRY_ROUNDS; i++) {
        const unsigned name = pick(&seed, pick(&seed, 4) ? HOT_NAMES : NAMES);
        const struct table_key key = key_of(name, text);
        const struct text value = identity_table_get(&key, 0, own);
        if (value.data != NULL) {
            atomic_fetch_add(&seen, 1);
            atomic_fetch_add(&wrong, !is_whole(value, name));
        }
        arena_reset(own);
    }
    arena_free(own);
    return NULL;
}

static void entries_are_whole(void **state)
{
    (void)state;
    struct table_figures figures;
    assert_true(identity_table_create(768 << 10));
    run_threads(THREADS / 2, store_entries, read_entries);
    identity_table_figures(&figures);
    assert_true(figures.entries > 50 && figures.entries < NAMES); /* full */
    assert_true(identity_table_create(0));
}

/* ---- What is written, and what is kept of it ---- */

enum { PEOPLE = 8 };

static struct {
    _Atomic int64_t row[PEOPLE], known[PEOPLE];
    pthread_mutex_t locked[PEOPLE];
} database;

static void learn(unsigned person, int64_t value)
{
    int64_t known = atomic_load(&database.known[person]);
    while (known < value && !atomic_compare_exchange_weak(&database.known[person], &known, value)) {
    }
}

static void *write_rows(void *number)
{
    unsigned seed = seed_of(number);
    char text[16];
    for (int i = 0; i < ROUNDS / 4; i++) {
        const unsigned person = pick(&seed, PEOPLE);
        const struct table_key key = key_of(person, text);
        const struct table_stamp before = identity_table_stamp(&key);
        version_words_begin(&key.name, pick(&seed, 50) != 0, 1);
        pthread_mutex_lock(&database.locked[person]);
        const int64_t value = atomic_fetch_add(&database.row[person], 1) + 1; /* COMMIT */
        pthread_mutex_unlock(&database.locked[person]);
        version_words_end(true);
        if (value % 2 == 0) {
            const struct table_stamp after = identity_table_stamp_after(&key, &before, key.name);
            identity_table_put(&key, &after, (struct text){(const char *)&value, sizeof value});
        }
        learn(person, value);
    }
    return NULL;
}

static void *read_rows(void *number)
{
    unsigned seed = seed_of(number);
    struct arena *own = arena_new(0);
    char text[16];
    for (int i = 0; i < ROUNDS; i++) {
        const unsigned person = pick(&seed, PEOPLE);
        const struct table_key key = key_of(person, text);
        const int64_t known = atomic_load(&database.known[person]);
        const struct text kept = identity_table_get(&key, 0, own);
        int64_t value;
        if (kept.data != NULL) {
            memcpy(&value, kept.data, sizeof value);
            atomic_fetch_add(&seen, 1);
        } else {
            const struct table_stamp stamp = identity_table_stamp(&key);
            value = atomic_load(&database.row[person]); /* SELECT */
            identity_table_put(&key, &stamp, (struct text){(const char *)&value, sizeof value});
        }
        atomic_fetch_add(&wrong, value < known);
        learn(person, value);
        arena_reset(own);
    }
    arena_free(own);
    return NULL;
}

static void rows_are_not_old(void **state)
{
    (void)state;
    assert_true(identity_table_create(1 << 20));
    for (int i = 0; i < PEOPLE; i++) {
        assert_true(shared_mutex_init(&database.locked[i]));
    }
    run_threads(THREADS / 2, write_rows, read_rows);
    assert_true(identity_table_create(0));
}

/* ---- The directory ---- */

enum { LETTERS = 26, ENTRIES = 300 };

/* Each user has a letter; it changes, but there is always the same number of users. */
static void *change_directory(void *number)
{
    unsigned seed = seed_of(number);
    for (int i = 0; i < ROUNDS / 40; i++) {
        if (!directory_lock(60 * 1000000)) {
            break;
        }
        for (int j = 0; j < ENTRIES / 10; j++) {
            char id[16], name[64];
            const unsigned user = pick(&seed, ENTRIES);
            snprintf(id, sizeof id, "u%u", user);
            memset(name, 'a' + (int)pick(&seed, LETTERS), sizeof name);
            const struct directory_user changed = {text_of(id), {name, 8 + pick(&seed, 50)}, TEXT("@"), user};
            if (pick(&seed, 4) == 0) {
                directory_remove(changed.id); /* and it is back before anybody may see it */
            }
            directory_put(&changed);
        }
        directory_tidy(i % 10 == 0);
        directory_unlock();
    }
    return NULL;
}

static void *ask_directory(void *number)
{
    unsigned seed = seed_of(number);
    struct arena *own = arena_new(0);
    for (int i = 0; i < ROUNDS / 20; i++) {
        int64_t sum = 0;
        struct directory_answer answer;
        const char letter = (char)('a' + pick(&seed, LETTERS));
        const bool has_query = pick(&seed, 2) != 0;
        const struct directory_question question = {
            .query = {&letter, has_query}, .by_creation = true, .ascending = true, .page = ENTRIES};
        if (directory_ask(own, &question, &answer)) {
            for (size_t at = 0; at < answer.count; at++) {
                const int64_t user =
                    atoi(text_format(own, "%.*s", (int)answer.ids[at].length, answer.ids[at].data).data + 1);
                atomic_fetch_add(&wrong, at > 0 && user <= sum); /* each once, in order */
                sum = user;
            }
            atomic_fetch_add(&wrong, (int64_t)answer.count != answer.total || (!has_query && answer.count != ENTRIES));
            atomic_fetch_add(&seen, 1);
        }
        arena_reset(own);
    }
    arena_free(own);
    return NULL;
}

static void answers_are_of_one_state(void **state)
{
    (void)state;
    assert_true(directory_create(8 << 20));
    assert_true(directory_lock(60 * 1000000));
    for (int i = 0; i < ENTRIES; i++) {
        char id[16];
        snprintf(id, sizeof id, "u%d", i);
        const struct directory_user user = {text_of(id), TEXT("new"), TEXT("@"), i};
        assert_int_equal(directory_put(&user), DIRECTORY_CHANGED);
    }
    directory_set_state(DIRECTORY_READY);
    directory_unlock();
    run_threads(2, change_directory, ask_directory);
    assert_true(directory_create(0));
}

/* ---- The scoreboard ---- */

static void *work(void *number)
{
    static const char *const stages[] = {"parse", "handle"};
    struct scoreboard_slot *slot = &scoreboard_get()->slots[(intptr_t)number];
    for (int i = 0; i < ROUNDS; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        scoreboard_set_request_id(slot, text_of(id));
        atomic_store(&slot->stage, stages[i % 2]);
        atomic_store(&slot->request_started, i);
        scoreboard_count(&slot->requests);
        scoreboard_count(&slot->table_hits);
    }
    return NULL;
}

static void *watch_work(void *number)
{
    (void)number;
    for (int i = 0; i < ROUNDS; i++) {
        struct scoreboard_worker worker;
        if (scoreboard_read(&scoreboard_get()->slots[i % 2], &worker)) {
            atomic_fetch_add(&wrong, strcmp(worker.stage, "parse") != 0 && strcmp(worker.stage, "handle") != 0 &&
                                         worker.stage[0] != '\0');
            atomic_fetch_add(&wrong, strspn(worker.request_id, "0123456789") != strlen(worker.request_id));
            atomic_fetch_add(&seen, 1);
        }
    }
    return NULL;
}

static void the_scoreboard(void **state)
{
    (void)state;
    assert_true(scoreboard_create());
    for (int i = 0; i < 2; i++) {
        struct scoreboard_slot *slot = scoreboard_take(POOL_API, 1);
        assert_ptr_equal(slot, &scoreboard_get()->slots[i]);
        atomic_store(&slot->pid, i + 1);
    }
    run_threads(2, work, watch_work);
    assert_int_equal(atomic_load(&scoreboard_get()->slots[1].requests), ROUNDS);
}

/* ---- Times of last use ---- */

/* Names come and go in the same slots. Each has a time of its own: whatever is found must be that. */
enum { TOUCHED = 50000, HOT_TOUCHED = 30, TOUCH_ROUNDS = 150000, FIRST_TIME = 1000000 };

static struct touch touch_of(unsigned name, char text_r[static 64])
{
    /* of several words, so that one may be seen with parts of another */
    const int length = snprintf(text_r, 64, "%08u %08u %08u %08u", name, name, name, name);
    const struct text text = {text_r, (size_t)length};
    return (struct touch){TOUCH_USER, text, text, FIRST_TIME + name};
}

static unsigned pick_touched(unsigned *seed)
{
    return pick(seed, pick(seed, 2) ? HOT_TOUCHED : TOUCHED);
}

static bool is_right(const struct touch *touch)
{
    char text[64];
    const struct touch expected = touch_of((unsigned)(touch->at - FIRST_TIME), text);
    return text_equal(touch->id, expected.id) && text_equal(touch->concerns, expected.id) && touch->kind == TOUCH_USER;
}

static void keep_house(void)
{
    struct arena *own = arena_new(0);
    for (int i = 0; i < TOUCH_ROUNDS / 500; i++) {
        struct waiting_touch *waiting;
        touch_table_beat();
        const size_t count = touch_table_take(own, &waiting);
        for (size_t j = 0; j < count; j++) {
            atomic_fetch_add(&wrong, !is_right(&waiting[j].touch));
            touch_table_written(&waiting[j]);
        }
        arena_reset(own);
    }
    arena_free(own);
}

static void *note_times(void *number)
{
    unsigned seed = seed_of(number);
    char text[64];
    if (number == NULL) {
        keep_house();
    }
    for (int i = 0; number != NULL && i < TOUCH_ROUNDS; i++) {
        const struct touch touch = touch_of(pick_touched(&seed), text);
        touch_table_note(&touch, 60);
    }
    return NULL;
}

static void *look_for_times(void *number)
{
    unsigned seed = seed_of(number);
    char text[64];
    for (int i = 0; i < 2 * TOUCH_ROUNDS; i++) {
        const struct touch touch = touch_of(pick_touched(&seed), text);
        const int64_t found = touch_table_look(TOUCH_USER, touch.id);
        atomic_fetch_add(&seen, found >= 0);
        atomic_fetch_add(&wrong, found >= 0 && found != touch.at);
    }
    return NULL;
}

static void times_are_whole(void **state)
{
    (void)state;
    assert_true(touch_table_create());
    touch_table_beat();
    run_threads(3, note_times, look_for_times);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_whole),        cmocka_unit_test(rows_are_not_old),
        cmocka_unit_test(answers_are_of_one_state), cmocka_unit_test(the_scoreboard),
        cmocka_unit_test(times_are_whole),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("shared_memory", tests, NULL, NULL);
}
