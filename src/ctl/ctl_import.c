/* ctl_import.c: rosterctl import: options and report, as text and as JSON. import/import does the import. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "auth/password.h"
#include "base/array.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "import/import.h"
#include "store/migration.h"

enum {
    SHOWN_MAX = 20, /* findings of each kind in the text report */
    SCHEMA_MIN = 3  /* the migration with the last column that imports.def names */
};

static const char *const kind_names[] = {
    [IMPORT_COLLISION] = "collision",
    [IMPORT_BROKEN] = "broken",
    [IMPORT_PARTIAL] = "mended",
    [IMPORT_IDLE] = "idle",
};

static const char *const kind_headings[] = {
    [IMPORT_COLLISION] = "Not imported, because of a conflict",
    [IMPORT_BROKEN] = "Not imported, because it is invalid",
    [IMPORT_PARTIAL] = "Imported in part",
    [IMPORT_IDLE] = "Imported, but without effect in Roster, or with another effect",
};

static void fill_counts(struct sheet *sheet, struct arena *arena, const struct import_report *report)
{
    static const struct sheet_column columns[] = {
        {"table", "TABLE", SHEET_TEXT},       {"there", "THERE", SHEET_INTEGER},
        {"new", "NEW", SHEET_INTEGER},        {"changed", "CHANGED", SHEET_INTEGER},
        {"unchanged", "SAME", SHEET_INTEGER}, {"left_out", "LEFT OUT", SHEET_INTEGER},
        {"here", "HERE", SHEET_INTEGER},      {"left_out_with_user", NULL, SHEET_INTEGER},
    };
    sheet_init(sheet, arena, columns, ARRAY_COUNT(columns));
    for (int table = 0; table < IMPORT_TABLE_COUNT; table++) {
        const struct import_count *counts = &report->counts[table];
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_text(text_of(import_table_names[table]));
        row[1] = sheet_integer(counts->there);
        row[2] = sheet_integer(counts->fresh);
        row[3] = sheet_integer(counts->changed);
        row[4] = sheet_integer(counts->unchanged);
        row[5] = sheet_integer(counts->left_out);
        row[6] = sheet_integer(counts->here);
        row[7] = sheet_integer(counts->with_user);
    }
}

static void fill_findings(struct sheet *sheet, struct arena *arena, const struct import_report *report)
{
    static const struct sheet_column columns[] = {{"kind", "KIND", SHEET_TEXT},
                                                  {"table", "TABLE", SHEET_TEXT},
                                                  {"id", "ID", SHEET_TEXT},
                                                  {"name", "NAME", SHEET_TEXT},
                                                  {"text", "TEXT", SHEET_TEXT}};
    sheet_init(sheet, arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct import_finding *finding = &report->findings[i];
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_text(text_of(kind_names[finding->kind]));
        row[1] = sheet_text(text_of(import_table_names[finding->table]));
        row[2] = sheet_text(finding->id);
        row[3] = sheet_text(finding->name);
        row[4] = sheet_text(finding->text);
    }
}

/* Tables and columns of the file that are not imported. */
static void fill_unmapped(struct sheet *sheet, struct arena *arena, const struct import_source *source)
{
    static const struct sheet_column columns[] = {{"table", "TABLE", SHEET_TEXT},
                                                  {"column", "COLUMN", SHEET_TEXT},
                                                  {"rows", "ROWS", SHEET_INTEGER},
                                                  {"known", "KNOWN", SHEET_BOOLEAN}};
    size_t count;
    const struct import_unmapped *unmapped = import_source_unmapped(source, &count);
    sheet_init(sheet, arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < count; i++) {
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_text(unmapped[i].table);
        row[1] = sheet_text(unmapped[i].column);
        row[2] = sheet_integer(unmapped[i].rows);
        row[2].is_null = unmapped[i].rows < 0;
        row[3].integer = unmapped[i].is_known;
        row[3].is_null = false;
    }
}

static void print_json(struct invocation *invocation, const struct import_source *source,
                       const struct import_report *report, bool dry_run)
{
    struct arena *arena = invocation->context.arena;
    struct sheet counts, findings, unmapped;
    fill_counts(&counts, arena, report);
    fill_findings(&findings, arena, report);
    fill_unmapped(&unmapped, arena, source);
    struct json_writer json;
    json_start(&json, arena);
    json_begin_object(&json);
    json_member_boolean(&json, "dry_run", dry_run);
    json_name(&json, "tables");
    sheet_add_json(&json, &counts);
    json_name(&json, "findings");
    sheet_add_json(&json, &findings);
    json_name(&json, "no_place");
    sheet_add_json(&json, &unmapped);
    json_name(&json, "idle_settings");
    json_add_texts(&json, report->idle_settings, report->idle_setting_count);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

static void print_findings(struct invocation *invocation, const struct import_report *report,
                           enum import_finding_kind kind)
{
    struct arena *arena = invocation->context.arena;
    if (report->kind_counts[kind] == 0) {
        return;
    }
    printf("\n%s:\n", kind_headings[kind]);
    size_t shown = 0;
    for (size_t i = 0; i < report->finding_count && shown < SHOWN_MAX; i++) {
        const struct import_finding *finding = &report->findings[i];
        if (finding->kind == kind) {
            shown++;
            printf("  %s %s", import_table_names[finding->table], sheet_clean(arena, finding->id).data);
            if (finding->name.data != NULL) {
                printf(" (%s)", sheet_clean(arena, finding->name).data);
            }
            printf(": %s\n", sheet_clean(arena, finding->text).data);
        }
    }
    if (report->kind_counts[kind] > shown) {
        printf("  and %zu more; --json lists all\n", report->kind_counts[kind] - shown);
    }
}

static void print_unmapped(struct invocation *invocation, const struct import_source *source, bool known)
{
    struct arena *arena = invocation->context.arena;
    size_t count, shown = 0;
    const struct import_unmapped *unmapped = import_source_unmapped(source, &count);
    for (size_t i = 0; i < count; i++) {
        const struct import_unmapped *item = &unmapped[i];
        if (item->is_known != known) {
            continue;
        }
        if (shown++ == 0) {
            puts(known ? "\nNot imported, because Roster does not store it:"
                       : "\nNot imported, because it is unknown:");
        }
        printf("  %s", sheet_clean(arena, item->table).data);
        if (item->column.data != NULL) {
            printf(".%s", sheet_clean(arena, item->column).data);
        }
        if (item->rows >= 0) {
            printf(": %" PRId64 " row%s", item->rows, item->rows == 1 ? "" : "s");
        }
        putchar('\n');
    }
}

/* Whether the file has tables or columns that no known release has. They may matter. */
static bool has_unknown(const struct import_source *source)
{
    size_t count;
    const struct import_unmapped *unmapped = import_source_unmapped(source, &count);
    for (size_t i = 0; i < count; i++) {
        if (!unmapped[i].is_known) {
            return true;
        }
    }
    return false;
}

static int64_t sum_left_out(const struct import_report *report, bool with_user)
{
    int64_t sum = 0;
    for (int table = 0; table < IMPORT_TABLE_COUNT; table++) {
        sum += with_user ? report->counts[table].with_user : report->counts[table].left_out;
    }
    return sum;
}

static void print_report(struct invocation *invocation, const struct import_source *source,
                         const struct import_report *report, bool dry_run)
{
    int64_t with_user = sum_left_out(report, true);
    if (invocation->quiet) {
        return;
    }
    struct sheet counts;
    fill_counts(&counts, invocation->context.arena, report);
    sheet_print(invocation, &counts);
    for (int kind = 0; kind <= IMPORT_IDLE; kind++) {
        print_findings(invocation, report, (enum import_finding_kind)kind);
    }
    if (with_user > 0) {
        printf("\n%" PRId64 " more row%s not imported, because the users or groups that they belong to are not.\n",
               with_user, with_user == 1 ? " is" : "s are");
    }
    print_unmapped(invocation, source, false);
    print_unmapped(invocation, source, true);
    if (report->idle_setting_count > 0) {
        printf("\n%zu setting%s stored, but not used by Roster; --json lists all.\n", report->idle_setting_count,
               report->idle_setting_count == 1 ? " is" : "s are");
    }
    if (dry_run) {
        puts("\nNothing was changed: this is what would be imported.");
    }
}

/* Reads the file of --settings. False: it can't be used; the reason was printed. */
static bool read_settings(struct invocation *invocation, const struct import_source *source,
                          struct import_options *wanted)
{
    const char *path = ctl_option(invocation, OPTION_settings);
    if (path == NULL) {
        return true;
    }
    if (import_source_settings(source) != IMPORT_SETTINGS_NONE) {
        ctl_fail(EXIT_FAILED, "--settings: the database already has settings; nothing was imported");
        return false;
    }
    struct stat status;
    if (!file_read(invocation->context.arena, path, &wanted->settings) || stat(path, &status) != 0) {
        ctl_fail(EXIT_FAILED, "%s: %s; nothing was imported", path, strerror(errno));
        return false;
    }
    struct tm utc;
    char moment[sizeof "YYYY-MM-DD HH:MM:SS"];
    if (gmtime_r(&status.st_mtime, &utc) != NULL &&
        strftime(moment, sizeof moment, "%Y-%m-%d %H:%M:%S", &utc) == sizeof moment - 1) {
        wanted->settings_changed = text_copy(invocation->context.arena, text_of(moment));
    }
    return true;
}

static bool is_incomplete(const struct import_source *source, const struct import_report *report)
{
    return sum_left_out(report, false) > 0 || report->finding_count > 0 || has_unknown(source);
}

static int run(struct invocation *invocation, const char *file, struct import_source *source,
               const struct import_options *wanted)
{
    struct import_report report;
    int status = EXIT_FAILED;
    if (import_run(&invocation->context, source, wanted, &report) != OK) {
        ctl_problem(invocation, file);
        fputs("rosterctl: nothing was imported\n", stderr);
    } else {
        if (invocation->json) {
            print_json(invocation, source, &report, wanted->dry_run);
        } else {
            print_report(invocation, source, &report, wanted->dry_run);
        }
        status = is_incomplete(source, &report) ? EXIT_INCOMPLETE : EXIT_DONE;
    }
    import_report_free(&report);
    return status;
}

int command_import_open_webui(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *file = ctl_argument(invocation, 0);
    struct import_options wanted = {.dry_run = ctl_has_option(invocation, OPTION_dry_run),
                                    .check_hash = password_judge_hash};
    if (migration_schema_version(context) < SCHEMA_MIN) {
        return ctl_fail(EXIT_FAILED,
                        "the tables to import into are missing or outdated: call `rosterctl migrate' first");
    }
    struct error error;
    struct import_source *source = import_source_open(context->arena, file, &error);
    if (source == NULL) {
        return ctl_fail(EXIT_FAILED, "%s; nothing was imported", error.text);
    }
    int status = read_settings(invocation, source, &wanted) ? run(invocation, file, source, &wanted) : EXIT_FAILED;
    import_source_close(source);
    return status;
}
