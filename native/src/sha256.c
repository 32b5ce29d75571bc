/* SHA-256 of rows: constants, checks, and which lane. */
#include "sha256.h"

const uint32_t shimhub_sha256_initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

const uint32_t shimhub_sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#if SHIMHUB_X86_LANES
static const struct shimhub_sha256_lanes sha_ni = {
    shimhub_sha256_step_sha_ni, shimhub_sha256_sha_ni, 3, 1, 1, 8};
static const struct shimhub_sha256_lanes avx512 = {
    shimhub_sha256_step_avx512, shimhub_sha256_bmi2, 16, 1, 16, 1};
static const struct shimhub_sha256_lanes avx2 = {
    shimhub_sha256_step_avx2, shimhub_sha256_bmi2, 8, 1, 8, 1};
#endif

/* NULL: one by one. */
static const struct shimhub_sha256_lanes *pick(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_SHA_NI))
        return &sha_ni;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return &avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return &avx2;
#endif
    return NULL;
}

shimhub_status shimhub_sha256(const shimhub_bytes *rows, size_t count, uint8_t *digests)
{
    if (count > 0 && (rows == NULL || digests == NULL))
        return SHIMHUB_BAD_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        /* The length in bits is a 64-bit number. */
        if ((rows[i].data == NULL && rows[i].size > 0) || (uint64_t)rows[i].size >> 61)
            return SHIMHUB_BAD_ARGUMENT;
    }
    const struct shimhub_sha256_lanes *lanes = pick();
    if (lanes != NULL)
        shimhub_sha256_schedule(rows, count, digests, lanes);
    else
        shimhub_sha256_one_by_one(rows, count, digests, shimhub_sha256_portable);
    return SHIMHUB_OK;
}
