/* table_hash.h: the hash of names in the shared tables. It is keyed, so that nobody outside can choose names that
 * meet. */
#ifndef ROSTER_STORE_TABLE_HASH_H
#define ROSTER_STORE_TABLE_HASH_H

#include <stdint.h>

#include "base/text.h"

/* Chooses the key. Called by the master before the first fork: all processes then have the same one. */
void table_hash_init(void);

/* Never 0. */
uint64_t table_hash(struct text name);

#endif
