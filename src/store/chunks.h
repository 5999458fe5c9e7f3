/* chunks.h: SELECTs of any number of rows, read by an index in chunks, each with a statement of its own.
 *
 * No statement runs for long, however many rows there are: MariaDB ends those that do, and keeps old versions of rows
 * meanwhile. Nothing is sorted, and no chunk costs more than another.
 *
 * Each chunk begins behind the last row of the one before. So a row whose place in the order stays the same is read
 * exactly once; of rows that are added, deleted or moved meanwhile it depends on where they are. */
#ifndef ROSTER_STORE_CHUNKS_H
#define ROSTER_STORE_CHUNKS_H

#include "store/database.h"

struct chunks {
    /* SELECT … FROM … WHERE …, with the index of the order forced: the optimiser would rather sort the rows. The first
     * two columns are the place of a row in the order: a number, or NULL, and an id of its own. */
    const char *select;
    const char *key, *id; /* their names in the statement */
    bool descending;      /* then the key is never NULL */
};

/* Calls `each` with one row after another, without the two columns of its place: see database_stream.
 * A lost connection is replaced between two chunks. */
enum outcome chunks_stream(struct context *context, const struct chunks *chunks, const struct parameter *parameters,
                           size_t parameter_count,
                           enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                           void *argument);

#endif
