/* Private: one group of items, and the functions that give each of them a bin. */
#ifndef SHIMHUB_PACK_GROUP_H
#define SHIMHUB_PACK_GROUP_H

#include "lanes.h"
#include "shimhub/pack.h"

/* In place of a size or a bin. */
#define SHIMHUB_LEFT_OUT UINT32_MAX
/* In place of a size: opens a bin that then has no room. Above every capacity. */
#define SHIMHUB_OWN_BIN (UINT32_MAX - 1)

struct pack_group {
    const uint32_t *sizes; /* in the order of packing */
    uint32_t count;
    int32_t capacity;
    uint32_t max_items;
    uint32_t max_bins;
    uint32_t *bin_of; /* gets the bin of each item, or LEFT_OUT */
    uint32_t *counts; /* gets the items of each bin; room for `count` bins */
    uint32_t bins;    /* gets the number of bins */
};

/* Groups that are packed by one call. */
enum { SHIMHUB_PACK_TOGETHER = 4 };

shimhub_status shimhub_pack_next_fit(struct pack_group *groups, unsigned count);
shimhub_status shimhub_pack_best_fit(struct pack_group *groups, unsigned count);
shimhub_status shimhub_pack_first_fit(struct pack_group *groups, unsigned count);

/* Lanes of shimhub_pack_first_fit(). NEON has none: its vectors have no mask of lanes, and four
 * compares with their narrowing cost what the portable lane's scalar code costs. */
shimhub_status shimhub_pack_first_fit_portable(struct pack_group *groups, unsigned count);
#if SHIMHUB_X86_LANES
shimhub_status shimhub_pack_first_fit_avx2(struct pack_group *groups, unsigned count);
shimhub_status shimhub_pack_first_fit_avx512(struct pack_group *groups, unsigned count);
#endif

/* Opens a bin with one item in it; false if there are max_bins already. */
static inline bool shimhub_pack_open(struct pack_group *group, uint32_t item)
{
    if (group->bins >= group->max_bins) {
        group->bin_of[item] = SHIMHUB_LEFT_OUT;
        return false;
    }
    group->counts[group->bins] = 1;
    group->bin_of[item] = group->bins++;
    return true;
}

#endif
