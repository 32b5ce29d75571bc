/* Padding of columns whose buffers hold anything, and whose sizes are told. */
#include <stdlib.h>
#include <string.h>

#include "pad_items.h"

enum { CHUNKS = 3 };

struct input {
    const uint8_t *data;
    size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t take(struct input *input, size_t bytes)
{
    uint64_t value = 0;
    bytes = bytes < input->size ? bytes : input->size;
    memcpy(&value, input->data, bytes);
    input->data += bytes;
    input->size -= bytes;
    return value;
}

/* Small, mostly; sometimes any number at all. */
static int64_t number(struct input *input)
{
    uint64_t small = take(input, 1);
    return small < 250 ? (int64_t)(small % 40) : (int64_t)take(input, 8);
}

/* Memory of its very size, so that one byte more is an error. */
static shimhub_buffer buffer(struct input *input, void **held)
{
    size_t size = (size_t)take(input, 1) % 100;
    size = size < input->size ? size : input->size;
    *held = malloc(size == 0 ? 1 : size);
    shimhub_buffer made = {*held, (int64_t)size};
    if (*held == NULL || size == 0)
        return (shimhub_buffer){NULL, 0};
    memcpy(*held, input->data, size);
    input->data += size;
    input->size -= size;
    return made;
}

static void make(struct input *input, shimhub_column *list, shimhub_column *values, void **held)
{
    uint64_t kind = take(input, 1);
    *list = (shimhub_column){
        .kind = kind & 1 ? SHIMHUB_COLUMN_LIST : SHIMHUB_COLUMN_FIXED_LIST,
        .children_count = 1, .width = kind & 1 ? (kind & 2 ? 8 : 4) : number(input),
        .length = number(input), .offset = number(input), .children = values,
    };
    *values = (shimhub_column){
        .kind = (int32_t)(kind >> 2) % 6, .width = 1 << (kind >> 6),
        .length = number(input), .offset = number(input),
    };
    list->validity = kind & 32 ? buffer(input, &held[0]) : (shimhub_buffer){NULL, 0};
    values->validity = kind & 16 ? buffer(input, &held[1]) : (shimhub_buffer){NULL, 0};
    list->offsets = buffer(input, &held[2]);
    values->data = buffer(input, &held[3]);
}

static void pad_all(struct input *input, const shimhub_column *lists, size_t count)
{
    uint64_t told = take(input, 4);
    int64_t rows, longest;
    shimhub_pad_fault fault = {0};
    if (shimhub_pad_measure(lists, count, &rows, &longest) != SHIMHUB_OK)
        return;
    shimhub_pad pad = {
        .rows = rows, .length = told & 1 ? longest : number(input), .type = told >> 8 & 15,
        .left = told & 2, .range = told & 4, .ones = told & 8, .truncate = told & 16,
        .integer = (int64_t)(told >> 16 & 255), .real = 0.5,
    };
    int64_t size = shimhub_number_size(pad.type);
    if (rows > 1000 || pad.length < 0 || pad.length > 1000)
        return;
    pad.row_stride = pad.length * size;
    pad.data = malloc((size_t)(pad.row_stride * rows) + 1);
    if (pad.data != NULL)
        (void)shimhub_pad_columns(lists, count, (int32_t)(told >> 24 & 15), &pad, 1, &fault);
    free(pad.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    shimhub_column lists[CHUNKS], values[CHUNKS];
    void *held[CHUNKS][4] = {{NULL}};
    size_t count = (size_t)take(&input, 1) % (CHUNKS + 1);
    int64_t row, rows, longest;
    for (size_t i = 0; i < count; i++)
        make(&input, &lists[i], &values[i], held[i]);
    pad_all(&input, lists, count);
    if (count > 1 && lists[0].length == lists[1].length &&
        shimhub_pad_measure(lists, 2, &rows, &longest) == SHIMHUB_OK && rows < 1000)
        (void)shimhub_pad_same_lengths(lists, 1, lists + 1, &row);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < 4; j++)
            free(held[i][j]);
    return 0;
}
