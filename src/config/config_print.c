/* config_print.c: see config_print.h. */
#include "config/config_print.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "config/config_table.h"
#include "config/config_value.h"

/* The sample file. */

enum { SAMPLE_WIDTH = 100 };

/* Prints a text, wrapped into lines that start with "# ". */
static void print_comment(FILE *out, const char *text)
{
    size_t column = 1;

    fputs("#", out);
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > 1 && column + 1 + length > SAMPLE_WIDTH) {
            fputs("\n#", out);
            column = 1;
        }
        fprintf(out, " %.*s", (int)length, text);
        column += 1 + length;
        text += length;
        text += strspn(text, " ");
    }
    putc('\n', out);
}

static void print_heading(FILE *out, const struct directive *row)
{
    fprintf(out, "\n## %s\n", row->title);
    print_comment(out, row->text);
}

static void print_default(FILE *out, const struct directive *directive, unsigned scope)
{
    fprintf(out, "#%s = ", directive->name);
    config_value_quote(out, config_default(directive, scope));
    putc('\n', out);
}

static void print_description(FILE *out, const struct directive *row)
{
    putc('\n', out);
    print_comment(out, row->text);
    if (row->needs_restart) {
        print_comment(out, "A change takes effect at a restart.");
    }
}

static void print_pool(FILE *out, enum pool pool)
{
    fprintf(out, "\n[%s]\n", pool_names[pool]);
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name == NULL || !config_table[i].is_pool) {
            continue;
        }
        if (pool == 0) {
            print_description(out, &config_table[i]);
        }
        print_default(out, &config_table[i], pool);
    }
}

void config_print_sample(FILE *out)
{
    print_comment(out, "roster.conf: the configuration of roster(8). See roster.conf(5).");
    fputs("#\n", out);
    print_comment(
        out, "One `name = value` per line. A value that contains # or starts or ends with white space needs double "
             "quotes, where \\\" is a quote and \\\\ a backslash. Sizes take k, m and g; times need a unit: ms, s, m, "
             "h or d. Each line below that starts with # and a name shows the default; remove the # to change it.");
    fputs("#\n", out);
    print_comment(
        out, "`roster -t` checks this file, `roster -T` prints the effective configuration, `systemctl reload roster` "
             "reloads it.");
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name == NULL) {
            print_heading(out, &config_table[i]);
        } else if (!config_table[i].is_pool) {
            print_description(out, &config_table[i]);
            print_default(out, &config_table[i], CONFIG_SCOPE_GLOBAL);
        }
    }
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        print_pool(out, (enum pool)pool);
    }
}

/* The effective configuration. */

static bool has_value(const struct directive *directive, const struct config *config, unsigned scope, const char *text)
{
    char *value = config_value_to_string(directive, config_slot_const(config, directive, scope));
    bool result = strcmp(value, text) == 0;
    free(value);
    return result;
}

/* Whether the file sets a directive to another value than its default, however both are written. */
static bool is_changed(const struct config *config, const struct directive *directive, unsigned scope)
{
    const struct config_loaded *loaded = (const struct config_loaded *)config;
    if (loaded->lines[scope][config_index(directive)] == 0) {
        return false;
    }
    struct arena *arena = arena_new(0);
    struct config *defaults = arena_zero(arena, 1, sizeof *defaults);
    invariant(config_value_parse(arena, directive, text_of(config_default(directive, scope)),
                                 config_slot(defaults, directive, scope), NULL));
    char *initial = config_value_to_string(directive, config_slot_const(defaults, directive, scope));
    bool result = !has_value(directive, config, scope, initial);
    free(initial);
    arena_free(arena);
    return result;
}

static void dump_directive(const struct config *config, FILE *out, const struct directive *directive, unsigned scope)
{
    char *value = config_value_to_string(directive, config_slot_const(config, directive, scope));
    fprintf(out, "%s = ", directive->name);
    config_value_quote(out, value);
    putc('\n', out);
    free(value);
}

static void print_section(FILE *out, unsigned scope, bool is_first)
{
    if (scope != CONFIG_SCOPE_GLOBAL) {
        fprintf(out, "%s[%s]\n", is_first ? "" : "\n", pool_names[scope]);
    }
}

static void dump_scope(const struct config *config, FILE *out, unsigned scope)
{
    print_section(out, scope, false);
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name != NULL && config_table[i].is_pool == (scope != CONFIG_SCOPE_GLOBAL)) {
            dump_directive(config, out, &config_table[i], scope);
        }
    }
}

void config_dump(const struct config *config, FILE *out)
{
    dump_scope(config, out, CONFIG_SCOPE_GLOBAL);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        dump_scope(config, out, pool);
    }
}

/* Prints the heading of a section before its first directive. *is_empty: nothing has been printed yet. */
static void dump_scope_changed(const struct config *config, FILE *out, unsigned scope, bool *is_empty)
{
    bool has_heading = false;
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        if (directive->name == NULL || directive->is_pool != (scope != CONFIG_SCOPE_GLOBAL) ||
            !is_changed(config, directive, scope)) {
            continue;
        }
        if (!has_heading) {
            print_section(out, scope, *is_empty);
            has_heading = true;
        }
        dump_directive(config, out, directive, scope);
        *is_empty = false;
    }
}

void config_dump_changed(const struct config *config, FILE *out)
{
    bool is_empty = true;
    dump_scope_changed(config, out, CONFIG_SCOPE_GLOBAL, &is_empty);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        dump_scope_changed(config, out, pool, &is_empty);
    }
}

static bool differs(const struct directive *directive, const struct config *left, const struct config *right,
                    unsigned scope)
{
    char *value = config_value_to_string(directive, config_slot_const(left, directive, scope));
    bool result = !has_value(directive, right, scope, value);
    free(value);
    return result;
}

void config_compare_restart(const struct config *old_config, const struct config *new_config,
                            void (*report)(const char *directive, void *argument), void *argument)
{
    char name[80];

    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        if (directive->name == NULL || !directive->needs_restart) {
            continue;
        }
        for (unsigned scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
            if (directive->is_pool != (scope != CONFIG_SCOPE_GLOBAL) ||
                !differs(directive, old_config, new_config, scope)) {
                continue;
            }
            if (directive->is_pool) {
                snprintf(name, sizeof name, "%s of [%s]", directive->name, pool_names[scope]);
            } else {
                snprintf(name, sizeof name, "%s", directive->name);
            }
            report(name, argument);
        }
    }
}

static bool begins_with_one(const char *name, const char *const words[])
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strncmp(name, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool keys_differ(const struct secret_keys *left, const struct secret_keys *right)
{
    bool differ = left->count != right->count;
    for (size_t i = 0; !differ && i < left->count; i++) {
        differ = !text_equal(left->items[i], right->items[i]);
    }
    return differ;
}

bool config_differs_in(const struct config *left, const struct config *right, const char *const words[])
{
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        if (directive->name != NULL && !directive->is_pool && begins_with_one(directive->name, words) &&
            differs(directive, left, right, CONFIG_SCOPE_GLOBAL)) {
            return true;
        }
    }
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        if (!text_equal(left->accounts[account].password, right->accounts[account].password)) {
            return true;
        }
    }
    return (begins_with_one("secret_key_file", words) && keys_differ(&left->secret_keys, &right->secret_keys)) ||
           !text_equal(left->database_password, right->database_password) ||
           !text_equal(left->redis_password, right->redis_password);
}
