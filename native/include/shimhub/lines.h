/* Lines of text and of JSON: where they are, and whether each holds one object. */
#ifndef SHIMHUB_LINES_H
#define SHIMHUB_LINES_H

#include <stdbool.h>

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where lines begin and end, their line feed included; those of blanks, tabs and carriage returns
 * alone are left out. *count is how many there are; the first `capacity` are written. O(size). */
SHIMHUB_API shimhub_status shimhub_line_bounds(const uint8_t *text, size_t size, size_t capacity,
                                               int64_t *starts, int64_t *ends, size_t *count);

typedef struct {
    int64_t lines; /* complete or not, as Python's universal newlines count them */
    int64_t bytes; /* written: those of all lines, without their ends */
    bool is_ascii;
} shimhub_text_found;

/* Copies the lines without their ends (LF, CR, CR LF) to `out`, which has room for `size` bytes.
 * offsets[i] to offsets[i + 1] is line i: there is room for capacity + 1. starts[i], unless that is
 * NULL, is where it begins in the text. OVERFLOW if there are more than `capacity` lines, or the
 * size exceeds INT32_MAX. O(size). */
SHIMHUB_API shimhub_status shimhub_text_lines(const uint8_t *text, size_t size, size_t capacity,
                                              uint8_t *out, int32_t *offsets, int64_t *starts,
                                              shimhub_text_found *found);

typedef struct {
    int64_t rows;    /* lines with an object; the others are blank */
    int64_t pairs;   /* of keys and values, nested ones too: colons outside of strings */
    bool is_ascii;
    bool is_certain; /* the numbers hold, and so does what is told below */
} shimhub_json_found;

/* Looks at the brackets of lines of JSON, and not at whether they are JSON in all else. Where it is
 * certain, and a parser takes the text, each line that is not blank is one object, nested no more
 * than `depth` deep, integers are of int64 or uint64, and what begins with N or I outside of
 * strings is NaN or Infinity. O(size). */
SHIMHUB_API shimhub_status shimhub_json_scan(const uint8_t *text, size_t size, int32_t depth,
                                             shimhub_json_found *found);

/* What turns a JSON array, or objects one after the other, into lines. Zero it to begin. */
typedef struct {
    int64_t offset; /* bytes taken so far */
    int32_t state;  /* SHIMHUB_ELEMENTS_... */
    int32_t depth;
    uint8_t is_array, in_string, is_escaped, has_value;
    int64_t whole; /* of what the last call wrote, bytes of lines that are complete */
} shimhub_elements;

typedef enum {
    SHIMHUB_ELEMENTS_BEGIN = 0,  /* nothing but white space so far */
    SHIMHUB_ELEMENTS_WANTED = 1, /* of an array, an element; or its end if it has none yet */
    SHIMHUB_ELEMENTS_INSIDE = 2, /* of a list or an object */
    SHIMHUB_ELEMENTS_SCALAR = 3, /* inside something else */
    SHIMHUB_ELEMENTS_AFTER = 4,  /* an element has ended */
    SHIMHUB_ELEMENTS_END = 5     /* the array has */
} shimhub_elements_state;

/* Takes `size` bytes more. Writes elements to `out`, each with a line feed behind it and blanks for
 * its own: so it has room for 2 * size bytes. starts[i] is where
 * the i-th one that begins here does, with room for size. BAD_FORMAT where a comma is missing or
 * too many, a string has a line feed, or something comes after the array: elements->offset tells
 * where, and what was written before holds. O(size). */
SHIMHUB_API shimhub_status shimhub_json_elements(shimhub_elements *elements, const uint8_t *text,
                                                 size_t size, uint8_t *out, int64_t *starts,
                                                 size_t *written, size_t *begun);

typedef struct {
    int64_t records; /* without those that are empty */
    int64_t taken;   /* bytes of complete records, empty ones too */
    int64_t open;    /* where a quote was opened that was not closed; -1 if none is */
} shimhub_csv_found;

/* Where records of CSV begin and end (LF, CR LF or CR, included): a line end between quotes is
 * none. A quote counts only as the first byte of a field; twice inside of quotes it is one, and
 * behind the closing one the field goes on. quote -1: there are none. is_last: nothing follows, so
 * that the last record needs no end. The first `capacity` are written. O(size). */
SHIMHUB_API shimhub_status shimhub_csv_records(const uint8_t *text, size_t size,
                                               uint8_t delimiter, int32_t quote, bool is_last,
                                               size_t capacity, int64_t *starts, int64_t *ends,
                                               shimhub_csv_found *found);

typedef struct {
    int64_t records; /* without those that are empty */
    bool is_ascii;
    bool is_certain; /* every record has the columns told, and text is quoted as a whole or not */
} shimhub_csv_fields_found;

/* Where the fields of CSV lie in `text`, which has whole records. Field c of record r is the
 * sizes[r * columns + c] bytes at starts[r * columns + c], without its quotes; where a quote is
 * twice in it, the size is ~size. totals[c] is how many bytes column c has, such quotes once. There
 * is room for `capacity` records. It is not certain, and what was written means nothing, where a
 * record has more or fewer fields, a quoted one goes on behind its closing quote, a quote is not
 * closed, or there are more records. OVERFLOW if the size exceeds INT32_MAX. O(size). */
SHIMHUB_API shimhub_status shimhub_csv_fields(const uint8_t *text, size_t size, uint8_t delimiter,
                                              int32_t quote, size_t columns, size_t capacity,
                                              int32_t *starts, int32_t *sizes, int64_t *totals,
                                              shimhub_csv_fields_found *found);

/* Copies fields 0, stride, 2 * stride... of those, `count` in all, one behind the other: field i is
 * from offsets[i] to offsets[i + 1] of `out`, which has room for `capacity` bytes. BAD_ARGUMENT if
 * that is too few, or a field lies outside of the text. O(bytes). */
SHIMHUB_API shimhub_status shimhub_csv_column(const uint8_t *text, size_t size, int32_t quote,
                                              const int32_t *starts, const int32_t *sizes,
                                              size_t count, size_t stride, uint8_t *out,
                                              size_t capacity, int32_t *offsets);

#ifdef __cplusplus
}
#endif

#endif
