/* XXH3 of long inputs in plain C11. */
#include "xxh3.h"

static void accumulate(uint64_t *accumulators, const uint8_t *stripe, const uint8_t *secret)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t word = load_le64(stripe + 8 * i);
        uint64_t value = word ^ load_le64(secret + 8 * i);
        accumulators[i ^ 1] += word;
        accumulators[i] += (value & UINT32_MAX) * (value >> 32);
    }
}

static void scramble(uint64_t *accumulators, const uint8_t *secret)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t value = accumulators[i] ^ accumulators[i] >> 47;
        accumulators[i] = (value ^ load_le64(secret + 8 * i)) * PRIME32_1;
    }
}

void shimhub_xxh3_long_portable(const uint8_t *data, size_t size, const uint8_t *secret,
                                uint64_t *accumulators)
{
    static const uint64_t initial[8] = XXH3_INITIAL;
    memcpy(accumulators, initial, sizeof initial);
    const uint8_t *last = data + size - XXH3_STRIPE;
    for (; size > XXH3_BLOCK; data += XXH3_BLOCK, size -= XXH3_BLOCK) {
        for (unsigned n = 0; n < XXH3_BLOCK / XXH3_STRIPE; n++)
            accumulate(accumulators, data + XXH3_STRIPE * n, secret + 8 * n);
        scramble(accumulators, secret + XXH3_SCRAMBLE);
    }
    for (unsigned n = 0; n < (size - 1) / XXH3_STRIPE; n++)
        accumulate(accumulators, data + XXH3_STRIPE * n, secret + 8 * n);
    accumulate(accumulators, last, secret + XXH3_LAST);
}
