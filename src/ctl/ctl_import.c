/* ctl_import.c: rosterctl import: what it has found, in words and in JSON. The work is store/import. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "store/import.h"
#include "store/migration.h"

enum { SHOWN_MOST = 20 }; /* findings of a kind that people are shown */

static const char *const kind_names[] = {
    [IMPORT_COLLISION] = "collision",
    [IMPORT_BROKEN] = "broken",
    [IMPORT_MENDED] = "mended",
};

static const char *const kind_headings[] = {
    [IMPORT_COLLISION] = "Left out, since another one is in the way",
    [IMPORT_BROKEN] = "Left out, since it is broken",
    [IMPORT_MENDED] = "Brought, but for a part of it",
};

static void fill_counts(struct sheet *sheet, struct arena *arena, const struct import_report *report)
{
    static const struct sheet_column columns[] = {
        {"table", "TABLE", SHEET_TEXT},       {"there", "THERE", SHEET_INTEGER},
        {"new", "NEW", SHEET_INTEGER},        {"changed", "CHANGED", SHEET_INTEGER},
        {"unchanged", "SAME", SHEET_INTEGER}, {"left_out", "LEFT OUT", SHEET_INTEGER},
        {"here", "HERE", SHEET_INTEGER},      {"left_out_with_user", NULL, SHEET_INTEGER},
    };
    sheet_init(sheet, arena, columns, sizeof columns / sizeof columns[0]);
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
                                                  {"text", "TEXT", SHEET_TEXT}};
    sheet_init(sheet, arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct import_finding *finding = &report->findings[i];
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_text(text_of(kind_names[finding->kind]));
        row[1] = sheet_text(text_of(import_table_names[finding->table]));
        row[2] = sheet_text(finding->id);
        row[3] = sheet_text(finding->text);
    }
}

static void print_json(struct invocation *invocation, const struct import_report *report, bool dry_run)
{
    struct arena *arena = invocation->context.arena;
    struct sheet counts, findings;
    struct buffer json;
    fill_counts(&counts, arena, report);
    fill_findings(&findings, arena, report);
    buffer_init(&json, arena);
    buffer_add_format(&json, "{\"dry_run\":%s,\"tables\":", dry_run ? "true" : "false");
    sheet_add_json(&json, &counts);
    buffer_add_literal(&json, ",\"findings\":");
    sheet_add_json(&json, &findings);
    buffer_add_byte(&json, '}');
    ctl_print(&json);
}

static void print_findings(struct invocation *invocation, const struct import_report *report,
                           enum import_finding_kind kind)
{
    struct arena *arena = invocation->context.arena;
    size_t shown = 0;
    if (report->kind_counts[kind] == 0) {
        return;
    }
    printf("\n%s:\n", kind_headings[kind]);
    for (size_t i = 0; i < report->finding_count && shown < SHOWN_MOST; i++) {
        const struct import_finding *finding = &report->findings[i];
        if (finding->kind == kind) {
            shown++;
            printf("  %s %s: %s\n", import_table_names[finding->table], sheet_clean(arena, finding->id).data,
                   sheet_clean(arena, finding->text).data);
        }
    }
    if (report->kind_counts[kind] > shown) {
        printf("  and %zu more; --json lists all\n", report->kind_counts[kind] - shown);
    }
}

static int64_t sum_left_out(const struct import_report *report, bool with_user)
{
    int64_t sum = 0;
    for (int table = 0; table < IMPORT_TABLE_COUNT; table++) {
        sum += with_user ? report->counts[table].with_user : report->counts[table].left_out;
    }
    return sum;
}

static void print_report(struct invocation *invocation, const struct import_report *report, bool dry_run)
{
    struct sheet counts;
    int64_t with_user = sum_left_out(report, true);
    if (invocation->quiet) {
        return;
    }
    fill_counts(&counts, invocation->context.arena, report);
    sheet_print(invocation, &counts);
    for (int kind = 0; kind <= IMPORT_MENDED; kind++) {
        print_findings(invocation, report, (enum import_finding_kind)kind);
    }
    if (with_user > 0) {
        printf("\n%" PRId64 " more row%s left out with the users or groups that they belong to.\n", with_user,
               with_user == 1 ? " is" : "s are");
    }
    if (dry_run) {
        puts("\nNothing was changed: this is what would come.");
    }
}

int command_import_open_webui(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *file = ctl_argument(invocation, 0);
    bool dry_run = ctl_has_option(invocation, "dry-run");
    struct import_report report;
    const char *error;
    if (migration_schema_version(context) < 1) {
        return ctl_fail(EXIT_FAILED, "there are no tables to bring anything into: call `rosterctl migrate' first");
    }
    struct import_source *source = import_source_open(context->arena, file, &error);
    if (source == NULL) {
        return ctl_fail(EXIT_FAILED, "%s; nothing was brought over", error);
    }
    enum outcome outcome = import_run(context, source, dry_run, &report);
    import_source_close(source);
    int status = EXIT_FAILED;
    if (outcome != OK) {
        ctl_problem(invocation, file);
        fputs("rosterctl: nothing was brought over\n", stderr);
    } else {
        if (invocation->json) {
            print_json(invocation, &report, dry_run);
        } else {
            print_report(invocation, &report, dry_run);
        }
        status = sum_left_out(&report, false) > 0 || report.finding_count > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
    }
    import_report_free(&report);
    return status;
}
