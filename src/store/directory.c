/* directory.c: see directory.h and directory_internal.h. */
#include "store/directory_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/shared_mutex.h"
#include "store/table_hash.h"

enum {
    PAGE = 4096,
    PERSON_BYTES = 160, /* what a person takes, at most, so that there are enough entries */
    SLOTS_MIN = 1024,
    MOVED_MAX = 32 * 1024 * 1024, /* bytes of the order that a change may move; then it is sorted as a whole */
    DIGIT_BITS = 11,
    DIGITS = 1 << DIGIT_BITS
};

struct directory_parts directory_parts;

static size_t moved; /* bytes of the order, since this process has the lock */

#define parts directory_parts

/* ---- Making it ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static uint32_t at_most(size_t number, size_t max)
{
    return (uint32_t)(number < max ? number : max);
}

bool directory_create(size_t bytes)
{
    if (parts.head != NULL && parts.bytes == bytes) {
        if (directory_lock(INT64_MAX)) {
            directory_empty();
            directory_unlock();
        }
        return true;
    }
    parts.head = NULL;
    if (bytes == 0) {
        return true;
    }
    struct directory_parts made = {.bytes = bytes};
    made.people_max = at_most(bytes / PERSON_BYTES, INT32_MAX);
    for (made.slots_max = SLOTS_MIN; made.slots_max < made.people_max / 2 * 3; made.slots_max *= 2) {
    }
    const size_t head_bytes = round_up(sizeof *made.head);
    const size_t people_bytes = round_up(made.people_max * sizeof *made.people);
    const size_t order_bytes = round_up(made.people_max * sizeof *made.order);
    const size_t slots_bytes = round_up(made.slots_max * sizeof *made.slots);
    const size_t fixed = head_bytes + people_bytes + order_bytes + slots_bytes;
    if (fixed + 4 * PAGE > bytes) {
        return false;
    }
    const size_t ids_bytes = (bytes - fixed) / 100 * 45 / PAGE * PAGE;
    const size_t texts_bytes = (bytes - fixed - ids_bytes) / PAGE * PAGE;
    made.ids_max = at_most(ids_bytes, PERSON_ID);
    made.texts_max = at_most(texts_bytes, INT32_MAX);
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    madvise(mapping, bytes, MADV_DONTDUMP);
    made.head = (struct directory_head *)(void *)mapping;
    made.people = (struct person *)(void *)(mapping + head_bytes);
    made.order = (_Atomic uint32_t *)(void *)(mapping + head_bytes + people_bytes);
    made.slots = (_Atomic uint32_t *)(void *)(mapping + head_bytes + people_bytes + order_bytes);
    made.ids = mapping + fixed;
    made.texts = mapping + fixed + ids_bytes;
    if (!shared_mutex_init(&made.head->mutex)) {
        munmap(mapping, bytes);
        return false;
    }
    made.head->slots = SLOTS_MIN;
    parts = made;
    return true;
}

bool directory_exists(void)
{
    return parts.head != NULL;
}

enum directory_state directory_state(void)
{
    return parts.head != NULL ? (enum directory_state)atomic_load_explicit(&parts.head->state, memory_order_acquire)
                              : DIRECTORY_EMPTY;
}

struct directory_progress *directory_progress(void)
{
    return &parts.head->progress;
}

/* ---- The lock ---- */

/* The version becomes odd. */
static void begin_change(void)
{
    uint64_t version = atomic_load_explicit(&parts.head->version, memory_order_relaxed);
    if (version % 2 == 0) {
        atomic_store_explicit(&parts.head->version, version + 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
    }
}

static void end_change(void)
{
    uint64_t version = atomic_load_explicit(&parts.head->version, memory_order_relaxed);
    if (version % 2 != 0) {
        atomic_store_explicit(&parts.head->version, version + 1, memory_order_release);
    }
}

bool directory_lock(int64_t microseconds)
{
    if (parts.head == NULL) {
        return false;
    }
    int error = shared_mutex_lock(&parts.head->mutex, microseconds);
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(&parts.head->mutex);
        if (atomic_load(&parts.head->version) % 2 != 0) {
            directory_empty();
            atomic_fetch_add(&parts.head->losses, 1);
            atomic_store(&parts.head->is_lost, true);
            end_change();
        }
        error = 0;
    }
    if (error == 0) {
        moved = 0;
    }
    return error == 0;
}

static void sort_order(void);

void directory_unlock(void)
{
    if (directory_state() == DIRECTORY_READY && !parts.head->is_ordered) {
        sort_order();
    }
    end_change();
    pthread_mutex_unlock(&parts.head->mutex);
}

bool directory_was_lost(void)
{
    return atomic_exchange(&parts.head->is_lost, false);
}

/* Gives the memory of a part back; what is read there later is 0. A process that died may have written a little more
 * than it had counted. */
static void give_back(void *start, size_t used_bytes, size_t max_bytes)
{
    if (madvise(start, max_bytes, MADV_REMOVE) != 0) {
        memset(start, 0, used_bytes + PAGE < max_bytes ? used_bytes + PAGE : max_bytes);
    }
}

void directory_empty(void)
{
    struct directory_head *head = parts.head;
    begin_change();
    directory_set(&head->state, DIRECTORY_EMPTY);
    give_back(parts.people, head->people * sizeof *parts.people, round_up(parts.people_max * sizeof *parts.people));
    give_back(parts.order, head->people * sizeof *parts.order, round_up(parts.people_max * sizeof *parts.order));
    give_back(parts.slots, head->slots * sizeof *parts.slots, round_up(parts.slots_max * sizeof *parts.slots));
    give_back(parts.texts, head->texts, round_up(parts.texts_max));
    give_back(parts.ids, head->ids, round_up(parts.ids_max));
    head->people = head->living = head->texts = head->ids = head->dead_texts = head->dead_ids = 0;
    head->slots = SLOTS_MIN;
    head->is_ordered = false;
    head->layout++;
    memset(&head->progress, 0, sizeof head->progress);
}

/* ---- Ids ---- */

static uint32_t id_at(uint32_t number, uint32_t people)
{
    return number < people ? directory_get(&parts.people[number].id) & PERSON_ID : directory_get(&parts.head->ids);
}

struct text directory_id_of(uint32_t number)
{
    uint32_t people = directory_get(&parts.head->people);
    uint32_t start = id_at(number, people), end = id_at(number + 1, people);
    return (struct text){parts.ids + start, end >= start && end - start <= DIRECTORY_ID_MAX ? end - start : 0};
}

/* The slot of an id, or the empty one where it belongs. */
static uint32_t slot_of(struct text id)
{
    const uint32_t mask = directory_get(&parts.head->slots) - 1;
    uint32_t slot = (uint32_t)table_hash(id) & mask;
    for (uint32_t tries = 0; tries < mask; tries++) { /* a reader might go round for ever */
        uint32_t entry = directory_get(&parts.slots[slot]);
        if (entry == 0 || text_equal(directory_id_of(entry - 1), id)) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

uint32_t directory_find_id(struct text id)
{
    return directory_get(&parts.slots[slot_of(id)]) - 1;
}

static void insert_slot(uint32_t number)
{
    const uint32_t mask = parts.head->slots - 1;
    uint32_t slot = (uint32_t)table_hash(directory_id_of(number)) & mask;
    while (directory_get(&parts.slots[slot]) != 0) {
        slot = (slot + 1) & mask;
    }
    directory_set(&parts.slots[slot], number + 1);
}

/* What stands behind it in the same run moves up, so that no run has a gap. */
static void remove_slot(uint32_t slot)
{
    const uint32_t mask = parts.head->slots - 1;
    uint32_t gap = slot;
    for (uint32_t next = (slot + 1) & mask; directory_get(&parts.slots[next]) != 0; next = (next + 1) & mask) {
        uint32_t entry = directory_get(&parts.slots[next]);
        uint32_t home = (uint32_t)table_hash(directory_id_of(entry - 1)) & mask;
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            directory_set(&parts.slots[gap], entry);
            gap = next;
        }
    }
    directory_set(&parts.slots[gap], 0);
}

/* Keeps two of five slots empty. */
static void grow_slots(void)
{
    struct directory_head *head = parts.head;
    if (head->living + 1 <= head->slots / 5 * 3 || head->slots == parts.slots_max) {
        return;
    }
    memset(parts.slots, 0, head->slots * sizeof *parts.slots);
    head->slots = head->slots * 2;
    for (uint32_t number = 0; number < head->people; number++) {
        if (!directory_is_dead(number)) {
            insert_slot(number);
        }
    }
}

/* ---- The order ---- */

/* The place of a person in the order, or where they belong. */
static uint32_t place_of(int64_t created_at, struct text id)
{
    uint32_t low = 0, high = parts.head->living;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, number = directory_get(&parts.order[middle]);
        int64_t other = directory_created_at(number);
        if (other < created_at || (other == created_at && text_compare(directory_id_of(number), id) < 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Makes room at a place, or (`by` -1) closes it. */
static void shift_order(uint32_t place, int by)
{
    uint32_t count = parts.head->living - place;
    moved += count * sizeof *parts.order;
    if (moved > MOVED_MAX) {
        parts.head->is_ordered = false;
    } else if (by > 0) {
        memmove(&parts.order[place + 1], &parts.order[place], count * sizeof *parts.order);
    } else {
        memmove(&parts.order[place], &parts.order[place + 1], (count - 1) * sizeof *parts.order);
    }
}

static int by_id(const void *a, const void *b)
{
    return text_compare(directory_id_of(*(const uint32_t *)a), directory_id_of(*(const uint32_t *)b));
}

/* Sorts those with equal times by their ids. */
static void sort_equals(uint32_t *numbers, uint32_t count)
{
    for (uint32_t start = 0, end; start < count; start = end) {
        bool is_sorted = true;
        for (end = start + 1; end < count && directory_created_at(numbers[end]) == directory_created_at(numbers[start]);
             end++) {
            is_sorted = is_sorted && by_id(&numbers[end - 1], &numbers[end]) <= 0;
        }
        if (!is_sorted) {
            qsort(numbers + start, end - start, sizeof *numbers, by_id);
        }
    }
}

/* One pass of a radix sort, which keeps the order of equals. */
static void sort_by_digit(uint32_t *to, const uint32_t *from, uint32_t count, uint64_t min, unsigned shift)
{
    uint32_t starts[DIGITS + 1] = {0};
    for (uint32_t i = 0; i < count; i++) {
        starts[(((uint64_t)directory_created_at(from[i]) - min) >> shift & (DIGITS - 1)) + 1]++;
    }
    for (size_t digit = 0; digit < DIGITS; digit++) {
        starts[digit + 1] += starts[digit];
    }
    for (uint32_t i = 0; i < count; i++) {
        to[starts[((uint64_t)directory_created_at(from[i]) - min) >> shift & (DIGITS - 1)]++] = from[i];
    }
}

/* Puts all living people into their order. */
static void sort_order(void)
{
    struct directory_head *head = parts.head;
    uint32_t *numbers = malloc(2 * ((size_t)head->living + 1) * sizeof *numbers), *other = numbers + head->living;
    invariant(numbers != NULL);
    uint32_t count = 0;
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t number = 0; number < head->people; number++) {
        if (!directory_is_dead(number)) {
            int64_t created_at = directory_created_at(number);
            min = created_at < min ? created_at : min;
            max = created_at > max ? created_at : max;
            numbers[count++] = number;
        }
    }
    invariant(count == head->living);
    uint32_t *sorted = numbers;
    for (unsigned shift = 0; count > 0 && shift < 64 && ((uint64_t)max - (uint64_t)min) >> shift != 0;
         shift += DIGIT_BITS) {
        sort_by_digit(other, sorted, count, (uint64_t)min, shift);
        uint32_t *swap = sorted;
        sorted = other;
        other = swap;
    }
    sort_equals(sorted, count);
    begin_change();
    for (uint32_t i = 0; i < count; i++) {
        directory_set(&parts.order[i], sorted[i]);
    }
    head->is_ordered = true;
    free(numbers);
}

void directory_set_state(enum directory_state state)
{
    if (directory_state() == state) {
        return;
    }
    begin_change();
    if (state == DIRECTORY_READY && !parts.head->is_ordered) {
        sort_order();
    }
    atomic_store_explicit(&parts.head->state, state, memory_order_release);
}

/* ---- Changes ---- */

static struct text texts_of(uint32_t number)
{
    uint32_t start = directory_text_at(number, parts.head->people);
    return (struct text){parts.texts + start, directory_text_at(number + 1, parts.head->people) - start};
}

static bool has_texts(uint32_t number, const struct directory_user *user)
{
    struct text texts = texts_of(number);
    return texts.length == user->name.length + user->email.length + 2 &&
           memcmp(texts.data, user->name.data, user->name.length) == 0 &&
           memcmp(texts.data + user->name.length + 1, user->email.data, user->email.length) == 0;
}

/* Overwrites the texts of an entry, and its id, too, where nobody else needs it. */
static void bury(uint32_t number)
{
    struct directory_head *head = parts.head;
    struct text texts = texts_of(number), id = directory_id_of(number);
    memset((char *)(uintptr_t)texts.data, DIRECTORY_SEPARATOR, texts.length);
    memset((char *)(uintptr_t)id.data, DIRECTORY_SEPARATOR, id.length);
    head->dead_texts += (uint32_t)texts.length;
    head->dead_ids += (uint32_t)id.length;
    atomic_fetch_or_explicit(&parts.people[number].id, PERSON_DEAD, memory_order_relaxed);
}

static void forget(uint32_t number)
{
    struct text id = directory_id_of(number);
    if (parts.head->is_ordered) {
        shift_order(place_of(directory_created_at(number), id), -1);
    }
    remove_slot(slot_of(id));
    bury(number);
    parts.head->living--;
}

bool directory_remove(struct text id)
{
    uint32_t number = directory_find_id(id);
    if (number == UINT32_MAX) {
        return false;
    }
    begin_change();
    forget(number);
    return true;
}

/* Whether there is room, at the end, for one more. */
static bool has_room(const struct directory_user *user)
{
    const struct directory_head *head = parts.head;
    return head->people < parts.people_max && user->id.length <= DIRECTORY_ID_MAX &&
           parts.ids_max - head->ids >= user->id.length &&
           parts.texts_max - head->texts >= user->name.length + user->email.length + 2;
}

static void append(const struct directory_user *user)
{
    struct directory_head *head = parts.head;
    struct person *person = &parts.people[head->people];
    char *text = parts.texts + head->texts;
    memcpy(text, user->name.data, user->name.length);
    text[user->name.length] = DIRECTORY_SEPARATOR;
    memcpy(text + user->name.length + 1, user->email.data, user->email.length);
    text[user->name.length + user->email.length + 1] = DIRECTORY_SEPARATOR;
    memcpy(parts.ids + head->ids, user->id.data, user->id.length);
    atomic_store_explicit(&person->created_at, user->created_at, memory_order_relaxed);
    directory_set(&person->text, head->texts);
    directory_set(&person->id, head->ids | PERSON_MARKED);
    head->texts += (uint32_t)(user->name.length + user->email.length + 2);
    head->ids += (uint32_t)user->id.length;
    head->people++;
}

/* The new entry takes the place of the old one, in the table and in the order. */
static void replace(uint32_t old, uint32_t number, const struct directory_user *user)
{
    directory_set(&parts.slots[slot_of(user->id)], number + 1);
    if (parts.head->is_ordered) {
        directory_set(&parts.order[place_of(user->created_at, user->id)], number);
    }
    bury(old);
}

static void add(uint32_t number, const struct directory_user *user)
{
    insert_slot(number);
    if (parts.head->is_ordered) {
        uint32_t place = place_of(user->created_at, user->id);
        shift_order(place, 1);
        directory_set(&parts.order[place], number);
    }
    parts.head->living++;
}

enum directory_change directory_put(const struct directory_user *user)
{
    uint32_t old = directory_find_id(user->id);
    bool is_known = old != UINT32_MAX, is_as_old = is_known && directory_created_at(old) == user->created_at;
    if (is_as_old && has_texts(old, user)) {
        atomic_fetch_or_explicit(&parts.people[old].id, PERSON_MARKED, memory_order_relaxed);
        return DIRECTORY_SAME;
    }
    begin_change();
    if (is_known && (!is_as_old || !has_room(user))) {
        forget(old);
        is_known = false;
    }
    if (!has_room(user)) {
        return DIRECTORY_NO_ROOM;
    }
    uint32_t number = parts.head->people;
    if (!is_known) {
        grow_slots();
    }
    append(user);
    if (is_known) {
        replace(old, number, user);
    } else {
        add(number, user);
    }
    return DIRECTORY_CHANGED;
}

/* ---- Marks ---- */

void directory_unmark(void)
{
    for (uint32_t number = 0; number < parts.head->people; number++) {
        atomic_fetch_and_explicit(&parts.people[number].id, ~(uint32_t)PERSON_MARKED, memory_order_relaxed);
    }
}

size_t directory_unmarked(uint32_t *from, struct text *ids_r, size_t max)
{
    size_t count = 0;
    for (; *from < parts.head->people && count < max; (*from)++) {
        if ((directory_get(&parts.people[*from].id) & (PERSON_MARKED | PERSON_DEAD)) == 0) {
            ids_r[count++] = directory_id_of(*from);
        }
    }
    return count;
}

/* ---- Tidying ---- */

/* Moves everybody up over the dead before them. new_numbers_r[old] is the new number. */
static void close_gaps(uint32_t *new_numbers_r)
{
    struct directory_head *head = parts.head;
    uint32_t people = 0, texts = 0, ids = 0;
    for (uint32_t number = 0; number < head->people; number++) {
        if (directory_is_dead(number)) {
            continue;
        }
        struct text text = texts_of(number), id = directory_id_of(number);
        uint32_t mark = directory_get(&parts.people[number].id) & PERSON_MARKED;
        memmove(parts.texts + texts, text.data, text.length);
        memmove(parts.ids + ids, id.data, id.length);
        atomic_store_explicit(&parts.people[people].created_at, directory_created_at(number), memory_order_relaxed);
        directory_set(&parts.people[people].text, texts);
        directory_set(&parts.people[people].id, ids | mark);
        texts += (uint32_t)text.length;
        ids += (uint32_t)id.length;
        new_numbers_r[number] = people++;
    }
    memset(parts.texts + texts, 0, head->texts - texts);
    memset(parts.ids + ids, 0, head->ids - ids);
    head->people = people;
    head->texts = texts;
    head->ids = ids;
    head->dead_texts = head->dead_ids = 0;
}

static bool is_untidy(void)
{
    const struct directory_head *head = parts.head;
    uint32_t dead = head->people - head->living;
    return head->dead_texts > head->texts / 4 || head->dead_ids > head->ids / 4 || dead > head->people / 4;
}

void directory_tidy(bool at_once)
{
    struct directory_head *head = parts.head;
    if (head->people == 0 || !(at_once || is_untidy())) {
        return;
    }
    uint32_t *new_numbers = malloc(head->people * sizeof *new_numbers);
    invariant(new_numbers != NULL);
    begin_change();
    head->layout++;
    close_gaps(new_numbers);
    for (uint32_t slot = 0; slot < head->slots; slot++) {
        uint32_t entry = directory_get(&parts.slots[slot]);
        if (entry != 0) {
            directory_set(&parts.slots[slot], new_numbers[entry - 1] + 1);
        }
    }
    for (uint32_t i = 0; head->is_ordered && i < head->living; i++) {
        directory_set(&parts.order[i], new_numbers[directory_get(&parts.order[i])]);
    }
    free(new_numbers);
}

/* ---- Figures ---- */

void directory_figures(struct directory_figures *figures_r)
{
    *figures_r = (struct directory_figures){.state = DIRECTORY_EMPTY};
    if (parts.head == NULL) {
        return;
    }
    const struct directory_head *head = parts.head;
    *figures_r = (struct directory_figures){
        .state = directory_state(),
        .users = head->living,
        .bytes = (int64_t)(sizeof *head + (sizeof *parts.people + sizeof *parts.order) * head->people +
                           sizeof *parts.slots * head->slots + head->texts + head->ids),
        .bytes_max = (int64_t)parts.bytes,
        .losses = atomic_load(&head->losses),
        .loaded_at = head->progress.loaded_at,
        .load_microseconds = head->progress.load_microseconds,
    };
}
