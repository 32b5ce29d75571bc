/* Private: runs a lane's tiles over a product of one precision. gemm.c defines T, NAME(x), PRODUCT,
 * TILES, TILE and includes this. */

/* The rows of each of the fewest possible tiles: as even as can be, so that none is thin. */
static ptrdiff_t NAME(rows_from)(ptrdiff_t rows, ptrdiff_t most)
{
    if (rows <= most) /* two divisions take as long as the smallest products */
        return rows;
    ptrdiff_t tiles = (rows + most - 1) / most;
    return (rows + tiles - 1) / tiles;
}

/* c's columns [j, j + width * vectors) cut at n: how many belong to the last vector, and how many
 * vectors that leaves. */
static int NAME(tail)(ptrdiff_t columns, int width, int *vectors)
{
    *vectors = columns <= width ? 1 : (int)((columns + width - 1) / width);
    return (int)(columns - (ptrdiff_t)(*vectors - 1) * width);
}

/* One step of depth k with B as it lies: B's columns are adjacent. */
static void NAME(columns)(const struct TILES *tiles, const struct PRODUCT *x, ptrdiff_t k,
                          const T *a, const T *b, bool four, bool add)
{
    ptrdiff_t j = 0;
    while (j < x->n) {
        int kind = x->n - j > 2 * tiles->width && four ? 2 : x->n - j > tiles->width ? 1 : 0;
        ptrdiff_t wide = (ptrdiff_t)tiles->width << kind;
        ptrdiff_t columns = x->n - j < wide ? x->n - j : wide;
        int vectors, tail = NAME(tail)(columns, tiles->width, &vectors);
        if (vectors == 3) { /* there are tiles of 1, 2 and 4 */
            kind = 1;
            columns = 2 * tiles->width;
            tail = tiles->width;
        }
        ptrdiff_t most = NAME(rows_from)(x->m, tiles->direct_rows[kind]);
        for (ptrdiff_t i = 0; i < x->m; i += most) {
            ptrdiff_t rows = x->m - i < most ? x->m - i : most;
            tiles->direct[kind][rows - 1](k, a + i * x->a_row, x->a_row, x->a_column, b + j,
                                          x->b_row, x->c + i * x->c_row + j, x->c_row, tail, add);
        }
        j += columns;
    }
}

/* The same for a result that leaves the caches, a few of its rows at a time: its columns lie in as
 * many pages as there are rows. As much of B is used again and again as stays near. */
static void NAME(rows)(const struct TILES *tiles, const struct PRODUCT *x, ptrdiff_t k, const T *a,
                       const T *b, bool four, bool add)
{
    struct PRODUCT part = *x;
    ptrdiff_t rows = tiles->direct_rows[four ? 2 : 1];
    ptrdiff_t columns = NEAR / (k * (ptrdiff_t)sizeof(T)) / (4 * tiles->width) * 4 * tiles->width;
    for (ptrdiff_t j = 0; j < x->n; j += columns) {
        part.n = x->n - j < columns ? x->n - j : columns;
        for (ptrdiff_t i = 0; i < x->m; i += rows) {
            part.m = x->m - i < rows ? x->m - i : rows;
            part.c = x->c + i * x->c_row + j;
            NAME(columns)(tiles, &part, k, a + i * x->a_row, b + j, four, add);
        }
    }
}

static void NAME(direct)(const struct TILES *tiles, const struct PRODUCT *x, ptrdiff_t k,
                         const T *a, const T *b, bool add)
{
    const int *rows_of = tiles->direct_rows;
    /* Tiles of four vectors where they have the most sums, or rows are few. */
    bool four = 4 * rows_of[2] > 2 * rows_of[1] || x->m <= rows_of[2];
    bool large = (double)x->m * (double)x->n * (double)sizeof(T) > LARGE;
    (large && x->k <= SHALLOW ? NAME(rows) : NAME(columns))(tiles, x, k, a, b, four, add);
}

static void NAME(pack_a)(const struct PRODUCT *x, const T *a, ptrdiff_t rows, ptrdiff_t k, T *to)
{
    for (ptrdiff_t i = 0; i < rows; i++) {
        const T *row = a + i * x->a_row;
        T *packed = to + i * SHIMHUB_GEMM_STRIDE;
        if (x->a_column == 1)
            memcpy(packed, row, (size_t)k * sizeof(T));
        else
            for (ptrdiff_t p = 0; p < k; p++)
                packed[p] = row[p * x->a_column];
    }
}

/* Columns of B, `wide` of them in a row of the panel, with zeros behind the last. */
static void NAME(pack_b)(const struct PRODUCT *x, const T *b, ptrdiff_t columns, ptrdiff_t k,
                         ptrdiff_t wide, T *to)
{
    if (columns < wide)
        memset(to, 0, (size_t)(k * wide) * sizeof(T));
    if (x->b_column == 1) {
        for (ptrdiff_t p = 0; p < k; p++)
            memcpy(to + p * wide, b + p * x->b_row, (size_t)columns * sizeof(T));
        return;
    }
    for (ptrdiff_t j = 0; j < columns; j++)
        for (ptrdiff_t p = 0; p < k; p++)
            to[p * wide + j] = b[p * x->b_row + j * x->b_column];
}

/* Rows [0, rows) of packed A times one packed panel of B. */
static void NAME(panel)(const struct TILES *tiles, ptrdiff_t rows, ptrdiff_t k, const T *a,
                        const T *b, ptrdiff_t columns, T *c, ptrdiff_t c_row, bool add)
{
    int vectors, tail = NAME(tail)(columns, tiles->width, &vectors);
    ptrdiff_t most = NAME(rows_from)(rows, tiles->rows);
    for (ptrdiff_t i = 0; i < rows; i += most) {
        ptrdiff_t here = rows - i < most ? rows - i : most;
        tiles->packed[vectors - 1][here - 1](k, a + i * SHIMHUB_GEMM_STRIDE, 0, 0, b, 0,
                                             c + i * c_row, c_row, tail, add);
    }
}

/* One step of depth k with both operands copied to where tiles read them in order. */
static void NAME(packed)(const struct TILES *tiles, const struct PRODUCT *x, ptrdiff_t k,
                         const T *a, const T *b, T *a_space, T *b_space, bool add)
{
    ptrdiff_t wide = 2 * tiles->width;
    for (ptrdiff_t j = 0; j < x->n; j += COLUMNS) {
        ptrdiff_t columns = x->n - j < COLUMNS ? x->n - j : COLUMNS;
        for (ptrdiff_t q = 0; q < columns; q += wide)
            NAME(pack_b)(x, b + (j + q) * x->b_column, columns - q < wide ? columns - q : wide, k,
                         wide, b_space + q * k);
        for (ptrdiff_t i = 0; i < x->m; i += ROWS) {
            ptrdiff_t rows = x->m - i < ROWS ? x->m - i : ROWS;
            NAME(pack_a)(x, a + i * x->a_row, rows, k, a_space);
            for (ptrdiff_t q = 0; q < columns; q += wide)
                NAME(panel)(tiles, rows, k, a_space, b_space + q * k,
                            columns - q < wide ? columns - q : wide,
                            x->c + i * x->c_row + j + q, x->c_row, add);
        }
    }
}

static void NAME(zero)(const struct PRODUCT *x)
{
    for (ptrdiff_t i = 0; i < x->m; i++)
        memset(x->c + i * x->c_row, 0, (size_t)x->n * sizeof(T));
}

/* Whether copying costs more than it saves. */
static bool NAME(is_direct)(const struct TILES *tiles, const struct PRODUCT *x)
{
    ptrdiff_t k = x->k < SHIMHUB_GEMM_DEPTH ? x->k : SHIMHUB_GEMM_DEPTH;
    double size = (double)x->n * (double)k * (double)sizeof(T);
    return (x->b_column == 1 || x->n == 1) &&
           (x->m <= SHIMHUB_GEMM_DIRECT || x->k <= SHALLOW ||
            size <= (x->m <= 64 || x->n <= 2 * tiles->width ? NEAR : DIRECT));
}

shimhub_status NAME(shimhub_gemm)(const struct PRODUCT *product)
{
    const struct TILES *tiles = NAME(tiles)();
    const struct PRODUCT *x = product;
    if (x->m == 0 || x->n == 0)
        return SHIMHUB_OK;
    if (x->k == 0)
        NAME(zero)(x);
    T *space = NULL, *a_space = NULL, *b_space = NULL;
    bool direct = NAME(is_direct)(tiles, x);
    if (!direct) {
        ptrdiff_t rows = x->m < ROWS ? x->m : ROWS, columns = x->n < COLUMNS ? x->n : COLUMNS;
        ptrdiff_t k = x->k < SHIMHUB_GEMM_DEPTH ? x->k : SHIMHUB_GEMM_DEPTH;
        ptrdiff_t of_a = rows * SHIMHUB_GEMM_STRIDE; /* a multiple of 64 bytes */
        ptrdiff_t of_b = (columns + 2 * tiles->width) * k;
        space = malloc((size_t)(of_a + of_b) * sizeof(T) + 64);
        if (space == NULL)
            return SHIMHUB_NO_MEMORY;
        /* a vector that lies in two lines of the cache takes two loads */
        a_space = (T *)(void *)((char *)space + (64 - (uintptr_t)space % 64));
        b_space = a_space + of_a;
    }
    for (ptrdiff_t p = 0; p < x->k; p += SHIMHUB_GEMM_DEPTH) {
        ptrdiff_t k = x->k - p < SHIMHUB_GEMM_DEPTH ? x->k - p : SHIMHUB_GEMM_DEPTH;
        const T *a = x->a + p * x->a_column, *b = x->b + p * x->b_row;
        if (direct)
            NAME(direct)(tiles, x, k, a, b, p > 0);
        else
            NAME(packed)(tiles, x, k, a, b, a_space, b_space, p > 0);
    }
    free(space);
    return SHIMHUB_OK;
}

#undef T
#undef NAME
#undef PRODUCT
#undef TILES
