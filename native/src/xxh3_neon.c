/* XXH3 of long inputs by NEON. */
#include "xxh3.h"

#if SHIMHUB_NEON_LANE

#include <arm_neon.h>

#define TARGET
#define STATE struct state

struct state {
    uint64x2_t pair[4];
};

SHIMHUB_INLINE uint64x2_t load(const uint8_t *from)
{
    return vreinterpretq_u64_u8(vld1q_u8(from));
}

SHIMHUB_INLINE struct state load_state(const uint64_t *from)
{
    struct state state;
    for (unsigned i = 0; i < 4; i++)
        state.pair[i] = vld1q_u64(from + 2 * i);
    return state;
}

SHIMHUB_INLINE void store_state(uint64_t *to, struct state state)
{
    for (unsigned i = 0; i < 4; i++)
        vst1q_u64(to + 2 * i, state.pair[i]);
}

SHIMHUB_INLINE struct state accumulate(struct state sums, const uint8_t *stripe,
                                       const uint8_t *secret)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64x2_t words = load(stripe + 16 * i);
        uint64x2_t value = veorq_u64(words, load(secret + 16 * i));
        uint64x2_t sum = vaddq_u64(sums.pair[i], vextq_u64(words, words, 1));
        sums.pair[i] = vmlal_u32(sum, vmovn_u64(value), vshrn_n_u64(value, 32));
    }
    return sums;
}

SHIMHUB_INLINE struct state scramble(struct state sums, const uint8_t *secret)
{
    const uint32x2_t prime = vdup_n_u32((uint32_t)PRIME32_1);
    for (unsigned i = 0; i < 4; i++) {
        uint64x2_t value = veorq_u64(sums.pair[i], vshrq_n_u64(sums.pair[i], 47));
        value = veorq_u64(value, load(secret + 16 * i));
        uint64x2_t high = vshlq_n_u64(vmull_u32(vshrn_n_u64(value, 32), prime), 32);
        sums.pair[i] = vmlal_u32(high, vmovn_u64(value), prime);
    }
    return sums;
}

#include "xxh3_vector.h"

void shimhub_xxh3_long_neon(const uint8_t *data, size_t size, const uint8_t *secret,
                            uint64_t *accumulators)
{
    consume(data, size, secret, accumulators);
}

#endif
