#include "worker/accept.h"

enum { QUALITY_MAX = 1000 };

/* One media range of the field, with the parameters that count. */
struct media_range {
    struct text type;
    struct text version; /* null: none */
    int quality;         /* thousandths */
};

/* Returns the part before the next `separator` outside of quotes, and moves `rest` behind the separator. */
static struct text take_part(struct text *rest, char separator)
{
    size_t length = 0;
    bool quoted = false;
    for (; length < rest->length && (quoted || rest->data[length] != separator); length++) {
        if (rest->data[length] == '"') {
            quoted = !quoted;
        } else if (quoted && rest->data[length] == '\\' && length + 1 < rest->length) {
            length++;
        }
    }
    struct text part = {rest->data, length};
    size_t step = length < rest->length ? length + 1 : length;
    *rest = (struct text){rest->data + step, rest->length - step};
    return text_trim(part);
}

/* "0.8" → 800. An invalid weight counts as 0. */
static int read_quality(struct text text)
{
    int quality = 0, place = QUALITY_MAX;
    for (size_t i = 0; i < text.length; i++) {
        if (i == 1 ? text.data[i] != '.' : text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        if (i != 1) {
            quality += (text.data[i] - '0') * place;
            place /= 10;
        }
    }
    return quality > QUALITY_MAX ? 0 : quality;
}

static struct media_range read_range(struct text text)
{
    struct media_range range = {.quality = QUALITY_MAX};
    range.type = take_part(&text, ';');
    while (text.length > 0) {
        struct text value = take_part(&text, ';');
        struct text name = take_part(&value, '=');
        value = text_unquote(text_trim(value));
        if (text_is_ignoring_case(name, "q")) {
            range.quality = read_quality(value);
        } else if (text_is_ignoring_case(name, "version")) {
            range.version = value;
        }
    }
    return range;
}

/* How specific a range is for an offer (RFC 9110, section 12.5.1): 0: no match; 1: any type; 2: TYPE and any subtype;
 * 3: type and subtype; 4: the version, too. */
static int specificity(const struct media_range *range, const struct media_offer *offer)
{
    struct text type = range->type;
    size_t half = strcspn(offer->type, "/") + 1;
    if (text_is(type, "*/*")) {
        return 1;
    }
    if (type.length == half + 1 && type.data[half] == '*' && memcmp(type.data, offer->type, half) == 0) {
        return 2;
    }
    if (!text_is_ignoring_case(type, offer->type)) {
        return 0;
    }
    if (range->version.data == NULL) {
        return 3;
    }
    return offer->version != NULL && (offer->version[0] == '\0' || text_is(range->version, offer->version)) ? 4 : 0;
}

/* The weight of the most specific range that matches the offer. */
static int quality_of(struct text accept, const struct media_offer *offer)
{
    int quality = 0, max_specific = 0;
    while (accept.length > 0) {
        struct media_range range = read_range(take_part(&accept, ','));
        int specific = specificity(&range, offer);
        if (specific > max_specific) {
            max_specific = specific;
            quality = range.quality;
        }
    }
    return quality;
}

size_t accept_choose(struct text accept, const struct media_offer *offers, size_t count)
{
    size_t best = 0;
    int best_quality = 0;
    for (size_t i = 0; i < count; i++) {
        int quality = quality_of(accept, &offers[i]);
        if (quality > best_quality) {
            best = i;
            best_quality = quality;
        }
    }
    return best;
}
