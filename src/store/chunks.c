#include "store/chunks.h"

#include <string.h>

#include "base/log.h"

enum {
    CHUNK_ROWS = 1000,
    PLACE_COLUMNS = 2,
    PARAMETERS_MAX = 2, /* of the SELECT */
    ID_BYTES = 4 * 255, /* VARCHAR(255) */
};

/* Which rows a statement reads. */
enum part { FROM_START, BEHIND_NULL, BEHIND_KEY, PARTS };

/* How far the rows are read. */
struct progress {
    enum outcome (*each)(struct context *context, const struct value *row, void *argument);
    void *argument;
    const char *sql[PARTS]; /* those that were needed so far */
    enum part part;         /* that is next */
    size_t rows;            /* of the present chunk */
    int64_t key;            /* of the last row */
    char id[ID_BYTES];
    size_t id_length;
};

static enum outcome pass_on(struct context *context, const struct value *row, void *argument)
{
    struct progress *progress = argument;
    invariant(row[1].text.length <= sizeof progress->id);
    progress->rows++;
    progress->part = row[0].is_null ? BEHIND_NULL : BEHIND_KEY;
    progress->key = row[0].integer;
    progress->id_length = row[1].text.length;
    memcpy(progress->id, row[1].text.data, row[1].text.length);
    return progress->each(context, row + PLACE_COLUMNS, progress->argument);
}

/* NULL comes before all numbers. */
static struct text condition_of(struct arena *arena, const struct chunks *chunks, enum part part)
{
    const char *key = chunks->key, *id = chunks->id, *comparison = chunks->descending ? "<" : ">";
    switch (part) {
    case BEHIND_NULL:
        return text_format(arena, " AND (%s IS NOT NULL OR (%s IS NULL AND %s > ?))", key, key, id);
    case BEHIND_KEY:
        return text_format(arena, " AND (%s %s ? OR (%s = ? AND %s %s ?))", key, comparison, key, id, comparison);
    case FROM_START:
    case PARTS:
        break;
    }
    return TEXT("");
}

static const char *statement_of(struct arena *arena, const struct chunks *chunks, enum part part)
{
    const char *direction = chunks->descending ? "DESC" : "ASC";
    return text_format(arena, "%s%s ORDER BY %s %s, %s %s LIMIT %d", chunks->select,
                       condition_of(arena, chunks, part).data, chunks->key, direction, chunks->id, direction,
                       CHUNK_ROWS)
        .data;
}

static enum outcome stream_chunk(struct context *context, const struct chunks *chunks,
                                 const struct parameter *parameters, size_t count, struct progress *progress)
{
    struct parameter all[PARAMETERS_MAX + 3];
    const enum part part = progress->part;
    invariant(count <= PARAMETERS_MAX);
    for (size_t i = 0; i < count; i++) {
        all[i] = parameters[i];
    }
    if (part == BEHIND_KEY) {
        all[count++] = BIND_INTEGER(progress->key);
        all[count++] = BIND_INTEGER(progress->key);
    }
    if (part != FROM_START) {
        all[count++] = BIND_TEXT(((struct text){progress->id, progress->id_length}));
    }
    if (progress->sql[part] == NULL) {
        progress->sql[part] = statement_of(context->arena, chunks, part);
    }
    progress->rows = 0;
    return database_stream(context, progress->sql[part], all, count, pass_on, progress);
}

enum outcome chunks_stream(struct context *context, const struct chunks *chunks, const struct parameter *parameters,
                           size_t parameter_count,
                           enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                           void *argument)
{
    struct progress progress = {.each = each, .argument = argument};
    enum outcome outcome;
    do {
        outcome = stream_chunk(context, chunks, parameters, parameter_count, &progress);
    } while (outcome == OK && progress.rows == CHUNK_ROWS);
    return outcome;
}
