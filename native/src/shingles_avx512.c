/* Eight shingles of 4 to 8 ASCII characters at a time. */
#include "shingles.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

/* For each shingle of 8: its last four bytes, and its first four, within 16 bytes of text. */
SHIMHUB_INLINE SHIMHUB_TARGET_AVX512 __m512i places(size_t ngram)
{
    uint8_t bytes[64];
    for (unsigned shingle = 0; shingle < 8; shingle++) {
        for (unsigned i = 0; i < 4; i++) {
            bytes[8 * shingle + i] = (uint8_t)(shingle + ngram - 4 + i);
            bytes[8 * shingle + 4 + i] = (uint8_t)(shingle + i);
        }
    }
    return _mm512_loadu_si512(bytes);
}

/* xxh3_64_4to8(), whose names these are. */
SHIMHUB_TARGET_AVX512 void shimhub_windows_avx512(const uint8_t *text, size_t ngram, uint64_t seed,
                                                  uint32_t *hashes, size_t count)
{
    const uint64_t flip = xxh3_secret_pair(8) - xxh3_modified_seed(seed);
    const __m512i flips = _mm512_set1_epi64((int64_t)flip);
    const __m512i prime = _mm512_set1_epi64((int64_t)PRIME_MX2);
    const __m512i size = _mm512_set1_epi64((int64_t)ngram), order = places(ngram);
    for (size_t i = 0; i < count; i += 8) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        __m512i x = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), order);
        x = _mm512_xor_si512(x, flips);
        x = _mm512_ternarylogic_epi64(x, _mm512_rol_epi64(x, 49), _mm512_rol_epi64(x, 24), 0x96);
        x = _mm512_mullo_epi64(x, prime);
        x = _mm512_xor_si512(x, _mm512_add_epi64(_mm512_srli_epi64(x, 35), size));
        x = _mm512_mullo_epi64(x, prime);
        x = _mm512_xor_si512(x, _mm512_srli_epi64(x, 28));
        _mm256_storeu_si256((__m256i *)(void *)(hashes + i), _mm512_cvtepi64_epi32(x));
    }
}

#endif
