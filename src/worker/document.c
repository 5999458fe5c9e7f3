#include "worker/document.h"

#include <string.h>

#include "store/config_store.h"
#include "store/rows.h"

#define SCHEMA_OF(name) SCHEMA_##name

#define ROUTE(name, method, path, place, who, permission, body, query, gives, pool, limit, text) \
    {#name, #method, path, #place, #who, #permission, SCHEMA_OF(body), SCHEMA_OF(query), #gives, #pool, #limit, text},
static const struct route_document routes[] = {
#include "tables/routes.def"
};
#undef ROUTE

static const struct route_error {
    const char *route;
    enum error_code code;
    int status;
} route_errors[] = {
#define ROUTE_ERROR(route, code, status) {#route, ERROR_##code, status},
#include "tables/route_errors.def"
#undef ROUTE_ERROR
};

static const struct limit_document limits[] = {
#define LIMIT(name, most, key, text) {#name, #most, text},
#include "tables/limits.def"
#undef LIMIT
};

#define SHAPE(name, kind, of, text) {#name, SHAPE_##kind, #of, text},
static const struct shape_row shapes[] = {
#include "tables/shapes.def"
};

enum table {
    TABLE_NONE,
    TABLE_USER,
    TABLE_USER_INFO,
    TABLE_GROUP,
    TABLE_OAUTH_SESSION,
    TABLE_SESSION,
    TABLE_PERMISSIONS,
    TABLE_SETTINGS,
    TABLE_LDAP
};

enum { MAYBE = true, NEVER = false };

/* A row MEMBER, or a row MEMBERS, which has a table. */
static const struct member_row {
    const char *shape;
    enum table table;
    struct member member;
} members[] = {
#define MEMBER(shape, name, type, of, null, text) {#shape, TABLE_NONE, {#name, MEMBER_##type, #of, null, text}},
#define MEMBERS(shape, table) {#shape, TABLE_##table, {NULL, MEMBER_TEXT, NULL, false, NULL}},
#include "tables/shapes.def"
};

static const struct column_document {
    enum table table;
    const char *name;
    bool may_be_null;
    const char *text;
} columns[] = {
#define COLUMN(table, name, null, text) {TABLE_##table, #name, null, text},
#include "tables/shapes.def"
};

static const char *const extra_shapes[] = {
#define SHAPE_EXTRA(shape) #shape,
#include "tables/shapes.def"
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct route_document *document_route(size_t index)
{
    return index < COUNT(routes) ? &routes[index] : NULL;
}

bool document_route_is_protected(const struct route_document *route)
{
    return strcmp(route->who, "ANYONE") != 0;
}

const struct limit_document *document_limit(size_t index)
{
    return index < COUNT(limits) ? &limits[index] : NULL;
}

const struct shape_row *document_shape(size_t index)
{
    return index < COUNT(shapes) ? &shapes[index] : NULL;
}

const struct shape_row *document_find_shape(const char *name)
{
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (strcmp(shapes[i].name, name) == 0) {
            return &shapes[i];
        }
    }
    return NULL;
}

bool document_shape_has_extra(const struct shape_row *shape)
{
    for (size_t i = 0; i < COUNT(extra_shapes); i++) {
        if (strcmp(extra_shapes[i], shape->name) == 0) {
            return true;
        }
    }
    return false;
}

/* Errors. */

/* What follows from the row. */
static bool row_has_error(const struct route_document *route, enum error_code code)
{
    bool is_api = strcmp(route->place, "API") == 0;
    bool is_protected = document_route_is_protected(route);
    switch (code) {
    case ERROR_NOT_AUTHENTICATED:
    case ERROR_UNAUTHORIZED:
    case ERROR_INVALID_TOKEN:
    case ERROR_API_KEY_NOT_ALLOWED:
    case ERROR_API_KEY_ENDPOINT_NOT_ALLOWED:
        return is_protected;
    case ERROR_ACCESS_PROHIBITED:
        return strcmp(route->who, "VERIFIED") == 0 || strcmp(route->who, "ADMIN") == 0 ||
               strcmp(route->permission, "NONE") != 0;
    case ERROR_BODY_PARSE_ERROR:
    case ERROR_BODY_INCOMPLETE:
    case ERROR_CONTENT_TOO_LARGE:
        return route->body != SCHEMA_NONE;
    case ERROR_VALIDATION_ERROR:
        return route->body != SCHEMA_NONE || route->query != SCHEMA_NONE;
    case ERROR_RATE_LIMIT_EXCEEDED:
        return strcmp(route->limit, "NONE") != 0;
    case ERROR_UNAVAILABLE:
        return is_api || strcmp(route->name, "ready") == 0 || strcmp(route->gives, "Picture") == 0;
    case ERROR_HEADER_FIELDS_TOO_LARGE:
    case ERROR_INTERNAL_ERROR:
        return true;
    default:
        return false;
    }
}

void document_each_error(const struct route_document *route,
                         void (*each)(void *argument, enum error_code code, int status), void *argument)
{
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        if (row_has_error(route, code)) {
            each(argument, code, error_status(code));
        }
        for (size_t i = 0; i < COUNT(route_errors); i++) {
            const struct route_error *error = &route_errors[i];
            if (error->code == code && strcmp(error->route, route->name) == 0) {
                each(argument, code, error->status != 0 ? error->status : error_status(code));
            }
        }
    }
}

/* Members. */

static const struct column_document *find_column(enum table table, const char *name)
{
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (columns[i].table == table && strcmp(columns[i].name, name) == 0) {
            return &columns[i];
        }
    }
    return NULL;
}

static enum member_type type_of_column(enum column_type type)
{
    switch (type) {
    case COLUMN_INTEGER:
        return MEMBER_INTEGER;
    case COLUMN_JSON:
        return MEMBER_FREE;
    case COLUMN_DATE:
        return MEMBER_DATE;
    case COLUMN_TEXT:
        break;
    }
    return MEMBER_TEXT;
}

typedef void member_function(void *argument, const struct member *member);

static void each_column(enum table table, const struct column_row *rows, size_t count, member_function *each,
                        void *argument)
{
    for (size_t i = 0; i < count; i++) {
        const struct column_document *column = find_column(table, rows[i].name);
        struct member member = {rows[i].name, type_of_column(rows[i].type), NULL, column == NULL || column->may_be_null,
                                column != NULL ? column->text : NULL};
        each(argument, &member);
    }
}

static void each_permission_section(member_function *each, void *argument)
{
    const struct schema_row *schema = schema_row(SCHEMA_permissions);
    for (size_t i = 0; i < schema->field_count; i++) {
        struct member member = {schema->fields[i].name, MEMBER_SECTION, NULL, false, schema->fields[i].text};
        each(argument, &member);
    }
}

static void each_setting(enum setting first, enum setting end, enum schema texts, member_function *each, void *argument)
{
    const struct schema_row *schema = schema_row(texts);
    for (enum setting i = first; i < end; i++) {
        const struct setting_row *setting = &setting_rows[i];
        struct member member = {setting->key, MEMBER_TEXT, NULL,
                                setting->type == SETTING_TYPE_NULLABLE || setting->type == SETTING_TYPE_INTEGER, NULL};
        if (setting->type == SETTING_TYPE_BOOLEAN) {
            member.type = MEMBER_BOOLEAN;
        } else if (setting->type == SETTING_TYPE_INTEGER) {
            member.type = MEMBER_INTEGER;
        }
        for (size_t field = 0; field < schema->field_count; field++) {
            if (strcmp(schema->fields[field].name, setting->key) == 0) {
                member.text = schema->fields[field].text;
            }
        }
        each(argument, &member);
    }
}

static void each_of_table(enum table table, member_function *each, void *argument)
{
    switch (table) {
    case TABLE_NONE:
        break;
    case TABLE_USER:
        each_column(TABLE_USER, user_columns, USER_COLUMNS, each, argument);
        break;
    case TABLE_USER_INFO:
        each_column(TABLE_USER, user_info_columns, USER_INFO_COLUMNS, each, argument);
        break;
    case TABLE_GROUP:
        each_column(TABLE_GROUP, group_columns, GROUP_COLUMNS, each, argument);
        break;
    case TABLE_OAUTH_SESSION:
        each_column(TABLE_OAUTH_SESSION, oauth_session_columns, OAUTH_SESSION_COLUMNS, each, argument);
        break;
    case TABLE_SESSION:
        each_column(TABLE_SESSION, session_columns, SESSION_COLUMNS, each, argument);
        break;
    case TABLE_PERMISSIONS:
        each_permission_section(each, argument);
        break;
    case TABLE_SETTINGS:
        each_setting(0, SETTING_LDAP_label, SCHEMA_admin_config, each, argument);
        break;
    case TABLE_LDAP:
        each_setting(SETTING_LDAP_label, SETTING_COUNT, SCHEMA_ldap_server, each, argument);
        break;
    }
}

void document_each_member(const struct shape_row *shape, member_function *each, void *argument)
{
    for (size_t i = 0; i < COUNT(members); i++) {
        if (strcmp(members[i].shape, shape->name) == 0) {
            if (members[i].table == TABLE_NONE) {
                each(argument, &members[i].member);
            } else {
                each_of_table(members[i].table, each, argument);
            }
        }
    }
}
