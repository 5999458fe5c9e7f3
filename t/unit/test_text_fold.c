/* test_text_fold.c: text_fold by examples, and each character against MariaDB's collation of names. */
#include <stdlib.h>

#include "base/array.h"
#include "base/buffer.h"
#include "store_fixture.h"

static void assert_fold(const char *text, const char *expected)
{
    assert_text(text_fold(context.arena, text_of(text)), expected);
}

static void the_null_text_stays(void **state)
{
    (void)state;
    assert_null(text_fold(context.arena, TEXT_NULL).data);
    assert_fold("", "");
}

static void case_and_accents(void **state)
{
    (void)state;
    assert_fold("Ada Lovelace", "ada lovelace");
    assert_fold("\xC3\x89mile ZOL\xC3\x80", "emile zola");
    assert_fold("e\xCC\x81mile", "emile"); /* decomposed */
    assert_fold("S\xC3\xB8ren", "soren");
    assert_fold("\xC5\x81\xC3\xB3"
                "d\xC5\xBA",
                "lodz");
    assert_fold("\xCE\xA9\xCE\xBC\xCE\xAD\xCE\xB3\xCE\xB1", "\xCF\x89\xCE\xBC\xCE\xB5\xCE\xB3\xCE\xB1");
    assert_fold("\xE1\xBE\x80", "\xCE\xB1"); /* with iota below */
    assert_fold("\xD0\x96\xD0\xA3\xD0\x9A\xD0\x9E\xD0\x92", "\xD0\xB6\xD1\x83\xD0\xBA\xD0\xBE\xD0\xB2");
    assert_fold("a_%\\\"'@", "a_%\\\"'@");
}

static void letters_of_their_own(void **state)
{
    (void)state;
    assert_fold("\xD0\x99", "\xD0\xB9");         /* short i, composed */
    assert_fold("\xD0\x98\xCC\x86", "\xD0\xB9"); /* and decomposed */
    assert_fold("\xEA\xB0\x95", "\xEA\xB0\x95"); /* a Hangul syllable */
    assert_fold("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xBC", "\xEA\xB0\x95");
    assert_fold("\xE0\xA4\x95\xE0\xA4\xBF", "\xE0\xA4\x95\xE0\xA4\xBF"); /* ki keeps its vowel */
}

static void several_letters(void **state)
{
    (void)state;
    assert_fold("Stra\xC3\x9F"
                "e",
                "strasse");
    assert_fold("\xC3\x86sir", "aesir");
    assert_fold("\xEF\xAC\x81", "fi");
    assert_fold("\xEF\xBC\xA1\xEF\xBD\x84\xEF\xBD\x81", "ada"); /* full width */
}

static void what_has_no_weight(void **state)
{
    (void)state;
    assert_fold("\xCC\x81", "");
    assert_fold("a\xC2\xAD"
                "b\xE2\x80\x8D"
                "c",
                "abc"); /* a soft hyphen, a joiner */
    assert_fold("a\x01"
                "b\x7F"
                "c",
                "abc");
    assert_fold("a\tb\nc", "a\tb\nc"); /* white space has one */
    assert_bytes(text_fold(context.arena, TEXT("a\0b")), TEXT("ab"));
    assert_bytes(text_fold(context.arena, TEXT("\xC3\xA9\0b")), TEXT("eb"));
}

static void no_utf8(void **state)
{
    (void)state;
    assert_fold("\xFF"
                "A",
                "\xFF"
                "a");
}

static void ascii_and_not(void **state)
{
    (void)state;
    for (int byte = 0; byte < 0x80; byte++) { /* the short way and the long one say the same */
        const char ascii[] = {(char)byte, '-'}, mixed[] = {(char)byte, '\xC3', '\xA9'};
        struct text short_way = text_fold(context.arena, (struct text){ascii, 2});
        struct text long_way = text_fold(context.arena, (struct text){mixed, 3});
        assert_int_equal(short_way.length, long_way.length);
        assert_memory_equal(short_way.data, long_way.data, short_way.length - 1);
    }
}

/* ---- each character ---- */

struct character {
    uint32_t number;
    char fold[24], weights[48];
};

static struct character characters[300000];
static size_t character_count;

static enum outcome take(struct context *request, const struct value *row, void *argument)
{
    (void)argument;
    struct character *character = &characters[character_count];
    struct text weights = row[1].text;
    struct buffer buffer;
    buffer_init(&buffer, request->arena);
    buffer_add_character(&buffer, (uint32_t)row[0].integer);
    struct text fold = text_fold(request->arena, buffer_text(&buffer));
    /* characters that nobody had named by then have a place by their number; and a long weight is that of a phrase */
    if (text_starts_with(weights, "FBC") || weights.length >= sizeof character->weights) {
        return OK;
    }
    assert_true(character_count < ARRAY_COUNT(characters) && fold.length < sizeof character->fold);
    character->number = (uint32_t)row[0].integer;
    memcpy(character->fold, fold.data, fold.length + 1);
    memcpy(character->weights, weights.data, weights.length + 1);
    assert_memory_equal(text_fold(request->arena, fold).data, fold.data, fold.length + 1); /* folded once is folded */
    character_count++;
    return OK;
}

static int by_weights(const void *a, const void *b)
{
    return strcmp(((const struct character *)a)->weights, ((const struct character *)b)->weights);
}

static int by_fold(const void *a, const void *b)
{
    return strcmp(((const struct character *)a)->fold, ((const struct character *)b)->fold);
}

static void equal_for_the_collation(void **state)
{
    (void)state;
    static const char *const parts[] = {"seq_1_to_55295", "seq_57344_to_131071", "seq_194560_to_195103"};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        const char *sql = text_format(context.arena,
                                      "SELECT seq, HEX(WEIGHT_STRING(CONVERT(CHAR(seq USING utf32) USING utf8mb4) "
                                      "COLLATE utf8mb4_uca1400_nopad_ai_ci)) FROM %s",
                                      parts[i])
                              .data;
        assert_int_equal(database_stream(&context, sql, NULL, 0, take, NULL), OK);
    }
    assert_true(character_count > 50000);
    qsort(characters, character_count, sizeof *characters, by_weights);
    for (size_t i = 1; i < character_count; i++) {
        if (strcmp(characters[i].weights, characters[i - 1].weights) == 0 &&
            strcmp(characters[i].fold, characters[i - 1].fold) != 0) {
            fail_msg("U+%04X and U+%04X are equal, but their folds '%s' and '%s' are not", characters[i - 1].number,
                     characters[i].number, characters[i - 1].fold, characters[i].fold);
        }
    }
    qsort(characters, character_count, sizeof *characters, by_fold);
    for (size_t i = 1; i < character_count; i++) {
        if (strcmp(characters[i].fold, characters[i - 1].fold) == 0 &&
            strcmp(characters[i].weights, characters[i - 1].weights) != 0) {
            fail_msg("U+%04X and U+%04X have one fold, but differ", characters[i - 1].number, characters[i].number);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    return store_set_up("CHARACTER SET utf8mb4", 0) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_null_text_stays),  cmocka_unit_test(case_and_accents),
        cmocka_unit_test(letters_of_their_own), cmocka_unit_test(several_letters),
        cmocka_unit_test(what_has_no_weight),   cmocka_unit_test(no_utf8),
        cmocka_unit_test(ascii_and_not),        cmocka_unit_test(equal_for_the_collation),
    };
    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
