/* First fit: which lane. */
#include "pack_group.h"

shimhub_status shimhub_pack_first_fit(struct pack_group *groups, unsigned count)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return shimhub_pack_first_fit_avx512(groups, count);
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_pack_first_fit_avx2(groups, count);
#endif
    return shimhub_pack_first_fit_portable(groups, count);
}
