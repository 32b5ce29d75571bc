/* Status codes, processor features, lanes and threads of shimhub's native library. */
#ifndef SHIMHUB_CORE_H
#define SHIMHUB_CORE_H

#include <stddef.h>
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
    SHIMHUB_BAD_ARGUMENT = 1, /* a pointer is NULL, or a number is out of its range */
    SHIMHUB_NO_MEMORY = 2,
    SHIMHUB_OVERFLOW = 3,    /* a value or a size does not fit in its type */
    SHIMHUB_BAD_OFFSETS = 4, /* offsets fall, start below zero, or end behind their data */
    SHIMHUB_BAD_FORMAT = 5   /* bytes that were written are not what they say they are */
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

/* ISA versions of kernels, one bit of a mask each. Kernels fall back to the portable lane. */
typedef enum {
    SHIMHUB_LANE_PORTABLE, /* plain C11; always there */
    SHIMHUB_LANE_AVX2,     /* AVX2, FMA, BMI1, BMI2, POPCNT */
    SHIMHUB_LANE_AVX512,   /* those of AVX2 and AVX-512 F, BW, DQ, VL */
    SHIMHUB_LANE_SHA_NI,   /* SHA, SSSE3, SSE4.1 */
    SHIMHUB_LANE_NEON,
    SHIMHUB_LANE_COUNT
} shimhub_lane;

/* The version that this library was built as, such as "0.1.0". Never NULL. */
SHIMHUB_API const char *shimhub_version(void);

/* Which features both the processor has and the operating system lets programs use.
 * Zero on machines that we have no query for. BAD_ARGUMENT if mask is NULL. */
SHIMHUB_API shimhub_status shimhub_cpu_features(uint64_t *mask);

/* The feature's name as /proc/cpuinfo spells it ("neon" for asimd), a static string.
 * BAD_ARGUMENT, and *name untouched, if name is NULL or there is no such feature. */
SHIMHUB_API shimhub_status shimhub_cpu_feature_name(unsigned feature, const char **name);

/* The lane's name, such as "avx2"; as shimhub_cpu_feature_name() otherwise. */
SHIMHUB_API shimhub_status shimhub_lane_name(unsigned lane, const char **name);

/* The lanes that were built in and that this processor can run. */
SHIMHUB_API uint32_t shimhub_lanes_here(void);

/* The lanes in use: shimhub_lanes_here() until shimhub_lanes_use() narrows them. */
SHIMHUB_API uint32_t shimhub_lanes(void);

/* Use these lanes alone, and the portable one. BAD_ARGUMENT, and no change, if one of them cannot
 * run here. Calls that are running may still use the lanes of before. */
SHIMHUB_API shimhub_status shimhub_lanes_use(uint32_t mask);

/* The number of processors that this thread may run on, at least 1. */
SHIMHUB_API unsigned shimhub_processors(void);

#ifdef __cplusplus
}
#endif

#endif
