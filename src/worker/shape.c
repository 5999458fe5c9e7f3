#include "worker/shape.h"

#include "base/array.h"
#include "base/log.h"
#include "config/compatibility.h"
#include "store/rows.h"
#include "worker/schema.h"

static const struct shape_row shapes[SHAPE_COUNT] = {
#define SHAPE(name, kind, of, text) [SHAPE_##name] = {#name, SHAPE_KIND_##kind, SHAPE_##of, text},
#include "tables/shapes.def"
};

static const bool extra[SHAPE_COUNT] = {
#define SHAPE_EXTRA(shape) [SHAPE_##shape] = true,
#include "tables/shapes.def"
};

static const enum shape alternatives[][2] = {
#define SHAPE_EITHER(shape, of) {SHAPE_##shape, SHAPE_##of},
#include "tables/shapes.def"
};

enum shape shape_either(enum shape shape, size_t index)
{
    for (size_t i = 0; i < ARRAY_COUNT(alternatives); i++) {
        if (alternatives[i][0] == shape && index-- == 0) {
            return alternatives[i][1];
        }
    }
    return SHAPE_NONE;
}

const char *shape_field_name(struct arena *arena, const struct member *member)
{
    struct text name = text_copy(arena, text_of(member->name));
    for (size_t i = 0; i < name.length; i++) {
        ((char *)name.data)[i] = name.data[i] == '_' ? '-' : name.data[i];
    }
    return name.data;
}

enum table {
    TABLE_NONE,
    TABLE_USER,
    TABLE_USER_INFO,
    TABLE_USER_CARD,
    TABLE_GROUP,
    TABLE_OAUTH_SESSION,
    TABLE_SESSION,
    TABLE_permissions,
    TABLE_permission_sources,
    TABLE_admin_config,
    TABLE_ldap_server
};

enum { NEVER, MAYBE, ABSENT };

/* A row MEMBER, or a row MEMBERS, which has a table. */
static const struct member_row {
    enum shape shape;
    enum table table;
    struct member member;
} members[] = {
#define MEMBER(shape, name, type, of, null, since, text) \
    {SHAPE_##shape,                                      \
     TABLE_NONE,                                         \
     {#name, MEMBER_##type, SHAPE_##of, (null) == MAYBE, (null) == ABSENT, COMPATIBILITY_##since, text}},
#define MEMBERS(shape, table) \
    {SHAPE_##shape, TABLE_##table, {NULL, MEMBER_TEXT, SHAPE_NONE, false, false, COMPATIBILITY_0_6, NULL}},
#include "tables/shapes.def"
};

const struct shape_row *shape_row(enum shape shape)
{
    invariant(shape > SHAPE_NONE && shape < SHAPE_COUNT);
    return &shapes[shape];
}

bool shape_has_extra(enum shape shape)
{
    invariant(shape > SHAPE_NONE && shape < SHAPE_COUNT);
    return extra[shape];
}

static enum member_type type_of_column(enum column_type type)
{
    switch (type) {
    case COLUMN_ROLE:
        return MEMBER_ROLE;
    case COLUMN_INTEGER:
        return MEMBER_INTEGER;
    case COLUMN_DATE:
        return MEMBER_DATE;
    case COLUMN_JSON:
    case COLUMN_DOCUMENT:
        return MEMBER_FREE;
    case COLUMN_TEXT:
    case COLUMN_PICTURE:
    case COLUMN_BANNER:
        break;
    }
    return MEMBER_TEXT;
}

typedef void member_function(void *argument, const struct member *member);

/* Who wants the members, and those of which value of compatibility. */
struct taker {
    enum compatibility compatibility;
    member_function *each;
    void *argument;
};

static void give(const struct taker *taker, const struct member *member)
{
    if (member->since <= taker->compatibility) {
        taker->each(taker->argument, member);
    }
}

static void each_column(const struct column_row *rows, size_t count, const struct taker *taker)
{
    for (size_t i = 0; i < count; i++) {
        give(taker, &(struct member){rows[i].name, type_of_column(rows[i].type), SHAPE_NONE, rows[i].may_be_null, false,
                                     rows[i].since, rows[i].text});
    }
}

static enum member_type type_of_field(enum field_type type)
{
    switch (type) {
    case FIELD_TEXT:
    case FIELD_ACTION:
    case FIELD_NAME:
    case FIELD_PASSWORD:
    case FIELD_ADDRESS:
    case FIELD_EMAIL:
        break;
    case FIELD_AMOUNT:
        return MEMBER_AMOUNT;
    case FIELD_ROLE:
        return MEMBER_ROLE;
    case FIELD_INTEGER:
        return MEMBER_INTEGER;
    case FIELD_BOOLEAN:
    case FIELD_STRICT:
        return MEMBER_BOOLEAN;
    case FIELD_DATE:
        return MEMBER_DATE;
    case FIELD_OBJECT:
    case FIELD_OVERLAY:
        return MEMBER_FREE;
    case FIELD_TEXTS:
        return MEMBER_TEXTS;
    case FIELD_SECTION:
        return MEMBER_SECTION;
    }
    return MEMBER_TEXT;
}

/* The fields of a schema as members: the response has them in the same form as the request. `of`: what sections are
 * made of; SHAPE_NONE: booleans. */
static void each_field(enum schema schema, enum shape of, const struct taker *taker)
{
    const struct schema_row *row = schema_row(schema);
    for (size_t i = 0; i < row->field_count; i++) {
        const struct field_row *field = &row->fields[i];
        const enum member_type type = type_of_field(field->type);
        if (!field_is_precondition(field)) {
            give(taker,
                 &(struct member){field->name, type, of, field->needed == FIELD_NULLABLE && type != MEMBER_AMOUNT,
                                  false, field->since, field->text});
        }
    }
}

static void each_of_table(enum table table, const struct taker *taker)
{
    switch (table) {
    case TABLE_NONE:
        break;
    case TABLE_USER:
        each_column(user_columns, USER_COLUMNS, taker);
        break;
    case TABLE_USER_INFO:
        each_column(user_info_columns, USER_INFO_COLUMNS, taker);
        break;
    case TABLE_USER_CARD:
        each_column(user_info_columns, USER_INFO_COLUMNS,
                    &(struct taker){COMPATIBILITY_NEWEST, taker->each, taker->argument});
        break;
    case TABLE_GROUP:
        each_column(group_columns, GROUP_COLUMNS, taker);
        break;
    case TABLE_OAUTH_SESSION:
        each_column(oauth_session_columns, OAUTH_SESSION_COLUMNS, taker);
        break;
    case TABLE_SESSION:
        each_column(session_columns, SESSION_COLUMNS, taker);
        break;
    case TABLE_permissions:
        each_field(SCHEMA_permissions, SHAPE_NONE, taker);
        break;
    case TABLE_permission_sources:
        each_field(SCHEMA_permissions, SHAPE_PermissionSource, taker);
        break;
    case TABLE_admin_config:
        each_field(SCHEMA_admin_config, SHAPE_NONE, taker);
        break;
    case TABLE_ldap_server:
        each_field(SCHEMA_ldap_server, SHAPE_NONE, taker);
        break;
    }
}

void shape_each_member(enum shape shape, enum compatibility compatibility, member_function *each, void *argument)
{
    const struct taker taker = {compatibility, each, argument};
    invariant(shape > SHAPE_NONE && shape < SHAPE_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        if (members[i].shape == shape) {
            if (members[i].table == TABLE_NONE) {
                give(&taker, &members[i].member);
            } else {
                each_of_table(members[i].table, &taker);
            }
        }
    }
}
