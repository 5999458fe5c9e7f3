#include "store/hierarchy_store.h"

#include "base/problem.h"
#include "store/touch_store.h"

/* The line of groups from some up to the uppermost, and the tree from one down. UNION, and not UNION ALL: a row that is
 * there already is not followed again, so a circle ends. */
#define LINE_OF_USER                                                                      \
    "WITH RECURSIVE line (id, above, direct) AS (SELECT g.id, g.parent_group_id, 1 FROM " \
    "group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id = ? "             \
    "UNION SELECT g.id, g.parent_group_id, 0 FROM line l JOIN `group` g ON g.id = l.above) "
#define TREE_OF_GROUP                                                         \
    "WITH RECURSIVE tree (id) AS (SELECT g.id FROM `group` g WHERE g.id = ? " \
    "UNION SELECT g.id FROM tree t JOIN `group` g ON g.parent_group_id = t.id) "

enum outcome hierarchy_store_lock(struct context *context)
{
    return database_execute(
        context, "INSERT INTO group_move (id, moves) VALUES (1, 1) ON DUPLICATE KEY UPDATE moves = moves + 1",
        NO_PARAMETERS, NULL, ERROR_NONE);
}

enum outcome hierarchy_store_check(struct context *context, struct text group_id, struct text parent_id)
{
    /* how many groups stand on the way from the parent up; whether the group is one of them; how many levels it has */
    static const char sql[] =
        "WITH RECURSIVE up (id, above, level) AS (SELECT g.id, g.parent_group_id, 1 FROM `group` g WHERE g.id = ? "
        "UNION ALL SELECT g.id, g.parent_group_id, u.level + 1 FROM up u JOIN `group` g ON g.id = u.above "
        "WHERE u.level <= 64), "
        "down (id, level) AS (SELECT g.id, 1 FROM `group` g WHERE g.id = ? "
        "UNION ALL SELECT g.id, d.level + 1 FROM down d JOIN `group` g ON g.parent_group_id = d.id WHERE d.level <= "
        "64) "
        "SELECT (SELECT COUNT(*) FROM up), (SELECT COUNT(*) FROM up WHERE id = ?), "
        "(SELECT COALESCE(MAX(level), 1) FROM down)";
    _Static_assert(HIERARCHY_LEVELS_MAX == 64, "the statement ends there");
    const struct value *row;
    enum outcome outcome =
        database_get_row(context, sql, PARAMETERS(BIND_TEXT(parent_id), BIND_TEXT(group_id), BIND_TEXT(group_id)), &row,
                         ERROR_INTERNAL_ERROR);
    if (outcome != OK) {
        return outcome;
    }
    if (row[0].integer == 0) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no group with the id parent_group_id.");
    }
    if (row[1].integer > 0) {
        return problem_set(context, ERROR_INVALID_PARENT);
    }
    return row[0].integer + row[2].integer <= HIERARCHY_LEVELS_MAX
               ? OK
               : problem_set_detail(context, ERROR_INVALID_PARENT, 0,
                                    "Groups can't be below each other on more than 64 levels.");
}

enum outcome hierarchy_store_lift_children(struct context *context, struct text group_id)
{
    return database_execute(context,
                            "UPDATE `group` g JOIN `group` c ON c.parent_group_id = g.id "
                            "SET c.parent_group_id = g.parent_group_id, c.updated_at = GREATEST(?, c.updated_at + 1) "
                            "WHERE g.id = ?",
                            PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(group_id)), NULL, ERROR_NONE);
}

enum outcome hierarchy_store_of_user(struct context *context, struct text user_id,
                                     enum outcome (*each)(struct context *, const struct value *, void *),
                                     void *argument)
{
    static const char *sql;
    rows_statement(&sql,
                   LINE_OF_USER "SELECT %s, l.direct FROM (SELECT id, MAX(direct) AS direct FROM line GROUP BY id) l "
                                "JOIN `group` g ON g.id = l.id ORDER BY g.updated_at DESC, g.id",
                   rows_of_group);
    return database_stream(context, sql, PARAMETERS(BIND_TEXT(user_id)), each, argument);
}

enum outcome hierarchy_store_above(struct context *context, struct text group_id, struct result *groups_r)
{
    static const char *sql;
    rows_statement(
        &sql,
        "WITH RECURSIVE up (id, above, level) AS (SELECT g.id, g.parent_group_id, 0 FROM `group` g "
        "WHERE g.id = ? UNION ALL SELECT g.id, g.parent_group_id, u.level + 1 FROM up u "
        "JOIN `group` g ON g.id = u.above WHERE u.level <= 64) "
        "SELECT %s FROM (SELECT id, MIN(level) AS level FROM up GROUP BY id) u JOIN `group` g ON g.id = u.id "
        "WHERE u.level > 0 ORDER BY u.level",
        rows_of_group);
    return database_execute(context, sql, PARAMETERS(BIND_TEXT(group_id)), groups_r, ERROR_NONE);
}

enum outcome hierarchy_store_permissions_of_user(struct context *context, struct text user_id, struct result *rows_r)
{
    return database_execute(context,
                            LINE_OF_USER "SELECT g.permissions, g.id FROM (SELECT DISTINCT id FROM line) l "
                                         "JOIN `group` g ON g.id = l.id WHERE g.permissions IS NOT NULL",
                            PARAMETERS(BIND_TEXT(user_id)), rows_r, ERROR_NONE);
}

enum outcome hierarchy_store_permissions_of_group(struct context *context, struct text group_id, struct result *rows_r)
{
    return database_execute(context,
                            "WITH RECURSIVE up (id, above) AS (SELECT g.id, g.parent_group_id FROM `group` g "
                            "WHERE g.id = ? UNION SELECT g.id, g.parent_group_id FROM up u "
                            "JOIN `group` g ON g.id = u.above) "
                            "SELECT g.permissions, g.id FROM up u JOIN `group` g ON g.id = u.id "
                            "WHERE g.permissions IS NOT NULL",
                            PARAMETERS(BIND_TEXT(group_id)), rows_r, ERROR_NONE);
}

/* ---- members ---- */

/* Each member once: whether of the group itself, and through which of the groups below. */
#define MEMBERS                                                                                              \
    TREE_OF_GROUP ", member AS (SELECT m.user_id, MAX(m.group_id = ?) AS direct, "                           \
                  "GROUP_CONCAT(CASE WHEN m.group_id <> ? THEN CONCAT(LENGTH(m.group_id), ':', m.group_id) " \
                  "END ORDER BY m.group_id SEPARATOR '') AS via "                                            \
                  "FROM tree t JOIN group_member m ON m.group_id = t.id GROUP BY m.user_id) "

/* Who is asked for: `membership' 0: all; 1 and 2: see the enumeration. */
#define IS_ASKED_FOR "(? = 0 OR x.direct = (? = 1)) AND (? IS NULL OR u.name LIKE ? OR u.email_order LIKE ?)"

enum outcome hierarchy_store_members(struct context *context, struct text group_id,
                                     enum hierarchy_membership membership, struct text query, int64_t page,
                                     struct hierarchy_members *members_r)
{
    static const char *sql;
    const struct text pattern = user_page_pattern(context->arena, query);
    const struct parameter asked[] = {BIND_INTEGER(membership), BIND_INTEGER(membership), BIND_TEXT(pattern),
                                      BIND_TEXT(pattern), BIND_TEXT(pattern)};
    const int64_t first = user_page_first(&(struct user_listing){.page = page});
    const struct value *counts;
    enum outcome outcome = database_get_row(
        context,
        MEMBERS "SELECT CAST(COALESCE(SUM(x.direct), 0) AS INTEGER), COUNT(*), CAST(COALESCE(SUM(" IS_ASKED_FOR
                "), 0) AS INTEGER) FROM member x JOIN user u ON u.id = x.user_id",
        PARAMETERS(BIND_TEXT(group_id), BIND_TEXT(group_id), BIND_TEXT(group_id), asked[0], asked[1], asked[2],
                   asked[3], asked[4]),
        &counts, ERROR_INTERNAL_ERROR);
    if (outcome != OK) {
        return outcome;
    }
    *members_r = (struct hierarchy_members){
        .direct = counts[0].integer, .effective = counts[1].integer, .total = counts[2].integer};
    if (first >= members_r->total) {
        return OK;
    }
    rows_statement(&sql,
                   MEMBERS
                   "SELECT %s, x.direct, x.via FROM member x JOIN user u ON u.id = x.user_id WHERE " IS_ASKED_FOR
                   " ORDER BY u.name, u.id LIMIT ? OFFSET ?",
                   rows_of_user_info(COMPATIBILITY_0_12));
    outcome =
        database_execute(context, sql,
                         PARAMETERS(BIND_TEXT(group_id), BIND_TEXT(group_id), BIND_TEXT(group_id), asked[0], asked[1],
                                    asked[2], asked[3], asked[4], BIND_INTEGER(USER_PAGE_ROWS), BIND_INTEGER(first)),
                         &members_r->rows, ERROR_NONE);
    if (outcome == OK) {
        touch_store_lay_over_rows(context, TOUCH_USER, &members_r->rows, USER_INFO_id, USER_INFO_last_active_at);
    }
    return outcome;
}
