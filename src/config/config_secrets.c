/* config_secrets.c: see config_secrets.h. */
#include "config/config_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/safe_path.h"
#include "config/config_accounts.h"
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

/* Copies a secret, without a newline at its end, to memory that is excluded from core files. */
static struct text keep_secret(struct text content)
{
    struct text trimmed = without_line_end(content);
    char *kept = memory_secret_alloc(trimmed.length + 1);

    if (trimmed.length > 0) {
        memcpy(kept, trimmed.data, trimmed.length);
    }
    kept[trimmed.length] = '\0';
    return (struct text){kept, trimmed.length};
}

/* Reads the file of a secret; the caller wipes the content. A directive without a file gives the null text. */
static bool read_content(struct config *config, const char *directive, const char *path, struct text *content_r,
                         struct error *error)
{
    struct stat status;

    *content_r = TEXT_NULL;
    if (path[0] == '\0') {
        return true;
    }
    /* Workers have the content in their memory. So no other user may make root read another file of root's here. */
    if (config->user[0] != '\0' && !safe_path_directory(path, SAFE_PATH_WHOLE, error)) {
        return error_prefix(error, "%s (%s): ", path, directive);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        const bool is_closed = errno == EACCES && geteuid() != 0;
        error_set(error, "%s (%s): can't be read: %s%s", path, directive, strerror(errno),
                  is_closed ? "; a file that the service reads itself needs its group, and mode 0640" : "");
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
    if (!file_read_descriptor(config->arena, fd, (size_t)status.st_size, content_r)) {
        error_set(error, "%s (%s): can't be read: %s", path, directive, strerror(errno));
        goto failed;
    }
    close(fd);
    if (without_line_end(*content_r).length == 0 || memchr(content_r->data, '\0', content_r->length) != NULL) {
        error_set(error, "%s (%s): %s", path, directive,
                  without_line_end(*content_r).length == 0 ? "is empty" : "contains a NUL byte: it must be text");
        return false;
    }
    return true;

failed:
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

static void wipe_content(struct text content)
{
    if (content.length > 0) {
        explicit_bzero((void *)(uintptr_t)content.data, content.length);
    }
}

static bool read_password(struct config *config, const char *directive, const char *path, struct text *secret_r,
                          struct error *error)
{
    struct text content;

    wipe(secret_r);
    bool is_good = read_content(config, directive, secret_path(config, directive, path), &content, error);
    if (is_good && content.data != NULL) {
        *secret_r = keep_secret(content);
    }
    wipe_content(content);
    return is_good;
}

static void wipe_keys(struct secret_keys *keys)
{
    for (size_t i = 0; i < SECRET_KEYS_MAX; i++) {
        wipe(&keys->items[i]);
    }
    keys->count = 0;
}

bool config_names_secret_keys(const struct config *config)
{
    return config_line((const struct config_loaded *)config, "secret_key_file", CONFIG_SCOPE_GLOBAL) != 0;
}

const char *config_secret_key_path(struct config *config)
{
    return secret_path(config, "secret_key_file", config->secret_key_file);
}

static bool take_keys(struct secret_keys *keys, const char *path, struct text content, struct error *error)
{
    size_t number = 0;

    while (content.length > 0) {
        struct text line = without_line_end(text_take(&content, '\n'));
        number++;
        if (line.length == 0) {
            continue;
        }
        if (line.length < SECRET_KEY_MIN) {
            return error_set(
                error,
                "%s (secret_key_file): line %zu is %zu bytes long and must be %d or more: write a key with "
                "`openssl rand -base64 48`",
                path, number, line.length, (int)SECRET_KEY_MIN);
        }
        if (keys->count == SECRET_KEYS_MAX) {
            return error_set(error,
                             "%s (secret_key_file): has more than %d keys: `rosterctl secret retire' removes old ones",
                             path, (int)SECRET_KEYS_MAX);
        }
        keys->items[keys->count++] = keep_secret(line);
    }
    return keys->count > 0 || error_set(error, "%s (secret_key_file): is empty", path);
}

static bool read_keys(struct config *config, struct error *error)
{
    struct text content;
    const char *path = config_secret_key_path(config);

    wipe_keys(&config->secret_keys);
    bool is_good = read_content(config, "secret_key_file", path, &content, error) &&
                   take_keys(&config->secret_keys, path, content, error);
    wipe_content(content);
    if (!is_good) {
        wipe_keys(&config->secret_keys);
    }
    return is_good;
}

/* Writes the keys, one in a line, to a new file. */
static bool write_keys(int fd, const struct secret_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct iovec parts[] = {{(void *)(uintptr_t)keys->items[i].data, keys->items[i].length}, {(char[]){'\n'}, 1}};
        ssize_t length = (ssize_t)(parts[0].iov_len + parts[1].iov_len);
        if (writev(fd, parts, 2) != length) {
            errno = errno != 0 ? errno : EIO;
            return false;
        }
    }
    return true;
}

bool config_write_secret_keys(struct config *config, const struct secret_keys *keys, struct error *error)
{
    struct stat present;
    const char *path = config_secret_key_path(config);
    const bool is_there = stat(path, &present) == 0;
    struct file_replacement new_file;

    bool is_good = file_replace_begin(&new_file, path);
    if (is_good) {
        const int fd = new_file.descriptor;
        errno = 0;
        is_good = file_replace_end(
            &new_file, (!is_there || present.st_uid == geteuid() || fchown(fd, present.st_uid, (gid_t)-1) == 0) &&
                           (!is_there || present.st_gid == getegid() || fchown(fd, (uid_t)-1, present.st_gid) == 0) &&
                           (!is_there || fchmod(fd, present.st_mode & 07770) == 0) && write_keys(fd, keys));
    }
    return is_good || error_set(error, "%s: can't be written: %s", path, strerror(errno));
}

/* The file of an account's password: systemd's credential, or that of the directory. */
static const char *account_path(struct config *config, enum account account)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY"), *suffix = config_account_suffix(account);
    if (directory != NULL && directory[0] == '/') {
        const char *credential = text_format(config->arena, "%s/database_accounts_%s", directory, suffix).data;
        if (has_content(credential)) {
            return credential;
        }
    }
    return text_format(config->arena, "%s/%s", config->database_accounts, suffix).data;
}

bool config_load_account_secret(struct config *config, enum account account, struct error *error)
{
    struct text content;
    struct database_account *own = &config->accounts[account];
    config_accounts_loaded(config);
    wipe(&own->password);
    bool is_good = read_content(config, "database_accounts", account_path(config, account), &content, error);
    if (is_good && content.data != NULL) {
        own->password = keep_secret(content);
    }
    wipe_content(content);
    return is_good;
}

bool config_load_database_secret(struct config *config, struct error *error)
{
    for (enum account account = 0; config_has_accounts(config) && account < ACCOUNT_COUNT; account++) {
        if (!config_load_account_secret(config, account, error)) {
            return false;
        }
    }
    return config_has_accounts(config) || config_load_database_password(config, error);
}

bool config_load_database_password(struct config *config, struct error *error)
{
    return read_password(config, "database_password_file", config->database_password_file, &config->database_password,
                         error);
}

bool config_load_secrets(struct config *config, struct error *error)
{
    return read_keys(config, error) && config_load_database_secret(config, error) &&
           read_password(config, "redis_password_file", config->redis_password_file, &config->redis_password, error);
}

bool config_load_migration_secret(struct config *config, struct error *error)
{
    return read_password(config, "migration_password_file", config->migration_password_file,
                         &config->migration_password, error);
}

void config_wipe_secrets(struct config *config)
{
    wipe_keys(&config->secret_keys);
    wipe(&config->database_password);
    config_accounts_wipe(config);
    wipe(&config->redis_password);
    wipe(&config->migration_password);
}
