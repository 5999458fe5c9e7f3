/* touch_table.h: who was here, and when, in memory that the processes of a host share, until MariaDB has it.
 *
 * A worker notes the time of a user, a session or an API key; the housekeeper (worker/housekeeper.h) writes what was
 * noted, all at once, once a second. What is noted counts from there on: whoever shows one of these times shows what
 * the row is going to say (store/touch_store.h).
 *
 * Each slot has a word with its state, its time, and a version that grows with each name that the slot gets. Whoever
 * changes a slot does so by a compare-and-swap of its word, so nobody waits for anybody:
 *
 *     FREE     a worker takes it                    FILLING
 *     FILLING  with the pid of that worker          WAITING; FREE again if the worker dies (touch_table_reap)
 *     WAITING  the time counts                      WAITING with a later time; WRITTEN when MariaDB has this time
 *     WRITTEN  it still counts                      FREE after a second; WAITING again
 *
 * A time is replaced by one that is later by `interval' (touch_store_interval) or more, and by no other; as a row's is.
 *
 * Only the housekeeper makes a slot WRITTEN or FREE, and only where its word is the one under which it has read it: so
 * a time that is noted meanwhile stays. If the housekeeper dies, whatever it was writing is WAITING, and the next one
 * writes it again, which changes nothing. A slot stays WRITTEN for a second for those who have read the row before it
 * was written, and look here only now.
 *
 * The proof is t/model/touch_table.pml. */
#ifndef ROSTER_STORE_TOUCH_TABLE_H
#define ROSTER_STORE_TOUCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/text.h"

/* The longest id, in bytes. Longer ones are not noted. */
enum { TOUCH_ID_BYTES = 64 };

enum touch_kind { TOUCH_KEY, TOUCH_SESSION, TOUCH_USER, TOUCH_KINDS };

/* Maps the table, shared and empty. Called by the master before the first fork. False where there is no memory. */
bool touch_table_create(void);

/* True where there is a table. Where there is none, nothing is noted, and nothing found. */
bool touch_table_exists(void);

/* Which database this process reads from and writes to. A reload may give new workers another one: what the old ones
 * note is not for it. */
void touch_table_set_source(uint32_t source);

/* ---- Workers ---- */

/* What is to be noted. */
struct touch {
    enum touch_kind kind;
    struct text id;       /* of the row */
    struct text concerns; /* the name that the identity table knows the row by: version_words.h */
    int64_t at;           /* epoch seconds */
};

/* Notes a time; one that is noted already, and newer than `at` - `interval`, stays, and is written again. False: it has
 * to be written by the caller, as nobody would write it soon (there is no housekeeper, or none that is alive, of this
 * source), there is no room, or the id is too long. */
bool touch_table_note(const struct touch *touch, int64_t interval);

/* The time that is noted; -1: none. */
int64_t touch_table_look(enum touch_kind kind, struct text id);

/* ---- The housekeeper ---- */

/* A sign of life, without which workers note nothing. */
void touch_table_beat(void);

/* There is no housekeeper from here on. */
void touch_table_leave(void);

/* A touch that waits to be written, and where it was found. */
struct waiting_touch {
    struct touch touch;
    uint32_t slot;
    uint64_t word;
};

/* Begins a round: what was written in the round before is taken out. *waiting_r: all that waits, in the arena, in the
 * order of `kind`, then of the ids, the latest first. Gives their number. */
size_t touch_table_take(struct arena *arena, struct waiting_touch **waiting_r);

/* MariaDB has it. */
void touch_table_written(const struct waiting_touch *waiting);

/* ---- The master ---- */

/* A process is gone: the slot that it was filling is free. Called before the pid can be that of another process. */
void touch_table_reap(pid_t pid);

/* ---- Figures ---- */

/* Counted since the start of the service. */
struct touch_figures {
    bool is_attended; /* there is a housekeeper that is alive */
    int64_t waiting;  /* now */
    int64_t noted, written;
    int64_t direct;     /* that workers had to write themselves */
    int64_t statements; /* of the housekeeper: touch_table_count_statement */
};

void touch_table_figures(struct touch_figures *figures_r);

void touch_table_count_statement(void);

#endif
