/* import_source.h: the SQLite file that an import reads.
 *
 * The other program may run meanwhile. Unless it uses a write-ahead log, it can't write while the file is read. So the
 * file is copied in one read transaction, without pauses, to a temporary database: a file without a name, which is
 * removed with this process. After that the file is not touched.
 * The messages of chats are not copied.
 * Tables and columns that a file of an older release lacks are empty, or are filled from older ones.
 * Tables and columns of newer releases that have no place here are counted.
 *
 * The file may be damaged or malicious. The tables must be plain tables: a view could compute for ever. A value of more
 * than 64 MiB is refused. */
#ifndef ROSTER_IMPORT_IMPORT_SOURCE_H
#define ROSTER_IMPORT_IMPORT_SOURCE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "import/import_columns.h"
#include "import/import_survey.h"

struct arena;

struct import_source;

/* Opens and copies FILE. The caller closes it with import_source_close.
 * NULL where it is not such a file, is damaged, stays locked, is too old, or no release could have written it. */
struct import_source *import_source_open(struct arena *arena, const char *file, struct error *error);
void import_source_close(struct import_source *source);

/* True where the file has this column, or an older one that replaces it. */
bool import_source_has(const struct import_source *source, enum import_column column);

enum import_settings import_source_settings(const struct import_source *source);

/* The number of rows of a table; of config, the number of documents.
 * -1 with the reason in import_source_error. */
int64_t import_source_count(struct import_source *source, enum import_table table);

/* Whether a group can be below the group that the file has above it: if not, why. */
enum import_parent { IMPORT_PARENT_GOOD, IMPORT_PARENT_MISSING, IMPORT_PARENT_CIRCLE, IMPORT_PARENT_TOO_DEEP };

/* Starts reading a table: its columns in the order of imports.def, and after them for
 * - group: 1 where the list of members, which older releases have in the row, is not a list; and enum import_parent
 * - chat: the id of the owner; for a shared copy, the owner of the original chat
 * - config (which has no columns in imports.def): the key (NULL: the value is the whole document), the value, and the
 *   time of the change as `YYYY-MM-DD HH:MM:SS`
 * Users are in the order of preference for a shared email address: first those with a password, then by last activity.
 * The caller finalises the statement.
 * NULL with the reason in import_source_error. */
sqlite3_stmt *import_source_read(struct import_source *source, enum import_table table);

/* The last error message of SQLite. */
const char *import_source_error(struct import_source *source);

#endif
