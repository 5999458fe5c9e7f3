/* directory_feed.c: see directory_feed.h. Every statement here runs under the directory's lock, so that what was read
 * earlier is never put over what was read later by another worker. */
#include "store/directory_feed.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "store/directory.h"
#include "store/user_page.h"

enum {
    OVERLAP_SECONDS = 10,
    WIDE_SECONDS = 600,
    LOST_SECONDS = 43200, /* who has not looked for so long loads again, as rows of deleted_user go after a day */
    STEP_ROWS = 1000,
    CHANGES_MIN = 2000, /* so many changes are read at once, or this part of all users; more are read in steps, */
    CHANGES_PART = 50,  /* while SQL answers */
    LOCK_MICROSECONDS = 500000,
    IDLE_MILLISECONDS = 60000,
    RETRY_MILLISECONDS = 1000,
    FULL_SECONDS = 3600, /* until the next attempt of one that was too small */
    WIDE_EVERY_SECONDS = 10,
    WIDE_SHARE = 20,      /* what is not urgent takes at most this part of the time: a look for old transactions, */
    COUNT_SHARE = 200,    /* counting, */
    COMPARISON_SHARE = 10 /* and comparing all ids */
};

#define SECOND INT64_C(1000000)

/* What a pass, a piece of work in steps, does now. */
enum phase {
    PHASE_NONE,
    PHASE_ROWS,    /* all rows, by id */
    PHASE_MISSING, /* of a comparison: those that were not among them */
    PHASE_DELETED, /* those deleted since the pass began */
    PHASE_CHANGED  /* those changed since it began */
};

/* MariaDB's time, in microseconds since 1970, as a value and as a parameter. */
#define NOW_MICROSECONDS "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
#define MOMENT "FROM_UNIXTIME(? * 0.000001)"
#define MICROSECONDS(column) "CAST(UNIX_TIMESTAMP(" column ") * 1000000 AS SIGNED)"

/* ---- Rows ---- */

/* The first columns of each row. */
enum { COLUMN_ID, COLUMN_NAME, COLUMN_EMAIL, COLUMN_CREATED_AT, COLUMN_MOMENT };

/* Puts a row into the directory; without a name it is somebody who is not there any more. False: there is no room. */
static bool apply(struct context *context, const struct value *row)
{
    if (row[COLUMN_NAME].is_null) {
        directory_remove(row[COLUMN_ID].text);
        return true;
    }
    const struct directory_user user = {
        .id = row[COLUMN_ID].text,
        .name = text_fold(context->arena, row[COLUMN_NAME].text),
        .email = text_fold(context->arena, row[COLUMN_EMAIL].text),
        .created_at = row[COLUMN_CREATED_AT].integer,
    };
    return directory_put(&user) != DIRECTORY_NO_ROOM;
}

static void give_up(struct context *context)
{
    struct directory_figures figures;
    directory_figures(&figures);
    directory_empty();
    directory_set_state(DIRECTORY_FULL);
    directory_progress()->next_attempt = clock_monotonic_microseconds() + FULL_SECONDS * SECOND;
    log_error(context,
              "directory_size (%" PRId64 " bytes) has no room for more than %" PRId64
              " users: lists and searches take longer until it is increased",
              figures.bytes_max, figures.users);
}

/* Applies rows from number `from` on. False, and the directory is empty: there is no room. */
static bool apply_all(struct context *context, const struct result *rows, size_t from)
{
    for (size_t i = from; i < rows->row_count; i++) {
        if (!apply(context, result_row(rows, i))) {
            directory_tidy(true);
            if (!apply(context, result_row(rows, i))) {
                give_up(context);
                return false;
            }
        }
    }
    return true;
}

/* ---- What has changed ---- */

/* The first row has MariaDB's time and, where it is asked for, the number of users. */
#define CHANGES(count)                                                                                             \
    "SELECT NULL AS id, NULL AS name, NULL AS email, " count " AS created_at, " NOW_MICROSECONDS " AS moment "     \
    "UNION ALL SELECT d.id, u.name, u.email, u.created_at, 0 FROM deleted_user d LEFT JOIN user u ON u.id = d.id " \
    "WHERE d.deleted_at >= " MOMENT " "                                                                            \
    "UNION ALL SELECT u.id, u.name, u.email, u.created_at, 0 FROM user u WHERE u.changed_at >= " MOMENT " LIMIT ?"

static int64_t changes_max(void)
{
    struct directory_figures figures;
    directory_figures(&figures);
    return figures.users / CHANGES_PART > CHANGES_MIN ? figures.users / CHANGES_PART : CHANGES_MIN;
}

static enum outcome read_changes(struct context *context, bool counts, int64_t from, struct result *rows_r)
{
    return database_execute(context, counts ? CHANGES("(SELECT COUNT(*) FROM user)") : CHANGES("-1"),
                            PARAMETERS(BIND_INTEGER(from), BIND_INTEGER(from), BIND_INTEGER(changes_max() + 2)), rows_r,
                            ERROR_NONE);
}

/* How far MariaDB's clock was set back since the last look: rows have times from before. */
static int64_t clock_set_back(const struct directory_progress *progress, int64_t now, int64_t monotonic)
{
    int64_t passed = monotonic - progress->read_monotonic, counted = now - progress->read_at;
    return passed - counted > SECOND ? passed - counted : 0;
}

static void begin_pass(enum phase phase, int64_t from)
{
    struct directory_progress *progress = directory_progress();
    progress->phase = phase;
    progress->pass_began = clock_monotonic_microseconds();
    progress->pass_from = progress->pass_moment = from;
    progress->cursor_length = 0;
    progress->number = 0;
}

/* The greatest moments, which MariaDB finds at the ends of two indices. */
#define GREATEST_MOMENTS                                                 \
    "SELECT " NOW_MICROSECONDS                                           \
    ", (SELECT " MICROSECONDS("MAX(deleted_at)") " FROM deleted_user), " \
                                                 "(SELECT " MICROSECONDS("MAX(changed_at)") " FROM user)"

/* *is_still_r: nobody has a moment within the window, so read_changes would find nobody. That the greatest moment is
 * the one of the last time would not be enough: what was changed before it may be committed behind it. */
static enum outcome look_for_changes(struct context *context, bool *is_still_r)
{
    struct directory_progress *progress = directory_progress();
    const int64_t began = clock_monotonic_microseconds();
    const struct value *row;
    enum outcome outcome = database_get_row(context, GREATEST_MOMENTS, NO_PARAMETERS, &row, ERROR_NONE);
    *is_still_r = false;
    if (outcome != OK) {
        return outcome;
    }
    const int64_t now = row[0].integer;
    if (clock_set_back(progress, now, began) == 0 && now - progress->read_at <= LOST_SECONDS * SECOND &&
        value_integer(&row[1], INT64_MIN) < progress->window_from &&
        value_integer(&row[2], INT64_MIN) < progress->window_from) {
        *is_still_r = true;
        progress->read_at = now;
        progress->read_monotonic = began;
        progress->window_from = now - OVERLAP_SECONDS * SECOND;
    }
    return OK;
}

/* Reads what has changed since the last time, and applies it. The state is another one afterwards where there was too
 * much of it. */
static enum outcome catch_up(struct context *context, bool counts)
{
    struct directory_progress *progress = directory_progress();
    bool is_still = false;
    if (!counts && !progress->is_moving) {
        enum outcome looked = look_for_changes(context, &is_still);
        if (looked != OK || is_still) {
            return looked;
        }
    }
    const int64_t began = clock_monotonic_microseconds();
    struct result rows;
    enum outcome outcome = read_changes(context, counts, progress->window_from, &rows);
    int64_t now = outcome == OK ? result_row(&rows, 0)[COLUMN_MOMENT].integer : 0;
    int64_t back = outcome == OK ? clock_set_back(progress, now, began) : 0;
    if (back > 0) {
        progress->window_from -= back;
        outcome = read_changes(context, counts, progress->window_from, &rows);
        now = outcome == OK ? result_row(&rows, 0)[COLUMN_MOMENT].integer : 0;
    }
    if (outcome != OK) {
        return outcome;
    }
    if (now - progress->read_at > LOST_SECONDS * SECOND) {
        directory_empty();
        return OK;
    }
    progress->read_at = now;
    progress->read_monotonic = began;
    progress->is_moving = rows.row_count > 1;
    if ((int64_t)rows.row_count > changes_max() + 1) {
        log_info(context,
                 "more than %" PRId64 " users have changed: until they are read, lists and searches take longer",
                 changes_max());
        directory_set_state(DIRECTORY_LOADING);
        progress->window_next = now - OVERLAP_SECONDS * SECOND;
        begin_pass(PHASE_DELETED, progress->window_from);
        return OK;
    }
    if (apply_all(context, &rows, 1)) {
        struct directory_figures figures;
        directory_figures(&figures);
        progress->window_from = now - OVERLAP_SECONDS * SECOND;
        progress->is_doubted =
            progress->is_doubted || (counts && result_row(&rows, 0)[COLUMN_CREATED_AT].integer != figures.users);
    }
    return OK;
}

bool directory_feed_catch_up(struct context *context)
{
    const int64_t began = clock_monotonic_microseconds();
    if (directory_state() != DIRECTORY_READY || !directory_lock(LOCK_MICROSECONDS)) {
        return false;
    }
    const struct problem problem = context->problem;
    bool is_done = directory_state() == DIRECTORY_READY;
    directory_progress()->is_asked = true;
    if (is_done && directory_progress()->read_monotonic <= began) { /* else another worker has just done it */
        is_done = catch_up(context, false) == OK && directory_state() == DIRECTORY_READY;
    }
    directory_unlock();
    context->problem = problem;
    return is_done;
}

void directory_feed_doubt(void)
{
    directory_progress()->is_doubted = true;
}

/* ---- Work in steps ---- */

static struct text cursor(void)
{
    const struct directory_progress *progress = directory_progress();
    return (struct text){progress->cursor, progress->cursor_length};
}

/* Applies the rows of a step. *done_r: they were the last. */
static void take_step(struct context *context, const struct result *rows, bool *done_r)
{
    struct directory_progress *progress = directory_progress();
    *done_r = rows->row_count < STEP_ROWS;
    if (!apply_all(context, rows, 0) || *done_r) {
        return;
    }
    const struct value *last = result_row(rows, rows->row_count - 1);
    invariant(last[COLUMN_ID].text.length <= sizeof progress->cursor);
    memcpy(progress->cursor, last[COLUMN_ID].text.data, last[COLUMN_ID].text.length);
    progress->cursor_length = (uint32_t)last[COLUMN_ID].text.length;
    progress->pass_moment = last[COLUMN_MOMENT].integer;
}

static enum outcome step_rows(struct context *context, bool *done_r)
{
    struct result rows;
    enum outcome outcome =
        database_execute(context, "SELECT id, name, email, created_at, 0 FROM user WHERE id > ? ORDER BY id LIMIT ?",
                         PARAMETERS(BIND_TEXT(cursor()), BIND_INTEGER(STEP_ROWS)), &rows, ERROR_NONE);
    if (outcome == OK) {
        take_step(context, &rows, done_r);
    }
    return outcome;
}

/* In the order of a time and of the ids. */
static enum outcome step_by_moment(struct context *context, const char *sql, bool *done_r)
{
    struct result rows;
    const struct parameter moment = BIND_INTEGER(directory_progress()->pass_moment);
    enum outcome outcome = database_execute(
        context, sql, PARAMETERS(moment, BIND_TEXT(cursor()), moment, BIND_INTEGER(STEP_ROWS)), &rows, ERROR_NONE);
    if (outcome == OK) {
        take_step(context, &rows, done_r);
    }
    return outcome;
}

static enum outcome step_deleted(struct context *context, bool *done_r)
{
    return step_by_moment(
        context,
        "SELECT d.id, u.name, u.email, u.created_at, " MICROSECONDS(
            "d.deleted_at") " FROM deleted_user d LEFT JOIN user u ON u.id = d.id WHERE (d.deleted_at = " MOMENT
                            " AND d.id > ?) OR d.deleted_at > " MOMENT " ORDER BY d.deleted_at, d.id LIMIT ?",
        done_r);
}

static enum outcome step_changed(struct context *context, bool *done_r)
{
    return step_by_moment(context,
                          "SELECT id, name, email, created_at, " MICROSECONDS(
                              "changed_at") " FROM user WHERE (changed_at = " MOMENT
                                            " AND id > ?) OR changed_at > " MOMENT " ORDER BY changed_at, id LIMIT ?",
                          done_r);
}

static bool has_id(const struct result *rows, struct text id)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        if (text_equal(result_row(rows, i)->text, id)) {
            return true;
        }
    }
    return false;
}

/* Removes those who were not among all rows, and have none now. */
static enum outcome step_missing(struct context *context, bool *done_r)
{
    struct directory_progress *progress = directory_progress();
    struct text ids[DATABASE_LIST_MAX];
    struct result present;
    uint32_t from = progress->number;
    size_t count = directory_unmarked(&from, ids, DATABASE_LIST_MAX);
    *done_r = count == 0;
    if (count == 0) {
        return OK;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = text_copy(context->arena, ids[i]);
    }
    enum outcome outcome = database_execute_texts(
        context, "SELECT u.id FROM " USER_BY_ID " WHERE u.id IN " DATABASE_LIST, ids, count, &present);
    for (size_t i = 0; outcome == OK && i < count; i++) {
        if (!has_id(&present, ids[i])) {
            directory_remove(ids[i]);
        }
    }
    progress->number = outcome == OK ? from : progress->number;
    return outcome;
}

/* ---- The passes ---- */

static enum outcome read_now(struct context *context, int64_t *now_r)
{
    return database_get_integer(context, "SELECT " NOW_MICROSECONDS, NO_PARAMETERS, 0, now_r);
}

static enum outcome begin_loading(struct context *context)
{
    struct directory_progress *progress = directory_progress();
    if (directory_was_lost()) {
        log_warning(context, "a worker died while it changed the directory: all users are read again");
    }
    directory_empty();
    progress->read_monotonic = clock_monotonic_microseconds();
    enum outcome outcome = read_now(context, &progress->read_at);
    if (outcome == OK) {
        progress->window_from = progress->read_at - OVERLAP_SECONDS * SECOND;
        directory_set_state(DIRECTORY_LOADING);
        begin_pass(PHASE_ROWS, 0);
    }
    return outcome;
}

/* Everything was read. What has changed since then decides whether it was enough. */
static enum outcome finish_loading(struct context *context)
{
    struct directory_progress *progress = directory_progress();
    const bool is_first = progress->loaded_at == 0;
    const int64_t took = clock_monotonic_microseconds() - progress->pass_began;
    progress->window_from = progress->window_next;
    enum outcome outcome = catch_up(context, false);
    if (outcome != OK || directory_state() != DIRECTORY_LOADING) {
        return outcome;
    }
    if (progress->phase != PHASE_NONE) { /* too much, also of what was read already: later it is out of the window */
        progress->next_attempt = clock_monotonic_microseconds() + OVERLAP_SECONDS * SECOND;
        return OK;
    }
    directory_set_state(DIRECTORY_READY);
    struct directory_figures figures;
    directory_figures(&figures);
    progress->loaded_at = context->now_seconds;
    if (is_first) {
        progress->load_microseconds = took;
        log_notice(context, "the directory of %" PRId64 " users was read in %" PRId64 " ms", figures.users,
                   took / 1000);
    }
    return outcome;
}

/* When something that began then, and is over, may be done again. */
static int64_t next_time(int64_t began, int64_t share, int64_t min_seconds)
{
    const int64_t now = clock_monotonic_microseconds(), pause = share * (now - began);
    return now + (pause > min_seconds * SECOND ? pause : min_seconds * SECOND);
}

/* What comes after a phase that is over. */
static enum outcome next_phase(struct context *context)
{
    struct directory_progress *progress = directory_progress();
    const bool is_loading = directory_state() == DIRECTORY_LOADING;
    const int64_t began = progress->pass_began;
    int64_t now;
    enum outcome outcome = OK;
    switch ((enum phase)progress->phase) {
    case PHASE_ROWS:
        if (!is_loading) {
            begin_pass(PHASE_MISSING, 0);
        } else if ((outcome = read_now(context, &now)) == OK) {
            progress->window_next = now - OVERLAP_SECONDS * SECOND;
            begin_pass(PHASE_DELETED, progress->window_from);
        }
        progress->pass_began = began;
        return outcome;
    case PHASE_DELETED:
        begin_pass(PHASE_CHANGED, progress->pass_from);
        progress->pass_began = began;
        return OK;
    case PHASE_CHANGED:
        progress->phase = PHASE_NONE;
        progress->next_wide = next_time(began, WIDE_SHARE, WIDE_EVERY_SECONDS);
        return is_loading ? finish_loading(context) : OK;
    case PHASE_MISSING:
        progress->phase = PHASE_NONE;
        progress->is_doubted = false;
        progress->next_comparison = next_time(began, COMPARISON_SHARE, 0);
        return OK;
    case PHASE_NONE:
        break;
    }
    return OK;
}

static enum outcome step(struct context *context)
{
    static enum outcome (*const steps[])(struct context *context, bool *done_r) = {
        [PHASE_ROWS] = step_rows,
        [PHASE_MISSING] = step_missing,
        [PHASE_DELETED] = step_deleted,
        [PHASE_CHANGED] = step_changed,
    };
    bool is_done = false;
    enum outcome outcome = steps[directory_progress()->phase](context, &is_done);
    return outcome == OK && is_done ? next_phase(context) : outcome;
}

/* ---- Upkeep ---- */

/* Compares the numbers, with all changes up to then. */
static enum outcome compare_counts(struct context *context)
{
    struct directory_progress *progress = directory_progress();
    const int64_t began = clock_monotonic_microseconds();
    enum outcome outcome = catch_up(context, true);
    progress->next_count = next_time(began, COUNT_SHARE, 1);
    progress->is_asked = false;
    return outcome;
}

/* What is due for a directory that is ready. *milliseconds_r: when something may be due again. */
static enum outcome keep(struct context *context, int64_t now, int *milliseconds_r)
{
    struct directory_progress *progress = directory_progress();
    *milliseconds_r = 0;
    directory_tidy(false);
    if (progress->is_doubted && now >= progress->next_comparison) {
        directory_unmark();
        begin_pass(PHASE_ROWS, 0);
        return OK;
    }
    if (progress->is_asked && now >= progress->next_wide) {
        begin_pass(PHASE_DELETED, progress->read_at + (now - progress->read_monotonic) - WIDE_SECONDS * SECOND);
        return OK;
    }
    if (progress->is_asked && now >= progress->next_count) {
        return compare_counts(context); /* and then what it finds */
    }
    *milliseconds_r = IDLE_MILLISECONDS;
    return now - progress->read_monotonic >= IDLE_MILLISECONDS * 1000 ? catch_up(context, false) : OK;
}

static enum outcome work(struct context *context, int64_t now, int *milliseconds_r)
{
    const struct directory_progress *progress = directory_progress();
    *milliseconds_r = 0;
    if (progress->next_attempt > now) {
        *milliseconds_r = (int)((progress->next_attempt - now + 999) / 1000);
        return OK;
    }
    if (progress->phase != PHASE_NONE) {
        return step(context);
    }
    return directory_state() == DIRECTORY_READY ? keep(context, now, milliseconds_r) : begin_loading(context);
}

int directory_feed_upkeep(struct context *context)
{
    const int64_t now = clock_monotonic_microseconds();
    const struct problem problem = context->problem;
    int milliseconds;
    if (!directory_exists()) {
        return -1;
    }
    if (!directory_lock(0)) {
        return RETRY_MILLISECONDS;
    }
    if (work(context, now, &milliseconds) != OK) {
        directory_progress()->next_attempt = now + RETRY_MILLISECONDS * INT64_C(1000);
        milliseconds = RETRY_MILLISECONDS;
    }
    directory_unlock();
    context->problem = problem;
    return milliseconds;
}
