/* config_read.c: see config_read.h. */
#include "config/config_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "config/config_check.h"
#include "config/config_parse.h"
#include "config/config_secrets.h"
#include "config/config_table.h"
#include "config/config_value.h"

enum { FILE_MAX = 1048576 }; /* bytes of roster.conf */

static bool read_file(const char *path, struct arena *arena, struct text *content_r, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && file_read_descriptor(arena, fd, FILE_MAX, content_r);

    if (!is_read) {
        error_set(error, "%s: can't be read: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return is_read;
}

static void set_defaults(struct config *config)
{

    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        if (directive->name == NULL) {
            continue;
        }
        for (unsigned scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
            if (directive->is_pool == (scope != CONFIG_SCOPE_GLOBAL)) {
                invariant(config_value_parse(config->arena, directive, text_of(config_default(directive, scope)),
                                             config_slot(config, directive, scope), NULL));
            }
        }
    }
}

struct config *config_read(const char *path, struct error *error)
{
    struct arena *file_arena = arena_new(0), *arena = arena_new(0);
    struct config_loaded *loaded = arena_zero(arena, 1, sizeof *loaded);
    struct config *config = NULL;
    struct text content;
    unsigned line = 0;

    loaded->config.arena = arena;
    loaded->config.path = text_to_string(arena, text_of(path));
    set_defaults(&loaded->config);
    if (!read_file(path, file_arena, &content, error)) {
        goto out;
    }
    if (config_parse(loaded, content, &line, error) && config_check(loaded, &line, error)) {
        config = &loaded->config;
    } else if (line > 0) {
        error_prefix(error, "%s:%u: ", path, line);
    } else {
        error_prefix(error, "%s: ", path);
    }

out:
    if (config == NULL) {
        arena_free(arena);
    }
    arena_free(file_arena);
    return config;
}

void config_free(struct config *config)
{
    if (config != NULL) {
        config_wipe_secrets(config);
        arena_free(config->arena);
    }
}

bool config_uses_identity_cache(const struct config *config)
{
    return config->identity_cache > 0 && config->database_host.count <= 1;
}
