/* Next fit: only the last bin is open. */
#include "pack_group.h"

static void next_fit(struct pack_group *group)
{
    int64_t room = -1;
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t size = group->sizes[i];
        if (size == SHIMHUB_LEFT_OUT) {
            group->bin_of[i] = SHIMHUB_LEFT_OUT;
        } else if (size <= room && group->counts[group->bins - 1] < group->max_items) {
            group->counts[group->bins - 1]++;
            group->bin_of[i] = group->bins - 1;
            room -= size;
        } else if (shimhub_pack_open(group, i)) {
            room = (int64_t)group->capacity - size;
        }
    }
}

shimhub_status shimhub_pack_next_fit(struct pack_group *groups, unsigned count)
{
    for (unsigned g = 0; g < count; g++)
        next_fit(&groups[g]);
    return SHIMHUB_OK;
}
