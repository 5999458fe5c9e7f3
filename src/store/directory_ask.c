/* directory_ask.c: the questions of directory.h. */
#include <stdlib.h>
#include <string.h>

#include "base/byte_search.h"
#include "store/directory_internal.h"

enum {
    ATTEMPTS = 4,      /* before the lock is taken, so that nothing can change meanwhile */
    SORTED_MAX = 2000, /* so many are sorted; of more, the order is walked along */
    WORD_BITS = 64,
    LOCK_MICROSECONDS = 1000000 /* a process may hold it while MariaDB does not answer */
};

#define parts directory_parts

static bool has_bit(const uint64_t *bits, uint32_t number)
{
    return (bits[number / WORD_BITS] >> number % WORD_BITS & 1) != 0;
}

/* ---- Who matches ---- */

/* The entry whose text contains this place, where it does not come before `from`. */
static uint32_t entry_at(size_t place, uint32_t from, uint32_t people)
{
    uint32_t step = 1;
    while (from + step < people && directory_text_at(from + step, people) <= place) {
        from += step;
        step *= 2;
    }
    uint32_t high = step < people - from ? from + step : people;
    while (from + 1 < high) {
        uint32_t middle = from + (high - from) / 2;
        if (directory_text_at(middle, people) <= place) {
            from = middle;
        } else {
            high = middle;
        }
    }
    return from;
}

/* Sets the bits of all who are not dead, and counts them. */
static uint32_t take_all(uint32_t people, uint64_t *bits)
{
    uint32_t count = 0;
    for (uint32_t number = 0; number < people; number++) {
        if (!directory_is_dead(number)) {
            bits[number / WORD_BITS] |= UINT64_C(1) << number % WORD_BITS;
            count++;
        }
    }
    return count;
}

/* Sets the bits of those whose text contains the query, and counts them. */
static uint32_t search(struct text query, uint32_t people, uint64_t *bits)
{
    const size_t length = directory_text_at(people, people);
    uint32_t count = 0, number = 0;
    size_t place;
    struct byte_search search;
    byte_search_init(&search, query, parts.texts, length);
    while (number < people && (place = byte_search_next(&search)) < length) {
        number = entry_at(place, number, people);
        bits[number / WORD_BITS] |= UINT64_C(1) << number % WORD_BITS;
        count++;
        number++;
        size_t next = directory_text_at(number, people);
        byte_search_skip(&search, next > place ? next : length); /* less: it is changing */
    }
    return count;
}

/* The numbers of those with a bit. */
static uint32_t *list(struct arena *arena, const uint64_t *bits, uint32_t people, uint32_t count)
{
    uint32_t *numbers = arena_alloc(arena, (count + 1) * sizeof *numbers);
    uint32_t done = 0;
    for (uint32_t word = 0; word * WORD_BITS < people; word++) {
        for (uint64_t left = bits[word]; left != 0 && done < count; left &= left - 1) {
            numbers[done++] = word * WORD_BITS + (uint32_t)__builtin_ctzll(left);
        }
    }
    return numbers;
}

/* ---- A page in the order of creation ---- */

static int by_creation(const void *a, const void *b)
{
    uint32_t number = *(const uint32_t *)a, other = *(const uint32_t *)b;
    int64_t created_at = directory_created_at(number), other_at = directory_created_at(other);
    if (created_at != other_at) {
        return created_at < other_at ? -1 : 1;
    }
    return text_compare(directory_id_of(number), directory_id_of(other));
}

/* Part of a sequence of `count`: those from `skip` on, at most `page`, from its beginning or (descending) its end. */
struct range {
    uint32_t skip, page;
    bool ascending;
};

/* The numbers of a page, of those who have a bit; a walk along the order from its nearer end. */
static uint32_t walk(const struct range *range, const uint64_t *bits, uint32_t people, uint32_t count,
                     uint32_t *numbers_r)
{
    const uint32_t living = directory_get(&parts.head->living);
    bool from_other_end = range->skip > count / 2;
    uint32_t skip = from_other_end ? count - range->skip - range->page : range->skip, done = 0;
    for (uint32_t i = 0; i < living && i < parts.people_max && done < range->page; i++) {
        uint32_t number = directory_get(&parts.order[range->ascending != from_other_end ? i : living - 1 - i]);
        if (number < people && has_bit(bits, number)) {
            if (skip > 0) {
                skip--;
            } else {
                numbers_r[from_other_end ? range->page - 1 - done : done] = number;
                done++;
            }
        }
    }
    return done;
}

/* The same, by sorting them. */
static uint32_t sort(struct arena *arena, const struct range *range, const uint64_t *bits, uint32_t people,
                     uint32_t count, uint32_t *numbers_r)
{
    uint32_t *numbers = list(arena, bits, people, count);
    qsort(numbers, count, sizeof *numbers, by_creation);
    for (uint32_t i = 0; i < range->page; i++) {
        uint32_t place = range->skip + i;
        numbers_r[i] = numbers[range->ascending ? place : count - 1 - place];
    }
    return range->page;
}

/* The same, where everybody matches. */
static uint32_t pick(const struct range *range, uint32_t count, uint32_t *numbers_r)
{
    for (uint32_t i = 0; i < range->page; i++) {
        uint32_t place = range->skip + i;
        numbers_r[i] = directory_get(&parts.order[range->ascending ? place : count - 1 - place]);
    }
    return range->page;
}

/* Copies of the ids, in the arena. */
static struct text *copy_ids(struct arena *arena, const uint32_t *numbers, uint32_t count)
{
    struct text *ids = arena_alloc(arena, (count + 1) * sizeof *ids);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = text_copy(arena, directory_id_of(numbers[i] < parts.people_max ? numbers[i] : 0));
    }
    return ids;
}

/* ---- The answer ---- */

static struct range range_of(const struct directory_question *question, uint32_t count)
{
    struct range range = {0, 0, question->ascending};
    if (question->skip < count) {
        range.skip = (uint32_t)question->skip;
        range.page = question->page < count - range.skip ? (uint32_t)question->page : count - range.skip;
    }
    return range;
}

/* The answer from what is there now, which may be changing. */
static void ask_once(struct arena *arena, const struct directory_question *question, struct directory_answer *answer)
{
    const struct directory_head *head = parts.head;
    const uint32_t people = directory_get(&head->people);
    const bool is_all = question->query.length == 0, needs_bits = !is_all || !question->by_creation;
    uint64_t *bits = needs_bits ? arena_zero(arena, people / WORD_BITS + 1, sizeof *bits) : NULL;
    uint32_t count = !needs_bits ? directory_get(&head->living)
                     : is_all    ? take_all(people, bits)
                                 : search(question->query, people, bits);
    *answer = (struct directory_answer){.total = count,
                                        .filter = {count, atomic_load_explicit(&head->layout, memory_order_relaxed),
                                                   people, bits, is_all ? TEXT("") : question->query}};
    if (question->by_creation) {
        const struct range range = range_of(question, count);
        uint32_t *numbers = arena_alloc(arena, (range.page + 1) * sizeof *numbers);
        uint32_t found = is_all                ? pick(&range, count, numbers)
                         : count <= SORTED_MAX ? sort(arena, &range, bits, people, count, numbers)
                                               : walk(&range, bits, people, count, numbers);
        answer->count = found;
        answer->ids = copy_ids(arena, numbers, found);
    }
}

/* Calls `read(argument)` until nothing has changed meanwhile; in the end under the lock, where nothing can.
 * False: the lock can't be had. */
static bool read_one_state(void (*read)(void *argument), void *argument)
{
    uint64_t version;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (directory_version_read(&version)) {
            read(argument);
            if (directory_version_holds(version)) {
                return true;
            }
        }
    }
    if (!directory_lock(LOCK_MICROSECONDS)) {
        return false;
    }
    read(argument);
    directory_unlock();
    return true;
}

struct asking {
    struct arena *arena;
    const struct directory_question *question;
    struct directory_answer *answer;
    bool is_ready;
};

static void read_answer(void *argument)
{
    struct asking *asking = argument;
    asking->is_ready = directory_state() == DIRECTORY_READY;
    if (asking->is_ready) {
        ask_once(asking->arena, asking->question, asking->answer);
    }
}

bool directory_ask(struct arena *arena, const struct directory_question *question, struct directory_answer *answer_r)
{
    struct asking asking = {arena, question, answer_r, false};
    return directory_exists() && read_one_state(read_answer, &asking) && asking.is_ready;
}

/* ---- Filters ---- */

struct filtering {
    struct arena *arena;
    const struct directory_filter *filter;
    const struct text *ids; /* what is asked about */
    size_t id_count;
    bool matches;
    struct text *ids_r;
    struct directory_filter *among, *others;
    bool is_valid;
};

static bool is_layout(uint64_t layout)
{
    return atomic_load_explicit(&parts.head->layout, memory_order_relaxed) == layout;
}

static void read_match(void *argument)
{
    struct filtering *filtering = argument;
    const struct directory_filter *filter = filtering->filter;
    uint32_t number = directory_find_id(filtering->ids[0]), people = directory_get(&parts.head->people);
    filtering->is_valid =
        is_layout(filter->layout) && (number < filter->people || number >= people || filter->query.data != NULL);
    filtering->matches = false;
    if (number < filter->people) {
        filtering->matches = has_bit(filter->bits, number);
    } else if (number < people && filter->query.data != NULL) {
        uint32_t start = directory_text_at(number, people), end = directory_text_at(number + 1, people);
        filtering->matches =
            start < end && memmem(parts.texts + start, end - start, filter->query.data, filter->query.length) != NULL;
    }
}

bool directory_filter_matches(const struct directory_filter *filter, struct text id, bool *matches_r)
{
    struct filtering filtering = {.filter = filter, .ids = &id, .id_count = 1};
    bool is_valid = read_one_state(read_match, &filtering) && filtering.is_valid;
    *matches_r = filtering.matches;
    return is_valid;
}

static void read_ids(void *argument)
{
    struct filtering *filtering = argument;
    const struct directory_filter *filter = filtering->filter;
    filtering->is_valid = is_layout(filter->layout);
    filtering->ids_r = NULL;
    if (!filtering->is_valid) {
        return;
    }
    uint32_t *numbers = list(filtering->arena, filter->bits, filter->people, (uint32_t)filter->count);
    for (int64_t i = 0; i < filter->count; i++) { /* who was changed has another entry now */
        filtering->is_valid = filtering->is_valid && !directory_is_dead(numbers[i]);
    }
    filtering->ids_r = copy_ids(filtering->arena, numbers, (uint32_t)filter->count);
}

bool directory_filter_ids(struct arena *arena, const struct directory_filter *filter, struct text **ids_r)
{
    struct filtering filtering = {.arena = arena, .filter = filter};
    bool is_valid = read_one_state(read_ids, &filtering) && filtering.is_valid;
    *ids_r = filtering.ids_r;
    return is_valid;
}

static void read_parts(void *argument)
{
    struct filtering *filtering = argument;
    const struct directory_filter *filter = filtering->filter;
    const size_t words = filter->people / WORD_BITS + 1;
    filtering->is_valid = is_layout(filter->layout);
    *filtering->among = *filtering->others = *filter;
    filtering->among->query = filtering->others->query = TEXT_NULL;
    filtering->among->count = 0;
    filtering->among->bits = arena_zero(filtering->arena, words, sizeof *filter->bits);
    filtering->others->bits = arena_alloc(filtering->arena, words * sizeof *filter->bits);
    memcpy(filtering->others->bits, filter->bits, words * sizeof *filter->bits);
    for (size_t i = 0; i < filtering->id_count && filtering->is_valid; i++) {
        uint32_t number = directory_find_id(filtering->ids[i]);
        if (number < filter->people && has_bit(filtering->others->bits, number)) {
            filtering->others->bits[number / WORD_BITS] &= ~(UINT64_C(1) << number % WORD_BITS);
            filtering->among->bits[number / WORD_BITS] |= UINT64_C(1) << number % WORD_BITS;
            filtering->others->count--;
            filtering->among->count++;
        }
    }
}

bool directory_filter_part(struct arena *arena, const struct directory_filter *filter, const struct text *ids,
                           size_t id_count, struct directory_filter *among_r, struct directory_filter *others_r)
{
    struct filtering filtering = {
        .arena = arena, .filter = filter, .ids = ids, .id_count = id_count, .among = among_r, .others = others_r};
    return read_one_state(read_parts, &filtering) && filtering.is_valid;
}
