/* directory.h: who there is, in memory that all workers of a host share. Lists and searches count and find here; the
 * rows that are shown, and all that counts, are MariaDB's.
 *
 * Of each user it has the id, the name and the email address as text_fold makes them, and when the account was made.
 * The texts lie one behind the other, so a search reads memory in one go (base/byte_search.h). A changed user gets a
 * new entry at the end, and the old texts are overwritten. The users are also kept in the order of their creation.
 *
 * One process at a time changes it, under a lock. Readers take no lock: a version number is odd while something
 * changes, and a reader that sees another one afterwards looks again. A process that dies while it changes something
 * leaves the number odd: whoever gets the lock next empties the directory, so that it is loaded again.
 *
 * What is in it comes from store/directory_feed.h. */
#ifndef ROSTER_STORE_DIRECTORY_H
#define ROSTER_STORE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

/* The greatest length of an id in bytes: that of its column. */
enum { DIRECTORY_ID_MAX = 1020 };

/* Maps the memory, shared and empty. `bytes`: what it may take; it takes what is in it. 0: there is no directory, and
 * all that follows does nothing. Called by the master before the first fork; a second call empties it.
 * False where there is no memory. */
bool directory_create(size_t bytes);

/* True where there is memory for one. */
bool directory_exists(void);

enum directory_state {
    DIRECTORY_EMPTY,   /* nothing was loaded yet, or what was is gone */
    DIRECTORY_LOADING, /* only the feed knows how far it is */
    DIRECTORY_READY,   /* everybody is in it */
    DIRECTORY_FULL     /* it was too small for everybody */
};

/* The state now; DIRECTORY_EMPTY where there is no directory. */
enum directory_state directory_state(void);

/* ---- Changes: all of these only under the lock ---- */

/* Waits for the lock, at most so long. False: not in time, or there is no directory. */
bool directory_lock(int64_t microseconds);

/* What was changed under the lock counts from here on. */
void directory_unlock(void);

/* Sets the state. DIRECTORY_READY puts the users into their order first. */
void directory_set_state(enum directory_state state);

/* How far the feed is, in whatever process it goes on. Zero after directory_empty. Times are MariaDB's, in microseconds
 * since 1970, unless they are said to be monotonic. */
struct directory_progress {
    int64_t window_from;     /* what was changed since then is read again each time */
    int64_t read_at;         /* when that was done last */
    int64_t read_monotonic;  /* the same, just before */
    int64_t next_attempt;    /* monotonic; after a failure */
    int64_t next_count;      /* monotonic; of the comparison of numbers */
    int64_t next_wide;       /* monotonic; of the look for transactions that were open for long */
    int64_t next_comparison; /* monotonic; of all ids, at the earliest */
    int64_t pass_began;      /* monotonic; of what goes on in steps */
    int64_t pass_from;       /* what was changed since then is read by it */
    int64_t pass_moment;     /* what it has read to, by time */
    int64_t window_next;     /* window_from after it */
    uint32_t phase;          /* enum phase of directory_feed.c */
    uint32_t number;         /* of an entry */
    _Atomic bool is_doubted; /* somebody is in the directory who is in no table */
    bool is_asked;           /* since the last comparison of numbers */
    bool is_moving;          /* somebody was changed or deleted within the window */
    int64_t loaded_at;       /* in seconds since 1970 */
    int64_t load_microseconds;
    uint32_t cursor_length;
    char cursor[DIRECTORY_ID_MAX]; /* what it has read to, by id */
};
struct directory_progress *directory_progress(void);

struct directory_user {
    struct text id;
    struct text name, email; /* folded */
    int64_t created_at;
};

enum directory_change { DIRECTORY_SAME, DIRECTORY_CHANGED, DIRECTORY_NO_ROOM };

/* Adds a user, or changes one, and marks them. DIRECTORY_SAME: all of it was there. DIRECTORY_NO_ROOM: the user is not
 * in it, in whatever form. */
enum directory_change directory_put(const struct directory_user *user);

/* Removes a user and overwrites their texts. False: the id is not there. */
bool directory_remove(struct text id);

/* Takes the mark from each user. */
void directory_unmark(void);

/* Ids of users without a mark, from number *from on, at most `max`; they stay valid until the next change. *from
 * becomes where to go on. 0: there are no more. */
size_t directory_unmarked(uint32_t *from, struct text *ids_r, size_t max);

/* True once after a process died while it changed something, so that everybody was forgotten. */
bool directory_was_lost(void);

/* Forgets everybody and gives the memory back. The state is DIRECTORY_EMPTY then. */
void directory_empty(void);

/* Removes what changed users left behind, where that is a quarter of the whole, or `at_once`. It takes a tenth of a
 * second for a million users. */
void directory_tidy(bool at_once);

/* ---- Questions ---- */

struct directory_question {
    struct text query; /* folded; null or empty: everybody */
    bool by_creation;  /* a page is wanted, in the order of creation, and of ids where that is equal; else a filter */
    bool ascending;
    int64_t skip; /* users before the page */
    size_t page;  /* users on it, at most */
};

/* Who matches, for an order that only MariaDB knows. It counts while the entries keep their numbers. */
struct directory_filter {
    int64_t count;
    uint64_t layout;
    uint32_t people;   /* entries that it knows of */
    uint64_t *bits;    /* one for each of them */
    struct text query; /* what later entries must contain; the null text: they can't be told */
};

struct directory_answer {
    int64_t total;
    size_t count; /* of ids, those of the page */
    struct text *ids;
    struct directory_filter filter;
};

/* Answers a question from one state of the directory. Everything is in the arena.
 * False: the directory is not ready. */
bool directory_ask(struct arena *arena, const struct directory_question *question, struct directory_answer *answer_r);

/* Whether the user with this id matches. *matches_r is false for an id that is not there.
 * False: the filter counts no more; ask again. */
bool directory_filter_matches(const struct directory_filter *filter, struct text id, bool *matches_r);

/* The ids of all who match, filter->count of them, in no order. False as above. */
bool directory_filter_ids(struct arena *arena, const struct directory_filter *filter, struct text **ids_r);

/* Parts a filter by ids: those who are among them, and the others. False as above. */
bool directory_filter_part(struct arena *arena, const struct directory_filter *filter, const struct text *ids,
                           size_t id_count, struct directory_filter *among_r, struct directory_filter *others_r);

/* ---- Figures ---- */

struct directory_figures {
    enum directory_state state;
    int64_t users, bytes, bytes_max;
    int64_t losses;                       /* how often a process died while it changed something */
    int64_t loaded_at, load_microseconds; /* 0: not yet */
};

void directory_figures(struct directory_figures *figures_r);

#endif
