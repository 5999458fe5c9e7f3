/* test_touch_table.c: what is noted is there until it is written, whatever processes do and however they die. */
#include "store/touch_table.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

enum { NOW = 1800000000, INTERVAL = 60 };

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    touch_table_set_source(1);
    assert_true(touch_table_create());
    touch_table_beat();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static bool note(enum touch_kind kind, const char *id, int64_t at)
{
    return touch_table_note(&(struct touch){kind, text_of(id), text_of(id), at}, INTERVAL);
}

static int64_t look(enum touch_kind kind, const char *id)
{
    return touch_table_look(kind, text_of(id));
}

/* How many were written. */
static size_t write_all(void)
{
    struct waiting_touch *waiting;
    touch_table_beat();
    const size_t count = touch_table_take(arena, &waiting);
    for (size_t i = 0; i < count; i++) {
        touch_table_written(&waiting[i]);
    }
    return count;
}

static void noted_and_found(void **state)
{
    (void)state;
    assert_int_equal(look(TOUCH_USER, "ada"), -1);
    assert_true(note(TOUCH_USER, "ada", NOW));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    assert_int_equal(look(TOUCH_KEY, "ada"), -1);
    assert_int_equal(look(TOUCH_USER, "adam"), -1);
    assert_int_equal(look(TOUCH_USER, ""), -1);
    assert_true(note(TOUCH_KEY, "ada", NOW + 1));
    assert_true(note(TOUCH_USER, "", NOW + 2));
    assert_int_equal(look(TOUCH_KEY, "ada"), NOW + 1);
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    assert_int_equal(look(TOUCH_USER, ""), NOW + 2);
}

static void only_forward_by_intervals(void **state)
{
    (void)state;
    assert_true(note(TOUCH_USER, "ada", NOW));
    assert_true(note(TOUCH_USER, "ada", NOW + INTERVAL - 1));
    assert_true(note(TOUCH_USER, "ada", NOW - 1000));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    assert_true(note(TOUCH_USER, "ada", NOW + INTERVAL));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW + INTERVAL);
    assert_int_equal(write_all(), 1);
}

static void not_to_be_noted(void **state)
{
    char id[TOUCH_ID_BYTES + 2];
    (void)state;
    memset(id, 'x', sizeof id);
    id[TOUCH_ID_BYTES + 1] = '\0';
    assert_false(note(TOUCH_USER, id, NOW));
    assert_int_equal(look(TOUCH_USER, id), -1);
    id[TOUCH_ID_BYTES] = '\0';
    assert_true(note(TOUCH_USER, id, NOW));
    assert_int_equal(look(TOUCH_USER, id), NOW);
    assert_false(note(TOUCH_USER, "ada", -1));
    assert_false(note(TOUCH_USER, "ada", (int64_t)UINT32_MAX + 1));
    assert_true(note(TOUCH_USER, "ada", UINT32_MAX));
    assert_int_equal(look(TOUCH_USER, "ada"), UINT32_MAX);
}

static void without_housekeeper(void **state)
{
    struct touch_figures figures;
    (void)state;
    assert_true(note(TOUCH_USER, "ada", NOW));
    touch_table_leave();
    assert_false(note(TOUCH_USER, "ada", NOW + INTERVAL));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    touch_table_figures(&figures);
    assert_false(figures.is_attended);
    assert_int_equal(figures.waiting, 1);
    assert_int_equal(figures.noted, 1);
    assert_int_equal(figures.direct, 1);
    assert_int_equal(write_all(), 1); /* by the next one */
}

/* After a reload with another database. */
static void of_another_source(void **state)
{
    (void)state;
    assert_true(note(TOUCH_USER, "ada", NOW));
    touch_table_set_source(2);
    assert_false(note(TOUCH_USER, "bob", NOW));
    assert_int_equal(look(TOUCH_USER, "ada"), -1);
    touch_table_beat();
    assert_true(note(TOUCH_USER, "bob", NOW));
    assert_int_equal(write_all(), 1);
    touch_table_set_source(1);
    assert_int_equal(look(TOUCH_USER, "ada"), -1); /* left by a process whose housekeeper is gone */
    assert_int_equal(look(TOUCH_USER, "bob"), -1);
}

static void taken_in_order(void **state)
{
    struct waiting_touch *waiting;
    (void)state;
    note(TOUCH_USER, "bob", NOW + 3);
    note(TOUCH_SESSION, "ada", NOW + 2);
    note(TOUCH_USER, "ad", NOW + 1);
    note(TOUCH_KEY, "zoe", NOW);
    touch_table_note(&(struct touch){TOUCH_USER, TEXT("ada"), TEXT("concerned"), NOW + 4}, INTERVAL);
    assert_int_equal(touch_table_take(arena, &waiting), 5);
    static const char *const order[] = {"zoe", "ada", "ad", "ada", "bob"};
    static const enum touch_kind kinds[] = {TOUCH_KEY, TOUCH_SESSION, TOUCH_USER, TOUCH_USER, TOUCH_USER};
    for (size_t i = 0; i < 5; i++) {
        assert_true(text_is(waiting[i].touch.id, order[i]));
        assert_int_equal(waiting[i].touch.kind, kinds[i]);
    }
    assert_true(text_is(waiting[3].touch.concerns, "concerned"));
    assert_int_equal(waiting[3].touch.at, NOW + 4);
    assert_int_equal(touch_table_take(arena, &waiting), 5); /* nothing of it is written yet */
}

/* What is written still counts for a round, and then no more. */
static void written(void **state)
{
    (void)state;
    struct touch_figures figures;
    note(TOUCH_USER, "ada", NOW);
    assert_int_equal(write_all(), 1);
    touch_table_figures(&figures);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.written, 1);
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    assert_int_equal(write_all(), 0);
    assert_int_equal(look(TOUCH_USER, "ada"), -1);
}

/* Somebody read the row before it was written, or it was changed by hand: the same time is written again. */
static void noted_again(void **state)
{
    (void)state;
    note(TOUCH_USER, "ada", NOW);
    assert_int_equal(write_all(), 1);
    assert_true(note(TOUCH_USER, "ada", NOW + 1));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW);
    assert_int_equal(write_all(), 1);
    assert_int_equal(write_all(), 0);
    assert_true(note(TOUCH_USER, "ada", NOW + 2));
    assert_int_equal(look(TOUCH_USER, "ada"), NOW + 2);
}

/* A later time that is noted while the earlier one is being written. */
static void noted_meanwhile(void **state)
{
    struct waiting_touch *waiting;
    (void)state;
    note(TOUCH_USER, "ada", NOW);
    assert_int_equal(touch_table_take(arena, &waiting), 1);
    assert_true(note(TOUCH_USER, "ada", NOW + INTERVAL));
    touch_table_written(waiting);
    assert_int_equal(look(TOUCH_USER, "ada"), NOW + INTERVAL);
    assert_int_equal(touch_table_take(arena, &waiting), 1);
    assert_int_equal(waiting->touch.at, NOW + INTERVAL);
}

enum { NAMES = 20000 };

/* How many of many names find room. */
static size_t fill_up(void)
{
    size_t noted = 0;
    char id[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(id, sizeof id, "user %d", i);
        touch_table_beat();
        if (note(TOUCH_USER, id, NOW + i)) {
            noted++;
            assert_int_equal(look(TOUCH_USER, id), NOW + i);
        } else {
            assert_int_equal(look(TOUCH_USER, id), -1);
        }
    }
    return noted;
}

static void full(void **state)
{
    (void)state;
    const size_t noted = fill_up();
    assert_in_range(noted, NAMES / 4, NAMES - 1);
    assert_int_equal(write_all(), noted);
    assert_int_equal(write_all(), 0);
    assert_int_equal(fill_up(), noted);
}

/* ---- Many processes ---- */

enum { WRITERS = 4, PER_WRITER = 600 };

/* Each notes names of its own, and some that all note. */
static void note_many(int number)
{
    char id[32];
    for (int i = 0; i < PER_WRITER; i++) {
        snprintf(id, sizeof id, "%d of %d", i, number);
        while (!note(TOUCH_USER, id, NOW + i)) {
        }
        snprintf(id, sizeof id, "%d of all", i % 50);
        note(TOUCH_SESSION, id, NOW + i);
    }
    _exit(0);
}

static void at_once(void **state)
{
    static bool seen[WRITERS][PER_WRITER];
    int running = WRITERS;
    (void)state;
    memset(seen, 0, sizeof seen);
    for (int number = 0; number < WRITERS; number++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            note_many(number);
        }
    }
    for (size_t left = 1; running > 0 || left > 0;) {
        int status;
        if (running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            running--;
        }
        struct waiting_touch *waiting;
        touch_table_beat();
        left = touch_table_take(arena, &waiting);
        for (size_t i = 0; i < left; i++) {
            int name, number;
            const struct touch *touch = &waiting[i].touch;
            assert_true(text_equal(touch->id, touch->concerns));
            if (touch->kind == TOUCH_USER) {
                assert_int_equal(sscanf(text_copy(arena, touch->id).data, "%d of %d", &name, &number), 2);
                assert_true(name >= 0 && name < PER_WRITER && number >= 0 && number < WRITERS);
                assert_int_equal(touch->at, NOW + name);
                seen[number][name] = true;
            }
            touch_table_written(&waiting[i]);
        }
        arena_reset(arena);
    }
    for (int number = 0; number < WRITERS; number++) {
        for (int i = 0; i < PER_WRITER; i++) {
            assert_true(seen[number][i]);
        }
    }
}

static void killed(void **state)
{
    (void)state;
    const size_t room = fill_up();
    write_all();
    write_all();
    for (int round = 0; round < 200; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            char id[32];
            for (int i = 0;; i++) {
                snprintf(id, sizeof id, "%d of %d", i, round);
                note(TOUCH_USER, id, NOW);
            }
        }
        const int64_t end = clock_monotonic_microseconds() + 300 + round * 7 % 500;
        while (clock_monotonic_microseconds() < end) {
            write_all();
            arena_reset(arena);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        touch_table_reap(pid);
    }
    write_all();
    assert_int_equal(write_all(), 0);
    assert_int_equal(fill_up(), room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(noted_and_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_forward_by_intervals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_to_be_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_housekeeper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_another_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(taken_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(noted_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(noted_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
