/* Tiles in AVX2 and FMA. 6 rows of two vectors take 12 of the 16 registers for sums. */
#include "gemm.h"

#include "gemm_rows.h"
#include "lanes.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX2
#define DIRECT_1 SIX
#define DIRECT_2 SIX
#define DIRECT_4 TWO
#define PACKED_ALL SIX

/* From element 8 - n on: n times all bits, then none. */
static const int32_t parts_f32[] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
static const int64_t parts_f64[] = {-1, -1, -1, -1, 0, 0, 0, 0};

#define T float
#define NAME(x) x##_f32
#define TILE shimhub_tile_f32
#define TILES shimhub_tiles_f32
#define TABLE shimhub_tiles_f32_avx2
#define V __m256
#define WIDTH 8
#define PART(n) _mm256_loadu_si256((const __m256i *)(const void *)(parts_f32 + 8 - (n)))
#define ZERO _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define LOAD_PART(p, n) _mm256_maskload_ps(p, PART(n))
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm256_maskstore_ps(p, PART(n), v)
#define SPREAD(p) _mm256_broadcast_ss(p)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#include "gemm_tiles.h"
#undef PART

#define T double
#define NAME(x) x##_f64
#define TILE shimhub_tile_f64
#define TILES shimhub_tiles_f64
#define TABLE shimhub_tiles_f64_avx2
#define V __m256d
#define WIDTH 4
#define PART(n) _mm256_loadu_si256((const __m256i *)(const void *)(parts_f64 + 4 - (n)))
#define ZERO _mm256_setzero_pd()
#define LOAD(p) _mm256_loadu_pd(p)
#define LOAD_PART(p, n) _mm256_maskload_pd(p, PART(n))
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define STORE_PART(p, v, n) _mm256_maskstore_pd(p, PART(n), v)
#define SPREAD(p) _mm256_broadcast_sd(p)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b) _mm256_add_pd(a, b)
#include "gemm_tiles.h"

#endif
