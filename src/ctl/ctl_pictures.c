/* ctl_pictures.c: rosterctl pictures: pictures that lie in rows are brought into their table; what nobody refers to any
 * more goes, with the copies that nginx keeps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/picture_store.h"
#include "store/picture_upkeep.h"

enum { NAMES_MOST = 500, NAME_LENGTH_MOST = 80 };

#define STORE_DIRECTORY "/var/cache/roster"

/* ---- adopt ---- */

static void report_refused(struct text user_id, void *argument)
{
    struct invocation *invocation = argument;
    struct text clean = sheet_clean(invocation->context.arena, user_id);
    if (!invocation->json) {
        fprintf(stderr,
                "rosterctl: the picture of the user %s is no PNG, JPEG, GIF or WebP that can be decoded: it is the "
                "default one now\n",
                clean.data);
    }
}

int command_pictures_adopt(struct invocation *invocation)
{
    struct picture_adoption adoption = {.refuse = report_refused, .argument = invocation};
    if (picture_upkeep_adopt(&invocation->context, &adoption) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
    if (invocation->json) {
        printf("{\"adopted\":%" PRId64 ",\"refused\":%" PRId64 "}\n", adoption.adopted, adoption.refused);
    }
    ctl_say(invocation, "Brought over %s.", find_count(invocation, (size_t)adoption.adopted, "picture"));
    return adoption.refused > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

/* ---- clean ---- */

struct cleaning {
    struct invocation *invocation;
    int directory;
    char names[NAMES_MOST][NAME_LENGTH_MOST];
    size_t count;
    int64_t removed;
};

/* Names of pictures alone, of files that have been there for a while: others are none of our business, or just being written. */
static bool is_candidate(const struct cleaning *cleaning, const char *name)
{
    struct arena *arena = cleaning->invocation->context.arena;
    struct text hash;
    enum picture_type type;
    struct stat status;
    return strlen(name) < NAME_LENGTH_MOST &&
           picture_store_parse_address(text_format(arena, "/pictures/%s", name), &hash, &type) &&
           fstatat(cleaning->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_mtime < clock_wall_seconds() - PICTURE_YOUNG_SECONDS;
}

static int remove_unknown(struct cleaning *cleaning)
{
    struct invocation *invocation = cleaning->invocation;
    struct text names[NAMES_MOST];
    bool found[NAMES_MOST];
    int status = EXIT_DONE;
    for (size_t i = 0; i < cleaning->count; i++) {
        names[i] = text_of(cleaning->names[i]);
    }
    if (cleaning->count > 0 && picture_upkeep_find(&invocation->context, names, cleaning->count, found) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
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

/* Goes through the directory with a memory of its own for each batch of names. */
static int clean_directory(struct cleaning *cleaning, DIR *directory)
{
    struct context *context = &cleaning->invocation->context;
    struct arena *arena = context->arena;
    const struct dirent *entry;
    int status = EXIT_DONE;
    context->arena = arena_new(0);
    while (status == EXIT_DONE && (entry = readdir(directory)) != NULL) {
        if (is_candidate(cleaning, entry->d_name)) {
            snprintf(cleaning->names[cleaning->count++], NAME_LENGTH_MOST, "%s", entry->d_name);
        }
        if (cleaning->count == NAMES_MOST) {
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

/* DIR/pictures, which nginx makes with the first picture. *directory_r is NULL where there is none yet. */
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

int command_pictures_clean(struct invocation *invocation)
{
    const char *store = ctl_option(invocation, "store");
    int64_t dropped;
    DIR *directory;
    if (picture_upkeep_drop_unused(&invocation->context, &dropped) != OK) {
        return ctl_problem(invocation, "the pictures");
    }
    int status = open_directory(store != NULL ? store : STORE_DIRECTORY, &directory);
    struct cleaning *cleaning = arena_zero(invocation->context.arena, 1, sizeof *cleaning);
    cleaning->invocation = invocation;
    if (directory != NULL) {
        cleaning->directory = dirfd(directory);
        status = clean_directory(cleaning, directory);
        closedir(directory);
    }
    if (invocation->json) {
        printf("{\"pictures\":%" PRId64 ",\"files\":%" PRId64 "}\n", dropped, cleaning->removed);
    }
    ctl_say(invocation, "Removed %s that nobody has any more, and %s of nginx.",
            find_count(invocation, (size_t)dropped, "picture"),
            find_count(invocation, (size_t)cleaning->removed, "file"));
    return status;
}
