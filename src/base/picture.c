/* picture.c: the dimensions stand near the start of each format, and nothing behind them is looked at. Every read is
 * checked against the length of what was sent. */
#include "base/picture.h"

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/log.h"

static const char *const extensions[PICTURE_TYPE_COUNT] = {
    [PICTURE_PNG] = "png",
    [PICTURE_JPEG] = "jpeg",
    [PICTURE_GIF] = "gif",
    [PICTURE_WEBP] = "webp",
};

static const char *const media_types[PICTURE_TYPE_COUNT] = {
    [PICTURE_PNG] = "image/png",
    [PICTURE_JPEG] = "image/jpeg",
    [PICTURE_GIF] = "image/gif",
    [PICTURE_WEBP] = "image/webp",
};

const char *picture_media_type(enum picture_type type)
{
    return media_types[type];
}

const char *picture_extension(enum picture_type type)
{
    return extensions[type];
}

enum picture_type picture_type_of_extension(struct text extension)
{
    for (int type = PICTURE_NONE + 1; type < PICTURE_TYPE_COUNT; type++)
        if (text_is(extension, extensions[type]))
            return (enum picture_type)type;
    return PICTURE_NONE;
}

/* True where `literal` stands at `offset`. */
static bool stands_at(struct text bytes, size_t offset, struct text literal)
{
    return bytes.length >= offset && bytes.length - offset >= literal.length &&
           memcmp(bytes.data + offset, literal.data, literal.length) == 0;
}

enum picture_type picture_sniff(struct text bytes)
{
    if (bytes.data == NULL)
        return PICTURE_NONE;
    if (stands_at(bytes, 0, TEXT("\x89PNG\r\n\x1A\n")))
        return PICTURE_PNG;
    if (stands_at(bytes, 0, TEXT("\xFF\xD8\xFF")))
        return PICTURE_JPEG;
    if (stands_at(bytes, 0, TEXT("GIF87a")) || stands_at(bytes, 0, TEXT("GIF89a")))
        return PICTURE_GIF;
    if (stands_at(bytes, 0, TEXT("RIFF")) && stands_at(bytes, 8, TEXT("WEBP")))
        return PICTURE_WEBP;
    return PICTURE_NONE;
}

/* The `count` bytes at `offset` as a number, most significant first. The caller has checked that they are there. */
static uint32_t big_endian(struct text bytes, size_t offset, size_t count)
{
    uint32_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | (unsigned char)bytes.data[offset + i];
    return number;
}

/* The same, least significant byte first. */
static uint32_t little_endian(struct text bytes, size_t offset, size_t count)
{
    uint32_t number = 0;

    for (size_t i = count; i > 0; i--)
        number = number << 8 | (unsigned char)bytes.data[offset + i - 1];
    return number;
}

/* W3C's PNG, 11.2.1: IHDR is the first chunk, of 13 bytes; neither dimension is zero or beyond 31 bits. */
static bool measure_png(struct text bytes, struct picture *picture)
{
    if (bytes.length < 8 + 8 + 13 || !stands_at(bytes, 8, TEXT("\0\0\0\x0DIHDR")))
        return false;
    picture->width = big_endian(bytes, 16, 4);
    picture->height = big_endian(bytes, 20, 4);
    return picture->width <= INT32_MAX && picture->height <= INT32_MAX;
}

/* GIF89a, 18: the logical screen, which is what is shown whatever the size of the frames. */
static bool measure_gif(struct text bytes, struct picture *picture)
{
    if (bytes.length < 13)
        return false;
    picture->width = little_endian(bytes, 6, 2);
    picture->height = little_endian(bytes, 8, 2);
    return true;
}

/* Markers of ITU-T T.81, table B.1. */
enum {
    JPEG_TEM = 0x01,
    JPEG_SOF0 = 0xC0,
    JPEG_DHT = 0xC4,
    JPEG_JPG = 0xC8,
    JPEG_DAC = 0xCC,
    JPEG_SOF15 = 0xCF,
    JPEG_RST0 = 0xD0,
    JPEG_RST7 = 0xD7,
    JPEG_SOI = 0xD8,
    JPEG_EOI = 0xD9,
    JPEG_SOS = 0xDA,
};

static bool is_frame_header(unsigned char marker)
{
    return marker >= JPEG_SOF0 && marker <= JPEG_SOF15 && marker != JPEG_DHT && marker != JPEG_JPG &&
           marker != JPEG_DAC;
}

/* ITU-T T.81, B.1 and B.2: segments up to the first frame header. A height of zero, to be given by a later DNL, is
 * refused, as browsers do. */
static bool measure_jpeg(struct text bytes, struct picture *picture)
{
    size_t at = 2;

    for (;;) {
        unsigned char marker;
        size_t length;

        if (at >= bytes.length || (unsigned char)bytes.data[at] != 0xFF)
            return false;
        while (at < bytes.length && (unsigned char)bytes.data[at] == 0xFF)
            at++; /* any number of fill bytes */
        if (at == bytes.length)
            return false;
        marker = (unsigned char)bytes.data[at++];
        if (marker == JPEG_TEM || (marker >= JPEG_RST0 && marker <= JPEG_RST7))
            continue; /* stands alone */
        if (marker == 0 || marker == JPEG_SOI || marker == JPEG_EOI || marker == JPEG_SOS || bytes.length - at < 2)
            return false;
        length = big_endian(bytes, at, 2); /* with these two bytes */
        if (length < 2 || bytes.length - at < length)
            return false;
        if (is_frame_header(marker)) {
            if (length < 8)
                return false;
            picture->height = big_endian(bytes, at + 3, 2);
            picture->width = big_endian(bytes, at + 5, 2);
            return true;
        }
        at += length;
    }
}

/* RFC 9649, 2.5 to 2.7, and for VP8 RFC 6386, 9.1. */
static bool measure_webp(struct text bytes, struct picture *picture)
{
    enum { CHUNK = 12, DATA = 20 };
    size_t chunk_length;

    if (bytes.length < DATA + 5)
        return false;
    chunk_length = little_endian(bytes, CHUNK + 4, 4);

    if (stands_at(bytes, CHUNK, TEXT("VP8 "))) {
        if (chunk_length < 10 || bytes.length < DATA + 10 || (bytes.data[DATA] & 1) != 0 ||
            !stands_at(bytes, DATA + 3, TEXT("\x9D\x01\x2A")))
            return false;
        picture->width = little_endian(bytes, DATA + 6, 2) & 0x3FFF;
        picture->height = little_endian(bytes, DATA + 8, 2) & 0x3FFF;
        return true;
    }
    if (stands_at(bytes, CHUNK, TEXT("VP8L"))) {
        uint32_t sizes = little_endian(bytes, DATA + 1, 4);

        if (chunk_length < 5 || bytes.data[DATA] != 0x2F)
            return false;
        picture->width = (sizes & 0x3FFF) + 1;
        picture->height = (sizes >> 14 & 0x3FFF) + 1;
        return true;
    }
    if (stands_at(bytes, CHUNK, TEXT("VP8X"))) {
        if (chunk_length < 10 || bytes.length < DATA + 10)
            return false;
        picture->width = little_endian(bytes, DATA + 4, 3) + 1;
        picture->height = little_endian(bytes, DATA + 7, 3) + 1;
        return true;
    }
    return false;
}

static bool measure(struct picture *picture)
{
    bool measured = false;

    switch (picture->type) {
    case PICTURE_PNG:
        measured = measure_png(picture->bytes, picture);
        break;
    case PICTURE_JPEG:
        measured = measure_jpeg(picture->bytes, picture);
        break;
    case PICTURE_GIF:
        measured = measure_gif(picture->bytes, picture);
        break;
    case PICTURE_WEBP:
        measured = measure_webp(picture->bytes, picture);
        break;
    case PICTURE_NONE:
    case PICTURE_TYPE_COUNT:
        break;
    }
    return measured && picture->width > 0 && picture->height > 0;
}

enum { BASE64_STRAY = -1, BASE64_WHITE = -2, BASE64_PADDING = -3 };

#define X BASE64_STRAY
#define W BASE64_WHITE
#define P BASE64_PADDING
/* clang-format off */
static const signed char base64_values[128] = {
     X,  X,  X,  X,  X,  X,  X,  X,  X,  W,  W,  X,  W,  W,  X,  X,
     X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
     W,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X, 62,  X,  X,  X, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61,  X,  X,  X,  P,  X,  X,
     X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,  X,  X,  X,  X,  X,
     X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,  X,  X,  X,  X,  X,
};
/* clang-format on */
#undef X
#undef W
#undef P

static int base64_value(char byte)
{
    unsigned char index = (unsigned char)byte;

    return index < sizeof base64_values ? base64_values[index] : BASE64_STRAY;
}

/* RFC 4648, section 4, with white space anywhere. The padding must be there, and nothing but white space behind it. */
static bool decode_base64(struct arena *arena, struct text base64, struct text *bytes_r)
{
    char *bytes = arena_alloc(arena, base64.length / 4 * 3 + 3);
    size_t length = 0, digits = 0, padding = 0;
    uint32_t group = 0;

    for (size_t i = 0; i < base64.length; i++) {
        int value = base64_value(base64.data[i]);

        if (value == BASE64_WHITE)
            continue;
        if (value == BASE64_PADDING) {
            padding++;
            continue;
        }
        if (value == BASE64_STRAY || padding > 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            bytes[length++] = (char)(group >> 16 & 0xFF);
            bytes[length++] = (char)(group >> 8 & 0xFF);
            bytes[length++] = (char)(group & 0xFF);
        }
    }
    if (padding > 2 || (digits + padding) % 4 != 0 || (digits % 4 == 0 && padding > 0))
        return false;
    if (digits % 4 >= 2)
        bytes[length++] = (char)((digits % 4 == 2 ? group >> 4 : group >> 10) & 0xFF);
    if (digits % 4 == 3)
        bytes[length++] = (char)(group >> 2 & 0xFF);
    *bytes_r = (struct text){bytes, length};
    return true;
}

static bool starts_with_ignoring_case(struct text text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text.length >= length && text_is_ignoring_case((struct text){text.data, length}, prefix);
}

static bool ends_with_ignoring_case(struct text text, const char *suffix)
{
    size_t length = strlen(suffix);

    return text.length >= length &&
           text_is_ignoring_case((struct text){text.data + text.length - length, length}, suffix);
}

bool picture_of_data_uri(struct arena *arena, struct text uri, struct picture *picture_r)
{
    struct picture picture = {.type = PICTURE_NONE};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    struct text head, base64;
    const char *comma = uri.length > 0 ? memchr(uri.data, ',', uri.length) : NULL;

    if (comma == NULL)
        return false;
    head = (struct text){uri.data, (size_t)(comma - uri.data)};
    base64 = (struct text){comma + 1, uri.length - head.length - 1};
    if (!starts_with_ignoring_case(head, "data:image/") || !ends_with_ignoring_case(head, ";base64") ||
        !decode_base64(arena, base64, &picture.bytes))
        return false;
    picture.type = picture_sniff(picture.bytes);
    if (!measure(&picture))
        return false;

    invariant(EVP_Digest(picture.bytes.data, picture.bytes.length, digest, &digest_length, EVP_sha256(), NULL) == 1);
    picture.hash = text_hex(arena, digest, digest_length);
    *picture_r = picture;
    return true;
}

bool picture_is_data_uri(struct text text)
{
    return starts_with_ignoring_case(text, "data:");
}

/* A path that starts with no slash (RFC 3986, path-noscheme): letters, digits and marks, and no colon in its first segment. */
static bool is_relative_path(struct text text)
{
    bool first_segment = true;

    for (size_t at = 0; at < text.length; at++) {
        unsigned char byte = (unsigned char)text.data[at];

        first_segment = first_segment && byte != '/' && byte != '?' && byte != '#';
        if (byte >= 0x80 || byte == ' ' || byte == '\\' || byte == '"' || byte == '<' || byte == '>' || (first_segment && byte == ':'))
            return false;
    }
    return true;
}

/* True where there is no control character and nothing that is no UTF-8. */
static bool is_printable(struct text text)
{
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);

        if (step == 0 || character < 0x20 || (character >= 0x7F && character < 0xA0))
            return false;
        at += step;
    }
    return true;
}

bool picture_is_remote(struct text text)
{
    return ((starts_with_ignoring_case(text, "http://") && text.length > strlen("http://")) ||
            (starts_with_ignoring_case(text, "https://") && text.length > strlen("https://"))) &&
           is_printable(text);
}

bool picture_is_address(struct text text)
{
    if (!is_printable(text))
        return false;
    if (text.length == 0)
        return true;
    if (text.data[0] == '/') /* a browser takes a backslash for a slash here */
        return text.length == 1 || (text.data[1] != '/' && text.data[1] != '\\');
    return picture_is_remote(text) || is_relative_path(text);
}
