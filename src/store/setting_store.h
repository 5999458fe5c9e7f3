/* setting_store.h: the settings as they are shown, and what may be stored in one: for the endpoints of
 * /auths/admin/config and `rosterctl settings'. */
#ifndef ROSTER_STORE_SETTING_STORE_H
#define ROSTER_STORE_SETTING_STORE_H

#include "store/config_store.h"

/* Shown instead of a stored password. Sent back, it leaves the stored one unchanged. */
extern const char setting_store_mask[];

/* Reads the stored document, to show it. The id of a default group that was deleted in another way than by
 * group_store_delete (SQL, an import) is empty in it, so that what is shown is accepted again.
 * Otherwise as config_store_read. */
enum outcome setting_store_read(struct context *context, json_object **document_r);

/* Whether a value, as config_store_get returns it, is shown as setting_store_mask. */
bool setting_store_is_masked(enum setting setting, json_object *value);

/* Checks a new text, beyond what its type demands: its length, that the group exists, that the lifetime is one.
 * The stored text is always valid, since an imported one may be longer.
 * PROBLEM VALIDATION_ERROR, with a fault of the setting's key. FAULT as config_store_read. */
enum outcome setting_store_check(struct context *context, enum setting setting, struct text text);

/* Checks a new value of the right type that is no text. As setting_store_check. */
enum outcome setting_store_check_value(struct context *context, enum setting setting, json_object *value);

#endif
