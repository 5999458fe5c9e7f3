/* ctl_openapi.c: rosterctl openapi. */
#include "worker/openapi.h"

#include "ctl/ctl.h"

int command_openapi(struct invocation *invocation)
{
    ctl_print_json(invocation, openapi_document(invocation->context.arena, ctl_option(invocation, OPTION_server)));
    return EXIT_DONE;
}
