/* picture.c: reads the dimensions near the start of each format. Later bytes are ignored. Each read is checked against
 * the
 * length. */
#include "base/picture.h"

#include "base/base64.h"
#include "base/digest.h"

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
    for (int type = PICTURE_NONE + 1; type < PICTURE_TYPE_COUNT; type++) {
        if (text_is(extension, extensions[type])) {
            return (enum picture_type)type;
        }
    }
    return PICTURE_NONE;
}

/* True where `literal` is at `offset`. */
static bool stands_at(struct text bytes, size_t offset, struct text literal)
{
    return bytes.length >= offset && bytes.length - offset >= literal.length &&
           memcmp(bytes.data + offset, literal.data, literal.length) == 0;
}

enum picture_type picture_sniff(struct text bytes)
{
    if (bytes.data == NULL) {
        return PICTURE_NONE;
    }
    if (stands_at(bytes, 0, TEXT("\x89PNG\r\n\x1A\n"))) {
        return PICTURE_PNG;
    }
    if (stands_at(bytes, 0, TEXT("\xFF\xD8\xFF"))) {
        return PICTURE_JPEG;
    }
    if (stands_at(bytes, 0, TEXT("GIF87a")) || stands_at(bytes, 0, TEXT("GIF89a"))) {
        return PICTURE_GIF;
    }
    if (stands_at(bytes, 0, TEXT("RIFF")) && stands_at(bytes, 8, TEXT("WEBP"))) {
        return PICTURE_WEBP;
    }
    return PICTURE_NONE;
}

/* The `count` bytes at `offset` as a number, most significant byte first. The caller checks the length. */
static uint32_t big_endian(struct text bytes, size_t offset, size_t count)
{
    uint32_t number = 0;

    for (size_t i = 0; i < count; i++) {
        number = number << 8 | (unsigned char)bytes.data[offset + i];
    }
    return number;
}

/* The same, least significant byte first. */
static uint32_t little_endian(struct text bytes, size_t offset, size_t count)
{
    uint32_t number = 0;

    for (size_t i = count; i > 0; i--) {
        number = number << 8 | (unsigned char)bytes.data[offset + i - 1];
    }
    return number;
}

/* W3C's PNG, 11.2.1: IHDR is the first chunk, of 13 bytes; neither dimension is zero or beyond 31 bits. */
static bool measure_png(struct text bytes, struct picture *picture)
{
    if (bytes.length < 8 + 8 + 13 || !stands_at(bytes, 8, TEXT("\0\0\0\x0DIHDR"))) {
        return false;
    }
    picture->width = big_endian(bytes, 16, 4);
    picture->height = big_endian(bytes, 20, 4);
    return picture->width <= INT32_MAX && picture->height <= INT32_MAX;
}

/* GIF89a, section 18: the logical screen, which is shown independent of the size of the frames. */
static bool measure_gif(struct text bytes, struct picture *picture)
{
    if (bytes.length < 13) {
        return false;
    }
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

/* ITU-T T.81, B.1 and B.2: segments up to the first frame header. A height of zero, which a later DNL would set, is
 * refused, as browsers do. */
static bool measure_jpeg(struct text bytes, struct picture *picture)
{
    size_t at = 2;

    for (;;) {
        if (at >= bytes.length || (unsigned char)bytes.data[at] != 0xFF) {
            return false;
        }
        while (at < bytes.length && (unsigned char)bytes.data[at] == 0xFF) {
            at++; /* any number of fill bytes */
        }
        if (at == bytes.length) {
            return false;
        }
        unsigned char marker = (unsigned char)bytes.data[at++];
        if (marker == JPEG_TEM || (marker >= JPEG_RST0 && marker <= JPEG_RST7)) {
            continue; /* a marker without a segment */
        }
        if (marker == 0 || marker == JPEG_SOI || marker == JPEG_EOI || marker == JPEG_SOS || bytes.length - at < 2) {
            return false;
        }
        size_t length = big_endian(bytes, at, 2); /* includes these two bytes */
        if (length < 2 || bytes.length - at < length) {
            return false;
        }
        if (is_frame_header(marker)) {
            if (length < 8) {
                return false;
            }
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

    if (bytes.length < DATA + 5) {
        return false;
    }
    size_t chunk_length = little_endian(bytes, CHUNK + 4, 4);

    if (stands_at(bytes, CHUNK, TEXT("VP8 "))) {
        if (chunk_length < 10 || bytes.length < DATA + 10 || (bytes.data[DATA] & 1) != 0 ||
            !stands_at(bytes, DATA + 3, TEXT("\x9D\x01\x2A"))) {
            return false;
        }
        picture->width = little_endian(bytes, DATA + 6, 2) & 0x3FFF;
        picture->height = little_endian(bytes, DATA + 8, 2) & 0x3FFF;
        return true;
    }
    if (stands_at(bytes, CHUNK, TEXT("VP8L"))) {
        uint32_t sizes = little_endian(bytes, DATA + 1, 4);

        if (chunk_length < 5 || bytes.data[DATA] != 0x2F) {
            return false;
        }
        picture->width = (sizes & 0x3FFF) + 1;
        picture->height = (sizes >> 14 & 0x3FFF) + 1;
        return true;
    }
    if (stands_at(bytes, CHUNK, TEXT("VP8X"))) {
        if (chunk_length < 10 || bytes.length < DATA + 10) {
            return false;
        }
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

bool picture_of_data_uri(struct arena *arena, struct text uri, struct picture *picture_r)
{
    struct picture picture = {.type = PICTURE_NONE};
    const char *comma = uri.length > 0 ? memchr(uri.data, ',', uri.length) : NULL;

    if (comma == NULL) {
        return false;
    }
    struct text head = {uri.data, (size_t)(comma - uri.data)};
    struct text base64 = {comma + 1, uri.length - head.length - 1};
    if (!text_starts_with_ignoring_case(head, "data:image/") || !text_ends_with_ignoring_case(head, ";base64") ||
        (picture.bytes = base64_decode(arena, BASE64_WHITE, base64)).data == NULL) {
        return false;
    }
    picture.type = picture_sniff(picture.bytes);
    if (!measure(&picture)) {
        return false;
    }

    picture.hash = digest_sha256(arena, picture.bytes);
    *picture_r = picture;
    return true;
}

bool picture_is_data_uri(struct text text)
{
    return text_starts_with_ignoring_case(text, "data:");
}

/* A path without a slash at its start (RFC 3986, path-noscheme): letters, digits and marks, and no colon in the first
 * segment. */
static bool is_relative_path(struct text text)
{
    bool first_segment = true;

    for (size_t at = 0; at < text.length; at++) {
        unsigned char byte = (unsigned char)text.data[at];

        first_segment = first_segment && byte != '/' && byte != '?' && byte != '#';
        if (byte >= 0x80 || byte == ' ' || byte == '\\' || byte == '"' || byte == '<' || byte == '>' ||
            (first_segment && byte == ':')) {
            return false;
        }
    }
    return true;
}

/* Bidi_Control is allowed: the bytes of an address must not change. */
static bool is_printable(struct text text)
{
    return text_is_free_of(text, text_character_is_control);
}

bool picture_is_remote(struct text text)
{
    return ((text_starts_with_ignoring_case(text, "http://") && text.length > strlen("http://")) ||
            (text_starts_with_ignoring_case(text, "https://") && text.length > strlen("https://"))) &&
           is_printable(text);
}

bool picture_is_address(struct text text)
{
    if (!is_printable(text)) {
        return false;
    }
    if (text.length == 0) {
        return true;
    }
    if (text.data[0] == '/') { /* browsers treat a backslash as a slash here */
        return text.length == 1 || (text.data[1] != '/' && text.data[1] != '\\');
    }
    return picture_is_remote(text) || is_relative_path(text);
}
