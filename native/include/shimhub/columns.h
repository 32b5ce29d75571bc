/* Columns: Arrow's arrays as addresses with their sizes, so that nothing behind them is read. */
#ifndef SHIMHUB_COLUMNS_H
#define SHIMHUB_COLUMNS_H

#include <stdbool.h>

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_COLUMN_NULL,       /* no buffers; every row is null */
    SHIMHUB_COLUMN_FIXED,      /* rows of `width` bytes each in data */
    SHIMHUB_COLUMN_FLOAT,      /* as FIXED, IEEE 754 of 2, 4 or 8 bytes */
    SHIMHUB_COLUMN_BOOL,       /* one bit a row in data */
    SHIMHUB_COLUMN_BINARY,     /* bytes of data between offsets of `width` 4 or 8 bytes */
    SHIMHUB_COLUMN_LIST,       /* rows of the one child between offsets of `width` 4 or 8 bytes */
    SHIMHUB_COLUMN_FIXED_LIST, /* `width` rows of the one child a row */
    SHIMHUB_COLUMN_STRUCT      /* one row of each child a row */
} shimhub_column_kind;

/* A contiguous buffer; {NULL, 0} where there is none. */
typedef struct {
    const void *data;
    int64_t size; /* bytes */
} shimhub_buffer;

/* https://arrow.apache.org/docs/format/Columnar.html: one chunk of one column.
 * Rows offset .. offset + length - 1 of the buffers are meant, as in Arrow. */
typedef struct shimhub_column {
    int32_t kind;
    int32_t children_count;
    int64_t width;
    int64_t length;
    int64_t offset;
    shimhub_buffer validity; /* bit 1 is valid; none: all valid */
    shimhub_buffer offsets;
    shimhub_buffer data;
    const struct shimhub_column *children;
} shimhub_column;

/* OK if every row can be read within the buffers, recursively; else what is wrong, and in *row
 * the first such row (-1 if it is no single row): BAD_OFFSETS where offsets are wrong or a buffer is
 * too small, BAD_ARGUMENT where kind, width, length or children make no column, or where it is more
 * than 64 deep. O(rows) over offsets; of children, only the rows that are meant are looked at. */
SHIMHUB_API shimhub_status shimhub_column_check(const shimhub_column *column, int64_t *row);

/* out[ends[i] .. ends[i + 1] - 1] gets 0, 1, 2, ... for i < rows; ends (rows + 1 of them) start at 0
 * and out has room for `size`. BAD_OFFSETS, and out half written, if they fall or exceed it. */
SHIMHUB_API shimhub_status shimhub_positions(const int64_t *ends, size_t rows, size_t size,
                                             int64_t *out);

/* The lengths of the lists in chunks of kind LIST, and in `last` the last value of each, 0 where it
 * is empty; both have room for `rows`, as many as the chunks have. Values are FIXED integers of 1,
 * 2, 4 or, signed, 8 bytes; with last NULL any child will do. Validity is not looked at. On
 * BAD_OFFSETS *row is as of shimhub_column_check(), counted over all chunks. Other chunks,
 * or another count of rows, are BAD_ARGUMENT. Both outputs may be half written then. */
SHIMHUB_API shimhub_status shimhub_list_ends(const shimhub_column *chunks, size_t count,
                                             size_t rows, bool is_signed, int64_t *lengths,
                                             int64_t *last, int64_t *row);

#ifdef __cplusplus
}
#endif

#endif
