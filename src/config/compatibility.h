/* compatibility.h: what the directive compatibility decides: which fields there are (the column `since` of the tables),
 * and the rows of behaviours.def. */
#ifndef ROSTER_CONFIG_COMPATIBILITY_H
#define ROSTER_CONFIG_COMPATIBILITY_H

#include "config/config.h"

/* The value with which everything is shown. */
#define COMPATIBILITY_NEWEST COMPATIBILITY_0_12

/* Whether a field, a key or a setting that is there since a release is shown. */
static inline bool config_has(const struct config *config, enum compatibility since)
{
    return config->compatibility >= since;
}

enum behaviour {
#define BEHAVIOUR(name, since, text) BEHAVIOUR_##name,
#include "tables/behaviours.def"
    BEHAVIOUR_COUNT
};

struct behaviour_row {
    enum compatibility since;
    const char *text;
};

/* In the order of the table. */
extern const struct behaviour_row behaviour_rows[BEHAVIOUR_COUNT];

static inline bool config_behaves(const struct config *config, enum behaviour behaviour)
{
    return config_has(config, behaviour_rows[behaviour].since);
}

#endif
