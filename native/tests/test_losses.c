/* Losses against naive loops in double, over sizes and numbers that are none. */
#include <math.h>
#include <string.h>

#include "check.h"

#define MOST 5000

static double numbers[2][MOST];

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

static void fill(shimhub_float type, uint64_t *state, double scale)
{
    for (int64_t i = 0; i < MOST; i++) {
        set(type, numbers[0], i, random_number(state) * scale);
        set(type, numbers[1], i, random_number(state));
    }
}

static void squares_are_those_of_naive_loops(shimhub_float type, uint64_t *state)
{
    for (int64_t n = 0; n < MOST; n += n < 300 ? 1 : 317) {
        double mean = 7, sum = 0;
        fill(type, state, 3);
        for (int64_t i = 0; i < n; i++)
            sum += pow(get(type, numbers[0], i) - get(type, numbers[1], i), 2);
        CHECK(shimhub_mse_loss(type, n, numbers[0], numbers[1], &mean) == SHIMHUB_OK);
        if (n == 0)
            CHECK(isnan(mean));
        else
            CHECK(fabs(mean - sum / (double)n) <= 32 * epsilon(type) * mean);
    }
}

static double log_softmax(shimhub_float type, int64_t n, int64_t row, int64_t at)
{
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        most = fmax(most, get(type, numbers[0], row * n + j));
    for (int64_t j = 0; j < n; j++)
        sum += exp(get(type, numbers[0], row * n + j) - most);
    return get(type, numbers[0], row * n + at) - most - log(sum);
}

/* Of a row each part is as exact as the largest number in it. */
static void entropies_are_those_of_naive_loops(shimhub_float type, uint64_t *state)
{
    for (int round = 0; round < 300; round++) {
        int64_t n = 1 + (int64_t)(next_random(state) % (round % 9 ? 70 : 1200)), rows = 1 + round % 4;
        int64_t classes[4];
        int32_t narrow[4];
        double hard = 0, soft = 0, most = 0, mean = 7, again = 7;
        fill(type, state, round % 2 ? 3 : 40);
        for (int64_t i = 0; i < rows; i++) {
            classes[i] = (int64_t)(next_random(state) % (uint64_t)n);
            narrow[i] = (int32_t)classes[i];
            hard -= log_softmax(type, n, i, classes[i]);
            for (int64_t j = 0; j < n; j++) {
                double term = log_softmax(type, n, i, j) * get(type, numbers[1], i * n + j);
                soft -= term;
                most += fabs(term) + 1;
            }
        }
        double bound = 64 * epsilon(type);
        CHECK(shimhub_cross_entropy(type, rows, n, numbers[0], SHIMHUB_INT64, classes, &mean) ==
              SHIMHUB_OK);
        CHECK(fabs(mean - hard / (double)rows) <= bound * (1 + hard));
        CHECK(shimhub_cross_entropy(type, rows, n, numbers[0], SHIMHUB_INT32, narrow, &again) ==
              SHIMHUB_OK);
        CHECK(mean == again);
        CHECK(shimhub_cross_entropy_weighted(type, rows, n, numbers[0], numbers[1], &mean) ==
              SHIMHUB_OK);
        CHECK(fabs(mean - soft / (double)rows) <= bound * (1 + most));
    }
}

/* In each place of a row that has whole vectors and a part of one. */
static void numbers_that_are_none_propagate(shimhub_float type, uint64_t *state)
{
    const int64_t n = 150;
    for (int64_t at = 0; at < n; at++) {
        double mean;
        int64_t here = at, other = (at + 1) % n;
        fill(type, state, 1);
        set(type, numbers[0], at, NAN);
        CHECK(shimhub_mse_loss(type, n, numbers[0], numbers[1], &mean) == SHIMHUB_OK);
        CHECK(isnan(mean));
        shimhub_cross_entropy(type, 1, n, numbers[0], SHIMHUB_INT64, &other, &mean);
        CHECK(isnan(mean));
        set(type, numbers[0], at, INFINITY);
        shimhub_mse_loss(type, n, numbers[0], numbers[1], &mean);
        CHECK(isinf(mean));
        shimhub_cross_entropy(type, 1, n, numbers[0], SHIMHUB_INT64, &other, &mean);
        CHECK(isnan(mean)); /* infinity less itself, as numpy has it */
        set(type, numbers[0], at, -INFINITY);
        shimhub_cross_entropy(type, 1, n, numbers[0], SHIMHUB_INT64, &other, &mean);
        CHECK(isfinite(mean));
        shimhub_cross_entropy(type, 1, n, numbers[0], SHIMHUB_INT64, &here, &mean);
        CHECK(isinf(mean) && mean > 0);
        set(type, numbers[1], at, 0); /* times minus infinity */
        shimhub_cross_entropy_weighted(type, 1, n, numbers[0], numbers[1], &mean);
        CHECK(isnan(mean));
    }
}

static void sums_that_do_not_fit_are_infinite(void)
{
    float x[40], zeros[40] = {0};
    double mean;
    for (int i = 0; i < 40; i++)
        x[i] = 1e19f;
    CHECK(shimhub_mse_loss(SHIMHUB_FLOAT32, 3, x, zeros, &mean) == SHIMHUB_OK);
    CHECK(fabs(mean - 1e38) < 1e32);
    CHECK(shimhub_mse_loss(SHIMHUB_FLOAT32, 40, x, zeros, &mean) == SHIMHUB_OK);
    CHECK(isinf(mean));
}

static void wrong_arguments_are_refused(void)
{
    const shimhub_float f = SHIMHUB_FLOAT32;
    float x[12] = {0};
    const int64_t classes[] = {2, 3, -1};
    const int32_t narrow[] = {2, 3, -1};
    double mean = 7;
    CHECK(shimhub_mse_loss((shimhub_float)2, 1, x, x, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_mse_loss(f, -1, x, x, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_mse_loss(f, 1, x, NULL, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_mse_loss(f, 1, (char *)x + 1, x, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_mse_loss(f, INT64_MAX, x, x, &mean) == SHIMHUB_OVERFLOW);
    for (int rows = 2; rows < 4; rows++) {
        CHECK(shimhub_cross_entropy(f, rows, 3, x, SHIMHUB_INT64, classes, &mean) ==
              SHIMHUB_BAD_ARGUMENT);
        CHECK(shimhub_cross_entropy(f, rows - 1, 3, x, SHIMHUB_INT32, narrow + 1, &mean) ==
              SHIMHUB_BAD_ARGUMENT);
    }
    CHECK(shimhub_cross_entropy(f, 1, 3, x, (shimhub_integer)2, classes, &mean) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_cross_entropy(f, 1, 3, x, SHIMHUB_INT64, narrow + 1, &mean) ==
              SHIMHUB_BAD_ARGUMENT ||
          (uintptr_t)(narrow + 1) % 8 == 0);
    CHECK(shimhub_cross_entropy(f, 1, 3, x, SHIMHUB_INT64, NULL, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_cross_entropy(f, 1, 3, NULL, SHIMHUB_INT64, classes, &mean) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_cross_entropy(f, INT64_MAX, 3, x, SHIMHUB_INT64, classes, &mean) ==
          SHIMHUB_OVERFLOW);
    CHECK(shimhub_cross_entropy_weighted(f, 1, -1, x, x, &mean) == SHIMHUB_BAD_ARGUMENT);
    CHECK(mean == 7); /* nothing was written */
    CHECK(shimhub_cross_entropy(f, INT64_MAX, 0, NULL, SHIMHUB_INT64, NULL, &mean) == SHIMHUB_OK);
    CHECK(isnan(mean)); /* at once */
    CHECK(shimhub_cross_entropy_weighted(f, INT64_MAX, 0, NULL, NULL, &mean) == SHIMHUB_OK);
    CHECK(isnan(mean));
    CHECK(shimhub_cross_entropy(f, 1, 3, x, SHIMHUB_INT64, classes, &mean) == SHIMHUB_OK);
    CHECK(fabs(mean - log(3)) < 1e-6);
}

void test_losses(void)
{
    uint64_t state = 8;
    for (int type = SHIMHUB_FLOAT32; type <= SHIMHUB_FLOAT64; type++) {
        squares_are_those_of_naive_loops((shimhub_float)type, &state);
        entropies_are_those_of_naive_loops((shimhub_float)type, &state);
        numbers_that_are_none_propagate((shimhub_float)type, &state);
    }
    sums_that_do_not_fit_are_infinite();
    wrong_arguments_are_refused();
}
