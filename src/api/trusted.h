/* trusted.h: signs in users whom a trusted proxy has authenticated, by header fields. */
#ifndef ROSTER_API_TRUSTED_H
#define ROSTER_API_TRUSTED_H

#include "worker/request.h"

/* Signs in the user that the trusted header field names, creates the account where it is missing, and sets its groups:
 * roster-api(7), Trusted header fields.
 * OK, FAULT, or PROBLEM with INVALID_TRUSTED_HEADER, INVALID_EMAIL_FORMAT, INVALID_CRED, EMAIL_TAKEN or
 * ACCESS_PROHIBITED. */
enum outcome trusted_sign_in(struct request *request);

#endif
