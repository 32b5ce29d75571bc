/* Private: the tiles of one lane and precision, register-blocked outer products (Goto and van de
 * Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008).
 *
 * The file that includes this defines T, NAME(x), TILE, TILES and TABLE (the types and the table of
 * gemm.h), V (a vector of WIDTH numbers) and the operations ZERO, LOAD(p), LOAD_PART(p, n),
 * STORE(p, v), STORE_PART(p, v, n), SPREAD(p), FMA(a, b, c) and ADD(a, b); a part is the first n.
 * TARGET, DIRECT_1, DIRECT_2, DIRECT_4 and PACKED_ALL (how many rows to make tiles of) stay. */

#if defined(SHIMHUB_NO_UNROLL) && defined(__GNUC__) /* sanitizers: minutes of compilation less */
#define UNROLL
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p, 1)
#elif defined(__clang__)
#define UNROLL _Pragma("unroll")
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p, 1)
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p, 1)
#else
#define UNROLL
#define INLINE static inline
#define PREFETCH(p) (void)(p)
#endif

/* rows and vectors are constants where this is called, and all loops but that over k vanish. */
TARGET INLINE void
NAME(tile)(const int rows, const int vectors, const bool padded, ptrdiff_t k, const T *a,
           ptrdiff_t a_row, ptrdiff_t a_column, const T *b, ptrdiff_t b_row, T *c, ptrdiff_t c_row,
           int tail, bool add)
{
    V sums[SHIMHUB_GEMM_ROWS][4];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            sums[i][j] = ZERO;
    if (padded) /* of deep products: c will have left the nearest cache */
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int j = 0; j < vectors; j++)
                PREFETCH(c + i * c_row + j * WIDTH);
    for (ptrdiff_t p = 0; p < k; p++, a += a_column, b += b_row) {
        V columns[4];
        UNROLL for (int j = 0; j < vectors; j++)
            columns[j] = padded || j < vectors - 1 ? LOAD(b + j * WIDTH)
                                                   : LOAD_PART(b + j * WIDTH, tail);
        UNROLL for (int i = 0; i < rows; i++) {
            V row = SPREAD(a + i * a_row);
            UNROLL for (int j = 0; j < vectors; j++)
                sums[i][j] = FMA(row, columns[j], sums[i][j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        T *to = c + i * c_row;
        UNROLL for (int j = 0; j < vectors - 1; j++)
            STORE(to + j * WIDTH, add ? ADD(LOAD(to + j * WIDTH), sums[i][j]) : sums[i][j]);
        to += (vectors - 1) * WIDTH;
        V last = sums[i][vectors - 1];
        STORE_PART(to, add ? ADD(LOAD_PART(to, tail), last) : last, tail);
    }
}

#define DIRECT(rows, vectors)                                                                  \
    TARGET static void NAME(direct_##vectors##_##rows)(                                        \
        ptrdiff_t k, const T *a, ptrdiff_t a_row, ptrdiff_t a_column, const T *b,              \
        ptrdiff_t b_row, T *c, ptrdiff_t c_row, int tail, bool add)                            \
    {                                                                                          \
        NAME(tile)(rows, vectors, false, k, a, a_row, a_column, b, b_row, c, c_row, tail, add);\
    }

#define PACKED(rows, vectors)                                                                  \
    TARGET static void NAME(packed_##vectors##_##rows)(                                        \
        ptrdiff_t k, const T *a, ptrdiff_t a_row, ptrdiff_t a_column, const T *b,              \
        ptrdiff_t b_row, T *c, ptrdiff_t c_row, int tail, bool add)                            \
    {                                                                                          \
        (void)a_row, (void)a_column, (void)b_row;                                              \
        NAME(tile)(rows, vectors, true, k, a, SHIMHUB_GEMM_STRIDE, 1, b, 2 * WIDTH, c, c_row,  \
                   tail, add);                                                                 \
    }

#define NAME_OF_DIRECT(rows, vectors) NAME(direct_##vectors##_##rows),
#define NAME_OF_PACKED(rows, vectors) NAME(packed_##vectors##_##rows),

DIRECT_1(DIRECT, 1)
DIRECT_2(DIRECT, 2)
DIRECT_4(DIRECT, 4)
PACKED_ALL(PACKED, 1)
PACKED_ALL(PACKED, 2)

static TILE *const NAME(direct_1)[] = {DIRECT_1(NAME_OF_DIRECT, 1)};
static TILE *const NAME(direct_2)[] = {DIRECT_2(NAME_OF_DIRECT, 2)};
static TILE *const NAME(direct_4)[] = {DIRECT_4(NAME_OF_DIRECT, 4)};
static TILE *const NAME(packed_1)[] = {PACKED_ALL(NAME_OF_PACKED, 1)};
static TILE *const NAME(packed_2)[] = {PACKED_ALL(NAME_OF_PACKED, 2)};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
const struct TILES TABLE = {
    WIDTH,
    COUNT_OF(NAME(packed_2)),
    {COUNT_OF(NAME(direct_1)), COUNT_OF(NAME(direct_2)), COUNT_OF(NAME(direct_4))},
    {NAME(direct_1), NAME(direct_2), NAME(direct_4)},
    {NAME(packed_1), NAME(packed_2)},
};

#undef COUNT_OF
#undef NAME_OF_DIRECT
#undef NAME_OF_PACKED
#undef DIRECT
#undef PACKED
#undef UNROLL
#undef INLINE
#undef PREFETCH
#undef T
#undef NAME
#undef TILE
#undef TILES
#undef TABLE
#undef V
#undef WIDTH
#undef ZERO
#undef LOAD
#undef LOAD_PART
#undef STORE
#undef STORE_PART
#undef SPREAD
#undef FMA
#undef ADD
