/* version_words.h: which rows are being changed, told by all processes of the service to each other in shared memory.
 *
 * What was read from MariaDB may be kept and used again until somebody changes it. How that is known:
 * - a name (a user's id, a token's jti, a name below) has a word in an array; names may share a word, which only makes
 *   more be forgotten
 * - a process that is about to change rows records the words of their names as held, and then raises them; after its
 *   commit or rollback it lets them go
 * - who reads rows takes a stamp before: the sum of the words, then whether anybody holds one of them; under a stamp
 *   with a held word nothing is kept
 * - what was kept counts only while the sum of its words is that of its stamp. Words only grow, so equal sums are equal
 *   words.
 * So what was read before a write began is not used once it has begun, and what is read while it runs is not kept. One
 * more word stands for everything: it is part of each sum. It is raised by writes that concern many people, or that
 * don't say whom they concern.
 *
 * A process that dies inside a write, or whose connection breaks, leaves its words held, as an orphan, until MariaDB is
 * known to have given the connection up: a COMMIT that was sent may still be carried out.
 *
 * The proof is t/model/identity_table.pml. */
#ifndef ROSTER_STORE_VERSION_WORDS_H
#define ROSTER_STORE_VERSION_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

/* Names that are no id: what is made of all groups and memberships, of the settings, and of the addresses of others. */
#define VERSION_GROUPS TEXT("\001groups")
#define VERSION_SETTINGS TEXT("\001settings")
#define VERSION_ADDRESSES TEXT("\001addresses")

enum { VERSION_NAMES_MAX = 3 };

/* Where the words of some names are. */
struct version_places {
    uint16_t place[VERSION_NAMES_MAX];
    uint16_t count;
};

/* Maps the words, shared by all processes that are forked later. `bytes`: of the table that is kept by them, from which
 * the number of words follows. False where there is no memory. */
bool version_words_create(size_t bytes);

/* Takes them away again, as if there had been none. */
void version_words_remove(void);

/* How many bytes they take. */
size_t version_words_bytes(void);

/* True where there are words. Where there are none, all that follows does nothing, and nothing is held. */
bool version_words_exist(void);

/* The places of at most VERSION_NAMES_MAX names. The null text is passed over. */
struct version_places version_words_places(const struct text *names, size_t count);

/* The sum of these words and of that for everything. */
uint64_t version_words_sum(struct version_places places);

/* True where a process or an orphan holds one of these words, or everything. For a stamp it is asked after the sum. */
bool version_words_are_held(struct version_places places);

/* ---- Writing ---- */

/* Begins a write of rows that concern these names; `count` 0, or more than can be recorded: everything. `connection` is
 * MariaDB's number of the connection that will write. Not nested. */
void version_words_begin(const struct text *names, size_t count, uint64_t connection);

/* The write concerns these names, too; to be called before its commit. It begins where none is under way. */
void version_words_more(const struct text *names, size_t count, uint64_t connection);

/* The write goes over another connection from here on. Nothing happens where none is under way. */
void version_words_over(uint64_t connection);

/* Ends it. `is_known` false: whether the server has carried it out is not known, as the connection broke. */
void version_words_end(bool is_known);

/* True between the two. */
bool version_words_is_writing(void);

/* Holds everything for a process that has no part in this (rosterctl), until its connection is released. It is called
 * before that process writes. */
void version_words_hold(uint64_t connection);

/* What was kept of everything, or of this name, does not count any more: another program changed it. */
void version_words_forget_all(void);
void version_words_forget(struct text name);

/* ---- Processes that died ---- */

/* A process is gone: what it was writing stays held as an orphan. Called by the master, before the pid can be that of
 * another process. */
void version_words_reap(pid_t pid);

struct version_orphan {
    uint64_t connection;
    int64_t since;   /* monotonic microseconds: when its write began */
    uint64_t ticket; /* not 0: it stands for all connections up to this number: see version_words_release */
};

/* The writes of processes that are gone, at most `max`; gives their number. */
size_t version_words_orphans(struct version_orphan *orphans_r, size_t max);

/* The server has given up the connection of this orphan, or with a ticket all connections up to its number: it is let
 * go. */
void version_words_release(const struct version_orphan *orphan);

/* How many processes write now, and how many orphans there are. */
void version_words_count(int64_t *writing_r, int64_t *orphans_r);

#endif
