#include "auth/password_argon2.h"

#include <inttypes.h>
#include <sys/mman.h>

#ifdef HAVE_ARGON2
#include <argon2.h>
#endif
#include <openssl/crypto.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/log.h"

enum {
    MEMORY_MAX = 256 * 1024, /* KiB */
    COST_MAX = 1024 * 1024,  /* KiB over all passes: about two seconds */
    LANES_MAX = 16,
    SALT_MIN = 8, /* libargon2's minimum */
    HASH_MIN = 16,
    VERSION_FIRST = 16,
    VERSION_NOW = 19,
    DIGITS_MAX = 9
};

static const char malformed[] = "hashed in a format that can't be verified here";

bool argon2_is_available(void)
{
#ifdef HAVE_ARGON2
    return true;
#else
    return false;
#endif
}

/* Removes `prefix` from the front. False where `text` does not begin with it. */
static bool take(struct text *text, const char *prefix)
{
    size_t length = strlen(prefix);
    if (!text_starts_with(*text, prefix)) {
        return false;
    }
    *text = (struct text){text->data + length, text->length - length};
    return true;
}

/* Parses a positive number without leading zeros, and removes it from the front. */
static bool take_number(struct text *text, uint32_t *number_r)
{
    size_t length = 0;
    *number_r = 0;
    while (length < text->length && length <= DIGITS_MAX && ascii_is_digit(text->data[length])) {
        *number_r = *number_r * 10 + (uint32_t)(text->data[length] - '0');
        length++;
    }
    if (length == 0 || length > DIGITS_MAX || text->data[0] == '0') {
        return false;
    }
    *text = (struct text){text->data + length, text->length - length};
    return true;
}

/* Decodes base64 without padding up to `$` or the end, and removes it from the front. */
static bool take_base64(struct text *text, unsigned char bytes_r[ARGON2_BYTES_MAX], size_t *length_r)
{
    const char *end = text->length > 0 ? memchr(text->data, '$', text->length) : NULL;
    struct text encoded = {text->data, end != NULL ? (size_t)(end - text->data) : text->length};
    *text = (struct text){encoded.data + encoded.length, text->length - encoded.length};
    return base64_decode_into(BASE64_UNPADDED, encoded, bytes_r, ARGON2_BYTES_MAX, length_r);
}

static bool take_parts(struct text text, struct argon2_hash *hash)
{
    if (take(&text, "$argon2id$")) {
        hash->kind = ARGON2_KIND_ID;
    } else if (take(&text, "$argon2i$")) {
        hash->kind = ARGON2_KIND_I;
    } else if (take(&text, "$argon2d$")) {
        hash->kind = ARGON2_KIND_D;
    } else {
        return false;
    }
    hash->version = VERSION_FIRST; /* hashes of the first version have no `v=` */
    if (take(&text, "v=") && (!take_number(&text, &hash->version) || !take(&text, "$"))) {
        return false;
    }
    return take(&text, "m=") && take_number(&text, &hash->memory_kibibytes) && take(&text, ",t=") &&
           take_number(&text, &hash->passes) && take(&text, ",p=") && take_number(&text, &hash->lanes) &&
           take(&text, "$") && take_base64(&text, hash->salt, &hash->salt_length) && take(&text, "$") &&
           take_base64(&text, hash->hash, &hash->hash_length) && text.length == 0;
}

const char *argon2_parse(struct text text, struct argon2_hash *hash_r)
{
    *hash_r = (struct argon2_hash){.kind = ARGON2_KIND_ID};
    if (!take_parts(text, hash_r) || hash_r->salt_length < SALT_MIN || hash_r->hash_length < HASH_MIN ||
        hash_r->memory_kibibytes / 8 < hash_r->lanes ||
        (hash_r->version != VERSION_FIRST && hash_r->version != VERSION_NOW)) {
        return malformed;
    }
    if (hash_r->memory_kibibytes > MEMORY_MAX || hash_r->lanes > LANES_MAX || argon2_cost(hash_r) > COST_MAX) {
        return "an Argon2 hash that takes more memory or time than is allowed here";
    }
    return NULL;
}

uint64_t argon2_cost(const struct argon2_hash *hash)
{
    return (uint64_t)hash->memory_kibibytes * hash->passes;
}

#ifdef HAVE_ARGON2
/* By mmap, as libscrypt does: a failure fails the sign-in, while a failure of malloc would end the process. */
static int map_memory(uint8_t **memory, size_t size)
{
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *memory = mapped != MAP_FAILED ? mapped : NULL;
    return *memory != NULL ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}

static void unmap_memory(uint8_t *memory, size_t size)
{
    munmap(memory, size);
}

bool argon2_compare(struct context *context, struct text password, const struct argon2_hash *hash, bool *matches_r)
{
    static const argon2_type types[] = {
        [ARGON2_KIND_D] = Argon2_d, [ARGON2_KIND_I] = Argon2_i, [ARGON2_KIND_ID] = Argon2_id};
    unsigned char computed[ARGON2_BYTES_MAX];
    unsigned char salt[ARGON2_BYTES_MAX];
    memcpy(salt, hash->salt, hash->salt_length);
    argon2_context parameters = {
        .out = computed,
        .outlen = (uint32_t)hash->hash_length,
        .pwd = (uint8_t *)(uintptr_t)password.data, /* only read without ARGON2_FLAG_CLEAR_PASSWORD */
        .pwdlen = (uint32_t)password.length,
        .salt = salt,
        .saltlen = (uint32_t)hash->salt_length,
        .t_cost = hash->passes,
        .m_cost = hash->memory_kibibytes,
        .lanes = hash->lanes,
        .threads = 1, /* the hash does not depend on it; the processor time of this thread is measured */
        .version = hash->version,
        .allocate_cbk = map_memory,
        .free_cbk = unmap_memory,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    *matches_r = false;
    int result = argon2_ctx(&parameters, types[hash->kind]);
    if (result == ARGON2_OK) {
        *matches_r = CRYPTO_memcmp(computed, hash->hash, hash->hash_length) == 0;
    } else {
        log_error(context, "Argon2 with %" PRIu32 " KiB of memory and %" PRIu32 " passes failed: %s",
                  hash->memory_kibibytes, hash->passes, argon2_error_message(result));
    }
    explicit_bzero(computed, sizeof computed);
    return result == ARGON2_OK;
}
#else
bool argon2_compare(struct context *context, struct text password, const struct argon2_hash *hash, bool *matches_r)
{
    (void)context;
    (void)password;
    (void)hash;
    *matches_r = false;
    return false;
}
#endif
