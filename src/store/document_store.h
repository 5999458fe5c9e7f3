/* document_store.h: the JSON documents of a user: info, settings, oauth. */
#ifndef ROSTER_STORE_DOCUMENT_STORE_H
#define ROSTER_STORE_DOCUMENT_STORE_H

#include "base/json_text.h"
#include "store/rows.h"

/* True where no document is left out of a row of USER_COLUMNS: document_store_complete would return the row. */
bool document_store_is_complete(const struct value *row);

/* Reads the documents that lists leave out of a row of USER_COLUMNS (see columns.def). Returns a copy of the row with
 * them, in the arena.
 * A document that exceeds request_memory_limit, or can't be read, is null, and logged: a list must not fail because of
 * one row. */
const struct value *document_store_complete(struct context *context, const struct value *row);

/* Reads a document as it is stored. `column`: USER_info, USER_settings or USER_oauth. NULL gives the null text.
 * PROBLEM USER_NOT_FOUND. */
enum outcome document_store_get(struct context *context, struct text user_id, enum user_column column,
                                struct text *json_r);

/* Replaces top-level members of a stored object by `members`, in one transaction: what other clients change at the same
 * time is not lost. Other members stay as they are stored.
 * `ui`: members of the member `ui` that are replaced, each; those that are null are removed. NULL: none. *json_r: the
 * whole document. PROBLEM CONTENT_TOO_LARGE: the whole exceeds document_size_limit. FAULT, INTERNAL_ERROR: the stored
 * document is invalid; then nothing is changed. */
enum outcome document_store_merge(struct context *context, struct text user_id, enum user_column column,
                                  const struct json_members *members, const struct json_members *ui,
                                  struct text *json_r);

/* Settings in the form of answers, which always have the member `ui`. `settings`: JSON.
 * The result is in the arena; null: `settings` is no object. */
struct text document_store_settings(struct arena *arena, struct text settings);

#endif
