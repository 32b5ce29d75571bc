/* SHA-256 in plain C11, one row after the other. */
#include "sha256.h"

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void expand(uint32_t w[64], const uint8_t *block)
{
    for (unsigned t = 0; t < 16; t++)
        w[t] = load_be32(block + 4 * t);
    for (unsigned t = 16; t < 64; t++) {
        uint32_t x = w[t - 15], y = w[t - 2];
        uint32_t sigma0 = ROTATE(x, 7) ^ ROTATE(x, 18) ^ x >> 3;
        uint32_t sigma1 = ROTATE(y, 17) ^ ROTATE(y, 19) ^ y >> 10;
        w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
    }
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    expand(w, block);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t sum1 = ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25);
        uint32_t sum0 = ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22);
        uint32_t t1 = h + sum1 + (g ^ (e & (f ^ g))) + shimhub_sha256_k[t] + w[t];
        uint32_t t2 = sum0 + ((a & b) ^ (c & (a ^ b)));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void shimhub_sha256_blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        compress(state, data + SHA256_BLOCK * i);
}

void shimhub_sha256_portable(const shimhub_bytes *rows, size_t count, uint8_t *digests)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t tail[2 * SHA256_BLOCK];
        uint32_t state[8];
        memcpy(state, shimhub_sha256_initial, sizeof state);
        shimhub_sha256_blocks_portable(state, rows[i].data, rows[i].size / SHA256_BLOCK);
        shimhub_sha256_blocks_portable(state, tail, sha256_pad(tail, &rows[i]));
        for (unsigned j = 0; j < 8; j++)
            store_be32(digests + SHA256_DIGEST * i + 4 * j, state[j]);
    }
}
