/* redis_grants.c: see redis_grants.h. */
#include "store/redis_grants.h"

#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "config/config.h"

static const struct {
    const char *command, *part;
} commands[] = {
#define REDIS_COMMAND(command, part, text) {command, part},
#include "tables/redis.def"
};

static const char *const channels[] = {
#define REDIS_CHANNEL(name) name,
#include "tables/redis.def"
};

static void add_lower(struct buffer *buffer, const char *word)
{
    for (; *word != '\0'; word++) {
        buffer_add_byte(buffer, ascii_to_lower(*word));
    }
}

/* Patterns are globs. */
static void add_literally(struct buffer *buffer, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("*?[]\\^-", *text) != NULL && *text != '-') {
            buffer_add_byte(buffer, '\\');
        }
        buffer_add_byte(buffer, *text);
    }
}

struct text redis_grants(struct context *context)
{
    const struct config *config = context->config;
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    buffer_add_format(&buffer, "ACL SETUSER %s reset on #", config->redis_user);
    buffer_add_text(&buffer, digest_sha256(context->arena, config->redis_password));
    buffer_add_literal(&buffer, " ~");
    add_literally(&buffer, config->redis_prefix);
    buffer_add_literal(&buffer, ":*");
    for (size_t i = 0; i < ARRAY_COUNT(channels); i++) {
        buffer_add_format(&buffer, " &%s", channels[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        buffer_add_literal(&buffer, " +");
        add_lower(&buffer, commands[i].command);
        buffer_add_string(&buffer, commands[i].part[0] != '\0' ? "|" : "");
        add_lower(&buffer, commands[i].part);
    }
    buffer_add_byte(&buffer, '\n');
    return buffer_text(&buffer);
}
