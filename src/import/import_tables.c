/* import_tables.c: the rules of each table of an import: how a row is found here, which of two rows is kept, and which
 * rows conflict with it. */
#include "base/array.h"
#include "base/log.h"
#include "base/random.h"
#include "import/import_internal.h"

#define NOBODY (TEXT_NULL)

static struct text text_at(const struct import_row *row, int column)
{
    return row->values[column].text;
}

static bool is_null(const struct import_row *row, int column)
{
    return row->values[column].kind == PARAMETER_NULL;
}

/* True where the value in the file and the value here are equal. */
static bool same(const struct parameter *value, const struct value *here)
{
    switch (value->kind) {
    case PARAMETER_NULL:
        return here->is_null;
    case PARAMETER_INTEGER:
        return !here->is_null && here->integer == value->integer;
    case PARAMETER_TEXT:
        break;
    }
    return !here->is_null && text_equal(here->text, value->text);
}

/* The row of the file is kept: CHANGED where it differs. */
static enum import_fate compare_all(struct import *import, struct import_row *row)
{
    if (row->here == NULL) {
        return FATE_NEW;
    }
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        if (!same(&row->values[i], &row->here[i])) {
            return FATE_CHANGED;
        }
    }
    return FATE_UNCHANGED;
}

/* The row of the file is kept, unless the row here was changed later. */
static enum import_fate compare_times(struct import *import, struct import_row *row, int updated_at)
{
    if (row->here != NULL && row->here[updated_at].integer > row->values[updated_at].integer) {
        return FATE_UNCHANGED;
    }
    return compare_all(import, row);
}

/* Takes the later of the two times. */
static void take_later(struct import_row *row, int column)
{
    if (row->here == NULL || row->here[column].is_null) {
        return;
    }
    if (is_null(row, column) || row->values[column].integer < row->here[column].integer) {
        row->values[column] = BIND_INTEGER(row->here[column].integer);
    }
}

/* False where the user of the row is left out. Adds a finding where the user is not in the file. */
static bool has_user(struct import *import, const struct import_row *row, struct text user_id)
{
    const struct import_entry *user = user_id.data != NULL ? import_index_find(&import->users, user_id) : NULL;
    if (user == NULL) {
        import_add_finding(import, IMPORT_BROKEN, text_at(row, 0), "the user %.*s is not in the file",
                           (int)user_id.length, user_id.data != NULL ? user_id.data : "");
        return false;
    }
    if (!user->present) {
        import->report->counts[import->table].with_user++;
        return false;
    }
    return true;
}

/* False where a row with this id was read before. */
static bool is_first(struct import *import, struct import_index *index, const struct import_row *row, struct text text)
{
    bool is_new = true;
    if (text.data != NULL) {
        import_index_add(index, text, &is_new);
    }
    if (!is_new) {
        import_add_finding(import, IMPORT_BROKEN, text_at(row, 0), "the file has it twice");
    }
    return is_new;
}

static void no_keys_but_id(const struct import_row *row, struct text keys_r[IMPORT_KEYS])
{
    keys_r[0] = text_at(row, 0);
}

/* ---- user ---- */

enum { USER_MORE_WEIGHT, USER_MORE_WEIGHT_HERE, USER_MORE_HOLDER };

static void user_keys(const struct import_row *row, struct text keys_r[IMPORT_KEYS])
{
    keys_r[0] = text_at(row, IMPORT_AT(user, id));
    keys_r[1] = text_at(row, IMPORT_AT(user, email));
}

/* An account without created_at must not become the oldest one. */
static void complete_times(struct import *import, struct import_row *row)
{
    static const int columns[] = {IMPORT_AT(user, created_at), IMPORT_AT(user, updated_at),
                                  IMPORT_AT(user, last_active_at)};
    struct parameter known = BIND_INTEGER(import->context->now_seconds);
    for (size_t i = ARRAY_COUNT(columns); i > 0; i--) {
        known = is_null(row, columns[i - 1]) ? known : row->values[columns[i - 1]];
    }
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        row->values[columns[i]] = is_null(row, columns[i]) ? known : row->values[columns[i]];
    }
}

static bool complete_user(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    (void)statement;
    bool is_new;
    import_index_add(&import->users, text_at(row, IMPORT_AT(user, id)), &is_new);
    if (!is_new) {
        import_add_finding(import, IMPORT_BROKEN, text_at(row, 0), "the file has this id twice");
        return false;
    }
    if (is_null(row, IMPORT_AT(user, role))) {
        row->values[IMPORT_AT(user, role)] = BIND_TEXT(TEXT("pending"));
    }
    if (is_null(row, IMPORT_AT(user, name))) {
        row->values[IMPORT_AT(user, name)] = row->values[IMPORT_AT(user, email)];
    }
    if (is_null(row, IMPORT_AT(user, profile_image_url))) {
        row->values[IMPORT_AT(user, profile_image_url)] = BIND_TEXT(TEXT("/user.png"));
    }
    complete_times(import, row);
    return true;
}

/* last_active_at alone does not make a row changed. */
static enum import_fate compare_user(struct import *import, struct import_row *row)
{
    static const int pictures[] = {IMPORT_AT(user, profile_image_url), IMPORT_AT(user, profile_banner_image_url)};
    for (size_t i = 0; row->here != NULL && i < ARRAY_COUNT(pictures); i++) {
        /* a picture in the row here was not read, so it can't be written again */
        if (row->keeps[pictures[i]] && text_is(row->here[pictures[i]].text, "data:")) {
            return FATE_UNCHANGED;
        }
    }
    take_later(row, IMPORT_AT(user, last_active_at));
    return compare_times(import, row, IMPORT_AT(user, updated_at));
}

/* Reserves the address. An address that a user gives up in this import stays reserved until the next import, so that
 * the
 * result does not depend on the order of rows. */
static void reserve_email(struct import *import, struct text weight, struct text user_id)
{
    bool is_new;
    struct import_entry *entry = import_index_add(&import->emails, weight, &is_new);
    if (is_new) {
        entry->note = text_copy(import->index_arena, user_id);
    }
}

/* A user that is left out; their other rows are left out, too. */
static void drop_user(struct import *import, struct text id)
{
    bool is_new;
    import_index_add(&import->users, id, &is_new);
}

static bool admit_user(struct import *import, struct import_row *row)
{
    struct text id = text_at(row, IMPORT_AT(user, id));
    struct text email = text_at(row, IMPORT_AT(user, email));
    struct text weight = row->more[USER_MORE_WEIGHT].text;
    const struct value *holder = &row->more[USER_MORE_HOLDER];
    const struct import_entry *entry = import_index_find(&import->emails, weight);
    if (entry != NULL && !text_equal(entry->note, id)) {
        import_add_finding(import, IMPORT_COLLISION, id, "email: %.*s also belongs to the user %.*s, who is preferred",
                           (int)email.length, email.data, (int)entry->note.length, entry->note.data);
        return false;
    }
    if (!holder->is_null && !text_equal(holder->text, id)) {
        import_add_finding(import, IMPORT_COLLISION, id, "email: %.*s belongs to the user %.*s here", (int)email.length,
                           email.data, (int)holder->text.length, holder->text.data);
        return false;
    }
    reserve_email(import, weight, id);
    if (row->here != NULL) {
        reserve_email(import, row->more[USER_MORE_WEIGHT_HERE].text, id);
    }
    return true;
}

/* A user who exists here, and can't be changed, still exists here. */
static void settle_user(struct import *import, const struct import_row *row)
{
    struct import_entry *entry = import_index_find(&import->users, text_at(row, IMPORT_AT(user, id)));
    bool comes = row->fate == FATE_NEW || row->fate == FATE_CHANGED;
    struct text email =
        comes || row->here == NULL ? text_at(row, IMPORT_AT(user, email)) : row->here[IMPORT_AT(user, email)].text;
    invariant(entry != NULL);
    entry->present = comes || row->here != NULL;
    entry->note = text_copy(import->index_arena, email);
}

/* ---- auth ---- */

static bool complete_auth(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    (void)statement;
    struct text id = text_at(row, IMPORT_AT(auth, id));
    if (!is_first(import, &import->ids, row, id) || !has_user(import, row, id)) {
        return false;
    }
    row->values[IMPORT_AT(auth, email)] = BIND_TEXT(import_index_find(&import->users, id)->note);
    return true;
}

static enum import_fate compare_auth(struct import *import, struct import_row *row)
{
    const struct value *here = row->here;
    if (here != NULL && text_starts_with(here[IMPORT_AT(auth, password)].text, "$s1$")) {
        row->values[IMPORT_AT(auth, password)] = BIND_TEXT(here[IMPORT_AT(auth, password)].text);
    }
    /* a second factor is not removed because the file has none */
    if (here != NULL && is_null(row, IMPORT_AT(auth, mfa))) {
        row->values[IMPORT_AT(auth, mfa)] = BIND_TEXT(here[IMPORT_AT(auth, mfa)].text);
    }
    return compare_all(import, row);
}

/* ---- group ---- */

/* Imports a group that can't be below another without it. */
static void check_parent(struct import *import, int parent, struct import_row *row)
{
    static const char *const reasons[] = {
        [IMPORT_PARENT_MISSING] = "this group is not in the file",
        [IMPORT_PARENT_CIRCLE] = "the group would be below itself",
        [IMPORT_PARENT_TOO_DEEP] = "there would be more than 64 levels",
    };
    if (parent != IMPORT_PARENT_GOOD && !is_null(row, IMPORT_AT(group, parent_group_id))) {
        import_add_finding(import, IMPORT_PARTIAL, text_at(row, 0),
                           "parent_group_id: %s; the group is imported without it", reasons[parent]);
        row->values[IMPORT_AT(group, parent_group_id)] = BIND_NULL;
    }
}

static bool complete_group(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    bool is_new;
    import_index_add(&import->groups, text_at(row, IMPORT_AT(group, id)), &is_new);
    if (!is_new) {
        import_add_finding(import, IMPORT_BROKEN, text_at(row, 0), "the file has this id twice");
        return false;
    }
    if (sqlite3_column_int(statement, (int)import_column_count(IMPORT_group)) != 0) {
        import_add_finding(import, IMPORT_PARTIAL, text_at(row, 0),
                           "user_ids: not a list; the group is imported without members");
    }
    check_parent(import, sqlite3_column_int(statement, (int)import_column_count(IMPORT_group) + 1), row);
    return true;
}

static enum import_fate compare_group(struct import *import, struct import_row *row)
{
    return compare_times(import, row, IMPORT_AT(group, updated_at));
}

static void drop_group(struct import *import, struct text id)
{
    bool is_new;
    import_index_add(&import->groups, id, &is_new);
}

static void settle_group(struct import *import, const struct import_row *row)
{
    import_index_find(&import->groups, text_at(row, IMPORT_AT(group, id)))->present =
        row->fate != FATE_LEFT_OUT || row->here != NULL;
}

/* ---- group_member ---- */

static void member_keys(const struct import_row *row, struct text keys_r[IMPORT_KEYS])
{
    keys_r[0] = text_at(row, IMPORT_AT(group_member, group_id));
    keys_r[1] = text_at(row, IMPORT_AT(group_member, user_id));
    keys_r[2] = text_at(row, IMPORT_AT(group_member, id));
}

static bool complete_member(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    (void)statement;
    struct text id = text_at(row, IMPORT_AT(group_member, id));
    struct text group_id = text_at(row, IMPORT_AT(group_member, group_id));
    struct text user_id = text_at(row, IMPORT_AT(group_member, user_id));
    struct text pair = text_format(import->context->arena, "%zu:%.*s%.*s", group_id.length, (int)group_id.length,
                                   group_id.data, (int)user_id.length, user_id.data);
    const struct import_entry *group = import_index_find(&import->groups, group_id);
    if (group == NULL) {
        import_add_finding(import, IMPORT_BROKEN, id, "the group %.*s is not in the file", (int)group_id.length,
                           group_id.data);
        return false;
    }
    if (!group->present) {
        import->report->counts[IMPORT_group_member].with_user++;
        return false;
    }
    if (!has_user(import, row, user_id) || !is_first(import, &import->others, row, pair)) {
        return false;
    }
    /* the id of a membership is not used */
    bool is_new = true;
    if (id.data != NULL) {
        import_index_add(&import->ids, id, &is_new);
    }
    if (id.data == NULL || !is_new) {
        row->values[IMPORT_AT(group_member, id)] = BIND_TEXT(random_uuid(import->context->arena));
    }
    return true;
}

/* A membership that exists here never differs in a way that matters. */
static enum import_fate compare_member(struct import *import, struct import_row *row)
{
    if (row->here != NULL) {
        return FATE_UNCHANGED;
    }
    if (row->more != NULL && !row->more[0].is_null) {
        row->values[IMPORT_AT(group_member, id)] = BIND_TEXT(random_uuid(import->context->arena));
    }
    return FATE_NEW;
}

/* ---- api_key ---- */

enum { KEY_MORE_ID, KEY_MORE_USER, KEY_MORE_NEWEST };

static void key_keys(const struct import_row *row, struct text keys_r[IMPORT_KEYS])
{
    keys_r[0] = text_at(row, IMPORT_AT(api_key, id));
    keys_r[1] = text_at(row, IMPORT_AT(api_key, key));
    keys_r[2] = text_at(row, IMPORT_AT(api_key, user_id));
}

static bool complete_key(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    (void)statement;
    row->values[IMPORT_AT(api_key, suffix)] = BIND_TEXT(row->suffix);
    return is_first(import, &import->ids, row, text_at(row, IMPORT_AT(api_key, id))) &&
           is_first(import, &import->others, row, text_at(row, IMPORT_AT(api_key, key))) &&
           has_user(import, row, text_at(row, IMPORT_AT(api_key, user_id)));
}

/* A key that is created here has another id, and replaces the one before. */
static enum import_fate compare_key(struct import *import, struct import_row *row)
{
    struct text user_id = text_at(row, IMPORT_AT(api_key, user_id));
    if (row->here != NULL) {
        take_later(row, IMPORT_AT(api_key, last_used_at));
        return compare_all(import, row);
    }
    if (row->more != NULL) {
        const struct value *newest = &row->more[KEY_MORE_NEWEST];
        if (!row->more[KEY_MORE_ID].is_null && text_equal(row->more[KEY_MORE_USER].text, user_id)) {
            return FATE_UNCHANGED;
        }
        if (!newest->is_null && newest->integer > row->values[IMPORT_AT(api_key, created_at)].integer) {
            return FATE_UNCHANGED;
        }
    }
    return FATE_NEW;
}

static bool admit_key(struct import *import, struct import_row *row)
{
    struct text id = text_at(row, IMPORT_AT(api_key, id));
    struct text user_id = text_at(row, IMPORT_AT(api_key, user_id));
    const struct value *holder = &row->more[KEY_MORE_ID];
    if (row->here != NULL && !text_equal(row->here[IMPORT_AT(api_key, user_id)].text, user_id)) {
        import_add_finding(import, IMPORT_COLLISION, id, "id: it belongs to a key of another user here");
        return false;
    }
    if (!holder->is_null && !text_equal(holder->text, id)) {
        import_add_finding(import, IMPORT_COLLISION, id, "key: it belongs to the user %.*s here",
                           (int)row->more[KEY_MORE_USER].text.length, row->more[KEY_MORE_USER].text.data);
        return false;
    }
    return true;
}

/* ---- oauth_session ---- */

static bool complete_oauth_session(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    (void)statement;
    return is_first(import, &import->ids, row, text_at(row, IMPORT_AT(oauth_session, id))) &&
           has_user(import, row, text_at(row, IMPORT_AT(oauth_session, user_id)));
}

static enum import_fate compare_oauth_session(struct import *import, struct import_row *row)
{
    return compare_times(import, row, IMPORT_AT(oauth_session, updated_at));
}

/* ---- chat ---- */

static void chat_keys(const struct import_row *row, struct text keys_r[IMPORT_KEYS])
{
    keys_r[0] = text_at(row, IMPORT_AT(chat, id));
    keys_r[1] = text_at(row, IMPORT_AT(chat, share_id));
}

/* A shared copy has no user: the owner of its chat is in an additional column. */
static bool complete_chat(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    int column = (int)import_column_count(IMPORT_chat);
    struct text owner = NOBODY;
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    if (bytes != NULL) {
        owner = (struct text){bytes, (size_t)sqlite3_column_bytes(statement, column)};
    } else if (text_starts_with(text_at(row, IMPORT_AT(chat, user_id)), "shared-")) {
        import_add_finding(import, IMPORT_BROKEN, text_at(row, 0), "the chat that it is a copy of is not in the file");
        return false;
    }
    return is_first(import, &import->ids, row, text_at(row, IMPORT_AT(chat, id))) &&
           is_first(import, &import->others, row, text_at(row, IMPORT_AT(chat, share_id))) &&
           has_user(import, row, owner);
}

static bool admit_chat(struct import *import, struct import_row *row)
{
    struct text id = text_at(row, IMPORT_AT(chat, id));
    if (!row->more[0].is_null && !text_equal(row->more[0].text, id)) {
        import_add_finding(import, IMPORT_COLLISION, id, "share_id: it belongs to another chat here");
        return false;
    }
    return true;
}

const struct import_table_row import_tables[IMPORT_TABLE_COUNT] = {
    [IMPORT_user] =
        {
            .keys = user_keys,
            .match = "t.id = j.a",
            .more = ", WEIGHT_STRING(j.email), WEIGHT_STRING(t.email), h.id",
            .joins = " LEFT JOIN `user` AS h ON h.email = j.email",
            .complete = complete_user,
            .compare = compare_user,
            .admit = admit_user,
            .settle = settle_user,
            .drop = drop_user,
        },
    [IMPORT_auth] =
        {
            .keys = no_keys_but_id,
            .match = "t.id = j.a",
            .more = "",
            .joins = "",
            .complete = complete_auth,
            .compare = compare_auth,
        },
    [IMPORT_group] =
        {
            .keys = no_keys_but_id,
            .match = "t.id = j.a",
            .more = "",
            .joins = "",
            .complete = complete_group,
            .compare = compare_group,
            .settle = settle_group,
            .drop = drop_group,
        },
    [IMPORT_group_member] =
        {
            .keys = member_keys,
            .match = "t.group_id = j.a AND t.user_id = j.b",
            .more = ", h.id",
            .joins = " LEFT JOIN group_member AS h ON h.id = j.c",
            .complete = complete_member,
            .compare = compare_member,
        },
    [IMPORT_api_key] =
        {
            .keys = key_keys,
            .match = "t.id = j.a",
            .more = ", h.id, h.user_id, (SELECT MAX(p.created_at) FROM api_key AS p WHERE p.user_id = j.c AND "
                    "p.is_primary = 1)",
            .joins = " LEFT JOIN api_key AS h ON h.`key` = j.b",
            .complete = complete_key,
            .compare = compare_key,
            .admit = admit_key,
        },
    [IMPORT_oauth_session] =
        {
            .keys = no_keys_but_id,
            .match = "t.id = j.a",
            .more = "",
            .joins = "",
            .complete = complete_oauth_session,
            .compare = compare_oauth_session,
        },
    [IMPORT_chat] =
        {
            .keys = chat_keys,
            .match = "t.id = j.a",
            .more = ", h.id",
            .joins = " LEFT JOIN chat AS h ON h.share_id = j.b",
            .complete = complete_chat,
            .compare = compare_all,
            .admit = admit_chat,
        },
};
