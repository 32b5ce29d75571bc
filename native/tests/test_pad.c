/* Padding of columns, against a plain loop over the same rows. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pad_items.h"

enum { ROWS = 40, MOST = 700, VALUES = ROWS * MOST };

/* A list column of `type` with 4- or 8-byte offsets, and what its rows are as doubles. */
struct example {
    shimhub_column list, values;
    int64_t wide[ROWS + 2];
    int32_t narrow[ROWS + 2];
    double items[VALUES];
    unsigned char data[VALUES * 8], lists_valid[ROWS / 8 + 2], values_valid[VALUES / 8 + 2];
    int64_t size; /* of an item */
};

static struct example example;

static void put(int32_t type, int64_t index, uint64_t random)
{
    unsigned char *to = example.data + index * shimhub_number_size(type);
    int8_t number = (int8_t)(random % 100);
    double real = number + 0.5;
    float narrow = (float)real;
    int64_t large = number;
    example.items[index] = shimhub_number_is_float(type) ? real : number;
    switch (type) {
    case SHIMHUB_NUMBER_FLOAT32: memcpy(to, &narrow, 4); break;
    case SHIMHUB_NUMBER_FLOAT64: memcpy(to, &real, 8); break;
    case SHIMHUB_NUMBER_BOOL: *to = random & 1; break;
    case SHIMHUB_NUMBER_BIT:
        example.data[index >> 3] &= (unsigned char)~(1u << (index & 7));
        example.data[index >> 3] |= (unsigned char)((random & 1) << (index & 7));
        break;
    default: /* two's complement: the low bytes are the number */
        for (int64_t i = 0; i < example.size; i++)
            to[i] = (unsigned char)((uint64_t)large >> 8 * i);
    }
    if (type == SHIMHUB_NUMBER_BOOL || type == SHIMHUB_NUMBER_BIT)
        example.items[index] = (double)(random & 1);
}

static int32_t kind_of(int32_t type)
{
    return type == SHIMHUB_NUMBER_BIT        ? SHIMHUB_COLUMN_BOOL
           : shimhub_number_is_float(type) ? SHIMHUB_COLUMN_FLOAT
                                             : SHIMHUB_COLUMN_FIXED;
}

static void make(int32_t type, bool large, int64_t first_row, int64_t first_value)
{
    uint64_t state = (uint64_t)(type * 2 + large);
    int64_t rows = ROWS - first_row, end = first_value;
    memset(&example, 0, sizeof example);
    example.size = shimhub_number_size(type);
    for (int64_t i = 0; i <= ROWS; i++) {
        example.wide[i] = end - first_value;
        example.narrow[i] = (int32_t)(end - first_value);
        end += (int64_t)(next_random(&state) % (i % 4 == 0 ? 1 : MOST - 20));
    }
    for (int64_t i = 0; i < VALUES; i++)
        put(type, i, next_random(&state));
    memset(example.lists_valid, 0xff, sizeof example.lists_valid);
    memset(example.values_valid, 0xff, sizeof example.values_valid);
    example.values = (shimhub_column){
        .kind = kind_of(type), .width = example.size, .length = VALUES - first_value,
        .offset = first_value, .validity = {example.values_valid, sizeof example.values_valid},
        .data = {example.data, example.size ? VALUES * example.size : VALUES / 8},
    };
    example.list = (shimhub_column){
        .kind = SHIMHUB_COLUMN_LIST, .children_count = 1, .width = large ? 8 : 4, .length = rows,
        .offset = first_row, .validity = {example.lists_valid, sizeof example.lists_valid},
        .children = &example.values,
    };
    example.list.offsets.data = large ? (void *)example.wide : (void *)example.narrow;
    example.list.offsets.size = (ROWS + 1) * example.list.width;
}

static double number_at(const char *row, int32_t type, int64_t index)
{
    int64_t integer = 0;
    double real = 0;
    struct shimhub_items one = {row + index * shimhub_number_size(type),
                                shimhub_number_size(type), 0, 1, type};
    if (!shimhub_number_is_float(type)) {
        shimhub_items_copy(&one, SHIMHUB_NUMBER_INT64, &integer);
        return (double)integer;
    }
    shimhub_items_copy(&one, SHIMHUB_NUMBER_FLOAT64, &real);
    return real;
}

static double expected(const shimhub_pad *pad, int64_t row, int64_t index)
{
    int64_t begin = example.wide[example.list.offset + row];
    int64_t count = example.wide[example.list.offset + row + 1] - begin;
    count = count < pad->length ? count : pad->length;
    int64_t place = pad->left ? index - (pad->length - count) : index;
    if (place >= 0 && place < count)
        return pad->ones ? 1 : example.items[example.values.offset + begin + place];
    if (!pad->range)
        return shimhub_number_is_float(pad->type) ? pad->real : (double)pad->integer;
    return (double)(pad->left ? index : index - count);
}

static void compare(const shimhub_pad *pad)
{
    int wrong = 0;
    for (int64_t row = 0; row < pad->rows; row++) {
        const char *line = (const char *)pad->data + row * pad->row_stride;
        for (int64_t i = 0; i < pad->length; i++)
            wrong += number_at(line, pad->type, i) != expected(pad, row, i);
    }
    CHECK(wrong == 0);
}

static void pads_into(int32_t from, int32_t to, unsigned threads)
{
    shimhub_pad_fault fault = {0};
    int64_t rows, longest;
    CHECK(shimhub_pad_measure(&example.list, 1, &rows, &longest) == SHIMHUB_OK);
    for (int variant = 0; variant < 8; variant++) {
        shimhub_pad pad = {
            .rows = rows, .length = variant & 4 ? longest / 2 : longest + 3, .type = to,
            .left = variant & 1, .range = to != SHIMHUB_NUMBER_BOOL && to != SHIMHUB_NUMBER_UINT8 &&
                                          (variant & 2) != 0,
            .truncate = variant & 4, .ones = variant == 3, .integer = 1, .real = -7.5,
        };
        pad.row_stride = (pad.length + 5) * shimhub_number_size(to);
        pad.data = malloc((size_t)(rows * pad.row_stride) + 1);
        memset(pad.data, 0x5a, (size_t)(rows * pad.row_stride));
        CHECK(shimhub_pad_columns(&example.list, 1, from, &pad, threads, &fault) == SHIMHUB_OK);
        compare(&pad);
        const unsigned char *behind = (unsigned char *)pad.data + pad.row_stride - 1;
        CHECK(*behind == 0x5a);
        free(pad.data);
    }
}

static void all_types_are_padded(void)
{
    for (int32_t from = 0; from < SHIMHUB_NUMBER_COUNT; from++)
        for (int32_t to = 0; to < SHIMHUB_NUMBER_COUNT; to++) {
            bool fits = to != SHIMHUB_NUMBER_BOOL || from == SHIMHUB_NUMBER_BOOL ||
                        from == SHIMHUB_NUMBER_BIT;
            if (!shimhub_number_converts(from, to) || !fits)
                continue;
            make(from, to & 1, to % 5, from % 7);
            pads_into(from, to, to & 1 ? 3 : 1);
        }
}

static void types_are_as_they_say(void)
{
    CHECK(shimhub_number_size(-1) == 0 && shimhub_number_size(SHIMHUB_NUMBER_COUNT) == 0);
    CHECK(!shimhub_number_is_target(SHIMHUB_NUMBER_BIT) && !shimhub_number_is_target(99));
    CHECK(!shimhub_number_converts(SHIMHUB_NUMBER_FLOAT32, SHIMHUB_NUMBER_INT64));
    CHECK(!shimhub_number_converts(-1, SHIMHUB_NUMBER_INT64));
    CHECK(shimhub_number_converts(SHIMHUB_NUMBER_BIT, SHIMHUB_NUMBER_FLOAT64));
}

static void floats_misfit_where_they_round_to_infinity(void)
{
    double reals[] = {0, -3.4028235677973362e38, INFINITY, NAN, 3.4028235677973366e38};
    struct shimhub_items items = {(const char *)reals, 8, 0, 5, SHIMHUB_NUMBER_FLOAT64};
    CHECK(shimhub_items_misfit(&items, SHIMHUB_NUMBER_FLOAT32) == 4);
    CHECK(shimhub_items_misfit(&items, SHIMHUB_NUMBER_FLOAT64) == -1);
    uint64_t large[] = {INT64_MAX, UINT64_MAX};
    struct shimhub_items unsigned_items = {(const char *)large, 8, 0, 2, SHIMHUB_NUMBER_UINT64};
    CHECK(shimhub_items_misfit(&unsigned_items, SHIMHUB_NUMBER_INT64) == 1);
    float rounded[2];
    shimhub_items_copy(&unsigned_items, SHIMHUB_NUMBER_FLOAT32, rounded);
    CHECK(rounded[1] == 0x1p64f);
}

static shimhub_status pad_bytes(int32_t type, int32_t to, int64_t length, shimhub_pad_fault *fault)
{
    static int64_t memory[ROWS * MOST];
    shimhub_pad pad = {memory, MOST * shimhub_number_size(to), example.list.length, length, to,
                       0, 0, 0, 0, 0, 0};
    memory[0] = 42;
    shimhub_status status = shimhub_pad_columns(&example.list, 1, type, &pad, 1, fault);
    CHECK(status == SHIMHUB_OK || memory[0] == 42);
    return status;
}

static void faults_are_found_before_anything_is_written(void)
{
    shimhub_pad_fault fault = {0};
    int32_t type = SHIMHUB_NUMBER_INT64, to = SHIMHUB_NUMBER_INT32;
    int64_t end = INT64_MAX, begin;
    make(type, true, 0, 0);
    begin = example.wide[ROWS - 1];
    CHECK(example.wide[ROWS] - begin > 300);
    memcpy(example.data + (begin + 299) * 8, &end, 8);
    CHECK(pad_bytes(type, to, MOST, &fault) == SHIMHUB_BAD_FORMAT);
    CHECK(fault.kind == SHIMHUB_PAD_MISFIT && fault.row == ROWS - 1 && fault.item == 299);
    CHECK(fault.at == begin + 299 && fault.chunk == 0);
    example.values_valid[(begin + 100) >> 3] &= (unsigned char)~(1u << ((begin + 100) & 7));
    CHECK(pad_bytes(type, to, MOST, &fault) == SHIMHUB_BAD_FORMAT);
    CHECK(fault.kind == SHIMHUB_PAD_NULL_ITEM && fault.row == ROWS - 1 && fault.item == 100);
    CHECK(pad_bytes(type, to, 9, &fault) == SHIMHUB_BAD_FORMAT);
    CHECK(fault.kind == SHIMHUB_PAD_TOO_LONG && fault.item == -1 && fault.count > 9);
    example.lists_valid[0] = 0xfe;
    CHECK(pad_bytes(type, to, MOST, &fault) == SHIMHUB_BAD_FORMAT);
    CHECK(fault.kind == SHIMHUB_PAD_NULL_ROW && fault.row == 0);
}

static void bad_arguments_are_refused(void)
{
    shimhub_pad_fault fault;
    int64_t rows, longest;
    int32_t type = SHIMHUB_NUMBER_INT64;
    make(type, true, 0, 0);
    CHECK(shimhub_pad_measure(NULL, 1, &rows, &longest) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_pad_measure(&example.values, 1, &rows, &longest) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_pad_columns(&example.list, 1, type, NULL, 1, &fault) == SHIMHUB_BAD_ARGUMENT);
    CHECK(pad_bytes(SHIMHUB_NUMBER_FLOAT64, type, MOST, &fault) == SHIMHUB_BAD_ARGUMENT);
    CHECK(pad_bytes(SHIMHUB_NUMBER_INT32, type, MOST, &fault) == SHIMHUB_BAD_ARGUMENT);
    CHECK(pad_bytes(type, SHIMHUB_NUMBER_UINT64, MOST, &fault) == SHIMHUB_BAD_ARGUMENT);
    CHECK(pad_bytes(type, type, -1, &fault) == SHIMHUB_BAD_ARGUMENT);
    CHECK(pad_bytes(type, type, INT64_MAX, &fault) == SHIMHUB_BAD_ARGUMENT);
}

static void offsets_are_held_to_their_buffers(void)
{
    shimhub_pad_fault fault;
    int32_t type = SHIMHUB_NUMBER_INT64;
    for (int broken = 0; broken < 10; broken++) {
        make(type, true, 0, 0);
        switch (broken) {
        case 0: example.wide[0] = -1; break;
        case 1: example.wide[3] = example.wide[1] - 1; break;
        case 2: example.wide[ROWS] = VALUES + 1; break;
        case 3: example.wide[2] = INT64_MIN; break;
        case 4: example.list.offsets.size--; break;
        case 5: example.list.offset = INT64_MAX; break;
        case 6: example.values.data.size--; break;
        case 7: example.values.length = INT64_MAX; break;
        case 8: example.list.validity.size = ROWS / 8 - 1; break;
        case 9: example.values.offset = 1; break;
        }
        CHECK(pad_bytes(type, type, MOST, &fault) == SHIMHUB_BAD_OFFSETS);
    }
    make(type, true, 0, 0);
    example.list.kind = SHIMHUB_COLUMN_FIXED_LIST;
    example.list.width = VALUES / ROWS + 1;
    CHECK(pad_bytes(type, type, MOST, &fault) == SHIMHUB_BAD_OFFSETS);
    example.list.width = INT64_MAX / 32;
    CHECK(pad_bytes(type, type, MOST, &fault) == SHIMHUB_BAD_OFFSETS);
}

static void lengths_are_compared_over_chunks(void)
{
    int64_t row;
    make(SHIMHUB_NUMBER_INT8, true, 0, 0);
    shimhub_column halves[3] = {example.list, example.list, example.list};
    halves[0].length = 7;
    halves[1].length = 0;
    halves[2].offset = 7;
    halves[2].length -= 7;
    CHECK(shimhub_pad_same_lengths(&example.list, 1, halves, &row));
    CHECK(shimhub_pad_same_lengths(halves, 3, &example.list, &row));
    halves[2].offset = 6;
    CHECK(!shimhub_pad_same_lengths(halves, 3, &example.list, &row) && row >= 7);
}

void test_pad(void)
{
    types_are_as_they_say();
    all_types_are_padded();
    floats_misfit_where_they_round_to_infinity();
    faults_are_found_before_anything_is_written();
    bad_arguments_are_refused();
    offsets_are_held_to_their_buffers();
    lengths_are_compared_over_chunks();
}
