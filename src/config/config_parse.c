/* config_parse.c: lines, sections, quotes and comments. */
#include <string.h>

#include "config/config_internal.h"

/* Where the parser stands. */
struct parser {
    struct config_loaded *loaded;
    struct config_message *message;
    unsigned line;
    unsigned scope;
    unsigned section_lines[POOL_COUNT]; /* where each section starts; 0: nowhere yet */
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Behind a value or a section only white space or a comment may stand. */
static bool is_end(struct text rest)
{
    struct text trimmed = text_trim(rest);

    return trimmed.length == 0 || (trimmed.data[0] == '#' && trimmed.data > rest.data);
}

static unsigned find_pool(struct text name)
{
    unsigned pool;

    for (pool = 0; pool < POOL_COUNT; pool++)
        if (text_is(name, pool_names[pool]))
            break;
    return pool;
}

static bool parse_section(struct parser *parser, struct text line)
{
    const char *close = memchr(line.data, ']', line.length), *suggestion;
    struct text name;
    unsigned pool;

    if (close == NULL) {
        config_message_set(parser->message, "the ] of this section is missing: write [api] or [password]");
        return false;
    }
    name = text_trim((struct text){line.data + 1, (size_t)(close - line.data - 1)});
    if (!is_end((struct text){close + 1, line.length - (size_t)(close + 1 - line.data)})) {
        config_message_set(parser->message, "nothing may follow [%.*s] on its line: put it on the next one",
                           name.length > 60 ? 60 : (int)name.length, name.data);
        return false;
    }
    pool = find_pool(name);
    if (pool == POOL_COUNT) {
        suggestion = config_suggest_section(name);
        config_message_set(parser->message, "there is no section [%.*s]: %s%s%s",
                           name.length > 60 ? 60 : (int)name.length, name.data,
                           suggestion != NULL ? "did you mean [" : "the sections are [api] and [password",
                           suggestion != NULL ? suggestion : "", suggestion != NULL ? "]?" : "]");
        return false;
    }
    if (parser->section_lines[pool] != 0) {
        config_message_set(parser->message, "[%s] stands here a second time, after line %u: put both parts into one",
                           pool_names[pool], parser->section_lines[pool]);
        return false;
    }
    parser->section_lines[pool] = parser->line;
    parser->scope = pool;
    return true;
}

/* The directive of `name`, if it may stand here. */
static const struct config_field *parse_name(struct parser *parser, struct text name)
{
    const struct config_field *field = config_find(name);
    const char *suggestion;
    int shown = name.length > 60 ? 60 : (int)name.length;

    if (field == NULL) {
        suggestion = config_suggest_directive(name);
        if (suggestion != NULL)
            config_message_set(parser->message, "there is no directive %.*s: did you mean %s?", shown, name.data,
                               suggestion);
        else
            config_message_set(parser->message, "there is no directive %.*s: roster.conf(5) lists them all", shown,
                               name.data);
        return NULL;
    }
    if (field->row.is_pool && parser->scope == CONFIG_SCOPE_GLOBAL) {
        config_message_set(parser->message, "%s is of a pool: put it below a line [api] or [password]",
                           field->row.name);
        return NULL;
    }
    if (!field->row.is_pool && parser->scope != CONFIG_SCOPE_GLOBAL) {
        config_message_set(parser->message,
                           "%s is not of a pool: put it above the first section, and this one, [%s], starts on "
                           "line %u",
                           field->row.name, pool_names[parser->scope], parser->section_lines[parser->scope]);
        return NULL;
    }
    return field;
}

/* A value in quotes, `rest` behind the first: \" is a quote, \\ a backslash, and any other backslash stands for
 * itself, as patterns need it. */
static bool parse_quoted(struct parser *parser, struct text rest, struct text *value_r)
{
    char *value = arena_alloc(parser->loaded->config.arena, rest.length + 1);
    size_t i, length = 0;

    for (i = 0; i < rest.length && rest.data[i] != '"'; i++) {
        if (rest.data[i] == '\\' && i + 1 < rest.length && (rest.data[i + 1] == '"' || rest.data[i + 1] == '\\'))
            i++;
        value[length++] = rest.data[i];
    }
    if (i == rest.length) {
        config_message_set(parser->message, "the quote that this value starts with is not closed: write \" at its end");
        return false;
    }
    if (!is_end((struct text){rest.data + i + 1, rest.length - i - 1})) {
        config_message_set(parser->message,
                           "something follows the closing quote: put the whole value between the quotes, and "
                           "write \\\" for a quote in it");
        return false;
    }
    *value_r = (struct text){value, length};
    return true;
}

/* What stands behind the `=`. */
static bool parse_value(struct parser *parser, struct text rest, struct text *value_r)
{
    size_t i;

    while (rest.length > 0 && is_blank(rest.data[0])) {
        rest.data++;
        rest.length--;
    }
    if (rest.length > 0 && rest.data[0] == '"')
        return parse_quoted(parser, (struct text){rest.data + 1, rest.length - 1}, value_r);
    for (i = 0; i < rest.length; i++)
        if (rest.data[i] == '#' && (i == 0 || is_blank(rest.data[i - 1])))
            break;
    *value_r = text_trim((struct text){rest.data, i});
    return true;
}

static bool parse_directive(struct parser *parser, struct text line)
{
    const char *equals = memchr(line.data, '=', line.length);
    const struct config_field *field;
    struct text name, value;
    unsigned *set_line;

    if (equals == NULL) {
        config_message_set(parser->message,
                           "this is neither a directive nor a section nor a comment: write NAME = VALUE, [POOL] "
                           "or # TEXT");
        return false;
    }
    name = text_trim((struct text){line.data, (size_t)(equals - line.data)});
    if (name.length == 0) {
        config_message_set(parser->message, "the name of the directive is missing: write NAME = VALUE");
        return false;
    }
    field = parse_name(parser, name);
    if (field == NULL)
        return false;
    set_line = &parser->loaded->lines[parser->scope][config_field_index(field)];
    if (*set_line != 0) {
        config_message_set(parser->message, "%s is set here a second time, after line %u: keep one of the two",
                           field->row.name, *set_line);
        return false;
    }
    *set_line = parser->line;
    return parse_value(parser, (struct text){equals + 1, line.length - (size_t)(equals + 1 - line.data)}, &value) &&
           config_value_parse(parser->loaded->config.arena, field, value,
                              config_slot(&parser->loaded->config, field, parser->scope), parser->message);
}

static bool check_bytes(struct parser *parser, struct text line)
{
    size_t i;

    if (!text_is_utf8(line)) {
        config_message_set(parser->message, "this line is not UTF-8: save the file in UTF-8");
        return false;
    }
    for (i = 0; i < line.length; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            config_message_set(parser->message,
                               "this line holds a control character (code %u) in column %zu: take it away", byte,
                               i + 1);
            return false;
        }
    }
    return true;
}

static bool parse_line(struct parser *parser, struct text line)
{
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (!check_bytes(parser, line))
        return false;
    line = text_trim(line);
    if (line.length == 0 || line.data[0] == '#')
        return true;
    return line.data[0] == '[' ? parse_section(parser, line) : parse_directive(parser, line);
}

bool config_parse(struct config_loaded *loaded, struct text content, unsigned *line_r, struct config_message *message)
{
    struct parser parser = {.loaded = loaded, .message = message, .scope = CONFIG_SCOPE_GLOBAL};
    const char *end;
    struct text line;

    if (text_starts_with(content, "\xEF\xBB\xBF")) {
        content.data += 3;
        content.length -= 3;
    }
    while (content.length > 0) {
        end = memchr(content.data, '\n', content.length);
        line = (struct text){content.data, end != NULL ? (size_t)(end - content.data) : content.length};
        *line_r = ++parser.line;
        if (!parse_line(&parser, line))
            return false;
        content.data += line.length + (end != NULL);
        content.length -= line.length + (end != NULL);
    }
    return true;
}
