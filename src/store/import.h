/* import.h: bringing accounts over from the database of the program that this one replaces.
 *
 * All in one transaction, and as often as wanted. What is kept where both sides have a row:
 *   user, group, oauth_session   the row here, where it was changed here after the one in the file was (updated_at); else
 *                                the one in the file
 *   auth                         the password here, once it was set or used here (it is no bcrypt hash then)
 *   api_key                      the key here, where it was made after the one in the file
 *   group_member, chat           the same as in the file
 *   config                       all settings of both; where they differ, those of the side that was changed last
 * Nothing is removed here because it is not in the file. */
#ifndef ROSTER_STORE_IMPORT_H
#define ROSTER_STORE_IMPORT_H

#include "base/context.h"
#include "store/import_source.h"

enum import_finding_kind {
    IMPORT_COLLISION, /* a row is left out, because of another one, here or in the file */
    IMPORT_BROKEN,    /* a row is left out, because of what is in it, or is not there */
    IMPORT_MENDED     /* a row comes, without a part that is no good */
};

struct import_finding {
    enum import_finding_kind kind;
    enum import_table table;
    struct text id;   /* of the row; null where it has none */
    struct text text; /* "email: it is here that of …"; never holds a secret */
};

/* there = fresh + changed + unchanged + left_out; with_user are those of left_out that hang on a user or a group who is left out. */
struct import_count {
    int64_t there, fresh, changed, unchanged, left_out, with_user;
    int64_t here; /* rows here, afterwards */
};

struct import_report {
    struct arena *arena;
    struct import_count counts[IMPORT_TABLE_COUNT];
    struct import_finding *findings;
    size_t finding_count, finding_capacity;
    size_t kind_counts[IMPORT_MENDED + 1];
};

/* Brings everything over; with `dry_run` only finds out what would come. FAULT: nothing was changed, and it has been logged. The report is to be
 * freed in any case. */
enum outcome import_run(struct context *context, struct import_source *source, bool dry_run,
                        struct import_report *report);
void import_report_free(struct import_report *report);

#endif
