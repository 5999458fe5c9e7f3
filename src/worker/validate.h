/* validate.h: validates a body or a query against its schema. The result is typed values, or a list of faults in the
 * order of the fields. */
#ifndef ROSTER_WORKER_VALIDATE_H
#define ROSTER_WORKER_VALIDATE_H

#include "worker/request.h"

/* Reads, parses and validates body and query by the schemas of the route: roster-api(7), BODIES AND QUERIES.
 * Sets request->input and request->query.
 * OK, or PROBLEM with VALIDATION_ERROR, BODY_PARSE_ERROR, BODY_INCOMPLETE or CONTENT_TOO_LARGE. */
enum outcome validate_request(struct request *request);

#endif
