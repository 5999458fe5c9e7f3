/* What mails look like: header fields that no value can break out of, bodies of short lines, and templates. */
#include <stdlib.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/mail_message.h"
#include "base/mail_template.h"
#include "unit.h"

static struct mail_message usual(void)
{
    return (struct mail_message){
        .from = TEXT("noreply@example.org"),
        .site = TEXT("Roster"),
        .to = TEXT("bob@example.org"),
        .host = TEXT("example.org"),
        .subject = TEXT("Hello"),
        .text = TEXT("A line\n"),
        .html = TEXT("<p>A line</p>\n"),
        .date = 1764266400, /* 2025-11-27 18:00 UTC */
    };
}

static bool has(struct text message, const char *part)
{
    return strstr(message.data, part) != NULL;
}

static void usual_message(void **state)
{
    (void)state;
    const struct mail_message mail = usual();
    const struct text message = mail_message_compose(arena, &mail);
    assert_true(text_starts_with(message,
                                 "To: bob@example.org\nFrom: \"Roster\"\n <noreply@example.org>\nSubject: Hello\n"
                                 "Date: Thu, 27 Nov 2025 18:00:00 +0000\nMessage-ID: <"));
    assert_true(has(message, "@example.org>\nMIME-Version: 1.0\nAuto-Submitted: auto-generated\n"));
    assert_true(has(message, "Content-Type: multipart/alternative; boundary=\"=_"));
    assert_true(has(message, "\nContent-Type: text/plain; charset=utf-8\n"));
    assert_true(has(message, "\nContent-Type: text/html; charset=utf-8\n"));
    assert_string_equal(mail_message_moment(arena, mail.date).data, "2025-11-27 18:00 UTC");
}

/* Plain ASCII stands as it is; all else is encoded, and line ends are nowhere. */
static void header_fields(void **state)
{
    (void)state;
    static const struct {
        struct text subject;
        const char *field;
    } cases[] = {
        {{"Caf\303\251", 5}, "\nSubject: =?UTF-8?B?Q2Fmw6k=?=\n"},
        {TEXT("a\r\nBcc: eve@example.org"), "\nSubject: aBcc: eve@example.org\n"},
        {TEXT("=?UTF-8?B?Qmc=?="), "\nSubject: =?UTF-8?B?PT9VVEYtOD9CP1FtYz0/PQ==?=\n"},
        {TEXT("\xff\xfe plain"), "\nSubject: plain\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct mail_message mail = usual();
        mail.subject = cases[i].subject;
        const struct text message = mail_message_compose(arena, &mail);
        if (!has(message, cases[i].field)) {
            fail_msg("case %zu: %.400s", i, message.data);
        }
    }
    struct mail_message mail = usual();
    mail.site = TEXT("Us\n\"Bcc\": x");
    assert_true(
        has(mail_message_compose(arena, &mail), "\nFrom: =?UTF-8?B?VXMiQmNjIjogeA==?=\n <noreply@example.org>\n"));
}

/* A long one is several encoded words of whole characters, none longer than RFC 2047 allows. */
static void long_subject(void **state)
{
    (void)state;
    char subject[301];
    for (size_t i = 0; i < 150; i++) {
        memcpy(subject + 2 * i, "\303\251", 2);
    }
    struct mail_message mail = usual();
    mail.subject = (struct text){subject, 300};
    const struct text message = mail_message_compose(arena, &mail);
    const char *field = strstr(message.data, "\nSubject: ") + 10;
    size_t words = 0;
    for (const char *word = field; strncmp(word, "=?UTF-8?B?", 10) == 0; words++) {
        const size_t length = strcspn(word, "\n");
        assert_true(length <= 75);
        word += length + 2; /* the line end, and the space of the next line */
    }
    assert_int_equal(words, 7);
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"a@b.org", "a.b+c@b-c.org", "o'neil@localhost",
                                       "j\303\274rgen@m\303\274ller.org", "a@[192.0.2.1]"};
    static const char *const bad[] = {"a@b.org,c@d.org",
                                      "a,b@c.org",
                                      "\"a\"@b.org",
                                      "a b@c.org",
                                      "a@b.org\nBcc: x@y.org",
                                      "<a@b.org>",
                                      "a(b)@c.org",
                                      ".a@b.org",
                                      "a..b@c.org",
                                      "a@b;c.org",
                                      "@b.org",
                                      "a@",
                                      "",
                                      "a@[x y]",
                                      "a@b.org, c"};
    struct mail_message mail = usual();
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        mail.to = text_of(good[i]);
        assert_true(text_starts_with(mail_message_compose(arena, &mail), text_format(arena, "To: %s\n", good[i]).data));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        mail.to = text_of(bad[i]);
        if (mail_message_compose(arena, &mail).data != NULL) {
            fail_msg("%s is taken for an address", bad[i]);
        }
    }
}

/* Quoted-printable: short lines, no space at their ends, and nothing but ASCII. */
static void bodies(void **state)
{
    (void)state;
    struct mail_message mail = usual();
    mail.html = TEXT("");
    mail.text = TEXT("a = b \nCaf\303\251\r\n"
                     "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789\n.\nFrom x\nend");
    const char *body = strstr(mail_message_compose(arena, &mail).data, "\n\n") + 2;
    assert_string_equal(body, "a =3D b=20\nCaf=C3=A9\n"
                              "123456789 123456789 123456789 123456789 123456789 123456789 123456789 12345=\n6789\n"
                              ".\nFrom x\nend\n");
}

static void filled_in(void **state)
{
    (void)state;
    struct text values[MAIL_VALUES] = {[MAIL_VALUE_name] = TEXT("<b>\"'&\r\n{{link}}"), [MAIL_VALUE_site] = TEXT("S")};
    assert_string_equal(mail_template_fill(arena, TEXT("Hi {{ name }}, {{site}}{{email}}!"), values, false).data,
                        "Hi <b>\"'&{{link}}, S!");
    assert_string_equal(mail_template_fill(arena, TEXT("<i title=\"{{name}}\">"), values, true).data,
                        "<i title=\"&lt;b&gt;&quot;&#39;&amp;{{link}}\">");
    assert_string_equal(mail_template_fill(arena, TEXT(""), values, true).data, "");
}

/* Those that we ship, in each language. */
static void templates(void **state)
{
    (void)state;
    const char *source = getenv("TOP_SRCDIR") != NULL ? getenv("TOP_SRCDIR") : ".";
    const char *directory = text_format(arena, "%s/conf/mail", source).data;
    static const char *const languages[] = {"", "de"};
    for (size_t i = 0; i < 2; i++) {
        for (enum mail_kind kind = 0; kind < MAIL_KINDS; kind++) {
            struct mail_template template;
            struct error error;
            if (!mail_template_read(arena, directory, languages[i], kind, &template, &error)) {
                fail_msg("%s", error.text);
            }
            assert_true(template.html.length > 100);
        }
    }
    struct error error;
    struct mail_template template;
    assert_false(mail_template_read(arena, directory, "xx", 0, &template, &error));
    assert_non_null(strstr(error.text, "/conf/mail/xx/"));
}

int main(void)
{
    const struct CMUnitTest mail[] = {
        cmocka_unit_test(usual_message), cmocka_unit_test(header_fields), cmocka_unit_test(long_subject),
        cmocka_unit_test(addresses),     cmocka_unit_test(bodies),        cmocka_unit_test(filled_in),
        cmocka_unit_test(templates),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(mail, arena_set_up, arena_tear_down);
}
