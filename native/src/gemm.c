/* Matrix products of any shape, over a lane's tiles. */
#include "gemm.h"

#include <stdlib.h>
#include <string.h>

#include "lanes.h"

#ifndef ROWS
#define ROWS 240
#endif
#define COLUMNS 2048 /* of packed B */
#define DIRECT 80000. /* bytes of B that stay in caches as they lie: copies would cost more */
#define SHALLOW 32         /* steps over k, which take less than storing their results */
#ifndef NEAR
#define NEAR 400000    /* bytes of B that stay in the second cache */
#define LARGE 1000000. /* bytes of a result that do not */
#endif

#define T float
#define NAME(x) x##_f32
#define PRODUCT shimhub_gemm_f32
#define TILES shimhub_tiles_f32
static const struct TILES *tiles_f32(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return &shimhub_tiles_f32_avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return &shimhub_tiles_f32_avx2;
#endif
    return &shimhub_tiles_f32_portable;
}
#include "gemm_driver.h"

#define T double
#define NAME(x) x##_f64
#define PRODUCT shimhub_gemm_f64
#define TILES shimhub_tiles_f64
static const struct TILES *tiles_f64(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return &shimhub_tiles_f64_avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return &shimhub_tiles_f64_avx2;
#endif
    return &shimhub_tiles_f64_portable;
}
#include "gemm_driver.h"
