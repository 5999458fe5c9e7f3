/* fuzz_people.c: lists of people: comma-separated values, and lines of htpasswd. What was read of a list can be written
 * again, and reads as the same. */
#include "fuzz.h"
#include "import/csv.h"
#include "import/people.h"

/* Writes the fields of one record, and reads them. A line without anything in it is none. */
static void check_record(struct arena *arena, const struct csv *csv)
{
    struct buffer line;
    struct csv again;
    struct error error;
    buffer_init(&line, arena);
    for (size_t i = 0; i < csv->field_count; i++) {
        require(text_equal(csv_expose(csv_protect(arena, csv->fields[i])), csv->fields[i]));
        buffer_add(&line, ",", i > 0);
        csv_add(&line, csv->fields[i]);
    }
    buffer_add_literal(&line, "\r\n");
    if (csv->field_count == 0 || (csv->field_count == 1 && csv->fields[0].length == 0)) {
        return;
    }
    csv_begin(&again, arena, buffer_text(&line));
    again.separator = ',';
    require(csv_next(&again, &error) == CSV_RECORD && again.field_count == csv->field_count);
    for (size_t i = 0; i < csv->field_count; i++) {
        require(text_equal(again.fields[i], csv->fields[i]));
    }
    require(csv_next(&again, &error) == CSV_END);
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct csv csv;
    struct error error = {.text = ""};
    enum csv_result result;
    size_t line = 0;
    csv_begin(&csv, arena, input);
    while ((result = csv_next(&csv, &error)) == CSV_RECORD) {
        require(csv.line > line);
        line = csv.line;
        check_record(arena, &csv);
    }
    require(result == CSV_END || (error.text[0] != '\0' && csv.line > line));

    struct context context = {.arena = arena};
    for (enum people_format format = PEOPLE_AUTO; format <= PEOPLE_HTPASSWD; format++) {
        struct people people;
        if (!people_read(&context, input, format, &people, &error)) {
            require(error.text[0] != '\0');
            continue;
        }
        require(people.format != PEOPLE_AUTO);
        for (size_t i = 0; i < people.count; i++) {
            require(i == 0 || people.items[i].line > people.items[i - 1].line);
        }
    }
}
