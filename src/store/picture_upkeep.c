#include "store/picture_upkeep.h"

#include "base/json.h"
#include "store/picture_store.h"

enum { BATCH_ROWS = 200 };

#define ADDRESS "CONCAT('/pictures/', p.hash, '.', p.type)"

/* ---- adopting ---- */

struct user_picture {
    struct text user_id;
    bool adopted, refused;
};

/* The row is read again, locked: somebody may have changed the picture since. */
static enum outcome adopt_within(struct context *context, void *argument)
{
    struct user_picture *user = argument;
    struct picture picture;
    struct result result;
    struct text address = TEXT("/user.png");
    user->adopted = user->refused = false;
    enum outcome outcome = database_execute(context, "SELECT profile_image_url FROM user WHERE id = ? FOR UPDATE",
                                            (struct parameter[]){BIND_TEXT(user->user_id)}, 1, &result, ERROR_NONE);
    if (outcome != OK || result.row_count == 0 || !picture_is_data_uri(result_row(&result, 0)->text)) {
        return outcome;
    }
    user->adopted = picture_of_data_uri(context->arena, result_row(&result, 0)->text, &picture);
    user->refused = !user->adopted;
    if (user->adopted) {
        address = picture_store_address(context->arena, &picture);
        outcome = picture_store_keep(context, &picture);
    }
    if (outcome == OK) {
        outcome =
            database_execute(context, "UPDATE user SET profile_image_url = ? WHERE id = ?",
                             (struct parameter[]){BIND_TEXT(address), BIND_TEXT(user->user_id)}, 2, NULL, ERROR_NONE);
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
                                   (struct parameter[]){BIND_TEXT(last)}, 1, &ids, ERROR_NONE);
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

struct unused {
    struct text hash, address;
    bool dropped;
};

/* Whoever is about to refer to a picture locks its row first (picture_store_keep). So once we have the lock, a new
 * statement sees all those who came before, and the others wait. */
static enum outcome drop_within(struct context *context, void *argument)
{
    struct unused *unused = argument;
    struct result result;
    const struct parameter hash = BIND_TEXT(unused->hash);
    const struct parameter address = BIND_TEXT(unused->address);
    unused->dropped = false;
    enum outcome outcome =
        database_execute(context, "SELECT hash FROM picture WHERE hash = ? FOR UPDATE", &hash, 1, &result, ERROR_NONE);
    if (outcome == OK && result.row_count > 0) {
        outcome = database_execute(context, "SELECT 1 FROM user WHERE profile_image_url = ? LIMIT 1", &address, 1,
                                   &result, ERROR_NONE);
        if (outcome == OK && result.row_count == 0) {
            unused->dropped = true;
            outcome = database_execute(context, "DELETE FROM picture WHERE hash = ?", &hash, 1, NULL, ERROR_NONE);
        }
    }
    return outcome;
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
        outcome = database_execute(
            context,
            "SELECT p.hash, " ADDRESS " FROM picture AS p WHERE p.hash > ? AND p.created_at < ? AND "
            "NOT EXISTS (SELECT 1 FROM user AS u WHERE u.profile_image_url = " ADDRESS ") "
            "ORDER BY p.hash LIMIT 200",
            (struct parameter[]){BIND_TEXT(last), BIND_INTEGER(context->now_seconds - PICTURE_YOUNG_SECONDS)}, 2,
            &found, ERROR_NONE);
        for (size_t i = 0; outcome == OK && i < found.row_count; i++) {
            const struct value *row = result_row(&found, i);
            struct unused unused = {row[0].text, row[1].text, false};
            outcome = database_transaction(context, drop_within, &unused);
            *dropped_r += outcome == OK && unused.dropped;
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
    const struct parameter parameter = BIND_TEXT(json_list_of_texts(context->arena, names, count));
    enum outcome outcome = database_execute(
        context,
        "SELECT j.n, EXISTS (SELECT 1 FROM picture AS p WHERE p.hash = LEFT(j.name, 64) AND p.type = "
        "SUBSTR(j.name, 66)) FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, name VARCHAR(80) CHARACTER "
        "SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$')) AS j",
        &parameter, 1, &result, ERROR_NONE);
    memset(found_r, 0, count * sizeof *found_r);
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        if (row[0].integer >= 1 && (size_t)row[0].integer <= count) {
            found_r[row[0].integer - 1] = row[1].integer != 0;
        }
    }
    return outcome;
}
