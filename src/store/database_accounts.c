/* database_accounts.c: see database_accounts.h. */
#include "store/database_accounts.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "config/config_accounts.h"
#include "store/database_internal.h"

/* ---- The rows of grants.def ---- */

enum {
#define GRANT_ACCOUNT(name, suffix, text) name = 1 << ACCOUNT_##name,
#include "tables/grants.def"
};

/* Those that may be in a row. */
enum privilege { PRIVILEGE_SELECT, PRIVILEGE_INSERT, PRIVILEGE_UPDATE, PRIVILEGE_DELETE };
static const char *const privilege_names[] = {"SELECT", "INSERT", "UPDATE", "DELETE"};

struct grant {
    const char *table;
    enum privilege privilege;
    const char *columns; /* "": all */
    unsigned accounts;
};

static const struct grant grants[] = {
#define GRANT(name, right, these, who) \
    {.table = #name, .privilege = PRIVILEGE_##right, .columns = these, .accounts = who},
#include "tables/grants.def"
};

static const struct {
    const char *privilege;
    unsigned accounts;
} globals[] = {
#define GRANT_GLOBAL(right, who) {#right, who},
#include "tables/grants.def"
};

static bool has(unsigned accounts, enum account account)
{
    return (accounts & 1u << account) != 0;
}

/* The index behind the rows of a table, which stand together. */
static size_t table_end(size_t first)
{
    size_t end = first;
    while (end < ARRAY_COUNT(grants) && strcmp(grants[end].table, grants[first].table) == 0) {
        end++;
    }
    return end;
}

/* ---- The statements ---- */

static void add_columns(struct buffer *buffer, const char *columns)
{
    struct text rest = text_of(columns);
    for (const char *before = " ("; rest.length > 0; before = ", ") {
        const struct text column = text_trim(text_take(&rest, ','));
        buffer_add_format(buffer, "%s`%.*s`", before, (int)column.length, column.data);
    }
    buffer_add_string(buffer, *columns != '\0' ? ")" : "");
}

/* 'roster-api'@'localhost'. */
static struct text account_name(struct context *context, const char *user, const char *host)
{
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    database_add_account(&buffer, user, host);
    return buffer_text(&buffer);
}

/* "GRANT SELECT (`id`), UPDATE ON `roster`.`auth` TO 'roster-api'@'localhost'"; false: the account needs nothing of
 * this table. */
static bool add_table_grant(struct buffer *buffer, const struct config *config, size_t first, enum account account,
                            struct text name)
{
    const char *before = "GRANT ";
    for (size_t i = first; i < table_end(first); i++) {
        if (has(grants[i].accounts, account)) {
            buffer_add_format(buffer, "%s%s", before, privilege_names[grants[i].privilege]);
            add_columns(buffer, grants[i].columns);
            before = ", ";
        }
    }
    if (before[0] == 'G') {
        return false;
    }
    buffer_add_literal(buffer, " ON ");
    database_add_name(buffer, config->database_name, false);
    buffer_add_format(buffer, ".`%s` TO ", grants[first].table);
    buffer_add_text(buffer, name);
    return true;
}

/* A privilege of the whole database, or of none. */
static void add_wide_grant(struct buffer *buffer, const struct config *config, const char *privileges, bool is_global,
                           struct text name)
{
    buffer_add_format(buffer, "GRANT %s ON ", privileges);
    if (is_global) {
        buffer_add_literal(buffer, "*");
    } else {
        database_add_name(buffer, config->database_name, true);
    }
    buffer_add_literal(buffer, ".* TO ");
    buffer_add_text(buffer, name);
}

/* What MariaDB stores of a password: '*', and SHA-1 twice, in hexadecimal digits. Nobody gets in with it. */
static void add_stored_password(struct buffer *buffer, struct text password)
{
    unsigned char once[EVP_MAX_MD_SIZE], twice[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    invariant(EVP_Digest(password.data, password.length, once, &length, EVP_sha1(), NULL) == 1 &&
              EVP_Digest(once, length, twice, &length, EVP_sha1(), NULL) == 1);
    explicit_bzero(once, sizeof once);
    buffer_add_literal(buffer, "'*");
    for (unsigned i = 0; i < length; i++) {
        buffer_add_format(buffer, "%02X", twice[i]);
    }
    buffer_add_literal(buffer, "'");
}

static void add_creation(struct buffer *buffer, struct text name, struct text password)
{
    static const char *const verbs[] = {"CREATE USER IF NOT EXISTS ", "ALTER USER "};
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        buffer_add_string(buffer, verbs[i]);
        buffer_add_text(buffer, name);
        buffer_add_literal(buffer, " IDENTIFIED BY PASSWORD ");
        add_stored_password(buffer, password);
        buffer_add_literal(buffer, ";\n");
    }
}

struct text database_accounts_grants(struct context *context, const char *from)
{
    const struct config *config = context->config;
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    buffer_add_literal(&buffer, "-- For MariaDB's root, after `rosterctl migrate`. All statements can be run again.\n");
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        const struct text name = account_name(context, config->accounts[account].user, from);
        buffer_add_format(&buffer, "\n-- %s.\n", config_account_text(account));
        add_creation(&buffer, name, config->accounts[account].password);
        for (size_t i = 0; i < ARRAY_COUNT(globals); i++) {
            if (has(globals[i].accounts, account)) {
                add_wide_grant(&buffer, config, globals[i].privilege, true, name);
                buffer_add_literal(&buffer, ";\n");
            }
        }
        if (account == ACCOUNT_ROSTERCTL) {
            add_wide_grant(&buffer, config, DATABASE_NEEDED, false, name);
            buffer_add_literal(&buffer, ";\n");
        }
        for (size_t i = 0; i < ARRAY_COUNT(grants); i = table_end(i)) {
            if (add_table_grant(&buffer, config, i, account, name)) {
                buffer_add_literal(&buffer, ";\n");
            }
        }
    }
    if (config->migration_user[0] != '\0') {
        buffer_add_literal(&buffer, "\n-- rosterctl migrate, which grants the accounts what new tables need.\n");
        add_wide_grant(&buffer, config, "ALL PRIVILEGES", false, account_name(context, config->migration_user, from));
        buffer_add_literal(&buffer, " WITH GRANT OPTION;\n");
    }
    return buffer_text(&buffer);
}

bool database_accounts_grant(struct context *context, const char *from, struct error *error)
{
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        const struct text name = account_name(context, context->config->accounts[account].user, from);
        for (size_t i = 0; i < ARRAY_COUNT(grants); i = table_end(i)) {
            struct buffer buffer;
            buffer_init(&buffer, context->arena);
            if (add_table_grant(&buffer, context->config, i, account, name)) {
                buffer_add_byte(&buffer, '\0');
                if (!database_run_script(context, buffer_text(&buffer).data, error)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* ---- What an account has ---- */

/* The rows of database_account_look: table ("": of the database, or of all), column ("": all), privilege. */
enum { HAS_TABLE, HAS_COLUMN, HAS_PRIVILEGE };

static bool lists(const char *columns, struct text column)
{
    struct text rest = text_of(columns);
    while (rest.length > 0) {
        if (text_equal(text_trim(text_take(&rest, ',')), column)) {
            return true;
        }
    }
    return false;
}

/* `column`: the null text: the whole table. */
static bool covers(const struct value *row, const char *table, const char *privilege, struct text column)
{
    return text_is(row[HAS_PRIVILEGE].text, privilege) &&
           (row[HAS_TABLE].text.length == 0 || text_is(row[HAS_TABLE].text, table)) &&
           (row[HAS_COLUMN].text.length == 0 || (column.data != NULL && text_equal(row[HAS_COLUMN].text, column)));
}

static bool is_covered(const struct result *result, const char *table, const char *privilege, struct text column)
{
    for (size_t i = 0; i < result->row_count; i++) {
        if (covers(result_row(result, i), table, privilege, column)) {
            return true;
        }
    }
    return false;
}

static bool has_grant(const struct result *result, const struct grant *grant)
{
    const char *privilege = privilege_names[grant->privilege];
    struct text rest = text_of(grant->columns);
    bool is_all = rest.length > 0 || is_covered(result, grant->table, privilege, TEXT_NULL);
    while (rest.length > 0) {
        is_all = is_covered(result, grant->table, privilege, text_trim(text_take(&rest, ','))) && is_all;
    }
    return is_all;
}

/* Whether the account needs what a row says. */
static bool is_needed(const struct value *row, enum account account)
{
    const struct text table = row[HAS_TABLE].text, column = row[HAS_COLUMN].text, name = row[HAS_PRIVILEGE].text;
    bool needed = text_is(name, "USAGE");
    for (size_t i = 0; table.length == 0 && i < ARRAY_COUNT(globals); i++) {
        needed = needed || (has(globals[i].accounts, account) && text_is(name, globals[i].privilege));
    }
    for (size_t i = 0; account == ACCOUNT_ROSTERCTL && i < ARRAY_COUNT(privilege_names); i++) {
        needed = needed || text_is(name, privilege_names[i]);
    }
    for (size_t i = 0; table.length > 0 && i < ARRAY_COUNT(grants); i++) {
        const struct grant *grant = &grants[i];
        needed = needed || (has(grant->accounts, account) && text_is(table, grant->table) &&
                            text_is(name, privilege_names[grant->privilege]) &&
                            (grant->columns[0] == '\0' || (column.length > 0 && lists(grant->columns, column))));
    }
    return needed;
}

/* The REVOKE of a row. */
static const char *revocation_of(struct context *context, const struct value *row, struct text name)
{
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    if (row[HAS_TABLE].text.length == 0) {
        buffer_add_literal(&buffer, "REVOKE ALL PRIVILEGES, GRANT OPTION");
    } else {
        buffer_add_literal(&buffer, "REVOKE ");
        buffer_add_text(&buffer, row[HAS_PRIVILEGE].text);
        if (row[HAS_COLUMN].text.length > 0) {
            add_columns(&buffer, row[HAS_COLUMN].text.data);
        }
        buffer_add_literal(&buffer, " ON ");
        database_add_name(&buffer, context->config->database_name, false);
        buffer_add_format(&buffer, ".`%s`", row[HAS_TABLE].text.data);
    }
    buffer_add_literal(&buffer, " FROM ");
    buffer_add_text(&buffer, name);
    buffer_add_byte(&buffer, '\0');
    return buffer_text(&buffer).data;
}

static void add_missing(struct context *context, struct text statement, struct database_account_state *state)
{
    state->missing = state->missing != NULL ? state->missing : text_copy(context->arena, statement).data;
    state->missing_count++;
}

static void find_missing(struct context *context, const struct result *result, enum account account, struct text name,
                         struct database_account_state *state)
{
    const struct config *config = context->config;
    struct buffer buffer;
    for (size_t i = 0; i < ARRAY_COUNT(globals); i++) {
        if (has(globals[i].accounts, account) && !is_covered(result, "", globals[i].privilege, TEXT_NULL)) {
            buffer_init(&buffer, context->arena);
            add_wide_grant(&buffer, config, globals[i].privilege, true, name);
            add_missing(context, buffer_text(&buffer), state);
        }
    }
    for (size_t i = 0; account == ACCOUNT_ROSTERCTL && i < ARRAY_COUNT(privilege_names); i++) {
        if (!is_covered(result, "", privilege_names[i], TEXT_NULL)) {
            buffer_init(&buffer, context->arena);
            add_wide_grant(&buffer, config, privilege_names[i], false, name);
            add_missing(context, buffer_text(&buffer), state);
        }
    }
    for (size_t first = 0; first < ARRAY_COUNT(grants); first = table_end(first)) {
        bool is_whole = true;
        for (size_t i = first; i < table_end(first); i++) {
            is_whole = is_whole && (!has(grants[i].accounts, account) || has_grant(result, &grants[i]));
        }
        buffer_init(&buffer, context->arena);
        if (!is_whole && add_table_grant(&buffer, config, first, account, name)) {
            add_missing(context, buffer_text(&buffer), state);
        }
    }
}

/* Whether a row is SELECT of the hashes. */
static bool is_of_hashes(const struct value *row)
{
    return covers(row, "auth", "SELECT", TEXT("password"));
}

/* "roster-api@localhost" as `roster-api`@`localhost`: within a statement between the single quotes of a shell. */
static struct text shell_name(struct context *context, struct text account)
{
    const char *at = memrchr(account.data, '@', account.length);
    invariant(at != NULL);
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    database_add_name(&buffer, text_format(context->arena, "%.*s", (int)(at - account.data), account.data).data, false);
    buffer_add_byte(&buffer, '@');
    database_add_name(&buffer, at + 1, false);
    return buffer_text(&buffer);
}

bool database_account_look(struct context *context, enum account account, struct database_account_state *state_r)
{
#define OWN                                                                                  \
    "GRANTEE = CONCAT(QUOTE(LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - LOCATE('@', " \
    "REVERSE(CURRENT_USER())))), "                                                           \
    "'@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))"
    static const char sql[] =
        "SELECT '', '', PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE " OWN
        " UNION ALL SELECT '', '', PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE " OWN
        " AND DATABASE() LIKE TABLE_SCHEMA "
        "UNION ALL SELECT TABLE_NAME, '', PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES WHERE " OWN
        " AND TABLE_SCHEMA = DATABASE() "
        "UNION ALL SELECT TABLE_NAME, COLUMN_NAME, PRIVILEGE_TYPE FROM information_schema.COLUMN_PRIVILEGES WHERE " OWN
        " AND TABLE_SCHEMA = DATABASE()";
    *state_r = (struct database_account_state){NULL};
    struct result result;
    struct text own;
    if (database_execute(context, sql, NO_PARAMETERS, &result, ERROR_NONE) != OK ||
        database_get_text(context, "SELECT CURRENT_USER()", NO_PARAMETERS, &own, ERROR_NONE) != OK ||
        own.data == NULL) {
        return false;
    }
    const struct text name = shell_name(context, own);
    find_missing(context, &result, account, name, state_r);
    for (size_t i = 0; i < result.row_count && !state_r->reads_hashes; i++) {
        const struct value *row = result_row(&result, i);
        if (!is_needed(row, account) && (state_r->excess == NULL || is_of_hashes(row))) {
            state_r->excess = revocation_of(context, row, name);
            state_r->reads_hashes = is_of_hashes(row);
        }
    }
    return true;
}
