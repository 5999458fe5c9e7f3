/* config_secrets.c: see config_secrets.h. */
#include "config/config_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/safe_path.h"
#include "config/config_table.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum {
    SECRET_MAX = 65536, /* bytes of a file with a secret */
    SECRET_KEY_MIN = 32 /* RFC 7518, 3.2: as long as SHA-256's output */
};

static void wipe(struct text *secret)
{
    memory_secret_free((void *)(uintptr_t)secret->data);
    *secret = TEXT_NULL;
}

/* The default file of a directive: database_password_file -> SYSCONFDIR/roster/database.password.
 * "" where it does not exist. */
static const char *default_secret_path(struct config *config, const char *directive, size_t stem)
{
    size_t word = strcspn(directive, "_");
    const char *path = text_format(config->arena, "%s/roster/%.*s.%.*s", SYSCONFDIR, (int)word, directive,
                                   (int)(stem - word - 1), directive + word + 1)
                           .data;

    return access(path, F_OK) == 0 ? path : "";
}

/* True for a credential that is not empty. The unit's SetCredential= replaces a missing file by an empty line, as
 * systemd requires a value. */
static bool has_content(const char *path)
{
    char bytes[2];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;

    if (fd >= 0) {
        close(fd);
    }
    return got > 1 || (got == 1 && bytes[0] != '\n');
}

/* The file of a secret: that of the directive; if it is not set, systemd's credential of the same name, else the
 * default file. */
static const char *secret_path(struct config *config, const char *directive, const char *path)
{
    const struct config_loaded *loaded = (const struct config_loaded *)config;
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t stem = strlen(directive) - strlen("_file");

    if (config_line(loaded, directive, CONFIG_SCOPE_GLOBAL) != 0) {
        return path;
    }
    if (directory != NULL && directory[0] == '/') {
        const char *credential = text_format(config->arena, "%s/%.*s", directory, (int)stem, directive).data;
        if (has_content(credential)) {
            return credential;
        }
    }
    return path[0] != '\0' ? path : default_secret_path(config, directive, stem);
}

static struct text without_line_end(struct text content)
{
    if (content.length > 0 && content.data[content.length - 1] == '\n') {
        content.length--;
    }
    if (content.length > 0 && content.data[content.length - 1] == '\r') {
        content.length--;
    }
    return content;
}

/* Moves a secret, without a newline at its end, to memory that is excluded from core files. */
static struct text keep_secret(struct text content)
{
    struct text trimmed = without_line_end(content);
    char *kept = memory_secret_alloc(trimmed.length + 1);

    if (trimmed.length > 0) {
        memcpy(kept, trimmed.data, trimmed.length);
    }
    kept[trimmed.length] = '\0';
    if (content.length > 0) {
        explicit_bzero((void *)(uintptr_t)content.data, content.length);
    }
    return (struct text){kept, trimmed.length};
}

static bool read_secret(struct config *config, const char *directive, const char *path, size_t min,
                        struct text *secret_r, struct error *error)
{
    struct text content;
    struct stat status;

    wipe(secret_r);
    path = secret_path(config, directive, path);
    if (path[0] == '\0') {
        return true;
    }
    /* Workers have the content in their memory. So no other user may make root read another file of root's here. */
    if (config->user[0] != '\0' && !safe_path_directory(path, SAFE_PATH_WHOLE, error)) {
        return error_prefix(error, "%s (%s): ", path, directive);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set(error, "%s (%s): can't be read: %s", path, directive, strerror(errno));
        goto failed;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > SECRET_MAX) {
        error_set(error, "%s (%s): must be a regular file of at most %d bytes", path, directive, (int)SECRET_MAX);
        goto failed;
    }
    if ((status.st_mode & 0007) != 0) {
        error_set(error, "%s (%s): others may read or change it (mode %04o): run chmod 0640 on it", path, directive,
                  (unsigned)(status.st_mode & 07777));
        goto failed;
    }
    if (!file_read_descriptor(config->arena, fd, (size_t)status.st_size, &content)) {
        error_set(error, "%s (%s): can't be read: %s", path, directive, strerror(errno));
        goto failed;
    }
    *secret_r = keep_secret(content);
    if (secret_r->length == 0 || memchr(secret_r->data, '\0', secret_r->length) != NULL) {
        error_set(error, "%s (%s): %s", path, directive,
                  secret_r->length == 0 ? "is empty" : "contains a NUL byte: it must be text");
        goto failed;
    }
    if (secret_r->length < min) {
        error_set(error, "%s (%s): is %zu bytes long and must be %zu or more: write one with `openssl rand -base64 48`",
                  path, directive, secret_r->length, min);
        goto failed;
    }
    close(fd);
    return true;

failed:
    wipe(secret_r);
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

bool config_load_secrets(struct config *config, struct error *error)
{
    return read_secret(config, "secret_key_file", config->secret_key_file, SECRET_KEY_MIN, &config->secret_key,
                       error) &&
           read_secret(config, "database_password_file", config->database_password_file, 1, &config->database_password,
                       error) &&
           read_secret(config, "redis_password_file", config->redis_password_file, 1, &config->redis_password, error);
}

bool config_load_migration_secret(struct config *config, struct error *error)
{
    return read_secret(config, "migration_password_file", config->migration_password_file, 1,
                       &config->migration_password, error);
}

void config_wipe_secrets(struct config *config)
{
    wipe(&config->secret_key);
    wipe(&config->database_password);
    wipe(&config->redis_password);
    wipe(&config->migration_password);
}
