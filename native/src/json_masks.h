/* Private: which of 64 bytes are of what kind in JSON, and which are inside strings. */
#ifndef SHIMHUB_JSON_MASKS_H
#define SHIMHUB_JSON_MASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lanes.h"

#define SHIMHUB_JSON_BLOCK 64

/* Bit i is for byte i. */
typedef struct {
    uint64_t quote, slash, feed, open, close, colon, digit, letter, high;
} shimhub_json_masks;

typedef void shimhub_json_look(const uint8_t *from, shimhub_json_masks *masks);

/* The quickest one that may run. */
shimhub_json_look *shimhub_json_looker(void);

/* How many of `blocks` times 64 bytes have neither quotes, backslashes nor line feeds, up to the
 * first that do; *high is set if one of them is no ASCII. */
typedef size_t shimhub_json_skip(const uint8_t *from, size_t blocks, bool *high);

shimhub_json_skip *shimhub_json_skipper(void);

size_t shimhub_json_skip_avx2(const uint8_t *from, size_t blocks, bool *high);
void shimhub_json_look_avx2(const uint8_t *from, shimhub_json_masks *masks);

/* What of a string goes on in the next 64 bytes: all ones or none, and 1 or 0. */
typedef struct {
    uint64_t in_string, is_escaped;
} shimhub_json_carry;

/* Characters behind an odd number of backslashes (Langdale and Lemire, Parsing gigabytes of JSON
 * per second, 2019, section 3.1.1). */
static inline uint64_t shimhub_json_escaped(uint64_t slash, shimhub_json_carry *carry)
{
    const uint64_t even = UINT64_C(0x5555555555555555);
    if (slash == 0) {
        uint64_t first = carry->is_escaped;
        carry->is_escaped = 0;
        return first;
    }
    slash &= ~carry->is_escaped;
    uint64_t follows = slash << 1 | carry->is_escaped;
    uint64_t odd_starts = slash & ~even & ~follows;
    uint64_t ends = odd_starts + slash;
    carry->is_escaped = ends < slash;
    return (even ^ ends << 1) & follows;
}

/* Bytes inside strings, with the opening quote and without the closing one. */
static inline uint64_t shimhub_json_strings(const shimhub_json_masks *masks,
                                            shimhub_json_carry *carry)
{
    uint64_t inside = masks->quote & ~shimhub_json_escaped(masks->slash, carry);
    for (unsigned shift = 1; shift < SHIMHUB_JSON_BLOCK; shift *= 2)
        inside ^= inside << shift;
    inside ^= carry->in_string;
    carry->in_string = 0 - (inside >> 63);
    return inside;
}

#endif
