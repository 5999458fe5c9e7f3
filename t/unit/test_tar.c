/* test_tar.c: archives as we write them, and everything that can be wrong with one. t/e2e/63-backup.t has tar(1) read
 * ours, and write some for us. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/array.h"
#include "base/tar.h"
#include "unit.h"

/* A file without a name. */
static int file_of(const char *bytes, size_t length)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int descriptor = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    fclose(file);
    assert_int_equal(write(descriptor, bytes, length), (ssize_t)length);
    return descriptor;
}

static enum tar_step step_of(const char *bytes, size_t length, struct tar_entry *entry_r)
{
    int64_t offset = 0;
    int descriptor = file_of(bytes, length);
    enum tar_step step = tar_next(descriptor, &offset, entry_r);
    close(descriptor);
    return step;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 511, 512, 513, 1000};
    static char archive[16 * TAR_BLOCK];
    char name[TAR_NAME_MAX + 1];
    struct tar_entry entry;
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        snprintf(name, sizeof name, "directory/file%zu", i);
        tar_header(archive + length, name, sizes[i], 0600, 1800000000);
        memset(archive + length + TAR_BLOCK, 'a' + (int)i, (size_t)sizes[i]);
        length += TAR_BLOCK + (size_t)sizes[i] + tar_padding(sizes[i]);
    }
    length += 2 * TAR_BLOCK;
    assert_true(length <= sizeof archive);
    int descriptor = file_of(archive, length);
    int64_t offset = 0;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        char byte = '\0';
        snprintf(name, sizeof name, "directory/file%zu", i);
        assert_int_equal(tar_next(descriptor, &offset, &entry), TAR_ENTRY);
        assert_string_equal(entry.name, name);
        assert_int_equal(entry.size, sizes[i]);
        if (sizes[i] > 0) {
            assert_int_equal(pread(descriptor, &byte, 1, entry.offset + sizes[i] - 1), 1);
            assert_int_equal(byte, 'a' + (int)i);
        }
    }
    assert_int_equal(tar_next(descriptor, &offset, &entry), TAR_END);
    close(descriptor);
}

static void test_names_and_sizes(void **state)
{
    (void)state;
    static char archive[3 * TAR_BLOCK];
    char name[TAR_NAME_MAX + 1];
    struct tar_entry entry;
    memset(name, 'n', TAR_NAME_MAX);
    name[TAR_NAME_MAX] = '\0';
    tar_header(archive, name, 0, 0600, -1);
    assert_int_equal(step_of(archive, sizeof archive, &entry), TAR_ENTRY);
    assert_string_equal(entry.name, name);
    tar_header(archive, "x", TAR_SIZE_MAX, 0777, TAR_SIZE_MAX);
    assert_int_equal(step_of(archive, sizeof archive, &entry), TAR_CUT);
}

/* Sets bytes of a header, and its checksum anew. */
static void patch(char *header, size_t at, const char *bytes, size_t length)
{
    char sum[8];
    unsigned total = 0;
    memcpy(header + at, bytes, length);
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        total += (unsigned char)header[i];
    }
    snprintf(sum, sizeof sum, "%06o", total);
    memcpy(header + 148, sum, 7);
}

static void test_bad_headers(void **state)
{
    (void)state;
    static char archive[3 * TAR_BLOCK];
    struct tar_entry entry;
    static const struct {
        size_t at;
        const char *bytes;
        size_t length;
    } bad[] = {
        {156, "5", 1},                         /* a directory */
        {156, "L", 1},                         /* a long name of GNU's */
        {257, "xstar", 5},                     /* another form */
        {345, "prefix", 6},                    /* a name in two parts */
        {124, "99999999999", 11},              /* no octal number */
        {124, "           ", 11},              /* none at all */
        {124, "-0000000001", 11},              /* less than nothing */
        {124, "\200\0\0\0\0\0\0\0\0\1\0", 11}, /* binary, as GNU's */
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        tar_header(archive, "file", 5, 0600, 0);
        assert_int_equal(step_of(archive, sizeof archive, &entry), TAR_ENTRY);
        patch(archive, bad[i].at, bad[i].bytes, bad[i].length);
        assert_int_equal(step_of(archive, sizeof archive, &entry), TAR_BROKEN);
    }
    /* Each byte of the header counts. */
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        if (i >= 148 && i < 156) {
            continue; /* the sum: more than one form of a number is read */
        }
        tar_header(archive, "file", 5, 0600, 0);
        archive[i] = (char)(archive[i] + 1);
        assert_int_equal(step_of(archive, sizeof archive, &entry), TAR_BROKEN);
    }
}

static void test_the_end(void **state)
{
    (void)state;
    static char archive[3 * TAR_BLOCK];
    struct tar_entry entry;
    tar_header(archive, "file", 512, 0600, 0);
    for (size_t length = 0; length < 2 * TAR_BLOCK; length += 64) {
        assert_int_equal(step_of(archive, length, &entry), TAR_CUT);
    }
    assert_int_equal(step_of(archive, 2 * TAR_BLOCK, &entry), TAR_ENTRY);
    memset(archive, 0, sizeof archive);
    assert_int_equal(step_of(archive, 2 * TAR_BLOCK, &entry), TAR_END);
    assert_int_equal(step_of(archive, TAR_BLOCK, &entry), TAR_CUT);
    archive[TAR_BLOCK] = 'x'; /* one block of zeros, and something else */
    assert_int_equal(step_of(archive, 2 * TAR_BLOCK, &entry), TAR_BROKEN);
    int64_t offset = 0;
    assert_int_equal(tar_next(-1, &offset, &entry), TAR_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_names_and_sizes),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_the_end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
