/* config_parse.c: lines, sections, quotes and comments. */
#include "config/config_parse.h"

#include <string.h>

#include "base/arena.h"
#include "config/config_value.h"

/* The state of the parser. */
struct parser {
    struct config_loaded *loaded;
    struct error *error;
    unsigned line;
    unsigned scope;
    unsigned section_lines[POOL_COUNT]; /* where each section starts; 0: not yet */
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* True where only white space or a comment follows a value or a section. */
static bool is_end(struct text rest)
{
    struct text trimmed = text_trim(rest);

    return trimmed.length == 0 || (trimmed.data[0] == '#' && trimmed.data > rest.data);
}

static unsigned find_pool(struct text name)
{
    unsigned pool;

    for (pool = 0; pool < POOL_COUNT; pool++) {
        if (text_is(name, pool_names[pool])) {
            break;
        }
    }
    return pool;
}

static bool parse_section(struct parser *parser, struct text line)
{
    char list[CONFIG_SECTIONS_SIZE];
    const char *sections = config_list_sections(list);
    const char *close = memchr(line.data, ']', line.length);
    if (close == NULL) {
        return error_set(parser->error, "the ] of this section is missing: the sections are %s", sections);
    }
    struct text name = text_trim((struct text){line.data + 1, (size_t)(close - line.data - 1)});
    if (!is_end((struct text){close + 1, line.length - (size_t)(close + 1 - line.data)})) {
        return error_set(parser->error, "text follows [%.*s] on its line: move it to the next line",
                         name.length > 60 ? 60 : (int)name.length, name.data);
    }
    unsigned pool = find_pool(name);
    if (pool == POOL_COUNT) {
        const char *suggestion = config_suggest_section(name);
        return error_set(parser->error, "there is no section [%.*s]: %s%s%s", name.length > 60 ? 60 : (int)name.length,
                         name.data, suggestion != NULL ? "did you mean [" : "the sections are ",
                         suggestion != NULL ? suggestion : sections, suggestion != NULL ? "]?" : "");
    }
    if (parser->section_lines[pool] != 0) {
        return error_set(parser->error, "[%s] is repeated, after line %u: merge both sections into one",
                         pool_names[pool], parser->section_lines[pool]);
    }
    parser->section_lines[pool] = parser->line;
    parser->scope = pool;
    return true;
}

/* The directive of this name; NULL with an error where it is unknown, or not allowed in the current section. */
static const struct directive *parse_name(struct parser *parser, struct text name)
{
    const struct directive *directive = config_find(name);
    int shown = name.length > 60 ? 60 : (int)name.length;
    char sections[CONFIG_SECTIONS_SIZE];

    if (directive == NULL) {
        const char *suggestion = config_suggest_directive(name);
        if (suggestion != NULL) {
            error_set(parser->error, "there is no directive %.*s: did you mean %s?", shown, name.data, suggestion);
        } else {
            error_set(parser->error, "there is no directive %.*s: roster.conf(5) lists them all", shown, name.data);
        }
        return NULL;
    }
    if (directive->is_pool && parser->scope == CONFIG_SCOPE_GLOBAL) {
        error_set(parser->error, "%s is a directive of a pool: move it into one of the sections %s", directive->name,
                  config_list_sections(sections));
        return NULL;
    }
    if (!directive->is_pool && parser->scope != CONFIG_SCOPE_GLOBAL) {
        error_set(parser->error,
                  "%s is not a directive of a pool: move it above the first section; this one, [%s], starts on "
                  "line %u",
                  directive->name, pool_names[parser->scope], parser->section_lines[parser->scope]);
        return NULL;
    }
    return directive;
}

/* Parses a value in quotes; `rest` starts after the first quote. \" is a quote, \\ a backslash. Other backslashes are
 * kept, as patterns need them. */
static bool parse_quoted(struct parser *parser, struct text rest, struct text *value_r)
{
    char *value = arena_alloc(parser->loaded->config.arena, rest.length + 1);
    size_t i, length = 0;

    for (i = 0; i < rest.length && rest.data[i] != '"'; i++) {
        if (rest.data[i] == '\\' && i + 1 < rest.length && (rest.data[i + 1] == '"' || rest.data[i + 1] == '\\')) {
            i++;
        }
        value[length++] = rest.data[i];
    }
    if (i == rest.length) {
        return error_set(parser->error, "the closing quote of this value is missing: write \" at its end");
    }
    if (!is_end((struct text){rest.data + i + 1, rest.length - i - 1})) {
        return error_set(parser->error, "text follows the closing quote: put the whole value between the quotes, and "
                                        "write \\\" for a quote in it");
    }
    *value_r = (struct text){value, length};
    return true;
}

/* Parses the part after the `=`. */
static bool parse_value(struct parser *parser, struct text rest, struct text *value_r)
{
    size_t i;

    while (rest.length > 0 && is_blank(rest.data[0])) {
        rest.data++;
        rest.length--;
    }
    if (rest.length > 0 && rest.data[0] == '"') {
        return parse_quoted(parser, (struct text){rest.data + 1, rest.length - 1}, value_r);
    }
    for (i = 0; i < rest.length; i++) {
        if (rest.data[i] == '#' && (i == 0 || is_blank(rest.data[i - 1]))) {
            break;
        }
    }
    *value_r = text_trim((struct text){rest.data, i});
    return true;
}

static bool parse_directive(struct parser *parser, struct text line)
{
    const char *equals = memchr(line.data, '=', line.length);
    if (equals == NULL) {
        return error_set(parser->error,
                         "this line is neither a directive nor a section nor a comment: write NAME = VALUE, [POOL] "
                         "or # TEXT");
    }
    struct text name = text_trim((struct text){line.data, (size_t)(equals - line.data)});
    if (name.length == 0) {
        return error_set(parser->error, "the name of the directive is missing: write NAME = VALUE");
    }
    const struct directive *directive = parse_name(parser, name);
    if (directive == NULL) {
        return false;
    }
    unsigned *set_line = &parser->loaded->lines[parser->scope][config_index(directive)];
    if (*set_line != 0) {
        return error_set(parser->error, "%s is set again, after line %u: keep one of the two", directive->name,
                         *set_line);
    }
    *set_line = parser->line;
    struct text value;
    return parse_value(parser, (struct text){equals + 1, line.length - (size_t)(equals + 1 - line.data)}, &value) &&
           config_value_parse(parser->loaded->config.arena, directive, value,
                              config_slot(&parser->loaded->config, directive, parser->scope), parser->error);
}

static bool check_bytes(struct parser *parser, struct text line)
{
    if (!text_is_utf8(line)) {
        return error_set(parser->error, "this line is not UTF-8: save the file in UTF-8");
    }
    for (size_t i = 0; i < line.length; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return error_set(parser->error, "this line contains a control character (code %u) in column %zu: remove it",
                             byte, i + 1);
        }
    }
    return true;
}

static bool parse_line(struct parser *parser, struct text line)
{
    if (line.length > 0 && line.data[line.length - 1] == '\r') {
        line.length--;
    }
    if (!check_bytes(parser, line)) {
        return false;
    }
    line = text_trim(line);
    if (line.length == 0 || line.data[0] == '#') {
        return true;
    }
    return line.data[0] == '[' ? parse_section(parser, line) : parse_directive(parser, line);
}

bool config_parse(struct config_loaded *loaded, struct text content, unsigned *line_r, struct error *error)
{
    struct parser parser = {.loaded = loaded, .error = error, .scope = CONFIG_SCOPE_GLOBAL};
    if (text_starts_with(content, "\xEF\xBB\xBF")) {
        content.data += 3;
        content.length -= 3;
    }
    while (content.length > 0) {
        *line_r = ++parser.line;
        if (!parse_line(&parser, text_take(&content, '\n'))) {
            return false;
        }
    }
    return true;
}
