/* ctl_pictures.c: rosterctl pictures: moves pictures from rows of users to their table, and removes pictures that no
 * row refers to, with nginx's copies of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/picture_store.h"
#include "store/picture_upkeep.h"

enum { NAMES_MAX = 500, NAME_LENGTH_MAX = 80 };

#define STORE_DIRECTORY "/var/cache/roster"

/* ---- adopt ---- */

static void report_refused(struct text user_id, void *argument)
{
    struct invocation *invocation = argument;
    struct text clean = sheet_clean(invocation->context.arena, user_id);
    if (!invocation->json) {
        fprintf(stderr,
                "rosterctl: the picture of the user %s is not a valid PNG, JPEG, GIF or WebP: it was replaced by the "
                "default picture\n",
                clean.data);
    }
}

static void print_counts(const struct invocation *invocation, struct json_name first, int64_t first_count,
                         struct json_name second, int64_t second_count)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_add_name(&json, first);
    json_add_integer(&json, first_count);
    json_add_name(&json, second);
    json_add_integer(&json, second_count);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

int command_pictures_adopt(struct invocation *invocation)
{
    struct picture_adoption adoption = {.refuse = report_refused, .argument = invocation};
    if (picture_upkeep_adopt(&invocation->context, &adoption) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
    if (invocation->json) {
        print_counts(invocation, JSON_NAME("adopted"), adoption.adopted, JSON_NAME("refused"), adoption.refused);
    }
    ctl_say(invocation, "Moved %s.", find_count(invocation, (size_t)adoption.adopted, "picture"));
    return adoption.refused > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

/* ---- clean ---- */

struct cleaning {
    struct invocation *invocation;
    int directory;
    char names[NAMES_MAX][NAME_LENGTH_MAX];
    size_t count;
    int64_t removed;
};

/* Whether a file may be removed: it has the name of a picture, and is not so new that nginx may still be writing it. */
static bool is_candidate(const struct cleaning *cleaning, const char *name)
{
    struct arena *arena = cleaning->invocation->context.arena;
    struct text hash;
    enum picture_type type;
    struct stat status;
    return strlen(name) < NAME_LENGTH_MAX &&
           picture_store_parse_address(text_format(arena, "/pictures/%s", name), &hash, &type) &&
           fstatat(cleaning->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_mtime < clock_wall_seconds() - PICTURE_YOUNG_SECONDS;
}

static int remove_unknown(struct cleaning *cleaning)
{
    struct invocation *invocation = cleaning->invocation;
    struct text names[NAMES_MAX];
    for (size_t i = 0; i < cleaning->count; i++) {
        names[i] = text_of(cleaning->names[i]);
    }
    bool found[NAMES_MAX];
    if (cleaning->count > 0 && picture_upkeep_find(&invocation->context, names, cleaning->count, found) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
    int status = EXIT_DONE;
    for (size_t i = 0; i < cleaning->count; i++) {
        if (found[i]) {
            continue;
        }
        if (unlinkat(cleaning->directory, cleaning->names[i], 0) == 0) {
            cleaning->removed++;
        } else if (errno != ENOENT) {
            status = ctl_fail(EXIT_FAILED, "%s can't be removed: %s", cleaning->names[i], strerror(errno));
        }
    }
    cleaning->count = 0;
    return status;
}

/* Checks all files of the directory, in batches. Each batch uses an arena that is reset after it. */
static int clean_directory(struct cleaning *cleaning, DIR *directory)
{
    struct context *context = &cleaning->invocation->context;
    struct arena *arena = context->arena;
    const struct dirent *entry;
    int status = EXIT_DONE;
    context->arena = arena_new(0);
    while (status == EXIT_DONE && (entry = readdir(directory)) != NULL) {
        if (is_candidate(cleaning, entry->d_name)) {
            snprintf(cleaning->names[cleaning->count++], NAME_LENGTH_MAX, "%.*s", NAME_LENGTH_MAX - 1, entry->d_name);
        }
        if (cleaning->count == NAMES_MAX) {
            status = remove_unknown(cleaning);
            arena_reset(context->arena);
        }
    }
    if (status == EXIT_DONE) {
        status = remove_unknown(cleaning);
    }
    arena_free(context->arena);
    context->arena = arena;
    return status;
}

/* Opens DIR/pictures. nginx creates it with the first picture; until then, *directory_r is NULL. */
static int open_directory(const char *store, DIR **directory_r)
{
    *directory_r = NULL;
    int outer = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (outer < 0) {
        return ctl_fail(EXIT_FAILED, "%s: %s", store, strerror(errno));
    }
    int inner = openat(outer, "pictures", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(outer);
    if (inner < 0) {
        return error == ENOENT ? EXIT_DONE : ctl_fail(EXIT_FAILED, "%s/pictures: %s", store, strerror(error));
    }
    *directory_r = fdopendir(inner);
    if (*directory_r == NULL) {
        close(inner);
        return ctl_fail(EXIT_FAILED, "%s/pictures: %s", store, strerror(errno));
    }
    return EXIT_DONE;
}

/* The directory belongs to nginx's user, and its group may write there. So root switches to the service's user with
 * that group. */
static int connect_for(struct invocation *invocation, const char *store)
{
    struct stat status;
    const char *pictures = text_format(invocation->context.arena, "%s/pictures", store).data;
    gid_t group = lstat(pictures, &status) == 0 && S_ISDIR(status.st_mode) ? status.st_gid : (gid_t)-1;
    int result = ctl_load_secrets(invocation);
    return result == EXIT_DONE ? ctl_connect_in_group(invocation, group) : result;
}

int command_pictures_clean(struct invocation *invocation)
{
    const char *store = ctl_option(invocation, OPTION_store);
    store = store != NULL ? store : STORE_DIRECTORY;
    int status = connect_for(invocation, store);
    if (status != EXIT_DONE) {
        return status;
    }
    int64_t dropped;
    if (picture_upkeep_drop_unused(&invocation->context, &dropped) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
    DIR *directory;
    status = open_directory(store, &directory);
    struct cleaning *cleaning = arena_zero(invocation->context.arena, 1, sizeof *cleaning);
    cleaning->invocation = invocation;
    if (directory != NULL) {
        cleaning->directory = dirfd(directory);
        status = clean_directory(cleaning, directory);
        closedir(directory);
    }
    if (invocation->json) {
        print_counts(invocation, JSON_NAME("pictures"), dropped, JSON_NAME("files"), cleaning->removed);
    }
    ctl_say(invocation, "Removed %s that no user has, and %s of nginx.",
            find_count(invocation, (size_t)dropped, "picture"),
            find_count(invocation, (size_t)cleaning->removed, "file"));
    return status;
}
