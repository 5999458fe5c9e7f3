/* pictures.c: pictures of users, and the files that nginx asks for once. */
#include "api/handlers.h"
#include "base/picture.h"
#include "store/picture_store.h"
#include "store/user_store.h"

/* ---- initials ---- */

/* Background colours with enough contrast to white (WCAG 2, 4.5:1). */
static const char *const colours[] = {"#b3261e", "#8e24aa", "#5e35b1", "#3949ab", "#1565c0", "#00695c", "#2e7d32", "#a84300"};

/* The first character of a text that is well-formed UTF-8. */
static struct text first_character(struct text text)
{
    size_t length = text.length > 0 ? 1 : 0;
    while (length > 0 && length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80) {
        length++;
    }
    return (struct text){text.data, length};
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
            if ((unsigned char)text.data[i] >= 0x20) {
                buffer_add_byte(buffer, text.data[i]);
            }
        }
    }
}

/* The first characters of the first and the last word of the name. */
static enum outcome answer_initials(struct request *request, const struct value *user)
{
    struct text name = text_trim(user[USER_name].text);
    struct buffer *body = &request->response.body;
    unsigned sum = 0;
    for (size_t i = 0; i < user[USER_id].text.length; i++) {
        sum = sum * 31 + (unsigned char)user[USER_id].text.data[i];
    }
    buffer_add_literal(body, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 100\" width=\"256\" height=\"256\">"
                             "<rect width=\"100\" height=\"100\" fill=\"");
    buffer_add_string(body, colours[sum % (sizeof colours / sizeof colours[0])]);
    buffer_add_literal(body, "\"/><text x=\"50\" y=\"50\" dy=\".35em\" text-anchor=\"middle\" font-family=\"sans-serif\" font-size=\"42\" "
                             "fill=\"#ffffff\">");
    add_markup(body, first_character(name));
    for (size_t i = name.length; i > 0; i--) {
        if (name.data[i - 1] == ' ') {
            add_markup(body, first_character((struct text){name.data + i, name.length - i}));
            break;
        }
    }
    buffer_add_literal(body, "</text></svg>\n");
    request->response.content_type = "image/svg+xml";
    response_add_header(request, "Content-Security-Policy", TEXT("default-src 'none'; sandbox"));
    return OK;
}

/* ---- a user's picture ---- */

/* True where If-None-Match (RFC 9110, 13.1.2) names this entity tag, or any. */
static bool matches_tag(struct text if_none_match, struct text tag)
{
    if (text_is(text_trim(if_none_match), "*")) {
        return true;
    }
    return if_none_match.length >= tag.length && memmem(if_none_match.data, if_none_match.length, tag.data, tag.length) != NULL;
}

/* Sends the picture that an address of ours names; NOT_FOUND where it is not there. */
static enum outcome answer_bytes(struct request *request, struct text hash, enum picture_type type)
{
    struct context *context = &request->context;
    struct text tag = text_format(context->arena, "\"%.*s\"", (int)hash.length, hash.data);
    if (request->if_none_match.data != NULL && matches_tag(request->if_none_match, tag)) {
        response_add_header(request, "ETag", tag);
        request->response.status = 304;
        return OK;
    }
    struct text bytes;
    enum picture_type stored;
    enum outcome outcome = picture_store_read(context, hash, &stored, &bytes);
    if (outcome == OK && stored != type) {
        return problem_set(context, ERROR_NOT_FOUND);
    }
    if (outcome == OK) {
        response_add_header(request, "ETag", tag);
        response_add_header(request, "Content-Disposition",
                            text_format(context->arena, "inline; filename=image.%s", picture_extension(type)));
        request->response.content_type = picture_media_type(type);
        buffer_add_text(&request->response.body, bytes);
    }
    return outcome;
}

enum outcome handle_user_picture(struct request *request)
{
    struct context *context = &request->context;
    const struct value *user;
    enum outcome outcome = user_store_get(context, request->parameters[0], &user);
    if (outcome != OK) {
        return outcome;
    }
    request->response.cache_control = "private, no-cache";
    struct text address = user[USER_profile_image_url].text;
    struct text hash;
    enum picture_type type;
    if (picture_store_parse_address(address, &hash, &type)) {
        outcome = answer_bytes(request, hash, type);
        if (outcome != PROBLEM) {
            return outcome;
        }
        context->problem = (struct problem){.code = ERROR_NONE}; /* the bytes are gone: the default stands in */
    } else if (picture_is_remote(address)) {
        response_add_header(request, "Location", address);
        request->response.status = 302;
        request->response.no_body = true;
        return OK;
    }
    if (request->query[INPUT_picture_query_initials].integer != 0) {
        return answer_initials(request, user);
    }
    response_internal_redirect(request, text_of(context->config->default_picture));
    return OK;
}

enum outcome handle_picture_file(struct request *request)
{
    struct context *context = &request->context;
    struct text hash;
    enum picture_type type;
    struct text address = text_format(context->arena, "/pictures/%.*s", (int)request->parameters[0].length, request->parameters[0].data);
    if (!picture_store_parse_address(address, &hash, &type)) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such picture.");
    }
    enum outcome outcome = answer_bytes(request, hash, type);
    if (outcome == PROBLEM) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such picture.");
    }
    request->response.cache_control = "public, max-age=31536000, immutable";
    return outcome;
}
