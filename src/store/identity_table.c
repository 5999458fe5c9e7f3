/* identity_table.c: see identity_table.h.
 *
 * Everything in the mapping is atomic, since any process may read while another writes. The memory is pages of a fixed
 * size, each with a lock, a list of its entries, and the entries one behind the other; a removed one leaves no gap, as
 * those behind it move. The hash of a name tells two pages in which it may be: so all pages fill evenly. */
#include "store/identity_table.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/table_hash.h"

enum {
    LINE_BYTES = 64,
    PAGE_BYTES = 8192,
    PAGE_ENTRIES = 32,
    PAGE_WORDS = 976, /* for entries */
    READ_ATTEMPTS = 4
};

/* The parts of an entry, each a word of eight bytes. */
enum {
    ENTRY_SUM,     /* of its stamp */
    ENTRY_AT,      /* of its stamp */
    ENTRY_PLACES,  /* of its words: 16 bits each, from the lowest on; the uppermost 16 are their count */
    ENTRY_LENGTHS, /* of name and value: 16 bits each; the uppermost 32 are the source */
    ENTRY_NAME     /* the name, then the value from the next word on */
};

struct page {
    _Alignas(LINE_BYTES) _Atomic uint64_t lock; /* its writer's pid in the upper half, a count in the lower: odd while
                                                 * it writes */
    _Atomic uint32_t tick;                      /* grows with each entry that is stored */
    _Atomic uint16_t count;                     /* of entries */
    _Atomic uint16_t words;                     /* that they take */
    _Atomic uint32_t tags[PAGE_ENTRIES];        /* of the hashes of their names; 0: no entry */
    _Atomic uint32_t used[PAGE_ENTRIES];        /* the tick of the last use */
    _Atomic uint16_t start[PAGE_ENTRIES];       /* in data */
    _Alignas(LINE_BYTES) _Atomic uint64_t data[PAGE_WORDS];
};

_Static_assert(sizeof(struct page) == PAGE_BYTES, "a page has its size");
_Static_assert(TABLE_ENTRY_BYTES / 8 + ENTRY_NAME + 1 <= PAGE_WORDS, "the largest entry has room in a page");

/* What all processes share, before the pages. */
struct head {
    _Alignas(LINE_BYTES) _Atomic uint64_t beat;   /* milliseconds; the lowest bits are the source */
    _Atomic uint32_t watch;                       /* enum table_watch */
    _Alignas(LINE_BYTES) _Atomic uint32_t fill[]; /* of each page: its words, and its entries in the upper half */
};

enum { SOURCE_BITS = 24 };

/* The same in all processes, but for the source. */
static struct {
    struct head *head; /* NULL: there is no table */
    struct page *pages;
    size_t page_count, mapped;
    uint32_t source;
} table;

static size_t words_for(size_t bytes)
{
    return (bytes + 7) / 8;
}

/* ---- Making it ---- */

static size_t round_up(size_t bytes, size_t step)
{
    return (bytes + step - 1) / step * step;
}

static void remove_table(void)
{
    if (table.head != NULL) {
        munmap(table.head, table.mapped);
    }
    table.head = NULL;
    version_words_remove();
}

bool identity_table_create(size_t bytes)
{
    remove_table();
    if (bytes == 0) {
        return true;
    }
    table_hash_init();
    if (!version_words_create(bytes)) {
        return false;
    }
    const size_t words_bytes = version_words_bytes(), left = bytes > words_bytes ? bytes - words_bytes : 0;
    table.page_count = left / PAGE_BYTES > 0 ? left / PAGE_BYTES : 1;
    const size_t head_bytes = round_up(sizeof *table.head + table.page_count * sizeof *table.head->fill, PAGE_BYTES);
    table.mapped = head_bytes + table.page_count * PAGE_BYTES;
    char *mapping = mmap(NULL, table.mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        version_words_remove();
        return false;
    }
    table.head = (struct head *)(void *)mapping;
    table.pages = (struct page *)(void *)(mapping + head_bytes);
    return true;
}

bool identity_table_exists(void)
{
    return table.head != NULL;
}

void identity_table_set_source(uint32_t source)
{
    table.source = source;
}

/* ---- Finding entries ---- */

/* Where an entry is, or may be. */
struct place {
    struct page *page[2];
    uint32_t tag;
};

static struct page *page_of(uint32_t bits)
{
    return &table.pages[(bits * (uint64_t)table.page_count) >> 32];
}

static struct place place_of(const struct table_key *key)
{
    const uint64_t hash = table_hash(key->name);
    const uint32_t tag = (uint32_t)(hash >> 32) ^ table.source;
    return (struct place){
        {page_of((uint32_t)hash), page_of((uint32_t)((hash * UINT64_C(0xd6e8feb86659fd93)) >> 32))},
        tag != 0 ? tag : 1,
    };
}

static uint64_t get64(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static uint16_t get16(const _Atomic uint16_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void set64(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static void set32(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static void set16(_Atomic uint16_t *word, size_t value)
{
    atomic_store_explicit(word, (uint16_t)value, memory_order_relaxed);
}

static size_t entry_words(size_t name_length, size_t value_length)
{
    return ENTRY_NAME + words_for(name_length) + words_for(value_length);
}

static uint64_t pack_lengths(size_t name_length, size_t value_length)
{
    return (uint64_t)table.source << 32 | (uint64_t)value_length << 16 | name_length;
}

static size_t name_length_of(uint64_t lengths)
{
    return lengths & UINT16_MAX;
}

static size_t value_length_of(uint64_t lengths)
{
    return (lengths >> 16) & UINT16_MAX;
}

static uint64_t pack_places(struct version_places places)
{
    uint64_t packed = (uint64_t)places.count << 48;
    for (size_t i = 0; i < places.count; i++) {
        packed |= (uint64_t)places.place[i] << (16 * i);
    }
    return packed;
}

static struct version_places unpack_places(uint64_t packed)
{
    const uint16_t count = (uint16_t)(packed >> 48);
    struct version_places places = {.count = count <= VERSION_NAMES_MAX ? count : 0};
    for (size_t i = 0; i < VERSION_NAMES_MAX; i++) {
        places.place[i] = (uint16_t)(packed >> (16 * i));
    }
    return places;
}

static bool is_same(const _Atomic uint64_t *stored, struct text name)
{
    for (size_t at = 0; at < name.length; at += 8) {
        uint64_t part = 0;
        memcpy(&part, name.data + at, name.length - at < 8 ? name.length - at : 8);
        if (get64(stored++) != part) {
            return false;
        }
    }
    return true;
}

struct found {
    size_t number;
    const _Atomic uint64_t *entry; /* in the page's data; NULL: nothing was found */
    size_t value_length;
};

/* The entry with this name in a page. While another process writes, anything may be found, but it lies within the page.
 */
static struct found find_entry(const struct page *page, uint32_t tag, struct text name)
{
    for (size_t i = 0; i < PAGE_ENTRIES; i++) {
        if (get32(&page->tags[i]) != tag) {
            continue;
        }
        const size_t start = get16(&page->start[i]);
        const _Atomic uint64_t *entry = &page->data[start];
        if (start + ENTRY_NAME > PAGE_WORDS) {
            continue;
        }
        const uint64_t lengths = get64(&entry[ENTRY_LENGTHS]);
        const size_t value_length = value_length_of(lengths);
        if (lengths == pack_lengths(name.length, value_length) &&
            start + entry_words(name.length, value_length) <= PAGE_WORDS && is_same(&entry[ENTRY_NAME], name)) {
            return (struct found){i, entry, value_length};
        }
    }
    return (struct found){0, NULL, 0};
}

/* ---- Reading ---- */

struct table_stamp identity_table_stamp(const struct table_key *key)
{
    struct table_stamp stamp = {.may_store = false};
    if (table.head != NULL) {
        const struct version_places places = version_words_places(key->concerns, VERSION_NAMES_MAX);
        stamp.at = clock_monotonic_microseconds();
        stamp.sum = version_words_sum(places);
        stamp.may_store = !version_words_are_held(places);
    }
    return stamp;
}

/* A write raises its word once. Nobody was writing at the stamp, so whoever wrote meanwhile has raised it once more. */
struct table_stamp identity_table_stamp_after(const struct table_key *key, const struct table_stamp *before,
                                              struct text name)
{
    struct table_stamp after = *before;
    const struct version_places places = version_words_places(key->concerns, VERSION_NAMES_MAX);
    const struct version_places written = version_words_places(&name, 1);
    for (size_t i = 0; i < places.count; i++) {
        after.sum += places.place[i] == written.place[0];
    }
    return after;
}

/* Whole words: `to` has room for them. */
static void copy_out(char *to, const _Atomic uint64_t *from, size_t length)
{
    for (size_t at = 0; at < length; at += 8) {
        const uint64_t part = get64(from++);
        memcpy(to + at, &part, 8);
    }
}

static void note_use(struct page *page, size_t number)
{
    const uint32_t tick = get32(&page->tick);
    if (get32(&page->used[number]) != tick) {
        set32(&page->used[number], tick);
    }
}

enum reading { READING_FOUND, READING_NOTHING, READING_DISTURBED };

/* Copies the entry with this name, and then looks whether the page was the same all the time. */
static enum reading read_page(struct page *page, uint32_t tag, struct text name, int64_t before, struct arena *arena,
                              struct text *value_r)
{
    const uint64_t lock = atomic_load_explicit(&page->lock, memory_order_acquire);
    if (lock % 2 != 0) {
        return READING_DISTURBED;
    }
    const struct found found = find_entry(page, tag, name);
    if (found.entry == NULL) {
        return READING_NOTHING;
    }
    const struct version_places places = unpack_places(get64(&found.entry[ENTRY_PLACES]));
    const uint64_t sum = get64(&found.entry[ENTRY_SUM]);
    const bool is_young = (int64_t)get64(&found.entry[ENTRY_AT]) > before;
    if (is_young) {
        char *value = arena_alloc(arena, words_for(found.value_length + 1) * 8);
        copy_out(value, &found.entry[ENTRY_NAME + words_for(name.length)], found.value_length);
        value[found.value_length] = '\0';
        *value_r = (struct text){value, found.value_length};
    }
    atomic_thread_fence(memory_order_acquire);
    if (get64(&page->lock) != lock) {
        return READING_DISTURBED;
    }
    if (!is_young || version_words_sum(places) != sum) {
        return READING_NOTHING;
    }
    note_use(page, found.number);
    return READING_FOUND;
}

struct text identity_table_get(const struct table_key *key, int64_t before, struct arena *arena)
{
    struct text value = TEXT_NULL;
    if (table.head == NULL || key->name.length == 0) {
        return TEXT_NULL;
    }
    const struct place place = place_of(key);
    for (size_t i = 0; i < 2; i++) {
        enum reading reading = READING_DISTURBED;
        for (int attempt = 0; reading == READING_DISTURBED && attempt < READ_ATTEMPTS; attempt++) {
            reading = read_page(place.page[i], place.tag, key->name, before, arena, &value);
        }
        if (reading == READING_FOUND) {
            return value;
        }
    }
    return TEXT_NULL;
}

/* ---- Storing ---- */

static uint32_t age_of(const struct page *page, size_t number)
{
    return get32(&page->tick) - get32(&page->used[number]);
}

static uint32_t greatest_age(const struct page *page)
{
    uint32_t greatest = 0;
    for (size_t i = 0; i < get16(&page->count) && i < PAGE_ENTRIES; i++) {
        const uint32_t age = age_of(page, i);
        greatest = age > greatest ? age : greatest;
    }
    return greatest;
}

static bool has_room(const struct page *page, size_t words)
{
    return get16(&page->count) < PAGE_ENTRIES && get16(&page->words) + words <= PAGE_WORDS;
}

/* The page in which the name is already, or else the emptier one, or else the one with the entry that was used longest
 * ago. It is only looked at: another process may change it meanwhile. */
static struct page *choose_page(const struct place *place, struct text name, size_t words)
{
    struct page *first = place->page[0], *second = place->page[1];
    if (find_entry(first, place->tag, name).entry != NULL) {
        return first;
    }
    if (find_entry(second, place->tag, name).entry != NULL) {
        return second;
    }
    if (has_room(first, words) || has_room(second, words)) {
        return get16(&first->words) <= get16(&second->words) && has_room(first, words) ? first
               : has_room(second, words)                                               ? second
                                                                                       : first;
    }
    return greatest_age(first) >= greatest_age(second) ? first : second;
}

/* True where this process may change the page now. *lock_r: its lock then. *is_left_r: the process that was changing it
 * has died. */
static bool take_lock(struct page *page, uint64_t *lock_r, bool *is_left_r)
{
    uint64_t lock = get64(&page->lock);
    const pid_t own = getpid(), writer = (pid_t)(lock >> 32);
    *is_left_r = lock % 2 != 0;
    if (*is_left_r && (writer == own || kill(writer, 0) == 0 || errno != ESRCH)) {
        return false;
    }
    *lock_r = (uint64_t)(uint32_t)own << 32 | (uint32_t)((uint32_t)lock + 1 + *is_left_r);
    return atomic_compare_exchange_strong(&page->lock, &lock, *lock_r);
}

static void let_go(struct page *page, uint64_t lock)
{
    set32(&table.head->fill[page - table.pages], (uint32_t)get16(&page->count) << 16 | get16(&page->words));
    atomic_store_explicit(&page->lock, (lock & ~(uint64_t)UINT32_MAX) | (uint32_t)((uint32_t)lock + 1),
                          memory_order_release);
}

static void empty_page(struct page *page)
{
    for (size_t i = 0; i < PAGE_ENTRIES; i++) {
        set32(&page->tags[i], 0);
    }
    set16(&page->count, 0);
    set16(&page->words, 0);
}

static size_t words_at(const struct page *page, size_t start)
{
    const uint64_t lengths = get64(&page->data[start + ENTRY_LENGTHS]);
    return entry_words(name_length_of(lengths), value_length_of(lengths));
}

/* Removes an entry; those behind it move. */
static void remove_entry(struct page *page, size_t number)
{
    const size_t count = get16(&page->count), total = get16(&page->words);
    const size_t start = get16(&page->start[number]);
    const size_t words = words_at(page, start);
    for (size_t at = start; at + words < total; at++) {
        set64(&page->data[at], get64(&page->data[at + words]));
    }
    for (size_t i = number; i + 1 < count; i++) {
        set32(&page->tags[i], get32(&page->tags[i + 1]));
        set32(&page->used[i], get32(&page->used[i + 1]));
        set16(&page->start[i], get16(&page->start[i + 1]) - words);
    }
    set32(&page->tags[count - 1], 0);
    set16(&page->count, count - 1);
    set16(&page->words, total - words);
}

static bool counts(const struct page *page, size_t number)
{
    const size_t start = get16(&page->start[number]);
    return version_words_sum(unpack_places(get64(&page->data[start + ENTRY_PLACES]))) ==
           get64(&page->data[start + ENTRY_SUM]);
}

/* The entry to replace: one that does not count any more, or else the one that was used longest ago. */
static size_t choose_victim(const struct page *page)
{
    size_t oldest = 0;
    for (size_t i = 0; i < get16(&page->count); i++) {
        if (!counts(page, i)) {
            return i;
        }
        oldest = age_of(page, i) > age_of(page, oldest) ? i : oldest;
    }
    return oldest;
}

static void copy_in(_Atomic uint64_t *to, struct text from)
{
    for (size_t at = 0; at < from.length; at += 8) {
        uint64_t part = 0;
        memcpy(&part, from.data + at, from.length - at < 8 ? from.length - at : 8);
        set64(to++, part);
    }
}

/* Adds an entry behind the others, for which there is room. */
static void add_entry(struct page *page, uint32_t tag, const struct table_key *key, const struct table_stamp *stamp,
                      struct text value)
{
    const size_t number = get16(&page->count), start = get16(&page->words);
    const uint32_t tick = get32(&page->tick) + 1;
    _Atomic uint64_t *entry = &page->data[start];
    set64(&entry[ENTRY_SUM], stamp->sum);
    set64(&entry[ENTRY_AT], (uint64_t)stamp->at);
    set64(&entry[ENTRY_PLACES], pack_places(version_words_places(key->concerns, VERSION_NAMES_MAX)));
    set64(&entry[ENTRY_LENGTHS], pack_lengths(key->name.length, value.length));
    copy_in(&entry[ENTRY_NAME], key->name);
    copy_in(&entry[ENTRY_NAME + words_for(key->name.length)], value);
    set32(&page->tick, tick);
    set32(&page->used[number], tick);
    set16(&page->start[number], start);
    set32(&page->tags[number], tag);
    set16(&page->count, number + 1);
    set16(&page->words, start + entry_words(key->name.length, value.length));
}

void identity_table_put(const struct table_key *key, const struct table_stamp *stamp, struct text value)
{
    if (table.head == NULL || !stamp->may_store || key->name.length == 0 ||
        key->name.length + value.length > TABLE_ENTRY_BYTES) {
        return;
    }
    const struct place place = place_of(key);
    const size_t words = entry_words(key->name.length, value.length);
    struct page *page = choose_page(&place, key->name, words);
    uint64_t lock;
    bool is_left;
    if (!take_lock(page, &lock, &is_left)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    if (is_left) {
        empty_page(page);
    }
    const struct found old = find_entry(page, place.tag, key->name);
    if (old.entry != NULL) {
        remove_entry(page, old.number);
    }
    while (!has_room(page, words)) {
        remove_entry(page, choose_victim(page));
    }
    add_entry(page, place.tag, key, stamp, value);
    let_go(page, lock);
}

/* ---- The watcher ---- */

/* It gives a sign of life every tenth of a second. */
enum { WATCHED_MICROSECONDS = 1000000 };

void identity_table_set_watch(enum table_watch watch)
{
    if (table.head != NULL) {
        set32(&table.head->watch, watch);
    }
}

enum table_watch identity_table_watch(void)
{
    return table.head != NULL ? (enum table_watch)get32(&table.head->watch) : TABLE_UNWATCHED;
}

static uint64_t pack_beat(int64_t moment)
{
    return (uint64_t)(moment / 1000) << SOURCE_BITS | (table.source & ((1u << SOURCE_BITS) - 1));
}

void identity_table_beat(int64_t moment)
{
    if (table.head != NULL) {
        atomic_store_explicit(&table.head->beat, pack_beat(moment), memory_order_release);
    }
}

bool identity_table_is_watched(int64_t now)
{
    if (table.head == NULL) {
        return false;
    }
    const uint64_t beat = atomic_load_explicit(&table.head->beat, memory_order_acquire);
    const int64_t moment = (int64_t)(beat >> SOURCE_BITS) * 1000;
    return beat != 0 && beat == pack_beat(moment) && now - moment < WATCHED_MICROSECONDS;
}

/* ---- Figures ---- */

void identity_table_figures(struct table_figures *figures_r)
{
    *figures_r = (struct table_figures){.size = 0};
    if (table.head == NULL) {
        return;
    }
    figures_r->size = (int64_t)table.page_count * PAGE_WORDS * 8;
    for (size_t i = 0; i < table.page_count; i++) {
        const uint32_t fill = get32(&table.head->fill[i]);
        figures_r->entries += fill >> 16;
        figures_r->bytes += (fill & UINT16_MAX) * 8;
    }
    version_words_count(&figures_r->writing, &figures_r->orphans);
}
