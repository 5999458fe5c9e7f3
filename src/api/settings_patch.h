/* settings_patch.h: a change of a user's settings: whole members, or, with SETTINGS_PATCH of behaviours.def, single
 * members of `ui`. See roster-api(7), Merging documents. */
#ifndef ROSTER_API_SETTINGS_PATCH_H
#define ROSTER_API_SETTINGS_PATCH_H

#include "worker/request.h"

/* Takes out of a body what the caller may not change, and stores the rest. *whole_r: all settings, as they are stored.
 * Otherwise as document_store_merge. */
enum outcome settings_patch_store(struct request *request, struct text *whole_r);

/* Lays a user's settings, as they are stored, over DEFAULT_INTERFACE_SETTINGS, where they are shown so. `stored`: the
 * null text where there are none. *shown_r: settings, or the null text. OK, or FAULT of the store. */
enum outcome settings_patch_show(struct request *request, struct text stored, struct text *shown_r);

#endif
