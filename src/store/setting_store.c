#include "store/setting_store.h"

#include "base/array.h"
#include "base/duration.h"
#include "base/json.h"
#include "base/problem.h"
#include "store/group_store.h"

enum { SETTING_CHARACTERS_MAX = 16000 };

const char setting_store_mask[] = "********";

/* *found_r: there is a group with this id. */
static enum outcome find_group(struct context *context, struct text group_id, bool *found_r)
{
    const struct problem before = context->problem; /* it may hold faults of other settings */
    const struct value *group;
    enum outcome outcome = group_store_get(context, group_id, &group);
    *found_r = outcome == OK;
    if (outcome == PROBLEM) {
        context->problem = before;
        outcome = OK;
    }
    return outcome;
}

enum outcome setting_store_read(struct context *context, json_object **document_r)
{
    enum outcome outcome = config_store_read(context, document_r);
    if (outcome != OK) {
        return outcome;
    }
    struct text group_id = config_store_text(context, *document_r, SETTING_DEFAULT_GROUP_ID);
    bool found = true;
    outcome = group_id.length > 0 ? find_group(context, group_id, &found) : OK;
    if (outcome == OK && !found) {
        config_store_put(*document_r, setting_rows[SETTING_DEFAULT_GROUP_ID].path, json_object_new_string(""));
    }
    return outcome;
}

bool setting_store_is_masked(enum setting setting, json_object *value)
{
    return setting_rows[setting].type == SETTING_TYPE_PASSWORD && json_object_get_string_len(value) > 0;
}

static enum outcome refuse(struct context *context, enum setting setting, enum fault_type type, const char *words)
{
    problem_add_body_fault(context, type, setting_rows[setting].key, -1, words);
    return PROBLEM;
}

static enum outcome check_length(struct context *context, enum setting setting, struct text text)
{
    if (text.length <= SETTING_CHARACTERS_MAX || text_count_characters(text) <= SETTING_CHARACTERS_MAX) {
        return OK;
    }
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK || text_equal(text, config_store_text(context, document, setting))) {
        return outcome;
    }
    return refuse(context, setting, FAULT_string_too_long,
                  "This text is too long: it may have at most 16,000 characters.");
}

static enum outcome check_group(struct context *context, struct text group_id)
{
    bool found = true;
    enum outcome outcome = group_id.length > 0 ? find_group(context, group_id, &found) : OK;
    return outcome == OK && !found ? refuse(context, SETTING_DEFAULT_GROUP_ID, FAULT_value_error, NULL) : outcome;
}

static enum outcome check_lifetime(struct context *context, struct text text)
{
    int64_t seconds;
    return duration_parse(text, &seconds)
               ? OK
               : refuse(context, SETTING_JWT_EXPIRES_IN, FAULT_string_pattern_mismatch,
                        "This must be -1 or 0 (unlimited), or numbers with ms, s, m, h, d or w, as 4w.");
}

enum outcome setting_store_check(struct context *context, enum setting setting, struct text text)
{
    enum outcome outcome = check_length(context, setting, text);
    if (outcome != OK) {
        return outcome;
    }
    switch (setting) {
    case SETTING_DEFAULT_GROUP_ID:
        return check_group(context, text);
    case SETTING_JWT_EXPIRES_IN:
        return check_lifetime(context, text);
    default:
        return OK;
    }
}

/* Whether a browser can use a name of an object: it is not empty, and none that every object has. */
static bool is_good_name(const char *name)
{
    static const char *const unsafe[] = {"__proto__", "prototype", "constructor"};
    for (size_t i = 0; i < ARRAY_COUNT(unsafe); i++) {
        if (strcmp(name, unsafe[i]) == 0) {
            return false;
        }
    }
    return text_trim(text_of(name)).length > 0;
}

/* Whether an object has texts alone, under good names, each in the object of a language. */
static bool is_translation(json_object *languages)
{
    json_object_object_foreach(languages, language, texts)
    {
        if (!is_good_name(language) || !json_object_is_type(texts, json_type_object)) {
            return false;
        }
        json_object_object_foreach(texts, name, text)
        {
            if (!is_good_name(name) || !json_object_is_type(text, json_type_string)) {
                return false;
            }
        }
    }
    return true;
}

enum outcome setting_store_check_value(struct context *context, enum setting setting, json_object *value)
{
    if (setting == SETTING_I18N && !is_translation(value)) {
        return refuse(context, setting, FAULT_value_error,
                      "This must be an object with an object for each language, which has texts alone.");
    }
    const char *reason = config_store_refusal(setting, value);
    return reason == NULL ? OK : refuse(context, setting, FAULT_value_error, reason);
}
