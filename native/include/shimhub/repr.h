/* Digests of what Python prints of rows: the repr() of dicts, lists, strings and numbers. */
#ifndef SHIMHUB_REPR_H
#define SHIMHUB_REPR_H

#include "columns.h"
#include "hash.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_REPR_NONE,     /* of NULL: None, as nulls of all kinds are */
    SHIMHUB_REPR_SIGNED,   /* of FIXED with 1, 2, 4 or 8 bytes */
    SHIMHUB_REPR_UNSIGNED, /* the same */
    SHIMHUB_REPR_BOOL,     /* of BOOL: True, False */
    SHIMHUB_REPR_TEXT,     /* of BINARY that is UTF-8: a str */
    SHIMHUB_REPR_BYTES,    /* of BINARY: bytes */
    SHIMHUB_REPR_RAW,      /* of BINARY that is a repr already */
    SHIMHUB_REPR_LIST,     /* of LIST and FIXED_LIST */
    SHIMHUB_REPR_DICT      /* of STRUCT */
} shimhub_repr_kind;

/* How to print a column, and so its children. */
typedef struct shimhub_repr {
    int32_t kind;
    int32_t children_count;
    shimhub_bytes key; /* of a field: what stands before its value, such as "'a': " */
    const struct shimhub_repr *children;
} shimhub_repr;

/* Bytes of a bitmap of code points. */
enum { SHIMHUB_POINTS_SIZE = 0x110000 / 8 };

/* The SHA-256 of each row's repr at digests + 32 * i, counted over all chunks, which are all printed
 * as `repr` says. `printable` has bit i & 7 of byte i >> 3 for each code point i that
 * str.isprintable() is true of, in SHIMHUB_POINTS_SIZE bytes.
 * BAD_ARGUMENT where a column is not of the kind that `repr` prints, BAD_FORMAT where text is no
 * UTF-8; otherwise as shimhub_digest_columns(). O(bytes printed). */
SHIMHUB_API shimhub_status shimhub_digest_reprs(const shimhub_column *chunks, size_t count,
                                                const shimhub_repr *repr,
                                                const uint8_t *printable, unsigned threads,
                                                uint8_t *digests);

#ifdef __cplusplus
}
#endif

#endif
