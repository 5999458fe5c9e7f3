/* row_cache.h: rows of SELECTs, and other small values, kept in the identity table (identity_table.h).
 *
 * It is used while the configuration has identity_cache and the watcher is alive; else every question goes to MariaDB.
 * Never inside a transaction, which sees its own changes. */
#ifndef ROSTER_STORE_ROW_CACHE_H
#define ROSTER_STORE_ROW_CACHE_H

#include "store/database.h"
#include "store/identity_table.h"

/* A number for the database and the Redis that a process with this configuration uses. */
uint32_t row_cache_source(const struct config *config);

/* Tells the table which database and which Redis this process reads from. Called once in each process that uses it. */
void row_cache_init(const struct config *config);

/* As database_execute for a SELECT, but answers from the table where it can, and stores what MariaDB answered.
 * `key.name` tells the statement and its parameters. */
enum outcome row_cache_execute(struct context *context, const struct table_key *key, const char *sql,
                               const struct parameter *parameters, size_t parameter_count, struct result *result_r);

/* The key of what is made of one user's rows: `what` names it in a letter. It concerns that user, and `also`; null:
 * nobody else. In the arena. */
struct table_key row_cache_user_key(struct context *context, char what, struct text user_id, struct text also);

/* The same of the row in `user` as a whole. A write of columns that only the whole row has (not name, role, address and
 * what else says who a caller is) concerns row_cache_row_name alone, and the user's sessions stay as they are kept. */
struct table_key row_cache_row_key(struct context *context, char what, struct text user_id);
struct text row_cache_row_name(struct context *context, struct text user_id);

/* Whether it is used now. */
bool row_cache_is_usable(const struct context *context);

/* The value of a key as it was put, in the request's arena; the null text where there is none that counts. */
struct text row_cache_get(struct context *context, const struct table_key *key);

/* To be called before what makes the value is read; row_cache_put takes the stamp. */
struct table_stamp row_cache_stamp(struct context *context, const struct table_key *key);

/* Stores a value under the stamp. */
void row_cache_put(const struct table_key *key, const struct table_stamp *stamp, struct text value);

/* Stores a value under a digest of itself, and gives it again. It concerns nobody, and can't become wrong. */
void row_cache_put_content(struct context *context, struct text digest, struct text value);
struct text row_cache_get_content(struct context *context, struct text digest);

/* The same for the results of some statements. A value without a text is an integer. False where there are none that
 * count. */
void row_cache_put_results(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                           const struct result *results, size_t count);
bool row_cache_get_results(struct context *context, const struct table_key *key, struct result *results_r,
                           size_t count);

/* Stores a row of one text that this process has just written, with a write that concerned `name` alone. The stamp was
 * taken before the write. What is stored does not count where others wrote meanwhile. */
void row_cache_put_written(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                           struct text name, struct text value);

#endif
