/* test_safe_path.c: the walk to a path: names, links, "..", what is missing. Whose directories are refused is looked at
 * from outside in t/e2e/14-root.t. For anybody but root all is safe, so there the same calls are all true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "unit.h"

static char top[64]; /* of root's, 0755 */

static const char *in_top(const char *rest)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", top, rest);
    return path;
}

static void make_file(const char *path, mode_t mode)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_top(void **state)
{
    (void)state;
    strcpy(top, "/tmp/roster-safe-path-XXXXXX");
    if (mkdtemp(top) == NULL || chmod(top, 0755) != 0 || chdir(top) != 0) {
        return -1;
    }
    mkdir(in_top("good"), 0755);
    mkdir(in_top("open"), 0777);
    chmod(in_top("open"), 0777);
    mkdir(in_top("open/inner"), 0755);
    mkdir(in_top("sticky"), 0777);
    chmod(in_top("sticky"), 01777);
    mkdir(in_top("sticky/inner"), 0755);
    return 0;
}

static int remove_top(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", top);
    return chdir("/") == 0 ? system(command) : -1;
}

/* What it says of a directory: NULL where it is safe. */
static const char *directory(const char *path, enum safe_path_depth depth)
{
    static struct error error;
    return safe_path_directory(path, depth, &error) ? NULL : error.text;
}

/* For root the text that says why, which holds `part`; for others nothing is refused. */
static void assert_refused(const char *error, const char *part)
{
    if (geteuid() != 0) {
        assert_null(error);
        return;
    }
    assert_non_null(error);
    if (strstr(error, part) == NULL) {
        fail_msg("'%s' does not say '%s'", error, part);
    }
}

static void test_directories(void **state)
{
    (void)state;
    assert_null(directory(in_top("good/x"), SAFE_PATH_WHOLE));
    assert_null(directory(in_top("x"), SAFE_PATH_WHOLE)); /* within /tmp, which is sticky */
    assert_null(directory("/x", SAFE_PATH_WHOLE));
    assert_refused(directory(in_top("open/x"), SAFE_PATH_DIRECTORY), "may write to the directory");
    assert_refused(directory(in_top("sticky/x"), SAFE_PATH_DIRECTORY), "(mode 1777)");
    assert_null(directory(in_top("open/inner/x"), SAFE_PATH_DIRECTORY));
    assert_refused(directory(in_top("open/inner/x"), SAFE_PATH_WHOLE), "/open (mode 0777)");
    assert_null(directory(in_top("sticky/inner/x"), SAFE_PATH_WHOLE));
    assert_refused(directory(in_top("nowhere/x"), SAFE_PATH_WHOLE), "/nowhere: No such file");
    make_file(in_top("good/file"), 0644);
    assert_refused(directory(in_top("good/file/x"), SAFE_PATH_WHOLE), "is not a directory");
}

static void test_names(void **state)
{
    (void)state;
    assert_null(directory("x", SAFE_PATH_WHOLE)); /* of where we are */
    assert_null(directory("good/x", SAFE_PATH_WHOLE));
    assert_null(directory("./good//./x", SAFE_PATH_WHOLE));
    assert_null(directory("good/../x", SAFE_PATH_WHOLE));
    assert_refused(directory("good/../open/x", SAFE_PATH_WHOLE), "may write to the directory");
    assert_refused(directory("open/../good/x", SAFE_PATH_WHOLE), "/open (mode 0777)");
    assert_null(directory("../../../../../../x", SAFE_PATH_WHOLE)); /* above / is / */
    static char deep[9000];                                         /* more than any path may have */
    memset(deep, 'x', sizeof deep - 3);
    memcpy(deep + sizeof deep - 3, "/y", 3);
    assert_refused(directory(deep, SAFE_PATH_WHOLE), "x");
}

static void test_links(void **state)
{
    (void)state;
    assert_int_equal(symlink("good", in_top("to-good")), 0);
    assert_int_equal(symlink(in_top("good"), in_top("absolute")), 0);
    assert_int_equal(symlink("to-good/../absolute", in_top("twice")), 0);
    assert_int_equal(symlink("../open/inner", in_top("good/to-open")), 0);
    assert_int_equal(symlink("loop", in_top("loop")), 0);
    assert_null(directory(in_top("to-good/x"), SAFE_PATH_WHOLE));
    assert_null(directory(in_top("absolute/x"), SAFE_PATH_WHOLE));
    assert_null(directory(in_top("twice/x"), SAFE_PATH_WHOLE));
    assert_refused(directory(in_top("good/to-open/x"), SAFE_PATH_WHOLE), "/open (mode 0777)");
    assert_null(directory(in_top("good/to-open/x"), SAFE_PATH_DIRECTORY));
    assert_refused(directory(in_top("loop/x"), SAFE_PATH_WHOLE), "Too many levels");
    /* Where others may put a link, it is good only if it is root's. */
    assert_int_equal(symlink("../good", in_top("sticky/link")), 0);
    assert_null(directory(in_top("sticky/link/x"), SAFE_PATH_WHOLE));
    if (geteuid() == 0) {
        assert_int_equal(lchown(in_top("sticky/link"), 1, 1), 0);
    }
    assert_refused(directory(in_top("sticky/link/x"), SAFE_PATH_WHOLE), "is a symbolic link of");
}

static const char *file(const char *path, enum safe_path_depth depth)
{
    static struct error error;
    return safe_path_file(path, depth, &error) ? NULL : error.text;
}

static void test_files(void **state)
{
    (void)state;
    make_file(in_top("good/own"), 0644);
    make_file(in_top("good/group"), 0664);
    make_file(in_top("open/own"), 0644);
    make_file(in_top("sticky/own"), 0600);
    assert_null(file(in_top("good/own"), SAFE_PATH_WHOLE));
    assert_refused(file(in_top("good/group"), SAFE_PATH_DIRECTORY), "is writable by users other than root");
    assert_refused(file(in_top("open/own"), SAFE_PATH_DIRECTORY), "may write to the directory");
    assert_null(file(in_top("sticky/own"), SAFE_PATH_WHOLE));
    assert_refused(file(in_top("good/nowhere"), SAFE_PATH_WHOLE), "/nowhere: No such file");
    assert_int_equal(symlink("good/group", in_top("to-group")), 0);
    assert_refused(file(in_top("to-group"), SAFE_PATH_WHOLE), "is writable by users other than root");
    if (geteuid() == 0) {
        assert_int_equal(chown(in_top("good/own"), 1, 0), 0);
    }
    assert_refused(file(in_top("good/own"), SAFE_PATH_DIRECTORY), "does not belong to root");
}

static void test_making(void **state)
{
    (void)state;
    struct stat status;
    mode_t mask = umask(0077);
    assert_true(safe_path_make_directory(in_top("good/new/x"), NULL));
    assert_int_equal(umask(mask), 0077);
    assert_int_equal(stat(in_top("good/new"), &status), geteuid() == 0 ? 0 : -1);
    if (geteuid() == 0) {
        assert_int_equal(status.st_mode & 07777, 0755);
    }
    assert_true(safe_path_make_directory(in_top("good/new/x"), NULL)); /* is there */
    /* One level alone, and nowhere where others may write. */
    assert_true(safe_path_make_directory(in_top("good/one/two/x"), NULL));
    assert_int_equal(access(in_top("good/one"), F_OK), -1);
    assert_true(safe_path_make_directory(in_top("open/new/x"), NULL));
    assert_int_equal(access(in_top("open/new"), F_OK), -1);
}

/* The directory of systemd's credentials belongs to the user of the service, but is a mount that nobody writes to. */
static void test_credentials(void **state)
{
    (void)state;
    char command[512];
    const char *sealed = in_top("sealed");
    assert_int_equal(mkdir(sealed, 0755), 0);
    snprintf(command, sizeof command, "mount -t tmpfs -o mode=0500,uid=65534 none %s 2>/dev/null", sealed);
    if (geteuid() != 0 || system(command) != 0) {
        skip(); /* only root mounts, and not everywhere */
    }
    assert_refused(directory(in_top("sealed/secret_key"), SAFE_PATH_WHOLE), "sealed belongs to ");
    snprintf(command, sizeof command, "mount -o remount,ro %s", sealed);
    int failed = system(command);
    const char *error = directory(in_top("sealed/secret_key"), SAFE_PATH_WHOLE);
    snprintf(command, sizeof command, "umount -l %s", sealed);
    assert_int_equal(system(command), 0);
    assert_int_equal(failed, 0);
    assert_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories), cmocka_unit_test(test_names),  cmocka_unit_test(test_links),
        cmocka_unit_test(test_files),       cmocka_unit_test(test_making), cmocka_unit_test(test_credentials),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("safe_path", tests, make_top, remove_top);
}
