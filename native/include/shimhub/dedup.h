/* Digests of rows, and which rows are the first of their value.
 *
 * Two rows are equal if their canonical encodings are: docs/kernels.md, and native/src/encode.c.
 * `chunks` are the chunks of one column, in order; each is checked by shimhub_column_check(). */
#ifndef SHIMHUB_DEDUP_H
#define SHIMHUB_DEDUP_H

#include <stdbool.h>

#include "columns.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_SHA256,  /* 32 bytes */
    SHIMHUB_XXH3_128 /* 16 bytes, as xxhash's canonical form: big-endian, high half first */
} shimhub_digest_kind;

/* The digest of row i (counted over all chunks) at digests + i * its size; `seed` is XXH3's.
 * BINARY: of the row's bytes, and zeros for null. Other kinds: of the row's canonical encoding.
 * On up to `threads` threads, 0: all processors. NO_MEMORY may leave digests half written. */
SHIMHUB_API shimhub_status shimhub_digest_columns(const shimhub_column *chunks, size_t count,
                                                  shimhub_digest_kind kind, uint64_t seed,
                                                  unsigned threads, uint8_t *digests);

/* kept[0] .. kept[*kept_count - 1] get the rows that no earlier row equals, rising; there must be
 * room for all rows. exact: what hashes equal is compared; else 128 bits of XXH3 decide. A `seed`
 * that is not known to who made the rows keeps them from colliding on purpose.
 * O(bytes) expected; 16 to 48 bytes of memory a row. OVERFLOW from 2^32 - 1 rows on. */
SHIMHUB_API shimhub_status shimhub_deduplicate(const shimhub_column *chunks, size_t count,
                                               bool exact, uint64_t seed, unsigned threads,
                                               int64_t *kept, size_t *kept_count);

/* A set of SHA-256 digests in the order that they came in. Not for two threads at a time. */
typedef struct shimhub_seen shimhub_seen;

/* A new set in *seen; `seed` orders its table, and should be secret where digests are foreign. */
SHIMHUB_API shimhub_status shimhub_seen_new(uint64_t seed, shimhub_seen **seen);

SHIMHUB_API void shimhub_seen_free(shimhub_seen *seen);

SHIMHUB_API size_t shimhub_seen_count(const shimhub_seen *seen);

/* The set's digests, 32 bytes each; until the next call that adds. */
SHIMHUB_API const uint8_t *shimhub_seen_digests(const shimhub_seen *seen);

/* Adds digests[32 * i], i < count; kept gets each i that was new, rising, with room for `count`.
 * The set is as it was where a status other than OK is returned. O(count) expected. */
SHIMHUB_API shimhub_status shimhub_seen_add(shimhub_seen *seen, const uint8_t *digests,
                                            size_t count, int64_t *kept, size_t *kept_count);

/* A new set in *seen of what a file holds: "shimseen", u32 version 1, u32 digest size 32, u64
 * count, all little-endian, the digests, and the SHA-256 of all before it. BAD_FORMAT if it is
 * anything else, a digest that comes twice included. */
SHIMHUB_API shimhub_status shimhub_seen_parse(const void *bytes, size_t size, uint64_t seed,
                                              shimhub_seen **seen);

#ifdef __cplusplus
}
#endif

#endif
