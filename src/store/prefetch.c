/* prefetch.c: see prefetch.h. */
#include "store/prefetch.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "store/rows.h"

enum whose { OF_USER, OF_CALLER, OF_NOBODY };

/* What is joined once, however many parts need it. */
enum join { JOIN_NONE, JOIN_USER, JOIN_GROUPS, JOIN_OWN_GROUPS, JOIN_PERMISSIONS };

static const struct {
    const char *sql; /* with one parameter: an id */
    enum whose whose;
    bool has_rows;
} joins[] = {
    [JOIN_NONE] = {NULL, OF_NOBODY, false},
    [JOIN_USER] = {"LEFT JOIN user u ON u.id = ?", OF_USER, false},
    [JOIN_GROUPS] = {PREFETCH_GROUP_JOIN, OF_USER, true},
    [JOIN_OWN_GROUPS] = {PREFETCH_GROUP_JOIN, OF_CALLER, true},
    [JOIN_PERMISSIONS] = {"LEFT JOIN group_member pm ON pm.user_id = ? "
                          "LEFT JOIN `group` pg ON pg.id = pm.group_id AND "
                          "(pg.permissions IS NOT NULL OR pg.parent_group_id IS NOT NULL)",
                          OF_CALLER, true},
};

#define CONFIG_COLUMN "(SELECT data FROM config ORDER BY id DESC LIMIT 1)"

static const struct part {
    const char *const *list; /* of rows.h; or */
    const char *columns;
    unsigned count;
    enum whose whose;
    enum join join;
} parts_rows[PREFETCH_PARTS] = {
    [PREFETCH_USER] = {&rows_of_one_user, NULL, USER_COLUMNS, OF_USER, JOIN_USER},
    [PREFETCH_LAST_ACTIVE] = {NULL, "u.last_active_at", 1, OF_USER, JOIN_USER},
    [PREFETCH_PORTRAIT] = {&rows_of_portrait, NULL, PORTRAIT_COLUMNS, OF_USER, JOIN_USER},
    [PREFETCH_GROUPS] = {NULL, PREFETCH_GROUP_COLUMNS, PREFETCH_GROUP_COLUMN_COUNT, OF_USER, JOIN_GROUPS},
    [PREFETCH_CALLER] = {&rows_of_caller, NULL, USER_COLUMNS, OF_CALLER, JOIN_NONE},
    [PREFETCH_SETTINGS] = {NULL, "c.settings", 1, OF_CALLER, JOIN_NONE},
    [PREFETCH_INFO] = {NULL, "c.info", 1, OF_CALLER, JOIN_NONE},
    [PREFETCH_PERMISSIONS] = {NULL, CONFIG_COLUMN ", pg.permissions, pg.id, pg.parent_group_id", 4, OF_CALLER,
                              JOIN_PERMISSIONS},
    [PREFETCH_CONFIG] = {NULL, CONFIG_COLUMN, 1, OF_NOBODY, JOIN_NONE},
    [PREFETCH_ELDERS] = {NULL, PREFETCH_ELDER_COLUMNS, PREFETCH_ELDER_COLUMN_COUNT, OF_CALLER, JOIN_NONE},
    [PREFETCH_OWN_GROUPS] = {NULL, PREFETCH_GROUP_COLUMNS, PREFETCH_GROUP_COLUMN_COUNT, OF_CALLER, JOIN_OWN_GROUPS},
};

static struct text id_of(const struct prefetch *prefetch, enum whose whose)
{
    return whose == OF_USER ? prefetch->user_id : whose == OF_CALLER ? prefetch->caller_id : TEXT_NULL;
}

static bool has_part(unsigned parts, unsigned part)
{
    return (parts & 1u << part) != 0;
}

static bool has_join(unsigned parts, enum join join)
{
    for (unsigned part = 0; part < PREFETCH_PARTS; part++) {
        if (has_part(parts, part) && parts_rows[part].join == join) {
            return true;
        }
    }
    return false;
}

const char *prefetch_columns(struct arena *arena, unsigned parts)
{
    struct buffer columns;
    buffer_init(&columns, arena);
    for (unsigned part = 0; part < PREFETCH_PARTS; part++) {
        if (has_part(parts, part)) {
            buffer_add_literal(&columns, ", ");
            buffer_add_string(&columns,
                              parts_rows[part].list != NULL ? *parts_rows[part].list : parts_rows[part].columns);
        }
    }
    return buffer_text(&columns).data;
}

const char *prefetch_joins(struct arena *arena, unsigned parts)
{
    struct buffer text;
    buffer_init(&text, arena);
    bool has_rows = false;
    for (unsigned join = JOIN_NONE + 1; join < ARRAY_COUNT(joins); join++) {
        if (has_join(parts, join)) {
            invariant(!has_rows || !joins[join].has_rows); /* each with each */
            has_rows = has_rows || joins[join].has_rows;
            buffer_add_byte(&text, ' ');
            buffer_add_string(&text, joins[join].sql);
        }
    }
    return buffer_text(&text).data;
}

bool prefetch_has_rows(unsigned parts)
{
    for (unsigned join = JOIN_NONE + 1; join < ARRAY_COUNT(joins); join++) {
        if (joins[join].has_rows && has_join(parts, join)) {
            return true;
        }
    }
    return false;
}

size_t prefetch_parameters(const struct prefetch *prefetch, struct parameter *parameters_r)
{
    size_t count = 0;
    for (unsigned join = JOIN_NONE + 1; join < ARRAY_COUNT(joins); join++) {
        if (has_join(prefetch->parts, join)) {
            parameters_r[count++] = BIND_TEXT(id_of(prefetch, joins[join].whose));
        }
    }
    return count;
}

void prefetch_put(struct prefetch *prefetch, const struct result *rows, unsigned column)
{
    prefetch->rows = *rows;
    prefetch->column = column;
    prefetch->is_read = true;
}

/* Where the columns of a part begin. */
static unsigned column_of(const struct prefetch *prefetch, enum prefetch_part part)
{
    unsigned column = prefetch->column;
    for (unsigned before = 0; before < part; before++) {
        column += has_part(prefetch->parts, before) ? parts_rows[before].count : 0;
    }
    return column;
}

bool prefetch_take(struct context *context, enum prefetch_part part, struct text user_id, struct result *rows_r)
{
    struct prefetch *prefetch = context->prefetch;
    const struct part *row = &parts_rows[part];
    if (prefetch == NULL || !prefetch->is_read || !has_part(prefetch->parts & ~prefetch->taken, part) ||
        !text_equal(user_id, id_of(prefetch, row->whose)) ||
        (joins[row->join].has_rows && prefetch->rows.row_count >= PREFETCH_ROWS_MAX)) {
        return false;
    }
    prefetch->taken |= 1u << part;
    *rows_r = prefetch->rows;
    rows_r->values += column_of(prefetch, part);
    return true;
}
