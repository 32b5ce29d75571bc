/* Functions of numbers and rows in AVX-512. */
#include "elementwise.h"

#include "elementwise_terms.h"
#include "lanes.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>
#include <math.h>

#define TARGET SHIMHUB_TARGET_AVX512

#define T float
#define NAME(x) x##_f32
#define NUMBER(x) x##_f32
#define TABLE shimhub_elementwise_f32_avx512
#define V __m512
#define WIDTH 16
#define PART(n) ((__mmask16)((1u << (n)) - 1))
#define SET(number) _mm512_set1_ps(number)
#define LOAD(p) _mm512_loadu_ps(p)
#define LOAD_PART(p, n, rest) _mm512_mask_loadu_ps(rest, PART(n), p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm512_mask_storeu_ps(p, PART(n), v)
#define KEEP(v, n) _mm512_maskz_mov_ps(PART(n), v)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define DIV(a, b) _mm512_div_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MAX(a, b) _mm512_max_ps(a, b)
#define MIN(a, b) _mm512_min_ps(a, b)
#define SQRT(v) _mm512_sqrt_ps(v)
#define ABS(v) _mm512_abs_ps(v)
#define SIGN_OF(v, s) _mm512_or_ps(v, _mm512_and_ps(s, _mm512_set1_ps(-0.f)))
#define SCALE(v, n) _mm512_scalef_ps(v, n)
#define POWER(v)                                                                               \
    _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(v), 23),        \
                                         _mm512_set1_epi32(127 << 23)))
#define SQUARE_LOW(y, h) _mm512_fmsub_ps(y, y, h)
#define SELECT_NEGATIVE(x, a, b)                                                               \
    _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a)
#define SUM(v) _mm512_reduce_add_ps(v)
#define GREATEST(v) _mm512_reduce_max_ps(v)
#include "elementwise_loops.h"
#undef PART

#define T double
#define NAME(x) x##_f64
#define NUMBER(x) x##_f64
#define TABLE shimhub_elementwise_f64_avx512
#define V __m512d
#define WIDTH 8
#define PART(n) ((__mmask8)((1u << (n)) - 1))
#define SET(number) _mm512_set1_pd(number)
#define LOAD(p) _mm512_loadu_pd(p)
#define LOAD_PART(p, n, rest) _mm512_mask_loadu_pd(rest, PART(n), p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define STORE_PART(p, v, n) _mm512_mask_storeu_pd(p, PART(n), v)
#define KEEP(v, n) _mm512_maskz_mov_pd(PART(n), v)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUB(a, b) _mm512_sub_pd(a, b)
#define MUL(a, b) _mm512_mul_pd(a, b)
#define DIV(a, b) _mm512_div_pd(a, b)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define MAX(a, b) _mm512_max_pd(a, b)
#define MIN(a, b) _mm512_min_pd(a, b)
#define SQRT(v) _mm512_sqrt_pd(v)
#define ABS(v) _mm512_abs_pd(v)
#define SIGN_OF(v, s) _mm512_or_pd(v, _mm512_and_pd(s, _mm512_set1_pd(-0.)))
#define SCALE(v, n) _mm512_scalef_pd(v, n)
#define POWER(v)                                                                               \
    _mm512_castsi512_pd(_mm512_add_epi64(_mm512_slli_epi64(_mm512_castpd_si512(v), 52),        \
                                         _mm512_set1_epi64(INT64_C(1023) << 52)))
#define SQUARE_LOW(y, h) _mm512_fmsub_pd(y, y, h)
#define SELECT_NEGATIVE(x, a, b)                                                               \
    _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_LT_OQ), b, a)
#define SUM(v) _mm512_reduce_add_pd(v)
#define GREATEST(v) _mm512_reduce_max_pd(v)
#include "elementwise_loops.h"

#endif
