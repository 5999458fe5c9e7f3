#include "store/picture_store.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
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
    if (address.data == NULL || !text_starts_with(address, address_prefix) || address.length < PREFIX_LENGTH + HASH_LENGTH + 2 ||
        address.data[PREFIX_LENGTH + HASH_LENGTH] != '.') {
        return false;
    }
    *hash_r = (struct text){address.data + PREFIX_LENGTH, HASH_LENGTH};
    for (size_t i = 0; i < HASH_LENGTH; i++) {
        char digit = hash_r->data[i];
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'))) {
            return false;
        }
    }
    size_t behind = PREFIX_LENGTH + HASH_LENGTH + 1;
    *type_r = picture_type_of_extension((struct text){address.data + behind, address.length - behind});
    return *type_r != PICTURE_NONE;
}

enum outcome picture_store_take(struct context *context, struct text sent, struct text *address_r, const struct picture **picture_r)
{
    const struct config *config = context->config;
    *picture_r = NULL;
    if (!picture_is_data_uri(sent)) {
        *address_r = sent;
        return sent.data == NULL || picture_is_address(sent) ? OK : problem_set(context, ERROR_INVALID_IMAGE);
    }
    struct picture *picture = arena_zero(context->arena, 1, sizeof *picture);
    if (!picture_of_data_uri(context->arena, sent, picture)) {
        return problem_set(context, ERROR_INVALID_IMAGE);
    }
    if ((int64_t)picture->bytes.length > config->picture_size_limit) {
        return problem_set_detail(context, ERROR_INVALID_IMAGE, 0,
                                  text_format(context->arena, "The picture is larger than the %lld bytes that this server takes.",
                                              (long long)config->picture_size_limit)
                                      .data);
    }
    if (picture->width > config->picture_side_limit || picture->height > config->picture_side_limit) {
        return problem_set_detail(context, ERROR_INVALID_IMAGE, 0,
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
    if (picture == NULL) {
        return OK;
    }
    return database_execute(context,
                            "INSERT INTO picture (hash, type, width, height, size, bytes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
                            "ON DUPLICATE KEY UPDATE hash = hash",
                            (struct parameter[]){BIND_TEXT(picture->hash), BIND_TEXT(text_of(picture_extension(picture->type))),
                                                 BIND_INTEGER(picture->width), BIND_INTEGER(picture->height),
                                                 BIND_INTEGER((int64_t)picture->bytes.length), BIND_TEXT(picture->bytes),
                                                 BIND_INTEGER(context->now_seconds)},
                            7, NULL, ERROR_NONE);
}

enum outcome picture_store_drop_unused(struct context *context, struct text address)
{
    struct text hash;
    enum picture_type type;
    if (!picture_store_parse_address(address, &hash, &type)) {
        return OK;
    }
    return database_execute(context,
                            "DELETE FROM picture WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM user u WHERE u.profile_image_url = ?)",
                            (struct parameter[]){BIND_TEXT(hash), BIND_TEXT(address)}, 2, NULL, ERROR_NONE);
}

enum outcome picture_store_read(struct context *context, struct text hash, enum picture_type *type_r, struct text *bytes_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT type, bytes FROM picture WHERE hash = ?",
                                            (struct parameter[]){BIND_TEXT(hash)}, 1, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set(context, ERROR_NOT_FOUND);
    }
    *type_r = picture_type_of_extension(result_row(&result, 0)[0].text);
    *bytes_r = result_row(&result, 0)[1].text;
    return OK;
}

/* A picture that lies in a user's row as a data URI, on its way into the table. */
struct adoption {
    struct text user_id, uri;
    const struct picture *picture;
    struct text address;
};

static enum outcome adopt_one(struct context *context, void *argument)
{
    const struct adoption *adoption = argument;
    enum outcome outcome = picture_store_keep(context, adoption->picture);
    if (outcome == OK) {
        /* only where the row still holds what was read: somebody may have changed the picture since */
        outcome = database_execute(
            context, "UPDATE user SET profile_image_url = ? WHERE id = ? AND profile_image_url = ?",
            (struct parameter[]){BIND_TEXT(adoption->address), BIND_TEXT(adoption->user_id), BIND_TEXT(adoption->uri)}, 3, NULL, ERROR_NONE);
    }
    return outcome;
}

static enum outcome adopt(struct context *context, struct text user_id, struct text uri, struct text *address_r)
{
    struct picture picture;
    *address_r = TEXT("/user.png");
    if (!picture_of_data_uri(context->arena, uri, &picture)) {
        log_info(context, "the picture of user %.*s does not decode as PNG, JPEG, GIF or WebP; the default one stands in for it",
                 (int)user_id.length, user_id.data);
        return OK;
    }
    struct adoption adoption = {user_id, uri, &picture, picture_store_address(context->arena, &picture)};
    enum outcome outcome = database_transaction(context, adopt_one, &adoption);
    if (outcome == OK) {
        *address_r = adoption.address;
    }
    return outcome;
}

enum outcome picture_store_adopt(struct context *context, struct result *rows, unsigned id_column, unsigned column)
{
    struct text *ids = NULL;
    size_t count = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        const struct value *row = result_row(rows, i);
        if (text_is(row[column].text, "data:")) {
            if (ids == NULL) {
                ids = arena_zero(context->arena, rows->row_count, sizeof *ids);
            }
            ids[count++] = row[id_column].text;
        }
    }
    if (count == 0) {
        return OK;
    }
    struct result found;
    enum outcome outcome =
        database_execute(context,
                         "SELECT u.id, u.profile_image_url FROM user u JOIN JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET "
                         "utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$')) wanted ON u.id = wanted.id",
                         (struct parameter[]){BIND_TEXT(json_list_of_texts(context->arena, ids, count))}, 1, &found, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < rows->row_count; i++) {
        struct value *row = rows->values + i * rows->column_count;
        if (!text_is(row[column].text, "data:")) {
            continue;
        }
        row[column].text = TEXT("/user.png");
        for (size_t j = 0; outcome == OK && j < found.row_count; j++) {
            const struct value *source = result_row(&found, j);
            if (!text_equal(source[0].text, row[id_column].text)) {
                continue;
            }
            if (!picture_is_data_uri(source[1].text)) { /* another request has brought it over in the meantime */
                row[column].text = source[1].text;
            } else {
                outcome = adopt(context, source[0].text, source[1].text, &row[column].text);
            }
        }
    }
    return outcome;
}
