/* test_directory.c: what the directory answers is what a plain search over plain rows answers; also while other
 * processes change it, and after one of them has died. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "child.h"
#include "store/directory.h"
#include "unit.h"

enum { MEGABYTE = 1024 * 1024, FOREVER = 60 * 1000000 };

static void lock(void)
{
    assert_true(directory_lock(FOREVER));
}

static enum directory_change put(const char *id, const char *name, const char *email, int64_t created_at)
{
    const struct directory_user user = {text_of(id), text_of(name), text_of(email), created_at};
    return directory_put(&user);
}

static int set_up(void **state)
{
    (void)state;
    assert_true(directory_create(0));
    assert_true(directory_create(4 * MEGABYTE));
    arena_reset(arena);
    return 0;
}

/* The ids of an answer, behind its total. */
static const char *ask(const char *query, bool ascending, int64_t skip, size_t page)
{
    struct directory_question question = {
        .query = text_of(query), .by_creation = true, .ascending = ascending, .skip = skip, .page = page};
    struct directory_answer answer;
    if (!directory_ask(arena, &question, &answer)) {
        return "not ready";
    }
    struct buffer text;
    buffer_init(&text, arena);
    buffer_add_integer(&text, answer.total);
    for (size_t i = 0; i < answer.count; i++) {
        buffer_add_format(&text, " %.*s", (int)answer.ids[i].length, answer.ids[i].data);
    }
    return buffer_text(&text).data;
}

static void ready(void)
{
    directory_set_state(DIRECTORY_READY);
    directory_unlock();
}

static void three(void)
{
    lock();
    assert_int_equal(put("c", "carl", "carl@example.org", 3), DIRECTORY_CHANGED);
    assert_int_equal(put("a", "ada", "ada@example.org", 1), DIRECTORY_CHANGED);
    assert_int_equal(put("b", "bea", "bea@example.com", 2), DIRECTORY_CHANGED);
}

static void asked(void **state)
{
    (void)state;
    three();
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "not ready");
    lock();
    ready();
    assert_string_equal(ask("", true, 0, 30), "3 a b c");
    assert_string_equal(ask("", false, 0, 30), "3 c b a");
    assert_string_equal(ask("", true, 1, 1), "3 b");
    assert_string_equal(ask("", true, 3, 30), "3");
    assert_string_equal(ask("", true, INT64_MAX, 30), "3");
    assert_string_equal(ask("example.org", false, 0, 30), "2 c a");
    assert_string_equal(ask("example.org", false, 1, 30), "2 a");
    assert_string_equal(ask("a@", true, 0, 30), "2 a b");
    assert_string_equal(ask("bea", true, 0, 30), "1 b"); /* once, though twice */
    assert_string_equal(ask("nobody", true, 0, 30), "0");
    assert_string_equal(ask("aada", true, 0, 30), "0"); /* name and address are two */
    assert_string_equal(ask("\xFF", true, 0, 0), "3");
}

static void equal_times(void **state)
{
    (void)state;
    lock();
    put("b", "x", "", 5);
    put("a", "x", "", 5);
    put("aa", "x", "", 5);
    put("z", "x", "", 4);
    put("", "x", "", 5);
    ready();
    assert_string_equal(ask("", true, 0, 30), "5 z  a aa b");
    assert_string_equal(ask("x", false, 0, 30), "5 b aa a  z");
    lock();
    put("ab", "x", "", 5);
    put("y", "x", "", INT64_MIN);
    put("x", "x", "", INT64_MAX);
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "8 y z  a aa ab b x");
}

static void changed(void **state)
{
    (void)state;
    three();
    ready();
    lock();
    assert_int_equal(put("a", "ada", "ada@example.org", 1), DIRECTORY_SAME);
    assert_int_equal(put("a", "adam", "ada@example.org", 1), DIRECTORY_CHANGED);
    assert_int_equal(put("b", "bea", "bea@example.com", 9), DIRECTORY_CHANGED); /* made later */
    assert_true(directory_remove(TEXT("c")));
    assert_false(directory_remove(TEXT("c")));
    assert_false(directory_remove(TEXT("d")));
    assert_int_equal(put("d", "dan", "carl@example.org", 0), DIRECTORY_CHANGED);
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "3 d a b");
    assert_string_equal(ask("adam", true, 0, 30), "1 a");
    assert_string_equal(ask("ada@", true, 0, 30), "1 a");
    assert_string_equal(ask("ada\xFF", true, 0, 30), "0");
    assert_string_equal(ask("carl", true, 0, 30), "1 d");
}

static void nobody(void **state)
{
    (void)state;
    lock();
    ready();
    assert_string_equal(ask("", true, 0, 30), "0");
    assert_string_equal(ask("a", true, 0, 30), "0");
    lock();
    put("a", "", "", 1); /* without any text */
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "1 a");
    lock();
    assert_true(directory_remove(TEXT("a")));
    directory_tidy(false);
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "0");
}

static void emptied(void **state)
{
    (void)state;
    three();
    ready();
    lock();
    directory_progress()->phase = 7;
    directory_empty();
    assert_int_equal(directory_progress()->phase, 0);
    directory_unlock();
    assert_int_equal(directory_state(), DIRECTORY_EMPTY);
    assert_string_equal(ask("", true, 0, 30), "not ready");
    lock();
    put("e", "ede", "", 1);
    ready();
    assert_string_equal(ask("e", true, 0, 30), "1 e");
}

static void marked(void **state)
{
    (void)state;
    struct text ids[2];
    uint32_t from = 0;
    three();
    ready();
    lock();
    assert_int_equal(directory_unmarked(&from, ids, 2), 0);
    directory_unmark();
    assert_int_equal(put("a", "ada", "ada@example.org", 1), DIRECTORY_SAME);
    assert_int_equal(put("b", "bo", "", 2), DIRECTORY_CHANGED);
    put("d", "d", "", 2);
    from = 0;
    assert_int_equal(directory_unmarked(&from, ids, 2), 1);
    assert_true(text_is(ids[0], "c"));
    directory_unmark();
    from = 0;
    assert_int_equal(directory_unmarked(&from, ids, 2), 2);
    assert_int_equal(directory_unmarked(&from, ids, 2), 2);
    assert_int_equal(directory_unmarked(&from, ids, 2), 0);
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "4 a b d c");
}

static void no_room(void **state)
{
    (void)state;
    char id[16], long_id[DIRECTORY_ID_MAX + 2];
    int count = 0;
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    lock();
    assert_int_equal(put(long_id, "", "", 1), DIRECTORY_NO_ROOM);
    do {
        snprintf(id, sizeof id, "%d", count);
    } while (put(id, "a name that takes some room", "and@an.address.that.does.too", count) == DIRECTORY_CHANGED &&
             count++ < MEGABYTE);
    assert_true(count > 10000 && count < MEGABYTE);
    ready();
    struct directory_figures figures;
    directory_figures(&figures);
    assert_int_equal(figures.users, count);
    assert_true(figures.bytes <= figures.bytes_max && figures.bytes > 2 * MEGABYTE);
    lock();
    assert_int_equal(put("0", "a longer name than it was, so it is gone", "", 0), DIRECTORY_NO_ROOM);
    for (int i = 1; i <= count / 3; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_true(directory_remove(text_of(id)));
    }
    assert_int_equal(put("0", "a longer name than it was", "", 0), DIRECTORY_NO_ROOM);
    directory_tidy(true);
    assert_int_equal(put("0", "a longer name than it was", "", 0), DIRECTORY_CHANGED);
    directory_unlock();
    assert_string_equal(ask("longer", true, 0, 30), "1 0");
}

static void too_small(void **state)
{
    (void)state;
    assert_false(directory_create(8192));
    assert_false(directory_exists());
    assert_false(directory_lock(0));
    assert_string_equal(ask("", true, 0, 30), "not ready");
    assert_true(directory_create(0));
    assert_false(directory_exists());
}

/* ---- against plain rows ---- */

enum { ROWS = 720, ROUNDS = 6000, TEXT_BYTES = 48 };

struct row {
    bool exists;
    char id[8], name[TEXT_BYTES], email[TEXT_BYTES];
    int64_t created_at;
};
static struct row rows[ROWS];

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

/* Letters of many scripts, few of each, so that queries match. */
static void random_text(char *text_r, size_t letters)
{
    static const char *const alphabet[] = {"a",
                                           "b",
                                           "e",
                                           "1",
                                           "@",
                                           ".",
                                           " ",
                                           "\xC3\xB8",
                                           "\xD0\xB6",
                                           "\xD1\x8F",
                                           "\xCE\xB1",
                                           "\xE7\x94\xB0",
                                           "\xE5\xA4\xAA",
                                           "\xEA\xB0\x95",
                                           "\xF0\x9F\x98\x80",
                                           "\xD7\x91"};
    size_t scripts = below(3) == 0 ? ARRAY_COUNT(alphabet) : 4;
    text_r[0] = '\0';
    while (letters-- > 0) {
        strcat(text_r, alphabet[below(scripts)]);
    }
}

static void change_a_row(void)
{
    struct row *row = &rows[below(ROWS)];
    if (row->exists && below(3) == 0) {
        assert_true(directory_remove(text_of(row->id)));
        row->exists = false;
        return;
    }
    if (!row->exists || below(4) == 0) {
        row->created_at = (int64_t)below(200) * (below(9) == 0 ? INT64_C(-4000000000) : 1);
    }
    random_text(row->name, below(9));
    random_text(row->email, below(9));
    row->exists = true;
    assert_int_not_equal(put(row->id, row->name, row->email, row->created_at), DIRECTORY_NO_ROOM);
}

static bool row_matches(const struct row *row, const char *query)
{
    return row->exists && (strstr(row->name, query) != NULL || strstr(row->email, query) != NULL);
}

static int by_creation(const void *a, const void *b)
{
    const struct row *row = *(const struct row *const *)a, *other = *(const struct row *const *)b;
    return row->created_at != other->created_at ? (row->created_at < other->created_at ? -1 : 1)
                                                : strcmp(row->id, other->id);
}

/* What ask gives, from the rows. */
static const char *expected(const char *query, bool ascending, int64_t skip, size_t page)
{
    const struct row *found[ROWS];
    int64_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (row_matches(&rows[i], query)) {
            found[count++] = &rows[i];
        }
    }
    qsort(found, (size_t)count, sizeof found[0], by_creation);
    struct buffer text;
    buffer_init(&text, arena);
    buffer_add_integer(&text, count);
    for (int64_t i = skip; i < count && i < skip + (int64_t)page; i++) {
        buffer_add_format(&text, " %s", found[ascending ? i : count - 1 - i]->id);
    }
    return buffer_text(&text).data;
}

/* Which rows a filter matches, which is also what it lists. A bit of `expected` is right for each. */
static void assert_filter(const struct directory_filter *filter, const bool *expected)
{
    struct text *ids;
    int64_t count = 0, given = 0;
    assert_true(directory_filter_ids(arena, filter, &ids));
    for (size_t i = 0; i < ROWS; i++) {
        bool matches;
        assert_true(directory_filter_matches(filter, text_of(rows[i].id), &matches));
        assert_int_equal(matches, expected[i]);
        count += matches;
        for (int64_t j = 0; j < filter->count; j++) {
            given += matches && text_is(ids[j], rows[i].id);
        }
    }
    assert_int_equal(filter->count, count);
    assert_int_equal(given, count);
}

static void assert_filters(const char *query)
{
    struct directory_question question = {.query = text_of(query)};
    struct directory_answer answer;
    struct directory_filter among, others;
    struct text ids[ROWS / 5];
    bool matches[ROWS], is_among[ROWS], is_other[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        matches[i] = row_matches(&rows[i], query);
        is_among[i] = matches[i] && i % 6 == 0 && i < 6 * ARRAY_COUNT(ids);
        is_other[i] = matches[i] && !is_among[i];
    }
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        ids[i] = text_of(rows[6 * i % ROWS].id);
    }
    assert_true(directory_ask(arena, &question, &answer));
    assert_filter(&answer.filter, matches);
    assert_int_equal(answer.total, answer.filter.count);
    assert_true(directory_filter_part(arena, &answer.filter, ids, ARRAY_COUNT(ids), &among, &others));
    assert_filter(&among, is_among);
    assert_filter(&others, is_other);
}

static void as_plain_rows(void **state)
{
    (void)state;
    srand(7);
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(rows[i].id, sizeof rows[i].id, "%zx", i * 37 % ROWS);
    }
    lock();
    for (size_t i = 0; i < ROWS * 4; i++) { /* the table of ids has to grow */
        change_a_row();
    }
    ready();
    for (int round = 0; round < ROUNDS; round++) {
        arena_reset(arena);
        lock();
        for (size_t changes = below(4); changes > 0; changes--) {
            change_a_row();
        }
        if (below(40) == 0) {
            directory_tidy(below(2) == 0);
        }
        directory_unlock();
        char query[TEXT_BYTES];
        random_text(query, below(4));
        bool ascending = below(2) == 0;
        int64_t skip = (int64_t)below(below(2) == 0 ? ROWS : 3);
        size_t page = below(40);
        assert_string_equal(ask(query, ascending, skip, page), expected(query, ascending, skip, page));
        if (round % 16 == 0) {
            assert_filters(query);
        }
    }
}

/* Of so many that the order is walked along: the person who was made as the n-th. */
enum { MANY = 300000, STEP = 7919, BACK = 217679 }; /* STEP * BACK % MANY is 1 */

static const char *made_as(int64_t n)
{
    return text_format(arena, "%06d", (int)(n * BACK % MANY)).data;
}

static const char *three_made_as(int64_t total, int64_t a, int64_t b, int64_t c)
{
    return text_format(arena, "%d %s %s %s", (int)total, made_as(a), made_as(b), made_as(c)).data;
}

static void many_rows(void **state)
{
    (void)state;
    char id[16];
    assert_true(directory_create(0));
    assert_true(directory_create(64 * MEGABYTE));
    lock();
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%06d", i);
        put(id, i % 2 == 0 ? "even" : "odd", i % 100 == 0 ? "hundred" : "", (int64_t)i * STEP % MANY);
    }
    ready();
    assert_string_equal(ask("even", true, 0, 3), three_made_as(MANY / 2, 0, 2, 4));
    assert_string_equal(ask("even", true, 1000, 3), three_made_as(MANY / 2, 2000, 2002, 2004));
    assert_string_equal(ask("even", false, 149997, 3), three_made_as(MANY / 2, 4, 2, 0));
    assert_string_equal(ask("even", false, 149997, 30), three_made_as(MANY / 2, 4, 2, 0));
    assert_string_equal(ask("even", false, 149996, 3), three_made_as(MANY / 2, 6, 4, 2));
    assert_string_equal(ask("hundred", true, 0, 3), three_made_as(MANY / 100, 0, 100, 200));
    assert_string_equal(ask("", true, 299997, 30), three_made_as(MANY, MANY - 3, MANY - 2, MANY - 1));
    lock();
    for (int i = 0; i < 1000; i++) { /* each moves a megabyte of the order, until that is sorted instead */
        snprintf(id, sizeof id, "%06d", i);
        assert_int_equal(put(id, "early", "", -1 - i), DIRECTORY_CHANGED);
    }
    directory_unlock();
    assert_string_equal(ask("early", true, 0, 2), "1000 000999 000998");
    assert_string_equal(ask("", true, 1000, 3), three_made_as(MANY, 1, 2, 3));
}

static void filters_and_changes(void **state)
{
    (void)state;
    struct directory_question question = {.query = TEXT("a")};
    struct directory_answer answer;
    struct directory_filter among, others;
    struct text ids[] = {TEXT("a")}, *listed;
    bool matches;
    three();
    ready();
    assert_true(directory_ask(arena, &question, &answer));
    assert_true(directory_filter_part(arena, &answer.filter, ids, 1, &among, &others));
    lock();
    put("a", "renamed", "", 1);
    put("b", "no more", "", 1);
    put("new", "a new one", "", 1);
    directory_unlock();
    assert_true(directory_filter_matches(&answer.filter, TEXT("a"), &matches) && matches);
    assert_true(directory_filter_matches(&answer.filter, TEXT("b"), &matches) && !matches); /* as they are now */
    assert_true(directory_filter_matches(&answer.filter, TEXT("c"), &matches) && matches);
    assert_true(directory_filter_matches(&answer.filter, TEXT("new"), &matches) && matches);
    assert_true(directory_filter_matches(&answer.filter, TEXT("d"), &matches) && !matches);
    assert_false(directory_filter_ids(arena, &answer.filter, &listed)); /* some have other entries now */
    assert_true(directory_filter_matches(&others, TEXT("c"), &matches) && matches);
    assert_false(directory_filter_matches(&among, TEXT("a"), &matches)); /* it may be either */
    lock();
    directory_tidy(false);
    directory_unlock();
    assert_false(directory_filter_part(arena, &answer.filter, ids, 1, &among, &others));
    assert_false(directory_filter_matches(&answer.filter, TEXT("a"), &matches)); /* the entries have other numbers */
}

/* ---- Many processes ---- */

enum { PEOPLE = 400, WRITERS = 2, READERS = 3, WRITES = 6000 };

/* Renames people and makes them anew, all the time. At each moment all of them are there, and each matches "everybody"
 * once. Now and then it removes one and adds another, under one lock. */
static void write_rounds(unsigned seed)
{
    for (int i = 0; i < WRITES; i++) {
        char id[16], name[64];
        int person = rand_r(&seed) % PEOPLE;
        snprintf(id, sizeof id, "p%d", person);
        snprintf(name, sizeof name, "%.*s everybody", rand_r(&seed) % 40,
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        if (!directory_lock(FOREVER)) {
            _exit(1);
        }
        if (rand_r(&seed) % 8 == 0) {
            directory_remove(text_of(id));
        }
        put(id, name, "", rand_r(&seed) % 1000);
        if (rand_r(&seed) % 64 == 0) {
            directory_tidy(false);
        }
        directory_unlock();
    }
    _exit(0);
}

static void read_rounds(unsigned seed)
{
    struct arena *own = arena_new(0);
    for (int i = 0; i < WRITES; i++) {
        struct directory_question question = {
            .query = TEXT("everybody"), .by_creation = true, .skip = rand_r(&seed) % PEOPLE, .page = PEOPLE};
        struct directory_answer answer;
        arena_reset(own);
        if (!directory_ask(own, &question, &answer) || answer.total != PEOPLE ||
            (int64_t)answer.count != PEOPLE - question.skip) {
            _exit(2);
        }
        bool seen[PEOPLE] = {false};
        for (size_t j = 0; j < answer.count; j++) {
            int person = atoi(answer.ids[j].data + 1);
            if (answer.ids[j].data[0] != 'p' || person < 0 || person >= PEOPLE || seen[person]) {
                _exit(3);
            }
            seen[person] = true;
        }
    }
    _exit(0);
}

static void many_processes(void **state)
{
    (void)state;
    char id[16];
    lock();
    for (int i = 0; i < PEOPLE; i++) {
        snprintf(id, sizeof id, "p%d", i);
        put(id, "everybody", "", i);
    }
    ready();
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
        }
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

/* ---- A process that dies ---- */

static void die_with_the_lock(void)
{
    directory_lock(FOREVER);
    put("a", "ada", "ada@example.org", 1); /* which changes nothing */
}

static void die_in_a_change(void)
{
    directory_lock(FOREVER);
    put("a", "adam", "", 1);
}

static void a_process_dies(void **state)
{
    (void)state;
    struct directory_figures figures;
    three();
    ready();
    child_killed_after(die_with_the_lock);
    assert_string_equal(ask("", true, 0, 30), "3 a b c");
    lock();
    directory_unlock();
    assert_string_equal(ask("", true, 0, 30), "3 a b c");
    directory_figures(&figures);
    assert_int_equal(figures.losses, 0);
    child_killed_after(die_in_a_change);
    assert_string_equal(ask("", true, 0, 30), "not ready"); /* who asks finds out */
    assert_int_equal(directory_state(), DIRECTORY_EMPTY);
    directory_figures(&figures);
    assert_int_equal(figures.losses, 1);
    assert_true(directory_was_lost());
    assert_false(directory_was_lost());
    assert_int_equal(figures.users, 0);
    three();
    ready();
    assert_string_equal(ask("ada", true, 0, 30), "1 a");
}

static void the_lock_is_waited_for(void **state)
{
    (void)state;
    int ready_pipe[2];
    char byte;
    assert_int_equal(pipe(ready_pipe), 0);
    three();
    ready();
    pid_t pid = fork();
    if (pid == 0) {
        directory_lock(FOREVER);
        _exit(write(ready_pipe[1], "x", 1) == 1 && pause() == 0);
    }
    assert_int_equal(read(ready_pipe[0], &byte, 1), 1);
    assert_false(directory_lock(0));
    assert_false(directory_lock(1000));
    assert_string_equal(ask("ada", true, 0, 30), "1 a"); /* readers need none */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(directory_lock(0));
    directory_unlock();
    close(ready_pipe[0]);
    close(ready_pipe[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asked, set_up),
        cmocka_unit_test_setup(equal_times, set_up),
        cmocka_unit_test_setup(changed, set_up),
        cmocka_unit_test_setup(nobody, set_up),
        cmocka_unit_test_setup(emptied, set_up),
        cmocka_unit_test_setup(marked, set_up),
        cmocka_unit_test_setup(no_room, set_up),
        cmocka_unit_test_setup(too_small, set_up),
        cmocka_unit_test_setup(as_plain_rows, set_up),
        cmocka_unit_test_setup(many_rows, set_up),
        cmocka_unit_test_setup(filters_and_changes, set_up),
        cmocka_unit_test_setup(many_processes, set_up),
        cmocka_unit_test_setup(a_process_dies, set_up),
        cmocka_unit_test_setup(the_lock_is_waited_for, set_up),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
