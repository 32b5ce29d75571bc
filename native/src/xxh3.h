/* Private: XXH3, from https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (0.2.0).
 *
 * Names are those of the specification: mixing operation, stripes, accumulators, scramble. */
#ifndef SHIMHUB_XXH3_H
#define SHIMHUB_XXH3_H

#include "lanes.h"
#include "shimhub/hash.h"
#include "words.h"

#define PRIME32_1 UINT64_C(0x9e3779b1)
#define PRIME32_2 UINT64_C(0x85ebca77)
#define PRIME32_3 UINT64_C(0xc2b2ae3d)
#define PRIME64_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME64_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME64_3 UINT64_C(0x165667b19e3779f9)
#define PRIME64_4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME64_5 UINT64_C(0x27d4eb2f165667c5)
#define PRIME_MX1 UINT64_C(0x165667919e3779f9)
#define PRIME_MX2 UINT64_C(0x9fb21c651e98df25)

#define XXH3_INITIAL                                                                           \
    {                                                                                          \
        PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1 \
    }

#define XXH3_AHEAD 512 /* bytes that are fetched before they are needed */

enum {
    XXH3_SECRET = 192,
    XXH3_STRIPE = 64,
    XXH3_BLOCK = 1024,                         /* 16 stripes; the secret moves by 8 bytes each */
    XXH3_SCRAMBLE = XXH3_SECRET - XXH3_STRIPE, /* where in the secret a block's end reads */
    XXH3_LAST = XXH3_SECRET - XXH3_STRIPE - 7, /* where the last stripe reads */
    XXH3_MEDIUM_MAX = 240                      /* longer inputs are for the lanes below */
};

extern const uint8_t shimhub_xxh3_secret[XXH3_SECRET];

/* Leaves the 8 accumulators of a long input (size > XXH3_MEDIUM_MAX). */
typedef void shimhub_xxh3_long(const uint8_t *data, size_t size, const uint8_t *secret,
                               uint64_t *accumulators);

shimhub_xxh3_long shimhub_xxh3_long_portable;
shimhub_xxh3_long shimhub_xxh3_long_avx2;
shimhub_xxh3_long shimhub_xxh3_long_avx512;
shimhub_xxh3_long shimhub_xxh3_long_neon;

/* The best lane in use. */
shimhub_xxh3_long *shimhub_xxh3_lane(void);

SHIMHUB_INLINE uint64_t xxh3_avalanche(uint64_t x)
{
    x = (x ^ x >> 37) * PRIME_MX1;
    return x ^ x >> 32;
}

SHIMHUB_INLINE uint64_t xxh3_avalanche_xxh64(uint64_t x)
{
    x = (x ^ x >> 33) * PRIME64_2;
    x = (x ^ x >> 29) * PRIME64_3;
    return x ^ x >> 32;
}

/* Both halves of the product, folded into one word. */
SHIMHUB_INLINE uint64_t xxh3_fold(uint64_t x, uint64_t y)
{
    uint64_t high;
    uint64_t low = multiply128(x, y, &high);
    return low ^ high;
}

/* Two words of the default secret, xor-ed: constants, once inlined. */
SHIMHUB_INLINE uint64_t xxh3_secret_pair(unsigned offset)
{
    return load_le64(shimhub_xxh3_secret + offset) ^ load_le64(shimhub_xxh3_secret + offset + 8);
}

SHIMHUB_INLINE uint64_t xxh3_mix(const uint8_t *data, unsigned offset, uint64_t seed)
{
    const uint8_t *secret = shimhub_xxh3_secret + offset;
    return xxh3_fold(load_le64(data) ^ (load_le64(secret) + seed),
                     load_le64(data + 8) ^ (load_le64(secret + 8) - seed));
}

SHIMHUB_INLINE uint32_t xxh3_combine_1to3(const uint8_t *data, size_t size)
{
    return data[size - 1] | (uint32_t)size << 8 | (uint32_t)data[0] << 16 |
           (uint32_t)data[size >> 1] << 24;
}

SHIMHUB_INLINE uint64_t xxh3_modified_seed(uint64_t seed)
{
    return seed ^ (uint64_t)swap32((uint32_t)seed) << 32;
}

SHIMHUB_INLINE uint64_t xxh3_64_1to3(const uint8_t *data, size_t size, uint64_t seed)
{
    const uint8_t *secret = shimhub_xxh3_secret;
    uint64_t value = (load_le32(secret) ^ load_le32(secret + 4)) + seed;
    return xxh3_avalanche_xxh64(value ^ xxh3_combine_1to3(data, size));
}

SHIMHUB_INLINE uint64_t xxh3_64_4to8(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t combined = load_le32(data + size - 4) | (uint64_t)load_le32(data) << 32;
    uint64_t x = (xxh3_secret_pair(8) - xxh3_modified_seed(seed)) ^ combined;
    x ^= rotate_left64(x, 49) ^ rotate_left64(x, 24);
    x *= PRIME_MX2;
    x ^= (x >> 35) + size;
    x *= PRIME_MX2;
    return x ^ x >> 28;
}

SHIMHUB_INLINE uint64_t xxh3_64_9to16(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t low = (xxh3_secret_pair(24) + seed) ^ load_le64(data);
    uint64_t high = (xxh3_secret_pair(40) - seed) ^ load_le64(data + size - 8);
    return xxh3_avalanche(size + swap64(low) + high + xxh3_fold(low, high));
}

SHIMHUB_INLINE uint64_t xxh3_64_17to128(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t sum = size * PRIME64_1;
    for (unsigned i = (unsigned)((size - 1) / 32 + 1); i-- > 0;) {
        sum += xxh3_mix(data + 16 * i, 32 * i, seed);
        sum += xxh3_mix(data + size - 16 * i - 16, 32 * i + 16, seed);
    }
    return xxh3_avalanche(sum);
}

/* size <= 128, without a call: for many short keys. */
SHIMHUB_INLINE uint64_t xxh3_64_short(const uint8_t *data, size_t size, uint64_t seed)
{
    if (size > 16)
        return xxh3_64_17to128(data, size, seed);
    if (size > 8)
        return xxh3_64_9to16(data, size, seed);
    if (size >= 4)
        return xxh3_64_4to8(data, size, seed);
    if (size > 0)
        return xxh3_64_1to3(data, size, seed);
    return xxh3_avalanche_xxh64(seed ^ xxh3_secret_pair(56));
}

/* Any size; `secret` is shimhub_xxh3_derive()'s of the seed. */
uint64_t shimhub_xxh3_64_one(const uint8_t *data, size_t size, uint64_t seed,
                             const uint8_t *secret, shimhub_xxh3_long *lane);

/* The secret that a seed gives long inputs. */
void shimhub_xxh3_derive(uint64_t seed, uint8_t secret[XXH3_SECRET]);

#endif
