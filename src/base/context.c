#include "base/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

void context_note_statement(struct context *context, const char *sql, int64_t microseconds)
{
    context->statement_microseconds += microseconds;
    unsigned i = 0;
    while (i < context->statements_kept && context->statements[i].sql != sql) {
        i++;
    }
    if (i == CONTEXT_STATEMENTS_MAX) {
        context->statements_left_out++;
        return;
    }
    if (i == context->statements_kept) {
        context->statements[context->statements_kept++] = (struct statement_use){.sql = sql};
    }
    context->statements[i].count++;
    context->statements[i].microseconds += microseconds;
}

static int compare_uses(const void *left, const void *right)
{
    const struct statement_use *a = left, *b = right;
    return (a->microseconds < b->microseconds) - (a->microseconds > b->microseconds);
}

static void add_sql(struct buffer *line, const char *sql)
{
    bool blank = false;
    sql += strspn(sql, " \t\r\n");
    for (; *sql != '\0'; sql++) {
        if (strchr(" \t\r\n", *sql) != NULL) {
            blank = true;
            continue;
        }
        if (blank) {
            buffer_add_byte(line, ' ');
        }
        blank = false;
        buffer_add_byte(line, *sql);
    }
}

struct text context_describe_statements(const struct context *context, int64_t microseconds)
{
    struct statement_use uses[CONTEXT_STATEMENTS_MAX];
    memcpy(uses, context->statements, sizeof uses);
    qsort(uses, context->statements_kept, sizeof uses[0], compare_uses);
    struct buffer line;
    buffer_init(&line, context->arena);
    buffer_add_format(&line, "%u statement%s in %.1f ms", context->statement_count,
                      context->statement_count == 1 ? "" : "s", (double)context->statement_microseconds / 1000);
    if (context->statement_microseconds < microseconds / 10) {
        return buffer_text(&line);
    }
    for (unsigned i = 0; i < context->statements_kept; i++) {
        buffer_add_format(&line, "%s [%u time%s, %.1f ms] ", i == 0 ? ":" : ";", uses[i].count,
                          uses[i].count == 1 ? "" : "s", (double)uses[i].microseconds / 1000);
        add_sql(&line, uses[i].sql);
    }
    if (context->statements_left_out > 0) {
        buffer_add_format(&line, "; %u further", context->statements_left_out);
    }
    return buffer_text(&line);
}
