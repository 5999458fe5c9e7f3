/* database_grants.c: privileges of the MariaDB accounts: those that are needed, and those that they have. */
#include "store/database_internal.h"

#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "config/config.h"

static const char *const needed[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "USAGE"};

/* ---- What is needed ---- */

void database_add_name(struct buffer *buffer, const char *name, bool is_pattern)
{
    buffer_add_byte(buffer, '`');
    for (; *name != '\0'; name++) {
        if (is_pattern && strchr("_%\\", *name) != NULL) {
            buffer_add_byte(buffer, '\\');
        } else if (*name == '`') {
            buffer_add_byte(buffer, '`');
        }
        buffer_add_byte(buffer, *name);
    }
    buffer_add_byte(buffer, '`');
}

static void add_text(struct buffer *buffer, const char *text)
{
    buffer_add_byte(buffer, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            buffer_add_byte(buffer, *text);
        }
        buffer_add_byte(buffer, *text);
    }
    buffer_add_byte(buffer, '\'');
}

void database_add_account(struct buffer *buffer, const char *user, const char *from)
{
    add_text(buffer, user);
    buffer_add_byte(buffer, '@');
    add_text(buffer, from);
}

/* Creates an account if it is missing. Revokes all earlier privileges first, with wildcards or without. Open
 * connections keep their privileges. */
static void add_grants(struct buffer *buffer, const struct config *config, const char *user, const char *from,
                       const char *password_file, const char *privileges)
{
    if (password_file == NULL) {
        buffer_add_literal(buffer, "CREATE USER IF NOT EXISTS ");
        database_add_account(buffer, user, from);
        buffer_add_literal(buffer, " IDENTIFIED VIA unix_socket;\n");
    } else {
        buffer_add_literal(buffer, "-- The account has a password, which is not printed. If the account does not exist "
                                   "yet, run this first, with the password of ");
        buffer_add_string(buffer, password_file);
        buffer_add_literal(buffer, ":\n--   CREATE USER ");
        database_add_account(buffer, user, from);
        buffer_add_literal(buffer, " IDENTIFIED BY '...';\n");
    }
    buffer_add_literal(buffer, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM ");
    database_add_account(buffer, user, from);
    buffer_add_literal(buffer, ";\nGRANT ");
    buffer_add_string(buffer, privileges);
    buffer_add_literal(buffer, " ON ");
    database_add_name(buffer, config->database_name, true);
    buffer_add_literal(buffer, ".* TO ");
    database_add_account(buffer, user, from);
    buffer_add_literal(buffer, ";\n");
}

/* NULL: no password: unix_socket authentication, on this machine only. */
static const char *password_file_of(const struct config *config, const char *file, struct text password)
{
    return file[0] != '\0'                                            ? file
           : password.data != NULL || config->database_host.count > 0 ? "its password file"
                                                                      : NULL;
}

struct text database_grants(struct context *context, const char *from)
{
    const struct config *config = context->config;
    const char *password = password_file_of(config, config->database_password_file, config->database_password);
    struct buffer buffer;
    buffer_init(&buffer, context->arena);
    buffer_add_literal(&buffer,
                       "-- For MariaDB's root. All statements can be run again.\nCREATE DATABASE IF NOT EXISTS ");
    database_add_name(&buffer, config->database_name, false);
    buffer_add_literal(&buffer, " CHARACTER SET utf8mb4;\n\n-- The service, and rosterctl.\n");
    add_grants(&buffer, config, config->database_user, from, password, DATABASE_NEEDED);
    if (config->migration_user[0] != '\0' && strcmp(config->migration_user, config->database_user) != 0) {
        password = password_file_of(config, config->migration_password_file, config->migration_password);
        buffer_add_literal(&buffer, "\n-- For changes of the tables: rosterctl migrate.\n");
        add_grants(&buffer, config, config->migration_user, from, password, "ALL PRIVILEGES");
    }
    return buffer_text(&buffer);
}

/* ---- What is there ---- */

bool database_has_privileges(struct context *context, struct error *error)
{
    /* Changes nothing: the server checks privileges before it looks for rows. */
    return database_run_script(context,
                               "SELECT 1 FROM group_member WHERE FALSE;"
                               "INSERT INTO group_member SELECT * FROM group_member WHERE FALSE;"
                               "UPDATE group_member SET updated_at = updated_at WHERE FALSE;"
                               "DELETE FROM group_member WHERE FALSE",
                               error);
}

/* Whether one of the privileges of "GRANT A, B (column) ON …" is not needed. */
static bool has_more(struct text privileges)
{
    while (privileges.length > 0) {
        const struct text word = text_trim(text_take(&privileges, ','));
        bool is_needed = false;
        for (size_t i = 0; i < ARRAY_COUNT(needed); i++) {
            is_needed = is_needed || text_is(word, needed[i]);
        }
        if (!is_needed) {
            return true;
        }
    }
    return false;
}

/* The unneeded privileges of a line of SHOW GRANTS; null: there are none. Lines without ON grant roles. */
static struct text excess_of(struct context *context, const char *line)
{
    static const char grant[] = "GRANT ";
    const char *on = strstr(line, " ON ");
    const char *to = on != NULL ? strstr(on, " TO ") : NULL;
    if (to == NULL || strncmp(line, grant, sizeof grant - 1) != 0) {
        return TEXT_NULL;
    }
    const struct text privileges = {line + sizeof grant - 1, (size_t)(on - line) - (sizeof grant - 1)};
    const struct text object = {on + 4, (size_t)(to - on) - 4};
    const bool is_usage = text_is(privileges, "USAGE");
    bool is_wild = !is_usage && memmem(object.data, object.length, "*.*", 3) != NULL;
    for (size_t i = 0; !is_usage && i < object.length && object.data[i] != '.'; i++) {
        is_wild = is_wild || ((object.data[i] == '_' || object.data[i] == '%') && object.data[i - 1] != '\\');
    }
    if (!is_wild && !has_more(privileges)) {
        return TEXT_NULL;
    }
    return text_format(context->arena, "%.*s on %.*s%s", (int)privileges.length, privileges.data, (int)object.length,
                       object.data, is_wild && object.data[0] == '`' ? ", where _ and % are wildcards" : "");
}

bool database_excess_privileges(struct context *context, const char **account_r, const char **excess_r)
{
    struct text account;
    struct result result;
    if (database_get_text(context, "SELECT CURRENT_USER()", NO_PARAMETERS, &account, ERROR_NONE) != OK ||
        database_execute(context, "SHOW GRANTS", NO_PARAMETERS, &result, ERROR_NONE) != OK) {
        return false;
    }
    *account_r = account.data;
    for (size_t i = 0; i < result.row_count; i++) {
        const struct text excess = excess_of(context, result_row(&result, i)->text.data);
        if (excess.data != NULL) {
            *excess_r = excess.data;
            return true;
        }
    }
    return false;
}
