/* ctl_backup.c: rosterctl backup. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "ctl/archive.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "store/audit_store.h"
#include "store/census.h"
#include "store/migration.h"

enum {
    PART_BYTES = 4 << 20,
    STATEMENT_SECONDS = 86400 /* also for a reader of standard output who is slow */
};

/* What the child tells its parent. */
struct summary {
    int schema;
    int64_t tables, rows, people, bytes;
};

struct backup {
    int descriptor;
    bool with_secrets;
    struct summary *summary;

    struct archive_writer writer;
    struct error error; /* of the file */
    const struct backup_table *table;
    struct arena *arena; /* of the lines of a part */
    struct buffer lines;
    unsigned part;
    int64_t part_rows, rows;
};

static bool flush_part(struct backup *backup)
{
    bool is_good = backup->part_rows == 0 || archive_add_part(&backup->writer, backup->table, ++backup->part,
                                                              buffer_text(&backup->lines), backup->part_rows);
    backup->rows += backup->part_rows;
    backup->part_rows = 0;
    arena_reset(backup->arena);
    buffer_init(&backup->lines, backup->arena);
    return is_good;
}

static enum outcome add_row(struct context *context, const struct value *row, void *argument)
{
    struct backup *backup = argument;
    (void)context;
    archive_add_row(&backup->lines, backup->table, row);
    backup->part_rows++;
    return backup->lines.length < PART_BYTES || flush_part(backup) ? OK : FAULT;
}

static enum outcome add_table(struct context *context, struct backup *backup, const struct backup_table *table)
{
    backup->table = table;
    backup->part = 0;
    backup->rows = 0;
    archive_begin_table(&backup->writer, table);
    enum outcome outcome = backup_store_each(context, table, add_row, backup);
    if (outcome == OK && !flush_part(backup)) {
        outcome = FAULT;
    }
    archive_end_table(&backup->writer, backup->rows);
    backup->summary->tables++;
    backup->summary->rows += backup->rows;
    if (strcmp(table->name, "user") == 0) {
        backup->summary->people = backup->rows;
    }
    return outcome;
}

/* Not repeated after a lost connection: a part of the archive may be written. */
static enum outcome write_within(struct context *context, void *argument)
{
    struct backup *backup = argument;
    struct backup_table *tables;
    size_t count;
    if (backup->writer.bytes > 0) {
        error_set(&backup->error, "the connection to MariaDB was lost meanwhile");
        return FAULT;
    }
    int schema = migration_schema_version(context);
    if (schema <= 0 || schema > migration_expected) {
        if (schema >= 0) {
            migration_is_expected(context, schema, &backup->error);
        }
        return FAULT;
    }
    char key_id[TOKEN_KEY_ID_SIZE];
    token_key_id(context->config->secret_keys.items[0], key_id);
    archive_begin(&backup->writer, backup->descriptor, context->now_seconds, arena_new(0), schema, key_id,
                  &backup->error);
    backup->summary->schema = schema;
    enum outcome outcome = backup_store_tables(context, &tables, &count);
    for (size_t i = 0; outcome == OK && i < count; i++) {
        outcome = add_table(context, backup, &tables[i]);
    }
    return outcome;
}

static int write_archive(struct invocation *invocation, void *argument)
{
    struct backup *backup = argument;
    struct config patient = *invocation->config;
    patient.database_read_timeout = STATEMENT_SECONDS;
    patient.request_memory_limit = 0;
    invocation->context.config = &patient;
    int status = ctl_connect(invocation);
    if (status != EXIT_DONE) {
        return status;
    }
    /* A server that takes no writes can still be saved. */
    if (audit_store_write(&invocation->context, &(struct audit_note){.action = AUDIT_users_export}) != OK) {
        ctl_say_aside(invocation, "The audit does not tell of this backup: %s",
                      ctl_problem_words(&invocation->context));
        invocation->context.problem = (struct problem){.code = ERROR_NONE};
    }
    backup->arena = arena_new(0);
    buffer_init(&backup->lines, backup->arena);
    backup->error.text[0] = '\0';
    bool is_read = database_snapshot(&invocation->context, write_within, backup) == OK;
    struct buffer keys;
    buffer_init(&keys, invocation->context.arena);
    for (size_t i = 0; backup->with_secrets && i < invocation->config->secret_keys.count; i++) {
        buffer_add_text(&keys, invocation->config->secret_keys.items[i]);
        buffer_add_byte(&keys, '\n');
    }
    struct text key = backup->with_secrets ? buffer_text(&keys) : TEXT_NULL;
    if (!is_read || !archive_end(&backup->writer, key)) {
        return backup->error.text[0] != '\0' ? ctl_fail(EXIT_FAILED, "%s", backup->error.text)
                                             : ctl_problem(invocation, "the tables");
    }
    backup->summary->bytes = backup->writer.bytes;
    return EXIT_DONE;
}

static void print_summary(const struct invocation *invocation, const struct backup *backup, const char *file)
{
    const struct summary *summary = backup->summary;
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_string(&json, "file", file);
    json_member_integer(&json, "bytes", summary->bytes);
    json_member_integer(&json, "schema", summary->schema);
    json_member_integer(&json, "users", summary->people);
    json_member_integer(&json, "tables", summary->tables);
    json_member_integer(&json, "rows", summary->rows);
    json_member_boolean(&json, "secrets", backup->with_secrets);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

static void say_summary(struct invocation *invocation, const struct backup *backup, const char *file)
{
    const struct summary *summary = backup->summary;
    ctl_say_aside(
        invocation, "%s: %s, %s of %s, %.1f MB.%s", file, find_count(invocation, (size_t)summary->people, "account"),
        find_count(invocation, (size_t)summary->rows, "row"), find_count(invocation, (size_t)summary->tables, "table"),
        (double)summary->bytes / 1e6,
        backup->with_secrets ? " It contains the secret key: anyone who has the file can sign in as any user."
                             : " The secret key is not in it: without the key its sessions are not valid elsewhere.");
}

/* Writes a new file beside `path', which takes its place only when it is whole and on the disk. */
static int write_file(struct invocation *invocation, struct backup *backup, const char *path)
{
    struct stat present;
    if (stat(path, &present) == 0 && !S_ISREG(present.st_mode)) {
        return ctl_fail(EXIT_USAGE, "%s is not a regular file; - stands for standard output", path);
    }
    struct file_replacement new_file;
    if (!file_replace_begin(&new_file, path)) {
        return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    backup->descriptor = new_file.descriptor;
    int status = ctl_run_child(invocation, write_archive, backup);
    bool is_replaced = file_replace_end(&new_file, status == EXIT_DONE);
    return status != EXIT_DONE || is_replaced ? status : ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

int command_backup(struct invocation *invocation)
{
    const char *path = ctl_argument(invocation, 0);
    const bool is_standard = strcmp(path, "-") == 0;
    struct backup backup = {
        .descriptor = STDOUT_FILENO,
        .with_secrets = ctl_has_option(invocation, OPTION_with_secrets),
        .summary = ctl_shared_memory(sizeof(struct summary)),
    };
    if (is_standard && (invocation->json || isatty(STDOUT_FILENO))) {
        return ctl_fail(EXIT_USAGE, invocation->json ? "--json needs a file: the backup goes to standard output"
                                                     : "standard output is a terminal: redirect it to a file");
    }
    int status = ctl_load_secrets(invocation);
    if (status == EXIT_DONE) {
        status =
            is_standard ? ctl_run_child(invocation, write_archive, &backup) : write_file(invocation, &backup, path);
    }
    struct error error;
    if (status == EXIT_DONE && !census_stamp_backup(invocation->config, &error)) {
        ctl_say_aside(invocation, "The backup is good, but /status will not know of it: %s", error.text);
    }
    if (status == EXIT_DONE && invocation->json) {
        print_summary(invocation, &backup, path);
    } else if (status == EXIT_DONE) {
        say_summary(invocation, &backup, is_standard ? "standard output" : path);
    }
    return status;
}
