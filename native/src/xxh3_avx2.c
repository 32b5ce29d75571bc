/* XXH3 of long inputs by AVX2. */
#include "xxh3.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX2
#define STATE struct state

struct state {
    __m256i low, high;
};

SHIMHUB_INLINE TARGET __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

SHIMHUB_INLINE TARGET struct state load_state(const uint64_t *from)
{
    return (struct state){load(from), load(from + 4)};
}

SHIMHUB_INLINE TARGET void store_state(uint64_t *to, struct state state)
{
    _mm256_storeu_si256((__m256i *)(void *)to, state.low);
    _mm256_storeu_si256((__m256i *)(void *)(to + 4), state.high);
}

SHIMHUB_INLINE TARGET __m256i accumulate_half(__m256i sums, __m256i words, __m256i secret)
{
    __m256i value = _mm256_xor_si256(words, secret);
    __m256i product = _mm256_mul_epu32(value, _mm256_srli_epi64(value, 32));
    __m256i swapped = _mm256_shuffle_epi32(words, 0x4e);
    return _mm256_add_epi64(sums, _mm256_add_epi64(product, swapped));
}

SHIMHUB_INLINE TARGET struct state accumulate(struct state sums, const uint8_t *stripe,
                                              const uint8_t *secret)
{
    return (struct state){accumulate_half(sums.low, load(stripe), load(secret)),
                          accumulate_half(sums.high, load(stripe + 32), load(secret + 32))};
}

SHIMHUB_INLINE TARGET __m256i scramble_half(__m256i sums, __m256i secret)
{
    const __m256i prime = _mm256_set1_epi64x((int64_t)PRIME32_1);
    __m256i shifted = _mm256_srli_epi64(sums, 47);
    __m256i value = _mm256_xor_si256(sums, _mm256_xor_si256(shifted, secret));
    __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(value, 32), prime);
    return _mm256_add_epi64(_mm256_mul_epu32(value, prime), _mm256_slli_epi64(high, 32));
}

SHIMHUB_INLINE TARGET struct state scramble(struct state sums, const uint8_t *secret)
{
    return (struct state){scramble_half(sums.low, load(secret)),
                          scramble_half(sums.high, load(secret + 32))};
}

#include "xxh3_vector.h"

TARGET void shimhub_xxh3_long_avx2(const uint8_t *data, size_t size, const uint8_t *secret,
                                   uint64_t *accumulators)
{
    consume(data, size, secret, accumulators);
}

#endif
