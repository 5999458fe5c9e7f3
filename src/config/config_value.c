/* config_value.c: values of each type, read and printed. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_internal.h"

/* Words that stand for numbers. */
struct choice {
    const char *word;
    int number;
};

static const struct choice booleans[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct choice severities[] = {
    {"alert", LOG_SEVERITY_ALERT},
    {"error", LOG_SEVERITY_ERROR},
    {"warning", LOG_SEVERITY_WARNING},
    {"notice", LOG_SEVERITY_NOTICE},
    {"info", LOG_SEVERITY_INFO},
    {"debug", LOG_SEVERITY_DEBUG},
    {NULL, 0},
};
static const struct choice log_formats[] = {{"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON}, {NULL, 0}};
static const struct choice privacies[] = {{"strict", PRIVACY_STRICT}, {"compatible", PRIVACY_COMPATIBLE}, {NULL, 0}};
static const struct choice cookie_secures[] = {
    {"auto", COOKIE_SECURE_AUTO},
    {"yes", COOKIE_SECURE_YES},
    {"no", COOKIE_SECURE_NO},
    {NULL, 0},
};
static const struct choice same_sites[] = {
    {"lax", SAME_SITE_LAX},
    {"strict", SAME_SITE_STRICT},
    {"none", SAME_SITE_NONE},
    {NULL, 0},
};

/* Units, the largest first. */
struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit sizes[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static const struct choice *choices_of(enum config_type type)
{
    switch (type) {
    case CONFIG_BOOLEAN:
        return booleans;
    case CONFIG_SEVERITY:
        return severities;
    case CONFIG_LOG_FORMAT:
        return log_formats;
    case CONFIG_PRIVACY:
        return privacies;
    case CONFIG_COOKIE_SECURE:
        return cookie_secures;
    case CONFIG_SAME_SITE:
        return same_sites;
    default:
        return NULL;
    }
}

/* The fields of these types have C types of their own: only here is it known which. */
static void store_choice(const struct config_field *field, void *slot, int number)
{
    switch (field->type) {
    case CONFIG_BOOLEAN:
        *(bool *)slot = number != 0;
        break;
    case CONFIG_SEVERITY:
        *(enum severity *)slot = (enum severity)number;
        break;
    case CONFIG_LOG_FORMAT:
        *(enum log_format *)slot = (enum log_format)number;
        break;
    case CONFIG_PRIVACY:
        *(enum privacy *)slot = (enum privacy)number;
        break;
    case CONFIG_COOKIE_SECURE:
        *(enum cookie_secure *)slot = (enum cookie_secure)number;
        break;
    case CONFIG_SAME_SITE:
        *(enum same_site *)slot = (enum same_site)number;
        break;
    default:
        log_invariant_failed("a type with choices", __FILE__, __LINE__);
    }
}

static int load_choice(const struct config_field *field, const void *slot)
{
    switch (field->type) {
    case CONFIG_BOOLEAN:
        return *(const bool *)slot;
    case CONFIG_SEVERITY:
        return (int)*(const enum severity *)slot;
    case CONFIG_LOG_FORMAT:
        return (int)*(const enum log_format *)slot;
    case CONFIG_PRIVACY:
        return (int)*(const enum privacy *)slot;
    case CONFIG_COOKIE_SECURE:
        return (int)*(const enum cookie_secure *)slot;
    case CONFIG_SAME_SITE:
        return (int)*(const enum same_site *)slot;
    default:
        log_invariant_failed("a type with choices", __FILE__, __LINE__);
    }
}

/* At most so many bytes of a value are shown in a message. */
enum { SHOWN_MOST = 60 };
#define SHOWN(text) ((text).length > SHOWN_MOST ? SHOWN_MOST : (int)(text).length), (text).data

/* "yes or no", "alert, error, … or debug". */
static const char *list_choices(const struct choice *choices, char *list, size_t size)
{
    size_t i, length = 0;

    for (i = 0; choices[i].word != NULL; i++) {
        const char *separator = i == 0 ? "" : choices[i + 1].word == NULL ? " or " : ", ";
        length += (size_t)snprintf(list + length, size - length, "%s%s", separator, choices[i].word);
    }
    return list;
}

static bool parse_choice(const struct config_field *field, struct text value, void *slot,
                         struct config_message *message)
{
    const struct choice *choice = choices_of(field->type);
    char list[128];

    for (; choice->word != NULL; choice++) {
        if (text_is(value, choice->word)) {
            store_choice(field, slot, choice->number);
            return true;
        }
    }
    config_message_set(message, "%s is \"%.*s\": write %s", field->row.name, SHOWN(value),
                       list_choices(choices_of(field->type), list, sizeof list));
    return false;
}

/* Numbers with units. */

static const struct unit *units_of(enum config_type type)
{
    return type == CONFIG_SIZE ? sizes : times;
}

/* Values of the directive's unit per unit of the tables above. */
static int64_t scale_of(enum config_type type)
{
    return type == CONFIG_SECONDS ? 1000 : 1;
}

/* A number in the form in which it would be written: "4m", "90s". */
static void print_number(FILE *out, enum config_type type, int64_t number)
{
    const struct unit *unit = units_of(type);

    if (type == CONFIG_INTEGER || number == 0) {
        fprintf(out, "%" PRId64, number);
        return;
    }
    number *= scale_of(type);
    while (number % unit->factor != 0)
        unit++;
    fprintf(out, "%" PRId64 "%s", number / unit->factor, unit->name);
}

static bool out_of_range(const struct config_field *field, struct text value, struct config_message *message)
{
    char range[128] = "";
    FILE *out = fmemopen(range, sizeof range, "w");

    if (out != NULL) {
        fputs("from ", out);
        print_number(out, field->type, field->row.least);
        fputs(" to ", out);
        print_number(out, field->type, field->row.most);
        fclose(out);
    }
    config_message_set(message, "%s is %.*s: it may be %s", field->row.name, SHOWN(value), range);
    return false;
}

static bool bad_number(const struct config_field *field, struct text value, struct config_message *message)
{
    const char *hint =
        field->type == CONFIG_INTEGER   ? "write a whole number, without a unit"
        : field->type == CONFIG_SIZE    ? "write a whole number of bytes, or one with k, m or g, as 512k or 4m"
        : field->type == CONFIG_SECONDS ? "write a whole number of seconds with a unit, as 30s, 5m, 12h or 7d"
                                        : "write a number with a unit, as 500ms, 30s or 5m";

    config_message_set(message, "%s is \"%.*s\": %s", field->row.name, SHOWN(value), hint);
    return false;
}

/* Takes digits off the front of *rest. False where there are none; what exceeds 64 bits gives INT64_MAX. */
static bool take_digits(struct text *rest, int64_t *number_r)
{
    size_t start = rest->length;
    int digit;

    *number_r = 0;
    while (rest->length > 0 && *rest->data >= '0' && *rest->data <= '9') {
        digit = *rest->data - '0';
        if (__builtin_mul_overflow(*number_r, 10, number_r) || __builtin_add_overflow(*number_r, digit, number_r))
            *number_r = INT64_MAX;
        rest->data++;
        rest->length--;
    }
    return rest->length < start;
}

/* Takes letters off the front of *rest and finds the unit that they name, in either case; NULL where it is none. */
static const struct unit *take_unit(struct text *rest, const struct unit *units)
{
    struct text name = {rest->data, 0};

    while (rest->length > 0 && !(*rest->data >= '0' && *rest->data <= '9')) {
        rest->data++;
        rest->length--;
        name.length++;
    }
    for (; units->name != NULL; units++)
        if (text_is_ignoring_case(name, units->name))
            return units;
    return NULL;
}

/* One number with one unit, or for times several, as 1h30m. A number without a unit is of bytes; for times it is
 * refused, since nobody can see whether 5 was meant as seconds or milliseconds; 0 needs none. */
static bool parse_number(const struct config_field *field, struct text value, int64_t *slot,
                         struct config_message *message)
{
    bool is_time = field->type == CONFIG_SECONDS || field->type == CONFIG_MILLISECONDS;
    struct text rest = value;
    int64_t sum = 0, number;
    const struct unit *unit;

    do {
        if (!take_digits(&rest, &number))
            return bad_number(field, value, message);
        if (rest.length == 0 && (field->type == CONFIG_INTEGER || number == 0)) {
            sum = number;
            break;
        }
        unit = field->type == CONFIG_INTEGER ? NULL : take_unit(&rest, units_of(field->type));
        if (unit == NULL)
            return bad_number(field, value, message);
        if (__builtin_mul_overflow(number, unit->factor, &number) || __builtin_add_overflow(sum, number, &sum))
            sum = INT64_MAX;
    } while (is_time && rest.length > 0);
    if (rest.length > 0 || (field->type == CONFIG_SECONDS && sum % 1000 != 0 && sum != INT64_MAX))
        return bad_number(field, value, message);
    sum /= scale_of(field->type);
    if (sum < field->row.least || sum > field->row.most)
        return out_of_range(field, value, message);
    *slot = sum;
    return true;
}

/* Text. */

static bool check_length(const struct config_field *field, struct text value, struct config_message *message)
{
    if (value.length == 0 && field->row.least > 0) {
        config_message_set(message, "%s is empty: write a value, or leave the line out for the default",
                           field->row.name);
        return false;
    }
    if (value.length < (size_t)field->row.least || value.length > (size_t)field->row.most) {
        config_message_set(message, "%s is %zu bytes long: it may be %" PRId64 " to %" PRId64, field->row.name,
                           value.length, field->row.least, field->row.most);
        return false;
    }
    return true;
}

/* The value is not shown: who writes a password where its file belongs would find it in the log. */
static bool check_path(const struct config_field *field, struct text value, struct config_message *message)
{
    if (value.length > 0 && value.data[0] != '/') {
        config_message_set(message, "%s must be an absolute path: it has to start with /", field->row.name);
        return false;
    }
    if (value.length > 0 && value.data[value.length - 1] == '/') {
        config_message_set(message, "%s must name a file: take the / at its end away", field->row.name);
        return false;
    }
    return true;
}

static bool parse_text(struct arena *arena, const struct config_field *field, struct text value, const char **slot,
                       struct config_message *message)
{
    if (!check_length(field, value, message) || (field->type != CONFIG_TEXT && !check_path(field, value, message)))
        return false;
    *slot = text_to_string(arena, value);
    return true;
}

/* Lists. */

static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == ',';
}

/* The next word of *rest, which becomes what follows it. An empty word: there is none. */
static struct text next_word(struct text *rest)
{
    struct text word;

    while (rest->length > 0 && is_separator(*rest->data)) {
        rest->data++;
        rest->length--;
    }
    word.data = rest->data;
    word.length = 0;
    while (rest->length > 0 && !is_separator(*rest->data)) {
        rest->data++;
        rest->length--;
        word.length++;
    }
    return word;
}

static size_t count_words(struct text value)
{
    size_t count = 0;

    while (next_word(&value).length > 0)
        count++;
    return count;
}

static bool parse_list(struct arena *arena, const struct config_field *field, struct text value, struct words *slot,
                       struct config_message *message)
{
    size_t i;

    if (!check_length(field, value, message))
        return false;
    slot->count = count_words(value);
    slot->items = arena_zero(arena, slot->count + 1, sizeof *slot->items);
    for (i = 0; i < slot->count; i++)
        slot->items[i] = text_to_string(arena, next_word(&value));
    return true;
}

static bool parse_networks(struct arena *arena, const struct config_field *field, struct text value,
                           struct networks *slot, struct config_message *message)
{
    struct config_message reason;
    size_t i;

    if (!check_length(field, value, message))
        return false;
    slot->count = count_words(value);
    slot->items = arena_zero(arena, slot->count + 1, sizeof *slot->items);
    for (i = 0; i < slot->count; i++) {
        if (!network_parse(next_word(&value), &slot->items[i], &reason)) {
            config_message_set(message, "%s: %.900s", field->row.name, reason.text);
            return false;
        }
    }
    return true;
}

bool config_value_parse(struct arena *arena, const struct config_field *field, struct text value, void *slot,
                        struct config_message *message)
{
    switch (field->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET_PATH:
        return parse_text(arena, field, value, slot, message);
    case CONFIG_INTEGER:
    case CONFIG_SIZE:
    case CONFIG_SECONDS:
    case CONFIG_MILLISECONDS:
        return parse_number(field, value, slot, message);
    case CONFIG_ADDRESSES:
        return parse_networks(arena, field, value, slot, message);
    case CONFIG_LIST:
        return parse_list(arena, field, value, slot, message);
    default:
        return parse_choice(field, value, slot, message);
    }
}

static void print_choice(FILE *out, const struct config_field *field, const void *slot)
{
    const struct choice *choice = choices_of(field->type);

    while (choice->number != load_choice(field, slot))
        choice++;
    fputs(choice->word, out);
}

static void print_list(FILE *out, const struct words *words)
{
    size_t i;

    for (i = 0; i < words->count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words->items[i]);
}

static void print_networks(FILE *out, const struct networks *networks)
{
    size_t i;

    for (i = 0; i < networks->count; i++) {
        if (i > 0)
            putc(' ', out);
        network_print(out, &networks->items[i]);
    }
}

void config_value_print(FILE *out, const struct config_field *field, const void *slot)
{
    switch (field->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET_PATH:
        fputs(*(const char *const *)slot, out);
        break;
    case CONFIG_INTEGER:
    case CONFIG_SIZE:
    case CONFIG_SECONDS:
    case CONFIG_MILLISECONDS:
        print_number(out, field->type, *(const int64_t *)slot);
        break;
    case CONFIG_ADDRESSES:
        print_networks(out, slot);
        break;
    case CONFIG_LIST:
        print_list(out, slot);
        break;
    default:
        print_choice(out, field, slot);
        break;
    }
}

char *config_value_to_string(const struct config_field *field, const void *slot)
{
    char *string = NULL;
    size_t size;
    FILE *out = open_memstream(&string, &size);

    invariant(out != NULL);
    config_value_print(out, field, slot);
    fclose(out);
    return string;
}
