/* Private: SHA-256's rounds on one block, to be inlined into functions of different targets. */
#ifndef SHIMHUB_SHA256_SCALAR_H
#define SHIMHUB_SHA256_SCALAR_H

#include "sha256.h"

#define SHA256_ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

SHIMHUB_INLINE uint32_t sha256_expand(const uint32_t w[16], unsigned t)
{
    uint32_t x = w[(t + 1) & 15], y = w[(t + 14) & 15];
    uint32_t sigma0 = SHA256_ROTATE(x, 7) ^ SHA256_ROTATE(x, 18) ^ x >> 3;
    uint32_t sigma1 = SHA256_ROTATE(y, 17) ^ SHA256_ROTATE(y, 19) ^ y >> 10;
    return w[t & 15] + sigma0 + w[(t + 9) & 15] + sigma1;
}

/* Variables turn by one place a round; this takes them where they are, in the order of round t. */
SHIMHUB_INLINE void sha256_round(uint32_t s[8], unsigned t, uint32_t added)
{
    uint32_t a = s[(0 - t) & 7], b = s[(1 - t) & 7], c = s[(2 - t) & 7];
    uint32_t e = s[(4 - t) & 7], f = s[(5 - t) & 7], g = s[(6 - t) & 7];
    uint32_t sum1 = SHA256_ROTATE(e, 6) ^ SHA256_ROTATE(e, 11) ^ SHA256_ROTATE(e, 25);
    uint32_t sum0 = SHA256_ROTATE(a, 2) ^ SHA256_ROTATE(a, 13) ^ SHA256_ROTATE(a, 22);
    uint32_t t1 = s[(7 - t) & 7] + sum1 + (g ^ (e & (f ^ g))) + added;
    s[(3 - t) & 7] += t1;
    s[(7 - t) & 7] = t1 + sum0 + ((a & b) ^ (c & (a ^ b)));
}

SHIMHUB_INLINE void sha256_compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[16], s[8];
    memcpy(s, state, sizeof s);
    for (unsigned t = 0; t < 16; t++)
        w[t] = load_be32(block + 4 * t);
    SHIMHUB_UNROLL
    for (unsigned t = 0; t < 16; t++)
        sha256_round(s, t, w[t] + shimhub_sha256_k[t]);
    for (const uint32_t *k = shimhub_sha256_k + 16; k < shimhub_sha256_k + 64; k += 16) {
        SHIMHUB_UNROLL
        for (unsigned t = 0; t < 16; t++) {
            w[t] = sha256_expand(w, t);
            sha256_round(s, t, w[t] + k[t]);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

#endif
