/* export_store.h: all accounts, row by row, for `rosterctl user export'. */
#ifndef ROSTER_STORE_EXPORT_STORE_H
#define ROSTER_STORE_EXPORT_STORE_H

#include "store/database.h"

/* The columns of a row. Integers are disabled (0 or 1) and the moments. groups: a JSON array of ids, or NULL. */
enum export_column {
    EXPORT_id,
    EXPORT_email,
    EXPORT_name,
    EXPORT_role,
    EXPORT_groups,
    EXPORT_timezone,
    EXPORT_disabled,
    EXPORT_created_at,
    EXPORT_last_active_at,  /* NULL: never since the account was created */
    EXPORT_last_sign_in_at, /* NULL: not known */
    EXPORT_COLUMN_COUNT
};

/* All accounts, oldest first: see database_stream. */
enum outcome export_store_each(struct context *context,
                               enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                               void *argument);

#endif
