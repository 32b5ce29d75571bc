/* Items of numbers from one type to another, and padding.
 *
 * There are no lanes here: the loops are loads, widenings and stores that compilers vectorize, and
 * what they wait for is memory. 64 rows of int32 into 64 x 2048 int64 took 53 us as built for any
 * x86-64, 50 us for AVX2 and 55 us for AVX-512. */
#include "pad_items.h"

#include <math.h>
#include <string.h>

/* Types without a loop of their own go through a block that stays in the first-level cache. */
enum { BLOCK = 256 };

static const struct {
    int64_t size;
    bool target, real;
    int64_t low, high; /* of integers that it holds */
} numbers[] = {
    [SHIMHUB_NUMBER_INT8] = {1, false, false, INT8_MIN, INT8_MAX},
    [SHIMHUB_NUMBER_INT16] = {2, false, false, INT16_MIN, INT16_MAX},
    [SHIMHUB_NUMBER_INT32] = {4, true, false, INT32_MIN, INT32_MAX},
    [SHIMHUB_NUMBER_INT64] = {8, true, false, INT64_MIN, INT64_MAX},
    [SHIMHUB_NUMBER_UINT8] = {1, true, false, 0, UINT8_MAX},
    [SHIMHUB_NUMBER_UINT16] = {2, false, false, 0, UINT16_MAX},
    [SHIMHUB_NUMBER_UINT32] = {4, false, false, 0, UINT32_MAX},
    [SHIMHUB_NUMBER_UINT64] = {8, false, false, 0, INT64_MAX}, /* and more: see misfit */
    [SHIMHUB_NUMBER_FLOAT32] = {4, true, true, INT64_MIN, INT64_MAX},
    [SHIMHUB_NUMBER_FLOAT64] = {8, true, true, INT64_MIN, INT64_MAX},
    [SHIMHUB_NUMBER_BOOL] = {1, true, false, 0, 1},
    [SHIMHUB_NUMBER_BIT] = {0, false, false, 0, 1},
};

_Static_assert(sizeof numbers / sizeof *numbers == SHIMHUB_NUMBER_COUNT, "a type has no row");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754");

static bool is_number(int32_t type)
{
    return type >= 0 && type < SHIMHUB_NUMBER_COUNT;
}

int64_t shimhub_number_size(int32_t type)
{
    return is_number(type) ? numbers[type].size : 0;
}

bool shimhub_number_is_float(int32_t type)
{
    return is_number(type) && numbers[type].real;
}

bool shimhub_number_is_target(int32_t type)
{
    return is_number(type) && numbers[type].target;
}

bool shimhub_number_converts(int32_t from, int32_t to)
{
    return is_number(from) && shimhub_number_is_target(to) &&
           (numbers[to].real || !numbers[from].real);
}

/* count <= BLOCK of the items from `first` on, as TYPE, into BLOCK of WIDE. */
#define LOAD(TYPE, WIDE)                                                                       \
    for (int64_t i = 0; i < count; i++) {                                                      \
        TYPE value;                                                                            \
        memcpy(&value, from + i * stride, sizeof value);                                       \
        block[i] = (WIDE)value;                                                                \
    }                                                                                          \
    break

static void load_bits(const struct shimhub_items *items, int64_t first, int64_t count,
                      int64_t *block)
{
    const unsigned char *bytes = (const unsigned char *)items->data;
    for (int64_t i = 0; i < count; i++) {
        int64_t bit = items->first_bit + first + i;
        block[i] = bytes[bit >> 3] >> (bit & 7) & 1;
    }
}

/* Any type but floats. UINT64 above INT64_MAX turns negative: misfit looks at that. */
static void load_integers(const struct shimhub_items *items, int64_t first, int64_t count,
                          int64_t *block)
{
    int64_t stride = items->stride;
    const char *from = items->data + first * stride;
    switch (items->type) {
    case SHIMHUB_NUMBER_INT8: LOAD(int8_t, int64_t);
    case SHIMHUB_NUMBER_INT16: LOAD(int16_t, int64_t);
    case SHIMHUB_NUMBER_INT32: LOAD(int32_t, int64_t);
    case SHIMHUB_NUMBER_INT64: LOAD(int64_t, int64_t);
    case SHIMHUB_NUMBER_BOOL: /* any byte but 0 is true */
        for (int64_t i = 0; i < count; i++)
            block[i] = from[i * stride] != 0;
        break;
    case SHIMHUB_NUMBER_UINT8: LOAD(uint8_t, int64_t);
    case SHIMHUB_NUMBER_UINT16: LOAD(uint16_t, int64_t);
    case SHIMHUB_NUMBER_UINT32: LOAD(uint32_t, int64_t);
    case SHIMHUB_NUMBER_UINT64: LOAD(uint64_t, int64_t);
    default: load_bits(items, first, count, block);
    }
}

static void load_reals(const struct shimhub_items *items, int64_t first, int64_t count,
                       double *block)
{
    int64_t stride = items->stride;
    const char *from = items->data + first * stride;
    switch (items->type) {
    case SHIMHUB_NUMBER_FLOAT32: LOAD(float, double);
    case SHIMHUB_NUMBER_FLOAT64: LOAD(double, double);
    default: LOAD(uint64_t, double);
    }
}

static bool goes_through_reals(int32_t from, int32_t to)
{
    return numbers[from].real || (from == SHIMHUB_NUMBER_UINT64 && numbers[to].real);
}

/* From here on a double rounds to an infinite float: the largest float and half of its last bit. */
static const double FLOAT_END = 0x1.ffffffp127;

static bool fits_float(double value)
{
    return fabs(value) < FLOAT_END || isinf(value) || isnan(value);
}

static int64_t misfit_of_reals(const struct shimhub_items *items)
{
    double block[BLOCK];
    for (int64_t first = 0; first < items->count; first += BLOCK) {
        int64_t count = items->count - first < BLOCK ? items->count - first : BLOCK;
        load_reals(items, first, count, block);
        for (int64_t i = 0; i < count; i++)
            if (!fits_float(block[i]))
                return first + i;
    }
    return -1;
}

static int64_t misfit_of_integers(const struct shimhub_items *items, int64_t low, int64_t high)
{
    int64_t block[BLOCK];
    for (int64_t first = 0; first < items->count; first += BLOCK) {
        int64_t count = items->count - first < BLOCK ? items->count - first : BLOCK;
        int outside = 0;
        load_integers(items, first, count, block);
        for (int64_t i = 0; i < count; i++)
            outside |= (block[i] < low) | (block[i] > high);
        for (int64_t i = 0; outside && i < count; i++)
            if (block[i] < low || block[i] > high)
                return first + i;
    }
    return -1;
}

int64_t shimhub_items_misfit(const struct shimhub_items *items, int32_t type)
{
    int32_t from = items->type;
    if (numbers[type].real)
        return from == SHIMHUB_NUMBER_FLOAT64 && type == SHIMHUB_NUMBER_FLOAT32
                   ? misfit_of_reals(items)
                   : -1;
    bool is_large = from == SHIMHUB_NUMBER_UINT64;
    if (!is_large && numbers[from].low >= numbers[type].low &&
        numbers[from].high <= numbers[type].high)
        return -1;
    return misfit_of_integers(items, is_large ? 0 : numbers[type].low, numbers[type].high);
}

#define STORE(TYPE)                                                                            \
    for (int64_t i = 0; i < count; i++)                                                        \
        ((TYPE *)to)[i] = (TYPE)block[i];                                                      \
    break

static void store_integers(const int64_t *block, int64_t count, int32_t type, void *to)
{
    switch (type) {
    case SHIMHUB_NUMBER_INT32: STORE(int32_t);
    case SHIMHUB_NUMBER_INT64: STORE(int64_t);
    case SHIMHUB_NUMBER_FLOAT32: STORE(float);
    case SHIMHUB_NUMBER_FLOAT64: STORE(double);
    default: STORE(uint8_t); /* UINT8 and BOOL */
    }
}

static void store_reals(const double *block, int64_t count, int32_t type, void *to)
{
    switch (type) {
    case SHIMHUB_NUMBER_FLOAT32: STORE(float);
    default: STORE(double);
    }
}

static void copy_in_blocks(const struct shimhub_items *items, int32_t type, char *to)
{
    union {
        int64_t integers[BLOCK];
        double reals[BLOCK];
    } block;
    bool reals = goes_through_reals(items->type, type);
    for (int64_t first = 0; first < items->count; first += BLOCK) {
        int64_t count = items->count - first < BLOCK ? items->count - first : BLOCK;
        char *here = to + first * numbers[type].size;
        if (reals) {
            load_reals(items, first, count, block.reals);
            store_reals(block.reals, count, type, here);
        } else {
            load_integers(items, first, count, block.integers);
            store_integers(block.integers, count, type, here);
        }
    }
}

/* What Arrow has for tokens, into what torch wants. */
static void widen(const char *from, int64_t count, int64_t *to)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t value;
        memcpy(&value, from + i * 4, sizeof value);
        to[i] = value;
    }
}

void shimhub_items_copy(const struct shimhub_items *items, int32_t type, void *to)
{
    int32_t from = items->type;
    bool dense = items->stride == numbers[from].size && from != SHIMHUB_NUMBER_BIT;
    if (items->count == 0)
        return;
    if (dense && from == type && type != SHIMHUB_NUMBER_BOOL)
        memcpy(to, items->data, (size_t)(items->count * items->stride));
    else if (dense && from == SHIMHUB_NUMBER_INT32 && type == SHIMHUB_NUMBER_INT64)
        widen(items->data, items->count, to);
    else
        copy_in_blocks(items, type, to);
}

bool shimhub_pad_value_fits(const shimhub_pad *pad, int64_t length)
{
    bool real = numbers[pad->type].real;
    if (pad->range)
        return real || length <= 0 || length - 1 <= numbers[pad->type].high;
    if (real)
        return pad->type == SHIMHUB_NUMBER_FLOAT64 || fits_float(pad->real);
    return pad->integer >= numbers[pad->type].low && pad->integer <= numbers[pad->type].high;
}

#define FILL(TYPE, VALUE)                                                                      \
    do {                                                                                       \
        TYPE *items = to;                                                                      \
        TYPE value = (TYPE)(VALUE);                                                            \
        for (int64_t i = 0; i < count; i++)                                                    \
            items[i] = value;                                                                  \
    } while (0)

#define RANGE(TYPE)                                                                            \
    do {                                                                                       \
        TYPE *items = to;                                                                      \
        for (int64_t i = 0; i < count; i++)                                                    \
            items[i] = (TYPE)i;                                                                \
    } while (0)

static void fill_range(int32_t type, void *to, int64_t count)
{
    switch (type) {
    case SHIMHUB_NUMBER_INT32: RANGE(int32_t); break;
    case SHIMHUB_NUMBER_INT64: RANGE(int64_t); break;
    case SHIMHUB_NUMBER_FLOAT32: RANGE(float); break;
    case SHIMHUB_NUMBER_FLOAT64: RANGE(double); break;
    default: RANGE(uint8_t);
    }
}

static void fill_value(int32_t type, void *to, int64_t count, int64_t integer, double real)
{
    switch (type) {
    case SHIMHUB_NUMBER_INT32: FILL(int32_t, integer); break;
    case SHIMHUB_NUMBER_INT64: FILL(int64_t, integer); break;
    case SHIMHUB_NUMBER_FLOAT32: FILL(float, real); break;
    case SHIMHUB_NUMBER_FLOAT64: FILL(double, real); break;
    default: FILL(uint8_t, integer);
    }
}

void shimhub_pad_fill(const shimhub_pad *pad, void *to, int64_t count)
{
    if (pad->range)
        fill_range(pad->type, to, count);
    else
        fill_value(pad->type, to, count, pad->integer, pad->real);
}

void shimhub_pad_ones(const shimhub_pad *pad, void *to, int64_t count)
{
    fill_value(pad->type, to, count, 1, 1.0);
}

void *shimhub_pad_around(const shimhub_pad *pad, int64_t row, int64_t count)
{
    char *start = (char *)pad->data + row * pad->row_stride;
    int64_t size = numbers[pad->type].size, missing = pad->length - count;
    char *items = pad->left ? start + missing * size : start;
    shimhub_pad_fill(pad, pad->left ? start : start + count * size, missing);
    return items;
}
