#include "store/picture_upkeep.h"

#include "base/json_writer.h"
#include "store/picture_store.h"

enum { BATCH_ROWS = 200 };

#define ADDRESS "CONCAT('/pictures/', p.hash, '.', p.type)"

/* ---- adopting ---- */

struct user_picture {
    struct text user_id;
    bool adopted, refused;
};

/* Reads the row again, with a lock: another request may have changed the picture. */
static enum outcome adopt_within(struct context *context, void *argument)
{
    struct user_picture *user = argument;
    struct picture picture;
    struct text uri, address = TEXT("/user.png");
    user->adopted = user->refused = false;
    enum outcome outcome = database_get_text(context, "SELECT profile_image_url FROM user WHERE id = ? FOR UPDATE",
                                             PARAMETERS(BIND_TEXT(user->user_id)), &uri, ERROR_NONE);
    if (outcome != OK || !picture_is_data_uri(uri)) {
        return outcome;
    }
    user->adopted = picture_of_data_uri(context->arena, uri, &picture);
    user->refused = !user->adopted;
    if (user->adopted) {
        address = picture_store_address(context->arena, &picture);
        outcome = picture_store_keep(context, &picture);
    }
    if (outcome == OK) {
        outcome = database_execute(context, "UPDATE user SET " USER_NAMES_KEPT ", profile_image_url = ? WHERE id = ?",
                                   PARAMETERS(BIND_TEXT(address), BIND_TEXT(user->user_id)), NULL, ERROR_NONE);
    }
    return outcome;
}

static enum outcome adopt(struct context *context, struct text user_id, struct picture_adoption *adoption)
{
    struct user_picture user = {.user_id = user_id};
    enum outcome outcome = database_transaction(context, adopt_within, &user);
    if (outcome == OK) {
        adoption->adopted += user.adopted;
        adoption->refused += user.refused;
        if (user.refused && adoption->refuse != NULL) {
            adoption->refuse(user_id, adoption->argument);
        }
    }
    return outcome;
}

enum outcome picture_upkeep_adopt(struct context *context, struct picture_adoption *adoption)
{
    struct arena *arena = context->arena;
    struct arena *ids_arena = arena_new(0);
    struct arena *user_arena = arena_new(0);
    struct result ids = {.row_count = BATCH_ROWS};
    struct text last = TEXT("");
    char last_bytes[1024];
    enum outcome outcome = OK;
    while (outcome == OK && ids.row_count == BATCH_ROWS) {
        arena_reset(ids_arena);
        context->arena = ids_arena;
        outcome = database_execute(context,
                                   "SELECT id FROM user WHERE id > ? AND LOWER(LEFT(profile_image_url, 5)) = 'data:' "
                                   "ORDER BY id LIMIT 200",
                                   PARAMETERS(BIND_TEXT(last)), &ids, ERROR_NONE);
        context->arena = user_arena;
        for (size_t i = 0; outcome == OK && i < ids.row_count; i++) {
            struct text id = result_row(&ids, i)->text;
            outcome = adopt(context, id, adoption);
            arena_reset(user_arena);
            last = (struct text){last_bytes, id.length < sizeof last_bytes ? id.length : sizeof last_bytes};
            memcpy(last_bytes, id.data, last.length);
        }
    }
    context->arena = arena;
    arena_free(ids_arena);
    arena_free(user_arena);
    return outcome;
}

/* ---- dropping ---- */

static enum outcome drop_within(struct context *context, void *argument)
{
    return picture_store_drop_unused(context, *(const struct text *)argument);
}

enum outcome picture_upkeep_drop_unused(struct context *context, int64_t *dropped_r)
{
    struct arena *arena = context->arena;
    struct text last = TEXT("");
    struct result found = {.row_count = BATCH_ROWS};
    char last_bytes[64];
    enum outcome outcome = OK;
    *dropped_r = 0;
    context->arena = arena_new(0);
    while (outcome == OK && found.row_count == BATCH_ROWS) {
        arena_reset(context->arena);
        outcome =
            database_execute(context,
                             "SELECT p.hash, " ADDRESS " FROM picture AS p WHERE p.hash > ? AND p.created_at < ? AND "
                             "NOT EXISTS (SELECT 1 FROM user AS u WHERE u.profile_image_url = " ADDRESS ") AND "
                             "NOT EXISTS (SELECT 1 FROM user AS u WHERE u.profile_banner_image_url = " ADDRESS ") "
                             "ORDER BY p.hash LIMIT 200",
                             PARAMETERS(BIND_TEXT(last), BIND_INTEGER(context->now_seconds - PICTURE_YOUNG_SECONDS)),
                             &found, ERROR_NONE);
        for (size_t i = 0; outcome == OK && i < found.row_count; i++) {
            const struct value *row = result_row(&found, i);
            struct text address = row[1].text, hash;
            enum picture_type type;
            bool exists = true;
            outcome = database_transaction(context, drop_within, &address);
            if (outcome == OK && picture_store_parse_address(address, &hash, &type)) {
                outcome = picture_store_exists(context, hash, type, &exists);
            }
            *dropped_r += outcome == OK && !exists;
            last = (struct text){last_bytes,
                                 row[0].text.length < sizeof last_bytes ? row[0].text.length : sizeof last_bytes};
            memcpy(last_bytes, row[0].text.data, last.length);
        }
    }
    arena_free(context->arena);
    context->arena = arena;
    return outcome;
}

/* ---- looking up ---- */

enum outcome picture_upkeep_find(struct context *context, const struct text *names, size_t count, bool *found_r)
{
    struct result result;
    enum outcome outcome = database_execute(
        context,
        "SELECT j.n, EXISTS (SELECT 1 FROM picture AS p WHERE p.hash = LEFT(j.name, 64) AND p.type = "
        "SUBSTR(j.name, 66)) FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, name VARCHAR(80) CHARACTER "
        "SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$')) AS j",
        PARAMETERS(BIND_TEXT(json_list_of_texts(context->arena, names, count))), &result, ERROR_NONE);
    memset(found_r, 0, count * sizeof *found_r);
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        if (row[0].integer >= 1 && (size_t)row[0].integer <= count) {
            found_r[row[0].integer - 1] = row[1].integer != 0;
        }
    }
    return outcome;
}
