/* Private: rows as byte strings, from wherever they are. */
#ifndef SHIMHUB_ROWS_H
#define SHIMHUB_ROWS_H

#include <stdbool.h>

#include "arena.h"
#include "shimhub/dedup.h"
#include "shimhub/hash.h"

/* Rows are handled in blocks that stay in the second cache while they are hashed and compared. */
#define SHIMHUB_BLOCK 128

/* What a row's bytes are; rows of different tags differ, whatever their bytes. */
enum { SHIMHUB_TAG_BYTES = 0, SHIMHUB_TAG_NULL = 255 };

/* Some rows in view. Bytes lie in the source, or in the arena. Zero-initialise; free the arena. */
typedef struct {
    shimhub_bytes bytes[SHIMHUB_BLOCK];
    uint8_t tags[SHIMHUB_BLOCK];
    shimhub_arena arena;
    size_t bad; /* the row that made view() fail, counted from the source's first */
} shimhub_block;

typedef struct {
    const void *source;
    size_t count;
    /* Puts rows first .. first + count - 1 into the block; count <= SHIMHUB_BLOCK. What the block
     * held before is gone. From any thread, a block each. */
    shimhub_status (*view)(const void *source, size_t first, size_t count, shimhub_block *block);
    /* Asks for the memory that view() of the row will read. NULL: not worth it. */
    void (*prefetch)(const void *source, size_t row);
} shimhub_rows;

/* The rows of columns. */
typedef struct {
    shimhub_column *chunks;
    size_t *starts; /* the first row of each, and at the end the count of all */
    size_t count;
} shimhub_column_rows;

typedef enum {
    SHIMHUB_ROWS_CANONICAL, /* BINARY is bytes, all else its canonical encoding */
    SHIMHUB_ROWS_COMPARED   /* whatever is quickest, and equal if and only if the rows are */
} shimhub_rows_use;

/* Checks the chunks and makes rows of them. Close also what could not be opened. */
shimhub_status shimhub_column_rows_open(const shimhub_column *chunks, size_t count,
                                        shimhub_rows_use use, shimhub_column_rows *source,
                                        shimhub_rows *rows);
void shimhub_column_rows_close(shimhub_column_rows *source);

/* Where a row is: `row` counts from the buffers' start, the column's offset included. */
typedef struct {
    size_t chunk, next; /* the next row of all */
    int64_t row;
} shimhub_row_place;

/* The place before a row; and the chunk of the row at the next place, which becomes the place. */
shimhub_row_place shimhub_column_rows_find(const shimhub_column_rows *source, size_t row);
const shimhub_column *shimhub_column_rows_next(const shimhub_column_rows *source,
                                               shimhub_row_place *place);

/* Appends the canonical encoding of rows start .. start + count - 1 of the column's buffers;
 * false if there is no memory. */
bool shimhub_encode(const shimhub_column *column, int64_t start, int64_t count,
                    shimhub_arena *arena);

/* shimhub_digest_columns() over any rows; *bad is the first row that its source cannot give. */
shimhub_status shimhub_digest_rows(const shimhub_rows *rows, shimhub_digest_kind kind,
                                   uint64_t seed, unsigned threads, uint8_t *digests, size_t *bad);

typedef shimhub_status shimhub_hash_function(const shimhub_bytes *rows, size_t count,
                                             uint64_t seed, shimhub_hash128 *hashes);

/* shimhub_deduplicate() over any rows, by any hash. */
shimhub_status shimhub_dedup_rows(const shimhub_rows *rows, shimhub_hash_function *hash,
                                  bool exact, uint64_t seed, unsigned threads, int64_t *kept,
                                  size_t *kept_count);

#if defined(__GNUC__)
#define SHIMHUB_PREFETCH(address) __builtin_prefetch(address)
#else
#define SHIMHUB_PREFETCH(address) ((void)(address))
#endif

#endif
