/* The public functions of linear algebra: checks, then a lane's loops. */
#include "linalg.h"

#include "elementwise.h"
#include "gemm.h"
#include "lanes.h"

#define FOR_BOTH(DEFINE) DEFINE(float, f32) DEFINE(double, f64)

#if SHIMHUB_X86_LANES
#define BEST_LANE(name)                                                                        \
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))                                                 \
        return &shimhub_elementwise_##name##_avx512;                                           \
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))                                                   \
        return &shimhub_elementwise_##name##_avx2;
#else
#define BEST_LANE(name)
#endif

#define DEFINE_LANE(T, name)                                                                   \
    const struct shimhub_elementwise_##name *shimhub_elementwise_##name(void)                  \
    {                                                                                          \
        BEST_LANE(name)                                                                        \
        return &shimhub_elementwise_##name##_portable;                                         \
    }
FOR_BOTH(DEFINE_LANE)

#define DEFINE_FINISH(T, name)                                                                 \
    static void finish_##name(ptrdiff_t m, ptrdiff_t n, ptrdiff_t row, const T *bias,          \
                              shimhub_activation activation, T *c)                             \
    {                                                                                          \
        const struct shimhub_elementwise_##name *lane = shimhub_elementwise_##name();          \
        for (ptrdiff_t i = 0; i < m; i++) {                                                    \
            T *to = c + i * row;                                                               \
            if (bias)                                                                          \
                lane->combine[SHIMHUB_ADD][SHIMHUB_BOTH_LONG](to, bias, n, to);                \
            if (activation != SHIMHUB_IDENTITY)                                                \
                lane->activate[activation](to, n, to);                                         \
        }                                                                                      \
    }
FOR_BOTH(DEFINE_FINISH)

void shimhub_linear_finish(shimhub_float type, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row,
                           const void *bias, shimhub_activation activation, void *out)
{
    /* Of no columns there may be more rows than can be counted in a lifetime. */
    if (columns == 0 || (bias == NULL && activation == SHIMHUB_IDENTITY))
        return;
    if (type == SHIMHUB_FLOAT32)
        finish_f32(rows, columns, row, bias, activation, out);
    else
        finish_f64(rows, columns, row, bias, activation, out);
}

shimhub_status shimhub_product_run(shimhub_float type, const struct shimhub_product *product)
{
    struct shimhub_product x = *product;
    /* The stride of a dimension of one is any number, of which no address may be made. */
    if (x.m <= 1)
        x.a_row = x.c_row = 0;
    if (x.k <= 1)
        x.a_column = x.b_row = 0;
    if (x.n <= 1)
        x.b_column = 1;
    if (type == SHIMHUB_FLOAT32) {
        struct shimhub_gemm_f32 single = {x.m, x.n,     x.k,        x.a, x.a_row, x.a_column,
                                          x.b, x.b_row, x.b_column, x.c, x.c_row};
        return shimhub_gemm_f32(&single);
    }
    struct shimhub_gemm_f64 wide = {x.m, x.n,     x.k,        x.a, x.a_row, x.a_column,
                                    x.b, x.b_row, x.b_column, x.c, x.c_row};
    return shimhub_gemm_f64(&wide);
}

static int64_t size_of(shimhub_float type)
{
    return type == SHIMHUB_FLOAT32 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
}

static bool is_float(shimhub_float type)
{
    return type == SHIMHUB_FLOAT32 || type == SHIMHUB_FLOAT64;
}

static bool is_aligned(shimhub_float type, const void *data)
{
    return (uintptr_t)data % (uintptr_t)size_of(type) == 0;
}

/* The distance from element 0 to element count - 1: negative and positive parts added to the two
 * ends, or false if that is more than half of what int64_t has. */
static bool widen(int64_t count, int64_t stride, int64_t *low, int64_t *high)
{
    const int64_t most = INT64_MAX / 4;
    if (count <= 1 || stride == 0)
        return true;
    if (stride > most || stride < -most || (count - 1) > most / (stride < 0 ? -stride : stride))
        return false;
    int64_t reach = (count - 1) * stride;
    *(reach < 0 ? low : high) += reach;
    return true;
}

shimhub_status shimhub_matrix_check(shimhub_float type, const shimhub_matrix *x)
{
    if (!is_float(type) || x == NULL || x->size < 0 || x->rows < 0 || x->columns < 0)
        return SHIMHUB_BAD_ARGUMENT;
    if (!is_aligned(type, x->buffer) || (x->buffer == NULL && x->size > 0))
        return SHIMHUB_BAD_ARGUMENT;
    if ((uint64_t)x->size > PTRDIFF_MAX || (uintptr_t)x->size > UINTPTR_MAX - (uintptr_t)x->buffer)
        return SHIMHUB_OVERFLOW;
    if (x->rows == 0 || x->columns == 0)
        return SHIMHUB_OK;
    int64_t low = 0, high = 0;
    if (!widen(x->rows, x->row_stride, &low, &high) ||
        !widen(x->columns, x->column_stride, &low, &high))
        return SHIMHUB_OVERFLOW;
    int64_t count = x->size / size_of(type);
    if (x->offset < 0 || x->offset >= count || low < -x->offset || high > count - 1 - x->offset)
        return SHIMHUB_BAD_ARGUMENT;
    return SHIMHUB_OK;
}

static bool overlap(const void *a, int64_t a_size, const void *b, int64_t b_size)
{
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second + (uintptr_t)b_size && second < first + (uintptr_t)a_size;
}

static bool can_hold_results(const shimhub_matrix *x)
{
    return (x->columns <= 1 || x->column_stride == 1) &&
           (x->rows <= 1 || x->row_stride >= x->columns);
}

static char *first_element(shimhub_float type, const shimhub_matrix *x)
{
    return x->rows == 0 || x->columns == 0 ? x->buffer
                                           : (char *)x->buffer + x->offset * size_of(type);
}

static shimhub_status check_linear(shimhub_float type, const shimhub_matrix *x,
                                   const shimhub_matrix *weight, const void *bias,
                                   shimhub_activation activation, const shimhub_matrix *out)
{
    const shimhub_matrix *all[] = {x, weight, out};
    for (int i = 0; i < 3; i++) {
        shimhub_status status = shimhub_matrix_check(type, all[i]);
        if (status != SHIMHUB_OK)
            return status;
    }
    if (x->columns != weight->rows || out->rows != x->rows || out->columns != weight->columns ||
        !can_hold_results(out) || (unsigned)activation >= SHIMHUB_ACTIVATION_COUNT)
        return SHIMHUB_BAD_ARGUMENT;
    if (overlap(out->buffer, out->size, x->buffer, x->size) ||
        overlap(out->buffer, out->size, weight->buffer, weight->size))
        return SHIMHUB_BAD_ARGUMENT;
    if (bias != NULL && (!is_aligned(type, bias) ||
                         overlap(out->buffer, out->size, bias, out->columns * size_of(type))))
        return SHIMHUB_BAD_ARGUMENT;
    return SHIMHUB_OK;
}

shimhub_status shimhub_linear(shimhub_float type, const shimhub_matrix *x,
                              const shimhub_matrix *weight, const void *bias,
                              shimhub_activation activation, const shimhub_matrix *out)
{
    shimhub_status status = check_linear(type, x, weight, bias, activation, out);
    if (status != SHIMHUB_OK)
        return status;
    struct shimhub_product product = {
        (ptrdiff_t)x->rows,
        (ptrdiff_t)weight->columns,
        (ptrdiff_t)x->columns,
        first_element(type, x),
        (ptrdiff_t)x->row_stride,
        (ptrdiff_t)x->column_stride,
        first_element(type, weight),
        (ptrdiff_t)weight->row_stride,
        (ptrdiff_t)weight->column_stride,
        first_element(type, out),
        (ptrdiff_t)out->row_stride,
    };
    status = shimhub_product_run(type, &product);
    if (status == SHIMHUB_OK)
        shimhub_linear_finish(type, product.m, product.n, product.c_row, bias, activation,
                              product.c);
    return status;
}

/* rows * columns numbers at each of two addresses that are equal or apart. */
static shimhub_status check_rows(shimhub_float type, int64_t rows, int64_t columns, const void *x,
                                 const void *out)
{
    if (!is_float(type) || rows < 0 || columns < 0)
        return SHIMHUB_BAD_ARGUMENT;
    if (columns > 0 && rows > PTRDIFF_MAX / size_of(type) / columns)
        return SHIMHUB_OVERFLOW;
    int64_t size = rows * columns * size_of(type);
    if (size == 0)
        return SHIMHUB_OK;
    if (x == NULL || out == NULL || !is_aligned(type, x) || !is_aligned(type, out) ||
        (x != out && overlap(x, size, out, size)))
        return SHIMHUB_BAD_ARGUMENT;
    return SHIMHUB_OK;
}

shimhub_status shimhub_activate(shimhub_float type, shimhub_activation activation, const void *x,
                                int64_t count, void *out)
{
    shimhub_status status = check_rows(type, 1, count, x, out);
    if ((unsigned)activation >= SHIMHUB_ACTIVATION_COUNT)
        return SHIMHUB_BAD_ARGUMENT;
    if (status != SHIMHUB_OK || count == 0)
        return status;
    if (type == SHIMHUB_FLOAT32)
        shimhub_elementwise_f32()->activate[activation](x, (ptrdiff_t)count, out);
    else
        shimhub_elementwise_f64()->activate[activation](x, (ptrdiff_t)count, out);
    return SHIMHUB_OK;
}

#define DEFINE_COMBINE(T, name)                                                                \
    static void combine_##name(shimhub_operation operation, int64_t rows, int64_t columns,     \
                               const T *a, const T *b, int64_t b_row, int64_t b_column,        \
                               int swapped, T *out)                                            \
    {                                                                                          \
        int lengths = b_column      ? SHIMHUB_BOTH_LONG                                        \
                      : swapped     ? SHIMHUB_A_IS_ONE                                         \
                                    : SHIMHUB_B_IS_ONE;                                        \
        void (*run)(const T *, const T *, ptrdiff_t, T *) =                                    \
            shimhub_elementwise_##name()->combine[operation][lengths];                         \
        for (int64_t i = 0; i < rows; i++, a += columns, b += b_row, out += columns)           \
            run(swapped ? b : a, swapped ? a : b, (ptrdiff_t)columns, out);                    \
    }
FOR_BOTH(DEFINE_COMBINE)

shimhub_status shimhub_combine(shimhub_float type, shimhub_operation operation, int64_t rows,
                               int64_t columns, const void *a, const void *b, int64_t b_row,
                               int64_t b_column, int swapped, void *out)
{
    shimhub_status status = check_rows(type, rows, columns, a, out);
    if ((unsigned)operation >= SHIMHUB_OPERATION_COUNT ||
        !((b_row == 0 && (b_column == 0 || b_column == 1)) || (b_row == columns && b_column == 1)))
        return SHIMHUB_BAD_ARGUMENT;
    if (status != SHIMHUB_OK || rows == 0 || columns == 0)
        return status;
    int64_t size = rows * columns * size_of(type);
    int64_t size_of_b = (b_row ? rows * columns : b_column ? columns : 1) * size_of(type);
    if (b == NULL || !is_aligned(type, b) ||
        (overlap(b, size_of_b, out, size) && !(b == out && size_of_b == size)))
        return SHIMHUB_BAD_ARGUMENT;
    if (type == SHIMHUB_FLOAT32)
        combine_f32(operation, rows, columns, a, b, b_row, b_column, swapped, out);
    else
        combine_f64(operation, rows, columns, a, b, b_row, b_column, swapped, out);
    return SHIMHUB_OK;
}

#define DEFINE_ROWS(T, name)                                                                   \
    static void softmax_##name(int64_t rows, int64_t columns, const T *x, T *out)              \
    {                                                                                          \
        for (int64_t i = 0; i < rows; i++, x += columns, out += columns)                       \
            shimhub_elementwise_##name()->softmax(x, (ptrdiff_t)columns, out);                 \
    }                                                                                          \
    static void layer_norm_##name(int64_t rows, int64_t columns, const T *x, const T *weight,  \
                                  const T *bias, double epsilon, T *out)                       \
    {                                                                                          \
        for (int64_t i = 0; i < rows; i++, x += columns, out += columns)                       \
            shimhub_elementwise_##name()->layer_norm(x, (ptrdiff_t)columns, weight, bias,      \
                                                     (T)epsilon, out);                         \
    }
FOR_BOTH(DEFINE_ROWS)

shimhub_status shimhub_softmax(shimhub_float type, int64_t rows, int64_t columns, const void *x,
                               void *out)
{
    shimhub_status status = check_rows(type, rows, columns, x, out);
    if (status != SHIMHUB_OK || columns == 0)
        return status;
    if (type == SHIMHUB_FLOAT32)
        softmax_f32(rows, columns, x, out);
    else
        softmax_f64(rows, columns, x, out);
    return SHIMHUB_OK;
}

shimhub_status shimhub_layer_norm(shimhub_float type, int64_t rows, int64_t columns, const void *x,
                                  const void *weight, const void *bias, double epsilon, void *out)
{
    shimhub_status status = check_rows(type, rows, columns, x, out);
    if (status != SHIMHUB_OK || rows == 0 || columns == 0)
        return status;
    int64_t size = rows * columns * size_of(type), size_of_row = columns * size_of(type);
    const void *others[] = {weight, bias};
    for (int i = 0; i < 2; i++)
        if (others[i] && (!is_aligned(type, others[i]) ||
                          overlap(others[i], size_of_row, out, size)))
            return SHIMHUB_BAD_ARGUMENT;
    if (type == SHIMHUB_FLOAT32)
        layer_norm_f32(rows, columns, x, weight, bias, epsilon, out);
    else
        layer_norm_f64(rows, columns, x, weight, bias, epsilon, out);
    return SHIMHUB_OK;
}
