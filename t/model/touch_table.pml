/* touch_table.pml: the protocol of src/store/touch_table.c and touch_store.c, for spin(1).
 *
 *     spin -a touch_table.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m100000
 *
 * One row in MariaDB, which the identity table may keep under its version word; one bucket of two slots. WORKERS note
 * times, and may die while they fill a slot; the housekeeper may die at any step, and another one follows. Readers look
 * first into the touch table, then at what is kept, or at the row. What is asserted: no reader gets an earlier time than
 * was noted, or than any reader got, before it began; and in the end the row has the latest time that was noted.
 * last_active_interval is 1: a time is replaced by any later one. A list looks into the touch table only behind its row;
 * for it slots stay WRITTEN until the next round, which this does not model, since it goes by the clock.
 * Steps between which another process may run are the statements of this text; each of them is one atomic operation of
 * the program, or a copy that counts only if the word is the same behind it. */

#define WORKERS 2
#ifndef READERS
#define READERS 1
#endif
#define SLOTS 2
#ifndef DEATHS
#define DEATHS 1 /* of housekeepers */
#endif

mtype = {FREE, FILLING, WAITING, WRITTEN};

mtype state[SLOTS] = FREE;
byte at[SLOTS];      /* the time; while it is filled: the worker */
byte version[SLOTS]; /* together they are the slot's word */

byte row = 0;   /* the time in MariaDB */
byte known = 0; /* the latest time that was noted, or that a reader got */
byte noted = 0; /* the latest time that was noted */
byte over = 0;  /* workers that have ended, be it well or not */

byte word = 0; /* of the identity table */
bool entry_is_there = false;
byte entry_value, entry_word;

inline know(time)
{
    if :: time > known -> known = time :: else fi
}

/* Each notes one time: the first one 2, the other one 1. */
active [WORKERS] proctype worker()
{
    byte me = _pid, time = (_pid == 0 -> 2 : 1), slot, seen_at, seen_version;
    mtype seen;
again:
    slot = 0;
    do
    :: atomic { slot < SLOTS ->
           seen = state[slot];
           seen_at = at[slot];
           seen_version = version[slot];
           if
           :: seen == WAITING && seen_at >= time -> goto is_noted
           :: (seen == WAITING && seen_at < time) || seen == WRITTEN -> skip
           :: else -> slot++; goto next
           fi };
       atomic {
           if /* compare-and-swap */
           :: state[slot] == seen && at[slot] == seen_at && version[slot] == seen_version ->
              state[slot] = WAITING;
              at[slot] = (seen_at >= time -> seen_at : time);
              goto is_noted
           :: else -> slot++
           fi };
next:
       skip
    :: slot == SLOTS -> break
    od;
    atomic { slot = 0; seen = FREE; seen_at = 0; seen_version = 0 };
    do
    :: atomic { slot < SLOTS ->
           if
           :: state[slot] == FREE -> state[slot] = FILLING; at[slot] = me; version[slot]++; goto fill
           :: else -> slot++
           fi }
    :: slot == SLOTS -> goto again /* the program writes the row itself */
    od;
fill:
    if
    :: atomic { state[slot] = WAITING; at[slot] = time }
    :: goto die
    fi;
is_noted:
    atomic {
        slot = 0; seen = FREE; seen_at = 0; seen_version = 0;
        if :: time > noted -> noted = time :: else fi;
        know(time);
        goto done
    };
die: /* the master takes back what it was filling */
    atomic { if :: state[slot] == FILLING && at[slot] == me -> state[slot] = FREE; at[slot] = 0 :: else fi; slot = 0 };
done:
    over++
}

/* One after another; the last one goes on until all workers are gone, and then once more. */
active proctype housekeeper()
{
    byte deaths = 0, slot, latest, last_rounds = 0;
    mtype seen[SLOTS];
    byte seen_at[SLOTS], seen_version[SLOTS];
begin:
    do
    :: last_rounds == 2 -> break
    :: last_rounds < 2 ->
        if :: over == WORKERS -> last_rounds++ :: else fi;
        atomic { latest = 0; slot = 0 };
        do
        :: atomic { slot < SLOTS ->
               seen[slot] = state[slot];
               seen_at[slot] = at[slot];
               seen_version[slot] = version[slot];
               if
               :: seen[slot] == WRITTEN -> skip
               :: seen[slot] == WAITING -> latest = (seen_at[slot] > latest -> seen_at[slot] : latest); slot++; goto taken
               :: else -> seen[slot] = FREE; seen_at[slot] = 0; seen_version[slot] = 0; slot++; goto taken
               fi };
           atomic {
               if
               :: state[slot] == WRITTEN && at[slot] == seen_at[slot] && version[slot] == seen_version[slot] ->
                  state[slot] = FREE
               :: else
               fi;
               seen[slot] = FREE; seen_at[slot] = 0; seen_version[slot] = 0;
               slot++ };
taken:
           skip
        :: slot == SLOTS -> break
        od;
        if :: deaths < DEATHS -> goto die :: skip fi;
        if
        :: latest > 0 ->
            atomic { if :: row < latest -> row = latest :: else fi }; /* UPDATE */
            if :: deaths < DEATHS -> goto die :: skip fi;
            word++; /* version_words_forget */
            if :: deaths < DEATHS -> goto die :: skip fi;
            slot = 0;
            do
            :: atomic { slot < SLOTS ->
                   if
                   :: seen[slot] == WAITING && state[slot] == WAITING && at[slot] == seen_at[slot] &&
                      version[slot] == seen_version[slot] -> state[slot] = WRITTEN
                   :: else
                   fi;
                   slot++ }
            :: slot == SLOTS -> break
            od;
            atomic {
                slot = 0; latest = 0; seen[0] = FREE; seen[1] = FREE;
                seen_at[0] = 0; seen_at[1] = 0; seen_version[0] = 0; seen_version[1] = 0 }
        :: else -> slot = 0
        fi
    od;
    assert(row >= noted);
    assert(state[0] != FILLING && state[1] != FILLING);
    goto gone;
die:
    atomic { deaths++; slot = 0; seen[0] = FREE; seen[1] = FREE; seen_at[0] = 0; seen_at[1] = 0;
             seen_version[0] = 0; seen_version[1] = 0; latest = 0; last_rounds = 0 };
    goto begin;
gone:
    skip
}

active [READERS] proctype reader()
{
    byte least, looked, slot, value, stamp;
    byte rounds = 0;
    do
    :: rounds < 2 ->
        atomic { rounds++; least = known };
        do
        :: atomic { slot < SLOTS ->
               if
               :: (state[slot] == WAITING || state[slot] == WRITTEN) && at[slot] > looked -> looked = at[slot]
               :: else
               fi;
               slot++ }
        :: slot == SLOTS -> break
        od;
        if
        :: atomic { entry_is_there && entry_word == word -> value = entry_value }
        :: atomic { !(entry_is_there && entry_word == word) -> skip };
            stamp = word;
            value = row; /* SELECT */
            atomic { entry_is_there = true; entry_value = value; entry_word = stamp }
        fi;
        /* touch_store_apply */
        atomic {
            if :: looked > value -> value = looked :: else fi;
            assert(value >= least);
            know(value);
            least = 0; looked = 0; slot = 0; value = 0; stamp = 0
        }
    :: else -> break
    od
}
