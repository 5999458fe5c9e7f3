/* ctl_restore.c: rosterctl restore. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/array.h"
#include "base/json_writer.h"
#include "config/config_secrets.h"
#include "ctl/archive.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/account_store.h"
#include "store/audit_store.h"
#include "store/migration.h"

enum {
    STATEMENT_SECONDS = 86400,
    BATCH_BYTES = 256 << 10 /* of the rows of one statement, far below max_allowed_packet */
};

/* What a child tells its parent about the database. */
struct present {
    int schema;
    bool has_people;
};

struct restore {
    const struct archive *archive;
    struct present *present;

    struct error error;
    struct arena *part_arena; /* of a file of the archive, and its rows */
    const struct archive_table *table;
    struct parameter *batch;
    size_t batch_rows, batch_bytes;
    int64_t rows;
};

/* ---- What is here ---- */

static int connect_patiently(struct invocation *invocation, struct config *patient)
{
    *patient = *invocation->config;
    patient->database_read_timeout = STATEMENT_SECONDS;
    patient->request_memory_limit = 0;
    invocation->context.config = patient;
    return ctl_connect(invocation);
}

static const struct backup_table *find_table(const struct backup_table *tables, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tables[i].name, name) == 0) {
            return &tables[i];
        }
    }
    return NULL;
}

/* Whether the tables here have a place for all that the archive has. */
static bool has_room_for(const struct backup_table *tables, size_t count, const struct archive_table *wanted,
                         struct error *error)
{
    const struct backup_table *table = find_table(tables, count, wanted->table.name);
    if (table == NULL) {
        return wanted->rows == 0 || error_set(error, "the database has no table %s", wanted->table.name);
    }
    for (size_t i = 0; i < wanted->table.column_count; i++) {
        const struct backup_column *column = &wanted->table.columns[i];
        size_t at = 0;
        while (at < table->column_count && strcmp(table->columns[at].name, column->name) != 0) {
            at++;
        }
        if (at == table->column_count || table->columns[at].kind != column->kind) {
            return error_set(error, "the table %s of the database has no such column %s", table->name, column->name);
        }
    }
    return true;
}

/* In a child: the version of the tables, whether there are people, and whether the archive fits. */
static int look(struct invocation *invocation, void *argument)
{
    struct restore *restore = argument;
    struct context *context = &invocation->context;
    struct backup_table *tables;
    struct config patient;
    size_t count;
    int status = connect_patiently(invocation, &patient);
    if (status != EXIT_DONE) {
        return status;
    }
    restore->present->schema = migration_schema_version(context);
    if (restore->present->schema < 0) {
        return ctl_fail(EXIT_AWAY, "the tables can't be read");
    }
    if (restore->present->schema == 0) {
        return EXIT_DONE;
    }
    if (!migration_is_expected(context, restore->present->schema, &restore->error)) {
        return ctl_fail(EXIT_FAILED, "%s", restore->error.text);
    }
    if (backup_store_has_people(context, &restore->present->has_people) != OK ||
        backup_store_tables(context, &tables, &count) != OK) {
        return ctl_problem(invocation, "the tables");
    }
    for (size_t i = 0; i < restore->archive->table_count; i++) {
        if (!has_room_for(tables, count, &restore->archive->tables[i], &restore->error)) {
            return ctl_fail(EXIT_FAILED, "%s", restore->error.text);
        }
    }
    return EXIT_DONE;
}

/* In a child: makes the tables of an empty database. */
static int make_tables(struct invocation *invocation, void *argument)
{
    const char *directory = ctl_option(invocation, OPTION_directory);
    (void)argument;
    return ctl_migrate(invocation, directory != NULL ? directory : PKGDATADIR "/sql");
}

/* ---- Loading ---- */

static enum outcome fail(struct restore *restore, const char *what)
{
    error_prefix(&restore->error, "%s: ", what);
    return PROBLEM;
}

static enum outcome flush_batch(struct context *context, struct restore *restore)
{
    enum outcome outcome = backup_store_insert(context, &restore->table->table, restore->batch, restore->batch_rows);
    restore->rows += (int64_t)restore->batch_rows;
    restore->batch_rows = restore->batch_bytes = 0;
    arena_reset(context->arena);
    return outcome;
}

static enum outcome load_line(struct context *context, struct restore *restore, const struct archive_part *part,
                              struct text line)
{
    const struct backup_table *table = &restore->table->table;
    if (!archive_read_row(restore->part_arena, table, line,
                          restore->batch + restore->batch_rows * table->column_count)) {
        error_set(&restore->error, "a line is no row of the table %s", table->name);
        return fail(restore, part->file);
    }
    restore->batch_rows++;
    restore->batch_bytes += line.length;
    return restore->batch_rows == BACKUP_BATCH_ROWS || restore->batch_bytes > BATCH_BYTES
               ? flush_batch(context, restore)
               : OK;
}

static enum outcome load_part(struct context *context, struct restore *restore, const struct archive_part *part)
{
    struct text lines;
    enum outcome outcome = OK;
    if (!archive_read(restore->part_arena, restore->archive, part, &lines, &restore->error)) {
        return PROBLEM;
    }
    while (outcome == OK && lines.length > 0) {
        outcome = load_line(context, restore, part, text_take(&lines, '\n'));
    }
    if (outcome == OK) {
        outcome = flush_batch(context, restore);
    }
    arena_reset(restore->part_arena);
    return outcome;
}

static enum outcome load_table(struct context *context, struct restore *restore, const struct archive_table *table)
{
    int64_t count;
    enum outcome outcome = OK;
    restore->table = table;
    restore->rows = 0;
    for (size_t i = 0; outcome == OK && i < table->part_count; i++) {
        outcome = load_part(context, restore, &table->parts[i]);
    }
    if (outcome == OK) {
        outcome = backup_store_count(context, table->table.name, &count);
    }
    if (outcome == OK && (count != table->rows || restore->rows != table->rows)) {
        error_set(&restore->error, "the table %s has %lld rows now, and should have %lld", table->table.name,
                  (long long)count, (long long)table->rows);
        return PROBLEM;
    }
    return outcome;
}

struct loading {
    struct restore *restore;
    const struct backup_table *tables; /* of the database, in an order in which rows can be inserted */
    size_t count;
};

static enum outcome load_within(struct context *context, void *argument)
{
    struct loading *loading = argument;
    struct restore *restore = loading->restore;
    bool has_people;
    arena_reset(context->arena);
    arena_reset(restore->part_arena);
    restore->batch_rows = restore->batch_bytes = 0;
    restore->error.text[0] = '\0';
    enum outcome outcome = backup_store_has_people(context, &has_people);
    if (outcome == OK && has_people && !restore->present->has_people) {
        error_set(&restore->error, "somebody has signed up meanwhile");
        return PROBLEM;
    }
    if (outcome == OK) {
        outcome = backup_store_clear(context, loading->tables, loading->count);
    }
    for (size_t i = 0; outcome == OK && i < loading->count; i++) {
        for (size_t j = 0; outcome == OK && j < restore->archive->table_count; j++) {
            const struct archive_table *table = &restore->archive->tables[j];
            if (strcmp(loading->tables[i].name, table->table.name) == 0) {
                outcome = load_table(context, restore, table);
            }
        }
    }
    if (outcome == OK) {
        outcome = account_store_erase_again(context);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){.action = AUDIT_restore});
    }
    return outcome;
}

/* In a child: replaces all rows, in one transaction. */
static int load(struct invocation *invocation, void *argument)
{
    struct restore *restore = argument;
    struct context *context = &invocation->context;
    struct loading loading = {.restore = restore};
    struct backup_table *tables;
    struct config patient;
    size_t columns = 1;
    int status = connect_patiently(invocation, &patient);
    if (status != EXIT_DONE) {
        return status;
    }
    if (backup_store_tables(context, &tables, &loading.count) != OK) {
        return ctl_problem(invocation, "the tables");
    }
    loading.tables = tables;
    for (size_t i = 0; i < restore->archive->table_count; i++) {
        size_t count = restore->archive->tables[i].table.column_count;
        columns = count > columns ? count : columns;
    }
    restore->batch = arena_zero(context->arena, columns * BACKUP_BATCH_ROWS, sizeof *restore->batch);
    restore->part_arena = arena_new(0);
    struct arena *arena = context->arena;
    context->arena = arena_new(0); /* that of a statement */
    enum outcome outcome = database_transaction_alone(context, load_within, &loading);
    arena_free(context->arena);
    context->arena = arena;
    arena_free(restore->part_arena);
    if (outcome == OK) {
        return EXIT_DONE;
    }
    status = restore->error.text[0] != '\0' ? ctl_fail(EXIT_FAILED, "%s", restore->error.text)
                                            : ctl_problem(invocation, "the tables");
    ctl_fail(EXIT_FAILED, "nothing was changed");
    return status;
}

/* ---- The secret key ---- */

static int write_keys(struct invocation *invocation, const struct restore *restore)
{
    struct secret_keys keys = {.count = 0};
    struct error error;
    struct text content;
    if (!archive_read(invocation->context.arena, restore->archive, restore->archive->secret_key, &content, &error)) {
        return ctl_fail(EXIT_FAILED, "%s", error.text);
    }
    while (content.length > 0 && keys.count < SECRET_KEYS_MAX) {
        keys.items[keys.count] = text_take(&content, '\n');
        keys.count += keys.items[keys.count].length > 0;
    }
    if (!config_write_secret_keys(invocation->config, &keys, &error)) {
        return ctl_fail(EXIT_FAILED,
                        "%s; the accounts were restored, but not the key: call the command again as a user who may "
                        "write it",
                        error.text);
    }
    ctl_say(invocation, "%s: the secret key of the backup. Restart the service, so that it uses it.",
            config_secret_key_path(invocation->config));
    return EXIT_DONE;
}

/* Sessions are valid where their key is. Whoever moves without it is to hear so, and not to find out. */
static void say_other_key(struct invocation *invocation, const struct archive *archive)
{
    const struct secret_keys *keys = &invocation->config->secret_keys;
    bool is_here = archive->key_id == NULL;
    for (size_t i = 0; i < keys->count; i++) {
        char id[TOKEN_KEY_ID_SIZE];
        token_key_id(keys->items[i], id);
        is_here = is_here || strcmp(id, archive->key_id) == 0;
    }
    if (!is_here) {
        ctl_say_aside(invocation,
                      "The key %s, which signed the sessions of the backup, is not in %s: all users have to sign in "
                      "again, unless it is added there%s.",
                      archive->key_id, config_secret_key_path(invocation->config),
                      archive->secret_key != NULL ? ", as --with-secrets does" : "");
    }
}

/* ---- The command ---- */

static void print_report(struct invocation *invocation, const struct restore *restore, bool dry_run)
{
    static const struct sheet_column columns[] = {{"table", "TABLE", SHEET_TEXT}, {"rows", "ROWS", SHEET_INTEGER}};
    const struct archive *archive = restore->archive;
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < archive->table_count; i++) {
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_text(text_of(archive->tables[i].table.name));
        row[1] = sheet_integer(archive->tables[i].rows);
    }
    if (!invocation->json) {
        if (!invocation->quiet) {
            sheet_print(invocation, &sheet);
        }
        return;
    }
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_boolean(&json, "dry_run", dry_run);
    json_member_string(&json, "program", archive->program);
    json_member_string(&json, "made_at", archive->made_at);
    json_member_integer(&json, "schema", archive->schema);
    json_member_boolean(&json, "secrets", archive->secret_key != NULL);
    json_name(&json, "tables");
    sheet_add_json(&json, &sheet);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

/* Whether it may go on, with what is in the database. */
static int check_present(struct invocation *invocation, const struct restore *restore, bool dry_run)
{
    if (!restore->present->has_people) {
        return EXIT_DONE;
    }
    if (!ctl_has_option(invocation, OPTION_replace)) {
        return ctl_fail(EXIT_REFUSED,
                        "the database %s has accounts or groups: --replace deletes them, and restores "
                        "those of the backup",
                        invocation->config->database_name);
    }
    return dry_run ? EXIT_DONE
                   : ask_confirm(invocation, "Delete everything in the database %s, and restore the backup of %s?",
                                 invocation->config->database_name, restore->archive->made_at);
}

static int restore_archive(struct invocation *invocation, struct restore *restore)
{
    const bool dry_run = ctl_has_option(invocation, OPTION_dry_run);
    int status = ctl_run_child(invocation, look, restore);
    if (status == EXIT_DONE) {
        status = check_present(invocation, restore, dry_run);
    }
    if (status == EXIT_DONE && !dry_run && restore->present->schema == 0) {
        status = ctl_run_child(invocation, make_tables, NULL);
        if (status == EXIT_DONE) {
            status = ctl_run_child(invocation, look, restore);
        }
    }
    if (status == EXIT_DONE && !dry_run) {
        status = ctl_run_child(invocation, load, restore);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    print_report(invocation, restore, dry_run);
    if (dry_run) {
        ctl_say(invocation, "The backup of %s is whole. Nothing was changed: this is what would be restored.",
                restore->archive->made_at);
    } else {
        ctl_say(invocation, "Restored the backup of %s.", restore->archive->made_at);
        if (ctl_has_option(invocation, OPTION_with_secrets)) {
            status = write_keys(invocation, restore);
        } else {
            say_other_key(invocation, restore->archive);
        }
    }
    return status;
}

/* What can be told without the database. */
static int check_archive(struct invocation *invocation, const char *path, int descriptor, struct archive *archive)
{
    struct error error;
    if (!archive_open(invocation->context.arena, descriptor, archive, &error) ||
        (archive->schema <= migration_expected && !archive_verify(archive, &error))) {
        return ctl_fail(EXIT_FAILED, "%s: %s", path, error.text);
    }
    if (archive->schema > migration_expected) {
        migration_refuse_newer(archive->schema, migration_expected, &error);
        return ctl_fail(EXIT_FAILED, "%s (roster %s): %s", path, archive->program, error.text);
    }
    if (ctl_has_option(invocation, OPTION_with_secrets) && archive->secret_key == NULL) {
        return ctl_fail(EXIT_REFUSED, "%s: it has no secret key: it was made without --with-secrets", path);
    }
    return EXIT_DONE;
}

int command_restore(struct invocation *invocation)
{
    const char *path = ctl_argument(invocation, 0);
    struct archive archive;
    struct stat status;
    int result = ctl_load_secrets(invocation);
    if (result != EXIT_DONE) {
        return result;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    result = !S_ISREG(status.st_mode) ? ctl_fail(EXIT_FAILED, "%s: is not a regular file: it is read twice", path)
                                      : check_archive(invocation, path, descriptor, &archive);
    if (result == EXIT_DONE) {
        struct restore restore = {.archive = &archive, .present = ctl_shared_memory(sizeof(struct present))};
        result = restore_archive(invocation, &restore);
    }
    close(descriptor);
    return result;
}
