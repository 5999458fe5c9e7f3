/* qr_code.h: a text as a QR code (ISO/IEC 18004), drawn as SVG. */
#ifndef ROSTER_BASE_QR_CODE_H
#define ROSTER_BASE_QR_CODE_H

#include "base/arena.h"
#include "base/text.h"

/* The SVG, in the arena: black on white, with the quiet zone, without a size of its own. The null text: the text is too
 * long for a code, or has a NUL. */
struct text qr_code_svg(struct arena *arena, struct text text);

#endif
