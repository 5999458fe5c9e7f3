#include "ctl/ctl.h"
#define STUB(name) int command_##name(struct invocation *i) { (void)i; return ctl_fail(EXIT_FAILED, "not yet"); }
STUB(user_list) STUB(user_show) STUB(user_set) STUB(user_role) STUB(user_delete) STUB(user_sessions) STUB(user_logout)
STUB(group_list) STUB(group_show) STUB(group_add) STUB(group_delete) STUB(group_add_member) STUB(group_remove_member)
STUB(key_list) STUB(key_add) STUB(key_delete) STUB(permissions_show) STUB(permissions_default) STUB(permissions_group)
STUB(status) STUB(top) STUB(doctor) STUB(token) STUB(nginx_check) STUB(manual) STUB(completion) STUB(help)
