/* fuzz_config.c: the file roster.conf. What was read prints as a file that reads as the same; what is refused has a
 * reason. */
#include <sys/mman.h>
#include <unistd.h>

#include "config/config_print.h"
#include "config/config_read.h"
#include "fuzz.h"

static struct config *read_text(struct text content, struct error *error)
{
    static int file = -1;
    char path[64];
    if (file < 0) {
        file = memfd_create("roster.conf", MFD_CLOEXEC);
        require(file >= 0);
    }
    require(ftruncate(file, 0) == 0 && pwrite(file, content.data, content.length, 0) == (ssize_t)content.length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    *error = (struct error){.text = ""};
    return config_read(path, error);
}

static char *dump(const struct config *config, size_t *length_r)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length_r);
    require(out != NULL);
    config_dump(config, out);
    require(fclose(out) == 0);
    return text;
}

static void fuzz_input(struct arena *arena, struct text input)
{
    (void)arena;
    struct error error;
    struct config *config = read_text(input, &error);
    if (config == NULL) {
        require(error.text[0] != '\0');
        return;
    }
    size_t length = 0, length_again = 0;
    char *text = dump(config, &length);
    struct config *again = read_text((struct text){text, length}, &error);
    require(again != NULL);
    char *text_again = dump(again, &length_again);
    require(length == length_again && memcmp(text, text_again, length) == 0);
    config_free(config);
    config_free(again);
    free(text);
    free(text_again);
}
