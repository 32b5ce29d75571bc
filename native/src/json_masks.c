/* Kinds of bytes, one at a time. */
#include "json_masks.h"

enum {
    QUOTE = 1,
    SLASH = 2,
    FEED = 4,
    OPEN = 8,
    CLOSE = 16,
    COLON = 32,
    DIGIT = 64,
    LETTER = 128
};

static const uint8_t kinds[256] = {
    ['"'] = QUOTE,  ['\\'] = SLASH, ['\n'] = FEED, ['{'] = OPEN,   ['['] = OPEN,
    ['}'] = CLOSE,  [']'] = CLOSE,  [':'] = COLON, ['N'] = LETTER, ['I'] = LETTER,
    ['0'] = DIGIT,  ['1'] = DIGIT,  ['2'] = DIGIT, ['3'] = DIGIT,  ['4'] = DIGIT,
    ['5'] = DIGIT,  ['6'] = DIGIT,  ['7'] = DIGIT, ['8'] = DIGIT,  ['9'] = DIGIT,
};

static uint64_t those_of(const uint8_t *found, unsigned kind)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < SHIMHUB_JSON_BLOCK; i++)
        mask |= (uint64_t)(found[i] >> kind & 1) << i;
    return mask;
}

static void look(const uint8_t *from, shimhub_json_masks *masks)
{
    uint8_t found[SHIMHUB_JSON_BLOCK];
    uint64_t high = 0;
    for (unsigned i = 0; i < SHIMHUB_JSON_BLOCK; i++) {
        found[i] = kinds[from[i]];
        high |= (uint64_t)(from[i] >> 7) << i;
    }
    *masks = (shimhub_json_masks){
        those_of(found, 0), those_of(found, 1), those_of(found, 2), those_of(found, 3),
        those_of(found, 4), those_of(found, 5), those_of(found, 6), those_of(found, 7), high,
    };
}

static size_t skip(const uint8_t *from, size_t blocks, bool *high)
{
    for (size_t block = 0; block < blocks; block++, from += SHIMHUB_JSON_BLOCK) {
        uint8_t all = 0, found = 0;
        for (unsigned i = 0; i < SHIMHUB_JSON_BLOCK; i++) {
            all |= from[i];
            found |= (uint8_t)((from[i] == '"') | (from[i] == '\\') | (from[i] == '\n'));
        }
        if (found)
            return block;
        *high |= all >= 0x80;
    }
    return blocks;
}

shimhub_json_skip *shimhub_json_skipper(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_json_skip_avx2;
#endif
    return skip;
}

shimhub_json_look *shimhub_json_looker(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_json_look_avx2;
#endif
    return look;
}
