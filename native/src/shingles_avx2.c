/* White space among 64 bytes. */
#include "shingles.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

/* Bytes from `first` to `first + span`, without sign: the distance is not more than the span. */
SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 __m256i within(__m256i bytes, int first, int span)
{
    __m256i distance = _mm256_sub_epi8(bytes, _mm256_set1_epi8((char)first));
    __m256i least = _mm256_min_epu8(distance, _mm256_set1_epi8((char)span));
    return _mm256_cmpeq_epi8(distance, least);
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 uint32_t spaces(const uint8_t *from)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)from);
    __m256i ascii = _mm256_or_si256(within(bytes, '\t', '\r' - '\t'), within(bytes, 0x1c, 4));
    __m256i leads = _mm256_or_si256(within(bytes, 0xc2, 0), within(bytes, 0xe1, 2));
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(ascii, leads));
}

SHIMHUB_TARGET_AVX2 uint64_t shimhub_spaces_avx2(const uint8_t *from)
{
    return spaces(from) | (uint64_t)spaces(from + 32) << 32;
}

#endif
