/* Private: makes tiles of 1, 2, .. rows. */
#ifndef SHIMHUB_GEMM_ROWS_H
#define SHIMHUB_GEMM_ROWS_H

#define TWO(KIND, vectors) KIND(1, vectors) KIND(2, vectors)
#define FOUR(KIND, vectors) TWO(KIND, vectors) KIND(3, vectors) KIND(4, vectors)
#define SIX(KIND, vectors) FOUR(KIND, vectors) KIND(5, vectors) KIND(6, vectors)
#define EIGHT(KIND, vectors) SIX(KIND, vectors) KIND(7, vectors) KIND(8, vectors)
#define TWELVE(KIND, vectors)                                                                  \
    EIGHT(KIND, vectors) KIND(9, vectors) KIND(10, vectors) KIND(11, vectors) KIND(12, vectors)

#endif
