/* shimhub's native library: the public interface. No Python here.
 *
 * Every function that can fail returns a status; results go through pointers.
 * No function keeps state, allocates or prints, and all may be called from any thread.
 * native/shimhub.cdef repeats the declarations below for cffi; the compiler compares the two.
 */
#ifndef SHIMHUB_H
#define SHIMHUB_H

#include <stdint.h>

#if defined(_WIN32)
#define SHIMHUB_API
#else
#define SHIMHUB_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_OK = 0,
    SHIMHUB_BAD_ARGUMENT = 1 /* a pointer is NULL, or a number is out of its range */
} shimhub_status;

/* One bit of shimhub_cpu_features() each: feature f is present if mask >> f & 1. */
typedef enum {
    SHIMHUB_CPU_SSE2,
    SHIMHUB_CPU_SSSE3,
    SHIMHUB_CPU_SSE4_1,
    SHIMHUB_CPU_SSE4_2,
    SHIMHUB_CPU_POPCNT,
    SHIMHUB_CPU_PCLMULQDQ,
    SHIMHUB_CPU_BMI1,
    SHIMHUB_CPU_BMI2,
    SHIMHUB_CPU_SHA_NI,
    SHIMHUB_CPU_AVX,
    SHIMHUB_CPU_AVX2,
    SHIMHUB_CPU_FMA,
    SHIMHUB_CPU_AVX512F,
    SHIMHUB_CPU_AVX512BW,
    SHIMHUB_CPU_AVX512DQ,
    SHIMHUB_CPU_AVX512VL,
    SHIMHUB_CPU_NEON,
    SHIMHUB_CPU_COUNT
} shimhub_cpu_feature;

/* The version that this library was built as, such as "0.1.0". Never NULL. */
SHIMHUB_API const char *shimhub_version(void);

/* Which features both the processor has and the operating system lets programs use.
 * Zero on machines that we have no query for. BAD_ARGUMENT if mask is NULL. */
SHIMHUB_API shimhub_status shimhub_cpu_features(uint64_t *mask);

/* The feature's name as /proc/cpuinfo spells it ("neon" for asimd), a static string.
 * BAD_ARGUMENT, and *name untouched, if name is NULL or there is no such feature. */
SHIMHUB_API shimhub_status shimhub_cpu_feature_name(unsigned feature, const char **name);

#ifdef __cplusplus
}
#endif

#endif
