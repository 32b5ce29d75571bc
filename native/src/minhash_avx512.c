/* MinHash by AVX-512: 128 permutations in registers. */
#include "minhash.h"
#include "words.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX512
#define VECTOR __m512i
#define LANES 16
#define GROUP 8
#define SPLAT(word) _mm512_set1_epi32((int)(word))
#define LOAD(from) _mm512_loadu_si512(from)
#define STORE(to, vector) _mm512_storeu_si512(to, vector)
#define STEP(least, a, b, x)                                                                   \
    _mm512_min_epu32(least, _mm512_add_epi32(_mm512_mullo_epi32(a, x), b))

#include "minhash_vector.h"

TARGET void shimhub_minhash_update_avx512(const uint32_t *hashes, size_t count, const uint32_t *a,
                                          const uint32_t *b, uint32_t *least, size_t num_perm)
{
    update(hashes, count, a, b, least, num_perm);
}

#endif
