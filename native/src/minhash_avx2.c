/* MinHash by AVX2: 32 permutations in registers. */
#include "minhash.h"
#include "words.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX2
#define VECTOR __m256i
#define LANES 8
#define GROUP 4
#define SPLAT(word) _mm256_set1_epi32((int)(word))
#define LOAD(from) _mm256_loadu_si256((const __m256i *)(const void *)(from))
#define STORE(to, vector) _mm256_storeu_si256((__m256i *)(void *)(to), vector)
#define STEP(least, a, b, x)                                                                   \
    _mm256_min_epu32(least, _mm256_add_epi32(_mm256_mullo_epi32(a, x), b))

#include "minhash_vector.h"

TARGET void shimhub_minhash_update_avx2(const uint32_t *hashes, size_t count, const uint32_t *a,
                                        const uint32_t *b, uint32_t *least, size_t num_perm)
{
    update(hashes, count, a, b, least, num_perm);
}

#endif
