/* SHA-256 of 16 rows at a time. */
#include "sha256.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define LANES 16
#define TARGET SHIMHUB_TARGET_AVX512
#define VECTOR __m512i
#define ADD _mm512_add_epi32
#define ROTATE _mm512_ror_epi32
#define SHIFT _mm512_srli_epi32
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define SPLAT(word) _mm512_set1_epi32((int)(word))
#define LOAD(from) _mm512_loadu_si512(from)
#define STORE(to, vector) _mm512_storeu_si512(to, vector)
#define LOAD_WORDS load_words

/* Four words of each of lanes l, l + 4, l + 8 and l + 12, from the rows of one 4 x 4 square in each
 * 128-bit part: columns of the square go to out[0], out[4], out[8] and out[12]. */
SHIMHUB_INLINE TARGET void transpose_squares(__m512i r0, __m512i r1, __m512i r2, __m512i r3,
                                             __m512i out[4])
{
    __m512i low01 = _mm512_unpacklo_epi32(r0, r1), high01 = _mm512_unpackhi_epi32(r0, r1);
    __m512i low23 = _mm512_unpacklo_epi32(r2, r3), high23 = _mm512_unpackhi_epi32(r2, r3);
    out[0] = _mm512_unpacklo_epi64(low01, low23);
    out[1] = _mm512_unpackhi_epi64(low01, low23);
    out[2] = _mm512_unpacklo_epi64(high01, high23);
    out[3] = _mm512_unpackhi_epi64(high01, high23);
}

/* The 4 x 4 matrix of 128-bit parts, transposed. */
SHIMHUB_INLINE TARGET void transpose_parts(__m512i r0, __m512i r1, __m512i r2, __m512i r3,
                                           __m512i *out)
{
    __m512i low01 = _mm512_shuffle_i32x4(r0, r1, 0x88), high01 = _mm512_shuffle_i32x4(r0, r1, 0xdd);
    __m512i low23 = _mm512_shuffle_i32x4(r2, r3, 0x88), high23 = _mm512_shuffle_i32x4(r2, r3, 0xdd);
    out[0] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    out[4] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    out[8] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    out[12] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
}

/* w[t] gets word t of every lane's block. */
SHIMHUB_INLINE TARGET void load_words(__m512i w[16], const uint8_t **at)
{
    const __m512i swap = _mm512_broadcast_i32x4(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    __m512i squares[4][4];
    for (unsigned group = 0; group < 4; group++) {
        __m512i rows[4];
        for (unsigned i = 0; i < 4; i++) {
            const uint8_t *block = at[4 * group + i];
            rows[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(block), swap);
        }
        transpose_squares(rows[0], rows[1], rows[2], rows[3], squares[group]);
    }
    for (unsigned i = 0; i < 4; i++)
        transpose_parts(squares[0][i], squares[1][i], squares[2][i], squares[3][i], w + i);
}

#include "sha256_vector.h"

TARGET void shimhub_sha256_step_avx512(uint32_t *states, const uint8_t **data, size_t blocks)
{
    step(states, data, blocks);
}

#endif
