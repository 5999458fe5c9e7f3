/* database_internal.h: what the files of store/database share: the connection, the statements, the errors. Nobody else includes it. */
#ifndef ROSTER_STORE_DATABASE_INTERNAL_H
#define ROSTER_STORE_DATABASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <errmsg.h>
#include <mysql.h>

#include "store/database.h"

enum {
    STATEMENTS_MOST = 128, /* kept per connection; `roster -t` multiplies it by the workers */
    STATEMENT_BUCKETS = 256,
    SCRATCH_BYTES = 256,          /* texts up to this length are read in one go */
    SCRATCH_ROWS_BYTES = 1 << 20, /* more than this is given back after a large result */
    ATTEMPTS_MOST = 20,           /* of a transaction, or of a statement outside one */
    PACKET_KEPT_BYTES = 512 << 10, /* a connection whose buffer has grown beyond is made anew */
    AWAY_MICROSECONDS = 1000000,  /* between two attempts to connect */
    AWAY_LOG_SECONDS = 60,
    LOCK_WAIT_SECONDS = 5, /* well below the read timeout, so that a lock shows as 1205 and not as a lost connection */
    DEFAULT_PORT = 3306
};

/* The server's errors that are looked at. Connector/C has names for few of them. */
enum {
    SERVER_TOO_MANY_CONNECTIONS = 1040,
    SERVER_UNKNOWN_COMMAND = 1047, /* Galera: this node has no quorum */
    SERVER_SHUTDOWN = 1053,
    SERVER_DUPLICATE = 1062,
    SERVER_DISCONNECTED_FIRST = 1158, /* 1158 to 1161: the connection broke */
    SERVER_DISCONNECTED_LAST = 1161,
    SERVER_ERROR_DURING_COMMIT = 1180,
    SERVER_LOCK_WAIT = 1205,
    SERVER_DEADLOCK = 1213,
    SERVER_UNKNOWN_STATEMENT = 1243,
    SERVER_INTERRUPTED = 1317,
    SERVER_TOO_MANY_STATEMENTS = 1461,
    SERVER_DUPLICATE_WITH_NAME = 1586,
    SERVER_REPREPARE = 1615,
    SERVER_KILLED = 1927,
    SERVER_TIMED_OUT = 1969,        /* max_statement_time */
    SERVER_SNAPSHOT_CHANGED = 1020, /* innodb_snapshot_isolation, 11.6 and later */
    SERVER_IDLE = 4031
};

/* Ours, beside the server's (from 1000) and the client's (from 2000). */
enum { FAILURE_AWAY = 1, FAILURE_MEMORY = 2, FAILURE_TOO_LARGE = 3 };

struct failure {
    unsigned code;     /* 0: none */
    char message[512]; /* the server's; may hold values: see mask_values */
};

/* Where a column of the row that is being read is put. */
struct slot {
    bool is_integer;
    my_bool is_null;
    my_bool is_truncated;
    int64_t integer;
    unsigned long length; /* of the whole text, also where it did not fit */
    char bytes[SCRATCH_BYTES];
};

struct statement {
    struct statement *next; /* in the bucket */
    char *sql;              /* ours: context->statements point here */
    size_t length;
    uint64_t hash;
    uint64_t used;      /* the tick of the last use */
    bool is_read;       /* SELECT or SHOW: may be repeated */
    MYSQL_STMT *handle; /* NULL: not prepared on this connection */
    unsigned parameter_count;
    unsigned column_count;
    MYSQL_BIND *parameters;
    struct slot *slots;
};

/* The state of the module: one connection per process. */
struct database_state {
    MYSQL *mysql; /* NULL: no connection */
    char *version;
    size_t packet_bytes; /* max_allowed_packet of the server */
    size_t host;         /* of database_host, that the connection goes to */
    size_t first_host;   /* where the next attempt starts */
    bool uses_tls;

    int64_t away_until; /* monotonic microseconds; no attempt before */
    bool is_away;       /* the last attempt failed */

    struct statement *buckets[STATEMENT_BUCKETS];
    unsigned statement_count;
    uint64_t tick;

    struct value *rows;   /* of the result that is being read */
    size_t rows_capacity; /* in values */

    bool in_transaction;
    bool transaction_broken; /* nothing of it stands any more: every further statement fails */
    bool transaction_retry;  /* and it may be done again */
};

extern struct database_state database;

/* database_error.c: what an error means. */

/* Notes what went wrong; message may be "". */
void database_fail(struct failure *failure, unsigned code, const char *message);

/* Notes a statement's error, wherever Connector/C keeps it. */
void database_fail_statement(struct failure *failure, MYSQL_STMT *handle);

/* UNAVAILABLE, with Retry-After. */
enum outcome database_unavailable(struct context *context);

/* The transaction lost against another one, or waited too long for a lock. */
bool database_is_conflict(unsigned code);

/* The connection is of no use any more. */
bool database_is_lost(unsigned code);

/* Nothing of the statement can have been executed, so that it may be sent again. */
bool database_is_undone(unsigned code);

/* The prepared statement is not known any more, and must be prepared anew. */
bool database_is_stale(unsigned code);

/* A unique key is taken. */
bool database_is_duplicate(unsigned code);

/* Takes out of the server's message what may be a value of a row: messages go to the log. */
void database_mask_values(struct failure *failure);

/* database_connection.c: hosts in order, the session's settings, the state of being away. */

/* Closes statements and connection. */
void database_close_connection(void);

/* Connects where there is no connection and an attempt is due. False: MariaDB is away. */
bool database_ensure_connection(struct context *context, struct failure *failure);

/* Gives up the connection after an error that it does not survive. */
void database_lose_connection(unsigned code);

/* database_statement.c: prepared once per connection, known by their text; one run of one of them. */

/* Closes a statement at the server; its text stays known. */
void database_close_handle(struct statement *statement);

/* Forgets a statement with its text. */
void database_forget_statement(struct statement *statement);

/* The statement of a text, new or known; the least recently used one is forgotten where there are too many. */
struct statement *database_find_statement(const char *sql);

/* Closes all our statements at the server. */
void database_close_all_handles(void);

/* Runs a statement once: binds, executes, reads the rows into the arena. */
void database_run(struct context *context, struct statement *statement, const struct parameter *parameters, size_t parameter_count, struct result *result_r, struct failure *failure);

#endif
