#include "api/account.h"

#include "auth/password.h"
#include "store/picture_store.h"
#include "store/user_store.h"

enum { EMAIL_LENGTH_MOST = 254 }; /* RFC 5321, 4.5.3.1.3, less the angle brackets */

bool account_is_email(struct text email)
{
    const char *at = email.length > 0 ? memchr(email.data, '@', email.length) : NULL;
    if (at == NULL || email.length > EMAIL_LENGTH_MOST) {
        return false;
    }
    struct text local = {email.data, (size_t)(at - email.data)};
    struct text domain = {at + 1, email.length - local.length - 1};
    if (local.length == 0 || domain.length == 0 || memchr(domain.data, '@', domain.length) != NULL) {
        return false;
    }
    for (size_t i = 0; i < email.length; i++) {
        unsigned char byte = (unsigned char)email.data[i];
        if (byte <= ' ' || byte == 0x7f) {
            return false;
        }
    }
    if (text_is_ignoring_case(domain, "localhost")) {
        return true;
    }
    const char *dot = memchr(domain.data, '.', domain.length);
    return dot != NULL && dot != domain.data && domain.data[domain.length - 1] != '.';
}

enum outcome account_take_email(struct context *context, struct text sent, struct text user_id, struct text present, struct text *email_r)
{
    *email_r = text_to_lower(context->arena, text_trim(sent));
    if (present.data != NULL && text_equal(*email_r, text_to_lower(context->arena, present))) {
        return OK;
    }
    if (!account_is_email(*email_r)) {
        return problem_set(context, ERROR_INVALID_EMAIL_FORMAT);
    }
    bool taken;
    enum outcome outcome = user_store_email_taken(context, *email_r, user_id, &taken);
    return outcome == OK && taken ? problem_set(context, ERROR_EMAIL_TAKEN) : outcome;
}

enum outcome account_take_picture(struct context *context, struct text sent, struct text present, struct text *address_r,
                                  const struct picture **picture_r)
{
    if (present.data != NULL && text_equal(sent, present)) {
        *address_r = sent;
        *picture_r = NULL;
        return OK;
    }
    return picture_store_take(context, sent, address_r, picture_r);
}

enum outcome account_take_password(struct context *context, struct text password, struct text email, struct text name, struct text *hash_r)
{
    enum outcome outcome = password_check_rules(context, password, email, name);
    return outcome == OK ? password_hash(context, password, hash_r) : outcome;
}
