/* factor_store.h: second factors: TOTP (RFC 6238), the codes for an emergency, and challenges: what somebody holds who
 * has shown the first factor, or has begun to change the second. All of it is in MariaDB, so it survives a restart of
 * any program, and holds for all hosts.
 *
 * Whatever takes a code counts the try first, in a transaction of its own, so no fault gives a try for nothing. */
#ifndef ROSTER_STORE_FACTOR_STORE_H
#define ROSTER_STORE_FACTOR_STORE_H

#include "store/factor_account.h"

/* What is known of an account before a session of it begins. */
struct factor_standing {
    enum factor_state state;
    int required;      /* bits */
    bool site_wants;   /* ENABLE_MFA */
    struct text stamp; /* auth.session_stamp; null: none */
};

/* Also takes over a second factor that was brought by an import (auth.mfa), if there is one. Of an unknown user:
 * nothing. */
enum outcome factor_store_standing(struct context *context, struct text user_id, struct factor_standing *standing_r);

/* ---- Challenges ---- */

enum factor_kind {
    FACTOR_ENROLL, /* at a sign-in, by who has no factor yet */
    FACTOR_VERIFY,
    FACTOR_RECOVER, /* the factor was reset */
    FACTOR_REPLACE, /* by who is signed in, and has given a code */
    FACTOR_CHOOSE,  /* by who is signed in and has no factor, but wants one */
    FACTOR_KINDS
};

/* A set of kinds. */
#define FACTOR_KIND(kind) (1U << (kind))
#define FACTOR_AT_SIGN_IN (FACTOR_KIND(FACTOR_ENROLL) | FACTOR_KIND(FACTOR_VERIFY) | FACTOR_KIND(FACTOR_RECOVER))
#define FACTOR_ENROLMENTS (FACTOR_KIND(FACTOR_ENROLL) | FACTOR_KIND(FACTOR_REPLACE) | FACTOR_KIND(FACTOR_CHOOSE))

struct factor_challenge {
    struct text token; /* ID.SECRET, which nobody but its owner has: the table has a hash */
    struct text user_id;
    enum factor_kind kind;
    struct text auth_method; /* of the sign-in */
    int64_t auth_time;       /* epoch seconds */
    struct text stamp;       /* auth.session_stamp at the beginning; null: none */
    bool is_known;           /* the sign-in came from a known client */
    int64_t expires_at;
    struct text secret; /* sealed, of the factor to be; null: none yet */
    int64_t tries;
};

/* Makes a challenge, with a token, for a sign-in whose password was right. What is set: user_id, kind, auth_method,
 * auth_time, stamp, is_known. It ends an older one. */
enum outcome factor_store_challenge(struct context *context, struct factor_challenge *challenge);

/* Finds the challenge of a token, whose kind is of the set. PROBLEM CHALLENGE_EXPIRED: there is none; all sessions of
 * the account have ended since; the account is disabled. */
enum outcome factor_store_find(struct context *context, struct text token, unsigned kinds,
                               struct factor_challenge *challenge_r);

/* The secret of an enrolment, in base32; it is made at the first call. PROBLEM CHALLENGE_EXPIRED. */
enum outcome factor_store_begin(struct context *context, struct factor_challenge *challenge, struct text *secret_r);

/* Ends an enrolment: the factor counts, all sessions and challenges end. `is_by_choice`: the person wants to be asked
 * for it from now on, whoever else wants that. codes_r: the codes for an emergency. challenge->stamp is that of the
 * account from now on. PROBLEM INVALID_CODE, CHALLENGE_EXPIRED, RATE_LIMIT_EXCEEDED. */
enum outcome factor_store_enrol(struct context *context, struct factor_challenge *challenge, struct text code,
                                bool is_by_choice, struct text codes_r[static FACTOR_CODES]);

/* Uses up a challenge to verify, with a code. The same problems. */
enum outcome factor_store_verify(struct context *context, struct factor_challenge *challenge, struct text code,
                                 bool is_recovery);

/* Makes a challenge to enrol of one to recover, with the reset token. PROBLEM INVALID_RESET_TOKEN, CHALLENGE_EXPIRED,
 * RATE_LIMIT_EXCEEDED. */
enum outcome factor_store_recover(struct context *context, struct factor_challenge *challenge, struct text reset_token);

/* ---- Changes by the person who is signed in ---- */

struct factor_change {
    struct text user_id;
    struct text code;
    bool is_recovery;
    struct text auth_method; /* of the session, for the challenge */
    int64_t auth_time;
};

/* With a code: a challenge to enrol anew. PROBLEM INVALID_CODE, RATE_LIMIT_EXCEEDED. */
enum outcome factor_store_replace(struct context *context, const struct factor_change *change,
                                  struct factor_challenge *challenge_r);

/* Without one, where there is no factor: a challenge to enrol. PROBLEM FACTOR_EXISTS. */
enum outcome factor_store_choose(struct context *context, const struct factor_change *change,
                                 struct factor_challenge *challenge_r);

/* With a code: new codes for an emergency; all sessions end. The same problems as factor_store_replace. */
enum outcome factor_store_renew_codes(struct context *context, const struct factor_change *change,
                                      struct text codes_r[static FACTOR_CODES]);

/* With a code: the factor goes, and is no longer wanted by choice; all sessions end. The same problems. */
enum outcome factor_store_remove(struct context *context, const struct factor_change *change);

/* ---- For administrators ---- */

struct factor_facts {
    struct factor_standing standing;
    bool has_secret;      /* false with FACTOR_PRESENT: only the codes for an emergency count */
    struct text key_id;   /* of the secret key that sealed it; null: none */
    int64_t enrolled_at;  /* -1: not known */
    int64_t last_used_at; /* the beginning of the last step that was used; -1: none */
    int64_t codes;        /* that are left */
};
enum outcome factor_store_facts(struct context *context, struct text user_id, struct factor_facts *facts_r);

/* What the owner is shown: whether there is a factor, and how many codes for an emergency are left. */
enum outcome factor_store_brief(struct context *context, struct text user_id, bool *present_r, int64_t *codes_r);

/* Takes the factor away: all sessions end, and a new factor needs *token_r. PROBLEM USER_NOT_FOUND. */
enum outcome factor_store_reset(struct context *context, struct text user_id, struct text *token_r);

/* Says whether an account needs a factor (FACTOR_BY_OPERATOR), or with false that it needs none, not even by choice.
 * Where that changes something, all sessions end. *changed_r. PROBLEM USER_NOT_FOUND. */
enum outcome factor_store_require(struct context *context, struct text user_id, bool is_required, bool *changed_r);

/* How many secrets each secret key has sealed: rows of its id and the number. */
enum outcome factor_store_by_key(struct context *context, struct result *counts_r);

/* Seals all secrets again that another key than the first has sealed. *left_r: how many could not be opened. */
enum outcome factor_store_reseal(struct context *context, size_t *left_r);

/* Deletes challenges that have expired; each call a few. */
enum outcome factor_store_clean(struct context *context);

#endif
