/* limit.h: the stage that applies rate limits: roster-api(7), LIMITS. */
#ifndef ROSTER_WORKER_LIMIT_H
#define ROSTER_WORKER_LIMIT_H

#include "worker/request.h"

/* Counts the request against the limits of its route, unless another worker has counted it (admission.h).
 * Sets request->admission.is_known: for a sign-in, whether its device or its address is known to the account.
 * OK, or PROBLEM with RATE_LIMIT_EXCEEDED. */
enum outcome limit_request(struct request *request);

/* Counts a mail with a link to the email address of the body. False: there were enough. */
bool limit_link_mail(struct request *request);

/* After a sign-in that succeeds: takes back its count as a failed one. */
void limit_sign_in_succeeded(struct request *request);

/* The email address of a sign-in request, folded (email.h): from the trusted header where one is configured, else from
 * the body. In the arena. */
struct text limit_sign_in_email(struct request *request);

/* The effective value of rate_limit_sign_in_address. 0 in the configuration: it is computed from the number of workers
 * of [password] and the cost of a hash. */
int64_t limit_sign_in_address(const struct config *config);

#endif
