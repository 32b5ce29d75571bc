/* Quotes and ends of fields, 64 bytes at once. */
#include "csv_masks.h"
#include "words.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

typedef struct {
    __m256i delimiter, feed, carriage, quote, none;
} wanted;

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 uint64_t bits(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 __m256i ends_in(__m256i bytes, const wanted *marks)
{
    __m256i lines = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, marks->feed),
                                    _mm256_cmpeq_epi8(bytes, marks->carriage));
    return _mm256_or_si256(lines, _mm256_cmpeq_epi8(bytes, marks->delimiter));
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 __m256i quotes_in(__m256i bytes, const wanted *marks)
{
    return _mm256_andnot_si256(marks->none, _mm256_cmpeq_epi8(bytes, marks->quote));
}

SHIMHUB_TARGET_AVX2 bool shimhub_csv_look_avx2(const uint8_t *from, size_t blocks,
                                               shimhub_csv_marks marks, uint64_t *quotes,
                                               uint64_t *ends)
{
    const wanted all = {
        .delimiter = _mm256_set1_epi8((char)marks.delimiter),
        .feed = _mm256_set1_epi8('\n'),
        .carriage = _mm256_set1_epi8('\r'),
        .quote = _mm256_set1_epi8((char)marks.quote),
        .none = _mm256_set1_epi8(marks.quote < 0 ? -1 : 0),
    };
    __m256i seen = _mm256_setzero_si256();
    for (size_t block = 0; block < blocks; block++, from += SHIMHUB_CSV_BLOCK) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)from);
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
        seen = _mm256_or_si256(seen, _mm256_or_si256(low, high));
        ends[block] = bits(ends_in(low, &all), ends_in(high, &all));
        quotes[block] = bits(quotes_in(low, &all), quotes_in(high, &all));
    }
    return _mm256_movemask_epi8(seen) != 0;
}

#endif
