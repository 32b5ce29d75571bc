/* Which lanes run here, decided once. */
#include "lanes.h"

#include <stdatomic.h>

#define BIT(n) (UINT64_C(1) << (n))
#define HAS(f) BIT(SHIMHUB_CPU_##f)
#define NEEDS_AVX2 (HAS(AVX2) | HAS(FMA) | HAS(BMI1) | HAS(BMI2) | HAS(POPCNT))

static const struct {
    const char *name;
    uint64_t needs;
    bool built;
} lanes[] = {
    [SHIMHUB_LANE_PORTABLE] = {"portable", 0, true},
    [SHIMHUB_LANE_AVX2] = {"avx2", NEEDS_AVX2, SHIMHUB_X86_LANES},
    [SHIMHUB_LANE_AVX512] = {"avx512",
                             NEEDS_AVX2 | HAS(AVX512F) | HAS(AVX512BW) | HAS(AVX512DQ) |
                                 HAS(AVX512VL),
                             SHIMHUB_X86_LANES},
    [SHIMHUB_LANE_SHA_NI] = {"sha_ni", HAS(SHA_NI) | HAS(SSSE3) | HAS(SSE4_1), SHIMHUB_X86_LANES},
    [SHIMHUB_LANE_NEON] = {"neon", HAS(NEON), SHIMHUB_NEON_LANE},
};

_Static_assert(sizeof lanes / sizeof *lanes == SHIMHUB_LANE_COUNT, "a lane has no row");

/* Zero until first asked for: the portable lane's bit is never missing after that. */
static _Atomic uint32_t in_use;

uint32_t shimhub_lanes_here(void)
{
    uint64_t features = 0;
    shimhub_cpu_features(&features);
    uint32_t mask = 0;
    for (unsigned lane = 0; lane < SHIMHUB_LANE_COUNT; lane++) {
        if (lanes[lane].built && (features & lanes[lane].needs) == lanes[lane].needs)
            mask |= UINT32_C(1) << lane;
    }
    return mask;
}

uint32_t shimhub_lanes(void)
{
    uint32_t mask = atomic_load_explicit(&in_use, memory_order_relaxed);
    if (mask != 0)
        return mask;
    uint32_t here = shimhub_lanes_here();
    /* Fails where another thread was faster, and leaves its choice in mask. */
    return atomic_compare_exchange_strong(&in_use, &mask, here) ? here : mask;
}

bool shimhub_has_lane(shimhub_lane lane)
{
    return shimhub_lanes() >> lane & 1;
}

shimhub_status shimhub_lanes_use(uint32_t mask)
{
    if (mask & ~shimhub_lanes_here())
        return SHIMHUB_BAD_ARGUMENT;
    atomic_store_explicit(&in_use, mask | UINT32_C(1) << SHIMHUB_LANE_PORTABLE,
                          memory_order_relaxed);
    return SHIMHUB_OK;
}

shimhub_status shimhub_lane_name(unsigned lane, const char **name)
{
    if (name == NULL || lane >= SHIMHUB_LANE_COUNT)
        return SHIMHUB_BAD_ARGUMENT;
    *name = lanes[lane].name;
    return SHIMHUB_OK;
}
