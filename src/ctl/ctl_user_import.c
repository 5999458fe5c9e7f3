/* ctl_user_import.c: rosterctl user import: accounts from CSV and htpasswd files. All lines are judged first; then all
 * accounts are created, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/array.h"
#include "base/email.h"
#include "base/time_zone.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/input.h"
#include "ctl/sheet.h"
#include "import/people.h"
#include "store/account_store.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "store/user_store.h"
#include "worker/scalar.h"

/* A line, and what becomes of it. */
struct candidate {
    const struct person *person;
    struct account_new account;
    struct text password; /* to be hashed; null: none */
    bool is_one_time;     /* the password was generated, and is to be printed */
    bool exists;          /* an account has this address already */
    const char *fault;    /* why nothing is imported; NULL: the line is good */
};

struct intake {
    struct invocation *invocation;
    const char *name; /* of the file, for messages */
    struct people people;
    struct candidate *candidates;
    struct result groups;
    struct text default_group_id, group_id; /* that of --group; null: none */
};

static struct text value_of(const struct candidate *candidate, enum people_column column)
{
    return candidate->person->values[column];
}

/* ---- judging a line ---- */

static const char *problem_words(struct context *context)
{
    const char *words = ctl_problem_words(context);
    context->problem = (struct problem){.code = ERROR_NONE};
    return words;
}

/* The address: that of the line, or a name of htpasswd with --domain. FAULT as the store. */
static enum outcome take_email(struct intake *intake, struct candidate *candidate)
{
    struct context *context = &intake->invocation->context;
    const char *domain = ctl_option(intake->invocation, OPTION_domain);
    struct text email = value_of(candidate, PEOPLE_email);
    if (email.data == NULL) {
        candidate->fault = "there is no email address";
        return OK;
    }
    if (memchr(email.data, '@', email.length) == NULL) {
        if (domain == NULL) {
            candidate->fault =
                text_format(context->arena,
                            "`%s' is not an email address; --domain example.org makes it %s@example.org",
                            sheet_clean(context->arena, email).data, sheet_clean(context->arena, email).data)
                    .data;
            return OK;
        }
        email = text_format(context->arena, "%s@%s", email.data, domain);
    }
    enum outcome outcome = account_store_take_email(context, email, TEXT_NULL, TEXT_NULL, &candidate->account.email);
    if (outcome == PROBLEM) {
        candidate->exists = context->problem.code == ERROR_EMAIL_TAKEN;
        const char *words = problem_words(context);
        candidate->fault =
            candidate->exists
                ? NULL
                : text_format(context->arena, "`%s': %s", sheet_clean(context->arena, email).data, words).data;
        outcome = OK;
    }
    return outcome;
}

static const char *take_name(struct candidate *candidate)
{
    candidate->account.name = value_of(candidate, PEOPLE_name);
    if (candidate->account.name.data == NULL) {
        return "there is no name";
    }
    return find_is_name(candidate->account.name, 255)
               ? NULL
               : "the name has more than 255 characters, or control or formatting characters";
}

static const char *take_role(struct intake *intake, struct candidate *candidate)
{
    const char *typed = ctl_option(intake->invocation, OPTION_role);
    struct text role = value_of(candidate, PEOPLE_role);
    candidate->account.role = role.data != NULL ? role : text_of(typed);
    if (candidate->account.role.data == NULL) {
        return "there is no role: add a column role, or --role";
    }
    return text_is(candidate->account.role, "pending") || text_is(candidate->account.role, "user") ||
                   text_is(candidate->account.role, "admin")
               ? NULL
               : text_format(intake->invocation->context.arena, "`%s' is not a role: use pending, user or admin",
                             sheet_clean(intake->invocation->context.arena, role).data)
                     .data;
}

/* Checks a password, or its hash; the password itself is hashed later. */
static const char *take_password(struct intake *intake, struct candidate *candidate)
{
    struct context *context = &intake->invocation->context;
    struct text password = value_of(candidate, PEOPLE_password), hash = value_of(candidate, PEOPLE_password_hash);
    if (password.data != NULL && hash.data != NULL) {
        return "there are both a password and a hash";
    }
    if (hash.data != NULL) {
        const char *fault = password_judge_hash(context, hash);
        candidate->account.password_hash = hash;
        return fault != NULL ? text_format(context->arena, "the password is %s", fault).data : NULL;
    }
    if (password.data != NULL) {
        candidate->password = password;
        return password_check_rules(context, password, candidate->account.email, candidate->account.name) != OK
                   ? problem_words(context)
                   : NULL;
    }
    candidate->is_one_time = ctl_has_option(intake->invocation, OPTION_one_time_password);
    return candidate->is_one_time || ctl_has_option(intake->invocation, OPTION_no_password)
               ? NULL
               : "there is no password: add a column password or password_hash, --one-time-password or --no-password";
}

static const struct value *find_named(const struct result *groups, struct text typed, size_t *named_r)
{
    const struct value *found = NULL;
    *named_r = 0;
    for (size_t i = 0; i < groups->row_count; i++) {
        const struct value *group = result_row(groups, i);
        if (text_equal(group[GROUP_id].text, typed)) {
            *named_r = 1;
            return group;
        }
        if (text_equal(group[GROUP_name].text, typed)) {
            found = group;
            ++*named_r;
        }
    }
    return found;
}

/* "Staff; Sales", and that of --group. */
static const char *take_groups(struct intake *intake, struct candidate *candidate)
{
    struct arena *arena = intake->invocation->context.arena;
    struct text list = value_of(candidate, PEOPLE_groups);
    struct text *ids = arena_zero(arena, list.length / 2 + 2, sizeof *ids);
    size_t count = 0;
    while (list.length > 0) {
        struct text typed = text_trim_unicode(text_take(&list, ';'));
        size_t named;
        const struct value *group = find_named(&intake->groups, typed, &named);
        if (typed.length > 0 && named != 1) {
            const char *shown = sheet_clean(arena, typed).data;
            return named == 0 ? text_format(arena, "there is no group `%s'", shown).data
                              : text_format(arena, "%zu groups have the name `%s': give the id", named, shown).data;
        }
        if (typed.length > 0) {
            ids[count++] = group[GROUP_id].text;
        }
    }
    if (intake->group_id.data != NULL) {
        ids[count++] = intake->group_id;
    }
    candidate->account.group_ids = ids;
    candidate->account.group_count = count;
    return NULL;
}

static const char *take_rest(struct candidate *candidate)
{
    struct text disabled = value_of(candidate, PEOPLE_disabled);
    candidate->account.timezone = value_of(candidate, PEOPLE_timezone);
    if (candidate->account.timezone.data != NULL && !time_zone_is_name(candidate->account.timezone)) {
        return "the time zone is no name of the IANA time zone database";
    }
    return disabled.data != NULL && scalar_read_boolean(disabled, &candidate->account.is_disabled) != FAULT_NONE
               ? "disabled must be yes or no"
               : NULL;
}

static enum outcome judge(struct intake *intake, struct candidate *candidate)
{
    candidate->fault = candidate->person->fault;
    enum outcome outcome = candidate->fault == NULL ? take_email(intake, candidate) : OK;
    if (outcome == OK && candidate->fault == NULL) {
        candidate->fault = take_name(candidate);
    }
    if (outcome == OK && candidate->fault == NULL) {
        candidate->fault = take_role(intake, candidate);
    }
    if (outcome == OK && candidate->fault == NULL && !candidate->exists) {
        candidate->fault = take_password(intake, candidate);
    }
    if (outcome == OK && candidate->fault == NULL) {
        candidate->fault = take_groups(intake, candidate);
    }
    if (outcome == OK && candidate->fault == NULL) {
        candidate->fault = take_rest(candidate);
    }
    candidate->account.group_id = intake->default_group_id;
    candidate->account.must_change = candidate->is_one_time || ctl_has_option(intake->invocation, OPTION_must_change);
    return outcome;
}

/* ---- judging the file ---- */

static int compare_addresses(const void *left, const void *right)
{
    const struct candidate *const *first = left, *const *second = right;
    int order = text_compare((*first)->account.email, (*second)->account.email);
    return order != 0 ? order : (*first)->person->line < (*second)->person->line ? -1 : 1;
}

/* An address that two lines have is a fault of the later one. */
static void find_doubles(struct intake *intake)
{
    struct arena *arena = intake->invocation->context.arena;
    const size_t count = intake->people.count;
    struct candidate **sorted = arena_zero(arena, count, sizeof *sorted);
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        if (intake->candidates[i].account.email.data != NULL) {
            sorted[good++] = &intake->candidates[i];
        }
    }
    qsort(sorted, good, sizeof(struct candidate *), compare_addresses);
    for (size_t i = 1; i < good; i++) {
        if (text_equal(sorted[i]->account.email, sorted[i - 1]->account.email) && sorted[i]->fault == NULL) {
            sorted[i]->fault =
                text_format(arena, "line %zu has the same email address", sorted[i - 1]->person->line).data;
        }
    }
}

/* Prints the faults, and gives the number of the lines that have one. Lines in a row with the same fault are one
 * message: a column that is missing is a fault of all lines. */
static size_t print_faults(const struct intake *intake)
{
    const struct candidate *candidates = intake->candidates;
    size_t faults = 0, next;
    for (size_t first = 0; first < intake->people.count; first = next) {
        const char *fault = candidates[first].fault;
        for (next = first + 1; fault != NULL && next < intake->people.count && candidates[next].fault != NULL &&
                               strcmp(candidates[next].fault, fault) == 0;
             next++) {
        }
        if (fault == NULL) {
            continue;
        }
        char range[24] = "";
        if (next - first > 1) {
            snprintf(range, sizeof range, "-%zu", candidates[next - 1].person->line);
        }
        ctl_fail(EXIT_REFUSED, "%s:%zu%s: %s", intake->name, candidates[first].person->line, range, fault);
        faults += next - first;
    }
    return faults;
}

static int judge_all(struct intake *intake)
{
    struct invocation *invocation = intake->invocation;
    const struct people *people = &intake->people;
    intake->candidates = arena_zero(invocation->context.arena, people->count, sizeof *intake->candidates);
    for (size_t i = 0; i < people->count; i++) {
        intake->candidates[i].person = &people->items[i];
        if (judge(intake, &intake->candidates[i]) != OK) {
            return ctl_problem(invocation, intake->name);
        }
    }
    find_doubles(intake);
    size_t faults = print_faults(intake);
    return faults == 0 ? EXIT_DONE
                       : ctl_fail(EXIT_REFUSED, "%s can't be imported; nothing was done",
                                  find_count(invocation, faults, "line"));
}

/* ---- the import ---- */

/* A hash takes a tenth of a second: on a terminal it tells how far it is. */
static void show_progress(const struct invocation *invocation, size_t done, size_t all)
{
    if (!invocation->quiet && !invocation->json && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\rHashing passwords: %zu of %zu%s", done, all, done == all ? "\n" : "");
    }
}

static int hash_passwords(struct intake *intake)
{
    struct invocation *invocation = intake->invocation;
    size_t all = 0, done = 0;
    for (size_t i = 0; i < intake->people.count; i++) {
        const struct candidate *candidate = &intake->candidates[i];
        all += !candidate->exists && (candidate->password.data != NULL || candidate->is_one_time);
    }
    for (size_t i = 0; i < intake->people.count; i++) {
        struct candidate *candidate = &intake->candidates[i];
        struct account_new *account = &candidate->account;
        int status = EXIT_DONE;
        if (candidate->exists || (candidate->password.data == NULL && !candidate->is_one_time)) {
            continue;
        }
        if (candidate->is_one_time) {
            status = ask_random_password(invocation, account->email, account->name, &candidate->password);
        }
        if (status == EXIT_DONE &&
            password_hash(&invocation->context, candidate->password, &account->password_hash) != OK) {
            status = ctl_problem(invocation, "a password");
        }
        if (status != EXIT_DONE) {
            return status;
        }
        show_progress(invocation, ++done, all);
    }
    return EXIT_DONE;
}

static int create(struct intake *intake, size_t *created_r)
{
    struct invocation *invocation = intake->invocation;
    const size_t count = intake->people.count;
    struct account_new *accounts = arena_zero(invocation->context.arena, count, sizeof *accounts);
    struct candidate **sources = arena_zero(invocation->context.arena, count, sizeof *sources);
    size_t fresh = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (!intake->candidates[i].exists) {
            sources[fresh] = &intake->candidates[i];
            accounts[fresh++] = intake->candidates[i].account;
        }
    }
    *created_r = fresh;
    if (fresh > 0 && account_store_add_all(&invocation->context, accounts, fresh, &failed) != OK) {
        struct arena *arena = invocation->context.arena;
        ctl_problem(invocation, text_format(arena, "%s:%zu", intake->name, sources[failed]->person->line).data);
        return ctl_fail(EXIT_REFUSED, "nothing was done");
    }
    for (size_t i = 0; i < fresh; i++) {
        sources[i]->account = accounts[i];
    }
    return EXIT_DONE;
}

static void report(struct intake *intake, bool is_dry)
{
    static const struct sheet_column columns[] = {
        {"id", NULL, SHEET_TEXT},
        {"line", "LINE", SHEET_INTEGER},
        {"email", "EMAIL", SHEET_TEXT},
        {"name", "NAME", SHEET_TEXT},
        {"role", "ROLE", SHEET_TEXT},
        {"result", "RESULT", SHEET_TEXT},
        {"password", "ONE-TIME PASSWORD", SHEET_TEXT},
    };
    struct invocation *invocation = intake->invocation;
    struct sheet sheet;
    bool has_passwords = ctl_has_option(invocation, OPTION_one_time_password) && !is_dry;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns) - !has_passwords);
    for (size_t i = 0; i < intake->people.count; i++) {
        const struct candidate *candidate = &intake->candidates[i];
        if (candidate->exists && invocation->quiet) {
            continue;
        }
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_text(candidate->account.id);
        row[1] = sheet_integer((int64_t)candidate->person->line);
        row[2] = sheet_text(candidate->account.email);
        row[3] = sheet_text(candidate->account.name);
        row[4] = sheet_text(candidate->account.role);
        row[5] = sheet_text(candidate->exists ? TEXT("exists") : is_dry ? TEXT("new") : TEXT("created"));
        if (has_passwords && candidate->is_one_time) {
            row[6] = sheet_text(candidate->password);
        }
    }
    sheet_print(invocation, &sheet);
}

static void say_end(struct intake *intake, size_t created, bool is_dry)
{
    struct invocation *invocation = intake->invocation;
    size_t existing = intake->people.count - created;
    ctl_say_aside(invocation, is_dry ? "%s would be created%s%s. Nothing was done." : "%s created%s%s.",
                  find_count(invocation, created, "account"), existing > 0 ? "; " : "",
                  existing > 0 ? text_format(invocation->context.arena, "%zu exist%s already, and stay%s as %s",
                                             existing, existing == 1 ? "s" : "", existing == 1 ? "s" : "",
                                             existing == 1 ? "it is" : "they are")
                                     .data
                               : "");
}

/* What the lines refer to: groups, and that there is an administrator, as the first account would become one. */
static int prepare(struct intake *intake)
{
    struct invocation *invocation = intake->invocation;
    struct context *context = &invocation->context;
    const char *group_name = ctl_option(invocation, OPTION_group);
    struct text primary;
    json_object *document;
    if (user_store_primary(context, &primary) != OK || config_store_read(context, &document) != OK ||
        group_store_list(context, TEXT_NULL, -1, &intake->groups) != OK) {
        return ctl_problem(invocation, "the accounts");
    }
    if (primary.data == NULL) {
        return ctl_fail(EXIT_REFUSED, "there are no accounts yet, and the first one is an administrator's: create it "
                                      "with `rosterctl user add'");
    }
    intake->default_group_id = config_store_text(context, document, SETTING_DEFAULT_GROUP_ID);
    const struct value *group = NULL;
    int status = group_name != NULL ? find_group(invocation, group_name, &group) : EXIT_DONE;
    intake->group_id = group != NULL ? group[GROUP_id].text : TEXT_NULL;
    return status;
}

static int read_people(struct intake *intake)
{
    struct invocation *invocation = intake->invocation;
    const char *path = ctl_argument(invocation, 0);
    const char *format = ctl_option(invocation, OPTION_format);
    struct text content;
    struct error error;
    int status = input_read(invocation, path, &content);
    intake->name = input_name(path);
    if (status == EXIT_DONE && !people_read(&invocation->context, content,
                                            format == NULL               ? PEOPLE_AUTO
                                            : strcmp(format, "csv") == 0 ? PEOPLE_CSV
                                                                         : PEOPLE_HTPASSWD,
                                            &intake->people, &error)) {
        return ctl_fail(EXIT_REFUSED, "%s:%s%s", intake->name, error.text[0] >= '0' && error.text[0] <= '9' ? "" : " ",
                        error.text);
    }
    return status;
}

int command_user_import(struct invocation *invocation)
{
    struct intake intake = {.invocation = invocation};
    bool is_dry = ctl_has_option(invocation, OPTION_dry_run);
    size_t created = 0;
    if (ctl_has_option(invocation, OPTION_no_password) && ctl_has_option(invocation, OPTION_one_time_password)) {
        return ctl_fail(EXIT_USAGE, "--no-password and --one-time-password can't be used together");
    }
    int status = read_people(&intake);
    status = status == EXIT_DONE ? ctl_open_store(invocation) : status;
    status = status == EXIT_DONE ? prepare(&intake) : status;
    status = status == EXIT_DONE ? judge_all(&intake) : status;
    if (status == EXIT_DONE && !is_dry) {
        status = hash_passwords(&intake);
        status = status == EXIT_DONE ? create(&intake, &created) : status;
    }
    if (status != EXIT_DONE) {
        return status;
    }
    for (size_t i = 0; is_dry && i < intake.people.count; i++) {
        created += !intake.candidates[i].exists;
    }
    report(&intake, is_dry);
    if (intake.people.unknown.length > 0) {
        ctl_say_aside(invocation, "Note: these columns are not used: %s.",
                      sheet_clean(invocation->context.arena, intake.people.unknown).data);
    }
    say_end(&intake, created, is_dry);
    return EXIT_DONE;
}
