/* test_csv.c: comma-separated values, and the files of people. */
#include <string.h>

#include "base/array.h"
#include "import/csv.h"
#include "import/people.h"
#include "unit.h"

static struct arena *arena;
static struct context context;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    context = (struct context){.arena = arena};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* The records of a text as "LINE:field|field/LINE:field", and the error at its end. */
static const char *records(const char *content)
{
    struct csv csv;
    struct error error;
    struct buffer out;
    buffer_init(&out, arena);
    csv_begin(&csv, arena, text_of(content));
    enum csv_result result;
    while ((result = csv_next(&csv, &error)) == CSV_RECORD) {
        buffer_add_format(&out, "%s%zu:", buffer_text(&out).length > 0 ? "/" : "", csv.line);
        for (size_t i = 0; i < csv.field_count; i++) {
            buffer_add_format(&out, "%s%.*s", i > 0 ? "|" : "", (int)csv.fields[i].length, csv.fields[i].data);
        }
    }
    if (result == CSV_BROKEN) {
        buffer_add_format(&out, "!%zu: %s", csv.line, error.text);
    }
    return buffer_text(&out).data;
}

static void reading(void **state)
{
    (void)state;
    static const struct {
        const char *content, *records;
    } cases[] = {
        {"", ""},
        {"\n\r\n\n", ""},
        {"a", "1:a"},
        {"a,b\n", "1:a|b"},
        {"a,b\r\nc,d", "1:a|b/2:c|d"},
        {"a,,\n,b,", "1:a||/2:|b|"},
        {"\n\na\n\r\nb", "3:a/5:b"},
        {"\"a\",\"b,c\"\n\"\"", "1:a|b,c/2:"},
        {"\"a \"\"b\"\"\",c", "1:a \"b\"|c"},
        {"\"a\nb\n\",c\nd,e", "1:a\nb\n|c/4:d|e"},
        {"a \"b\" c,d", "1:a \"b\" c|d"},
        {"a;b,c;d\n1;2", "1:a|b,c|d/2:1|2"},
        {"a\tb\nc\td", "1:a|b/2:c|d"},
        {"\"a;b;c\",d\n", "1:a;b;c|d"},
        {"a\rb,c", "1:a\rb|c"},
        {"a,\"b", "!1: a quote (\") does not end"},
        {"a\n\"b\nc", "1:a!2: a quote (\") does not end"},
        {"\"a\" ,b", "!1: something follows a closing quote (\"); a quote within a field is written twice"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_string_equal(records(cases[i].content), cases[i].records);
    }
}

/* What is written is read again, and is no formula to a spreadsheet. */
static void writing(void **state)
{
    (void)state;
    static const struct {
        const char *field, *written;
    } cases[] = {
        {"", ""},
        {"Ada", "Ada"},
        {"Lovelace, Ada", "\"Lovelace, Ada\""},
        {"a;b", "\"a;b\""},
        {"the \"first\"", "\"the \"\"first\"\"\""},
        {"a\nb", "\"a\nb\""},
        {" a", "\" a\""},
        {"=1+2", "'=1+2"},
        {"+43", "'+43"},
        {"-a", "'-a"},
        {"@a", "'@a"},
        {"'a", "''a"},
        {"'", "''"},
        {"\ta", "\"'\ta\""},
        {"a=b", "a=b"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct buffer line;
        buffer_init(&line, arena);
        csv_add(&line, csv_protect(arena, text_of(cases[i].field)));
        assert_string_equal(buffer_text(&line).data, cases[i].written);
        buffer_add_literal(&line, ",x");
        struct csv csv;
        csv_begin(&csv, arena, buffer_text(&line));
        assert_int_equal(csv_next(&csv, NULL), CSV_RECORD);
        assert_true(text_is(csv_expose(csv.fields[0]), cases[i].field));
    }
    assert_true(text_is(csv_expose(TEXT("'a")), "'a"));
}

/* "LINE email=…,name=…", or the error. */
static const char *read_as(const char *content, enum people_format format)
{
    struct people people;
    struct error error;
    struct buffer out;
    buffer_init(&out, arena);
    if (!people_read(&context, text_of(content), format, &people, &error)) {
        return text_format(arena, "!%s", error.text).data;
    }
    for (size_t i = 0; i < people.count; i++) {
        const struct person *person = &people.items[i];
        buffer_add_format(&out, "%s%zu", i > 0 ? "/" : "", person->line);
        for (size_t column = 0; column < PEOPLE_COLUMN_COUNT; column++) {
            if (person->values[column].data != NULL) {
                buffer_add_format(&out, " %s=%s", people_column_names[column], person->values[column].data);
            }
        }
        if (person->fault != NULL) {
            buffer_add_format(&out, " %s", person->fault);
        }
    }
    if (people.unknown.length > 0) {
        buffer_add_format(&out, "?%s", people.unknown.data);
    }
    return buffer_text(&out).data;
}

static void people_of_csv(void **state)
{
    (void)state;
    static const struct {
        const char *content, *people;
    } cases[] = {
        {"email\n a@b.org ", "2 email=a@b.org"},
        {"E-Mail,NAME,Password Hash\na,,c", "2 email=a password_hash=c"},
        {"email,password\na, b ", "2 email=a password= b "},
        {"email,name\na,'=b", "2 email=a name==b"},
        {"email,password\na,'=b", "2 email=a password='=b"},
        {"email,name,Telefon,Ort\na,b,1,2\n", "2 email=a name=b?Telefon, Ort"},
        {"email,name\na,b,c\nd",
         "2 it has 3 fields, but there are 2 columns/3 it has 1 field, but there are 2 columns"},
        {"emial\n", "!1: there is no column `emial'; did you mean `email'?"},
        {"\nemail,group\n", "!2: there is no column `group'; did you mean `groups'?"},
        {"email,name,E mail\n", "!1: two columns are `email'"},
        {"email,phone\n", "?phone"},
        {"", "!the file is empty"},
        {"email\n\"a", "!2: a quote (\") does not end"},
        {"email\na\n\xff\n", "!3: this line is not UTF-8: save the file as UTF-8"},
        {"name,role\n",
         "!1: the first line must name the columns, and one must be `email'; known are email, name, role, "
         "groups, timezone, disabled, password and password_hash"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_string_equal(read_as(cases[i].content, PEOPLE_AUTO), cases[i].people);
    }
}

static void people_of_htpasswd(void **state)
{
    (void)state;
    static const char with_nul[] = "a:b\0c\n";
    struct people people;
    struct error error;
    assert_string_equal(
        read_as("# a, b\n\nada:$1$x\r\nbob@b.org:abcdefghijklm:1:2\n", PEOPLE_AUTO),
        "3 email=ada name=ada password_hash=$1$x/4 email=bob@b.org name=bob password_hash=abcdefghijklm");
    assert_string_equal(read_as("ada\nbob:\n:x", PEOPLE_HTPASSWD),
                        "1 it is not NAME:HASH/2 it is not NAME:HASH/3 it is not NAME:HASH");
    assert_string_equal(read_as("# nobody\n", PEOPLE_HTPASSWD), "!the file is empty");
    assert_string_equal(read_as("ada:x\n", PEOPLE_CSV),
                        "!1: the first line must name the columns, and one must be `email'; known are email, name, "
                        "role, groups, timezone, disabled, password and password_hash");
    assert_false(people_read(&context, (struct text){with_nul, sizeof with_nul - 1}, PEOPLE_AUTO, &people, &error));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reading),
        TEST(writing),
        TEST(people_of_csv),
        TEST(people_of_htpasswd),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
