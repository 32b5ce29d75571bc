/* Functions of numbers and rows in plain C: vectors of one. */
#include "elementwise.h"

#include <math.h>
#include <string.h>

#include "elementwise_terms.h"

#define TARGET

/* 2^n, for n that float and double have as a normal number. */
static inline float power_f32(int32_t n)
{
    int32_t bits = (n + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

static inline double power_f64(int64_t n)
{
    int64_t bits = (n + 1023) * (INT64_C(1) << 52);
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* 2^n, for n in the lowest bits of v; any number for NaN. */
static inline float shifted_power_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits << 23) + (UINT32_C(127) << 23);
    memcpy(&v, &bits, sizeof bits);
    return v;
}

static inline double shifted_power_f64(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits << 52) + (UINT64_C(1023) << 52);
    memcpy(&v, &bits, sizeof bits);
    return v;
}

/* v * 2^n in two steps, of which neither overflows for any result; NaN has no n. */
static inline float scale_f32(float v, float n)
{
    int32_t power = isnan(n) ? 0 : (int32_t)n, half = power / 2;
    return v * power_f32(half) * power_f32(power - half);
}

static inline double scale_f64(double v, double n)
{
    int64_t power = isnan(n) ? 0 : (int64_t)n, half = power / 2;
    return v * power_f64(half) * power_f64(power - half);
}

/* y * y - h, in which y * y is exact. */
static inline float square_low_f32(float y, float h)
{
    return (float)((double)y * (double)y - (double)h);
}

/* By halves of which the products are exact (Dekker, Numerische Mathematik 18, 1971). */
static inline double square_low_f64(double y, double h)
{
    double wide = y * 134217729., high = wide - (wide - y), low = y - high;
    return ((high * high - h) + 2 * high * low) + low * low;
}

#define T float
#define NAME(x) x##_f32
#define NUMBER(x) x##_f32
#define TABLE shimhub_elementwise_f32_portable
#define V float
#define SQRT(v) sqrtf(v)
#define ABS(v) fabsf(v)
#define SIGN_OF(v, s) copysignf(v, s)
#define SCALE(v, n) scale_f32(v, n)
#define POWER(v) shifted_power_f32(v)
#define SQUARE_LOW(y, h) square_low_f32(y, h)
#include "elementwise_scalar.h"

#define T double
#define NAME(x) x##_f64
#define NUMBER(x) x##_f64
#define TABLE shimhub_elementwise_f64_portable
#define V double
#define SQRT(v) sqrt(v)
#define ABS(v) fabs(v)
#define SIGN_OF(v, s) copysign(v, s)
#define SCALE(v, n) scale_f64(v, n)
#define POWER(v) shifted_power_f64(v)
#define SQUARE_LOW(y, h) square_low_f64(y, h)
#include "elementwise_scalar.h"
