/* Whether lines of JSON hold an object each, by their brackets alone. */
#include "shimhub/lines.h"

#include <string.h>

#include "json_masks.h"
#include "words.h"

/* Integers with as many digits may be beyond int64 and uint64. */
#define LONG 19
/* Longer runs of digits are not looked into: time stays linear. */
#define LONGEST 1024

typedef struct {
    const uint8_t *text;
    size_t size;
    int32_t depth, limit;
    size_t line;  /* where the line begins */
    size_t value; /* behind the line's object; 0 if it has none yet */
    uint64_t digits; /* how many end the bytes before */
    shimhub_json_found found;
} scan;

/* How many bits are set (Warren, Hacker's Delight, 2012, section 5-1). */
static unsigned ones64(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

static bool is_blank(const scan *state, size_t from, size_t end)
{
    for (; from < end; from++) {
        uint8_t byte = state->text[from];
        if (byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n')
            return false;
    }
    return true;
}

static bool begin(scan *state, size_t at)
{
    if (state->depth++ > 0)
        return state->depth <= state->limit;
    return state->limit > 0 && state->value == 0 && state->text[at] == '{' &&
           is_blank(state, state->line, at);
}

static bool finish(scan *state, size_t at)
{
    if (--state->depth > 0)
        return true;
    state->value = at + 1;
    state->found.rows++;
    return state->depth == 0;
}

static bool end_line(scan *state, size_t at)
{
    size_t from = state->value ? state->value : state->line;
    bool is_good = state->depth == 0 && is_blank(state, from, at);
    state->line = at + 1;
    state->value = 0;
    return is_good;
}

/* Brackets and line feeds outside of strings, in their order. */
static bool step(scan *state, size_t at, const shimhub_json_masks *masks, uint64_t inside)
{
    uint64_t opens = masks->open & ~inside, closes = masks->close & ~inside;
    for (uint64_t left = opens | closes | masks->feed; left; left &= left - 1) {
        unsigned bit = trailing_zeros64(left);
        bool is_good;
        if (opens >> bit & 1)
            is_good = begin(state, at + bit);
        else if (closes >> bit & 1)
            is_good = finish(state, at + bit);
        else
            is_good = !(inside >> bit & 1) && end_line(state, at + bit);
        if (!is_good)
            return false;
    }
    return true;
}

static bool is_word(const scan *state, size_t at, const char *word)
{
    size_t size = strlen(word);
    return state->size - at >= size && memcmp(state->text + at, word, size) == 0;
}

/* Readers differ in what they take for not finite: these are what Python writes. */
static bool are_words(const scan *state, size_t at, uint64_t letters)
{
    for (; letters; letters &= letters - 1) {
        size_t place = at + trailing_zeros64(letters);
        bool is_end = place > 0 && state->text[place] == 'N' && place >= 2 &&
                      memcmp(state->text + place - 2, "NaN", 3) == 0;
        if (!is_end && !is_word(state, place, "NaN") && !is_word(state, place, "Infinity"))
            return false;
    }
    return true;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Are these digits behind a point, or no more than the largest uint64, or the least int64. */
static bool is_bounded(const scan *state, size_t start, size_t count)
{
    uint8_t before = start > 0 ? state->text[start - 1] : 0;
    const void *digits = state->text + start;
    if (before == '.')
        return true;
    if (before == '-')
        return count == 19 && memcmp(digits, "9223372036854775808", 19) <= 0;
    return count == 19 || (count == 20 && memcmp(digits, "18446744073709551615", 20) <= 0);
}

/* Is every long run of digits that touches these bytes of a number that readers keep. */
static bool are_bounded(const scan *state, size_t from, size_t end)
{
    size_t least = from > LONGEST ? from - LONGEST : 0;
    while (from > least && is_digit(state->text[from - 1]))
        from--;
    while (from < end) {
        size_t start = from;
        while (from < state->size && is_digit(state->text[from]))
            from++;
        if (from - start >= LONG && ((start == least && least > 0) ||
                                     !is_bounded(state, start, from - start)))
            return false;
        from += from == start;
    }
    return true;
}

/* Bits that begin `LONG` ones. */
static uint64_t long_runs(uint64_t digits)
{
    digits &= digits >> 1;
    digits &= digits >> 2;
    digits &= digits >> 4;
    digits &= digits >> 8;
    digits &= digits >> 2;
    return digits & digits >> 1;
}

static bool check_digits(scan *state, size_t at, uint64_t digits)
{
    uint64_t first = digits == UINT64_MAX ? SHIMHUB_JSON_BLOCK : trailing_zeros64(~digits);
    bool is_long = (first > 0 && state->digits + first >= LONG) || long_runs(digits) != 0;
    uint64_t last = 0;
    while (last < SHIMHUB_JSON_BLOCK && digits >> (SHIMHUB_JSON_BLOCK - 1 - last) & 1)
        last++;
    state->digits = first == SHIMHUB_JSON_BLOCK ? state->digits + first : last;
    return !is_long || are_bounded(state, at, at + SHIMHUB_JSON_BLOCK);
}

static bool look_at(scan *state, size_t at, const shimhub_json_masks *masks, uint64_t inside)
{
    uint64_t outside = ~inside;
    state->found.pairs += ones64(masks->colon & outside);
    state->found.is_ascii &= masks->high == 0;
    return step(state, at, masks, inside) && check_digits(state, at, masks->digit & outside) &&
           are_words(state, at, masks->letter & outside);
}

/* Behind what follows inside of a string. */
static size_t skip_string(scan *state, size_t at, const shimhub_json_carry *carry,
                          shimhub_json_skip *skip)
{
    bool high = false;
    if (!carry->in_string || carry->is_escaped)
        return at;
    size_t blocks = skip(state->text + at, (state->size - at) / SHIMHUB_JSON_BLOCK, &high);
    state->found.is_ascii &= !high;
    if (blocks > 0)
        state->digits = 0;
    return at + blocks * SHIMHUB_JSON_BLOCK;
}

static bool scan_all(scan *state)
{
    shimhub_json_look *look = shimhub_json_looker();
    shimhub_json_skip *skip = shimhub_json_skipper();
    shimhub_json_carry carry = {0, 0};
    for (size_t at = 0; at < state->size; at += SHIMHUB_JSON_BLOCK) {
        shimhub_json_masks masks;
        uint8_t tail[SHIMHUB_JSON_BLOCK];
        at = skip_string(state, at, &carry, skip);
        const uint8_t *from = state->text + at;
        size_t left = state->size - at;
        if (left < SHIMHUB_JSON_BLOCK) {
            memset(tail, ' ', sizeof tail);
            memcpy(tail, from, left);
            from = tail;
        }
        look(from, &masks);
        if (!look_at(state, at, &masks, shimhub_json_strings(&masks, &carry)))
            return false;
    }
    return carry.in_string == 0 && end_line(state, state->size);
}

shimhub_status shimhub_json_scan(const uint8_t *text, size_t size, int32_t depth,
                                 shimhub_json_found *found)
{
    if ((text == NULL && size > 0) || size > INT64_MAX - SHIMHUB_JSON_BLOCK || depth < 0 ||
        found == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    scan state = {.text = text, .size = size, .limit = depth, .found = {.is_ascii = true}};
    bool is_certain = scan_all(&state);
    *found = state.found;
    found->is_certain = is_certain;
    return SHIMHUB_OK;
}
