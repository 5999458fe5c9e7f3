/* tar.c: see tar.h. */
#include "base/tar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* A header; each number is in octal digits. */
struct header {
    char name[TAR_NAME_MAX];
    char mode[8], uid[8], gid[8];
    char size[12], changed_at[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32];
    char major[8], minor[8];
    char prefix[155];
    char rest[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

/* The sum of all bytes, with spaces in place of the sum itself. */
static unsigned sum_of(const struct header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        const bool is_own = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);
        sum += is_own ? ' ' : bytes[i];
    }
    return sum;
}

void tar_header(char block_r[static TAR_BLOCK], const char *name, int64_t size, mode_t mode, int64_t changed_at)
{
    struct header header;
    const size_t length = strlen(name);
    invariant(length > 0 && length <= TAR_NAME_MAX && size >= 0 && size <= TAR_SIZE_MAX);
    memset(&header, 0, sizeof header);
    memcpy(header.name, name, length);
    snprintf(header.mode, sizeof header.mode, "%07o", (unsigned)(mode & 07777));
    snprintf(header.uid, sizeof header.uid, "%07o", 0U);
    snprintf(header.gid, sizeof header.gid, "%07o", 0U);
    snprintf(header.size, sizeof header.size, "%011llo", (unsigned long long)size);
    snprintf(header.changed_at, sizeof header.changed_at, "%011llo",
             (unsigned long long)(changed_at >= 0 && changed_at <= TAR_SIZE_MAX ? changed_at : 0));
    header.type = '0';
    memcpy(header.magic, "ustar", sizeof header.magic);
    memcpy(header.version, "00", sizeof header.version);
    snprintf(header.user, sizeof header.user, "root");
    snprintf(header.group, sizeof header.group, "root");
    snprintf(header.checksum, sizeof header.checksum, "%06o", sum_of(&header));
    header.checksum[7] = ' ';
    memcpy(block_r, &header, TAR_BLOCK);
}

size_t tar_padding(int64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* Digits up to a space or a NUL. -1: something else. */
static int64_t read_octal(const char *digits, size_t length)
{
    int64_t number = 0;
    size_t at = 0;
    while (at < length && digits[at] >= '0' && digits[at] <= '7') {
        number = number * 8 + (digits[at++] - '0');
    }
    return at > 0 && (at == length || digits[at] == ' ' || digits[at] == '\0') ? number : -1;
}

static bool is_zero(const struct header *header)
{
    static const struct header zero;
    return memcmp(header, &zero, sizeof zero) == 0;
}

/* TAR_ENTRY: the block was read. */
static enum tar_step read_block(int descriptor, int64_t offset, struct header *header_r)
{
    char *bytes = (char *)header_r;
    for (size_t length = 0; length < TAR_BLOCK;) {
        ssize_t got = pread(descriptor, bytes + length, TAR_BLOCK - length, (off_t)(offset + (int64_t)length));
        if (got < 0 && errno != EINTR) {
            return TAR_ERROR;
        }
        if (got == 0) {
            return TAR_CUT;
        }
        length += got > 0 ? (size_t)got : 0;
    }
    return TAR_ENTRY;
}

enum tar_step tar_next(int descriptor, int64_t *offset, struct tar_entry *entry_r)
{
    struct header header;
    struct stat status;
    enum tar_step step = read_block(descriptor, *offset, &header);
    if (step == TAR_ENTRY && is_zero(&header)) {
        step = read_block(descriptor, *offset + TAR_BLOCK, &header);
        return step != TAR_ENTRY ? step : is_zero(&header) ? TAR_END : TAR_BROKEN;
    }
    if (step != TAR_ENTRY) {
        return step;
    }
    if (memcmp(header.magic, "ustar", 5) != 0 ||
        read_octal(header.checksum, sizeof header.checksum) != (int64_t)sum_of(&header) ||
        (header.type != '0' && header.type != '\0') || header.prefix[0] != '\0') {
        return TAR_BROKEN;
    }
    *entry_r = (struct tar_entry){.offset = *offset + TAR_BLOCK, .size = read_octal(header.size, sizeof header.size)};
    memcpy(entry_r->name, header.name, TAR_NAME_MAX);
    if (entry_r->size < 0 || fstat(descriptor, &status) != 0) {
        return entry_r->size < 0 ? TAR_BROKEN : TAR_ERROR;
    }
    if (entry_r->offset + entry_r->size > (int64_t)status.st_size) {
        return TAR_CUT;
    }
    *offset = entry_r->offset + entry_r->size + (int64_t)tar_padding(entry_r->size);
    return TAR_ENTRY;
}
