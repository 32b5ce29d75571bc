/* Which instruction sets may be used here. */
#include "shimhub.h"

#include <stddef.h>

#include "cpu_words.h"

/* XCR0 bits: the operating system must save a register before a program may use it. */
#define STATE_NONE 0x00u
#define STATE_AVX 0x06u    /* XMM and YMM */
#define STATE_AVX512 0xe6u /* those, the mask registers and all of ZMM */

#define NOT_X86 SHIMHUB_CPUID_WORDS

static const struct {
    const char *name;
    unsigned char word, bit, state;
} features[] = {
    [SHIMHUB_CPU_SSE2] = {"sse2", SHIMHUB_LEAF1_EDX, 26, STATE_NONE},
    [SHIMHUB_CPU_SSSE3] = {"ssse3", SHIMHUB_LEAF1_ECX, 9, STATE_NONE},
    [SHIMHUB_CPU_SSE4_1] = {"sse4_1", SHIMHUB_LEAF1_ECX, 19, STATE_NONE},
    [SHIMHUB_CPU_SSE4_2] = {"sse4_2", SHIMHUB_LEAF1_ECX, 20, STATE_NONE},
    [SHIMHUB_CPU_POPCNT] = {"popcnt", SHIMHUB_LEAF1_ECX, 23, STATE_NONE},
    [SHIMHUB_CPU_PCLMULQDQ] = {"pclmulqdq", SHIMHUB_LEAF1_ECX, 1, STATE_NONE},
    [SHIMHUB_CPU_BMI1] = {"bmi1", SHIMHUB_LEAF7_EBX, 3, STATE_NONE},
    [SHIMHUB_CPU_BMI2] = {"bmi2", SHIMHUB_LEAF7_EBX, 8, STATE_NONE},
    [SHIMHUB_CPU_SHA_NI] = {"sha_ni", SHIMHUB_LEAF7_EBX, 29, STATE_NONE},
    [SHIMHUB_CPU_AVX] = {"avx", SHIMHUB_LEAF1_ECX, 28, STATE_AVX},
    [SHIMHUB_CPU_AVX2] = {"avx2", SHIMHUB_LEAF7_EBX, 5, STATE_AVX},
    [SHIMHUB_CPU_FMA] = {"fma", SHIMHUB_LEAF1_ECX, 12, STATE_AVX},
    [SHIMHUB_CPU_AVX512F] = {"avx512f", SHIMHUB_LEAF7_EBX, 16, STATE_AVX512},
    [SHIMHUB_CPU_AVX512BW] = {"avx512bw", SHIMHUB_LEAF7_EBX, 30, STATE_AVX512},
    [SHIMHUB_CPU_AVX512DQ] = {"avx512dq", SHIMHUB_LEAF7_EBX, 17, STATE_AVX512},
    [SHIMHUB_CPU_AVX512VL] = {"avx512vl", SHIMHUB_LEAF7_EBX, 31, STATE_AVX512},
    [SHIMHUB_CPU_NEON] = {"neon", NOT_X86, 0, STATE_NONE},
};

_Static_assert(sizeof features / sizeof *features == SHIMHUB_CPU_COUNT, "a feature has no row");
_Static_assert(SHIMHUB_CPU_COUNT <= 64, "the mask has 64 bits");

uint64_t shimhub_cpuid_decode(const struct shimhub_cpuid *cpuid)
{
    uint64_t mask = 0;
    for (unsigned f = 0; f < SHIMHUB_CPU_COUNT; f++) {
        if (features[f].word == NOT_X86)
            continue;
        uint64_t present = cpuid->words[features[f].word] >> features[f].bit & 1;
        uint64_t saved = (cpuid->xcr0 & features[f].state) == features[f].state;
        mask |= (present & saved) << f;
    }
    return mask;
}

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))

#include <cpuid.h>

#define OSXSAVE (1u << 27)

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint64_t query(void)
{
    struct shimhub_cpuid cpuid = {{0}, 0};
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return 0;
    cpuid.words[SHIMHUB_LEAF1_ECX] = ecx;
    cpuid.words[SHIMHUB_LEAF1_EDX] = edx;
    if (ecx & OSXSAVE)
        cpuid.xcr0 = read_xcr0();
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        cpuid.words[SHIMHUB_LEAF7_EBX] = ebx;
    return shimhub_cpuid_decode(&cpuid);
}

#elif defined(__aarch64__) || defined(_M_ARM64)

/* Part of the architecture's base: there is no AArch64 without it that runs an operating system. */
static uint64_t query(void)
{
    return UINT64_C(1) << SHIMHUB_CPU_NEON;
}

#else

static uint64_t query(void)
{
    return 0;
}

#endif

shimhub_status shimhub_cpu_features(uint64_t *mask)
{
    if (mask == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    *mask = query();
    return SHIMHUB_OK;
}

shimhub_status shimhub_cpu_feature_name(unsigned feature, const char **name)
{
    if (name == NULL || feature >= SHIMHUB_CPU_COUNT)
        return SHIMHUB_BAD_ARGUMENT;
    *name = features[feature].name;
    return SHIMHUB_OK;
}
