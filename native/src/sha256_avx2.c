/* SHA-256 of 8 rows at a time; and of one, with the rotations of BMI2. */
#include "sha256_scalar.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define LANES 8
#define TARGET SHIMHUB_TARGET_AVX2
#define VECTOR __m256i
#define ADD _mm256_add_epi32
#define SHIFT _mm256_srli_epi32
#define ROTATE(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define XOR3(x, y, z) _mm256_xor_si256(x, _mm256_xor_si256(y, z))
#define CHOOSE(x, y, z) _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
#define MAJORITY(x, y, z)                                                                      \
    _mm256_xor_si256(y, _mm256_and_si256(_mm256_xor_si256(x, y), _mm256_xor_si256(y, z)))
#define SPLAT(word) _mm256_set1_epi32((int)(word))
#define LOAD(from) _mm256_loadu_si256((const __m256i *)(const void *)(from))
#define STORE(to, vector) _mm256_storeu_si256((__m256i *)(void *)(to), vector)
#define LOAD_WORDS load_words

/* w[t] gets word t of 8 words of every lane's. */
SHIMHUB_INLINE TARGET void load_half(__m256i w[8], const uint8_t **at, unsigned offset)
{
    const __m256i swap = _mm256_broadcastsi128_si256(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    __m256i rows[8], pairs[8], squares[8];
    for (unsigned i = 0; i < 8; i++)
        rows[i] = _mm256_shuffle_epi8(LOAD(at[i] + offset), swap);
    for (unsigned i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (unsigned i = 0; i < 8; i += 4) {
        squares[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        squares[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        squares[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        squares[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (unsigned i = 0; i < 4; i++) {
        w[i] = _mm256_permute2x128_si256(squares[i], squares[i + 4], 0x20);
        w[i + 4] = _mm256_permute2x128_si256(squares[i], squares[i + 4], 0x31);
    }
}

SHIMHUB_INLINE TARGET void load_words(__m256i w[16], const uint8_t **at)
{
    load_half(w, at, 0);
    load_half(w + 8, at, 32);
}

#include "sha256_vector.h"

TARGET void shimhub_sha256_step_avx2(uint32_t *states, const uint8_t **data, size_t blocks)
{
    step(states, data, blocks);
}

TARGET void shimhub_sha256_bmi2(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        sha256_compress(state, data + SHA256_BLOCK * i);
}

#endif
