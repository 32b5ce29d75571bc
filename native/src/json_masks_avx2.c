/* Kinds of 64 bytes at once. */
#include "json_masks.h"
#include "words.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

typedef struct {
    __m256i low, high;
} pair;

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 uint64_t bits(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 uint64_t equal(pair bytes, char wanted)
{
    __m256i all = _mm256_set1_epi8(wanted);
    return bits(_mm256_cmpeq_epi8(bytes.low, all), _mm256_cmpeq_epi8(bytes.high, all));
}

/* '{' and '[', '}' and ']', differ in the bit 0x20 alone. */
SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 pair folded(pair bytes)
{
    __m256i bit = _mm256_set1_epi8(0x20);
    return (pair){_mm256_or_si256(bytes.low, bit), _mm256_or_si256(bytes.high, bit)};
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 __m256i is_digit(__m256i bytes)
{
    __m256i distance = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
    return _mm256_cmpeq_epi8(distance, _mm256_min_epu8(distance, _mm256_set1_epi8(9)));
}

SHIMHUB_INLINE SHIMHUB_TARGET_AVX2 __m256i matters(__m256i bytes)
{
    __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    __m256i slash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    __m256i feed = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\n'));
    return _mm256_or_si256(quote, _mm256_or_si256(slash, feed));
}

SHIMHUB_TARGET_AVX2 size_t shimhub_json_skip_avx2(const uint8_t *from, size_t blocks, bool *high)
{
    __m256i all = _mm256_setzero_si256();
    size_t block = 0;
    for (; block < blocks; block++, from += SHIMHUB_JSON_BLOCK) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)from);
        __m256i more = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
        if (_mm256_movemask_epi8(_mm256_or_si256(matters(low), matters(more))))
            break;
        all = _mm256_or_si256(all, _mm256_or_si256(low, more));
    }
    *high |= _mm256_movemask_epi8(all) != 0;
    return block;
}

SHIMHUB_TARGET_AVX2 void shimhub_json_look_avx2(const uint8_t *from, shimhub_json_masks *masks)
{
    pair bytes = {
        _mm256_loadu_si256((const __m256i *)(const void *)from),
        _mm256_loadu_si256((const __m256i *)(const void *)(from + 32)),
    };
    pair either = folded(bytes);
    *masks = (shimhub_json_masks){
        .quote = equal(bytes, '"'),
        .slash = equal(bytes, '\\'),
        .feed = equal(bytes, '\n'),
        .open = equal(either, '{'),
        .close = equal(either, '}'),
        .colon = equal(bytes, ':'),
        .digit = bits(is_digit(bytes.low), is_digit(bytes.high)),
        .letter = equal(bytes, 'N') | equal(bytes, 'I'),
        .high = bits(bytes.low, bytes.high),
    };
}

#endif
