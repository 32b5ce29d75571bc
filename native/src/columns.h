/* Private: reading columns that shimhub_column_check() found to be right. */
#ifndef SHIMHUB_SRC_COLUMNS_H
#define SHIMHUB_SRC_COLUMNS_H

#include <stdbool.h>
#include <string.h>

#include "shimhub/columns.h"

/* Deeper columns are refused: what walks them is recursive. */
#define SHIMHUB_COLUMN_DEPTH 64

/* Offset i of the buffer, whatever its width is. Buffers of files need not be aligned. */
static inline int64_t shimhub_column_offset(const shimhub_column *column, int64_t i)
{
    const char *offsets = column->offsets.data;
    if (column->width == 4) {
        int32_t narrow;
        memcpy(&narrow, offsets + 4 * i, sizeof narrow);
        return narrow;
    }
    int64_t wide;
    memcpy(&wide, offsets + 8 * i, sizeof wide);
    return wide;
}

static inline bool shimhub_bit(const void *bits, int64_t i)
{
    return ((const unsigned char *)bits)[i >> 3] >> (i & 7) & 1;
}

/* Whether row i of the buffers (the column's offset included) is valid. */
static inline bool shimhub_column_valid(const shimhub_column *column, int64_t i)
{
    if (column->kind == SHIMHUB_COLUMN_NULL)
        return false;
    return column->validity.data == NULL || shimhub_bit(column->validity.data, i);
}

#endif
