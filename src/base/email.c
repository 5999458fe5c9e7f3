#include "base/email.h"

enum { EMAIL_LENGTH_MAX = 254 };

/* Lower case may decompose a letter (`İ`), so composition comes last: the same letter always gets the same form. */
struct text email_fold(struct arena *arena, struct text typed)
{
    struct text composed = text_compose(arena, text_trim_unicode(typed));
    return text_compose(arena, text_to_lower(arena, composed));
}

bool email_equal(struct arena *arena, struct text left, struct text right)
{
    return text_equal(email_fold(arena, left), email_fold(arena, right));
}

static bool is_bad(uint32_t character)
{
    return text_character_is_odd(character) || text_character_is_white(character) ||
           text_character_is_format(character);
}

bool email_is_valid(struct text email)
{
    const char *at = email.length > 0 ? memchr(email.data, '@', email.length) : NULL;
    if (at == NULL || email.length > EMAIL_LENGTH_MAX || !text_is_free_of(email, is_bad)) {
        return false;
    }
    struct text local = {email.data, (size_t)(at - email.data)};
    struct text domain = {at + 1, email.length - local.length - 1};
    if (local.length == 0 || domain.length == 0 || memchr(domain.data, '@', domain.length) != NULL) {
        return false;
    }
    if (text_is_ignoring_case(domain, "localhost")) {
        return true;
    }
    const char *dot = memchr(domain.data, '.', domain.length);
    return dot != NULL && dot != domain.data && domain.data[domain.length - 1] != '.';
}
