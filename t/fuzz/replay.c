/* replay.c: a main for any one harness, where libFuzzer is not at hand. It feeds the harness each file given, or each
 * file of a directory given, and prints TAP. Without arguments, and with a name like replay_json_scan, it takes
 * t/fuzz/corpus/json_scan below TOP_SRCDIR (of the environment, else the current directory). A harness that finds a
 * fault aborts: the plan, which is printed first, then stays unfulfilled. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a harness does once, before the first input. It may print that it can't run, and end the program. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct paths {
    char **data;
    size_t count;
};

static void add_path(struct paths *paths, const char *directory, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s%s", directory, directory[0] != '\0' ? "/" : "", name);

    if (length < 0 || (size_t)length >= sizeof path) {
        printf("Bail out! %s: the path is too long\n", name);
        exit(1);
    }
    paths->data = realloc(paths->data, (paths->count + 1) * sizeof *paths->data);
    if (paths->data == NULL || (paths->data[paths->count] = strdup(path)) == NULL) {
        abort();
    }
    paths->count++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The files of a directory in the order of their names, or the file itself. */
static void add_argument(struct paths *paths, const char *argument)
{
    struct dirent **entries;
    int count = scandir(argument, &entries, is_visible, alphasort);

    if (count < 0) {
        add_path(paths, "", argument);
        return;
    }
    for (int i = 0; i < count; i++) {
        add_path(paths, argument, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void add_own_corpus(struct paths *paths, const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *underscore = strchr(slash != NULL ? slash : program, '_');
    const char *top = getenv("TOP_SRCDIR");
    char directory[PATH_MAX];

    if (underscore == NULL) {
        return;
    }
    snprintf(directory, sizeof directory, "%s/t/fuzz/corpus/%s", top != NULL ? top : ".", underscore + 1);
    add_argument(paths, directory);
}

static bool replay(const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *data = NULL, *larger;
    size_t size = 0, got = 0;
    bool is_good = false;

    if (file == NULL) {
        return false;
    }
    /* The block is cut to the size of the file at last, so that a sanitizer sees what is read beyond it. */
    do {
        size += got;
        larger = realloc(data, size + 4096);
        if (larger == NULL) {
            goto out;
        }
        data = larger;
        got = fread(data + size, 1, 4096, file);
    } while (got > 0);
    if (ferror(file)) {
        goto out;
    }
    larger = realloc(data, size > 0 ? size : 1);
    if (larger == NULL) {
        goto out;
    }
    data = larger;
    LLVMFuzzerTestOneInput(data, size);
    is_good = true;
out:
    free(data);
    fclose(file);
    return is_good;
}

int main(int argc, char **argv)
{
    struct paths paths = {NULL, 0};
    size_t failures = 0;

    for (int i = 1; i < argc; i++) {
        add_argument(&paths, argv[i]);
    }
    if (argc <= 1) {
        add_own_corpus(&paths, argv[0]);
    }
    if (paths.count == 0) {
        printf("Bail out! there is nothing to replay\n");
        return 1;
    }
    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    printf("1..%zu\n", paths.count);
    for (size_t i = 0; i < paths.count; i++) {
        const char *slash = strrchr(paths.data[i], '/');
        bool is_good;

        fflush(stdout);
        is_good = replay(paths.data[i]);
        printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1, slash != NULL ? slash + 1 : paths.data[i]);
        failures += !is_good;
        free(paths.data[i]);
    }
    free(paths.data);
    return failures > 0;
}
