/* Losses over numbers and rows: checks, then a lane's sums. */
#include <math.h>

#include "elementwise.h"

#define FOR_BOTH(DEFINE) DEFINE(float, f32) DEFINE(double, f64)

/* Whether rows * columns numbers of that size can lie at data. */
static shimhub_status check_numbers(int64_t rows, int64_t columns, int64_t size, const void *data)
{
    if (rows < 0 || columns < 0)
        return SHIMHUB_BAD_ARGUMENT;
    if (columns > 0 && rows > PTRDIFF_MAX / size / columns)
        return SHIMHUB_OVERFLOW;
    if (rows > 0 && columns > 0 && (data == NULL || (uintptr_t)data % (uintptr_t)size != 0))
        return SHIMHUB_BAD_ARGUMENT;
    return SHIMHUB_OK;
}

static shimhub_status check_floats(shimhub_float type, int64_t rows, int64_t columns,
                                   const void *x, const void *other)
{
    if (type != SHIMHUB_FLOAT32 && type != SHIMHUB_FLOAT64)
        return SHIMHUB_BAD_ARGUMENT;
    int64_t size = type == SHIMHUB_FLOAT32 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
    shimhub_status status = check_numbers(rows, columns, size, x);
    return status == SHIMHUB_OK ? check_numbers(rows, columns, size, other) : status;
}

static double mean_of(shimhub_float type, double sum, int64_t count)
{
    if (type == SHIMHUB_FLOAT32)
        sum = (double)(float)sum;
    return count == 0 ? (double)NAN : sum / (double)count;
}

shimhub_status shimhub_mse_loss(shimhub_float type, int64_t count, const void *x,
                                const void *target, double *mean)
{
    shimhub_status status = check_floats(type, 1, count, x, target);
    if (status != SHIMHUB_OK)
        return status;
    double sum = type == SHIMHUB_FLOAT32
                     ? shimhub_elementwise_f32()->sum_squares(x, target, (ptrdiff_t)count)
                     : shimhub_elementwise_f64()->sum_squares(x, target, (ptrdiff_t)count);
    *mean = mean_of(type, sum, count);
    return SHIMHUB_OK;
}

static int64_t class_at(shimhub_integer kind, const void *classes, int64_t i)
{
    return kind == SHIMHUB_INT32 ? ((const int32_t *)classes)[i] : ((const int64_t *)classes)[i];
}

#define DEFINE_ROWS(T, name)                                                                   \
    static shimhub_status classes_##name(int64_t rows, int64_t columns, const T *x,            \
                                         shimhub_integer kind, const void *classes,            \
                                         double *sum)                                          \
    {                                                                                          \
        const struct shimhub_elementwise_##name *lane = shimhub_elementwise_##name();          \
        for (int64_t i = 0; i < rows; i++, x += columns) {                                     \
            T greatest;                                                                        \
            int64_t at = class_at(kind, classes, i);                                           \
            if (at < 0 || at >= columns)                                                       \
                return SHIMHUB_BAD_ARGUMENT;                                                   \
            double less = lane->log_sum_exp(x, (ptrdiff_t)columns, &greatest);                 \
            *sum += less - (double)(T)(x[at] - greatest);                                      \
        }                                                                                      \
        return SHIMHUB_OK;                                                                     \
    }                                                                                          \
    static void weights_##name(int64_t rows, int64_t columns, const T *x, const T *weights,    \
                               double *sum)                                                    \
    {                                                                                          \
        const struct shimhub_elementwise_##name *lane = shimhub_elementwise_##name();          \
        for (int64_t i = 0; i < rows; i++, x += columns, weights += columns) {                 \
            T greatest, less = (T)lane->log_sum_exp(x, (ptrdiff_t)columns, &greatest);         \
            *sum -= lane->sum_weighted(x, weights, (ptrdiff_t)columns, greatest, less);        \
        }                                                                                      \
    }
FOR_BOTH(DEFINE_ROWS)

shimhub_status shimhub_cross_entropy(shimhub_float type, int64_t rows, int64_t columns,
                                     const void *x, shimhub_integer kind, const void *classes,
                                     double *mean)
{
    shimhub_status status = check_floats(type, rows, columns, x, x);
    if (kind != SHIMHUB_INT32 && kind != SHIMHUB_INT64)
        return SHIMHUB_BAD_ARGUMENT;
    if (status == SHIMHUB_OK && columns > 0)
        status = check_numbers(rows, 1, kind == SHIMHUB_INT32 ? 4 : 8, classes);
    if (status != SHIMHUB_OK)
        return status;
    double sum = 0;
    if (columns == 0)
        rows = 0;
    status = type == SHIMHUB_FLOAT32 ? classes_f32(rows, columns, x, kind, classes, &sum)
                                     : classes_f64(rows, columns, x, kind, classes, &sum);
    if (status == SHIMHUB_OK)
        *mean = mean_of(type, sum, rows);
    return status;
}

shimhub_status shimhub_cross_entropy_weighted(shimhub_float type, int64_t rows, int64_t columns,
                                              const void *x, const void *weights, double *mean)
{
    shimhub_status status = check_floats(type, rows, columns, x, weights);
    if (status != SHIMHUB_OK)
        return status;
    double sum = 0;
    if (columns == 0)
        rows = 0;
    if (type == SHIMHUB_FLOAT32)
        weights_f32(rows, columns, x, weights, &sum);
    else
        weights_f64(rows, columns, x, weights, &sum);
    *mean = mean_of(type, sum, rows);
    return SHIMHUB_OK;
}
