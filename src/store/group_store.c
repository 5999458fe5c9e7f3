/* group_store.c: a list of ids or names is one JSON parameter, so that the number of statements does not depend on its
 * length. */
#include "store/group_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/compatibility.h"
#include "store/audit_store.h"
#include "store/chunks.h"
#include "store/config_store.h"
#include "store/hierarchy_store.h"
#include "store/prefetch.h"
#include "store/row_cache.h"

/* A list as a table. Without a character set, the database's default would apply. */
#define ID_TABLE \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$'))"
#define PAIR_TABLE                                                                                                \
    "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$.id', " \
    "other_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$.other_id'))"
#define NAME_TABLE                                                                                                    \
    "JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci PATH " \
    "'$'))"

/* JSON_TABLE truncates longer texts silently. They can't be ids or names, so they are left out. */
enum { COLUMN_CHARACTERS_MAX = 255 };

#define MEMBER_COUNT "(SELECT COUNT(*) FROM group_member AS c WHERE c.group_id = g.id)"

/* data.config.share: 1 or 0; missing: 1; `members': 3; another value: 2, which matches neither. */
#define SHARE                                                                                                          \
    "CASE COALESCE(JSON_UNQUOTE(JSON_EXTRACT(IF(JSON_TYPE(g.data) = 'STRING', JSON_UNQUOTE(g.data), g.data), "         \
    "'$.config.share')) COLLATE utf8mb4_nopad_bin, 'null') "                                                           \
    "WHEN 'true' THEN 1 WHEN '1' THEN 1 WHEN 'null' THEN 1 WHEN 'false' THEN 0 WHEN '0' THEN 0 WHEN 'members' THEN 3 " \
    "ELSE 2 END"

enum outcome group_store_of_user(struct context *context, struct text user_id, group_each *each, void *argument)
{
    static const char *sql;

    rows_statement(&sql,
                   "SELECT %s FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id WHERE m.user_id = ? "
                   "ORDER BY g.updated_at DESC, g.id",
                   rows_of_group);
    return database_stream(context, sql, PARAMETERS(BIND_TEXT(user_id)), each, argument);
}

/* Reads into *result_r, or, if `each` is not NULL, row by row. */
static enum outcome list(struct context *context, struct text member_id, int share, struct result *groups_r,
                         group_each *each, void *argument)
{
    static const char *all_sql, *own_sql;
    const bool own = member_id.data != NULL;
    const bool shared = config_behaves(context->config, BEHAVIOUR_SHARED_GROUPS);
    const struct parameter of_share = BIND_INTEGER(shared && !own ? -1 : share);
    const struct parameter parameters[] = {BIND_TEXT(member_id), BIND_INTEGER(shared && share == 1), of_share, of_share,
                                           of_share};

    rows_statement(&all_sql,
                   "SELECT %s, " MEMBER_COUNT " FROM `group` AS g WHERE ? < 0 OR " SHARE " = ? "
                   "ORDER BY g.updated_at DESC, g.id",
                   rows_of_group);
    /* the member's groups and those above them; or these and what is shared with everybody */
    rows_statement(&own_sql,
                   "WITH RECURSIVE line (id, above) AS (SELECT g.id, g.parent_group_id FROM group_member AS m "
                   "JOIN `group` AS g ON g.id = m.group_id WHERE m.user_id = ? "
                   "UNION SELECT g.id, g.parent_group_id FROM line AS l JOIN `group` AS g ON g.id = l.above) "
                   "SELECT %s, " MEMBER_COUNT " FROM `group` AS g JOIN (SELECT id FROM line UNION "
                   "SELECT id FROM `group` WHERE ?) AS l ON l.id = g.id "
                   "WHERE ? < 0 OR " SHARE " = ? OR (? = 1 AND " SHARE " = 3 AND g.id IN (SELECT id FROM line)) "
                   "ORDER BY g.updated_at DESC, g.id",
                   rows_of_group);
    const char *sql = own ? own_sql : all_sql;
    const struct parameter *first = own ? parameters : parameters + 2;
    size_t count = own ? 5 : 2;
    return each != NULL ? database_stream(context, sql, first, count, each, argument)
                        : database_execute(context, sql, first, count, groups_r, ERROR_NONE);
}

enum outcome group_store_list(struct context *context, struct text member_id, int share, struct result *groups_r)
{
    return list(context, member_id, share, groups_r, NULL, NULL);
}

enum outcome group_store_each(struct context *context, struct text member_id, int share, group_each *each,
                              void *argument)
{
    return list(context, member_id, share, NULL, each, argument);
}

enum outcome group_store_get(struct context *context, struct text group_id, const struct value **group_r)
{
    static const char *sql;

    rows_statement(&sql, "SELECT %s, " MEMBER_COUNT " FROM `group` AS g WHERE g.id = ?", rows_of_group);
    return database_get_row(context, sql, PARAMETERS(BIND_TEXT(group_id)), group_r, ERROR_NOT_FOUND);
}

enum outcome group_store_each_member_id(struct context *context, struct text group_id, group_each *each, void *argument)
{
    static const struct chunks chunks = {
        .select = "SELECT m.created_at, m.id, m.user_id FROM group_member m FORCE INDEX (group_member_in_order) "
                  "WHERE m.group_id = ?",
        .key = "m.created_at",
        .id = "m.id",
    };
    return chunks_stream(context, &chunks, PARAMETERS(BIND_TEXT(group_id)), each, argument);
}

struct addition {
    struct text id, owner_id;
    const struct group_change *group;
};

static enum outcome add_within(struct context *context, void *argument)
{
    const struct addition *addition = argument;
    const struct group_change *group = addition->group;
    enum outcome outcome = OK;

    if (group->parent_id.data != NULL) {
        outcome = hierarchy_store_lock(context);
        outcome = outcome == OK ? hierarchy_store_check(context, TEXT_NULL, group->parent_id) : outcome;
    }
    if (outcome != OK) {
        return outcome;
    }
    audit_store_note(context, &(struct audit_note){AUDIT_group_add, .object = addition->id,
                                                   .detail = audit_store_member(context->arena, "name", group->name)});
    return database_execute(
        context,
        "INSERT INTO `group` (id, user_id, name, description, data, meta, permissions, parent_group_id, created_at, "
        "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        PARAMETERS(BIND_TEXT(addition->id), BIND_TEXT(addition->owner_id), BIND_TEXT(group->name),
                   BIND_TEXT(group->description), BIND_TEXT(group->data), BIND_TEXT(group->meta),
                   BIND_TEXT(group->permissions), BIND_TEXT(group->parent_id), BIND_INTEGER(context->now_seconds),
                   BIND_INTEGER(context->now_seconds)),
        NULL, ERROR_NONE);
}

enum outcome group_store_add(struct context *context, struct text owner_id, const struct group_change *group,
                             struct text *group_id_r)
{
    struct addition addition = {random_uuid(context->arena), owner_id, group};

    *group_id_r = addition.id;
    database_concerns_nobody();
    return database_transaction(context, add_within, &addition);
}

struct whole_change {
    struct text group_id;
    const struct group_change *change;
};

/* The value of the last member of this name. The null text: there is none. */
static struct text value_of(const struct json_members *members, const char *name)
{
    for (size_t i = members->count; i-- > 0;) {
        if (text_is(members->items[i].name, name)) {
            return members->items[i].value;
        }
    }
    return TEXT_NULL;
}

/* `sent` laid over the stored `data`: its members replace those of the same name, and those of its member `config`,
 * too. What is stored and no object is replaced. */
static struct text merge_data(struct arena *arena, struct text stored, struct text sent)
{
    struct json_members present, new, present_config, new_config;
    struct text json;

    if (json_text_read(arena, stored, &json) != JSON_WHOLE || !json_text_members(arena, json, &present) ||
        !json_text_members(arena, sent, &new)) {
        return sent;
    }
    const struct text config = value_of(&new, "config");
    const struct text stored_config = value_of(&present, "config");
    struct text merged = json_text_merge(arena, &present, &new);
    if (config.data != NULL && stored_config.data != NULL && json_text_members(arena, stored_config, &present_config) &&
        json_text_members(arena, config, &new_config)) {
        struct json_member whole =
            json_text_member(arena, "config", json_text_merge(arena, &present_config, &new_config));
        json_text_members(arena, merged, &present);
        merged = json_text_merge(arena, &present, &(struct json_members){&whole, 1});
    }
    return merged;
}

/* {"changed": ["name", …], "name": {"from": …, "to": …}} */
static void note_change(struct context *context, const struct whole_change *whole, struct text name)
{
    const struct group_change *change = whole->change;
    const struct {
        const char *name;
        struct text value;
    } parts[] = {{"name", change->name},
                 {"description", change->description},
                 {"data", change->data},
                 {"meta", change->meta},
                 {"permissions", change->permissions}};
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    json_member_array(&json, "changed");
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (parts[i].value.data != NULL) {
            json_add_string(&json, parts[i].name);
        }
    }
    if (change->sets_parent) {
        json_add_string(&json, "parent_group_id");
    }
    json_end_array(&json);
    if (change->name.data != NULL && !text_equal(change->name, name)) {
        json_member_object(&json, "name");
        json_member_text(&json, "from", name);
        json_member_text(&json, "to", change->name);
        json_end_object(&json);
    }
    json_end_object(&json);
    audit_store_note(context,
                     &(struct audit_note){AUDIT_group_change, .object = whole->group_id, .detail = json_finish(&json)});
}

static enum outcome change_within(struct context *context, void *argument)
{
    const struct whole_change *whole = argument;
    const struct group_change *change = whole->change;
    const struct value *row;
    enum outcome outcome = change->sets_parent ? hierarchy_store_lock(context) : OK;
    if (outcome != OK) {
        return outcome;
    }
    outcome = database_get_row(context, "SELECT updated_at, data, name FROM `group` WHERE id = ? FOR UPDATE",
                               PARAMETERS(BIND_TEXT(whole->group_id)), &row, ERROR_NOT_FOUND);
    if (outcome == OK && change->has_precondition && row[0].integer != change->if_updated_at) {
        outcome = problem_set_detail(context, ERROR_PRECONDITION_FAILED, 0,
                                     "Somebody has changed this group meanwhile: read it again.");
    }
    if (outcome == OK && change->sets_parent && change->parent_id.data != NULL) {
        outcome = hierarchy_store_check(context, whole->group_id, change->parent_id);
    }
    if (outcome != OK) {
        return outcome;
    }
    const struct text data =
        change->data.data != NULL ? merge_data(context->arena, row[1].text, change->data) : TEXT_NULL;
    if ((int64_t)data.length > context->config->document_size_limit && data.length > row[1].text.length) {
        return problem_set_detail(context, ERROR_CONTENT_TOO_LARGE, 0,
                                  "Together with what is stored already, `data` is larger than this server takes.");
    }
    note_change(context, whole, row[2].text);
    return database_change_row(context,
                               "UPDATE `group` SET name = COALESCE(?, name), description = COALESCE(?, description), "
                               "data = COALESCE(?, data), meta = COALESCE(?, meta), "
                               "permissions = COALESCE(?, permissions), "
                               "parent_group_id = IF(?, ?, parent_group_id), updated_at = GREATEST(?, updated_at + 1) "
                               "WHERE id = ?",
                               PARAMETERS(BIND_TEXT(change->name), BIND_TEXT(change->description), BIND_TEXT(data),
                                          BIND_TEXT(change->meta), BIND_TEXT(change->permissions),
                                          BIND_INTEGER(change->sets_parent), BIND_TEXT(change->parent_id),
                                          BIND_INTEGER(context->now_seconds), BIND_TEXT(whole->group_id)),
                               ERROR_NOT_FOUND);
}

enum outcome group_store_change(struct context *context, struct text group_id, const struct group_change *change)
{
    struct whole_change whole = {group_id, change};

    database_concerns_nobody();
    return database_transaction(context, change_within, &whole);
}

/* Within a transaction: sets updated_at of a group. Its row stays locked, so that changes of a group's members do not
 * overlap. */
static enum outcome touch_group(struct context *context, struct text group_id)
{
    return database_change_row(context, "UPDATE `group` SET updated_at = ? WHERE id = ?",
                               PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(group_id)), ERROR_NOT_FOUND);
}

static void empty_default(struct context *context, json_object *document, void *argument)
{
    (void)context;
    (void)argument;
    config_store_put(document, setting_rows[SETTING_DEFAULT_GROUP_ID].path, json_object_new_string(""));
}

/* A deleted group can't be the default group. */
static enum outcome forget_default(struct context *context, struct text group_id)
{
    json_object *document;

    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK || !text_equal(config_store_text(context, document, SETTING_DEFAULT_GROUP_ID), group_id)) {
        return outcome;
    }
    return config_store_change_within(context, empty_default, NULL);
}

static enum outcome delete_within(struct context *context, void *argument)
{
    const struct text *group_id = argument;
    struct text name;

    enum outcome outcome = hierarchy_store_lock(context);
    if (outcome == OK) {
        outcome = touch_group(context, *group_id);
    }
    if (outcome == OK) {
        outcome = database_get_text(context, "SELECT name FROM `group` WHERE id = ?", PARAMETERS(BIND_TEXT(*group_id)),
                                    &name, ERROR_NOT_FOUND);
    }
    if (outcome == OK) {
        outcome = forget_default(context, *group_id);
    }
    if (outcome == OK) {
        outcome = hierarchy_store_lift_children(context, *group_id);
    }
    if (outcome == OK) {
        outcome = database_execute(context, "DELETE FROM group_member WHERE group_id = ?",
                                   PARAMETERS(BIND_TEXT(*group_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){AUDIT_group_delete, .object = *group_id,
                                                       .detail = audit_store_member(context->arena, "name", name)});
        outcome = database_execute(context, "DELETE FROM `group` WHERE id = ?", PARAMETERS(BIND_TEXT(*group_id)), NULL,
                                   ERROR_NONE);
    }
    return outcome;
}

enum outcome group_store_delete(struct context *context, struct text group_id)
{
    database_concerns_nobody();
    return database_transaction(context, delete_within, &group_id);
}

/* Members. */

static int compare_ids(const void *left, const void *right)
{
    return text_compare(*(const struct text *)left, *(const struct text *)right);
}

/* Ids for new memberships, in ascending order. Members are listed by time of joining, then by id, and members that are
 * added together keep their order. So these are UUIDs that start with the time in milliseconds (RFC 9562, version 7).
 */
static struct text *new_member_ids(struct context *context, size_t count)
{
    struct text *ids = arena_zero(context->arena, count, sizeof *ids);
    uint64_t milliseconds = (uint64_t)(clock_wall_microseconds() / 1000) & 0xffffffffffffu;

    for (size_t i = 0; i < count; i++) {
        struct text uuid = random_uuid(context->arena);
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
    struct json_writer json;

    json_start(&json, context->arena);
    json_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&json);
        json_member_text(&json, "id", ids[i]);
        json_member_text(&json, "other_id", other_ids[i]);
        json_end_object(&json);
    }
    json_end_array(&json);
    return json_finish(&json);
}

/* Those of `texts` that fit into a column. */
static const struct text *leave_out_long(struct context *context, const struct text *texts, size_t count,
                                         size_t *count_r)
{
    struct text *kept = arena_zero(context->arena, count, sizeof *kept);
    size_t kept_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (text_count_characters(texts[i]) <= COLUMN_CHARACTERS_MAX) {
            kept[kept_count++] = texts[i];
        }
    }
    *count_r = kept_count;
    return kept;
}

struct member_change {
    struct text group_id;
    struct text added;   /* JSON list of pairs; null: none */
    struct text removed; /* JSON list of ids of users; null: none */
};

/* A row for each person of a JSON list who is a member (or is none) before the change. */
static enum outcome note_members(struct context *context, enum audit_action action, struct text group_id,
                                 struct text user_ids)
{
    const bool is_addition = action == AUDIT_member_add;
    struct result people;
    enum outcome outcome = database_execute(
        context,
        is_addition ? "SELECT DISTINCT u.id FROM " PAIR_TABLE " AS j STRAIGHT_JOIN user AS u ON u.id = j.other_id "
                      "LEFT JOIN group_member AS m ON m.user_id = u.id AND m.group_id = ? WHERE m.id IS NULL"
                    : "SELECT DISTINCT m.user_id FROM " ID_TABLE
                      " AS j STRAIGHT_JOIN group_member AS m ON m.user_id = j.id AND m.group_id = ?",
        PARAMETERS(BIND_TEXT(user_ids), BIND_TEXT(group_id)), &people, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < people.row_count; i++) {
        audit_store_note(context,
                         &(struct audit_note){action, .subject_id = result_row(&people, i)->text, .object = group_id});
    }
    return outcome;
}

static enum outcome change_members_within(struct context *context, void *argument)
{
    const struct member_change *change = argument;
    enum outcome outcome = touch_group(context, change->group_id);
    if (outcome == OK && change->added.data != NULL) {
        outcome = note_members(context, AUDIT_member_add, change->group_id, change->added);
    }
    if (outcome == OK && change->removed.data != NULL) {
        outcome = note_members(context, AUDIT_member_remove, change->group_id, change->removed);
    }
    if (outcome == OK && change->added.data != NULL) {
        /* A member that a trusted header added, and that is now added by hand, stays when the header no longer names
         * the group. FOR UPDATE of the users' rows waits for concurrent deletions; deleted users are then ignored as
         * unknown. */
        outcome = database_execute(context,
                                   "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) "
                                   "SELECT j.id, ?, u.id, ?, ? FROM " PAIR_TABLE
                                   " AS j STRAIGHT_JOIN user AS u ON u.id = j.other_id LOCK IN SHARE MODE "
                                   "ON DUPLICATE KEY UPDATE source = 'manual'",
                                   PARAMETERS(BIND_TEXT(change->group_id), BIND_INTEGER(context->now_seconds),
                                              BIND_INTEGER(context->now_seconds), BIND_TEXT(change->added)),
                                   NULL, ERROR_NONE);
    }
    if (outcome == OK && change->removed.data != NULL) {
        outcome =
            database_execute(context,
                             "DELETE m FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.user_id = j.id "
                             "WHERE m.group_id = ?",
                             PARAMETERS(BIND_TEXT(change->removed), BIND_TEXT(change->group_id)), NULL, ERROR_NONE);
    }
    return outcome;
}

enum outcome group_store_add_members(struct context *context, struct text group_id, const struct text *user_ids,
                                     size_t count)
{
    struct member_change change = {.group_id = group_id};

    user_ids = leave_out_long(context, user_ids, count, &count);
    if (count > 0) {
        change.added = pair_with_new_ids(context, user_ids, count);
    }
    database_concerns_nobody();
    return database_transaction(context, change_members_within, &change);
}

enum outcome group_store_remove_members(struct context *context, struct text group_id, const struct text *user_ids,
                                        size_t count)
{
    struct member_change change = {.group_id = group_id};

    if (count == 0) { /* no change, so updated_at stays */
        const struct value *group;
        return group_store_get(context, group_id, &group);
    }
    user_ids = leave_out_long(context, user_ids, count, &count);
    if (count > 0) {
        change.removed = json_list_of_texts(context->arena, user_ids, count);
    }
    database_concerns_nobody();
    return database_transaction(context, change_members_within, &change);
}

enum outcome group_store_members_among(struct context *context, struct text group_id, const struct text *user_ids,
                                       size_t count, struct result *ids_r)
{
    user_ids = leave_out_long(context, user_ids, count, &count);
    return database_execute(
        context,
        "SELECT m.user_id FROM " ID_TABLE
        " AS j STRAIGHT_JOIN group_member AS m ON m.user_id = j.id WHERE m.group_id = ?",
        PARAMETERS(BIND_TEXT(json_list_of_texts(context->arena, user_ids, count)), BIND_TEXT(group_id)), ids_r,
        ERROR_NONE);
}

/* Changes by a trusted header: memberships to end, and groups to join. */
struct synchronisation {
    struct text user_id;
    struct text ended;  /* JSON list of ids of memberships; null: none */
    struct text joined; /* JSON list of pairs; null: none */
};

/* One statement finds the changes. Almost all sign-ins need none. Groups of administrators are set by hand only. */
static enum outcome compare_membership(struct context *context, struct text names,
                                       struct synchronisation *synchronisation)
{
    struct result result;

    enum outcome outcome = database_execute(
        context,
        "SELECT 1, g.id FROM " NAME_TABLE
        " AS j JOIN `group` AS g ON g.name = j.name AND BINARY g.name = BINARY j.name "
        "JOIN user AS u ON u.id = ? AND u.role <> 'admin' "
        "WHERE NOT EXISTS (SELECT 1 FROM group_member AS m WHERE m.group_id = g.id AND m.user_id = ?) "
        "UNION "
        "SELECT 0, m.id FROM group_member AS m JOIN `group` AS g ON g.id = m.group_id "
        "JOIN user AS u ON u.id = m.user_id AND u.role <> 'admin' "
        "WHERE m.user_id = ? AND m.source = 'header' "
        "AND NOT EXISTS (SELECT 1 FROM " NAME_TABLE " AS j WHERE BINARY j.name = BINARY g.name)",
        PARAMETERS(BIND_TEXT(names), BIND_TEXT(synchronisation->user_id), BIND_TEXT(synchronisation->user_id),
                   BIND_TEXT(synchronisation->user_id), BIND_TEXT(names)),
        &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }

    struct text *joined = arena_zero(context->arena, result.row_count, sizeof *joined);
    struct text *ended = arena_zero(context->arena, result.row_count, sizeof *ended);
    size_t joined_count = 0, ended_count = 0;
    for (size_t i = 0; i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        if (row[0].integer != 0) {
            joined[joined_count++] = row[1].text;
        } else {
            ended[ended_count++] = row[1].text;
        }
    }
    if (joined_count > 0) {
        synchronisation->joined = pair_with_new_ids(context, joined, joined_count);
    }
    if (ended_count > 0) {
        synchronisation->ended = json_list_of_texts(context->arena, ended, ended_count);
    }
    return OK;
}

static enum outcome note_synchronised(struct context *context, const struct synchronisation *synchronisation)
{
    struct result groups;
    enum outcome outcome = database_execute(
        context,
        "SELECT 0, m.group_id FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.id = j.id "
        "WHERE m.source = 'header' UNION ALL SELECT 1, g.id FROM " PAIR_TABLE
        " AS j STRAIGHT_JOIN `group` AS g ON g.id = j.other_id",
        PARAMETERS(BIND_TEXT(synchronisation->ended), BIND_TEXT(synchronisation->joined)), &groups, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < groups.row_count; i++) {
        const struct value *row = result_row(&groups, i);
        audit_store_note(context, &(struct audit_note){row[0].integer != 0 ? AUDIT_member_add : AUDIT_member_remove,
                                                       .subject_id = synchronisation->user_id, .object = row[1].text,
                                                       .by_subject = true});
    }
    return outcome;
}

/* Meanwhile, groups may have been deleted, or another request may have done the same: each statement checks again. */
static enum outcome synchronise_within(struct context *context, void *argument)
{
    const struct synchronisation *synchronisation = argument;

    /* A change of members is a change of the group. */
    enum outcome outcome =
        database_execute(context,
                         "UPDATE (SELECT m.group_id AS id FROM " ID_TABLE
                         " AS j STRAIGHT_JOIN group_member AS m ON m.id = j.id WHERE m.source = 'header' "
                         "UNION SELECT j.other_id FROM " PAIR_TABLE
                         " AS j) AS t STRAIGHT_JOIN `group` AS g ON g.id = t.id SET g.updated_at = ?",
                         PARAMETERS(BIND_TEXT(synchronisation->ended), BIND_TEXT(synchronisation->joined),
                                    BIND_INTEGER(context->now_seconds)),
                         NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = note_synchronised(context, synchronisation);
    }
    if (outcome == OK && synchronisation->ended.data != NULL) {
        outcome = database_execute(context,
                                   "DELETE m FROM " ID_TABLE " AS j STRAIGHT_JOIN group_member AS m ON m.id = j.id "
                                   "WHERE m.source = 'header'",
                                   PARAMETERS(BIND_TEXT(synchronisation->ended)), NULL, ERROR_NONE);
    }
    if (outcome == OK && synchronisation->joined.data != NULL) {
        outcome = database_execute(
            context,
            "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at, source) "
            "SELECT j.id, g.id, u.id, ?, ?, 'header' FROM " PAIR_TABLE " AS j "
            "STRAIGHT_JOIN `group` AS g ON g.id = j.other_id JOIN user AS u ON u.id = ? LOCK IN SHARE MODE "
            "ON DUPLICATE KEY UPDATE group_member.id = group_member.id",

            PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds),
                       BIND_TEXT(synchronisation->joined), BIND_TEXT(synchronisation->user_id)),
            NULL, ERROR_NONE);
    }
    return outcome;
}

enum outcome group_store_synchronise(struct context *context, struct text user_id, const struct text *names,
                                     size_t count)
{
    struct synchronisation synchronisation = {.user_id = user_id};

    names = leave_out_long(context, names, count, &count);
    enum outcome outcome =
        compare_membership(context, json_list_of_texts(context->arena, names, count), &synchronisation);
    if (outcome != OK || (synchronisation.ended.data == NULL && synchronisation.joined.data == NULL)) {
        return outcome;
    }
    database_concerns_nobody();
    return database_transaction(context, synchronise_within, &synchronisation);
}

enum outcome group_store_has_name(struct context *context, struct text name, bool *has_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT name FROM `group` WHERE name = ?",
                                            PARAMETERS(BIND_TEXT(name)), &result, ERROR_NONE);
    *has_r = false;
    for (size_t i = 0; outcome == OK && i < result.row_count;
         i++) { /* several names may be equal without regard to case */
        *has_r = *has_r || text_equal(result_row(&result, i)->text, name);
    }
    return outcome;
}

enum outcome group_store_exists(struct context *context, struct text id_or_name, bool *exists_r)
{
    struct result result;
    const struct table_key key = {
        .name = text_format(context->arena, "\002group %.*s", (int)id_or_name.length, id_or_name.data),
        .concerns = {VERSION_GROUPS}};
    enum outcome outcome = row_cache_execute(context, &key, "SELECT id, name FROM `group` WHERE id = ? OR name = ?",
                                             PARAMETERS(BIND_TEXT(id_or_name), BIND_TEXT(id_or_name)), &result);
    *exists_r = false;
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        *exists_r = *exists_r || text_equal(row[0].text, id_or_name) || text_equal(row[1].text, id_or_name);
    }
    return outcome;
}

/* Columns of the rows that permissions are read with. Of a group without permissions there is a row where it is below
 * another. */
enum { SOURCE_PERMISSIONS, SOURCE_ID, SOURCE_PARENT_ID, SOURCE_COLUMNS };

/* A row of the settings, and the rows of the groups behind it, which may be other ones. */
static void join_sources(struct context *context, const struct value *settings, const struct result *groups,
                         struct result *rows_r)
{
    struct value *values = arena_zero(context->arena, 2 * (groups->row_count + 1), sizeof *values);
    values[0] = *settings;
    values[1].is_null = true;
    size_t count = 1;
    for (size_t i = 0; i < groups->row_count; i++) {
        const struct value *row = result_row(groups, i);
        if (!row[SOURCE_ID].is_null && !row[SOURCE_PERMISSIONS].is_null) {
            memcpy(values + 2 * count++, row, 2 * sizeof *values);
        }
    }
    *rows_r = (struct result){values, count, 2, count};
}

/* The sources from the rows of a user's groups. Where one of these is below another, the line up is read. */
static enum outcome finish_sources(struct context *context, struct text user_id, const struct value *settings,
                                   struct result groups, struct result *rows_r)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < groups.row_count; i++) {
        if (!result_row(&groups, i)[SOURCE_PARENT_ID].is_null) {
            outcome = hierarchy_store_permissions_of_user(context, user_id, &groups);
            break;
        }
    }
    if (outcome == OK) {
        join_sources(context, settings, &groups, rows_r);
    }
    return outcome;
}

/* MariaDB returns the parts of a UNION ALL in their order. An ORDER BY would need a temporary table on disk, since they
 * are long texts. */
enum outcome group_store_permissions(struct context *context, struct text user_id, struct result *rows_r)
{
    struct result rows;
    if (prefetch_take(context, PREFETCH_PERMISSIONS, user_id, &rows)) {
        const struct value *settings = result_row(&rows, 0);
        rows.values++; /* the columns of the group follow */
        return finish_sources(context, user_id, settings, rows, rows_r);
    }
    enum outcome outcome =
        database_execute(context,
                         "SELECT (SELECT data FROM config ORDER BY id DESC LIMIT 1), NULL, NULL UNION ALL "
                         "SELECT g.permissions, g.id, g.parent_group_id FROM group_member AS m "
                         "JOIN `group` AS g ON g.id = m.group_id "
                         "WHERE m.user_id = ? AND (g.permissions IS NOT NULL OR g.parent_group_id IS NOT NULL)",
                         PARAMETERS(BIND_TEXT(user_id)), &rows, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    const struct value *settings = result_row(&rows, 0);
    rows.values += rows.column_count;
    rows.row_count--;
    return finish_sources(context, user_id, settings, rows, rows_r);
}

enum outcome group_store_permissions_of_group(struct context *context, struct text group_id, struct result *rows_r)
{
    struct text document;
    struct result groups;
    enum outcome outcome = database_get_text(context, "SELECT data FROM config ORDER BY id DESC LIMIT 1", NO_PARAMETERS,
                                             &document, ERROR_NONE);
    if (outcome == OK) {
        outcome = hierarchy_store_permissions_of_group(context, group_id, &groups);
    }
    if (outcome == OK) {
        join_sources(context, &(struct value){.text = document, .is_null = document.data == NULL}, &groups, rows_r);
    }
    return outcome;
}

enum outcome group_store_names_of_user(struct context *context, struct text user_id, struct result *names_r)
{
    return database_execute(
        context,
        "SELECT g.id, g.name FROM group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id = ? "
        "ORDER BY g.updated_at DESC, g.id",
        PARAMETERS(BIND_TEXT(user_id)), names_r, ERROR_NONE);
}

/* Rows of PREFETCH_GROUP_COLUMNS: the last changed one first. */
static int compare_groups(const void *left, const void *right)
{
    const struct value *const *a = left, *const *b = right;
    const int64_t a_at = (*a)[2].integer, b_at = (*b)[2].integer;
    return a_at != b_at ? (a_at < b_at) - (a_at > b_at) : text_compare((*a)[0].text, (*b)[0].text);
}

void group_store_names_of_rows(struct context *context, const struct result *rows, struct result *names_r)
{
    const struct value **groups = arena_zero(context->arena, rows->row_count, sizeof *groups);
    struct value *values = arena_zero(context->arena, 2 * rows->row_count, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        if (!result_row(rows, i)[0].is_null) {
            groups[count++] = result_row(rows, i);
        }
    }
    qsort(groups, count, sizeof *groups, compare_groups);
    for (size_t i = 0; i < count; i++) {
        memcpy(values + 2 * i, groups[i], 2 * sizeof *values);
    }
    *names_r = (struct result){values, count, 2, count};
}
