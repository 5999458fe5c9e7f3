/* edit_distance.h: the distance between a typed name and a known one, for "did you mean". */
#ifndef ROSTER_BASE_EDIT_DISTANCE_H
#define ROSTER_BASE_EDIT_DISTANCE_H

#include <limits.h>

#include "base/text.h"

/* The maximum length of a name in bytes. */
enum { EDIT_DISTANCE_LENGTH_MAX = 48 };

/* The number of bytes to insert, remove, replace, or swap with their neighbour, to turn one name into the other
 * (optimal string alignment).
 * Case matters.
 * UINT_MAX where a name is longer than EDIT_DISTANCE_LENGTH_MAX. */
unsigned edit_distance(struct text left, struct text right);

#endif
