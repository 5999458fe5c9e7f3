/* archive.c: see archive.h. */
#include "ctl/archive.h"

#include <errno.h>
#include <json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/base64.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/tar.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define DIRECTORY "roster/"
#define MANIFEST "manifest.json"
#define MANIFEST_SUM "manifest.sha256"
#define SECRET_KEY "secret.key"

enum {
    MANIFEST_BYTES_MAX = 256 << 20,
    PART_BYTES_MAX = 2000 << 20, /* a row is a part of its own where it is large; no row of MariaDB's is larger */
    DIGEST_CHARACTERS = 64
};

static const char *const kind_words[] = {
    [BACKUP_INTEGER] = "integer", [BACKUP_TEXT] = "text", [BACKUP_BYTES] = "bytes"};

/* ---- Writing ---- */

static bool write_bytes(struct archive_writer *writer, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(writer->descriptor, bytes, length);
        if (done < 0 && errno != EINTR) {
            return error_set(writer->error, "the backup can't be written: %s", strerror(errno));
        }
        bytes += done > 0 ? done : 0;
        length -= done > 0 ? (size_t)done : 0;
        writer->bytes += done > 0 ? done : 0;
    }
    return true;
}

static bool write_file(struct archive_writer *writer, const char *name, struct text content)
{
    static const char zeros[TAR_BLOCK];
    char header[TAR_BLOCK];
    if ((int64_t)content.length > TAR_SIZE_MAX) {
        return error_set(writer->error, "a row is too large for an archive");
    }
    tar_header(header, name, (int64_t)content.length, 0600, writer->now);
    return write_bytes(writer, header, sizeof header) && write_bytes(writer, content.data, content.length) &&
           write_bytes(writer, zeros, tar_padding((int64_t)content.length));
}

void archive_begin(struct archive_writer *writer, int descriptor, int64_t now, struct arena *arena, int schema,
                   const char *key_id, struct error *error)
{
    char moment[40];
    time_t seconds = (time_t)now;
    struct tm utc;
    *writer = (struct archive_writer){.descriptor = descriptor, .now = now, .arena = arena, .error = error};
    gmtime_r(&seconds, &utc);
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_start(&writer->manifest, arena);
    json_begin_object(&writer->manifest);
    json_member_integer(&writer->manifest, "format", ARCHIVE_FORMAT);
    json_member_string(&writer->manifest, "program", PACKAGE_VERSION);
    json_member_integer(&writer->manifest, "schema", schema);
    json_member_string(&writer->manifest, "database", database_server_version());
    json_member_string(&writer->manifest, "made_at", moment);
    json_member_string(&writer->manifest, "key_id", key_id);
    json_member_array(&writer->manifest, "tables");
}

void archive_begin_table(struct archive_writer *writer, const struct backup_table *table)
{
    struct json_writer *json = &writer->manifest;
    json_begin_object(json);
    json_member_string(json, "name", table->name);
    json_member_array(json, "columns");
    for (size_t i = 0; i < table->column_count; i++) {
        json_begin_object(json);
        json_member_string(json, "name", table->columns[i].name);
        json_member_string(json, "kind", kind_words[table->columns[i].kind]);
        json_end_object(json);
    }
    json_end_array(json);
    json_member_array(json, "files");
}

static void note_file(struct archive_writer *writer, const char *name, struct text content)
{
    json_begin_object(&writer->manifest);
    json_member_string(&writer->manifest, "file", name);
    json_member_integer(&writer->manifest, "bytes", (int64_t)content.length);
    json_member_text(&writer->manifest, "sha256", digest_sha256(writer->arena, content));
}

bool archive_add_part(struct archive_writer *writer, const struct backup_table *table, unsigned number,
                      struct text lines, int64_t rows)
{
    char name[TAR_NAME_MAX + 1];
    snprintf(name, sizeof name, DIRECTORY "tables/%.60s.%04u.jsonl", table->name, number);
    note_file(writer, name, lines);
    json_member_integer(&writer->manifest, "rows", rows);
    json_end_object(&writer->manifest);
    return write_file(writer, name, lines);
}

void archive_end_table(struct archive_writer *writer, int64_t rows)
{
    json_end_array(&writer->manifest);
    json_member_integer(&writer->manifest, "rows", rows);
    json_end_object(&writer->manifest);
}

/* Bytes in base64, as a JSON string behind its first quote. */
static void add_base64(struct buffer *lines, struct text bytes)
{
    char *place = buffer_reserve(lines, bytes.length / 3 * 4 + 5);
    lines->length += base64_encode(BASE64_PADDED, (const unsigned char *)bytes.data, bytes.length, place);
    buffer_add_byte(lines, '"');
}

void archive_add_row(struct buffer *lines, const struct backup_table *table, const struct value *row)
{
    struct json_writer json;
    json_start_in(&json, lines);
    json_begin_object(&json);
    for (size_t i = 0; i < table->column_count; i++) {
        json_add_name_string(&json, table->columns[i].name);
        if (row[i].is_null) {
            json_add_null(&json);
        } else if (table->columns[i].kind == BACKUP_INTEGER) {
            json_add_integer(&json, row[i].integer);
        } else if (table->columns[i].kind == BACKUP_TEXT) {
            json_add_text(&json, row[i].text);
        } else {
            json_add_raw(&json, TEXT("\""));
            add_base64(lines, row[i].text);
        }
    }
    json_end_object(&json);
    buffer_add_byte(lines, '\n');
}

bool archive_end(struct archive_writer *writer, struct text secret_key)
{
    static const char zeros[2 * TAR_BLOCK];
    json_end_array(&writer->manifest);
    if (secret_key.data != NULL) {
        json_name(&writer->manifest, "secret_key");
        note_file(writer, DIRECTORY SECRET_KEY, secret_key);
        json_end_object(&writer->manifest);
        if (!write_file(writer, DIRECTORY SECRET_KEY, secret_key)) {
            return false;
        }
    }
    json_end_object(&writer->manifest);
    struct text manifest = json_finish(&writer->manifest);
    struct text sum = digest_sha256(writer->arena, manifest);
    return write_file(writer, DIRECTORY MANIFEST, manifest) &&
           write_file(writer, DIRECTORY MANIFEST_SUM, text_format(writer->arena, "%s  " MANIFEST "\n", sum.data)) &&
           write_bytes(writer, zeros, sizeof zeros);
}

/* ---- Reading ---- */

static bool read_bytes(struct arena *arena, int descriptor, const char *file, int64_t offset, int64_t bytes,
                       struct text *content_r, struct error *error)
{
    char *content = arena_alloc(arena, (size_t)bytes + 1);
    size_t length = 0;
    while (length < (size_t)bytes) {
        ssize_t got = pread(descriptor, content + length, (size_t)bytes - length, (off_t)(offset + (int64_t)length));
        if (got == 0) {
            return error_set(error, "it ends inside %s", file);
        }
        if (got < 0 && errno != EINTR) {
            return error_set(error, "%s", strerror(errno));
        }
        length += got > 0 ? (size_t)got : 0;
    }
    content[length] = '\0';
    *content_r = (struct text){content, length};
    return true;
}

struct entries {
    struct tar_entry *items;
    size_t count, capacity;
};

static bool list_entries(struct arena *arena, int descriptor, struct entries *entries, struct error *error)
{
    int64_t offset = 0;
    *entries = (struct entries){.items = NULL};
    for (;;) {
        if (entries->count == entries->capacity) {
            size_t capacity = entries->capacity > 0 ? 2 * entries->capacity : 64;
            entries->items = arena_grow(arena, entries->items, entries->capacity * sizeof *entries->items,
                                        capacity * sizeof *entries->items);
            entries->capacity = capacity;
        }
        switch (tar_next(descriptor, &offset, &entries->items[entries->count])) {
        case TAR_ENTRY:
            entries->count++;
            break;
        case TAR_END:
            return true;
        case TAR_BROKEN:
            return entries->count == 0
                       ? error_set(error, "it is no backup of rosterctl's (one that was compressed or "
                                          "encrypted must be unpacked first)")
                       : error_set(error, "it is damaged behind %s", entries->items[entries->count - 1].name);
        case TAR_CUT:
            return error_set(error, "it ends too early: it was not copied whole, or the backup failed");
        case TAR_ERROR:
            return error_set(error, "%s", strerror(errno));
        }
    }
}

static const struct tar_entry *find_entry(const struct entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->items[i].name, name) == 0) {
            return &entries->items[i];
        }
    }
    return NULL;
}

/* A member of an object. NULL where it is missing, or of another type. */
static json_object *member(json_object *object, const char *name, json_type type)
{
    json_object *value;
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, name, &value) &&
                   json_object_is_type(value, type)
               ? value
               : NULL;
}

static const char *member_string(json_object *object, const char *name)
{
    json_object *value = member(object, name, json_type_string);
    return value != NULL ? json_object_get_string(value) : NULL;
}

/* -1: it is missing, or no number. */
static int64_t member_count(json_object *object, const char *name)
{
    json_object *value = member(object, name, json_type_int);
    int64_t number = value != NULL ? json_object_get_int64(value) : -1;
    return number >= 0 ? number : -1;
}

/* The entries stand in the order of the manifest; *at is where the search begins. */
static bool read_part(const struct entries *entries, size_t *at, json_object *object, struct archive_part *part_r,
                      struct error *error)
{
    const char *file = member_string(object, "file"), *sum = member_string(object, "sha256");
    int64_t bytes = member_count(object, "bytes");
    if (file == NULL || sum == NULL || bytes < 0) {
        return error_set(error, "its manifest is not one of a backup");
    }
    while (*at < entries->count && strcmp(entries->items[*at].name, file) != 0) {
        ++*at;
    }
    if (*at == entries->count) {
        return error_set(error, "it lacks the file %.200s", file);
    }
    const struct tar_entry *entry = &entries->items[(*at)++];
    if (entry->size != bytes || bytes > PART_BYTES_MAX) {
        return error_set(error, "its file %.200s has %lld bytes instead of %lld", file, (long long)entry->size,
                         (long long)bytes);
    }
    *part_r = (struct archive_part){file, entry->offset, bytes, member_count(object, "rows"), text_of(sum)};
    return true;
}

static bool read_columns(struct arena *arena, json_object *list, struct backup_table *table)
{
    table->column_count = list != NULL ? json_object_array_length(list) : 0;
    struct backup_column *columns = arena_zero(arena, table->column_count + 1, sizeof *columns);
    for (size_t i = 0; i < table->column_count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        const char *word = member_string(item, "kind");
        columns[i].name = member_string(item, "name");
        size_t kind = 0;
        while (kind < ARRAY_COUNT(kind_words) && (word == NULL || strcmp(word, kind_words[kind]) != 0)) {
            kind++;
        }
        if (columns[i].name == NULL || kind == ARRAY_COUNT(kind_words)) {
            return false;
        }
        columns[i].kind = (enum backup_kind)kind;
    }
    table->columns = columns;
    return table->column_count > 0;
}

static bool read_table(struct arena *arena, const struct entries *entries, size_t *at, json_object *object,
                       struct archive_table *table_r, struct error *error)
{
    json_object *files = member(object, "files", json_type_array);
    table_r->table.name = member_string(object, "name");
    table_r->rows = member_count(object, "rows");
    if (table_r->table.name == NULL || table_r->rows < 0 || files == NULL ||
        !read_columns(arena, member(object, "columns", json_type_array), &table_r->table)) {
        return error_set(error, "its manifest is not one of a backup");
    }
    table_r->part_count = json_object_array_length(files);
    struct archive_part *parts = arena_zero(arena, table_r->part_count + 1, sizeof *parts);
    for (size_t i = 0; i < table_r->part_count; i++) {
        if (!read_part(entries, at, json_object_array_get_idx(files, i), &parts[i], error)) {
            return false;
        }
    }
    table_r->parts = parts;
    return true;
}

static bool read_manifest(struct arena *arena, const struct entries *entries, struct text text,
                          struct archive *archive_r, struct error *error)
{
    json_object *manifest = json_parse(arena, text);
    int64_t format = member_count(manifest, "format"), schema = member_count(manifest, "schema");
    archive_r->program = member_string(manifest, "program");
    archive_r->made_at = member_string(manifest, "made_at");
    archive_r->key_id = member_string(manifest, "key_id");
    if (format > ARCHIVE_FORMAT) {
        return error_set(error, "it was made by a newer program than this one (roster %s): install that",
                         archive_r->program != NULL ? archive_r->program : "of another version");
    }
    json_object *tables = member(manifest, "tables", json_type_array);
    if (format < 1 || schema < 1 || schema > INT32_MAX || archive_r->program == NULL || archive_r->made_at == NULL ||
        tables == NULL) {
        return error_set(error, "its manifest is not one of a backup");
    }
    archive_r->schema = (int)schema;
    archive_r->table_count = json_object_array_length(tables);
    struct archive_table *list = arena_zero(arena, archive_r->table_count + 1, sizeof *list);
    archive_r->tables = list;
    size_t at = 0;
    for (size_t i = 0; i < archive_r->table_count; i++) {
        if (!read_table(arena, entries, &at, json_object_array_get_idx(tables, i), &list[i], error)) {
            return false;
        }
    }
    json_object *secret = member(manifest, "secret_key", json_type_object);
    if (secret != NULL) {
        struct archive_part *part = arena_zero(arena, 1, sizeof *part);
        archive_r->secret_key = part;
        return read_part(entries, &at, secret, part, error);
    }
    return true;
}

bool archive_open(struct arena *arena, int descriptor, struct archive *archive_r, struct error *error)
{
    struct entries entries;
    struct text manifest = TEXT_NULL, sum = TEXT_NULL;
    *archive_r = (struct archive){.descriptor = descriptor};
    if (!list_entries(arena, descriptor, &entries, error)) {
        return false;
    }
    const struct tar_entry *entry = find_entry(&entries, DIRECTORY MANIFEST);
    const struct tar_entry *check = find_entry(&entries, DIRECTORY MANIFEST_SUM);
    if (entry == NULL || check == NULL || entry->size > MANIFEST_BYTES_MAX || check->size > 1000) {
        return error_set(error, "it is no backup of rosterctl's: it has no " DIRECTORY MANIFEST);
    }
    if (!read_bytes(arena, descriptor, entry->name, entry->offset, entry->size, &manifest, error) ||
        !read_bytes(arena, descriptor, check->name, check->offset, check->size, &sum, error)) {
        return false;
    }
    if (sum.length < DIGEST_CHARACTERS ||
        !text_equal((struct text){sum.data, DIGEST_CHARACTERS}, digest_sha256(arena, manifest))) {
        return error_set(error, "it is damaged: its manifest has another checksum");
    }
    return read_manifest(arena, &entries, manifest, archive_r, error);
}

bool archive_read(struct arena *arena, const struct archive *archive, const struct archive_part *part,
                  struct text *content_r, struct error *error)
{
    if (!read_bytes(arena, archive->descriptor, part->file, part->offset, part->bytes, content_r, error)) {
        return false;
    }
    return text_equal(digest_sha256(arena, *content_r), part->sha256) ||
           error_set(error, "it is damaged: %.200s has another checksum", part->file);
}

bool archive_verify(const struct archive *archive, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct text content;
    bool is_good = true;
    for (size_t i = 0; is_good && i < archive->table_count; i++) {
        for (size_t j = 0; is_good && j < archive->tables[i].part_count; j++) {
            is_good = archive_read(arena, archive, &archive->tables[i].parts[j], &content, error);
            arena_reset(arena);
        }
    }
    if (is_good && archive->secret_key != NULL) {
        is_good = archive_read(arena, archive, archive->secret_key, &content, error);
    }
    arena_free(arena);
    return is_good;
}

static bool read_value(struct arena *arena, enum backup_kind kind, struct text value, struct parameter *value_r)
{
    if (text_is(value, "null")) {
        *value_r = BIND_NULL;
        return true;
    }
    if (kind == BACKUP_INTEGER) {
        int64_t integer;
        bool is_integer = text_to_integer(value, &integer);
        *value_r = BIND_INTEGER(is_integer ? integer : 0);
        return is_integer;
    }
    if (value.length == 0 || value.data[0] != '"') {
        return false;
    }
    struct text text = json_text_string(arena, value);
    if (kind == BACKUP_BYTES) {
        text = base64_decode(arena, BASE64_PADDED, text);
    }
    *value_r = BIND_TEXT(text);
    return value_r->kind == PARAMETER_TEXT;
}

bool archive_read_row(struct arena *arena, const struct backup_table *table, struct text line,
                      struct parameter *values_r)
{
    struct json_members members;
    struct json_scan scan = json_scan(arena, line, 2);
    if (scan.verdict != JSON_GOOD || !json_text_members(arena, scan.document, &members) ||
        members.count != table->column_count) {
        return false;
    }
    for (size_t i = 0; i < members.count; i++) {
        if (!text_is(members.items[i].name, table->columns[i].name) ||
            !read_value(arena, table->columns[i].kind, members.items[i].value, &values_r[i])) {
            return false;
        }
    }
    return true;
}
