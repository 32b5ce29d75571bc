/* Private: which lanes to compile, and which one to run. */
#ifndef SHIMHUB_LANES_H
#define SHIMHUB_LANES_H

#include <stdbool.h>

#include "shimhub/core.h"

/* Lanes use GNU attributes and intrinsics; any other C11 compiler gets the portable lane alone, as
 * does a build with SHIMHUB_PORTABLE. */
#if defined(__GNUC__) && defined(__x86_64__) && !defined(SHIMHUB_PORTABLE)
#define SHIMHUB_X86_LANES 1
#define SHIMHUB_NEON_LANE 0
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(SHIMHUB_PORTABLE)
#define SHIMHUB_X86_LANES 0
#define SHIMHUB_NEON_LANE 1
#else
#define SHIMHUB_X86_LANES 0
#define SHIMHUB_NEON_LANE 0
#endif

/* On a function of that lane. Helpers that it inlines need the same attribute. */
#define SHIMHUB_TARGET_AVX2 __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))
#define SHIMHUB_TARGET_AVX512                                                                  \
    __attribute__((target("avx2,fma,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))
#define SHIMHUB_TARGET_SHA_NI __attribute__((target("sha,ssse3,sse4.1")))

/* Whether kernels may use that lane now: one relaxed load after the first call. */
bool shimhub_has_lane(shimhub_lane lane);

#endif
