/* XXH3 of long inputs by AVX-512. */
#include "xxh3.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX512
#define STATE __m512i
#define load_state(from) _mm512_loadu_si512(from)
#define store_state(to, state) _mm512_storeu_si512(to, state)

SHIMHUB_INLINE TARGET __m512i accumulate(__m512i sums, const uint8_t *stripe,
                                         const uint8_t *secret)
{
    __m512i words = _mm512_loadu_si512(stripe);
    __m512i value = _mm512_xor_si512(words, _mm512_loadu_si512(secret));
    __m512i product = _mm512_mul_epu32(value, _mm512_srli_epi64(value, 32));
    __m512i swapped = _mm512_shuffle_epi32(words, _MM_PERM_BADC);
    return _mm512_add_epi64(sums, _mm512_add_epi64(product, swapped));
}

SHIMHUB_INLINE TARGET __m512i scramble(__m512i sums, const uint8_t *secret)
{
    const __m512i prime = _mm512_set1_epi64((int64_t)PRIME32_1);
    __m512i value = _mm512_ternarylogic_epi64(sums, _mm512_srli_epi64(sums, 47),
                                              _mm512_loadu_si512(secret), 0x96);
    __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(value, 32), prime);
    return _mm512_add_epi64(_mm512_mul_epu32(value, prime), _mm512_slli_epi64(high, 32));
}

#include "xxh3_vector.h"

TARGET void shimhub_xxh3_long_avx512(const uint8_t *data, size_t size, const uint8_t *secret,
                                     uint64_t *accumulators)
{
    consume(data, size, secret, accumulators);
}

#endif
