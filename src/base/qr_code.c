/* qr_code.c: see qr_code.h. */
#include "base/qr_code.h"

#include <qrencode.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"

enum { QUIET = 4, IS_BLACK = 1 };

/* The black modules of a row, as rectangles of a path: runs that stand beside each other are one. */
static void add_row(struct buffer *svg, const unsigned char *row, int width, int y)
{
    for (int x = 0; x < width; x++) {
        int end = x;
        while (end < width && (row[end] & IS_BLACK) != 0) {
            end++;
        }
        if (end > x) {
            buffer_add_format(svg, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, end - x, end - x);
            x = end;
        }
    }
}

struct text qr_code_svg(struct arena *arena, struct text text)
{
    if (text.length == 0 || memchr(text.data, '\0', text.length) != NULL) {
        return TEXT_NULL;
    }
    QRcode *code = QRcode_encodeString8bit(text_to_string(arena, text), 0, QR_ECLEVEL_M);
    if (code == NULL) {
        return TEXT_NULL;
    }
    const int side = code->width + 2 * QUIET;
    struct buffer svg;
    buffer_init(&svg, arena);
    buffer_add_format(&svg,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
                      "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
                      side, side, side, side);
    for (int y = 0; y < code->width; y++) {
        add_row(&svg, code->data + (size_t)y * (size_t)code->width, code->width, y);
    }
    buffer_add_string(&svg, "\"/></svg>");
    QRcode_free(code);
    return buffer_text(&svg);
}
