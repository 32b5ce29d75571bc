/* MinHash by NEON: 32 permutations in registers. */
#include "minhash.h"
#include "words.h"

#if SHIMHUB_NEON_LANE

#include <arm_neon.h>

#define TARGET
#define VECTOR uint32x4_t
#define LANES 4
#define GROUP 8
#define SPLAT vdupq_n_u32
#define LOAD vld1q_u32
#define STORE vst1q_u32
#define STEP(least, a, b, x) vminq_u32(least, vmlaq_u32(b, a, x))

#include "minhash_vector.h"

void shimhub_minhash_update_neon(const uint32_t *hashes, size_t count, const uint32_t *a,
                                 const uint32_t *b, uint32_t *least, size_t num_perm)
{
    update(hashes, count, a, b, least, num_perm);
}

#endif
