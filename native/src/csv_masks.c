/* Quotes and ends of fields, in plain C. */
#include "csv_masks.h"

/* Bytes that are 0 or 1, as bits. */
static uint64_t packed(const uint8_t *found)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < SHIMHUB_CSV_BLOCK; i++)
        mask |= (uint64_t)found[i] << i;
    return mask;
}

static bool look(const uint8_t *from, size_t blocks, shimhub_csv_marks marks, uint64_t *quotes,
                 uint64_t *ends)
{
    uint8_t all = 0;
    for (size_t block = 0; block < blocks; block++, from += SHIMHUB_CSV_BLOCK) {
        uint8_t is_quote[SHIMHUB_CSV_BLOCK], is_end[SHIMHUB_CSV_BLOCK], any = 0;
        for (unsigned i = 0; i < SHIMHUB_CSV_BLOCK; i++) {
            all |= from[i];
            is_quote[i] = from[i] == marks.quote;
            is_end[i] = (uint8_t)((from[i] == marks.delimiter) | (from[i] == '\n') |
                                  (from[i] == '\r'));
            any |= is_quote[i] | is_end[i];
        }
        quotes[block] = any ? packed(is_quote) : 0;
        ends[block] = any ? packed(is_end) : 0;
    }
    return all >= 0x80;
}

shimhub_csv_look *shimhub_csv_looker(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_csv_look_avx2;
#endif
    return look;
}
