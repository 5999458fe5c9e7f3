/* random.c: see random.h. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/log.h"

void random_bytes(unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(bytes, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_alert(NULL, "no random bytes from the kernel (getrandom): %s", strerror(errno));
            abort();
        }
        bytes += got;
        size -= (size_t)got;
    }
}

struct text random_uuid(struct arena *arena)
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */

    struct text hex = hex_encode(arena, bytes, sizeof bytes);
    return text_format(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex.data, hex.data + 8, hex.data + 12, hex.data + 16,
                       hex.data + 20);
}
