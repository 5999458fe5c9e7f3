/* key_access.h: whose an API key is, and what it may be used for. */
#ifndef ROSTER_AUTH_KEY_ACCESS_H
#define ROSTER_AUTH_KEY_ACCESS_H

#include "store/key_store.h"

struct key_access {
    struct key_owner owner;
    bool is_granted;     /* the settings have API keys on, and the owner has the permission */
    struct text allowed; /* the paths that the settings allow, separated by commas; null: all */
};

/* Finds a key; it may come from the identity table. access_r->owner.found is false for an unknown one. Of one that has
 * expired, or whose owner is disabled, only the owner is told.
 * OK, or FAULT of the store. */
enum outcome key_access_find(struct context *context, struct text key, struct key_access *access_r);

#endif
