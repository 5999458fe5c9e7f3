/* touch_store.c: see touch_store.h. The ids and times are one JSON parameter, so that there is one statement for any
 * number of rows. */
#include "store/touch_store.h"

#include "base/json_writer.h"
#include "config/config.h"
#include "store/rows.h"
#include "store/version_words.h"

enum { BATCH_MAX = 500 };

bool touch_store_note(const struct context *context, enum touch_kind kind, struct text id, struct text concerns)
{
    return touch_table_note(&(struct touch){kind, id, concerns, context->now_seconds},
                            touch_store_interval(context->config, kind));
}

int64_t touch_store_interval(const struct config *config, enum touch_kind kind)
{
    enum { PARTS = 60 };
    const int64_t idle = kind == TOUCH_SESSION ? config->session_idle : 0;
    const int64_t part = idle < PARTS ? 1 : idle / PARTS;
    return idle > 0 && part < config->last_active_interval ? part : config->last_active_interval;
}

void touch_store_apply(const struct context *context, enum touch_kind kind, int64_t noted, struct value *time)
{
    if (noted >= 0 && (time->is_null || time->integer <= noted - touch_store_interval(context->config, kind))) {
        *time = (struct value){.integer = noted};
    }
}

void touch_store_lay_over(const struct context *context, enum touch_kind kind, struct text id, struct value *time)
{
    touch_store_apply(context, kind, touch_table_look(kind, id), time);
}

void touch_store_lay_over_rows(const struct context *context, enum touch_kind kind, const struct result *rows,
                               unsigned id_column, unsigned time_column)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        struct value *row = rows->values + i * rows->column_count;
        touch_store_lay_over(context, kind, row[id_column].text, &row[time_column]);
    }
}

/* STRAIGHT_JOIN: each row is found by its key, however few there are in the table. Otherwise all might be locked. */
#define TOUCHED                                                                                                      \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$[0]', at " \
    "BIGINT PATH '$[1]')) t STRAIGHT_JOIN "

/* The second parameter is touch_store_interval. touch_store_apply does to a row what these do. */
static const char *const statements[TOUCH_KINDS] = {
    [TOUCH_KEY] = DATABASE_NOWAIT "UPDATE " TOUCHED "api_key k ON k.id = t.id SET k.last_used_at = t.at "
                                  "WHERE k.last_used_at IS NULL OR k.last_used_at <= t.at - ?",
    [TOUCH_SESSION] = DATABASE_NOWAIT "UPDATE " TOUCHED "session s ON s.jti = t.id SET s.last_seen_at = t.at "
                                      "WHERE s.last_seen_at <= t.at - ?",
    [TOUCH_USER] = DATABASE_NOWAIT "UPDATE " TOUCHED "user u ON u.id = t.id SET u." USER_NAMES_KEPT
                                   ", u.last_active_at = t.at WHERE u.last_active_at <= t.at - ?",
};

/* Of a name that is there twice, the first one is the latest. */
static bool is_repeated(const struct waiting_touch *waiting, size_t number)
{
    return number > 0 && text_equal(waiting[number].touch.id, waiting[number - 1].touch.id);
}

/* [[id, time], …] */
static struct text list_of(struct context *context, const struct waiting_touch *waiting, size_t count)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        if (!is_repeated(waiting, i)) {
            json_begin_array(&json);
            json_add_text(&json, waiting[i].touch.id);
            json_add_integer(&json, waiting[i].touch.at);
            json_end_array(&json);
        }
    }
    json_end_array(&json);
    return json_finish(&json);
}

/* What the identity table has of a row counts no more, and only then is the time taken out. */
static void forget(const struct waiting_touch *waiting, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        version_words_forget(waiting[i].touch.concerns);
        touch_table_written(&waiting[i]);
    }
}

/* Writes touches of one kind. *left: grows with those that are locked. False: MariaDB can't be used. */
static bool write(struct context *context, const struct waiting_touch *waiting, size_t count, size_t *left)
{
    /* the identity table is told by forget, of each name */
    database_concerns_nobody();
    touch_table_count_statement();
    switch (database_try(context, statements[waiting->touch.kind],
                         PARAMETERS(BIND_TEXT(list_of(context, waiting, count)),
                                    BIND_INTEGER(touch_store_interval(context->config, waiting->touch.kind))))) {
    case DATABASE_TRIED_DONE:
        forget(waiting, count);
        return true;
    case DATABASE_TRIED_LOCKED:
        if (count == 1) {
            ++*left;
            return true;
        }
        return write(context, waiting, count / 2, left) && write(context, waiting + count / 2, count - count / 2, left);
    default:
        return false;
    }
}

/* How many of the first ones are of one kind, and fit into one statement. */
static size_t batch_of(const struct waiting_touch *waiting, size_t count)
{
    size_t batch = 0;
    while (batch < count && batch < BATCH_MAX && waiting[batch].touch.kind == waiting->touch.kind) {
        batch++;
    }
    return batch;
}

size_t touch_store_write(struct context *context)
{
    struct waiting_touch *waiting;
    const size_t count = touch_table_take(context->arena, &waiting);
    size_t left = 0;
    for (size_t done = 0; done < count;) {
        const size_t batch = batch_of(waiting + done, count - done);
        if (!write(context, waiting + done, batch, &left)) {
            return left + count - done;
        }
        done += batch;
    }
    return left;
}
