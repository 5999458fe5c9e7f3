#include "config/compatibility.h"

const struct behaviour_row behaviour_rows[BEHAVIOUR_COUNT] = {
#define BEHAVIOUR(name, since, text) [BEHAVIOUR_##name] = {COMPATIBILITY_##since, text},
#include "tables/behaviours.def"
};
