/* First fit with AVX2: a node is two vectors. */
#include "pack_group.h"

#if SHIMHUB_X86_LANES
#include <immintrin.h>

#define FIRST_FIT shimhub_pack_first_fit_avx2
#define TARGET SHIMHUB_TARGET_AVX2

TARGET static inline uint32_t FIND(const int32_t *node, int32_t size)
{
    __m256i below = _mm256_set1_epi32(size - 1); /* size is at least 0 */
    __m256i low = _mm256_cmpgt_epi32(_mm256_load_si256((const __m256i *)node), below);
    __m256i high = _mm256_cmpgt_epi32(_mm256_load_si256((const __m256i *)(node + 8)), below);
    uint32_t first = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(low));
    uint32_t second = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(high));
    return _tzcnt_u32(first | second << 8);
}

TARGET static inline void PUT(int32_t *node, uint32_t at, int32_t value)
{
    __m256i *half = (__m256i *)(node + at / 8 * 8), rooms = _mm256_load_si256(half);
    __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i here = _mm256_cmpeq_epi32(places, _mm256_set1_epi32((int)(at % 8)));
    _mm256_store_si256(half, _mm256_blendv_epi8(rooms, _mm256_set1_epi32(value), here));
}

TARGET static inline int32_t MAX(const int32_t *node)
{
    __m256i eight = _mm256_max_epi32(_mm256_load_si256((const __m256i *)node),
                                     _mm256_load_si256((const __m256i *)(node + 8)));
    __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

#include "pack_first_fit.h"
#endif
