/* Private: matrix products of one precision. Lanes give tiles; gemm.c runs them over a product.
 *
 * Each element of the result is a chain of multiplications and additions over k, cut every
 * SHIMHUB_GEMM_DEPTH steps. So it depends on its row, its column and the lane: not on strides or
 * alignment, nor on which other rows and columns are there. */
#ifndef SHIMHUB_GEMM_H
#define SHIMHUB_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "shimhub/linalg.h"

/* Steps over k in one go: a panel of B (128 bytes a step) fills an L1 cache of 32 KiB. */
#define SHIMHUB_GEMM_DEPTH 256

#define SHIMHUB_GEMM_ROWS 12  /* of a packed tile, at most */
#define SHIMHUB_GEMM_DIRECT 8 /* of a direct tile, at most */

/* A product's operands, strides in elements. c's columns are adjacent. */
#define SHIMHUB_GEMM_TYPES(T, name)                                                            \
    struct shimhub_gemm_##name {                                                               \
        ptrdiff_t m, n, k;                                                                     \
        const T *a;                                                                            \
        ptrdiff_t a_row, a_column;                                                             \
        const T *b;                                                                            \
        ptrdiff_t b_row, b_column;                                                             \
        T *c;                                                                                  \
        ptrdiff_t c_row;                                                                       \
    };                                                                                         \
    /* c[rows, columns] = a * b, or += where add; k is at most SHIMHUB_GEMM_DEPTH. The last of  \
     * the tile's vectors has `tail` columns. b's columns are adjacent. */                     \
    typedef void shimhub_tile_##name(ptrdiff_t k, const T *a, ptrdiff_t a_row,                 \
                                     ptrdiff_t a_column, const T *b, ptrdiff_t b_row, T *c,    \
                                     ptrdiff_t c_row, int tail, bool add);                     \
    struct shimhub_tiles_##name {                                                              \
        int width;                      /* elements of a vector */                             \
        int rows;                       /* of a packed tile, of two vectors */                 \
        int direct_rows[3];             /* of direct tiles of 1, 2 and 4 vectors */            \
        shimhub_tile_##name *const *direct[3];                                                 \
        /* a_row is SHIMHUB_GEMM_DEPTH + 16, a_column 1, b_row twice the width, and b has      \
         * numbers behind the tail */                                                          \
        shimhub_tile_##name *const *packed[2];                                                 \
    };                                                                                         \
    extern const struct shimhub_tiles_##name shimhub_tiles_##name##_portable,                  \
        shimhub_tiles_##name##_avx2, shimhub_tiles_##name##_avx512,                            \
        shimhub_tiles_##name##_neon;                                                           \
    /* NO_MEMORY, or OK. Sizes may be zero; c must not overlap a or b. */                      \
    shimhub_status shimhub_gemm_##name(const struct shimhub_gemm_##name *product);

SHIMHUB_GEMM_TYPES(float, f32)
SHIMHUB_GEMM_TYPES(double, f64)

/* The distance between rows of packed A: a constant, and not a multiple of a page. */
#define SHIMHUB_GEMM_STRIDE (SHIMHUB_GEMM_DEPTH + 16)

#endif
