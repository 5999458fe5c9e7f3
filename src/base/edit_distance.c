#include "base/edit_distance.h"

static unsigned min(unsigned left, unsigned right)
{
    return left < right ? left : right;
}

unsigned edit_distance(struct text left, struct text right)
{
    if (left.length > EDIT_DISTANCE_LENGTH_MAX || right.length > EDIT_DISTANCE_LENGTH_MAX) {
        return UINT_MAX;
    }
    /* rows[i][j]: the distance between the first i bytes of `left` and the first j bytes of `right` */
    unsigned rows[EDIT_DISTANCE_LENGTH_MAX + 1][EDIT_DISTANCE_LENGTH_MAX + 1];
    for (size_t i = 0; i <= left.length; i++) {
        rows[i][0] = (unsigned)i;
    }
    for (size_t j = 0; j <= right.length; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= left.length; i++) {
        for (size_t j = 1; j <= right.length; j++) {
            unsigned best = rows[i - 1][j - 1] + (left.data[i - 1] != right.data[j - 1] ? 1 : 0);
            best = min(best, rows[i - 1][j] + 1);
            best = min(best, rows[i][j - 1] + 1);
            if (i > 1 && j > 1 && left.data[i - 1] == right.data[j - 2] && left.data[i - 2] == right.data[j - 1]) {
                best = min(best, rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    return rows[left.length][right.length];
}
