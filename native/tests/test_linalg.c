/* Linear algebra against naive loops in double, over sizes, strides, alignment and numbers that are
 * none. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MOST 71
#define SPACE (4 * MOST * MOST + 16)

static double random_number(uint64_t *state)
{
    return (double)(next_random(state) >> 11) / 4503599627370496. - 1; /* [-1, 1) */
}

static double get(shimhub_float type, const void *data, int64_t i)
{
    return type == SHIMHUB_FLOAT32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void set(shimhub_float type, void *data, int64_t i, double number)
{
    if (type == SHIMHUB_FLOAT32)
        ((float *)data)[i] = (float)number;
    else
        ((double *)data)[i] = number;
}

static double epsilon(shimhub_float type)
{
    return type == SHIMHUB_FLOAT32 ? 1.1920929e-7 : 2.220446049250313e-16;
}

static int64_t size_of(shimhub_float type)
{
    return type == SHIMHUB_FLOAT32 ? 4 : 8;
}

static double at(shimhub_float type, const shimhub_matrix *x, int64_t i, int64_t j)
{
    return get(type, x->buffer, x->offset + i * x->row_stride + j * x->column_stride);
}

/* Whether two results are the same number, NaN and infinity too, or as near as they must be. */
static bool near(double expected, double found, double bound)
{
    if (isnan(expected) || isnan(found))
        return isnan(expected) && isnan(found);
    return expected == found || fabs(expected - found) <= bound;
}

static double activated(shimhub_activation activation, double x)
{
    switch ((int)activation) {
    case SHIMHUB_RELU:
        return x > 0 || isnan(x) ? x : 0;
    case SHIMHUB_SIGMOID:
        return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
    case SHIMHUB_TANH:
        return tanh(x);
    case SHIMHUB_GELU:
        return x * (erfc(-x * 0.70710678118654752440) / 2);
    case SHIMHUB_GELU_TANH:
        return x * activated(SHIMHUB_SIGMOID,
                             2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));
    case SHIMHUB_EXP:
        return exp(x);
    default:
        return x;
    }
}

struct layout {
    int64_t offset, row_stride, column_stride;
};

/* A view of the buffer, which has room for twice MOST squared at each side of its middle. */
static shimhub_matrix view(shimhub_float type, void *buffer, int64_t rows, int64_t columns, int kind)
{
    const struct layout layouts[] = {
        {0, columns, 1},                                /* as C keeps it */
        {3, columns + 2, 1},                            /* with a margin, at odd addresses */
        {1, 1, rows},                                   /* as Fortran keeps it */
        {2 * MOST * MOST, 2 * columns, -2},             /* backwards, every other */
        {2 * MOST * MOST, -columns, 1},                 /* from below */
        {5, 0, 1},                                      /* one row for all */
        {5, 1, 0},                                      /* one column for all */
    };
    struct layout l = layouts[kind];
    if (kind == 4)
        l.offset += 2 * MOST;
    shimhub_matrix x = {buffer, SPACE * size_of(type), l.offset, rows, columns, l.row_stride,
                        l.column_stride};
    return x;
}

static void check_product(shimhub_float type, const shimhub_matrix *a, const shimhub_matrix *b,
                          const void *bias, shimhub_activation activation,
                          const shimhub_matrix *out)
{
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < b->columns; j++) {
            double sum = 0, most = 0;
            for (int64_t p = 0; p < a->columns; p++) {
                double term = at(type, a, i, p) * at(type, b, p, j);
                sum += term;
                most += fabs(term);
            }
            double offset = bias ? get(type, bias, j) : 0;
            double bound = (most * (double)(a->columns + 1) + fabs(offset) + 1) * 8 * epsilon(type);
            CHECK(near(activated(activation, sum + offset), at(type, out, i, j), bound));
        }
}

static uint64_t buffers[3][SPACE];

static void fill(shimhub_float type, uint64_t *state)
{
    for (int buffer = 0; buffer < 3; buffer++)
        for (int64_t i = 0; i < SPACE; i++)
            set(type, buffers[buffer], i, random_number(state));
}

static void products_of_a_shape(shimhub_float type, int64_t m, int64_t n, int64_t k, int kind_a,
                                int kind_b)
{
    shimhub_matrix a = view(type, buffers[0], m, k, kind_a), b = view(type, buffers[1], k, n, kind_b);
    shimhub_matrix out = view(type, buffers[2], m, n, 1);
    double guard = get(type, buffers[2], 2), margin = get(type, buffers[2], 3 + n);
    CHECK(shimhub_linear(type, &a, &b, NULL, SHIMHUB_IDENTITY, &out) == SHIMHUB_OK);
    check_product(type, &a, &b, NULL, SHIMHUB_IDENTITY, &out);
    CHECK(get(type, buffers[2], 2) == guard); /* nothing is written beside the result */
    if (m > 0)
        CHECK(get(type, buffers[2], 3 + n) == margin);
}

static void products_are_those_of_naive_loops(shimhub_float type, uint64_t *state)
{
    for (int64_t n = 0; n < MOST; n++) {
        fill(type, state);
        products_of_a_shape(type, n, n, n, 0, 0);
    }
    for (int round = 0; round < 150; round++) {
        int64_t m = (int64_t)(next_random(state) % MOST), n = (int64_t)(next_random(state) % MOST);
        int64_t k = (int64_t)(next_random(state) % MOST);
        fill(type, state);
        products_of_a_shape(type, m, n, k, (int)(next_random(state) % 7),
                            (int)(next_random(state) % 7));
    }
}

/* Deeper, wider and higher than a block, and larger than caches. */
static void large_products_are_the_same(shimhub_float type, uint64_t *state)
{
    const int64_t shapes[][3] = {{3, 5, 700}, {150, 40, 300}, {130, 130, 260}, {2, 2100, 9},
                                 {9, 2100, 9},   {523, 600, 3},   {37, 9001, 32},
                                 {70, 9, 600},   {64, 130, 300}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        double *a = malloc((size_t)(m * k) * sizeof *a), *b = malloc((size_t)(k * n) * sizeof *b);
        double *c = malloc((size_t)(m * n) * sizeof *c);
        for (int transposed = 0; a && b && c && transposed < 2; transposed++) {
            shimhub_matrix x = {a, m * k * 8, 0, m, k, k, 1}, w = {b, k * n * 8, 0, k, n, n, 1};
            shimhub_matrix out = {c, m * n * 8, 0, m, n, n, 1};
            if (transposed)
                w.row_stride = 1, w.column_stride = k;
            for (int64_t i = 0; i < m * k; i++)
                set(type, a, i, random_number(state));
            for (int64_t i = 0; i < k * n; i++)
                set(type, b, i, random_number(state));
            CHECK(shimhub_linear(type, &x, &w, NULL, SHIMHUB_IDENTITY, &out) == SHIMHUB_OK);
            check_product(type, &x, &w, NULL, SHIMHUB_IDENTITY, &out);
        }
        free(a);
        free(b);
        free(c);
    }
}

static void rows_do_not_depend_on_others_nor_on_alignment(shimhub_float type, uint64_t *state)
{
    static uint64_t again[SPACE];
    fill(type, state);
    shimhub_matrix a = view(type, buffers[0], 50, 61, 0), b = view(type, buffers[1], 61, 70, 0);
    shimhub_matrix out = view(type, buffers[2], 50, 70, 0);
    CHECK(shimhub_linear(type, &a, &b, NULL, SHIMHUB_IDENTITY, &out) == SHIMHUB_OK);
    for (int64_t offset = 0; offset < 8; offset++) {
        shimhub_matrix part = a, to = {again, sizeof again, offset, 50 - offset, 70, 73, 1};
        part.offset += offset * part.row_stride;
        part.rows -= offset;
        CHECK(shimhub_linear(type, &part, &b, NULL, SHIMHUB_IDENTITY, &to) == SHIMHUB_OK);
        for (int64_t i = 0; i < to.rows; i++)
            for (int64_t j = 0; j < to.columns; j++)
                CHECK(at(type, &to, i, j) == at(type, &out, i + offset, j));
    }
}

static void linear_adds_and_activates(shimhub_float type, uint64_t *state)
{
    for (int activation = 0; activation < SHIMHUB_ACTIVATION_COUNT; activation++) {
        double bias[19];
        fill(type, state);
        for (int64_t i = 0; i < 19; i++)
            set(type, bias, i, random_number(state));
        shimhub_matrix a = view(type, buffers[0], 9, 11, 0), b = view(type, buffers[1], 11, 19, 2);
        shimhub_matrix out = view(type, buffers[2], 9, 19, 1);
        CHECK(shimhub_linear(type, &a, &b, bias, (shimhub_activation)activation, &out) ==
              SHIMHUB_OK);
        check_product(type, &a, &b, bias, (shimhub_activation)activation, &out);
    }
}

static void nan_and_infinity_propagate(shimhub_float type)
{
    const double odd[] = {NAN, INFINITY, -INFINITY, 0., -0., 1., -1., 1e-310, 1e308};
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 9; j++) {
            double numbers[2][2], results[1];
            double x[2] = {odd[i], 1}, y[2] = {odd[j], 0.5};
            for (int p = 0; p < 2; p++) {
                set(type, numbers[0], p, x[p]);
                set(type, numbers[1], p, y[p]);
                x[p] = get(type, numbers[0], p);
                y[p] = get(type, numbers[1], p);
            }
            shimhub_matrix a = {numbers[0], 16, 0, 1, 2, 2, 1}, b = {numbers[1], 16, 0, 2, 1, 1, 1};
            shimhub_matrix out = {results, 8, 0, 1, 1, 1, 1};
            CHECK(shimhub_linear(type, &a, &b, NULL, SHIMHUB_IDENTITY, &out) == SHIMHUB_OK);
            double expected = type == SHIMHUB_FLOAT32
                                  ? (double)((float)x[0] * (float)y[0] + (float)0.5)
                                  : x[0] * y[0] + 0.5;
            CHECK(near(expected, get(type, results, 0), fabs(expected) * 4 * epsilon(type)));
        }
}

static void activations_are_those_of_libm(shimhub_float type, uint64_t *state)
{
    const double odd[] = {NAN, INFINITY, -INFINITY, 0, -0., 1e-40, -1e-40, 88.9, 710, -110, -750};
    double x[64], y[64];
    for (int round = 0; round < 400; round++) {
        int64_t n = (int64_t)(next_random(state) % 50);
        double scale = pow(10, (double)(round % 6) - 3);
        for (int64_t i = 0; i < n; i++)
            set(type, x, i, round % 7 ? random_number(state) * scale : odd[next_random(state) % 11]);
        for (int a = 0; a < SHIMHUB_ACTIVATION_COUNT; a++) {
            CHECK(shimhub_activate(type, (shimhub_activation)a, x, n, y) == SHIMHUB_OK);
            for (int64_t i = 0; i < n; i++) {
                double from = get(type, x, i), expected = activated((shimhub_activation)a, from);
                double bound = fabs(expected) * 8 * epsilon(type) + fabs(from) * epsilon(type);
                if (type == SHIMHUB_FLOAT32)
                    expected = (double)(float)expected;
                CHECK(near(expected, get(type, y, i),
                           bound + (type == SHIMHUB_FLOAT32 ? 1e-43 : 1e-321)));
            }
        }
    }
}

static void operations_are_those_of_c(shimhub_float type, uint64_t *state)
{
    double a[256], b[256], out[256];
    for (int round = 0; round < 200; round++) {
        int64_t rows = (int64_t)(next_random(state) % 6), columns = (int64_t)(next_random(state) % 40);
        int kind = (int)(next_random(state) % 3), swapped = (int)(next_random(state) % 2);
        int64_t b_row = kind == 2 ? columns : 0, b_column = kind > 0;
        for (int64_t i = 0; i < 256; i++) {
            set(type, a, i, random_number(state));
            set(type, b, i, i % 7 ? random_number(state) : 0);
        }
        for (int op = 0; op < SHIMHUB_OPERATION_COUNT; op++) {
            CHECK(shimhub_combine(type, (shimhub_operation)op, rows, columns, a, b, b_row, b_column,
                                  swapped, out) == SHIMHUB_OK);
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < columns; j++) {
                    double x = get(type, a, i * columns + j);
                    double y = get(type, b, i * b_row + j * b_column);
                    double left = swapped ? y : x, right = swapped ? x : y;
                    double expected = op == SHIMHUB_ADD        ? left + right
                                      : op == SHIMHUB_SUBTRACT ? left - right
                                      : op == SHIMHUB_MULTIPLY ? left * right
                                                               : left / right;
                    if (type == SHIMHUB_FLOAT32) /* rounding twice is as once for these */
                        expected = (double)(float)expected;
                    CHECK(near(expected, get(type, out, i * columns + j), 0));
                }
        }
    }
}

static void rows_are_normalised(shimhub_float type, uint64_t *state)
{
    double x[256], soft[256], norm[256], weight[64], bias[64];
    for (int round = 0; round < 100; round++) {
        int64_t rows = (int64_t)(next_random(state) % 4), n = (int64_t)(next_random(state) % 60);
        for (int64_t i = 0; i < 256; i++)
            set(type, x, i, random_number(state) * 10);
        for (int64_t i = 0; i < 64; i++) {
            set(type, weight, i, random_number(state));
            set(type, bias, i, random_number(state));
        }
        const void *w = round % 2 ? weight : NULL, *b = round % 3 ? bias : NULL;
        CHECK(shimhub_softmax(type, rows, n, x, soft) == SHIMHUB_OK);
        CHECK(shimhub_layer_norm(type, rows, n, x, w, b, 1e-5, norm) == SHIMHUB_OK);
        for (int64_t i = 0; i < rows; i++) {
            double most = -INFINITY, sum = 0, mean = 0, variance = 0;
            for (int64_t j = 0; j < n; j++)
                most = fmax(most, get(type, x, i * n + j));
            for (int64_t j = 0; j < n; j++) {
                sum += exp(get(type, x, i * n + j) - most);
                mean += get(type, x, i * n + j) / (double)n;
            }
            for (int64_t j = 0; j < n; j++)
                variance += pow(get(type, x, i * n + j) - mean, 2) / (double)n;
            for (int64_t j = 0; j < n; j++) {
                double from = get(type, x, i * n + j), power = exp(from - most) / sum;
                double normal = (from - mean) / sqrt(variance + 1e-5);
                normal = normal * (w ? get(type, weight, j) : 1) + (b ? get(type, bias, j) : 0);
                CHECK(near(power, get(type, soft, i * n + j), 64 * epsilon(type) * power));
                /* Of a row of one number the mean is it, but for rounding, and the rest is noise. */
                double noise = 10 / sqrt(variance + 1e-5) + 4;
                CHECK(near(normal, get(type, norm, i * n + j), 64 * epsilon(type) * noise));
            }
        }
    }
}

static void strides_of_dimensions_of_one_are_any(shimhub_float type)
{
    double numbers[8], results[8], bias[1];
    for (int i = 0; i < 8; i++)
        set(type, numbers, i, i + 1);
    set(type, bias, 0, 1);
    shimhub_matrix x = {numbers, 64, 0, 1, 3, INT64_MAX, 1}, w = {numbers, 64, 3, 3, 1, 1, INT64_MIN};
    shimhub_matrix out = {results, 64, 0, 1, 1, INT64_MAX, INT64_MIN};
    CHECK(shimhub_linear(type, &x, &w, bias, SHIMHUB_RELU, &out) == SHIMHUB_OK);
    CHECK(get(type, results, 0) == 1 * 4 + 2 * 5 + 3 * 6 + 1);
    x.columns = w.rows = 1, x.column_stride = INT64_MIN, w.row_stride = INT64_MAX;
    CHECK(shimhub_linear(type, &x, &w, bias, SHIMHUB_RELU, &out) == SHIMHUB_OK);
    CHECK(get(type, results, 0) == 1 * 4 + 1);
    x.columns = w.rows = w.columns = out.columns = 0, x.rows = out.rows = INT64_MAX;
    CHECK(shimhub_linear(type, &x, &w, bias, SHIMHUB_RELU, &out) == SHIMHUB_OK); /* at once */
}

static void wrong_arguments_are_refused(void)
{
    float numbers[16] = {0}, results[16] = {7};
    const shimhub_matrix good = {numbers, 64, 0, 2, 3, 3, 1};
    shimhub_matrix x = good, w = {numbers, 64, 0, 3, 2, 2, 1}, out = {results, 64, 0, 2, 2, 2, 1};
    const shimhub_float f = SHIMHUB_FLOAT32;
    CHECK(shimhub_matrix_check(f, &good) == SHIMHUB_OK);
    CHECK(shimhub_matrix_check(f, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_matrix_check((shimhub_float)2, &good) == SHIMHUB_BAD_ARGUMENT);
#define REFUSED(field, value, status)                                                          \
    do {                                                                                       \
        x = good;                                                                              \
        x.field = value;                                                                       \
        CHECK(shimhub_matrix_check(f, &x) == (status));                                        \
    } while (0)
    REFUSED(size, 23, SHIMHUB_BAD_ARGUMENT);
    REFUSED(size, -1, SHIMHUB_BAD_ARGUMENT);
    REFUSED(rows, -1, SHIMHUB_BAD_ARGUMENT);
    REFUSED(rows, 7, SHIMHUB_BAD_ARGUMENT);
    REFUSED(columns, -1, SHIMHUB_BAD_ARGUMENT);
    REFUSED(offset, -1, SHIMHUB_BAD_ARGUMENT);
    REFUSED(offset, 11, SHIMHUB_BAD_ARGUMENT);
    REFUSED(offset, INT64_MAX, SHIMHUB_BAD_ARGUMENT);
    REFUSED(row_stride, -1, SHIMHUB_BAD_ARGUMENT);
    REFUSED(row_stride, INT64_MIN, SHIMHUB_OVERFLOW);
    REFUSED(column_stride, INT64_MAX, SHIMHUB_OVERFLOW);
    REFUSED(rows, INT64_MAX, SHIMHUB_OVERFLOW);
    REFUSED(buffer, NULL, SHIMHUB_BAD_ARGUMENT);
    REFUSED(buffer, (char *)numbers + 2, SHIMHUB_BAD_ARGUMENT);
    x = good;
    CHECK(shimhub_linear(f, &x, &w, NULL, SHIMHUB_ACTIVATION_COUNT, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_linear(f, &x, &x, NULL, SHIMHUB_RELU, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_linear(f, &x, &w, results, SHIMHUB_RELU, &out) == SHIMHUB_BAD_ARGUMENT);
    out.row_stride = 1; /* rows that overlap */
    CHECK(shimhub_linear(f, &x, &w, NULL, SHIMHUB_RELU, &out) == SHIMHUB_BAD_ARGUMENT);
    out.row_stride = 2, out.buffer = numbers;
    CHECK(shimhub_linear(f, &x, &w, NULL, SHIMHUB_RELU, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_activate(f, SHIMHUB_RELU, numbers, -1, results) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_activate(f, SHIMHUB_RELU, numbers, 4, numbers + 1) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_activate(f, SHIMHUB_RELU, NULL, 4, results) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_activate(f, SHIMHUB_RELU, NULL, 0, NULL) == SHIMHUB_OK);
    CHECK(shimhub_softmax(f, INT64_MAX, 2, numbers, results) == SHIMHUB_OVERFLOW);
    CHECK(shimhub_combine(f, SHIMHUB_ADD, 2, 3, numbers, numbers, 1, 1, 0, results) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_combine(f, SHIMHUB_ADD, 2, 3, numbers, results, 0, 1, 0, results) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_layer_norm(f, 2, 3, numbers, results, NULL, 0, results) == SHIMHUB_BAD_ARGUMENT);
    CHECK(results[0] == 7); /* nothing was written */
}

void test_linalg(void)
{
    uint64_t state = 4;
    for (int type = SHIMHUB_FLOAT32; type <= SHIMHUB_FLOAT64; type++) {
        products_are_those_of_naive_loops((shimhub_float)type, &state);
        large_products_are_the_same((shimhub_float)type, &state);
        rows_do_not_depend_on_others_nor_on_alignment((shimhub_float)type, &state);
        linear_adds_and_activates((shimhub_float)type, &state);
        nan_and_infinity_propagate((shimhub_float)type);
        activations_are_those_of_libm((shimhub_float)type, &state);
        operations_are_those_of_c((shimhub_float)type, &state);
        rows_are_normalised((shimhub_float)type, &state);
        strides_of_dimensions_of_one_are_any((shimhub_float)type);
    }
    wrong_arguments_are_refused();
}
