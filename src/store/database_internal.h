/* database_internal.h: shared by the files store/database*.c: connection, statements, errors. No other file includes
 * it. Each of these files uses only functions of the files above it in this header. */
#ifndef ROSTER_STORE_DATABASE_INTERNAL_H
#define ROSTER_STORE_DATABASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <errmsg.h>
#include <mysql.h>

#include "base/buffer.h"
#include "store/database.h"

enum {
    STATEMENTS_MAX = 128, /* kept per connection; `roster -t` multiplies it by the workers */
    STATEMENT_BUCKETS = 256,
    SCRATCH_BYTES = 256,           /* max length of a text that is fetched without a second call */
    SCRATCH_ROWS_BYTES = 1 << 20,  /* a larger buffer is freed after its result */
    ATTEMPTS_MAX = 20,             /* of a transaction, or of a statement outside one */
    RETRY_MICROSECONDS = 3000000,  /* max time for retries, since they occupy a worker */
    PACKET_KEPT_BYTES = 512 << 10, /* a connection with a larger buffer is replaced */
    PACKET_ROOM_BYTES = 16 << 10,  /* reserved for a statement's text and its short values */
    AWAY_MICROSECONDS = 1000000,   /* between two attempts to connect */
    LOOK_MICROSECONDS = 1000000,   /* between two checks that the server still accepts writes */
    GLANCE_MILLISECONDS = 200,     /* timeout of such a check for /status */
    AWAY_LOG_SECONDS = 60,
    LOCK_WAIT_SECONDS = 1, /* the shortest wait of a server, except for none */
    /* a longer read timeout, which roster.conf does not allow: a migration or an import, not a request */
    PATIENT_SECONDS = 300,
    PATIENT_LOCK_WAIT_SECONDS = 600,
    DEFAULT_PORT = 3306
};

/* Error codes of the server that are handled. Connector/C has names for few of them. */
enum {
    SERVER_FILE_CREATE = 1, /* 1 to 20: errors of the server's own files, not of the protocol */
    SERVER_FILE_WRITE = 3,
    SERVER_FILE_DISK_FULL = 20,
    SERVER_SNAPSHOT_CHANGED = 1020, /* innodb_snapshot_isolation, 11.6 and later */
    SERVER_DISK_FULL = 1021,
    SERVER_WRITE = 1026,
    SERVER_ENGINE = 1030,
    SERVER_INDEX_CORRUPT = 1034, /* also of a temporary table whose disk is full */
    SERVER_TABLE_READ_ONLY = 1036,
    SERVER_TOO_MANY_CONNECTIONS = 1040,
    SERVER_DATABASE_DENIED = 1044,
    SERVER_ACCOUNT_DENIED = 1045,
    SERVER_UNKNOWN_COMMAND = 1047, /* Galera: this node has no quorum */
    SERVER_NO_DATABASE = 1049,
    SERVER_SHUTDOWN = 1053,
    SERVER_DUPLICATE = 1062,
    SERVER_TABLE_FULL = 1114,
    SERVER_PACKET_TOO_LARGE = 1153,
    SERVER_DISCONNECTED_FIRST = 1158, /* 1158 to 1161: the connection broke */
    SERVER_DISCONNECTED_LAST = 1161,
    SERVER_ERROR_DURING_COMMIT = 1180,
    SERVER_TOO_MANY_USER_CONNECTIONS = 1203,
    SERVER_LOCK_WAIT = 1205,
    SERVER_DEADLOCK = 1213,
    SERVER_NO_PARENT = 1216,
    SERVER_READ_LOCKED = 1223,
    SERVER_USER_LIMIT = 1226,
    SERVER_UNKNOWN_STATEMENT = 1243,
    SERVER_OPTION_PREVENTS = 1290, /* of many options, read_only among them */
    SERVER_INTERRUPTED = 1317,
    SERVER_NO_PARENT_WITH_NAME = 1452,
    SERVER_TOO_MANY_STATEMENTS = 1461,
    SERVER_DUPLICATE_WITH_NAME = 1586,
    SERVER_NO_BINARY_LOG = 1598,
    SERVER_REPREPARE = 1615,
    SERVER_NO_PASSWORD_DENIED = 1698, /* unix_socket authentication, of another system user */
    SERVER_READ_ONLY_TRANSACTION = 1792,
    SERVER_READ_ONLY_MODE = 1836,
    SERVER_ENGINE_READ_ONLY = 1874,
    SERVER_FORCED_RECOVERY = 1881,
    SERVER_KILLED = 1927,
    SERVER_TIMED_OUT = 1969, /* max_statement_time */
    SERVER_IDLE = 4031
};

/* Kinds of errors, by how they are handled. */
enum failure_kind {
    FAILURE_NONE,
    FAILURE_AWAY,      /* there is no connection, and no attempt is due */
    FAILURE_MEMORY,    /* ours: the result is larger than request_memory_limit */
    FAILURE_TOO_LARGE, /* the statement is larger than max_allowed_packet */
    FAILURE_CONFLICT,  /* conflict with another transaction; may be retried */
    FAILURE_LOCK_WAIT, /* timeout waiting for a lock */
    FAILURE_LOST,      /* the connection can't be used any longer */
    FAILURE_READ_ONLY, /* the server is read-only (now): another one is needed */
    FAILURE_FULL,      /* the server's disk, or its table space, is full */
    FAILURE_STALE,     /* the server no longer knows the prepared statement */
    FAILURE_DUPLICATE, /* a unique key is taken */
    FAILURE_ORPHAN,    /* the row that it refers to was deleted */
    FAILURE_BUSY,      /* killed, timed out, or over a limit of the account */
    FAILURE_OTHER
};

struct failure {
    enum failure_kind kind;
    unsigned code;     /* the server's (from 1, mostly from 1000) or the client's (from 2000); 0: ours */
    char message[512]; /* the server's; may hold values: see database_mask_values */
};

/* Buffer for a column of the current row. */
struct slot {
    bool is_integer;
    my_bool is_null;
    my_bool is_truncated;
    int64_t integer;
    unsigned long length; /* of the whole text, even if it was truncated */
    char bytes[SCRATCH_BYTES];
};

/* Names of what is made of rows of a table, whoever's: a write to the table concerns it. Addresses: a change of one; a
 * new account is younger than all others, and so changes nothing for them. */
enum statement_concern { CONCERNS_GROUPS, CONCERNS_SETTINGS, CONCERNS_ADDRESSES, STATEMENT_CONCERNS };

struct statement {
    struct statement *next; /* in the bucket */
    char *sql;              /* owned; context->statements point here */
    size_t length;
    uint64_t hash;
    uint64_t used;                     /* tick of the last use */
    bool is_read;                      /* SELECT or SHOW: may be retried */
    bool concerns[STATEMENT_CONCERNS]; /* of a write: what it concerns beside the people that database_concerns names */
    MYSQL_STMT *handle;                /* NULL: not prepared on this connection */
    unsigned parameter_count;
    unsigned column_count;
    MYSQL_BIND *parameters;
    struct slot *slots;
};

/* Receives the rows of database_stream. */
struct database_sink {
    enum outcome (*each)(struct context *context, const struct value *row, void *argument);
    void *argument;
    struct arena *arena; /* of a row */
    size_t rows;         /* passed to `each` */
    enum outcome outcome;
    bool is_busy; /* `each` is running: no statement is allowed */
};

enum { CONCERNS_MAX = 4 };

/* Whom the next write concerns: see database_concerns. */
struct database_concern {
    bool is_set;
    struct text names[CONCERNS_MAX]; /* with is_set, none at all: nobody */
    size_t count;
};

/* The state of the module: one connection per process. */
struct database_state {
    MYSQL *mysql; /* NULL: no connection */
    char *version;
    size_t packet_bytes; /* max_allowed_packet of the server; 0: never known */
    enum database_condition condition;
    int64_t looked_at; /* monotonic microseconds: when the server last confirmed that it accepts writes */
    int64_t full_at;   /* when this process last met a full disk; 0: never */
    size_t host;       /* index in database_host of the connected host */
    size_t first_host; /* index of the host that is tried first */
    bool uses_tls;

    int64_t away_until; /* monotonic microseconds; no attempt before */
    bool is_away;       /* the last attempt failed */

    struct statement *buckets[STATEMENT_BUCKETS];
    unsigned statement_count;
    uint64_t tick;

    size_t packet_max_bytes;    /* the largest packet since database_wipe, about */
    struct database_sink *sink; /* NULL: rows are collected */
    struct value *rows;         /* of the result that is being read */
    size_t rows_capacity;       /* in values */

    bool in_transaction;
    bool transaction_broken; /* it was rolled back: all further statements fail */
    bool transaction_retry;  /* it may be retried */
    bool is_writing;         /* a statement that writes, or a transaction, is running */
    bool is_announced;       /* the connection, as one that writes */
    bool is_unknown;         /* a write was sent, and its outcome is unknown */
    bool tells_unknown;      /* database_execute_once is running: its caller goes on then */
    struct database_concern concern;
    bool is_gentle; /* database_try or database_try_read is running: a locked row, or a read that takes too long, is not
                       reported */
    bool was_locked; /* by database_try: a row */
};

extern struct database_state database;

/* database_error.c: classifies errors. */

/* Sets `failure` to an error of the server or of the client library, with its kind. */
void database_fail(struct failure *failure, unsigned code, const char *message);

/* Sets `failure` to an error of Roster; message may be "". */
void database_fail_own(struct failure *failure, enum failure_kind kind, const char *message);

/* Sets `failure` to the error of a statement, or of its connection. */
void database_fail_statement(struct failure *failure, MYSQL_STMT *handle);

/* Sets the problem UNAVAILABLE, with Retry-After. Returns FAULT. */
enum outcome database_unavailable(struct context *context);

/* Whether the connection can't be used any longer. */
bool database_is_lost(const struct failure *failure);

/* Whether the statement was certainly not executed, so that it may be sent again. */
bool database_is_undone(const struct failure *failure);

/* Removes possible values of rows from the server's message, since it is logged. */
void database_mask_values(struct failure *failure);

/* database_server.c: reads the state and the variables of a server. */

/* State of a server. */
struct server_facts {
    int64_t packet_bytes;
    bool is_cluster;    /* a node of Galera */
    bool is_stranded;   /* without quorum */
    const char *locked; /* why it is read-only, as "read_only is ON"; NULL: it accepts writes */
    const char *cure;   /* how to fix that */
};

/* Reads the state of a server after connecting. False: it does not answer. */
bool database_ask_server(struct context *context, MYSQL *mysql, struct server_facts *facts_r, struct error *error);

/* Checks again that a server accepts writes. False, with `failure` set: it is read-only, or does not answer within
 * `milliseconds`. 0 milliseconds: database_read_timeout applies. */
bool database_look_again(MYSQL *mysql, int milliseconds, struct failure *failure);

/* database_connection.c: connects to the hosts in order, and sets up the session. */

/* Closes statements and connection. */
void database_close_connection(void);

/* Connects if there is no connection and an attempt is due. Periodically checks that the server still accepts writes;
 * if not, it connects to another host.
 * `is_read`: what follows is a read, which is repeated if the server has closed the connection. So this is not checked
 * before: that would be a call of the system for each read. */
bool database_ensure_connection(struct context *context, bool is_read, struct failure *failure);

/* The same with a short timeout, for /status. True: a server answers at once, and accepts writes. */
bool database_glance(struct context *context);

/* Closes the connection after an error that makes it unusable. */
void database_lose_connection(const struct failure *failure);

/* Tells whoever has to know, before a write is sent, over which connection: see database_announce_writes. */
void database_tell_connection(struct context *context);

/* Tries to connect to one host of database_host; 0 without database_host: the socket.
 * The caller closes the connection. NULL: failed, with *error set. */
MYSQL *database_connect_to(struct context *context, size_t host, struct error *error);

/* database_room.c: full disk of the server. */

/* Records for all processes that the disk is full, and logs what to do. */
void database_note_full(struct context *context, const struct failure *failure);

/* Whether a process has found the disk full, and no process has found free space since. */
bool database_is_full(void);

/* Some seconds after the last such error, checks whether there is free space again, and logs it. */
bool database_look_for_room(struct context *context);

/* database_statement.c: the cache of prepared statements, and the execution of one. */

/* Closes a statement on the server. It stays in the cache. */
void database_close_handle(struct statement *statement);

/* Closes a statement and removes it from the cache. */
void database_forget_statement(struct statement *statement);

/* The cached statement with this text, or a new one. If the cache is full, the least recently used one is removed. */
struct statement *database_find_statement(const char *sql);

/* Closes all statements of this connection on the server. */
void database_close_all_handles(void);

/* Runs a statement once: binds, executes, reads the rows into the arena. */
void database_run(struct context *context, struct statement *statement, const struct parameter *parameters,
                  size_t parameter_count, struct result *result_r, struct failure *failure);

/* Privileges that requests need, and rosterctl except for its `migrate`. */
#define DATABASE_NEEDED "SELECT, INSERT, UPDATE, DELETE"

/* Adds a name between backquotes. `is_pattern`: the name of a database of which all tables are granted, where `_` and
 * `%` are wildcards: escaped they are not. */
void database_add_name(struct buffer *buffer, const char *name, bool is_pattern);

/* Adds 'user'@'from'. */
void database_add_account(struct buffer *buffer, const char *user, const char *from);

#endif
