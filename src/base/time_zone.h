/* time_zone.h: the names of the IANA time zone database. */
#ifndef ROSTER_BASE_TIME_ZONE_H
#define ROSTER_BASE_TIME_ZONE_H

#include <stdbool.h>

#include "base/text.h"

/* True where `name` is a name of the database, even if this machine does not have it.
 * Old names (the file `backward') are included.
 * A name of a newer database is accepted if this machine has that zone.
 * `localtime', `posixrules' and files in `right' and `posix' are not names.
 * Case matters. */
bool time_zone_is_name(struct text name);

#endif
