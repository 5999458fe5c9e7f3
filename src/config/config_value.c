/* config_value.c: see config_value.h. */
#include "config/config_value.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/quantity.h"
#include "config/config.h"

/* The fields of an enumeration have C types of their own, but all are as large as an int. */
#define ENUM(name, words) _Static_assert(sizeof(enum name) == sizeof(int), "see store_number");
#define WORD(value, word)
#include "tables/enums.def"

static void store_number(const struct directive *directive, void *slot, int number)
{
    if (directive->type == DIRECTIVE_BOOLEAN) {
        *(bool *)slot = number != 0;
    } else {
        memcpy(slot, &number, sizeof number);
    }
}

static int load_number(const struct directive *directive, const void *slot)
{
    int number;

    if (directive->type == DIRECTIVE_BOOLEAN) {
        return *(const bool *)slot;
    }
    memcpy(&number, slot, sizeof number);
    return number;
}

/* The maximum number of bytes of a value that a message shows. */
enum { SHOWN_MAX = 60 };
#define SHOWN(text) ((text).length > SHOWN_MAX ? SHOWN_MAX : (int)(text).length), (text).data

static bool parse_word(const struct directive *directive, struct text value, void *slot, struct error *error)
{
    const struct enum_word *found = enum_find(directive->words, value);
    char list[ENUM_LIST_SIZE];

    if (found == NULL) {
        return error_set(error, "%s is \"%.*s\": write %s", directive->name, SHOWN(value),
                         enum_list(directive->words, list));
    }
    store_number(directive, slot, found->value);
    return true;
}

/* Numbers with units. */

/* In descending order. */
static const struct unit none[] = {{"", 1}, {NULL, 0}};
static const struct unit sizes[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static bool is_time(enum directive_type type)
{
    return type == DIRECTIVE_SECONDS || type == DIRECTIVE_MILLISECONDS;
}

static const struct unit *units_of(enum directive_type type)
{
    return is_time(type) ? times : type == DIRECTIVE_SIZE ? sizes : none;
}

/* How many of the units above are one unit of the directive. */
static int64_t scale_of(enum directive_type type)
{
    return type == DIRECTIVE_SECONDS ? 1000 : 1;
}

const char *config_value_number(const struct directive *directive, int64_t number,
                                char text_r[static CONFIG_NUMBER_SIZE])
{
    const struct unit *unit = units_of(directive->type);

    number *= scale_of(directive->type);
    while (number % unit->factor != 0) {
        unit++;
    }
    snprintf(text_r, CONFIG_NUMBER_SIZE, "%" PRId64 "%s", number / unit->factor, number == 0 ? "" : unit->name);
    return text_r;
}

static bool out_of_range(const struct directive *directive, struct text value, struct error *error)
{
    char min[CONFIG_NUMBER_SIZE], max[CONFIG_NUMBER_SIZE];

    return error_set(error, "%s is %.*s: it may be from %s to %s", directive->name, SHOWN(value),
                     config_value_number(directive, directive->min, min),
                     config_value_number(directive, directive->max, max));
}

static bool bad_number(const struct directive *directive, struct text value, struct error *error)
{
    const char *hint = directive->type == DIRECTIVE_INTEGER ? "write a whole number, without a unit"
                       : directive->type == DIRECTIVE_SIZE
                           ? "write a whole number of bytes, or one with k, m or g, for example 512k or 4m"
                       : directive->type == DIRECTIVE_SECONDS
                           ? "write a whole number of seconds with a unit, for example 30s, 5m, 12h or 7d"
                           : "write a number with a unit, for example 500ms, 30s or 5m";

    return error_set(error, "%s is \"%.*s\": %s", directive->name, SHOWN(value), hint);
}

/* Parses a number with a unit; times may have several, for example 1h30m. A size without a unit is in bytes. A time
 * without a unit is refused, as 5 could mean seconds or milliseconds; 0 needs none. */
static bool parse_number(const struct directive *directive, struct text value, int64_t *slot, struct error *error)
{
    const struct unit *units = units_of(directive->type);
    struct text rest = value;
    int64_t number = 0;
    bool is_number = is_time(directive->type)
                         ? text_is(value, "0") || quantity_sum(value, units, QUANTITY_ANY_CASE, &number)
                         : quantity_take(&rest, units, QUANTITY_ANY_CASE, &number) && rest.length == 0;

    if (!is_number || (number % scale_of(directive->type) != 0 && number != INT64_MAX)) {
        return bad_number(directive, value, error);
    }
    number /= scale_of(directive->type);
    if (number < directive->min || number > directive->max) {
        return out_of_range(directive, value, error);
    }
    *slot = number;
    return true;
}

/* Text. */

static bool check_length(const struct directive *directive, struct text value, struct error *error)
{
    if (value.length == 0 && directive->min > 0) {
        return error_set(error, "%s is empty: write a value, or remove the line for the default", directive->name);
    }
    if (value.length < (size_t)directive->min || value.length > (size_t)directive->max) {
        return error_set(error, "%s is %zu bytes long: it may be %" PRId64 " to %" PRId64, directive->name,
                         value.length, directive->min, directive->max);
    }
    return true;
}

/* The message does not show the value: it may be a password, written instead of the path of its file. */
static bool check_path(const struct directive *directive, struct text value, struct error *error)
{
    if (value.length > 0 && value.data[0] != '/') {
        return error_set(error, "%s must be an absolute path, which starts with /", directive->name);
    }
    if (value.length > 0 && value.data[value.length - 1] == '/') {
        return error_set(error, "%s must be the path of a file: remove the / at its end", directive->name);
    }
    return true;
}

static bool parse_text(struct arena *arena, const struct directive *directive, struct text value, const char **slot,
                       struct error *error)
{
    if (!check_length(directive, value, error) ||
        (directive->type != DIRECTIVE_TEXT && !check_path(directive, value, error))) {
        return false;
    }
    *slot = text_to_string(arena, value);
    return true;
}

/* Lists. */

static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == ',';
}

/* Removes the next word from *rest, and returns it. Empty after the last word. */
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

    while (next_word(&value).length > 0) {
        count++;
    }
    return count;
}

static bool parse_list(struct arena *arena, const struct directive *directive, struct text value, struct words *slot,
                       struct error *error)
{
    if (!check_length(directive, value, error)) {
        return false;
    }
    slot->count = count_words(value);
    slot->items = arena_zero(arena, slot->count + 1, sizeof *slot->items);
    for (size_t i = 0; i < slot->count; i++) {
        slot->items[i] = text_to_string(arena, next_word(&value));
    }
    return true;
}

static bool parse_networks(struct arena *arena, const struct directive *directive, struct text value,
                           struct networks *slot, struct error *error)
{
    if (!check_length(directive, value, error)) {
        return false;
    }
    slot->count = count_words(value);
    slot->items = arena_zero(arena, slot->count + 1, sizeof *slot->items);
    for (size_t i = 0; i < slot->count; i++) {
        if (!network_parse(next_word(&value), &slot->items[i], error)) {
            return error_prefix(error, "%s: ", directive->name);
        }
    }
    return true;
}

bool config_value_parse(struct arena *arena, const struct directive *directive, struct text value, void *slot,
                        struct error *error)
{
    switch (directive->type) {
    case DIRECTIVE_TEXT:
    case DIRECTIVE_PATH:
    case DIRECTIVE_SECRET_PATH:
        return parse_text(arena, directive, value, slot, error);
    case DIRECTIVE_INTEGER:
    case DIRECTIVE_SIZE:
    case DIRECTIVE_SECONDS:
    case DIRECTIVE_MILLISECONDS:
        return parse_number(directive, value, slot, error);
    case DIRECTIVE_ADDRESSES:
        return parse_networks(arena, directive, value, slot, error);
    case DIRECTIVE_LIST:
        return parse_list(arena, directive, value, slot, error);
    default:
        return parse_word(directive, value, slot, error);
    }
}

static void print_list(FILE *out, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", words->items[i]);
    }
}

static void print_networks(FILE *out, const struct networks *networks)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (i > 0) {
            putc(' ', out);
        }
        network_print(out, &networks->items[i]);
    }
}

static void print_value(FILE *out, const struct directive *directive, const void *slot)
{
    char number[CONFIG_NUMBER_SIZE];

    switch (directive->type) {
    case DIRECTIVE_TEXT:
    case DIRECTIVE_PATH:
    case DIRECTIVE_SECRET_PATH:
        fputs(*(const char *const *)slot, out);
        break;
    case DIRECTIVE_INTEGER:
    case DIRECTIVE_SIZE:
    case DIRECTIVE_SECONDS:
    case DIRECTIVE_MILLISECONDS:
        fputs(config_value_number(directive, *(const int64_t *)slot, number), out);
        break;
    case DIRECTIVE_ADDRESSES:
        print_networks(out, slot);
        break;
    case DIRECTIVE_LIST:
        print_list(out, slot);
        break;
    default:
        fputs(enum_word(directive->words, load_number(directive, slot)), out);
        break;
    }
}

char *config_value_to_string(const struct directive *directive, const void *slot)
{
    char *string = NULL;
    size_t size;
    FILE *out = open_memstream(&string, &size);

    invariant(out != NULL);
    print_value(out, directive, slot);
    fclose(out);
    return string;
}

void config_value_quote(FILE *out, const char *value)
{
    size_t length = strlen(value);

    if (length > 0 && strpbrk(value, "\"#") == NULL && strchr(" \t", value[0]) == NULL &&
        strchr(" \t", value[length - 1]) == NULL) {
        fputs(value, out);
        return;
    }
    putc('"', out);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            putc('\\', out);
        }
        putc(*value, out);
    }
    putc('"', out);
}
