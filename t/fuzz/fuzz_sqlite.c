/* fuzz_sqlite.c: the SQLite file of an import, which may be damaged, or made to do harm: it is opened, copied,
 * surveyed, and each of its tables is read to the end. */
#include <ftw.h>
#include <unistd.h>

#include "fuzz.h"
#include "import/import_source.h"

static char directory[] = "/tmp/roster-fuzz-XXXXXX";
static char path[64];

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(name);
}

static void clean_up(void)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(struct text content)
{
    if (path[0] == '\0') {
        require(mkdtemp(directory) != NULL);
        snprintf(path, sizeof path, "%s/webui.db", directory);
        atexit(clean_up);
    } else {
        /* with what SQLite puts beside it */
        clean_up();
        require(mkdir(directory, 0700) == 0);
    }
    FILE *file = fopen(path, "we");
    require(file != NULL && fwrite(content.data, 1, content.length, file) == content.length && fclose(file) == 0);
}

/* As import.c reads: each value as a text of so many bytes. */
static void read_all(sqlite3_stmt *statement)
{
    while (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const unsigned char *text = sqlite3_column_text(statement, i);
            const int length = sqlite3_column_bytes(statement, i);
            require(length >= 0 && (text == NULL || text[length] == '\0'));
        }
    }
    sqlite3_finalize(statement);
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct error error = {.text = ""};
    write_file(input);
    struct import_source *source = import_source_open(arena, path, &error);
    if (source == NULL) {
        require(error.text[0] != '\0');
        return;
    }
    for (enum import_table table = 0; table < IMPORT_TABLE_COUNT; table++) {
        require(import_source_count(source, table) >= -1);
        read_all(import_source_read(source, table));
        read_all(import_source_read_unmapped(source, table));
    }
    size_t count;
    const struct import_unmapped *unmapped = import_source_unmapped(source, &count);
    for (size_t i = 0; i < count; i++) {
        require(unmapped[i].table.length > 0 && unmapped[i].rows >= -1);
    }
    import_source_close(source);
}
