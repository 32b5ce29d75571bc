/* Tiles in AVX-512. 12 rows of two vectors take 24 of the 32 registers for sums, and each number
 * of A that is loaded serves two multiplications. */
#include "gemm.h"

#include "gemm_rows.h"
#include "lanes.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>

#define TARGET SHIMHUB_TARGET_AVX512
#define DIRECT_1 EIGHT
#define DIRECT_2 EIGHT
#define DIRECT_4 SIX
#define PACKED_ALL TWELVE

#define T float
#define NAME(x) x##_f32
#define TILE shimhub_tile_f32
#define TILES shimhub_tiles_f32
#define TABLE shimhub_tiles_f32_avx512
#define V __m512
#define WIDTH 16
#define PART(n) ((__mmask16)((1u << (n)) - 1))
#define ZERO _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define LOAD_PART(p, n) _mm512_maskz_loadu_ps(PART(n), p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm512_mask_storeu_ps(p, PART(n), v)
#define SPREAD(p) _mm512_set1_ps(*(p))
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#include "gemm_tiles.h"
#undef PART

#define T double
#define NAME(x) x##_f64
#define TILE shimhub_tile_f64
#define TILES shimhub_tiles_f64
#define TABLE shimhub_tiles_f64_avx512
#define V __m512d
#define WIDTH 8
#define PART(n) ((__mmask8)((1u << (n)) - 1))
#define ZERO _mm512_setzero_pd()
#define LOAD(p) _mm512_loadu_pd(p)
#define LOAD_PART(p, n) _mm512_maskz_loadu_pd(PART(n), p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define STORE_PART(p, v, n) _mm512_mask_storeu_pd(p, PART(n), v)
#define SPREAD(p) _mm512_set1_pd(*(p))
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b) _mm512_add_pd(a, b)
#include "gemm_tiles.h"

#endif
