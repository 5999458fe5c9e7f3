/* touch_store.h: when users, sessions and API keys were used last: noted in the touch table (touch_table.h), shown from
 * there, and written by the housekeeper. */
#ifndef ROSTER_STORE_TOUCH_STORE_H
#define ROSTER_STORE_TOUCH_STORE_H

#include "store/database.h"
#include "store/touch_table.h"

/* Notes that a row was used now. `concerns`: the name that the identity table knows it by. False: the caller has to
 * write it: see touch_table_note. */
bool touch_store_note(const struct context *context, enum touch_kind kind, struct text id, struct text concerns);

/* How much later a time of this kind must be than the one before to be noted: last_active_interval; of sessions 1/60 of
 * session_idle, if that is shorter. In seconds. */
int64_t touch_store_interval(const struct config *config, enum touch_kind kind);

/* Gives a row's time the value that it will have when what is noted is written. */
void touch_store_lay_over(const struct context *context, enum touch_kind kind, struct text id, struct value *time);

/* The same for each row of a result; the id and the time are in these columns. */
void touch_store_lay_over_rows(const struct context *context, enum touch_kind kind, const struct result *rows,
                               unsigned id_column, unsigned time_column);

/* The same in two steps, of which the first comes before the row is read: then nobody gets an older time than another
 * one before, however long it takes. */
void touch_store_apply(const struct context *context, enum touch_kind kind, int64_t noted, struct value *time);

/* For the housekeeper. Writes all that waits: one statement for each kind, and 500 rows. Rows that other transactions
 * lock are left waiting, and found by halves, so that they hold up no others. What a statement has written counts no
 * more in the identity table, before it is taken out of the touch table. Gives how many are left: those, or all where
 * MariaDB can't be used. */
size_t touch_store_write(struct context *context);

#endif
