/* identity_table.pml: the protocol of src/store/identity_table.c, for spin(1).
 *
 *     spin -a identity_table.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan
 *
 * One row in MariaDB, whose value is the number of commits so far. WRITERS change it, and may die at any step, also
 * behind a COMMIT that was sent and is still being carried out. READERS use the entry, or fill it. What is asserted: no
 * reader gets a value older than a write that had ended, or than a value that any reader had got, when it began.
 * Steps between which another process may run are the statements of this text; each of them is one atomic operation of
 * the program, which are sequentially consistent there. */

#define WRITERS 2
#define READERS 2

byte row = 0;             /* what is committed */
byte known = 0;           /* the newest value of a write that has ended, or that a reader got */
byte word = 0;            /* the version word */
bool held[WRITERS];       /* each writer's record, its orphan's too */
bool dead[WRITERS];
bool connected[WRITERS];  /* the server has not given the connection up */

bool entry_is_there = false;
byte entry_value = 0, entry_word = 0;

/* The server: a COMMIT that was sent is carried out at some time, even when the client is dead. */
bool commit_sent[WRITERS], commit_done[WRITERS];
bool lock_of_row = false; /* the transaction that changes the row holds it until it is committed or rolled back */

active [WRITERS] proctype writer()
{
    byte me = _pid;
    byte written = 0, stamp;
    bool may_store;
    connected[me] = true;
    /* the stamp under which the writer may store what it writes itself: see identity_table_stamp_after */
    stamp = word;
    may_store = !held[1 - me];
    held[me] = true;
    if :: goto die :: skip fi;
    word++;
    if :: goto die :: skip fi;
    atomic { !lock_of_row -> lock_of_row = true; written = row + 1 };
    if
    :: lock_of_row = false; connected[me] = false; goto die /* dies before COMMIT: rolled back */
    :: skip
    fi;
    commit_sent[me] = true;
    if :: goto die :: skip fi;
    commit_done[me]; /* the server's answer */
    if :: goto die :: skip fi;
    held[me] = false;
    if
    :: may_store -> atomic { entry_is_there = true; entry_value = written; entry_word = stamp + 1 }
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
    byte i;
end:
    do
    :: atomic { commit_sent[0] && !commit_done[0] -> row++; lock_of_row = false; commit_done[0] = true; connected[0] = !dead[0] }
    :: atomic { commit_sent[1] && !commit_done[1] -> row++; lock_of_row = false; commit_done[1] = true; connected[1] = !dead[1] }
    /* a client that died: its connection is given up once nothing of it is under way */
    :: atomic { dead[0] && connected[0] && (!commit_sent[0] || commit_done[0]) -> connected[0] = false }
    :: atomic { dead[1] && connected[1] && (!commit_sent[1] || commit_done[1]) -> connected[1] = false }
    od
}

/* Lets go what dead writers held, when their connections are gone. */
active proctype watcher()
{
end:
    do
    :: atomic { dead[0] && !connected[0] && held[0] } -> held[0] = false
    :: atomic { dead[1] && !connected[1] && held[1] } -> held[1] = false
    od
}

active [READERS] proctype reader()
{
    byte least, stamp, value;
    bool may_store;
    byte rounds = 0;
    do
    :: rounds < 2 ->
        rounds++;
        least = known;
        /* the entry is copied out under its sequence lock, and then its word is compared: one step */
        if
        :: atomic { entry_is_there && entry_word == word -> value = entry_value; assert(value >= least) }
        :: atomic { !(entry_is_there && entry_word == word) -> skip };
            stamp = word;
            may_store = !held[0];
            may_store = may_store && !held[1];
            value = row; /* SELECT */
            assert(value >= least);
            if
            :: may_store -> atomic { entry_is_there = true; entry_value = value; entry_word = stamp }
            :: else
            fi
        fi;
        atomic { if :: value > known -> known = value :: else fi; least = 0; stamp = 0; value = 0; may_store = false }
    :: else -> break
    od
}
