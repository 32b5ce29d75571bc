/* Padding: rows of numbers, each of its own length, into one matrix. */
#ifndef SHIMHUB_PAD_H
#define SHIMHUB_PAD_H

#include "columns.h"
#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_NUMBER_INT8,
    SHIMHUB_NUMBER_INT16,
    SHIMHUB_NUMBER_INT32,
    SHIMHUB_NUMBER_INT64,
    SHIMHUB_NUMBER_UINT8,
    SHIMHUB_NUMBER_UINT16,
    SHIMHUB_NUMBER_UINT32,
    SHIMHUB_NUMBER_UINT64,
    SHIMHUB_NUMBER_FLOAT32,
    SHIMHUB_NUMBER_FLOAT64,
    SHIMHUB_NUMBER_BOOL, /* a byte, 0 or 1 */
    SHIMHUB_NUMBER_BIT,  /* Arrow's bool; only ever read */
    SHIMHUB_NUMBER_COUNT
} shimhub_number;

/* The matrix to write, and what to put where a row has no item. */
typedef struct {
    void *data;         /* of the first row, aligned for its type */
    int64_t row_stride; /* bytes from one row to the next; items lie side by side */
    int64_t rows;
    int64_t length; /* items in a row of the matrix */
    int32_t type;   /* INT32, INT64, UINT8, FLOAT32, FLOAT64 or BOOL */
    int32_t left;   /* padding comes before the items */
    int32_t range;  /* padding is 0, 1, 2, ... in place of the value */
    int32_t ones;   /* 1 is written for each item in place of the item: an attention mask */
    int32_t truncate; /* longer rows lose their ends; otherwise they are an error */
    int64_t integer;  /* the value of padding for integers and bools */
    double real;      /* and for floats */
} shimhub_pad;

typedef enum {
    SHIMHUB_PAD_NULL_ROW = 1,
    SHIMHUB_PAD_NULL_ITEM,
    SHIMHUB_PAD_TOO_LONG,
    SHIMHUB_PAD_MISFIT /* the item does not fit the type */
} shimhub_pad_fault_kind;

/* What is wrong with the rows, where the status is BAD_FORMAT, and where. */
typedef struct {
    int32_t kind;
    int64_t row;
    int64_t item; /* of the row; -1 where the row itself is meant */
    int64_t count; /* of the row's items */
    int64_t at;   /* the item's index among the chunk's values */
    int64_t chunk;
} shimhub_pad_fault;

/* The number of rows of chunks, and the length of the longest row. Each chunk is a LIST, or a
 * FIXED_LIST, of numbers. BAD_ARGUMENT if it is not, BAD_OFFSETS if offsets or buffers are not as
 * they should be, OVERFLOW if rows cannot be counted. O(rows). */
SHIMHUB_API shimhub_status shimhub_pad_measure(const shimhub_column *chunks, size_t count,
                                               int64_t *rows, int64_t *longest);

/* Pads the rows of chunks, whose items are of `type` (BIT for BOOL columns), on up to `threads`
 * threads (0: one for each processor). Statuses of shimhub_pad_measure(); BAD_ARGUMENT too if the
 * types do not convert (floats to integers), or if there are not `rows` rows; BAD_FORMAT, and
 * *fault, for what the rows hold. All is checked before the first byte is written.
 * O(rows * length); integers and floats that do not convert losslessly are read twice. */
SHIMHUB_API shimhub_status shimhub_pad_columns(const shimhub_column *chunks, size_t count,
                                               int32_t type, const shimhub_pad *pad,
                                               unsigned threads, shimhub_pad_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
