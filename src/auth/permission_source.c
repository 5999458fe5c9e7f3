#include "auth/permission_source.h"

#include "auth/permission.h"
#include "base/json.h"
#include "base/json_text.h"
#include "config/config.h"

/* A source, and what it has at the place that is looked at; NULL: nothing. */
struct source {
    struct text name;
    json_object *value;
};

struct sources {
    struct source *items;
    size_t count;
};

static json_object *describe_boolean(json_object *value, const struct sources *sources)
{
    json_object *described = json_object_new_object();
    json_object *from = json_object_new_array();
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = &sources->items[i];
        if (json_object_get_type(source->value) == json_type_boolean &&
            json_object_get_boolean(source->value) == json_object_get_boolean(value)) {
            json_object_array_add(from, json_object_new_string_len(source->name.data, (int)source->name.length));
        }
    }
    json_object_object_add(described, "value", json_object_get(value));
    json_object_object_add(described, "from", from);
    return described;
}

/* A new object. */
static json_object *describe(struct arena *arena, json_object *permissions, const struct sources *sources)
{
    if (json_object_get_type(permissions) != json_type_object) {
        return describe_boolean(permissions, sources);
    }
    json_object *described = json_object_new_object();
    struct sources below = {arena_zero(arena, sources->count, sizeof *below.items), sources->count};
    json_object_object_foreach(permissions, key, value)
    {
        for (size_t i = 0; i < sources->count; i++) {
            json_object *whole = sources->items[i].value;
            below.items[i] = (struct source){sources->items[i].name, NULL};
            if (json_object_get_type(whole) == json_type_object) {
                json_object_object_get_ex(whole, key, &below.items[i].value);
            }
        }
        json_object_object_add(described, key, describe(arena, value, &below));
    }
    return described;
}

enum outcome permission_source_of_user(struct context *context, struct text user_id, json_object **sources_r)
{
    struct permission_sources read;
    enum outcome outcome = permission_read_sources(context, user_id, &read);
    if (outcome != OK) {
        return outcome;
    }
    const size_t count = read.group_count + 1;
    struct sources sources = {arena_zero(context->arena, count, sizeof *sources.items), count};
    /* with what is filled in where the stored ones lack a key */
    sources.items[0] =
        (struct source){TEXT(PERMISSION_SOURCE_DEFAULT),
                        permission_combine(context, read.defaults, NULL, 0, context->config->compatibility)};
    for (size_t i = 1; i < count; i++) {
        sources.items[i].name = result_row(&read.rows, i)[1].text;
        json_text_parse(context->arena, read.groups[i - 1], &sources.items[i].value);
    }
    json_object *permissions =
        permission_combine(context, read.defaults, read.groups, read.group_count, context->config->compatibility);
    *sources_r = json_keep(context->arena, describe(context->arena, permissions, &sources));
    return OK;
}
