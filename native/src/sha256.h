/* Private: SHA-256, from FIPS 180-4, https://doi.org/10.6028/NIST.FIPS.180-4 */
#ifndef SHIMHUB_SHA256_H
#define SHIMHUB_SHA256_H

#include "lanes.h"
#include "shimhub/hash.h"
#include "words.h"

enum { SHA256_BLOCK = 64, SHA256_DIGEST = 32 };

extern const uint32_t shimhub_sha256_initial[8];
extern const uint32_t shimhub_sha256_k[64];

/* Updates the state by `blocks` blocks of 64 bytes. */
void shimhub_sha256_blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks);

/* Digests of rows, as shimhub_sha256() after its checks. */
typedef void shimhub_sha256_rows(const shimhub_bytes *rows, size_t count, uint8_t *digests);

shimhub_sha256_rows shimhub_sha256_portable;

/* The end of a row, with its padding and length (FIPS 180-4, 5.1.1): 1 or 2 blocks. */
SHIMHUB_INLINE size_t sha256_pad(uint8_t tail[2 * SHA256_BLOCK], const shimhub_bytes *row)
{
    size_t rest = row->size % SHA256_BLOCK;
    size_t blocks = rest < SHA256_BLOCK - 8 ? 1 : 2;
    uint64_t bits = (uint64_t)row->size << 3;
    memset(tail + rest, 0, SHA256_BLOCK * blocks - rest);
    if (rest > 0)
        memcpy(tail, (const uint8_t *)row->data + (row->size - rest), rest);
    tail[rest] = 0x80;
    store_be32(tail + SHA256_BLOCK * blocks - 8, (uint32_t)(bits >> 32));
    store_be32(tail + SHA256_BLOCK * blocks - 4, (uint32_t)bits);
    return blocks;
}

#endif
