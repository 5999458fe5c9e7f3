#include "store/export_store.h"

#include "store/chunks.h"
#include "store/overview_store.h"

enum outcome export_store_each(struct context *context,
                               enum outcome (*each)(struct context *, const struct value *, void *), void *argument)
{
    static const struct chunks chunks = {
        .select = "SELECT u.created_at, u.id, u.id, u.email, u.name, u.role, "
                  "(SELECT JSON_ARRAYAGG(m.group_id ORDER BY m.created_at, m.id) FROM group_member m "
                  "WHERE m.user_id = u.id), "
                  "u.timezone, COALESCE(a.active, 1) = 0, u.created_at, " OVERVIEW_LAST_ACTIVE ", u.last_sign_in_at "
                  "FROM user u FORCE INDEX (user_by_created_at) LEFT JOIN auth a ON a.id = u.id WHERE TRUE",
        .key = "u.created_at",
        .id = "u.id",
    };
    return chunks_stream(context, &chunks, NO_PARAMETERS, each, argument);
}
