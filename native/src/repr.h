/* Private: printing values as Python's repr() does. */
#ifndef SHIMHUB_SRC_REPR_H
#define SHIMHUB_SRC_REPR_H

#include <string.h>

#include "arena.h"
#include "shimhub/repr.h"
#include "words.h"

enum { SHIMHUB_DIGITS = 10000, SHIMHUB_NUMBER_MAX = 24 };

/* What printing looks up: the code points of str.isprintable(), and four digits of each number. */
typedef struct {
    const uint8_t *printable;
    char digits[SHIMHUB_DIGITS][4];
    char past_digits[4]; /* all four are copied from the first that is meant */
} shimhub_repr_tables;

void shimhub_repr_tables_fill(shimhub_repr_tables *tables, const uint8_t *printable);

/* Writes any number; returns the end, and may write up to SHIMHUB_NUMBER_MAX bytes. */
uint8_t *shimhub_repr_long(const shimhub_repr_tables *tables, uint64_t magnitude, uint8_t *to);

SHIMHUB_INLINE uint8_t *shimhub_four_digits(const shimhub_repr_tables *tables, unsigned number,
                                            uint8_t *to)
{
    memcpy(to, tables->digits[number], 4);
    return to + 4;
}

/* Up to four digits, and none that is a leading zero. */
SHIMHUB_INLINE uint8_t *shimhub_first_digits(const shimhub_repr_tables *tables, unsigned number,
                                             uint8_t *to)
{
    unsigned skip = (unsigned)(number < 10) + (unsigned)(number < 100) + (unsigned)(number < 1000);
    memcpy(to, (const char *)tables->digits + 4 * number + skip, 4);
    return to + (4 - skip);
}

/* The same as shimhub_repr_long(), with a sign. */
SHIMHUB_INLINE uint8_t *shimhub_repr_number(const shimhub_repr_tables *tables, uint64_t magnitude,
                                            int negative, uint8_t *to)
{
    *to = '-';
    to += negative != 0;
    if (magnitude < SHIMHUB_DIGITS)
        return shimhub_first_digits(tables, (unsigned)magnitude, to);
    if (magnitude >= (uint64_t)SHIMHUB_DIGITS * SHIMHUB_DIGITS)
        return shimhub_repr_long(tables, magnitude, to);
    unsigned number = (unsigned)magnitude;
    to = shimhub_first_digits(tables, number / SHIMHUB_DIGITS, to);
    return shimhub_four_digits(tables, number % SHIMHUB_DIGITS, to);
}

/* Appends the repr of a str, or of bytes: NO_MEMORY, or BAD_FORMAT where it is no UTF-8. */
shimhub_status shimhub_repr_text(const shimhub_repr_tables *tables, const uint8_t *text,
                                 size_t size, shimhub_arena *arena);
shimhub_status shimhub_repr_bytes(const uint8_t *bytes, size_t size, shimhub_arena *arena);

#endif
