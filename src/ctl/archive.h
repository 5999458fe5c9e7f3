/* archive.h: the file that `rosterctl backup' writes and `restore' reads: a tar archive.
 *
 *   roster/tables/TABLE.0001.jsonl   rows of a table, each a JSON object in a line; bytes are in base64
 *   roster/secret.key                with --with-secrets
 *   roster/manifest.json             what is in the archive, with the SHA-256 of each file before it
 *   roster/manifest.sha256           that of the manifest, as sha256sum(1) writes it
 *
 * It is written and read in one pass from file to file, so that neither needs more memory than one of them takes. */
#ifndef ROSTER_CTL_ARCHIVE_H
#define ROSTER_CTL_ARCHIVE_H

#include "base/error.h"
#include "base/json_writer.h"
#include "store/backup_store.h"

/* A later form of the archive, which this program can't read, has a higher number. */
enum { ARCHIVE_FORMAT = 1 };

/* ---- Writing ---- */

struct archive_writer {
    int descriptor;
    int64_t now, bytes; /* bytes: written so far */
    struct json_writer manifest;
    struct arena *arena; /* of the manifest */
    struct error *error; /* of a write that failed */
};

/* Begins an archive of tables at this version of the schema. `arena` must stay until its end.
 * key_id: of the key that signs sessions, which may be public. */
void archive_begin(struct archive_writer *writer, int descriptor, int64_t now, struct arena *arena, int schema,
                   const char *key_id, struct error *error);

/* Between archive_begin_table and archive_end_table: the files of a table, numbered from 1. False: *error is set. */
void archive_begin_table(struct archive_writer *writer, const struct backup_table *table);
bool archive_add_part(struct archive_writer *writer, const struct backup_table *table, unsigned number,
                      struct text lines, int64_t rows);
void archive_end_table(struct archive_writer *writer, int64_t rows);

/* Writes one row as a line. */
void archive_add_row(struct buffer *lines, const struct backup_table *table, const struct value *row);

/* Ends the archive. `secret_key`: the content of the key file; the null text: it is left out. False: *error is set. */
bool archive_end(struct archive_writer *writer, struct text secret_key);

/* ---- Reading ---- */

/* A file in the archive. */
struct archive_part {
    const char *file;
    int64_t offset, bytes, rows;
    struct text sha256;
};

struct archive_table {
    struct backup_table table;
    int64_t rows;
    const struct archive_part *parts;
    size_t part_count;
};

struct archive {
    int descriptor;
    int schema;
    const char *program, *made_at;
    const char *key_id; /* NULL: it does not tell */
    const struct archive_table *tables;
    size_t table_count;
    const struct archive_part *secret_key; /* NULL: it has none */
};

/* Reads what is in an archive: the manifest, after its checksum. All of *archive_r is in the arena, and the descriptor
 * is the caller's.
 * False: it is no such archive, it is damaged, or a newer program made it. */
bool archive_open(struct arena *arena, int descriptor, struct archive *archive_r, struct error *error);

/* Reads a file of the archive into the arena. False: it can't be read, or has another checksum. */
bool archive_read(struct arena *arena, const struct archive *archive, const struct archive_part *part,
                  struct text *content_r, struct error *error);

/* Reads all files, and compares their checksums. */
bool archive_verify(const struct archive *archive, struct error *error);

/* Reads a line as the values of the columns, one each. False: it is no such line. */
bool archive_read_row(struct arena *arena, const struct backup_table *table, struct text line,
                      struct parameter *values_r);

#endif
