#include "store/picture_store.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/problem.h"
#include "config/config.h"

static const char address_prefix[] = "/pictures/";
enum { HASH_LENGTH = 64, PREFIX_LENGTH = sizeof address_prefix - 1 };

struct text picture_store_address(struct arena *arena, const struct picture *picture)
{
    return text_format(arena, "%s%.*s.%s", address_prefix, (int)picture->hash.length, picture->hash.data,
                       picture_extension(picture->type));
}

bool picture_store_parse_address(struct text address, struct text *hash_r, enum picture_type *type_r)
{
    if (address.data == NULL || !text_starts_with(address, address_prefix) ||
        address.length < PREFIX_LENGTH + HASH_LENGTH + 2 || address.data[PREFIX_LENGTH + HASH_LENGTH] != '.') {
        return false;
    }
    *hash_r = (struct text){address.data + PREFIX_LENGTH, HASH_LENGTH};
    unsigned char hash[HASH_LENGTH / 2];
    if (!hex_decode(*hash_r, hash, sizeof hash)) {
        return false;
    }
    size_t behind = PREFIX_LENGTH + HASH_LENGTH + 1;
    *type_r = picture_type_of_extension((struct text){address.data + behind, address.length - behind});
    return *type_r != PICTURE_NONE;
}

enum outcome picture_store_take(struct context *context, struct text sent, struct text *address_r,
                                const struct picture **picture_r)
{
    const struct config *config = context->config;
    *picture_r = NULL;
    struct picture *picture = arena_zero(context->arena, 1, sizeof *picture);
    if (!picture_of_data_uri(context->arena, sent, picture)) {
        return problem_set(context, ERROR_INVALID_IMAGE);
    }
    /* MariaDB's max_allowed_packet may be lower; roster -t warns about it. */
    const int64_t max =
        database_value_limit() < config->picture_size_limit ? database_value_limit() : config->picture_size_limit;
    if ((int64_t)picture->bytes.length > max) {
        return problem_set_detail(context, ERROR_INVALID_IMAGE, 0,
                                  text_format(context->arena,
                                              "The picture is larger than the %lld bytes that this server takes.",
                                              (long long)max)
                                      .data);
    }
    if (picture->width > config->picture_side_limit || picture->height > config->picture_side_limit) {
        return problem_set_detail(
            context, ERROR_INVALID_IMAGE, 0,
            text_format(context->arena, "The picture is wider or higher than the %lld pixels that this server takes.",
                        (long long)config->picture_side_limit)
                .data);
    }
    *address_r = picture_store_address(context->arena, picture);
    *picture_r = picture;
    return OK;
}

enum outcome picture_store_keep(struct context *context, const struct picture *picture)
{
    return database_execute(
        context,
        "INSERT INTO picture (hash, type, width, height, size, bytes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON DUPLICATE KEY UPDATE hash = hash",
        PARAMETERS(BIND_TEXT(picture->hash), BIND_TEXT(text_of(picture_extension(picture->type))),
                   BIND_INTEGER(picture->width), BIND_INTEGER(picture->height),
                   BIND_INTEGER((int64_t)picture->bytes.length), BIND_TEXT(picture->bytes),
                   BIND_INTEGER(context->now_seconds)),
        NULL, ERROR_NONE);
}

enum outcome picture_store_hold(struct context *context, struct text present, struct text address,
                                const struct picture *picture)
{
    struct text hash;
    enum picture_type type;
    struct text stored_type;
    if (picture != NULL) {
        return picture_store_keep(context, picture);
    }
    if (text_equal(address, present) || !picture_store_parse_address(address, &hash, &type)) {
        return OK;
    }
    enum outcome outcome = database_get_text(context, "SELECT type FROM picture WHERE hash = ? LOCK IN SHARE MODE",
                                             PARAMETERS(BIND_TEXT(hash)), &stored_type, ERROR_NONE);
    if (outcome == OK && !text_is(stored_type, picture_extension(type))) {
        return problem_set_detail(context, ERROR_INVALID_IMAGE, 0, "There is no such picture here.");
    }
    return outcome;
}

/* A separate statement after the lock looks for references, so that it sees those that were committed while this
 * transaction waited. */
enum outcome picture_store_drop_unused(struct context *context, struct text address)
{
    struct text hash;
    enum picture_type type;
    bool found;
    if (!picture_store_parse_address(address, &hash, &type)) {
        return OK;
    }
    enum outcome outcome =
        database_find_row(context, "SELECT hash FROM picture WHERE hash = ? AND type = ? FOR UPDATE",
                          PARAMETERS(BIND_TEXT(hash), BIND_TEXT(text_of(picture_extension(type)))), &found);
    if (!found) {
        return outcome;
    }
    outcome = database_find_row(context,
                                "SELECT 1 FROM user WHERE profile_image_url = ? UNION ALL SELECT 1 FROM user WHERE "
                                "profile_banner_image_url = ? LIMIT 1",
                                PARAMETERS(BIND_TEXT(address), BIND_TEXT(address)), &found);
    if (outcome != OK || found) {
        return outcome;
    }
    return database_execute(context, "DELETE FROM picture WHERE hash = ?", PARAMETERS(BIND_TEXT(hash)), NULL,
                            ERROR_NONE);
}

static enum outcome drop_within(struct context *context, void *argument)
{
    return picture_store_drop_unused(context, *(const struct text *)argument);
}

void picture_store_drop_replaced(struct context *context, struct text address)
{
    const struct problem problem = context->problem;
    struct text hash;
    enum picture_type type;
    if (picture_store_parse_address(address, &hash, &type)) {
        database_concerns_nobody();
        database_transaction(context, drop_within, &address);
    }
    context->problem = problem;
}

enum outcome picture_store_exists(struct context *context, struct text hash, enum picture_type type, bool *exists_r)
{
    return database_find_row(context, "SELECT 1 FROM picture WHERE hash = ? AND type = ?",
                             PARAMETERS(BIND_TEXT(hash), BIND_TEXT(text_of(picture_extension(type)))), exists_r);
}

enum outcome picture_store_read(struct context *context, struct text hash, enum picture_type *type_r,
                                struct text *bytes_r)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context, "SELECT type, bytes FROM picture WHERE hash = ?",
                                            PARAMETERS(BIND_TEXT(hash)), &row, ERROR_NOT_FOUND);
    if (outcome == OK) {
        *type_r = picture_type_of_extension(row[0].text);
        *bytes_r = row[1].text;
    }
    return outcome;
}

/* ---- pictures in rows of users ---- */

/* The columns that may contain one. */
static const struct source {
    enum user_column column;
    const char *read, *replace;
    const char *stand_in; /* replaces a picture that can't be decoded; NULL: null */
} sources[] = {
#define SOURCE(column, stand_in)                                 \
    {USER_##column, "SELECT " #column " FROM user WHERE id = ?", \
     "UPDATE user SET " USER_NAMES_KEPT ", " #column " = ? WHERE id = ? AND " #column " = ?", stand_in}
    SOURCE(profile_image_url, "/user.png"),
    SOURCE(profile_banner_image_url, NULL),
};

/* A picture that is moved from a user's row, where it is a data URI, to the table. */
struct adoption {
    const struct source *source;
    struct text user_id, uri;
    struct picture picture;
    struct text address;
};

static enum outcome adopt_within(struct context *context, void *argument)
{
    const struct adoption *adoption = argument;
    enum outcome outcome = picture_store_keep(context, &adoption->picture);
    if (outcome == OK) {
        /* only if the row is unchanged: another request may have changed the picture */
        outcome = database_execute(
            context, adoption->source->replace,
            PARAMETERS(BIND_TEXT(adoption->address), BIND_TEXT(adoption->user_id), BIND_TEXT(adoption->uri)), NULL,
            ERROR_NONE);
    }
    return outcome;
}

/* Sets adoption->address: the new content of the column. Null: the picture can't be decoded. */
static enum outcome adopt(struct context *context, struct adoption *adoption)
{
    enum outcome outcome = database_get_text(context, adoption->source->read, PARAMETERS(BIND_TEXT(adoption->user_id)),
                                             &adoption->uri, ERROR_NONE);
    if (outcome != OK || adoption->uri.data == NULL) {
        return outcome;
    }
    if (!picture_is_data_uri(adoption->uri)) { /* another request has moved it meanwhile */
        adoption->address = adoption->uri;
        return OK;
    }
    if (!picture_of_data_uri(context->arena, adoption->uri, &adoption->picture)) {
        log_info(context, "%s of the user %.*s can't be decoded as PNG, JPEG, GIF or WebP; the default replaces it",
                 user_columns[adoption->source->column].name, (int)adoption->user_id.length, adoption->user_id.data);
        return OK;
    }
    adoption->address = picture_store_address(context->arena, &adoption->picture);
    database_concerns(adoption->user_id);
    return database_transaction(context, adopt_within, adoption);
}

enum outcome picture_store_bring(struct context *context, struct text user_id, struct picture *picture_r)
{
    struct adoption adoption = {.source = &sources[0], .user_id = user_id};
    enum outcome outcome = adopt(context, &adoption);
    *picture_r = adoption.picture;
    return outcome;
}

/* Another address of the same picture. It is always valid, and a client that sends it back changes nothing. */
static struct text profile_address(struct arena *arena, struct text user_id)
{
    struct buffer address;
    buffer_init(&address, arena);
    buffer_add_literal(&address, "/api/v1/users/");
    percent_add_segment(&address, user_id);
    buffer_add_literal(&address, "/profile/image");
    return buffer_text(&address);
}

/* Each picture has a separate arena, since the thirty pictures of a page may exceed request_memory_limit. */
static void adopt_value(struct context *context, struct arena *scratch, const struct source *source,
                        struct text user_id, struct value *value)
{
    const struct problem problem = context->problem;
    struct arena *arena = context->arena;
    struct adoption adoption = {.source = source, .user_id = user_id};
    context->arena = scratch;
    enum outcome outcome = adopt(context, &adoption);
    context->arena = arena;
    context->problem = problem;
    if (outcome != OK) {
        value->text = source->column == USER_profile_image_url ? profile_address(arena, user_id) : TEXT_NULL;
    } else if (adoption.address.data != NULL) {
        value->text = text_copy(arena, adoption.address);
    } else {
        value->text = text_of(source->stand_in);
    }
    value->is_null = value->text.data == NULL;
    arena_reset(scratch);
}

void picture_store_adopt(struct context *context, struct result *rows)
{
    struct arena *scratch = NULL;
    for (size_t i = 0; i < rows->row_count; i++) {
        struct value *row = rows->values + i * rows->column_count;
        for (size_t j = 0; j < ARRAY_COUNT(sources); j++) {
            struct value *value = &row[sources[j].column];
            if (value->text.data == NULL || !text_is(value->text, "data:")) {
                continue;
            }
            scratch = scratch != NULL ? scratch : arena_new(0);
            adopt_value(context, scratch, &sources[j], row[USER_id].text, value);
        }
    }
    arena_free(scratch);
}
