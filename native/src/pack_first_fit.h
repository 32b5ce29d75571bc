/* Private: first fit over a tree of maxima, 16 to a node, written once for all lanes.
 *
 * The file that includes this defines FIRST_FIT, the function's name; TARGET, its attribute; and
 * over 16 consecutive int32: FIND(node, size), the first that is at least `size` (16 or more: none
 * is), MAX(node), the greatest, and PUT(node, at, value). A lane with vectors writes whole ones: the
 * processor makes a vector that is loaded right after a store of a part of it wait.
 *
 * Level 0 has the room left in each bin (-1: none, not even for an item of length 0), level k + 1
 * the maximum of each 16 of level k. The tree grows at the right as bins are opened. */
#include <stdlib.h>

#include "pack_group.h"

enum { FANOUT = 16, LEVELS = 8 /* 16^8 = 2^32 bins */ };

struct tree {
    int32_t *levels[LEVELS];
    unsigned top; /* the level that is a single node */
    int32_t *memory;
};

static shimhub_status make_tree(struct tree *tree, uint32_t bins)
{
    size_t width[LEVELS], total = 0, below = bins;
    for (unsigned k = 0; k < LEVELS; k++) {
        width[k] = (below + FANOUT - 1) / FANOUT * FANOUT;
        total += width[k];
        below = width[k] / FANOUT;
    }
    /* Nodes on cache lines; levels are whole lines long. */
    size_t bytes = total * sizeof *tree->memory;
    tree->memory = aligned_alloc(64, bytes);
    if (tree->memory == NULL)
        return SHIMHUB_NO_MEMORY;
    int32_t *at = tree->memory;
    for (unsigned k = 0; k < LEVELS; at += width[k++])
        tree->levels[k] = at;
    tree->top = 0;
    return SHIMHUB_OK;
}

static inline void clear_node(int32_t *node)
{
    for (int i = 0; i < FANOUT; i++)
        node[i] = -1;
}

/* Room in an open bin falls. Maxima are made anew on every level, changed or not: a branch on that
 * would be guessed wrong half of the time, and several groups hide the wait. */
TARGET static inline void lower(struct tree *tree, uint32_t bin, int32_t room)
{
    uint32_t at = bin;
    for (unsigned k = 0; k < tree->top; k++, at /= FANOUT) {
        int32_t *node = tree->levels[k] + at / FANOUT * FANOUT;
        PUT(node, at % FANOUT, room);
        room = MAX(node);
    }
    PUT(tree->levels[tree->top], at, room);
}

/* Adds the next bin, at the right. */
TARGET static inline void append(struct tree *tree, uint32_t bin, int32_t room)
{
    if (bin == UINT64_C(1) << (4 * (tree->top + 1))) {
        const int32_t *full = tree->levels[tree->top++];
        clear_node(tree->levels[tree->top]);
        tree->levels[tree->top][0] = MAX(full);
    }
    uint32_t at = bin;
    for (unsigned k = 0; k <= tree->top; k++, at /= FANOUT) {
        if (at % FANOUT == 0 && bin == (uint64_t)at << (4 * k))
            clear_node(tree->levels[k] + at);
        if (tree->levels[k][at] < room)
            PUT(tree->levels[k] + at / FANOUT * FANOUT, at % FANOUT, room);
    }
}

/* The first bin with that room, or none. */
TARGET static inline bool search(const struct tree *tree, int32_t size, uint32_t *bin)
{
    uint32_t at = 0;
    for (unsigned k = tree->top + 1; k-- > 0;) {
        uint32_t found = FIND(tree->levels[k] + at, size);
        if (found >= FANOUT)
            return false; /* only in the top node */
        at = (at + found) * (k ? FANOUT : 1);
    }
    *bin = at;
    return true;
}

TARGET static inline void put(struct pack_group *group, struct tree *tree, uint32_t item)
{
    uint32_t size = group->sizes[item], bin;
    int32_t room = -1;
    if (size == SHIMHUB_LEFT_OUT) {
        group->bin_of[item] = SHIMHUB_LEFT_OUT;
    } else if (size <= (uint32_t)group->capacity && group->bins > 0 &&
        search(tree, (int32_t)size, &bin)) {
        group->bin_of[item] = bin;
        if (++group->counts[bin] < group->max_items)
            room = tree->levels[0][bin] - (int32_t)size;
        lower(tree, bin, room);
    } else if (shimhub_pack_open(group, item)) {
        if (size <= (uint32_t)group->capacity && group->max_items > 1)
            room = group->capacity - (int32_t)size;
        append(tree, group->bins - 1, room);
    }
}

/* Each step waits for loads that depend on the step before: several groups at a time fill the
 * gaps. */
TARGET shimhub_status FIRST_FIT(struct pack_group *groups, unsigned count)
{
    struct tree trees[SHIMHUB_PACK_TOGETHER];
    shimhub_status status = SHIMHUB_OK;
    uint32_t longest = 0;
    unsigned made = 0;
    for (; status == SHIMHUB_OK && made < count; made++) {
        status = make_tree(&trees[made], groups[made].count);
        longest = longest < groups[made].count ? groups[made].count : longest;
    }
    for (uint32_t i = 0; status == SHIMHUB_OK && i < longest; i++) {
        for (unsigned g = 0; g < count; g++) {
            if (i < groups[g].count)
                put(&groups[g], &trees[g], i);
        }
    }
    while (made > 0)
        free(trees[--made].memory);
    return status;
}
