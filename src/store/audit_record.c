/* audit_record.c: see audit_record.h. */
#include "store/audit_record.h"

#include "base/digest.h"
#include "base/hex.h"
#include "base/json_writer.h"
#include "base/random.h"
#include "config/config.h"

enum { KEY_ID_LENGTH = 8, SALT_BYTES = 16 };

struct audit_record audit_record_of_row(const struct value *row)
{
    size_t next = 3;
    return (struct audit_record){.id = row[0].integer,
                                 .at = row[1].integer,
                                 .number = value_integer(&row[2], 0),
#define COLUMN(name) .name = row[next++].text,
                                 AUDIT_TEXTS(COLUMN)
#undef COLUMN
    };
}

struct audit_key audit_record_key(const struct context *context, size_t index)
{
    const struct text secret =
        index < context->config->secret_keys.count ? context->config->secret_keys.items[index] : TEXT("");
    const struct text bytes = digest_hmac_sha256(context->arena, secret, TEXT("roster audit"));
    const struct text id = digest_hmac_sha256(context->arena, bytes, TEXT("id"));
    return (struct audit_key){bytes, {id.data, KEY_ID_LENGTH}};
}

bool audit_record_find_key(const struct context *context, struct text id, struct audit_key *key_r)
{
    for (size_t i = 0; i < context->config->secret_keys.count; i++) {
        *key_r = audit_record_key(context, i);
        if (text_equal(key_r->id, id)) {
            return true;
        }
    }
    return false;
}

static struct text mac_of_personal(struct context *context, const struct audit_key *key,
                                   const struct audit_record *record)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
#define COLUMN(name) json_add_text(&json, record->name);
    AUDIT_PERSONAL(COLUMN)
#undef COLUMN
    json_end_array(&json);
    return digest_hmac_sha256(context->arena, key->bytes, json_finish(&json));
}

static void add_sealed(struct json_writer *json, const struct audit_record *record)
{
    json_add_integer(json, record->at);
#define COLUMN(name) json_add_text(json, record->name);
    AUDIT_SEALED(COLUMN)
#undef COLUMN
}

static struct text mac_of(struct context *context, const struct audit_key *key, const struct audit_record *record)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    add_sealed(&json, record);
    json_end_array(&json);
    return digest_hmac_sha256(context->arena, key->bytes, json_finish(&json));
}

void audit_record_seal(struct context *context, const struct audit_key *key, struct audit_record *record)
{
    unsigned char salt[SALT_BYTES];
    random_bytes(salt, sizeof salt);
    record->salt = hex_encode(context->arena, salt, sizeof salt);
    record->personal_mac = mac_of_personal(context, key, record);
    record->mac_key = key->id;
    record->mac = mac_of(context, key, record);
}

bool audit_record_is_sealed(struct context *context, const struct audit_key *key, const struct audit_record *record)
{
    const bool is_emptied = record->salt.data == NULL && record->address.data == NULL && record->personal.data == NULL;
    return text_equal(mac_of(context, key, record), record->mac) &&
           (is_emptied || text_equal(mac_of_personal(context, key, record), record->personal_mac));
}

struct text audit_record_hash(struct context *context, const struct audit_record *record, struct text before)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_array(&json);
    json_add_text(&json, before);
    json_add_integer(&json, record->number);
    json_add_integer(&json, record->id);
    add_sealed(&json, record);
    json_add_text(&json, record->mac);
    json_end_array(&json);
    return digest_sha256(context->arena, json_finish(&json));
}
