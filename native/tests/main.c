/* Tests of the C library without Python: `make native-check asan ubsan tsan neon`.
 *
 * Every area is tested over every subset of the lanes that run here; results must not differ. */
#include "check.h"

int failures;

static void run_all(void)
{
    test_columns();
    test_dedup();
    test_hash();
    test_ipc();
    test_linalg();
    test_lines();
    test_list_ends();
    test_losses();
    test_minhash();
    test_pack();
    test_pad();
    test_repr();
}

int main(void)
{
    unsigned subsets = 0;
    test_core();
    for (uint32_t mask = 0; mask < UINT32_C(1) << SHIMHUB_LANE_COUNT; mask++) {
        /* The portable lane is always there: masks with it and without are the same. */
        if (!(mask & 1) || shimhub_lanes_use(mask) != SHIMHUB_OK)
            continue;
        run_all();
        subsets++;
    }
    printf("native: %s, %u subsets of lanes\n", failures ? "FAILED" : "ok", subsets);
    return failures != 0;
}
