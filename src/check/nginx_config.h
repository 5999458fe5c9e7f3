/* nginx_config.h: nginx's configuration as a tree, from what `nginx -T` prints: each file, one after the other, behind
 * a line `# configuration file PATH:`. */
#ifndef ROSTER_CHECK_NGINX_CONFIG_H
#define ROSTER_CHECK_NGINX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/text.h"

struct arena;

/* A directive. What a file that it includes has stands in its place. */
struct nginx_directive {
    const char *file; /* where it stands */
    unsigned line;
    const char **words; /* its name and parameters, without quotes */
    size_t word_count;
    struct nginx_directive *children; /* of a block, in order; NULL: none */
    struct nginx_directive *next;
    bool is_block;
};

/* Reads what `nginx -T` printed, into the arena. Lines in front of the first file are nginx's messages.
 * NULL, with the reason, where it is nothing of the kind. */
struct nginx_directive *nginx_config_read(struct arena *arena, struct text dump, struct error *error);

/* The units of nginx's sizes, for quantity.h with QUANTITY_ANY_CASE. */
extern const struct unit nginx_config_sizes[];

/* The name of a directive is this one. */
bool nginx_config_is(const struct nginx_directive *directive, const char *name);

/* Its word at `index`; "" where it has not so many. */
const char *nginx_config_word(const struct nginx_directive *directive, size_t index);

/* The last directive of this name among siblings; NULL where there is none. */
const struct nginx_directive *nginx_config_find(const struct nginx_directive *first, const char *name);

#endif
