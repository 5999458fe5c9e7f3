/* group_store.c: lists of ids and names go to MariaDB as one JSON parameter each, so that the number of statements does not depend on how many there
 * are. */
#include "store/group_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/token.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "store/user_store.h"

/* A list as a table. The character set is named, since it would be the database's default otherwise. */
#define ID_TABLE \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$'))"
#define PAIR_TABLE                                                                                                \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$.id', " \
    "other_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$.other_id'))"
#define NAME_TABLE                                                                                                    \
    "JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci PATH " \
    "'$'))"

/* JSON_TABLE cuts what is longer, in silence: such a text is nobody's id or name, and is left out. */
enum { COLUMN_CHARACTERS_MOST = 255 };

#define MEMBER_COUNT "(SELECT COUNT(*) FROM group_member AS c WHERE c.group_id = g.id)"

/* data.config.share: 1 or 0; 1 where there is none; 2 for anything else, which is neither. */
#define SHARE                                                                                                \
    "CASE COALESCE(JSON_UNQUOTE(JSON_EXTRACT(g.data, '$.config.share')) COLLATE utf8mb4_nopad_bin, 'null') " \
    "WHEN 'true' THEN 1 WHEN '1' THEN 1 WHEN 'null' THEN 1 WHEN 'false' THEN 0 WHEN '0' THEN 0 ELSE 2 END"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum outcome group_store_of_user(struct context *context, struct text user_id, struct result *groups_r)
{
    static const char *sql;
    const struct parameter parameters[] = {BIND_TEXT(user_id)};

    rows_statement(&sql,
                   "SELECT %s FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id WHERE m.user_id = ? "
                   "ORDER BY g.updated_at DESC, g.id",
                   rows_list_of(group_columns));
    return database_execute(context, sql, parameters, COUNT(parameters), groups_r, ERROR_NONE);
}

enum outcome group_store_list(struct context *context, struct text member_id, int share, struct result *groups_r)
{
    static const char *all_sql, *own_sql;

    if (member_id.data == NULL) {
        const struct parameter parameters[] = {BIND_INTEGER(share), BIND_INTEGER(share)};
        rows_statement(&all_sql,
                       "SELECT %s, " MEMBER_COUNT " FROM `group` AS g WHERE ? < 0 OR " SHARE " = ? "
                       "ORDER BY g.updated_at DESC, g.id",
                       rows_list_of(group_columns));
        return database_execute(context, all_sql, parameters, COUNT(parameters), groups_r, ERROR_NONE);
    }
    const struct parameter parameters[] = {BIND_TEXT(member_id), BIND_INTEGER(share), BIND_INTEGER(share)};
    rows_statement(&own_sql,
                   "SELECT %s, " MEMBER_COUNT " FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id "
                   "WHERE m.user_id = ? AND (? < 0 OR " SHARE " = ?) ORDER BY g.updated_at DESC, g.id",
                   rows_list_of(group_columns));
    return database_execute(context, own_sql, parameters, COUNT(parameters), groups_r, ERROR_NONE);
}

enum outcome group_store_get(struct context *context, struct text group_id, const struct value **group_r)
{
    static const char *sql;
    const struct parameter parameters[] = {BIND_TEXT(group_id)};
    struct result result;

    rows_statement(&sql, "SELECT %s, " MEMBER_COUNT " FROM `group` AS g WHERE g.id = ?", rows_list_of(group_columns));
    enum outcome outcome = database_execute(context, sql, parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome != OK)
        return outcome;
    if (result.row_count == 0)
        return problem_set(context, ERROR_NOT_FOUND);
    *group_r = result_row(&result, 0);
    return OK;
}

enum outcome group_store_member_ids(struct context *context, struct text group_id, struct result *ids_r)
{
    const struct parameter parameters[] = {BIND_TEXT(group_id)};

    return database_execute(context,
                            "SELECT m.user_id FROM group_member AS m WHERE m.group_id = ? ORDER BY m.created_at, m.id",
                            parameters, COUNT(parameters), ids_r, ERROR_NONE);
}

enum outcome group_store_add(struct context *context, struct text owner_id, const struct group_change *group,
                             struct text *group_id_r)
{
    struct text id = token_new_uuid(context->arena);
    const struct parameter parameters[] = {
        BIND_TEXT(id),
        BIND_TEXT(owner_id),
        BIND_TEXT(group->name),
        BIND_TEXT(group->description),
        BIND_TEXT(group->data),
        BIND_TEXT(group->meta),
        BIND_TEXT(group->permissions),
        BIND_INTEGER(context->now_seconds),
        BIND_INTEGER(context->now_seconds),
    };

    *group_id_r = id;
    return database_execute(
        context,
        "INSERT INTO `group` (id, user_id, name, description, data, meta, permissions, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        parameters, COUNT(parameters), NULL, ERROR_NONE);
}

enum outcome group_store_change(struct context *context, struct text group_id, const struct group_change *change)
{
    const struct parameter parameters[] = {
        BIND_TEXT(change->name), BIND_TEXT(change->description), BIND_TEXT(change->data),
        BIND_TEXT(change->meta), BIND_TEXT(change->permissions), BIND_INTEGER(context->now_seconds),
        BIND_TEXT(group_id),
    };
    struct result result;

    enum outcome outcome =
        database_execute(context,
                         "UPDATE `group` SET name = COALESCE(?, name), description = COALESCE(?, description), "
                         "data = COALESCE(?, data), meta = COALESCE(?, meta), "
                         "permissions = COALESCE(?, permissions), updated_at = ? WHERE id = ?",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows == 0)
        return problem_set(context, ERROR_NOT_FOUND);
    return outcome;
}

/* Within a transaction: marks the group as changed. Its row stays locked, so that changes of one group's members follow each other. */
static enum outcome touch_group(struct context *context, struct text group_id)
{
    const struct parameter parameters[] = {BIND_INTEGER(context->now_seconds), BIND_TEXT(group_id)};
    struct result result;

    enum outcome outcome = database_execute(context, "UPDATE `group` SET updated_at = ? WHERE id = ?", parameters,
                                            COUNT(parameters), &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows == 0)
        return problem_set(context, ERROR_NOT_FOUND);
    return outcome;
}

static enum outcome delete_within(struct context *context, void *argument)
{
    const struct text *group_id = argument;
    const struct parameter parameters[] = {BIND_TEXT(*group_id)};

    enum outcome outcome = touch_group(context, *group_id);
    if (outcome == OK)
        outcome = database_execute(context, "DELETE FROM group_member WHERE group_id = ?", parameters,
                                   COUNT(parameters), NULL, ERROR_NONE);
    if (outcome == OK)
        outcome = database_execute(context, "DELETE FROM `group` WHERE id = ?", parameters, COUNT(parameters), NULL,
                                   ERROR_NONE);
    return outcome;
}

enum outcome group_store_delete(struct context *context, struct text group_id)
{
    return database_transaction(context, delete_within, &group_id);
}

/* Members. */

static int compare_ids(const void *left, const void *right)
{
    const struct text *one = left, *other = right;
    return memcmp(one->data, other->data, one->length < other->length ? one->length : other->length);
}

/* Ids for new memberships, in ascending order: members are listed by time of coming, then id, and all that come at once shall keep their order. So
 * these are UUIDs that start with the time in milliseconds (RFC 9562, version 7). */
static struct text *new_member_ids(struct context *context, size_t count)
{
    struct text *ids = arena_zero(context->arena, count, sizeof *ids);
    uint64_t milliseconds = (uint64_t)(clock_wall_microseconds() / 1000) & 0xffffffffffffu;

    for (size_t i = 0; i < count; i++) {
        struct text uuid = token_new_uuid(context->arena);
        ids[i] = text_format(context->arena, "%08x-%04x-7%.*s", (unsigned)(milliseconds >> 16),
                             (unsigned)(milliseconds & 0xffff), (int)(uuid.length - 15), uuid.data + 15);
    }
    qsort(ids, count, sizeof *ids, compare_ids);
    return ids;
}

/* [{"id": of the membership, "other_id": …}, …] */
static struct text pair_with_new_ids(struct context *context, const struct text *other_ids, size_t count)
{
    struct text *ids = new_member_ids(context, count);
    struct buffer buffer;

    buffer_init(&buffer, context->arena);
    buffer_add_byte(&buffer, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(&buffer, i > 0 ? ",{\"id\":" : "{\"id\":");
        buffer_add_json(&buffer, ids[i]);
        buffer_add_literal(&buffer, ",\"other_id\":");
        buffer_add_json(&buffer, other_ids[i]);
        buffer_add_byte(&buffer, '}');
    }
    buffer_add_byte(&buffer, ']');
    return buffer_text(&buffer);
}

/* Those of `texts` that fit into a column. */
static const struct text *leave_out_long(struct context *context, const struct text *texts, size_t count,
                                         size_t *count_r)
{
    struct text *kept = arena_zero(context->arena, count, sizeof *kept);
    size_t kept_count = 0;

    for (size_t i = 0; i < count; i++)
        if (text_count_characters(texts[i]) <= COLUMN_CHARACTERS_MOST)
            kept[kept_count++] = texts[i];
    *count_r = kept_count;
    return kept;
}

struct member_change {
    struct text group_id;
    struct text members; /* JSON; null: none */
};

/* Who is there by a trusted header alone, and is now added by hand, stays when the header names the group no more. */
static enum outcome add_members_within(struct context *context, void *argument)
{
    const struct member_change *change = argument;
    const struct parameter parameters[] = {
        BIND_TEXT(change->group_id),
        BIND_INTEGER(context->now_seconds),
        BIND_INTEGER(context->now_seconds),
        BIND_TEXT(change->members),
    };

    enum outcome outcome = touch_group(context, change->group_id);
    if (outcome != OK || change->members.data == NULL)
        return outcome;
    return database_execute(context,
                            "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) "
                            "SELECT j.id, ?, u.id, ?, ? FROM " PAIR_TABLE
                            " AS j STRAIGHT_JOIN user AS u ON u.id = j.other_id "
                            "ON DUPLICATE KEY UPDATE source = 'manual'",
                            parameters, COUNT(parameters), NULL, ERROR_NONE);
}

enum outcome group_store_add_members(struct context *context, struct text group_id, const struct text *user_ids,
                                     size_t count)
{
    struct member_change change = {group_id, {NULL, 0}};

    user_ids = leave_out_long(context, user_ids, count, &count);
    if (count > 0)
        change.members = pair_with_new_ids(context, user_ids, count);
    return database_transaction(context, add_members_within, &change);
}

static enum outcome remove_members_within(struct context *context, void *argument)
{
    const struct member_change *change = argument;
    const struct parameter parameters[] = {BIND_TEXT(change->members), BIND_TEXT(change->group_id)};

    enum outcome outcome = touch_group(context, change->group_id);
    if (outcome != OK || change->members.data == NULL)
        return outcome;
    return database_execute(context,
                            "DELETE m FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.user_id = j.id "
                            "WHERE m.group_id = ?",
                            parameters, COUNT(parameters), NULL, ERROR_NONE);
}

enum outcome group_store_remove_members(struct context *context, struct text group_id, const struct text *user_ids,
                                        size_t count)
{
    struct member_change change = {group_id, {NULL, 0}};

    if (count == 0) { /* no change, so updated_at stays */
        const struct value *group;
        return group_store_get(context, group_id, &group);
    }
    user_ids = leave_out_long(context, user_ids, count, &count);
    if (count > 0)
        change.members = json_list_of_texts(context->arena, user_ids, count);
    return database_transaction(context, remove_members_within, &change);
}

/* What a trusted header changes: memberships to end, and groups to join. */
struct synchronisation {
    struct text user_id;
    struct text ended;  /* JSON list of ids of memberships; null: none */
    struct text joined; /* JSON list of pairs; null: none */
};

/* One statement tells what is to be done: at nearly every sign-in nothing is, and for administrators, whose groups are
 * set by hand alone, never. */
static enum outcome compare_membership(struct context *context, struct text names,
                                       struct synchronisation *synchronisation)
{
    const struct parameter parameters[] = {
        BIND_TEXT(names),
        BIND_TEXT(synchronisation->user_id),
        BIND_TEXT(synchronisation->user_id),
        BIND_TEXT(synchronisation->user_id),
        BIND_TEXT(names),
    };
    struct result result;

    enum outcome outcome =
        database_execute(context,
                         "SELECT 1, g.id FROM " NAME_TABLE
                         " AS j JOIN `group` AS g ON g.name = j.name AND BINARY g.name = BINARY j.name "
                         "JOIN user AS u ON u.id = ? AND u.role <> 'admin' "
                         "WHERE NOT EXISTS (SELECT 1 FROM group_member AS m WHERE m.group_id = g.id AND m.user_id = ?) "
                         "UNION "
                         "SELECT 0, m.id FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id "
                         "JOIN user AS u ON u.id = m.user_id AND u.role <> 'admin' "
                         "WHERE m.user_id = ? AND m.source = 'header' "
                         "AND NOT EXISTS (SELECT 1 FROM " NAME_TABLE " AS j WHERE BINARY j.name = BINARY g.name)",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    if (outcome != OK)
        return outcome;

    struct text *joined = arena_zero(context->arena, result.row_count, sizeof *joined);
    struct text *ended = arena_zero(context->arena, result.row_count, sizeof *ended);
    size_t joined_count = 0, ended_count = 0;
    for (size_t i = 0; i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        if (row[0].integer != 0)
            joined[joined_count++] = row[1].text;
        else
            ended[ended_count++] = row[1].text;
    }
    if (joined_count > 0)
        synchronisation->joined = pair_with_new_ids(context, joined, joined_count);
    if (ended_count > 0)
        synchronisation->ended = json_list_of_texts(context->arena, ended, ended_count);
    return OK;
}

/* In the meantime groups may have gone, and others may have done the same: each statement looks again. */
static enum outcome synchronise_within(struct context *context, void *argument)
{
    const struct synchronisation *synchronisation = argument;
    const struct parameter ended[] = {BIND_TEXT(synchronisation->ended)};
    const struct parameter joined[] = {
        BIND_INTEGER(context->now_seconds),
        BIND_INTEGER(context->now_seconds),
        BIND_TEXT(synchronisation->joined),
        BIND_TEXT(synchronisation->user_id),
    };
    const struct parameter touched[] = {
        BIND_TEXT(synchronisation->ended),
        BIND_TEXT(synchronisation->joined),
        BIND_INTEGER(context->now_seconds),
    };

    /* Members that come or go are a change of the group. */
    enum outcome outcome = database_execute(
        context,
        "UPDATE (SELECT m.group_id AS id FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.id = j.id WHERE m.source = 'header' "
        "UNION SELECT j.other_id FROM " PAIR_TABLE " AS j) AS t STRAIGHT_JOIN `group` AS g ON g.id = t.id SET g.updated_at = ?",
        touched, COUNT(touched), NULL, ERROR_NONE);
    if (outcome == OK && synchronisation->ended.data != NULL)
        outcome = database_execute(context,
                                   "DELETE m FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.id = j.id "
                                   "WHERE m.source = 'header'",
                                   ended, COUNT(ended), NULL, ERROR_NONE);
    if (outcome == OK && synchronisation->joined.data != NULL)
        outcome = database_execute(context,
                                   "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at, source) "
                                   "SELECT j.id, g.id, u.id, ?, ?, 'header' FROM " PAIR_TABLE " AS j "
                                   "STRAIGHT_JOIN `group` AS g ON g.id = j.other_id JOIN user AS u ON u.id = ? "
                                   "ON DUPLICATE KEY UPDATE group_member.id = group_member.id",
                                   joined, COUNT(joined), NULL, ERROR_NONE);
    return outcome;
}

enum outcome group_store_synchronise(struct context *context, struct text user_id, const struct text *names,
                                     size_t count)
{
    struct synchronisation synchronisation = {.user_id = user_id};

    names = leave_out_long(context, names, count, &count);
    enum outcome outcome =
        compare_membership(context, json_list_of_texts(context->arena, names, count), &synchronisation);
    if (outcome != OK || (synchronisation.ended.data == NULL && synchronisation.joined.data == NULL))
        return outcome;
    return database_transaction(context, synchronise_within, &synchronisation);
}

/* The parts of a UNION ALL come in the order in which they stand: MariaDB hands each row on as it comes. An ORDER BY would put them
 * through a table on disk, since they are long texts. */
enum outcome group_store_permissions(struct context *context, struct text user_id, struct result *rows_r)
{
    const struct parameter parameters[] = {BIND_TEXT(user_id)};

    return database_execute(context,
                            "SELECT (SELECT data FROM config ORDER BY id DESC LIMIT 1) UNION ALL "
                            "SELECT g.permissions FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id "
                            "WHERE m.user_id = ? AND g.permissions IS NOT NULL",
                            parameters, COUNT(parameters), rows_r, ERROR_NONE);
}

enum outcome group_store_names_of_user(struct context *context, struct text user_id, struct result *names_r)
{
    return database_execute(context,
                            "SELECT g.id, g.name FROM group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id = ? "
                            "ORDER BY g.updated_at DESC, g.id",
                            (struct parameter[]){BIND_TEXT(user_id)}, 1, names_r, ERROR_NONE);
}

enum outcome group_store_ids_of_users(struct context *context, const struct text *user_ids, size_t count, struct result *ids_r)
{
    /* one text for every page, whatever it holds: places that are left over are NULL, which nobody's id is */
    struct parameter parameters[USER_PAGE_ROWS];
    invariant(count <= USER_PAGE_ROWS);
    for (size_t i = 0; i < USER_PAGE_ROWS; i++) {
        parameters[i] = i < count ? BIND_TEXT(user_ids[i]) : BIND_NULL;
    }
    return database_execute(context,
                            "SELECT m.user_id, m.group_id FROM group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id IN "
                            "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ORDER BY g.updated_at DESC, g.id",
                            parameters, USER_PAGE_ROWS, ids_r, ERROR_NONE);
}
