/* audit_store.h: who did what to whom, written in the transaction that does it.
 *
 * A store notes what it changes (audit_store_note), within the transaction; all that was noted is inserted by one
 * statement before the commit, so neither is without the other, and logged (audit_log) behind it. The caller says once
 * who acts (context->actor). Chaining is for the housekeeper: audit_chain.h.
 *
 * Neither column ever has a password, a key, a token, or a hash of one. */
#ifndef ROSTER_STORE_AUDIT_STORE_H
#define ROSTER_STORE_AUDIT_STORE_H

#include "store/audit_record.h"

enum audit_action {
#define AUDIT_ACTION(name, object, text) AUDIT_##name,
#include "tables/audit.def"
    AUDIT_ACTION_COUNT
};

struct audit_action_row {
    const char *name, *object, *text;
};
extern const struct audit_action_row audit_actions[AUDIT_ACTION_COUNT];

/* Who acts. */
struct audit_actor {
    struct text user_id;             /* null: nobody who is signed in */
    struct text session_jti, key_id; /* how: one of them */
    struct text system_user;         /* who typed a command of rosterctl; else null */
    struct text through;             /* the name of the route, or "rosterctl user add" */
};

struct audit_note {
    enum audit_action action;
    struct text subject_id; /* the person concerned; null: none */
    struct text object;     /* see audit.def; null: none */
    struct text detail;     /* a JSON object; null: none. Nothing personal, nor what a client may make long */
    struct text personal;   /* a JSON object of what an erasure empties, as an email address; null: none */
    bool by_subject;        /* where nobody is signed in, the subject acts: a sign-in, a sign-up */
};

/* Within a transaction: notes what it does. The texts must stay valid until its end. */
void audit_store_note(struct context *context, const struct audit_note *note);

/* Runs one statement that must change a row, as database_change_row, in a transaction that also writes `note`.
 * database_concerns stands before it. */
enum outcome audit_store_change_row(struct context *context, const struct audit_note *note, const char *sql,
                                    const struct parameter *parameters, size_t parameter_count,
                                    enum error_code on_none);

/* Writes a note of what is no change in MariaDB, as a file that was written. */
enum outcome audit_store_write(struct context *context, const struct audit_note *note);

/* Writes that a sign-in, or a change of a password, was refused (`action`), with the reason, where it is among the
 * first audit_refusals of a minute; else counts it, and the next one that is written tells how many were left out.
 * `email`: as it was sent; null: not told; user_id null: no account has it. Changes no problem, and fails silently, as
 * the refusal stands anyway. */
void audit_store_refuse(struct context *context, enum audit_action action, struct text user_id, struct text email,
                        const char *reason);

/* Writes how many refusals of an earlier minute were left out, if any. Called by the housekeeper. */
void audit_store_write_omitted(struct context *context);

/* What stands for an email address where the address itself must not: "hmac:" and digits, the same for one address in
 * any spelling that an account may have. In the arena. */
struct text audit_store_pseudonym(struct context *context, struct text email);

/* {"NAME": {"from": FROM, "to": TO}}, in the arena: the detail of a change. */
struct text audit_store_from_to(struct arena *arena, const char *name, struct text from, struct text to);

/* {"NAME": TEXT} */
struct text audit_store_member(struct arena *arena, const char *name, struct text text);

/* The name of this host in the audit. */
struct text audit_store_host(const struct context *context);

/* Which rows. A null text, and -1: any. */
struct audit_filter {
    struct text actor_id; /* or the system user */
    struct text subject_id;
    struct text person_id; /* the one or the other */
    struct text action, address;
    int64_t since, until; /* epoch seconds; both inclusive */
    int64_t before;       /* the id of a row: only older ones */
};

/* Columns behind AUDIT_COLUMNS in rows of audit_store_list: the present names and addresses; NULL: no such person. */
enum audit_shown {
    AUDIT_SHOWN_actor_email = AUDIT_COLUMN_COUNT,
    AUDIT_SHOWN_actor_name,
    AUDIT_SHOWN_subject_email,
    AUDIT_SHOWN_subject_name,
    AUDIT_SHOWN_COUNT
};

/* At most `limit` rows, newest first. */
enum outcome audit_store_list(struct context *context, const struct audit_filter *filter, int64_t limit,
                              struct result *rows_r);

/* All rows, oldest first, with AUDIT_COLUMNS: see database_stream. */
enum outcome audit_store_each(struct context *context,
                              enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                              void *argument);

#endif
