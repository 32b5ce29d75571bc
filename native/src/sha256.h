/* Private: SHA-256, from FIPS 180-4, https://doi.org/10.6028/NIST.FIPS.180-4 */
#ifndef SHIMHUB_SHA256_H
#define SHIMHUB_SHA256_H

#include "lanes.h"
#include "shimhub/hash.h"
#include "words.h"

enum { SHA256_BLOCK = 64, SHA256_DIGEST = 32 };

extern const uint32_t shimhub_sha256_initial[8];
extern const uint32_t shimhub_sha256_k[64];

/* Updates one state by `blocks` blocks of 64 bytes. */
typedef void shimhub_sha256_single(uint32_t state[8], const uint8_t *data, size_t blocks);

/* Updates a state for each lane by `blocks` blocks, each lane's at data[lane], which moves on. */
typedef void shimhub_sha256_step(uint32_t *states, const uint8_t **data, size_t blocks);

shimhub_sha256_single shimhub_sha256_portable;
shimhub_sha256_single shimhub_sha256_bmi2; /* as portable, with the rotations of AVX2's machines */
shimhub_sha256_single shimhub_sha256_sha_ni;
shimhub_sha256_step shimhub_sha256_step_avx2;
shimhub_sha256_step shimhub_sha256_step_avx512;
shimhub_sha256_step shimhub_sha256_step_sha_ni;

enum { SHA256_LANES_MAX = 16 };

/* How rows are hashed several at a time. Word w of lane l is states[w * word + l * lane]. */
struct shimhub_sha256_lanes {
    shimhub_sha256_step *step;
    shimhub_sha256_single *single; /* faster than step where `few` lanes or fewer have a row */
    unsigned count, few, word, lane;
};

void shimhub_sha256_one_by_one(const shimhub_bytes *rows, size_t count, uint8_t *digests,
                               shimhub_sha256_single *single);
void shimhub_sha256_schedule(const shimhub_bytes *rows, size_t count, uint8_t *digests,
                             const struct shimhub_sha256_lanes *lanes);

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

SHIMHUB_INLINE void sha256_write(uint8_t digest[SHA256_DIGEST], const uint32_t state[8])
{
    for (unsigned word = 0; word < 8; word++)
        store_be32(digest + 4 * word, state[word]);
}

#endif
