#include "ctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

const char *input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

int input_read(struct invocation *invocation, const char *path, struct text *content_r)
{
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF in UTF-8: many spreadsheets begin with it */
    bool is_standard = strcmp(path, "-") == 0;
    int fd = is_standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && file_read_descriptor(invocation->context.arena, fd, INPUT_SIZE_MAX, content_r);
    int error = errno;
    if (fd >= 0 && !is_standard) {
        close(fd);
    }
    if (!is_read) {
        return ctl_fail(EXIT_FAILED, "%s: %s", input_name(path), strerror(error));
    }
    if (text_starts_with(*content_r, mark)) {
        *content_r = (struct text){content_r->data + strlen(mark), content_r->length - strlen(mark)};
    }
    return EXIT_DONE;
}

bool input_next_line(struct text *rest, struct input_line *line)
{
    while (rest->length > 0) {
        line->number++;
        line->text = text_trim(text_take(rest, '\n'));
        if (line->text.length > 0 && line->text.data[0] != '#') {
            return true;
        }
    }
    return false;
}
