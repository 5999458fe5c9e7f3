/* ctl_openapi.c: rosterctl openapi. */
#include "worker/openapi.h"

#include "ctl/ctl.h"

int command_openapi(struct invocation *invocation)
{
    const char *server = ctl_option(invocation, OPTION_server);
    ctl_print_json(invocation, openapi_document(invocation->context.arena, server, ctl_compatibility(invocation)));
    return EXIT_DONE;
}
