/* Products of views that the input describes: those that the checks accept are computed, and must
 * stay in their buffers; of the others nothing is read or written. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

#define MOST_WORK 1000000.

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t next_byte(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* Mostly small, so that many views are accepted; sometimes any number. */
static int64_t next_number(struct input *input)
{
    uint8_t kind = next_byte(input);
    if (kind < 0xf0)
        return (int8_t)next_byte(input);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | next_byte(input);
    int64_t result;
    memcpy(&result, &number, sizeof result);
    return result;
}

/* A buffer of exactly the told size, so that the sanitizer sees what lies outside. */
static shimhub_matrix next_matrix(struct input *input)
{
    size_t size = (size_t)next_byte(input) * 16 + next_byte(input) % 16;
    uint8_t *buffer = malloc(size);
    for (size_t i = 0; buffer && i < size; i++)
        buffer[i] = next_byte(input);
    shimhub_matrix matrix = {buffer, buffer ? (int64_t)size : 0, 0, 0, 0, 0, 0};
    matrix.offset = next_number(input);
    matrix.rows = next_number(input);
    matrix.columns = next_number(input);
    matrix.row_stride = next_number(input);
    matrix.column_stride = next_number(input);
    return matrix;
}

static void run(struct input *input, shimhub_float type, const shimhub_matrix *x,
                const shimhub_matrix *weight, const shimhub_matrix *out)
{
    shimhub_activation activation = (shimhub_activation)(next_byte(input) % 8);
    double work = (double)x->rows * (double)weight->columns * ((double)x->columns + 1);
    if (work > MOST_WORK)
        return;
    shimhub_linear(type, x, weight, NULL, activation, out);
}

/* Rows of the buffer that x has, into the one of out. */
static void run_rows(struct input *input, shimhub_float type, const shimhub_matrix *x,
                     const shimhub_matrix *out)
{
    int64_t size = type == SHIMHUB_FLOAT32 ? 4 : 8, count = x->size < out->size ? x->size : out->size;
    int64_t columns = next_byte(input) % 40, rows = columns ? count / size / columns : 0;
    int kind = next_byte(input) % 3;
    shimhub_softmax(type, rows, columns, x->buffer, out->buffer);
    shimhub_layer_norm(type, rows, columns, x->buffer, NULL, NULL, 1e-5, out->buffer);
    shimhub_activate(type, (shimhub_activation)(next_byte(input) % 8), x->buffer, count / size,
                     out->buffer);
    shimhub_combine(type, (shimhub_operation)(next_byte(input) % 5), rows, columns, x->buffer,
                    x->buffer, kind == 2 ? columns : 0, kind > 0, next_byte(input) % 2, out->buffer);
}

/* The buffer of out as numbers, weights and classes, which are mostly none. */
static void run_losses(struct input *input, shimhub_float type, const shimhub_matrix *x,
                       const shimhub_matrix *out)
{
    int64_t size = type == SHIMHUB_FLOAT32 ? 4 : 8, count = x->size < out->size ? x->size : out->size;
    int64_t columns = next_byte(input) % 40, rows = columns ? count / size / columns : 0;
    shimhub_integer kind = next_byte(input) % 2 ? SHIMHUB_INT64 : SHIMHUB_INT32;
    int64_t classes = out->size / (kind == SHIMHUB_INT64 ? 8 : 4);
    double mean;
    shimhub_mse_loss(type, count / size, x->buffer, out->buffer, &mean);
    shimhub_cross_entropy_weighted(type, rows, columns, x->buffer, out->buffer, &mean);
    shimhub_cross_entropy(type, rows < classes ? rows : classes, columns, x->buffer, kind,
                          out->buffer, &mean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    shimhub_float type = next_byte(&input) % 2 ? SHIMHUB_FLOAT64 : SHIMHUB_FLOAT32;
    uint32_t lanes = next_byte(&input) & shimhub_lanes_here();
    shimhub_lanes_use(lanes);
    shimhub_matrix x = next_matrix(&input), weight = next_matrix(&input), out = next_matrix(&input);
    if (next_byte(&input) % 2) { /* shapes that fit each other */
        weight.rows = x.columns;
        out.rows = x.rows;
        out.columns = weight.columns;
    }
    run(&input, type, &x, &weight, &out);
    run_losses(&input, type, &x, &out); /* before out is written */
    run_rows(&input, type, &x, &out);
    free(x.buffer);
    free(weight.buffer);
    free(out.buffer);
    return 0;
}
