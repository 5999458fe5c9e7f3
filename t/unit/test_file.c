/* test_file.c: whole files, read and written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "unit.h"

static char directory[] = "/tmp/roster-file-XXXXXX";
static char path[64];

static int syncs, failing_sync; /* the calls of fsync(2), and which of them fails */

/* In place of that of the C library. */
int fsync(int descriptor)
{
    if (++syncs == failing_sync) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, descriptor);
}

static int set_up(void **state)
{
    *state = arena_new(0);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    unlink(path);
    return rmdir(directory);
}

static void assert_holds(void **state, struct text expected)
{
    struct text content;
    assert_true(file_read(*state, path, &content));
    assert_int_equal(content.length, expected.length);
    assert_memory_equal(content.data, expected.data, expected.length);
    assert_int_equal(content.data[content.length], '\0');
}

static size_t count_files(void)
{
    DIR *opened = opendir(directory);
    size_t count = 0;
    while (readdir(opened) != NULL) {
        count++;
    }
    closedir(opened);
    return count - 2; /* . and .. */
}

static void test_write(void **state)
{
    struct stat status;
    assert_true(file_write(path, TEXT("one\0two\n"), 0640));
    assert_holds(state, TEXT("one\0two\n"));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);

    assert_true(file_write(path, TEXT(""), 0600));
    assert_holds(state, TEXT(""));
    assert_int_equal(count_files(), 1);
}

/* The old file is there until the end, which needs a word that the new one is good. */
static void test_replace(void **state)
{
    struct file_replacement replacement;
    struct stat status;
    assert_true(file_write(path, TEXT("old"), 0644));
    assert_true(file_replace_begin(&replacement, path));
    assert_int_equal(fstat(replacement.descriptor, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(write(replacement.descriptor, "new", 3), 3);
    assert_holds(state, TEXT("old"));
    assert_int_equal(count_files(), 2);
    errno = EXDEV;
    assert_false(file_replace_end(&replacement, false));
    assert_int_equal(errno, EXDEV);
    assert_holds(state, TEXT("old"));
    assert_int_equal(count_files(), 1);

    assert_true(file_replace_begin(&replacement, path));
    assert_int_equal(write(replacement.descriptor, "new", 3), 3);
    assert_true(file_replace_end(&replacement, true));
    assert_holds(state, TEXT("new"));
    assert_int_equal(count_files(), 1);

    /* the content is on the disk before the name, and then the name */
    syncs = 0;
    assert_true(file_write(path, TEXT("newer"), 0600));
    assert_int_equal(syncs, 2);
    for (failing_sync = 1; failing_sync <= 2; failing_sync++) {
        syncs = 0;
        assert_false(file_write(path, TEXT("newest"), 0600));
        assert_int_equal(errno, EIO);
        assert_holds(state, failing_sync == 1 ? TEXT("newer") : TEXT("newest"));
        assert_int_equal(count_files(), 1);
    }
    failing_sync = 0;

    /* a path without a directory */
    assert_int_equal(chdir(directory), 0);
    assert_true(file_write("file", TEXT("here"), 0644));
    assert_int_equal(chdir("/"), 0);
    assert_holds(state, TEXT("here"));
}

/* A directory can't be replaced by a file. */
static void test_write_fails(void **state)
{
    char within[96];
    (void)state;
    snprintf(within, sizeof within, "%s/no-such/file", directory);
    assert_false(file_write(within, TEXT("x"), 0644));
    assert_int_equal(errno, ENOENT);

    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_false(file_write(path, TEXT("x"), 0644));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(count_files(), 0);
}

static void test_read_fails(void **state)
{
    enum { MAX = 16 * 1024 * 1024 };
    struct text content;
    unlink(path);
    assert_false(file_read(*state, path, &content));
    assert_int_equal(errno, ENOENT);
    assert_false(file_read(*state, directory, &content));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mkfifo(path, 0600), 0); /* it waits for nobody to write */
    assert_false(file_read(*state, path, &content));
    assert_int_equal(errno, EINVAL);
    unlink(path);

    assert_true(file_write(path, TEXT("x"), 0600));
    assert_int_equal(truncate(path, MAX), 0);
    assert_true(file_read(*state, path, &content));
    assert_int_equal(content.length, MAX);
    assert_int_equal(truncate(path, MAX + 1), 0);
    assert_false(file_read(*state, path, &content));
    assert_int_equal(errno, EFBIG);
}

static void test_read_descriptor(void **state)
{
    struct text content;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    assert_true(file_read_descriptor(*state, ends[0], 3, &content));
    assert_int_equal(content.length, 3);
    assert_string_equal(content.data, "abc");
    assert_int_equal(close(ends[0]), 0);

    assert_true(file_write(path, TEXT("abcd"), 0600));
    int file = open(path, O_RDONLY);
    assert_false(file_read_descriptor(*state, file, 3, &content));
    assert_int_equal(errno, EFBIG);
    close(file);
    assert_false(file_read_descriptor(*state, file, 3, &content));
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),      cmocka_unit_test(test_replace),         cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_read_fails), cmocka_unit_test(test_read_descriptor),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
