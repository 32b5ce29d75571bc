/* Linear algebra of small sizes in float32 and float64, on one thread.
 *
 * For one lane, results depend on values and shapes alone: not on strides or alignment. NaN and
 * infinity propagate as IEEE 754 says. Rounding differs between lanes. */
#ifndef SHIMHUB_LINALG_H
#define SHIMHUB_LINALG_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SHIMHUB_FLOAT32, SHIMHUB_FLOAT64 } shimhub_float;

/* A view of rows * columns numbers in a buffer. */
typedef struct {
    void *buffer;   /* aligned to its numbers; may be NULL where size is 0 */
    int64_t size;   /* of the buffer, in bytes */
    int64_t offset; /* of element [0, 0] from the buffer's start; this and strides in elements */
    int64_t rows, columns;
    int64_t row_stride, column_stride; /* may be negative or zero */
} shimhub_matrix;

typedef enum {
    SHIMHUB_RELU,
    SHIMHUB_SIGMOID,
    SHIMHUB_TANH,
    SHIMHUB_GELU,      /* x * Phi(x), Phi the normal distribution's */
    SHIMHUB_GELU_TANH, /* its approximation by tanh (Hendrycks and Gimpel, arXiv:1606.08415) */
    SHIMHUB_EXP,
    SHIMHUB_IDENTITY,
    SHIMHUB_ACTIVATION_COUNT
} shimhub_activation;

typedef enum {
    SHIMHUB_ADD,
    SHIMHUB_SUBTRACT,
    SHIMHUB_MULTIPLY,
    SHIMHUB_DIVIDE,
    SHIMHUB_OPERATION_COUNT
} shimhub_operation;

/* Whether all elements of the view lie in its buffer, which ends at a possible address.
 * BAD_ARGUMENT or OVERFLOW if not. */
SHIMHUB_API shimhub_status shimhub_matrix_check(shimhub_float type, const shimhub_matrix *matrix);

/* out = activation(x * weight + bias), out[i, j] over x's rows and weight's columns.
 * bias has weight's columns; it may be NULL. out's columns are adjacent, its rows apart, and its
 * buffer overlaps none of the others'. Takes time and, for large sizes, memory: NO_MEMORY. */
SHIMHUB_API shimhub_status shimhub_linear(shimhub_float type, const shimhub_matrix *x,
                                          const shimhub_matrix *weight, const void *bias,
                                          shimhub_activation activation,
                                          const shimhub_matrix *out);

/* out[i] = activation(x[i]) for i < count; out may be x. */
SHIMHUB_API shimhub_status shimhub_activate(shimhub_float type, shimhub_activation activation,
                                            const void *x, int64_t count, void *out);

/* out[i, j] = a[i, j] op b[i * b_row + j * b_column] over rows * columns adjacent numbers: b_row
 * and b_column are 0 or 1 times their own strides, for a scalar (0, 0), a row (0, 1) and a whole
 * matrix (columns, 1). swapped: b op a. out may be a or b, whole. */
SHIMHUB_API shimhub_status shimhub_combine(shimhub_float type, shimhub_operation operation,
                                           int64_t rows, int64_t columns, const void *a,
                                           const void *b, int64_t b_row, int64_t b_column,
                                           int swapped, void *out);

/* Each row of rows * columns adjacent numbers: exp(x - max) / sum. out may be x. */
SHIMHUB_API shimhub_status shimhub_softmax(shimhub_float type, int64_t rows, int64_t columns,
                                           const void *x, void *out);

/* Each row of rows * columns adjacent numbers: (x - mean) / sqrt(variance + epsilon), times weight
 * and plus bias, of `columns` numbers each, that may be NULL. out may be x. */
SHIMHUB_API shimhub_status shimhub_layer_norm(shimhub_float type, int64_t rows, int64_t columns,
                                              const void *x, const void *weight, const void *bias,
                                              double epsilon, void *out);

typedef enum { SHIMHUB_INT32, SHIMHUB_INT64 } shimhub_integer;

/* Losses: means, of each number or each row, NaN of none. Sums are taken in blocks in the numbers'
 * precision and then in double, and must fit that precision: infinity if one does not. */

/* The mean of (x[i] - target[i])^2. */
SHIMHUB_API shimhub_status shimhub_mse_loss(shimhub_float type, int64_t count, const void *x,
                                            const void *target, double *mean);

/* The mean over rows of -log(softmax(x)[class]), rows of `columns` adjacent numbers each.
 * BAD_ARGUMENT for a class that is not in 0..columns - 1. */
SHIMHUB_API shimhub_status shimhub_cross_entropy(shimhub_float type, int64_t rows, int64_t columns,
                                                 const void *x, shimhub_integer kind,
                                                 const void *classes, double *mean);

/* The mean over rows of the sum of -log(softmax(x)) * weights, of as many numbers as x. */
SHIMHUB_API shimhub_status shimhub_cross_entropy_weighted(shimhub_float type, int64_t rows,
                                                          int64_t columns, const void *x,
                                                          const void *weights, double *mean);

#ifdef __cplusplus
}
#endif

#endif
