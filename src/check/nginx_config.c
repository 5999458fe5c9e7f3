/* nginx_config.c: see nginx_config.h. The syntax is that of nginx's ngx_conf_read_token. */
#include "check/nginx_config.h"

#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buffer.h"

enum { WORDS_MAX = 256, DEPTH_MAX = 32, INCLUDES_MAX = 16 };

static const char marker[] = "# configuration file ";

struct dumped {
    const char *path;
    struct text content;
    struct dumped *next;
};

struct reader {
    struct arena *arena;
    const struct dumped *files; /* the first is the main one */
    const struct dumped *file;
    struct text rest;
    unsigned line;
    unsigned depth, includes;
    struct error *error;
};

const struct unit nginx_config_sizes[] = {{"k", 1024}, {"m", 1048576}, {"g", 1073741824}, {"", 1}, {NULL, 0}};

/* ---- the files ---- */

/* The line that a marker starts, as the path in it. Null: it is another line. */
static struct text marked_path(struct text line)
{
    if (!text_starts_with(line, marker) || !text_ends_with(line, ":")) {
        return TEXT_NULL;
    }
    size_t length = strlen(marker);
    return (struct text){line.data + length, line.length - length - 1};
}

static struct dumped *split_files(struct arena *arena, struct text dump)
{
    struct dumped *first = NULL, **last = &first, *file = NULL;
    while (dump.length > 0) {
        const char *start = dump.data;
        struct text line = text_take(&dump, '\n');
        struct text path = marked_path(line);
        if (path.data != NULL) {
            file = arena_zero(arena, 1, sizeof *file);
            file->path = text_to_string(arena, path);
            file->content.data = dump.data;
            *last = file;
            last = &file->next;
        } else if (file != NULL) {
            file->content.length = (size_t)(start + line.length - file->content.data);
        }
    }
    return first;
}

/* ---- directives ---- */

static void step(struct reader *reader)
{
    reader->line += reader->rest.data[0] == '\n';
    reader->rest.data++;
    reader->rest.length--;
}

static char now(const struct reader *reader)
{
    return reader->rest.length > 0 ? reader->rest.data[0] : '\0';
}

static void skip_blank(struct reader *reader)
{
    while (reader->rest.length > 0 && (ascii_is_white(now(reader)) || now(reader) == '#')) {
        if (now(reader) == '#') {
            while (reader->rest.length > 0 && now(reader) != '\n') {
                step(reader);
            }
        } else {
            step(reader);
        }
    }
}

static const char *take_word(struct reader *reader)
{
    struct buffer word;
    buffer_init(&word, reader->arena);
    const char quote = now(reader) == '"' || now(reader) == '\'' ? now(reader) : '\0';
    if (quote != '\0') {
        step(reader);
    }
    while (reader->rest.length > 0) {
        const char byte = now(reader);
        if (quote != '\0' ? byte == quote
                          : ascii_is_white(byte) || byte == ';' ||
                                (byte == '{' && (word.length == 0 || word.data[word.length - 1] != '$'))) {
            break;
        }
        if (byte == '\\' && reader->rest.length > 1) {
            step(reader);
            if (strchr("\"'\\", now(reader)) == NULL) {
                buffer_add_byte(&word, '\\');
            }
        }
        buffer_add_byte(&word, now(reader));
        step(reader);
    }
    if (quote != '\0' && reader->rest.length > 0) {
        step(reader);
    }
    return buffer_text(&word).data;
}

static bool read_block(struct reader *reader, bool is_file, struct nginx_directive ***last);

static bool fail(struct reader *reader, const char *what)
{
    return error_set(reader->error, "%s:%u: %s", reader->file->path, reader->line, what);
}

/* Reads the files that `pattern` names in place of the directive include. One that is not there has nothing. */
static bool read_included(struct reader *reader, const char *pattern, struct nginx_directive ***last)
{
    const char *main = reader->files->path, *slash = strrchr(main, '/');
    const char *whole = pattern[0] == '/' || slash == NULL
                            ? pattern
                            : text_format(reader->arena, "%.*s/%s", (int)(slash - main), main, pattern).data;
    if (reader->includes == INCLUDES_MAX) {
        return fail(reader, "includes nest too deep");
    }
    for (const struct dumped *file = reader->files; file != NULL; file = file->next) {
        if (fnmatch(whole, file->path, FNM_PATHNAME) != 0) {
            continue;
        }
        struct reader inner = *reader;
        inner.file = file;
        inner.rest = file->content;
        inner.line = 1;
        inner.includes++;
        if (!read_block(&inner, true, last)) {
            return false;
        }
    }
    return true;
}

static bool read_directive(struct reader *reader, struct nginx_directive ***last)
{
    const char *words[WORDS_MAX];
    struct nginx_directive *directive = arena_zero(reader->arena, 1, sizeof *directive);
    directive->file = reader->file->path;
    directive->line = reader->line;
    while (now(reader) != ';' && now(reader) != '{') {
        if (reader->rest.length == 0 || now(reader) == '}' || directive->word_count == WORDS_MAX) {
            return fail(reader, "a directive does not end");
        }
        words[directive->word_count++] = take_word(reader);
        skip_blank(reader);
    }
    if (directive->word_count == 0) {
        return fail(reader, "a directive has no name");
    }
    directive->words = arena_zero(reader->arena, directive->word_count, sizeof *directive->words);
    memcpy(directive->words, words, directive->word_count * sizeof *words);
    directive->is_block = now(reader) == '{';
    step(reader);
    if (nginx_config_is(directive, "include") && !directive->is_block) {
        return read_included(reader, nginx_config_word(directive, 1), last);
    }
    **last = directive;
    *last = &directive->next;
    if (!directive->is_block) {
        return true;
    }
    struct nginx_directive **last_child = &directive->children;
    if (reader->depth == DEPTH_MAX) {
        return fail(reader, "blocks nest too deep");
    }
    reader->depth++;
    bool good = read_block(reader, false, &last_child);
    reader->depth--;
    return good;
}

/* Up to the brace that closes it, or the end of the file. */
static bool read_block(struct reader *reader, bool is_file, struct nginx_directive ***last)
{
    while (skip_blank(reader), reader->rest.length > 0) {
        if (now(reader) == '}') {
            step(reader);
            return !is_file || fail(reader, "a brace closes nothing");
        }
        if (!read_directive(reader, last)) {
            return false;
        }
    }
    return is_file || fail(reader, "a block does not end");
}

struct nginx_directive *nginx_config_read(struct arena *arena, struct text dump, struct error *error)
{
    struct nginx_directive *first = NULL, **last = &first;
    const struct dumped *files = split_files(arena, dump);
    if (files == NULL) {
        error_set(error, "there is no line \"%sPATH:\": this is not what `nginx -T' prints", marker);
        return NULL;
    }
    struct reader reader = {arena, files, files, files->content, 1, 0, 0, error};
    if (!read_block(&reader, true, &last)) {
        return NULL;
    }
    if (first == NULL) {
        error_set(error, "%s is empty", files->path);
    }
    return first;
}

bool nginx_config_is(const struct nginx_directive *directive, const char *name)
{
    return strcmp(directive->words[0], name) == 0;
}

const char *nginx_config_word(const struct nginx_directive *directive, size_t index)
{
    return index < directive->word_count ? directive->words[index] : "";
}

const struct nginx_directive *nginx_config_find(const struct nginx_directive *first, const char *name)
{
    const struct nginx_directive *found = NULL;
    for (; first != NULL; first = first->next) {
        found = nginx_config_is(first, name) ? first : found;
    }
    return found;
}
