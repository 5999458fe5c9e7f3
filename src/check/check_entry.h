/* check_entry.h: tries to get into a protected page without being allowed to. */
#ifndef ROSTER_CHECK_CHECK_ENTRY_H
#define ROSTER_CHECK_CHECK_ENTRY_H

#include "base/context.h"
#include "check/findings.h"

/* Sends requests to the page at `url`, about a hundred: with header fields that claim an identity, with tokens that are
 * expired, of another signer, of nobody and of a disabled account, and with other spellings of the path. Nothing that
 * it sends lets anyone in at a sound site. MariaDB must be open, and the secrets loaded. */
void check_entry(struct context *context, const char *url, struct findings *findings);

#endif
