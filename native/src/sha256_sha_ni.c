/* SHA-256 by the instructions for it, three rows at a time: one row's rounds wait for each other
 * longer than they work. */
#include "sha256.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_SHA_NI

/* The order that sha256rnds2 wants. */
struct state {
    __m128i abef, cdgh;
};

SHIMHUB_INLINE TARGET struct state load_state(const uint32_t words[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)words);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(words + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (struct state){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

SHIMHUB_INLINE TARGET void store_state(uint32_t words[8], struct state state)
{
    __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    __m128i dcba = _mm_blend_epi16(feba, dchg, 0xf0);
    __m128i hgfe = _mm_alignr_epi8(dchg, feba, 8);
    _mm_storeu_si128((__m128i *)(void *)words, dcba);
    _mm_storeu_si128((__m128i *)(void *)(words + 4), hgfe);
}

SHIMHUB_INLINE TARGET void load_words(__m128i w[4], const uint8_t *block)
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    for (unsigned i = 0; i < 4; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i));
        w[i] = _mm_shuffle_epi8(bytes, swap);
    }
}

/* Words 4 i to 4 i + 3 of the schedule, in place of those 16 before. */
SHIMHUB_INLINE TARGET void expand(__m128i w[4], unsigned i)
{
    __m128i sum = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
    sum = _mm_add_epi32(sum, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
    w[i & 3] = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
}

SHIMHUB_INLINE TARGET void four_rounds(struct state *state, __m128i words, unsigned i)
{
    const __m128i *k = (const __m128i *)(const void *)(shimhub_sha256_k + 4 * i);
    __m128i added = _mm_add_epi32(words, _mm_loadu_si128(k));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, added);
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(added, 0x0e));
}

SHIMHUB_INLINE TARGET void compress(struct state *states, const uint8_t **data,
                                    unsigned lanes)
{
    struct state s[3];
    __m128i w[3][4];
    SHIMHUB_UNROLL
    for (unsigned lane = 0; lane < lanes; lane++) {
        s[lane] = states[lane];
        load_words(w[lane], data[lane]);
    }
    SHIMHUB_UNROLL
    for (unsigned i = 0; i < 16; i++) {
        SHIMHUB_UNROLL
        for (unsigned lane = 0; lane < lanes; lane++) {
            if (i >= 4)
                expand(w[lane], i);
            four_rounds(&s[lane], w[lane][i & 3], i);
        }
    }
    SHIMHUB_UNROLL
    for (unsigned lane = 0; lane < lanes; lane++) {
        states[lane].abef = _mm_add_epi32(states[lane].abef, s[lane].abef);
        states[lane].cdgh = _mm_add_epi32(states[lane].cdgh, s[lane].cdgh);
    }
}

/* `lanes` is a constant at each call. */
SHIMHUB_INLINE TARGET void step(uint32_t *words, const uint8_t **data, size_t blocks,
                                unsigned lanes)
{
    struct state states[3];
    SHIMHUB_UNROLL
    for (unsigned lane = 0; lane < lanes; lane++)
        states[lane] = load_state(words + 8 * lane);
    for (; blocks > 0; blocks--) {
        compress(states, data, lanes);
        SHIMHUB_UNROLL
        for (unsigned lane = 0; lane < lanes; lane++) {
            data[lane] += SHA256_BLOCK;
            SHIMHUB_PREFETCH_AT(data[lane], 3 * SHA256_BLOCK);
        }
    }
    SHIMHUB_UNROLL
    for (unsigned lane = 0; lane < lanes; lane++)
        store_state(words + 8 * lane, states[lane]);
}

TARGET void shimhub_sha256_step_sha_ni(uint32_t *states, const uint8_t **data, size_t blocks)
{
    step(states, data, blocks, 3);
}

TARGET void shimhub_sha256_sha_ni(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    step(state, &data, blocks, 1);
}

#endif
