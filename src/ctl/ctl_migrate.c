/* ctl_migrate.c: rosterctl migrate. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "store/migration.h"

static void report(const char *line, void *argument)
{
    ctl_say(argument, "%s", line);
    fflush(stdout);
}

static const char *directory_of(const struct invocation *invocation)
{
    const char *directory = ctl_option(invocation, "directory");
    return directory != NULL ? directory : PKGDATADIR "/sql";
}

/* Whether something is missing, without touching anything. */
static int check(struct invocation *invocation)
{
    int present = migration_schema_version(&invocation->context);
    int newest = migration_newest(directory_of(invocation));
    if (newest < 0) {
        return ctl_fail(EXIT_FAILED, "there are no migrations in %s; name another place with --directory",
                        directory_of(invocation));
    }
    if (invocation->json) {
        printf("{\"version\":%d,\"newest\":%d}\n", present, newest);
    }
    if (present < newest) {
        return ctl_fail(EXIT_FAILED, "the tables are at version %d, the newest is %d: call `rosterctl migrate'",
                        present, newest);
    }
    ctl_say(invocation, "The tables are up to date: version %d.", present);
    return EXIT_DONE;
}

int command_migrate(struct invocation *invocation)
{
    const char *error;
    if (ctl_has_option(invocation, "check")) {
        return check(invocation);
    }
    if (!migration_run(&invocation->context, directory_of(invocation), report, invocation, &error)) {
        return ctl_fail(EXIT_FAILED, "%s", error);
    }
    if (invocation->json) {
        printf("{\"version\":%d}\n", migration_schema_version(&invocation->context));
    }
    return EXIT_DONE;
}
