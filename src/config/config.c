/* config.c: reading roster.conf and the secrets that it names, printing and comparing what is in force. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_internal.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum {
    FILE_MOST = 1048576,  /* bytes of roster.conf */
    SECRET_MOST = 65536,  /* bytes of a file with a secret */
    SECRET_KEY_LEAST = 32 /* RFC 7518, 3.2: as long as SHA-256's output */
};

/* The last message, until the next call. */
static char error_text[6144];

static void __attribute__((format(printf, 1, 2))) set_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error_text, sizeof error_text, format, arguments);
    va_end(arguments);
}

/* Reads at most `most` bytes into the arena. False with errno set; EFBIG where there is more. */
static bool read_fd(struct arena *arena, int fd, size_t most, struct text *content_r)
{
    char *data = arena_alloc(arena, most + 1);
    size_t length = 0;
    ssize_t got;

    while (length <= most) {
        got = read(fd, data + length, most + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *content_r = (struct text){data, length};
    errno = EFBIG;
    return length <= most;
}

static bool read_file(const char *path, struct arena *arena, struct text *content_r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && read_fd(arena, fd, FILE_MOST, content_r);

    if (!is_read)
        set_error("%.4096s: can't be read: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return is_read;
}

static void set_defaults(struct config *config)
{
    struct config_message message;
    const struct config_field *field;
    unsigned scope;
    size_t i;

    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        field = &config_fields[i];
        if (field->row.name == NULL)
            continue;
        for (scope = 0; scope < CONFIG_SCOPE_COUNT; scope++)
            if (field->row.is_pool == (scope != CONFIG_SCOPE_GLOBAL))
                invariant(config_value_parse(config->arena, field, text_of(config_default(field, scope)),
                                             config_slot(config, field, scope), &message));
    }
}

struct config *config_read(const char *path, const char **error_r)
{
    struct arena *file_arena = arena_new(0), *arena = arena_new(0);
    struct config_loaded *loaded = arena_zero(arena, 1, sizeof *loaded);
    struct config_message message;
    struct config *config = NULL;
    struct text content;
    unsigned line = 0;

    loaded->config.arena = arena;
    loaded->config.path = text_to_string(arena, text_of(path));
    set_defaults(&loaded->config);
    if (!read_file(path, file_arena, &content))
        goto out;
    if (config_parse(loaded, content, &line, &message) && config_check(loaded, &line, &message))
        config = &loaded->config;
    else if (line > 0)
        set_error("%.4096s:%u: %s", path, line, message.text);
    else
        set_error("%.4096s: %s", path, message.text);

out:
    if (config == NULL) {
        *error_r = error_text;
        arena_free(arena);
    }
    arena_free(file_arena);
    return config;
}

/* Secrets. */

static void wipe(struct text *secret)
{
    if (secret->data != NULL)
        explicit_bzero((void *)(uintptr_t)secret->data, secret->length);
    *secret = (struct text){NULL, 0};
}

/* The file of a directive that is not set, where there is one: database_password_file -> SYSCONFDIR/roster/database.password. */
static const char *default_secret_path(struct config *config, const char *directive, size_t stem)
{
    size_t word = strcspn(directive, "_");
    const char *path = text_format(config->arena, "%s/roster/%.*s.%.*s", SYSCONFDIR, (int)word, directive,
                                   (int)(stem - word - 1), directive + word + 1).data;

    return access(path, F_OK) == 0 ? path : "";
}

/* True for a credential with something in it. The unit's SetCredential= stands in for a file that is not there; systemd wants a
 * value for it, which is an empty line. */
static bool has_content(const char *path)
{
    char bytes[2];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;

    if (fd >= 0)
        close(fd);
    return got > 1 || (got == 1 && bytes[0] != '\n');
}

/* The file that a secret comes from: the directive's; where that is not set, systemd's credential of the same name, or
 * else the default file. */
static const char *secret_path(struct config *config, const char *directive, const char *path)
{
    const struct config_loaded *loaded = (const struct config_loaded *)config;
    const char *directory = getenv("CREDENTIALS_DIRECTORY"), *credential;
    size_t stem = strlen(directive) - strlen("_file");

    if (loaded->lines[CONFIG_SCOPE_GLOBAL][config_field_index(config_find(text_of(directive)))] != 0)
        return path;
    if (directory != NULL && directory[0] == '/') {
        credential = text_format(config->arena, "%s/%.*s", directory, (int)stem, directive).data;
        if (has_content(credential))
            return credential;
    }
    return path[0] != '\0' ? path : default_secret_path(config, directive, stem);
}

/* One line end at the end does not count. */
static struct text without_line_end(struct text content)
{
    if (content.length > 0 && content.data[content.length - 1] == '\n')
        content.length--;
    if (content.length > 0 && content.data[content.length - 1] == '\r')
        content.length--;
    return content;
}

static bool read_secret(struct config *config, const char *directive, const char *path, size_t least,
                        struct text *secret_r)
{
    struct text content;
    struct stat status;
    int fd = -1;

    wipe(secret_r);
    path = secret_path(config, directive, path);
    if (path[0] == '\0')
        return true;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        set_error("%.4096s (%s): can't be read: %s", path, directive, strerror(errno));
        goto failed;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > SECRET_MOST) {
        set_error("%.4096s (%s): must be a file of at most %d bytes", path, directive, (int)SECRET_MOST);
        goto failed;
    }
    if ((status.st_mode & 0007) != 0) {
        set_error("%.4096s (%s): others may read or change it (mode %04o): run chmod 0640 on it", path, directive,
                  (unsigned)(status.st_mode & 07777));
        goto failed;
    }
    if (!read_fd(config->arena, fd, (size_t)status.st_size, &content)) {
        set_error("%.4096s (%s): can't be read: %s", path, directive, strerror(errno));
        goto failed;
    }
    *secret_r = without_line_end(content);
    if (secret_r->length == 0 || memchr(secret_r->data, '\0', secret_r->length) != NULL) {
        set_error("%.4096s (%s): %s", path, directive,
                  secret_r->length == 0 ? "is empty" : "holds a zero byte: write text into it");
        goto failed;
    }
    if (secret_r->length < least) {
        set_error("%.4096s (%s): is %zu bytes long and must be %zu or more: write one with `openssl rand -base64 48`",
                  path, directive, secret_r->length, least);
        goto failed;
    }
    close(fd);
    return true;

failed:
    wipe(secret_r);
    if (fd >= 0)
        close(fd);
    return false;
}

bool config_load_secrets(struct config *config, const char **error_r)
{
    *error_r = error_text;
    return read_secret(config, "secret_key_file", config->secret_key_file, SECRET_KEY_LEAST, &config->secret_key) &&
           read_secret(config, "database_password_file", config->database_password_file, 1,
                       &config->database_password) &&
           read_secret(config, "redis_password_file", config->redis_password_file, 1, &config->redis_password);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    wipe(&config->secret_key);
    wipe(&config->database_password);
    wipe(&config->redis_password);
    arena_free(config->arena);
}

/* Printing and comparing. */

static void dump_scope(const struct config *config, FILE *out, unsigned scope)
{
    char *value;
    size_t i;

    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_field *field = &config_fields[i];
        if (field->row.name == NULL || field->row.is_pool != (scope != CONFIG_SCOPE_GLOBAL))
            continue;
        value = config_value_to_string(field, config_slot_const(config, field, scope));
        fprintf(out, "%s = ", field->row.name);
        config_print_quoted(out, value);
        putc('\n', out);
        free(value);
    }
}

void config_dump(const struct config *config, FILE *out)
{
    unsigned pool;

    dump_scope(config, out, CONFIG_SCOPE_GLOBAL);
    for (pool = 0; pool < POOL_COUNT; pool++) {
        fprintf(out, "\n[%s]\n", pool_names[pool]);
        dump_scope(config, out, pool);
    }
}

static bool differs(const struct config_field *field, const struct config *left, const struct config *right,
                    unsigned scope)
{
    char *left_value = config_value_to_string(field, config_slot_const(left, field, scope));
    char *right_value = config_value_to_string(field, config_slot_const(right, field, scope));
    bool result = strcmp(left_value, right_value) != 0;

    free(left_value);
    free(right_value);
    return result;
}

void config_compare_restart(const struct config *old_config, const struct config *new_config,
                            void (*report)(const char *directive, void *argument), void *argument)
{
    char name[80];
    unsigned scope;
    size_t i;

    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_field *field = &config_fields[i];
        if (field->row.name == NULL || !field->row.needs_restart)
            continue;
        for (scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
            if (field->row.is_pool != (scope != CONFIG_SCOPE_GLOBAL) || !differs(field, old_config, new_config, scope))
                continue;
            if (field->row.is_pool)
                snprintf(name, sizeof name, "%s of [%s]", field->row.name, pool_names[scope]);
            else
                snprintf(name, sizeof name, "%s", field->row.name);
            report(name, argument);
        }
    }
}
