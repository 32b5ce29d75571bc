/* The place of each value in its row. */
#include "shimhub/columns.h"

shimhub_status shimhub_positions(const int64_t *ends, size_t rows, size_t size, int64_t *out)
{
    if (ends == NULL || (out == NULL && size > 0))
        return SHIMHUB_BAD_ARGUMENT;
    if (ends[0] != 0)
        return SHIMHUB_BAD_OFFSETS;
    for (size_t i = 0; i < rows; i++) {
        const int64_t count = ends[i + 1] - ends[i];
        if (ends[i + 1] < ends[i] || (uint64_t)ends[i + 1] > size)
            return SHIMHUB_BAD_OFFSETS;
        int64_t *to = out + ends[i];
        for (int64_t place = 0; place < count; place++)
            to[place] = place;
    }
    return SHIMHUB_OK;
}
