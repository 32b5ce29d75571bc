/* Packing: put items of given lengths into bins of one capacity, and gather what they stand for. */
#ifndef SHIMHUB_PACK_H
#define SHIMHUB_PACK_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_FIRST_FIT,            /* the first bin with room */
    SHIMHUB_NEXT_FIT,             /* the last bin, or a new one */
    SHIMHUB_FIRST_FIT_DECREASING, /* longest item first */
    SHIMHUB_BEST_FIT_DECREASING,  /* longest first, into the bin with least room; oldest of equals */
    SHIMHUB_PACK_STRATEGY_COUNT
} shimhub_pack_strategy;

/* What becomes of an item that is longer than a bin. */
typedef enum {
    SHIMHUB_OVERLONG_ERROR,
    SHIMHUB_OVERLONG_OWN_BIN,  /* alone in a bin, which then has no room, not even for empty items */
    SHIMHUB_OVERLONG_TRUNCATE, /* counted as long as the bin */
    SHIMHUB_OVERLONG_DROP,     /* left out */
    SHIMHUB_OVERLONG_COUNT
} shimhub_overlong;

/* Integers of 1, 2, 4 or 8 bytes, `stride` bytes apart (any sign, any alignment). */
typedef struct {
    const void *data; /* of the first; may be NULL where count is 0 */
    int64_t count;    /* at most 2^32 - 2 */
    int64_t stride;
    int32_t width;
    int32_t is_signed;
} shimhub_lengths;

typedef struct {
    int32_t strategy;   /* shimhub_pack_strategy */
    int32_t overlong;   /* shimhub_overlong */
    int64_t capacity;   /* 1 .. 2^31 - 1 */
    int64_t max_items;  /* in one bin, at least 1; INT64_MAX: any number */
    int64_t max_bins;   /* of one group, at least 0; an item that needs one more is left out */
    int64_t group_size; /* items that are packed by themselves, at least 1, one group after another */
} shimhub_pack_options;

typedef struct {
    int64_t bins;
    int64_t items;    /* in bins */
    int64_t tokens;   /* the sum of their lengths; truncated items count as long as the bin */
    int64_t position; /* of the item that is wrong; -1: none is */
} shimhub_packed;

/* Bin b gets the items items[offsets[b]] .. items[offsets[b + 1] - 1], in the order in which they
 * were put there. There must be room for lengths->count + 1 offsets and lengths->count items.
 *
 * BAD_ARGUMENT: an option out of its range (packed->position -1), or a negative length (there).
 * OVERFLOW: a length is over capacity and overlong is ERROR (packed->position), or the sum of
 * lengths does not fit int64 (-1), or there are too many items (-1).
 *
 * Equal lengths keep their order. Items of length 0 fit wherever there is room for 0, except in
 * BEST_FIT_DECREASING, which leaves them out; overlong items with bins of their own come first in
 * the DECREASING strategies. With n items and b bins: NEXT_FIT takes O(n), BEST_FIT_DECREASING
 * O(n) while capacity is at most 2^20 and O(n log n) above, FIRST_FIT and FIRST_FIT_DECREASING
 * O(n log b). Memory: up to 28 bytes an item of four groups, and 8 each unit of capacity up to 2^20.
 * On NO_MEMORY some of offsets and items may have been written; not so on other errors. */
SHIMHUB_API shimhub_status shimhub_pack(const shimhub_lengths *lengths,
                                        const shimhub_pack_options *options, int64_t *offsets,
                                        uint32_t *items, shimhub_packed *packed);

/* Part p is the items from offsets[p] to before offsets[p + 1]; offsets has parts + 1 numbers and
 * begins with 0. order gets the items of each part, longest first. Equal ones have the order that
 * numba's argsort gives them when it is read backwards: that of a quicksort, which is not theirs.
 * Time as any quicksort's: O(n log n), and O(n * n) for lengths made to that end.
 *
 * BAD_ARGUMENT: a pointer is NULL, or the first offset is not 0. BAD_OFFSETS: they fall. OVERFLOW:
 * more than 2^32 - 2 items. Nothing is written then. */
SHIMHUB_API shimhub_status shimhub_quick_order(const int64_t *lengths, const int64_t *offsets,
                                               int64_t parts, uint32_t *order);

/* Pieces of arrays of equal-sized values: piece p is lengths[p] values from starts[p] of chunk
 * chunk_of[p] (of chunk 0 where chunk_of is NULL). */
typedef struct {
    const void *data;   /* NULL: all bits are 1 (a missing validity bitmap); only with width 1 */
    int64_t size;       /* bytes */
    int64_t bit_offset; /* of value 0, at least 0; a multiple of 8 unless width is 1 */
} shimhub_values;

typedef struct {
    const shimhub_values *chunks;
    int64_t chunk_count;
    const int64_t *starts;
    const int64_t *lengths;
    const uint32_t *chunk_of;
    int64_t count;
    int64_t width; /* bits of a value: 1, or a multiple of 8 */
} shimhub_pieces;

/* Writes the pieces order[0] .. order[count - 1] one behind the other to out: sum of lengths *
 * width bits, which must be out_size when rounded up to bytes; spare bits of the last are 0.
 * BAD_ARGUMENT: a number is out of its range, or out_size is not that. BAD_OFFSETS: a piece is
 * not within its chunk; *position is its place in order. */
SHIMHUB_API shimhub_status shimhub_gather(const shimhub_pieces *pieces, const uint32_t *order,
                                          int64_t count, void *out, int64_t out_size,
                                          int64_t *position);

#ifdef __cplusplus
}
#endif

#endif
