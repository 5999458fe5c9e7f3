/* identity_table.pml: the protocol of src/store/version_words.c and identity_table.c, for spin(1).
 *
 *     make model     (spin [-DALONE | -DREDIS] -a identity_table.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan)
 *
 * Two writers: 24,844,009 states, depth 92, 34 s of a core; ALONE: 860,540, depth 99, 1 s; REDIS: 5.1 million, 6 s.
 * Seen to fail, as they must: the words read after the row; holders not looked at; words raised before they are recorded;
 * a write that raises no word; what the dead held let go before the server gave their connection up (ALONE); a sign of
 * life before a revocation is heard of (REDIS).
 *
 * One row in MariaDB, whose value is the number of commits so far. WRITERS change it once each, and one may die at each
 * step, also behind a COMMIT that was sent and is still being carried out. READERS use the entry, or fill it. The watcher lets
 * go what dead writers held, and gives the sign of life without which nobody uses the entry. Another program, which
 * tells only Redis, revokes the row once; the watcher hears of it some time later.
 *
 * The entry concerns two names, as that of a session does (its jti, and its user): writer 0 changes both, the others the
 * first alone. So a writer holds and raises several words, one after the other, and a reader adds them up and looks at
 * holders one after the other.
 *
 * What is asserted: no reader gets a value older than a write that had ended, or than a value that any reader had got,
 * when it began; nor, from the entry, a row that was revoked before the moment for which the watcher answers.
 *
 * Steps between which another process may run are the statements of this text; each of them is one atomic operation of
 * the program, and those are sequentially consistent there. */

#define WRITERS 2
#define READERS 2
#define WORDS 2
/* How many of the writers run, and how often a reader reads: three runs, since all at once are too many states. */
#ifdef REDIS
#define RUNNING 1
#define FIRST_ROUND 1
#else
#ifdef ALONE
#define RUNNING 1
#define FIRST_ROUND 0
#else
#define RUNNING 2
#define FIRST_ROUND 1
#endif
#endif

byte row = 0;   /* what is committed */
byte known = 0; /* the newest value of a write that has ended, or that a reader got */

byte word[WORDS];
/* Each writer's record, its orphan's too: bit N: word N is held. */
byte held[WRITERS];
bool dead[WRITERS];
bool connected[WRITERS]; /* the server has not given the connection up */

bool entry_is_there = true; /* filled before all of this */
byte entry_value = 0, entry_sum = 0;
bool entry_revoked = false; /* it was read after the other program had revoked it */

/* The server: a COMMIT that was sent is carried out at some time, even when the client is dead. */
bool commit_sent[WRITERS], commit_done[WRITERS];
bool lock_of_row = false; /* the transaction that changes the row holds it until it is committed or rolled back */

/* Another program and the watcher. `is_told` is what the entry's readers rely on: the watcher has given a sign of life
 * behind which each revocation was heard of. A worker that looks at an old one does not use the table, so `beats` is
 * what it sees at its look. */
bool revoked = false, heard = false;
bool beats = true;

/* Writer 0 alone dies: fewer states. */
#define die_here if :: me == 0 -> goto die :: skip fi

active [RUNNING] proctype writer()
{
    byte me = _pid;
    byte written = 0, stamp = 0;
    bool may_store = false;
    connected[me] = true;
    /* the stamp under which the writer may store what it writes itself: see identity_table_stamp_after */
    stamp = word[0];
    stamp = stamp + word[1];
    may_store = held[1 - me] == 0;
    /* version_words_begin: first all are recorded, then all are raised */
    held[me] = held[me] | 1;
    die_here;
    if :: me == 0 -> held[me] = held[me] | 2 :: else fi;
    word[0]++;
    die_here;
    if :: me == 0 -> word[1]++ :: else fi;
    atomic { !lock_of_row -> lock_of_row = true; written = row + 1 };
    if
    :: me == 0 -> lock_of_row = false; connected[me] = false; goto die /* dies before COMMIT: rolled back */
    :: skip
    fi;
    commit_sent[me] = true;
    die_here;
    commit_done[me]; /* the server's answer */
    die_here;
    /* version_words_end: they are let go one after the other */
    held[me] = held[me] & 2;
    if :: me == 0 -> die_here; held[me] = 0 :: else fi;
    if
    :: may_store -> atomic {
        entry_is_there = true; entry_value = written; entry_sum = stamp + 1 + (me == 0 -> 1 : 0);
        entry_revoked = true /* a document: nothing in it that Redis knows of */ }
    :: else
    fi;
    /* the client has its answer: the write has ended */
    atomic { if :: written > known -> known = written :: else fi };
    goto over;
die:
    dead[me] = true;
over:
    atomic { written = 0; stamp = 0; may_store = false } /* fewer states */
}

/* Carries the commits out. */
active proctype server()
{
end:
    do
    :: atomic { commit_sent[0] && !commit_done[0] -> row++; lock_of_row = false; commit_done[0] = true; connected[0] = !dead[0] }
    :: atomic { commit_sent[1] && !commit_done[1] -> row++; lock_of_row = false; commit_done[1] = true; connected[1] = !dead[1] }
    /* a client that died: its connection is given up once nothing of it is under way */
    :: atomic { dead[0] && connected[0] && (!commit_sent[0] || commit_done[0]) -> connected[0] = false }
    :: atomic { dead[1] && connected[1] && (!commit_sent[1] || commit_done[1]) -> connected[1] = false }
    od
}

/* Lets go what dead writers held, when their connections are gone, word by word; and tells of revocations. Its sign of
 * life for a moment comes after it has taken all messages that were sent before. It may stop at any time. */
active proctype watcher()
{
end:
    do
    :: atomic { dead[0] && !connected[0] && held[0] != 0 } -> held[0] = held[0] & 2; held[0] = 0
    :: atomic { dead[1] && !connected[1] && held[1] != 0 } -> held[1] = 0
#ifdef REDIS
    :: atomic { revoked && !heard } -> word[0]++; heard = true
    :: atomic { beats -> beats = false } /* too old now */
    :: atomic { !beats && (!revoked || heard) -> beats = true }
#endif
    od
}

#ifdef REDIS
active proctype other_program()
{
    revoked = true
}
#endif

active [READERS] proctype reader()
{
    byte least, stamp, value;
    bool may_store, was_heard, saw_revoked;
    byte rounds = FIRST_ROUND;
    do
    :: rounds < 2 ->
        rounds++;
        atomic { least = known; was_heard = heard };
        if
        :: beats ->
            /* the entry is copied out under its sequence lock; then its words are added up, one after the other */
            atomic { may_store = entry_is_there; value = entry_value; stamp = entry_sum; saw_revoked = entry_revoked };
            if
            :: may_store ->
                stamp = stamp - word[0];
                stamp = stamp - word[1];
                may_store = stamp == 0
            :: else
            fi
        :: may_store = false
        fi;
        if
        :: may_store -> assert(value >= least); assert(!was_heard || saw_revoked)
        :: else ->
            stamp = word[0];
            stamp = stamp + word[1];
            may_store = held[0] == 0;
            may_store = may_store && held[1] == 0;
            saw_revoked = revoked; /* Redis */
            value = row;           /* SELECT */
            assert(value >= least);
            if
            :: may_store -> atomic {
                entry_is_there = true; entry_value = value; entry_sum = stamp; entry_revoked = saw_revoked }
            :: else
            fi
        fi;
        atomic { if :: value > known -> known = value :: else fi;
            least = 0; stamp = 0; value = 0; may_store = false; was_heard = false; saw_revoked = false }
    :: else -> break
    od
}
