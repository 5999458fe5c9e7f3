/* identity_table.h: what the workers of a host know of people and sessions, in memory that they share.
 *
 * Entries count by the rules of version_words.h: a reader never gets a state that is older than a finished write, or
 * than what another reader already got. Nobody waits for anybody: a page of entries is read under a sequence lock, and
 * one that is just being changed gives nothing. When a page is full, the entries go that were used longest ago. */
#ifndef ROSTER_STORE_IDENTITY_TABLE_H
#define ROSTER_STORE_IDENTITY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "store/version_words.h"

/* The largest value in bytes, together with its name. */
enum { TABLE_ENTRY_BYTES = 7680 };

/* What an entry is found by, and whom it concerns: names whose writes make it count no more. */
struct table_key {
    struct text name;
    struct text concerns[VERSION_NAMES_MAX]; /* the null text: nobody else */
};

/* The words of a key, at one moment. */
struct table_stamp {
    uint64_t sum;
    int64_t at;     /* monotonic microseconds */
    bool may_store; /* nobody held any of them */
};

/* Maps the table, shared and empty, and its version words. `bytes` is what all of it may take, about; 0: there is none,
 * and all that follows does nothing. Called by the master before the first fork. False where there is no memory. */
bool identity_table_create(size_t bytes);

/* True where there is a table. */
bool identity_table_exists(void);

/* Where this process reads from: a number for its database and its Redis. A reload may give new workers others, and
 * they must not get what the old ones store. */
void identity_table_set_source(uint32_t source);

/* The words of a key now. Taken before the rows are asked for. */
struct table_stamp identity_table_stamp(const struct table_key *key);

/* The stamp of what this process has written itself, where that write concerned `name` alone, and `before` was taken
 * before the write. It counts where nobody else wrote meanwhile. */
struct table_stamp identity_table_stamp_after(const struct table_key *key, const struct table_stamp *before,
                                              struct text name);

/* Stores `value` under a stamp that was taken before it was read. Nothing happens where the stamp does not allow it,
 * where the value is too large, or another process is writing in the same page. */
void identity_table_put(const struct table_key *key, const struct table_stamp *stamp, struct text value);

/* The value of a key, with a NUL behind it, in the arena. The null text: there is none that counts, or its stamp was
 * taken at `before` (monotonic microseconds) or earlier. */
struct text identity_table_get(const struct table_key *key, int64_t before, struct arena *arena);

/* ---- The watcher ---- */

/* What the watcher says. Without a beat nobody uses the table. */
enum table_watch {
    TABLE_UNWATCHED,        /* there was no watcher yet */
    TABLE_WATCHED,          /* it follows what other programs change */
    TABLE_WITHOUT_REDIS,    /* it can't, as Redis is away */
    TABLE_WITHOUT_DATABASE, /* it does not know yet who else writes to the database */
    TABLE_SHARED            /* others write to the same database */
};
void identity_table_set_watch(enum table_watch watch);
enum table_watch identity_table_watch(void);

/* The watcher has seen every change by other programs that was made before `moment` (monotonic microseconds). */
void identity_table_beat(int64_t moment);

/* True where the last beat of a watcher of the same source is younger than a second. */
bool identity_table_is_watched(int64_t now);

/* ---- Figures ---- */

struct table_figures {
    int64_t entries, bytes;   /* that are stored, whether they count or not */
    int64_t size;             /* for how many bytes there is room */
    int64_t writing, orphans; /* processes that write now; writes of processes that are gone */
};

void identity_table_figures(struct table_figures *figures_r);

#endif
