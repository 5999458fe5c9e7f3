/* pictures.c: pictures of users, and their files, which nginx stores. */
#include <inttypes.h>
#include <sys/statvfs.h>

#include "api/handlers.h"
#include "base/array.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/picture.h"
#include "base/problem.h"
#include "store/picture_store.h"
#include "store/user_store.h"

/* The free space that nginx needs to store a picture: enough for all pictures that it may write at the same time. */
enum { KEEP_BYTES_MIN = 32 << 20, KEEP_FILES_MIN = 64, KEEP_LOG_SECONDS = 60 };

/* ---- initials ---- */

/* Background colours with enough contrast to white (WCAG 2, 4.5:1). */
static const char *const colours[] = {"#b3261e", "#8e24aa", "#5e35b1", "#3949ab",
                                      "#1565c0", "#00695c", "#2e7d32", "#a84300"};

/* The first visible character of a word. */
static struct text first_character(struct text word)
{
    for (size_t at = 0; at < word.length;) {
        uint32_t character = 0;
        size_t step = text_utf8_step(word.data + at, word.length - at, &character);
        /* U+FFFE, U+FFFF and the like are not characters, and are invalid in XML */
        bool is_none = (character & 0xFFFE) == 0xFFFE;
        if (step > 0 && !is_none && !text_character_is_odd(character) && !text_character_is_format(character)) {
            return (struct text){word.data + at, step};
        }
        at += step > 0 ? step : 1;
    }
    return (struct text){word.data, 0};
}

/* The offset of the last word of a trimmed text; 0 where it has one word. */
static size_t last_word(struct text text)
{
    size_t begins = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        at += step > 0 ? step : 1;
        if (step > 0 && text_character_is_white(character)) {
            begins = at;
        }
    }
    return begins;
}

static void add_markup(struct buffer *buffer, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        switch (text.data[i]) {
        case '&':
            buffer_add_literal(buffer, "&amp;");
            break;
        case '<':
            buffer_add_literal(buffer, "&lt;");
            break;
        case '>':
            buffer_add_literal(buffer, "&gt;");
            break;
        default:
            buffer_add_byte(buffer, text.data[i]);
        }
    }
}

/* The first characters of the first and the last word of the name. */
static enum outcome answer_initials(struct request *request, const struct user_picture *user)
{
    struct text name = text_trim_unicode(user->name);
    struct buffer *body = &request->response.body;
    unsigned sum = 0;
    for (size_t i = 0; i < user->id.length; i++) {
        sum = sum * 31 + (unsigned char)user->id.data[i];
    }
    buffer_add_literal(body,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 100\" width=\"256\" height=\"256\">"
                       "<rect width=\"100\" height=\"100\" fill=\"");
    buffer_add_string(body, colours[sum % (ARRAY_COUNT(colours))]);
    buffer_add_literal(
        body,
        "\"/><text x=\"50\" y=\"50\" dy=\".35em\" text-anchor=\"middle\" font-family=\"sans-serif\" font-size=\"42\" "
        "fill=\"#ffffff\">");
    add_markup(body, first_character(name));
    size_t last = last_word(name);
    if (last > 0) {
        add_markup(body, first_character((struct text){name.data + last, name.length - last}));
    }
    buffer_add_literal(body, "</text></svg>\n");
    request->response.content_type = "image/svg+xml";
    response_add_header(request, "Content-Security-Policy", TEXT("default-src 'none'; sandbox"));
    return OK;
}

/* ---- a user's picture ---- */

/* True where If-None-Match (RFC 9110, section 13.1.2) matches this entity tag, or is `*`. `"TAG"` and `W/"TAG"` are
 * equal here (weak comparison). A malformed field matches nothing. */
static bool matches_tag(struct text if_none_match, struct text tag)
{
    const char *at = if_none_match.data, *end = at + if_none_match.length;
    if (text_is(text_trim(if_none_match), "*")) {
        return true;
    }
    for (;;) {
        at += strspn(at, " \t,");
        if (end - at > 2 && at[0] == 'W' && at[1] == '/') {
            at += 2;
        }
        const char *closing = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
        if (closing == NULL) {
            return false;
        }
        if (text_equal((struct text){at, (size_t)(closing + 1 - at)}, tag)) {
            return true;
        }
        at = closing + 1 + strspn(closing + 1, " \t");
        if (*at != ',') {
            return false;
        }
    }
}

/* Answers 304 and returns true where the client has the picture already. */
static bool answer_not_modified(struct request *request, struct text hash)
{
    struct text tag = text_format(request->context.arena, "\"%.*s\"", (int)hash.length, hash.data);
    response_add_header(request, "ETag", tag);
    bool matches = request->if_none_match.data != NULL && matches_tag(request->if_none_match, tag);
    if (matches) {
        request->response.status = 304;
    }
    return matches;
}

static void answer_picture(struct request *request, enum picture_type type, struct text bytes)
{
    response_add_header(request, "Content-Disposition",
                        text_format(request->context.arena, "inline; filename=image.%s", picture_extension(type)));
    request->response.content_type = picture_media_type(type);
    buffer_add_text(&request->response.body, bytes);
}

/* Sends the picture with this hash; NOT_FOUND where it is missing, also for a request with If-None-Match. */
static enum outcome answer_bytes(struct request *request, struct text hash, enum picture_type type)
{
    struct context *context = &request->context;
    bool exists = true;
    if (request->if_none_match.data != NULL) {
        enum outcome outcome = picture_store_exists(context, hash, type, &exists);
        if (outcome != OK) {
            return outcome;
        }
        if (exists && answer_not_modified(request, hash)) {
            return OK;
        }
    }
    struct text bytes;
    enum picture_type stored;
    enum outcome outcome =
        exists ? picture_store_read(context, hash, &stored, &bytes) : problem_set(context, ERROR_NOT_FOUND);
    if (outcome == OK && stored != type) {
        return problem_set(context, ERROR_NOT_FOUND);
    }
    if (outcome == OK) {
        if (request->if_none_match.data == NULL) {
            answer_not_modified(request, hash);
        }
        answer_picture(request, type, bytes);
    }
    return outcome;
}

/* Sends a picture that is still stored in the user's row, and moves it to table picture. PROBLEM where it can't be
 * decoded. */
static enum outcome answer_own_bytes(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    const struct problem none = context->problem;
    struct picture picture;
    enum outcome outcome = picture_store_bring(context, user_id, &picture);
    if (outcome == OK && picture.type == PICTURE_NONE) { /* it can't be decoded, or another request has moved it */
        struct user_picture now;
        outcome = user_store_picture(context, user_id, &now);
        if (outcome != OK) {
            return outcome;
        }
        struct text hash;
        enum picture_type type;
        return picture_store_parse_address(now.address, &hash, &type) ? answer_bytes(request, hash, type)
                                                                      : problem_set(context, ERROR_NOT_FOUND);
    }
    if (picture.type == PICTURE_NONE) {
        return outcome;
    }
    context->problem = none;
    if (!answer_not_modified(request, picture.hash)) {
        answer_picture(request, picture.type, picture.bytes);
    }
    return OK;
}

enum outcome handle_user_picture(struct request *request)
{
    struct context *context = &request->context;
    struct user_picture user;
    enum outcome outcome = user_store_picture(context, request->parameters[0], &user);
    if (outcome != OK) {
        return outcome;
    }
    request->response.cache_control = "private, no-cache";
    struct text hash;
    enum picture_type type;
    bool is_here = picture_store_parse_address(user.address, &hash, &type);
    if (user.is_own_bytes || is_here) {
        outcome = is_here ? answer_bytes(request, hash, type) : answer_own_bytes(request, user.id);
        if (outcome != PROBLEM) {
            return outcome;
        }
        context->problem = (struct problem){.code = ERROR_NONE}; /* without bytes the default picture is sent */
    } else if (picture_is_remote(user.address)) {
        response_add_header(request, "Location", percent_encode_uri(context->arena, user.address));
        request->response.status = 302;
        request->response.no_body = true;
        return OK;
    }
    if (request->query[INPUT_picture_query_initials].integer != 0) {
        return answer_initials(request, &user);
    }
    response_internal_redirect(request, text_of(context->config->default_picture));
    return OK;
}

/* Whether the disk has room for nginx to store a picture. Where nginx runs out of space while it stores one, it sends
 * no response. True where the directory can't be read: nginx then tries. */
static bool has_room(struct request *request)
{
    struct statvfs disk;
    if (statvfs(request->keep_directory.data, &disk) != 0) {
        return true;
    }
    uint64_t bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    /* 0: the file system does not count them */
    bool has_files = disk.f_files == 0 || disk.f_favail >= KEEP_FILES_MIN;
    if (bytes >= KEEP_BYTES_MIN && has_files) {
        if (log_topic_end(LOG_TOPIC_KEEP)) {
            log_notice(&request->context, "there is enough space again to store pictures in %s",
                       request->keep_directory.data);
        }
        return true;
    }
    if (log_topic_due(LOG_TOPIC_KEEP, KEEP_LOG_SECONDS)) {
        log_warning(&request->context,
                    "there is not enough space to store pictures in %s (%" PRIu64 " MiB, %" PRIu64
                    " files left): they are served from MariaDB; free some space there",
                    request->keep_directory.data, bytes >> 20, (uint64_t)disk.f_favail);
    }
    return false;
}

/* Redirects nginx to the location that stores the picture. *sent_r false: not enough space, or no such picture. */
static enum outcome hand_to_keeper(struct request *request, struct text hash, enum picture_type type, bool *sent_r)
{
    *sent_r = false;
    if (request->keep_directory.data == NULL || request->if_none_match.data != NULL || !has_room(request)) {
        return OK;
    }
    bool exists = false;
    enum outcome outcome = picture_store_exists(&request->context, hash, type, &exists);
    if (outcome == OK && exists) {
        response_internal_redirect(request, TEXT("@roster_picture_keep"));
        request->admission.is_handed_over = true;
        *sent_r = true;
    }
    return outcome;
}

enum outcome handle_picture_file(struct request *request)
{
    struct context *context = &request->context;
    struct text hash;
    enum picture_type type;
    struct text address =
        text_format(context->arena, "/pictures/%.*s", (int)request->parameters[0].length, request->parameters[0].data);
    if (!picture_store_parse_address(address, &hash, &type)) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such picture.");
    }
    bool is_sent_on;
    enum outcome outcome = hand_to_keeper(request, hash, type, &is_sent_on);
    if (outcome != OK || is_sent_on) {
        return outcome;
    }
    outcome = answer_bytes(request, hash, type);
    if (outcome == PROBLEM) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such picture.");
    }
    request->response.cache_control = "public, max-age=31536000, immutable";
    return outcome;
}
