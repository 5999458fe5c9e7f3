/* import.h: imports the accounts of the program that Roster replaces.
 *
 * An import is one transaction, and can be repeated. Where the file and the database here both have a row:
 * - user, group, oauth_session: the row here is kept if its updated_at is later; else the row of the file
 * - auth: the password here is kept if it was set or used here (it is a scrypt hash then); the second factor here is
 *   kept if the file has none
 * - api_key: the key here is kept if it is newer than the one in the file
 * - group_member, chat: the row of the file is kept
 * - config: the settings of both are kept; where they differ, those of the side that was changed last
 * An import removes nothing here because it is missing in the file, or can't be read there.
 * After an import sign-up is closed, unless the settings of the file say that it is open. */
#ifndef ROSTER_IMPORT_IMPORT_H
#define ROSTER_IMPORT_IMPORT_H

#include "base/context.h"
#include "import/import_source.h"

enum import_finding_kind {
    IMPORT_COLLISION, /* a row is left out because it conflicts with another one, here or in the file */
    IMPORT_BROKEN,    /* a row is left out because a value is invalid or missing */
    IMPORT_PARTIAL,   /* a row is imported without a part that is invalid, or has no place here */
    IMPORT_IDLE       /* a row is imported with a part that has no effect here yet */
};

struct import_finding {
    enum import_finding_kind kind;
    enum import_table table;
    struct text id; /* of the row; may be null */
    /* the user whom the row is about, as "Ada <ada@example.org>"; the name of a group; null where it is unknown */
    struct text name;
    struct text text; /* "email: …"; never holds a secret */
};

/* Counts of rows. there = fresh + changed + unchanged + left_out.
 * with_user: those of left_out whose user or group is left out. */
struct import_count {
    int64_t there, fresh, changed, unchanged, left_out, with_user;
    int64_t added; /* rows that are written but are not in the file: of config, where only sign-up is closed */
    int64_t here;  /* rows here after the import */
};

struct import_report {
    struct arena *arena;
    struct import_count counts[IMPORT_TABLE_COUNT];
    struct import_finding *findings;
    size_t finding_count, finding_capacity;
    size_t kind_counts[IMPORT_IDLE + 1];
    struct text *idle_settings; /* paths of settings that are stored but not used here */
    size_t idle_setting_count;
};

struct import_options {
    bool dry_run; /* report only, change nothing */
    /* the content of config.json, where an old release has it beside its database; else null */
    struct text settings;
    struct text settings_changed; /* time of its last change, as `YYYY-MM-DD HH:MM:SS` */
    /* Checks a password hash. The reason why it can't be verified here (static); NULL: it can. */
    const char *(*check_hash)(struct context *context, struct text hash);
};

/* Imports everything.
 * FAULT: nothing was changed, and the error has been logged.
 * The caller frees the report with import_report_free, also after FAULT. */
enum outcome import_run(struct context *context, struct import_source *source, const struct import_options *options,
                        struct import_report *report);
void import_report_free(struct import_report *report);

#endif
