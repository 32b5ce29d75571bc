/* Private: items of numbers from one type to another, and padding. */
#ifndef SHIMHUB_PAD_ITEMS_H
#define SHIMHUB_PAD_ITEMS_H

#include <stdbool.h>

#include "shimhub/pad.h"

/* Numbers in memory, aligned or not. */
struct shimhub_items {
    const char *data;  /* of the first item, or the byte of bit 0 */
    int64_t stride;    /* bytes from one item to the next; BIT has none */
    int64_t first_bit; /* BIT: where the first item is */
    int64_t count;
    int32_t type;
};

/* Bytes of one number; 0 for BIT and for what is no type. */
int64_t shimhub_number_size(int32_t type);
bool shimhub_number_is_float(int32_t type);
/* Whether a matrix can be of that type. */
bool shimhub_number_is_target(int32_t type);
/* Whether items of one type may be written as another: anything but floats as integers. */
bool shimhub_number_converts(int32_t from, int32_t to);

/* The index of the first item that the type cannot hold; -1 if it can hold them all. */
int64_t shimhub_items_misfit(const struct shimhub_items *items, int32_t type);
/* Writes items that all fit, side by side. `to` is aligned. */
void shimhub_items_copy(const struct shimhub_items *items, int32_t type, void *to);

/* Whether the value of padding, or its range to `length`, fits the matrix' type. */
bool shimhub_pad_value_fits(const shimhub_pad *pad, int64_t length);
/* Writes `count` numbers of padding, the first ones of a range. */
void shimhub_pad_fill(const shimhub_pad *pad, void *to, int64_t count);
/* Writes `count` ones. */
void shimhub_pad_ones(const shimhub_pad *pad, void *to, int64_t count);
/* Pads a row that has `count` items; returns where they belong. count <= length. */
void *shimhub_pad_around(const shimhub_pad *pad, int64_t row, int64_t count);

/* shimhub_pad_columns() in two: all that can fail, and the rest. Rows that stop being right between
 * the two are padded as if they were empty. */
shimhub_status shimhub_pad_check(const shimhub_column *chunks, size_t count, int32_t type,
                                 const shimhub_pad *pad, shimhub_pad_fault *fault);
void shimhub_pad_write(const shimhub_column *chunks, size_t count, int32_t type,
                       const shimhub_pad *pad, unsigned threads);
/* Whether the rows of both have the same lengths; if not, *row is the first that has not. Both
 * were measured, and have as many rows. */
bool shimhub_pad_same_lengths(const shimhub_column *chunks, size_t count,
                              const shimhub_column *others, int64_t *row);

#endif
