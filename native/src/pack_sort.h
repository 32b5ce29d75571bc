/* Private: the order of the DECREASING strategies. */
#ifndef SHIMHUB_PACK_SORT_H
#define SHIMHUB_PACK_SORT_H

#include "pack_group.h"

/* Sorts items by size, longest first, OWN_BIN before all, equals in their order, without those
 * LEFT_OUT; returns how many are left. `memory` has room for 2 * count; the results are in it. */
uint32_t shimhub_pack_sort(const uint32_t *sizes, uint32_t count, uint32_t capacity,
                           uint64_t *memory, uint32_t **sorted, uint32_t **order);

#endif
