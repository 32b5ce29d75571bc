/* Version, processor features, lanes and the team of threads. */
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "cpu_words.h"
#include "lanes.h"
#include "team.h"

#define BIT(feature) (UINT64_C(1) << (feature))
#define AVX512                                                                 \
    (BIT(SHIMHUB_CPU_AVX512F) | BIT(SHIMHUB_CPU_AVX512BW) |                    \
     BIT(SHIMHUB_CPU_AVX512DQ) | BIT(SHIMHUB_CPU_AVX512VL))
#define AVX (BIT(SHIMHUB_CPU_AVX) | BIT(SHIMHUB_CPU_AVX2) | BIT(SHIMHUB_CPU_FMA))
#define X86 (BIT(SHIMHUB_CPU_NEON) - 1)

static void version_is_the_one_of_the_build(void)
{
    CHECK(strcmp(shimhub_version(), SHIMHUB_VERSION) == 0);
}

static void wide_registers_count_only_where_the_system_saves_them(void)
{
    struct shimhub_cpuid cpuid = {{UINT32_MAX, UINT32_MAX, UINT32_MAX}, 0};
    for (uint64_t xcr0 = 0; xcr0 < 0x200; xcr0++) {
        uint64_t expected = X86;
        if ((xcr0 & 0x06) != 0x06)
            expected &= ~AVX;
        if ((xcr0 & 0xe6) != 0xe6)
            expected &= ~AVX512;
        cpuid.xcr0 = xcr0;
        CHECK(shimhub_cpuid_decode(&cpuid) == expected);
    }
}

static void each_feature_has_a_bit_of_its_own(void)
{
    uint64_t seen = 0;
    for (unsigned word = 0; word < SHIMHUB_CPUID_WORDS; word++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            struct shimhub_cpuid cpuid = {{0}, UINT64_MAX};
            cpuid.words[word] = UINT32_C(1) << bit;
            uint64_t mask = shimhub_cpuid_decode(&cpuid);
            CHECK((mask & (mask - 1)) == 0);
            CHECK((mask & seen) == 0);
            seen |= mask;
        }
    }
    CHECK(seen == X86);
}

static void names_are_distinct_and_end_with_the_features(void)
{
    const char *name = "untouched", *other = NULL;
    CHECK(shimhub_cpu_feature_name(SHIMHUB_CPU_COUNT, &name) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_cpu_feature_name(UINT32_MAX, &name) == SHIMHUB_BAD_ARGUMENT);
    CHECK(strcmp(name, "untouched") == 0);
    CHECK(shimhub_cpu_feature_name(0, NULL) == SHIMHUB_BAD_ARGUMENT);
    for (unsigned f = 0; f < SHIMHUB_CPU_COUNT; f++) {
        CHECK(shimhub_cpu_feature_name(f, &name) == SHIMHUB_OK);
        for (unsigned g = 0; g < f; g++) {
            CHECK(shimhub_cpu_feature_name(g, &other) == SHIMHUB_OK);
            CHECK(strcmp(name, other) != 0);
        }
    }
}

static void query_agrees_with_the_compiler(void)
{
    uint64_t mask = 0;
    CHECK(shimhub_cpu_features(NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_cpu_features(&mask) == SHIMHUB_OK);
    CHECK(mask < BIT(SHIMHUB_CPU_COUNT));
#if defined(__x86_64__)
    CHECK(mask & BIT(SHIMHUB_CPU_SSE2));
    CHECK(!!__builtin_cpu_supports("avx2") == !!(mask & BIT(SHIMHUB_CPU_AVX2)));
    CHECK(!!__builtin_cpu_supports("avx512f") == !!(mask & BIT(SHIMHUB_CPU_AVX512F)));
#elif defined(__aarch64__)
    CHECK(mask == BIT(SHIMHUB_CPU_NEON));
#endif
}

static void lanes_are_those_of_the_processor(void)
{
    uint32_t here = shimhub_lanes_here(), before = shimhub_lanes();
    CHECK(here & 1u << SHIMHUB_LANE_PORTABLE);
    CHECK(before == (before & here));
    CHECK(shimhub_lanes_use(UINT32_C(1) << SHIMHUB_LANE_COUNT) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_lanes() == before);
    CHECK(shimhub_lanes_use(0) == SHIMHUB_OK);
    CHECK(shimhub_lanes() == 1u << SHIMHUB_LANE_PORTABLE);
    CHECK(!shimhub_has_lane(SHIMHUB_LANE_AVX512));
    CHECK(shimhub_lanes_use(before) == SHIMHUB_OK);
}

static void lane_names_are_distinct(void)
{
    const char *name = "untouched", *other = NULL;
    CHECK(shimhub_lane_name(SHIMHUB_LANE_COUNT, &name) == SHIMHUB_BAD_ARGUMENT);
    CHECK(strcmp(name, "untouched") == 0);
    CHECK(shimhub_lane_name(0, NULL) == SHIMHUB_BAD_ARGUMENT);
    for (unsigned lane = 0; lane < SHIMHUB_LANE_COUNT; lane++) {
        CHECK(shimhub_lane_name(lane, &name) == SHIMHUB_OK);
        CHECK(shimhub_lane_name((lane + 1) % SHIMHUB_LANE_COUNT, &other) == SHIMHUB_OK);
        CHECK(strcmp(name, other) != 0);
    }
}

#define TASKS 1000
struct tally {
    atomic_int total;
    int seen[TASKS];
};

static void count_task(void *context, size_t index)
{
    struct tally *tally = context;
    tally->seen[index]++;
    atomic_fetch_add(&tally->total, 1);
}

static void a_team_runs_each_task_once(void)
{
    for (unsigned threads = 0; threads < 200; threads += threads < 9 ? 1 : 90) {
        struct tally tally = {0};
        shimhub_team_run(threads, TASKS, count_task, &tally);
        CHECK(tally.total == TASKS);
        for (int i = 0; i < TASKS; i++)
            CHECK(tally.seen[i] == 1);
    }
    struct tally none = {0};
    shimhub_team_run(4, 0, count_task, &none);
    CHECK(none.total == 0);
}

void test_core(void)
{
    version_is_the_one_of_the_build();
    wide_registers_count_only_where_the_system_saves_them();
    each_feature_has_a_bit_of_its_own();
    names_are_distinct_and_end_with_the_features();
    query_agrees_with_the_compiler();
    lanes_are_those_of_the_processor();
    lane_names_are_distinct();
    a_team_runs_each_task_once();
}
