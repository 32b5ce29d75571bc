/* Functions of numbers and rows in AVX2 and FMA. */
#include "elementwise.h"

#include "elementwise_terms.h"
#include "lanes.h"

#if SHIMHUB_X86_LANES

#include <immintrin.h>
#include <math.h>

#define TARGET SHIMHUB_TARGET_AVX2

/* From element WIDTH - n on: n times all bits, then none. */
static const int32_t parts_f32[] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
static const int64_t parts_f64[] = {-1, -1, -1, -1, 0, 0, 0, 0};

/* v * 2^n in two steps, of which neither overflows for any result. NaN stays: its n is any. */
TARGET static inline __m256 scale_f32(__m256 v, __m256 n)
{
    __m256i power = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(power, 1);
    __m256i rest = _mm256_sub_epi32(power, half), one = _mm256_set1_epi32(127);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(rest, one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(v, _mm256_castsi256_ps(first)),
                         _mm256_castsi256_ps(second));
}

TARGET static inline __m256d power_f64(__m128i n)
{
    __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(n), _mm256_set1_epi64x(1023));
    return _mm256_castsi256_pd(_mm256_slli_epi64(wide, 52));
}

TARGET static inline __m256d scale_f64(__m256d v, __m256d n)
{
    __m128i power = _mm256_cvtpd_epi32(n), half = _mm_srai_epi32(power, 1);
    return _mm256_mul_pd(_mm256_mul_pd(v, power_f64(half)),
                         power_f64(_mm_sub_epi32(power, half)));
}

TARGET static inline float fold_f32(__m256 v, int greatest)
{
    __m128 low = _mm256_castps256_ps128(v), high = _mm256_extractf128_ps(v, 1);
    __m128 four = greatest ? _mm_max_ps(low, high) : _mm_add_ps(low, high);
    __m128 across = _mm_movehl_ps(four, four);
    __m128 two = greatest ? _mm_max_ps(four, across) : _mm_add_ps(four, across);
    __m128 other = _mm_movehdup_ps(two);
    return _mm_cvtss_f32(greatest ? _mm_max_ss(two, other) : _mm_add_ss(two, other));
}

TARGET static inline double fold_f64(__m256d v, int greatest)
{
    __m128d low = _mm256_castpd256_pd128(v), high = _mm256_extractf128_pd(v, 1);
    __m128d two = greatest ? _mm_max_pd(low, high) : _mm_add_pd(low, high);
    __m128d other = _mm_unpackhi_pd(two, two);
    return _mm_cvtsd_f64(greatest ? _mm_max_sd(two, other) : _mm_add_sd(two, other));
}

#define T float
#define NAME(x) x##_f32
#define NUMBER(x) x##_f32
#define TABLE shimhub_elementwise_f32_avx2
#define V __m256
#define WIDTH 8
#define PART(n) _mm256_loadu_si256((const __m256i *)(const void *)(parts_f32 + 8 - (n)))
#define SET(number) _mm256_set1_ps(number)
#define LOAD(p) _mm256_loadu_ps(p)
#define LOAD_PART(p, n, rest)                                                                  \
    _mm256_blendv_ps(rest, _mm256_maskload_ps(p, PART(n)), _mm256_castsi256_ps(PART(n)))
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm256_maskstore_ps(p, PART(n), v)
#define KEEP(v, n) _mm256_and_ps(v, _mm256_castsi256_ps(PART(n)))
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define DIV(a, b) _mm256_div_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MAX(a, b) _mm256_max_ps(a, b)
#define MIN(a, b) _mm256_min_ps(a, b)
#define SQRT(v) _mm256_sqrt_ps(v)
#define ABS(v) _mm256_andnot_ps(_mm256_set1_ps(-0.f), v)
#define SIGN_OF(v, s) _mm256_or_ps(v, _mm256_and_ps(s, _mm256_set1_ps(-0.f)))
#define SCALE(v, n) scale_f32(v, n)
#define POWER(v)                                                                               \
    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(v), 23),        \
                                         _mm256_set1_epi32(127 << 23)))
#define SQUARE_LOW(y, h) _mm256_fmsub_ps(y, y, h)
#define SELECT_NEGATIVE(x, a, b)                                                               \
    _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ))
#define SUM(v) fold_f32(v, 0)
#define GREATEST(v) fold_f32(v, 1)
#include "elementwise_loops.h"
#undef PART

#define T double
#define NAME(x) x##_f64
#define NUMBER(x) x##_f64
#define TABLE shimhub_elementwise_f64_avx2
#define V __m256d
#define WIDTH 4
#define PART(n) _mm256_loadu_si256((const __m256i *)(const void *)(parts_f64 + 4 - (n)))
#define SET(number) _mm256_set1_pd(number)
#define LOAD(p) _mm256_loadu_pd(p)
#define LOAD_PART(p, n, rest)                                                                  \
    _mm256_blendv_pd(rest, _mm256_maskload_pd(p, PART(n)), _mm256_castsi256_pd(PART(n)))
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define STORE_PART(p, v, n) _mm256_maskstore_pd(p, PART(n), v)
#define KEEP(v, n) _mm256_and_pd(v, _mm256_castsi256_pd(PART(n)))
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUB(a, b) _mm256_sub_pd(a, b)
#define MUL(a, b) _mm256_mul_pd(a, b)
#define DIV(a, b) _mm256_div_pd(a, b)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define MAX(a, b) _mm256_max_pd(a, b)
#define MIN(a, b) _mm256_min_pd(a, b)
#define SQRT(v) _mm256_sqrt_pd(v)
#define ABS(v) _mm256_andnot_pd(_mm256_set1_pd(-0.), v)
#define SIGN_OF(v, s) _mm256_or_pd(v, _mm256_and_pd(s, _mm256_set1_pd(-0.)))
#define SCALE(v, n) scale_f64(v, n)
#define POWER(v)                                                                               \
    _mm256_castsi256_pd(_mm256_add_epi64(_mm256_slli_epi64(_mm256_castpd_si256(v), 52),        \
                                         _mm256_set1_epi64x(INT64_C(1023) << 52)))
#define SQUARE_LOW(y, h) _mm256_fmsub_pd(y, y, h)
#define SELECT_NEGATIVE(x, a, b)                                                               \
    _mm256_blendv_pd(b, a, _mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_LT_OQ))
#define SUM(v) fold_f64(v, 0)
#define GREATEST(v) fold_f64(v, 1)
#include "elementwise_loops.h"

#endif
