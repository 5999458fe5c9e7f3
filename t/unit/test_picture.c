/* test_picture.c: types by their first bytes, dimensions, base64, and addresses. */
#include <stdlib.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/picture.h"
#include "unit.h"

#define PNG_HEAD "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR"
#define JPEG_HEAD "\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
#define SOF0 "\xFF\xC0\0\x0B\x08\0\x40\0\x80\1\1\x11\0"
#define WEBP_HEAD "RIFF\x20\0\0\0WEBP"

/* Encoded apart from the decoder, one bit at a time. */
static void add_base64(struct buffer *buffer, struct text bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bits = bytes.length * 8;

    for (size_t at = 0; at < bits; at += 6) {
        unsigned value = 0;

        for (size_t bit = at; bit < at + 6; bit++) {
            value <<= 1;
            if (bit < bits) {
                value |= (unsigned)(unsigned char)bytes.data[bit / 8] >> (7 - bit % 8) & 1U;
            }
        }
        buffer_add_byte(buffer, digits[value]);
    }
    for (size_t length = bytes.length; length % 3 != 0; length++) {
        buffer_add_byte(buffer, '=');
    }
}

static struct text uri_of(struct text bytes)
{
    struct buffer buffer;

    buffer_init(&buffer, arena);
    buffer_add_literal(&buffer, "data:image/png;base64,");
    add_base64(&buffer, bytes);
    return buffer_text(&buffer);
}

static const struct {
    struct text bytes;
    enum picture_type type;
    uint32_t width, height; /* 0: they can't be read */
} rows[] = {
    {TEXT(PNG_HEAD "\0\0\1\0\0\0\0\x80\x08\6\0\0\0crc!"), PICTURE_PNG, 256, 128},
    {TEXT(PNG_HEAD "\x7F\xFF\xFF\xFF\0\0\0\1\x08\6\0\0\0"), PICTURE_PNG, 2147483647, 1},
    {TEXT(PNG_HEAD "\x80\0\0\0\0\0\0\1\x08\6\0\0\0"), PICTURE_PNG, 0, 0},
    {TEXT(PNG_HEAD "\0\0\0\0\0\0\0\1\x08\6\0\0\0"), PICTURE_PNG, 0, 0},
    {TEXT(PNG_HEAD "\0\0\0\1\0\0\0\0\x08\6\0\0\0"), PICTURE_PNG, 0, 0},
    {TEXT(PNG_HEAD "\0\0\0\1\0\0\0\1\x08\6\0\0"), PICTURE_PNG, 0, 0},
    {TEXT("\x89PNG\r\n\x1A\n"), PICTURE_PNG, 0, 0},
    {TEXT("\x89PNG\r\n\x1A\n\0\0\0\x0DIDAT\0\0\0\1\0\0\0\1\x08\6\0\0\0"), PICTURE_PNG, 0, 0},
    {TEXT("\x89PNG\r\n\x1A"), PICTURE_NONE, 0, 0},
    {TEXT("\x89PNG\n\n\x1A\n\0\0\0\x0DIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0"), PICTURE_NONE, 0, 0},

    {TEXT(JPEG_HEAD SOF0), PICTURE_JPEG, 128, 64},
    /* Progressive, behind fill bytes, tables and a comment which holds what looks like a frame header. */
    {TEXT("\xFF\xD8\xFF\xFF\xFF\xDB\0\5abc\xFF\xFE\0\x0F" SOF0 "\xFF\xC4\0\2\xFF\xC2\0\x08\x08\2\1\1\3\0"),
     PICTURE_JPEG, 259, 513},
    {TEXT("\xFF\xD8\xFF\x01\xFF\xD0" SOF0), PICTURE_JPEG, 128, 64},
    {TEXT("\xFF\xD8\xFF\xCF\0\x08\x08\0\1\0\1\0"), PICTURE_JPEG, 1, 1},
    {TEXT("\xFF\xD8\xFF\xC0\0\x08\x08\0\0\0\1\0"), PICTURE_JPEG, 0, 0}, /* a height of 0 */
    {TEXT("\xFF\xD8\xFF\xC0\0\7\x08\0\1\0\1\0"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xC0\0\x09\x08\0\1\0\1\0"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xDA\0\x02" SOF0), PICTURE_JPEG, 0, 0}, /* the scan before its frame */
    {TEXT("\xFF\xD8\xFF\xE0\0\1" SOF0), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xE0\xFF\xFF"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xE0\0"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xE0\0\2x" SOF0), PICTURE_JPEG, 0, 0}, /* no marker where one must be */
    {TEXT("\xFF\xD8\xFF\xD9"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\x00"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF\xFF\xFF"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8\xFF"), PICTURE_JPEG, 0, 0},
    {TEXT("\xFF\xD8"), PICTURE_NONE, 0, 0},

    {TEXT("GIF89a\x2C\1\1\2\0\0\0;"), PICTURE_GIF, 300, 513},
    {TEXT("GIF87a\1\0\xFF\xFF\0\0\0;"), PICTURE_GIF, 1, 65535},
    {TEXT("GIF89a\0\0\1\0\0\0\0;"), PICTURE_GIF, 0, 0},
    {TEXT("GIF89a\1\0\1\0\0\0"), PICTURE_GIF, 0, 0},
    {TEXT("GIF89a"), PICTURE_GIF, 0, 0},
    {TEXT("GIF88a\1\0\1\0\0\0\0;"), PICTURE_NONE, 0, 0},

    /* The two upper bits of VP8's dimensions are a scale. */
    {TEXT(WEBP_HEAD "VP8 \x0A\0\0\0\x10\0\0\x9D\1\x2A\x2C\x41\xC8\x80"), PICTURE_WEBP, 300, 200},
    {TEXT(WEBP_HEAD "VP8 \x0A\0\0\0\x11\0\0\x9D\1\x2A\x2C\1\xC8\0"), PICTURE_WEBP, 0, 0}, /* no key frame */
    {TEXT(WEBP_HEAD "VP8 \x0A\0\0\0\x10\0\0\x9D\1\x2B\x2C\1\xC8\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8 \x09\0\0\0\x10\0\0\x9D\1\x2A\x2C\1\xC8\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8 \x0A\0\0\0\x10\0\0\x9D\1\x2A\x2C\1\xC8"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8 \x0A\0\0\0\x10\0\0\x9D\1\x2A\0\0\xC8\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8L\5\0\0\0\x2F\x2B\xC1\x31\0"), PICTURE_WEBP, 300, 200},
    {TEXT(WEBP_HEAD "VP8L\5\0\0\0\x2F\0\0\0\0"), PICTURE_WEBP, 1, 1},
    {TEXT(WEBP_HEAD "VP8L\5\0\0\0\x2F\xFF\xFF\xFF\xFF"), PICTURE_WEBP, 16384, 16384},
    {TEXT(WEBP_HEAD "VP8L\5\0\0\0\x2E\x2B\xC1\x31\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8L\4\0\0\0\x2F\x2B\xC1\x31\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "VP8X\x0A\0\0\0\2\0\0\0\x2B\1\0\xC7\0\0"), PICTURE_WEBP, 300, 200},
    {TEXT(WEBP_HEAD "VP8X\x0A\0\0\0\2\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF"), PICTURE_WEBP, 16777216, 16777216},
    {TEXT(WEBP_HEAD "VP8X\x0A\0\0\0\2\0\0\0\x2B\1\0\xC7\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD "ALPH\x0A\0\0\0\2\0\0\0\x2B\1\0\xC7\0\0"), PICTURE_WEBP, 0, 0},
    {TEXT(WEBP_HEAD), PICTURE_WEBP, 0, 0},
    {TEXT("RIFF\x20\0\0\0WAVEfmt "), PICTURE_NONE, 0, 0},
    {TEXT("RIFF\x20\0\0\0WEB"), PICTURE_NONE, 0, 0},

    {TEXT("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), PICTURE_NONE, 0, 0},
    {TEXT("BM"), PICTURE_NONE, 0, 0},
    {TEXT(""), PICTURE_NONE, 0, 0},
};

static void test_dimensions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct picture picture = {.type = PICTURE_TYPE_COUNT};
        bool expected = rows[i].width > 0;

        if (picture_sniff(rows[i].bytes) != rows[i].type) {
            fail_msg("row %zu has another type", i);
        }
        if (picture_of_data_uri(arena, uri_of(rows[i].bytes), &picture) != expected) {
            fail_msg("row %zu should %shave dimensions", i, expected ? "" : "not ");
        }
        if (!expected) {
            assert_int_equal(picture.type, PICTURE_TYPE_COUNT); /* untouched */
            continue;
        }
        assert_int_equal(picture.type, rows[i].type);
        if (picture.width != rows[i].width || picture.height != rows[i].height) {
            fail_msg("row %zu: %u x %u", i, picture.width, picture.height);
        }
        assert_true(text_equal(picture.bytes, rows[i].bytes));
        assert_int_equal(picture.hash.length, 64);
    }
}

/* Every beginning of every row, in memory of exactly its size. */
static void test_cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t length = 0; length < rows[i].bytes.length; length++) {
            struct picture picture;
            char *cut = malloc(length + 1);

            memcpy(cut, rows[i].bytes.data, length);
            picture_sniff((struct text){cut, length});
            picture_of_data_uri(arena, uri_of((struct text){cut, length}), &picture);
            free(cut);
        }
    }
}

static void test_hash(void **state)
{
    (void)state;
    struct picture picture;

    assert_true(picture_of_data_uri(arena, TEXT("data:image/gif;base64,R0lGODlhAQABAAAAADs="), &picture));
    assert_true(text_equal(picture.bytes, TEXT("GIF89a\1\0\1\0\0\0\0;")));
    assert_true(text_is(picture.hash, "1f19970f056cd116a5fe3c02422c1ee1ac827136df470b5c89af492620512aa4"));
}

static void test_uris(void **state)
{
    (void)state;
    static const char *const good[] = {
        "data:image/gif;base64,R0lGODlhAQABAAAAADs=",
        "DATA:Image/GIF;BASE64,R0lGODlhAQABAAAAADs=",
        "data:image/png;base64,R0lGODlhAQABAAAAADs=",
        "data:image/;base64,R0lGODlhAQABAAAAADs=",
        "data:image/gif;charset=utf-8;base64,R0lGODlhAQABAAAAADs=",
        "data:image/gif;base64,R0lG ODlh\r\nAQABAA\tAAADs = \n",
        "data:image/gif;base64,R0lGODlhAQABAAAAADt=",     /* bits that stand for nothing */
        "data:image/gif;base64,R0lGODlhAQABAAAAADsAAA==", /* more behind the picture */
        "data:image/gif;base64,R0lGODlhAQABAAAAADsA",
    };
    static const char *const bad[] = {
        "",
        "data:",
        "data:image/gif;base64,",
        "data:image/gif;base64",
        "data:image/gif,R0lGODlhAQABAAAAADs=",
        "data:text/plain;base64,R0lGODlhAQABAAAAADs=",
        "data:base64,R0lGODlhAQABAAAAADs=",
        "data:image/gif;base64,R0lGODlhAQABAAAAADs",
        "data:image/gif;base64,R0lGODlhAQABAAAAADs==",
        "data:image/gif;base64,R0lGODlhAQABAAAAADs=A",
        "data:image/gif;base64,R0lGODlhAQABAAAAADsA=",
        "data:image/gif;base64,R0lGODlhAQABAAAAADsA====",
        "data:image/gif;base64,R0lGODlhAQABAAAAADsAA===",
        "data:image/gif;base64,R0lG*DlhAQABAAAAADs=",
        "data:image/gif;base64,R0lGODlhAQABAAAAADs%3D",
        "data:image/gif;base64,R0lG=ODlhAQABAAAAADs=",
        "data:image/gif;base64,R0l-ODlhAQABAAAAADs=",
        "data:image/gif;base64,PHN2Zy8+",
        " data:image/gif;base64,R0lGODlhAQABAAAAADs=",
        "http://example.org/a,b;base64",
    };
    struct picture picture;

    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (!picture_of_data_uri(arena, text_of(good[i]), &picture)) {
            fail_msg("%s should be a picture", good[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (picture_of_data_uri(arena, text_of(bad[i]), &picture)) {
            fail_msg("%s should be no picture", bad[i]);
        }
    }
    assert_false(picture_of_data_uri(arena, text_of(NULL), &picture));
    assert_false(picture_of_data_uri(arena, TEXT("data:image/gif;base64,R0lG\0ODlhAQABAAAAADs="), &picture));

    assert_true(picture_is_data_uri(TEXT("data:x")));
    assert_true(picture_is_data_uri(TEXT("DaTa:")));
    assert_false(picture_is_data_uri(TEXT("data")));
    assert_false(picture_is_data_uri(TEXT(" data:")));
    assert_false(picture_is_data_uri(text_of(NULL)));
}

static void test_base64_of_every_byte(void **state)
{
    (void)state;
    char bytes[13 + 256 * 2];
    struct picture picture;

    memcpy(bytes, "GIF89a\1\0\1\0\0\0\0", 13);
    for (size_t i = 0; i < 512; i++) {
        bytes[13 + i] = (char)(i * 7 + i / 256);
    }
    for (size_t length = 13; length <= sizeof bytes; length++) {
        assert_true(picture_of_data_uri(arena, uri_of((struct text){bytes, length}), &picture));
        assert_true(text_equal(picture.bytes, (struct text){bytes, length}));
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int type = PICTURE_NONE + 1; type < PICTURE_TYPE_COUNT; type++) {
        const char *extension = picture_extension((enum picture_type)type);

        assert_int_equal(picture_type_of_extension(text_of(extension)), type);
        assert_true(text_ends_with(text_of(picture_media_type((enum picture_type)type)), extension));
        assert_true(text_starts_with(text_of(picture_media_type((enum picture_type)type)), "image/"));
    }
    assert_null(picture_extension(PICTURE_NONE));
    assert_null(picture_media_type(PICTURE_NONE));
    assert_int_equal(picture_type_of_extension(TEXT("svg")), PICTURE_NONE);
    assert_int_equal(picture_type_of_extension(TEXT("PNG")), PICTURE_NONE);
    assert_int_equal(picture_type_of_extension(TEXT("")), PICTURE_NONE);
    assert_int_equal(picture_type_of_extension(text_of(NULL)), PICTURE_NONE);
}

static void test_addresses(void **state)
{
    static const char *const good[] = {
        "",
        "/",
        "/user.png",
        "/a//b",
        "user.png",
        "images/a.png?b=c:d",
        "http://example.org/a.png",
        "HTTPS://example.org/\xC3\xA4",
    };
    static const char *const bad[] = {
        "//example.org/a.png",
        "/\\example.org",
        "javascript:alert(1)",
        "data:image/png;base64,",
        "ftp://example.org/",
        "user name.png",
        "a\\b.png",
        "http:/example.org",
        "http://",
        "https://",
        " /a",
        "/a\n",
        "/\t/example.org",
        "http://example.org/\1",
        "http://a/\x7F",
        "http://a/\xC2\x80",
        "http://a/\xFF",
        "https:example.org",
        "\xE2\x80\x8B/a.png",
        "httpss://example.org",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (!picture_is_address(text_of(good[i]))) {
            fail_msg("%s should be an address", good[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (picture_is_address(text_of(bad[i]))) {
            fail_msg("%s should be no address", bad[i]);
        }
    }
    assert_true(picture_is_address(text_of(NULL)));
    assert_false(picture_is_address(TEXT("/a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dimensions), cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_hash),       cmocka_unit_test(test_uris),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_base64_of_every_byte),
        cmocka_unit_test(test_addresses),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
