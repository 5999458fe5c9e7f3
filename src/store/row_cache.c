/* row_cache.c: see row_cache.h. */
#include "store/row_cache.h"

#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/scoreboard.h"
#include "config/config.h"
#include "store/prefetch.h"

/* A digest of what names the servers. */
uint32_t row_cache_source(const struct config *config)
{
    const char *const parts[] = {config->database_socket, config->database_name, config->redis_socket,
                                 config->redis_host,      config->redis_prefix,  ""};
    uint32_t digest = 2166136261u ^ (uint32_t)config->redis_database; /* FNV-1a */
    for (size_t i = 0; i < ARRAY_COUNT(parts) + config->database_host.count; i++) {
        const char *part = i < ARRAY_COUNT(parts) ? parts[i] : config->database_host.items[i - ARRAY_COUNT(parts)];
        for (size_t at = 0; at <= strlen(part); at++) {
            digest = (digest ^ (unsigned char)part[at]) * 16777619u;
        }
    }
    return digest;
}

void row_cache_init(const struct config *config)
{
    identity_table_set_source(row_cache_source(config));
}

static bool is_usable(const struct context *context, int64_t now)
{
    return context->config != NULL && config_uses_identity_cache(context->config) && !database_in_transaction() &&
           identity_table_is_watched(now);
}

bool row_cache_is_usable(const struct context *context)
{
    return is_usable(context, clock_monotonic_microseconds());
}

struct table_key row_cache_user_key(struct context *context, char what, struct text user_id, struct text also)
{
    char *name = arena_alloc(context->arena, user_id.length + 1);
    name[0] = what;
    memcpy(name + 1, user_id.data, user_id.length);
    return (struct table_key){{name, user_id.length + 1}, {user_id, also}};
}

struct text row_cache_row_name(struct context *context, struct text user_id)
{
    struct buffer name;
    buffer_init(&name, context->arena);
    buffer_add_literal(&name, "\001row ");
    buffer_add_text(&name, user_id);
    return buffer_text(&name);
}

struct table_key row_cache_row_key(struct context *context, char what, struct text user_id)
{
    return row_cache_user_key(context, what, user_id, row_cache_row_name(context, user_id));
}

struct text row_cache_get(struct context *context, const struct table_key *key)
{
    const int64_t now = clock_monotonic_microseconds();
    if (!is_usable(context, now)) {
        return TEXT_NULL;
    }
    const struct text value = identity_table_get(key, now - context->config->identity_cache * 1000000, context->arena);
    struct scoreboard_slot *slot = scoreboard_own();
    if (slot != NULL) {
        scoreboard_count(value.data != NULL ? &slot->table_hits : &slot->table_misses);
    }
    return value;
}

/* A request that has read rows in advance, as the table was not usable then, must not store them under a later stamp.
 */
static bool has_read_in_advance(const struct context *context)
{
    return context->prefetch != NULL && context->prefetch->is_read;
}

struct table_stamp row_cache_stamp(struct context *context, const struct table_key *key)
{
    return !has_read_in_advance(context) && is_usable(context, clock_monotonic_microseconds())
               ? identity_table_stamp(key)
               : (struct table_stamp){.may_store = false};
}

void row_cache_put(const struct table_key *key, const struct table_stamp *stamp, struct text value)
{
    identity_table_put(key, stamp, value);
}

static struct table_key content_key(struct context *context, struct text digest)
{
    return (struct table_key){.name = text_format(context->arena, "=%.*s", (int)digest.length, digest.data)};
}

void row_cache_put_content(struct context *context, struct text digest, struct text value)
{
    const struct table_key key = content_key(context, digest);
    struct table_stamp stamp = row_cache_stamp(context, &key);
    stamp.at = INT64_MAX; /* it does not get old */
    row_cache_put(&key, &stamp, value);
}

struct text row_cache_get_content(struct context *context, struct text digest)
{
    const struct table_key key = content_key(context, digest);
    return row_cache_get(context, &key);
}

/* ---- Rows as bytes ---- */

enum tag { TAG_NULL, TAG_INTEGER, TAG_TEXT };

struct shape {
    uint32_t rows, columns;
};

static void pack(struct buffer *packed, const struct result *result)
{
    struct shape shape = {(uint32_t)result->row_count, result->column_count};
    buffer_add(packed, (const char *)&shape, sizeof shape);
    for (size_t i = 0; i < result->row_count * result->column_count; i++) {
        const struct value *value = &result->values[i];
        if (value->is_null) {
            buffer_add_byte(packed, TAG_NULL);
        } else if (value->text.data == NULL) {
            buffer_add_byte(packed, TAG_INTEGER);
            buffer_add(packed, (const char *)&value->integer, sizeof value->integer);
        } else {
            uint32_t length = (uint32_t)value->text.length;
            buffer_add_byte(packed, TAG_TEXT);
            buffer_add(packed, (const char *)&length, sizeof length);
            buffer_add(packed, value->text.data, length + 1); /* with the NUL behind it */
        }
    }
}

/* The texts stay where they are packed. Gives what follows the result. */
static const char *unpack(struct context *context, const char *at, struct result *result_r)
{
    struct shape shape;
    memcpy(&shape, at, sizeof shape);
    at += sizeof shape;
    size_t count = (size_t)shape.rows * shape.columns;
    struct value *values = arena_zero(context->arena, count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        switch ((enum tag) * at++) {
        case TAG_NULL:
            values[i].is_null = true;
            break;
        case TAG_INTEGER:
            memcpy(&values[i].integer, at, sizeof values[i].integer);
            at += sizeof values[i].integer;
            break;
        case TAG_TEXT: {
            uint32_t length;
            memcpy(&length, at, sizeof length);
            values[i].text = (struct text){at + sizeof length, length};
            at += sizeof length + length + 1;
            break;
        }
        }
    }
    *result_r = (struct result){values, shape.rows, shape.columns, shape.rows};
    return at;
}

/* Whether rows may be small enough to be kept. Others are not packed first. */
static bool may_fit(const struct result *results, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < results[i].row_count * results[i].column_count; j++) {
            bytes += results[i].values[j].text.length + 1;
        }
    }
    return bytes < TABLE_ENTRY_BYTES;
}

void row_cache_put_results(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                           const struct result *results, size_t count)
{
    struct buffer packed;
    if (!stamp->may_store || !may_fit(results, count)) {
        return;
    }
    buffer_init(&packed, context->arena);
    for (size_t i = 0; i < count; i++) {
        pack(&packed, &results[i]);
    }
    row_cache_put(key, stamp, buffer_text(&packed));
}

void row_cache_put_written(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                           struct text name, struct text value)
{
    struct value values[] = {{.text = value, .is_null = value.data == NULL}};
    const struct table_stamp after = identity_table_stamp_after(key, stamp, name);
    row_cache_put_results(context, key, &after, &(struct result){values, 1, 1, 1}, 1);
}

bool row_cache_get_results(struct context *context, const struct table_key *key, struct result *results_r, size_t count)
{
    struct text found = row_cache_get(context, key);
    const char *at = found.data;
    for (size_t i = 0; found.data != NULL && i < count; i++) {
        at = unpack(context, at, &results_r[i]);
    }
    return found.data != NULL;
}

enum outcome row_cache_execute(struct context *context, const struct table_key *key, const char *sql,
                               const struct parameter *parameters, size_t parameter_count, struct result *result_r)
{
    if (row_cache_get_results(context, key, result_r, 1)) {
        return OK;
    }
    struct table_stamp stamp = row_cache_stamp(context, key);
    enum outcome outcome = database_execute(context, sql, parameters, parameter_count, result_r, ERROR_NONE);
    if (outcome == OK) {
        row_cache_put_results(context, key, &stamp, result_r, 1);
    }
    return outcome;
}
