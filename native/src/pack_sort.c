/* Longest first: a stable radix sort whose digits are narrow enough to stay in the cache. */
#include "pack_sort.h"

#include <string.h>

enum { MAX_PASSES = 4, DIGIT = 8 };

/* 0 for bins of their own, then capacity down to 0. */
static inline uint32_t sort_key(uint32_t size, uint32_t capacity)
{
    return size == SHIMHUB_OWN_BIN ? 0 : capacity - size + 1;
}

static unsigned bit_length(uint32_t value)
{
    unsigned bits = 0;
    for (; value; value >>= 1)
        bits++;
    return bits;
}

uint32_t shimhub_pack_sort(const uint32_t *sizes, uint32_t count, uint32_t capacity,
                           uint64_t *memory, uint32_t **sorted, uint32_t **order)
{
    uint32_t starts[MAX_PASSES][1 << DIGIT] = {{0}};
    unsigned bits = bit_length(capacity + 1), passes = (bits + DIGIT - 1) / DIGIT;
    unsigned digit = (bits + passes - 1) / passes;
    uint32_t mask = (UINT32_C(1) << digit) - 1, kept = 0;
    uint64_t *from = memory + count, *to = memory; /* the last pass reads the second half */
    if (passes % 2 == 0)
        from = memory, to = memory + count;

    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i] == SHIMHUB_LEFT_OUT)
            continue;
        uint32_t key = sort_key(sizes[i], capacity);
        from[kept++] = (uint64_t)key << 32 | i;
        for (unsigned pass = 0; pass < passes; pass++)
            starts[pass][key >> pass * digit & mask]++;
    }
    for (unsigned pass = 0; pass < passes; pass++) {
        uint32_t sum = 0;
        for (uint32_t value = 0; value <= mask; value++) {
            uint32_t here = starts[pass][value];
            starts[pass][value] = sum;
            sum += here;
        }
    }
    for (unsigned pass = 0; pass + 1 < passes; pass++) {
        for (uint32_t i = 0; i < kept; i++)
            to[starts[pass][from[i] >> (32 + pass * digit) & mask]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    *sorted = (uint32_t *)(void *)to;
    *order = *sorted + count;
    for (uint32_t i = 0; i < kept; i++) {
        uint32_t key = (uint32_t)(from[i] >> 32);
        uint32_t at = starts[passes - 1][key >> (passes - 1) * digit & mask]++;
        (*sorted)[at] = key == 0 ? SHIMHUB_OWN_BIN : capacity + 1 - key;
        (*order)[at] = (uint32_t)from[i];
    }
    return kept;
}
