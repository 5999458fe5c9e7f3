/* validate.h: a body or a query and its schema → typed values, or a list of faults in the order of the fields. */
#ifndef ROSTER_WORKER_VALIDATE_H
#define ROSTER_WORKER_VALIDATE_H

#include "worker/request.h"

/* Reads, parses and checks what the route's schemas ask for, and sets request->input and request->query. */
enum outcome validate_request(struct request *request);

#endif
