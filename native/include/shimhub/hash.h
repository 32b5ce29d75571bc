/* Hashes of byte strings: SHA-256 (FIPS 180-4) and XXH3 with 64 and 128 bits (xxHash 0.8). */
#ifndef SHIMHUB_HASH_H
#define SHIMHUB_HASH_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const void *data; /* may be NULL where size is 0 */
    size_t size;      /* bytes */
} shimhub_bytes;

typedef struct {
    uint64_t low, high;
} shimhub_hash128;

/* digests[32 * i] .. [32 * i + 31] get the SHA-256 of rows[i], for i < count. */
SHIMHUB_API shimhub_status shimhub_sha256(const shimhub_bytes *rows, size_t count,
                                          uint8_t *digests);

/* hashes[i] gets XXH3_128bits_withSeed(rows[i], seed), for i < count. */
SHIMHUB_API shimhub_status shimhub_xxh3_128(const shimhub_bytes *rows, size_t count,
                                            uint64_t seed, shimhub_hash128 *hashes);

/* hashes[i] gets XXH3_64bits_withSeed(rows[i], seed), for i < count. */
SHIMHUB_API shimhub_status shimhub_xxh3_64(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                           uint64_t *hashes);

#ifdef __cplusplus
}
#endif

#endif
