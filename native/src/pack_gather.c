/* Gather: pieces of columns, one behind the other. */
#include <string.h>

#include "lanes.h"
#include "shimhub/pack.h"

/* While one piece is copied, what the one this many places ahead needs first is fetched. */
enum { AHEAD = 8 };

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch((const void *)(address))
#else
#define PREFETCH(address) ((void)(address))
#endif

static bool chunk_is_valid(const shimhub_values *chunk, int64_t width)
{
    if (chunk->size < 0 || chunk->size > INT64_MAX / 16 || chunk->bit_offset < 0)
        return false;
    if (chunk->data == NULL)
        return width == 1 || chunk->size == 0;
    return chunk->bit_offset <= chunk->size * 8 && (width == 1 || chunk->bit_offset % 8 == 0);
}

static bool pieces_are_valid(const shimhub_pieces *pieces)
{
    if (pieces->count < 0 || pieces->chunk_count < 0 || pieces->width < 1 ||
        (pieces->width != 1 && pieces->width % 8 != 0) ||
        (pieces->chunks == NULL && pieces->chunk_count > 0) ||
        ((pieces->starts == NULL || pieces->lengths == NULL) && pieces->count > 0))
        return false;
    for (int64_t i = 0; i < pieces->chunk_count; i++) {
        if (!chunk_is_valid(&pieces->chunks[i], pieces->width))
            return false;
    }
    return true;
}

/* `most` is so many values that bits and sums of two do not overflow. */
static bool piece_is_inside(const shimhub_pieces *pieces, uint32_t piece, int64_t most)
{
    if (piece >= pieces->count)
        return false;
    int64_t start = pieces->starts[piece], length = pieces->lengths[piece];
    uint32_t number = pieces->chunk_of ? pieces->chunk_of[piece] : 0;
    if (number >= pieces->chunk_count || start < 0 || start > most || length < 0 || length > most)
        return false;
    const shimhub_values *chunk = &pieces->chunks[number];
    if (chunk->data == NULL && pieces->width == 1)
        return true;
    return (start + length) * pieces->width <= chunk->size * 8 - chunk->bit_offset;
}

static shimhub_status check(const shimhub_pieces *pieces, const uint32_t *order, int64_t count,
                            int64_t out_size, int64_t *position)
{
    int64_t most = INT64_MAX / 4 / pieces->width, total = 0;
    for (int64_t k = 0; k < count; k++) {
        *position = k;
        if (!piece_is_inside(pieces, order[k], most))
            return SHIMHUB_BAD_OFFSETS;
        total += pieces->lengths[order[k]];
        *position = -1;
        if (total > most)
            return SHIMHUB_BAD_ARGUMENT;
    }
    return (total * pieces->width + 7) / 8 == out_size ? SHIMHUB_OK : SHIMHUB_BAD_ARGUMENT;
}

static inline const uint8_t *address_of(const shimhub_pieces *pieces, uint32_t piece)
{
    const shimhub_values *chunk = &pieces->chunks[pieces->chunk_of ? pieces->chunk_of[piece] : 0];
    return (const uint8_t *)chunk->data + chunk->bit_offset / 8 +
           pieces->starts[piece] * (pieces->width / 8);
}

static void gather_bytes(const shimhub_pieces *pieces, const uint32_t *order, int64_t count,
                         uint8_t *out)
{
    int64_t width = pieces->width / 8;
    for (int64_t k = 0; k < count; k++) {
        if (k + 2 * AHEAD < count)
            PREFETCH(&pieces->starts[order[k + 2 * AHEAD]]);
        /* An empty piece may belong to a chunk without data. */
        if (k + AHEAD < count && pieces->lengths[order[k + AHEAD]] > 0)
            PREFETCH(address_of(pieces, order[k + AHEAD]));
        int64_t size = pieces->lengths[order[k]] * width;
        if (size == 0)
            continue;
        memcpy(out, address_of(pieces, order[k]), (size_t)size);
        out += size;
    }
}

struct bits {
    uint8_t *out;
    int64_t count; /* written */
};

static inline void put_bit(struct bits *bits, unsigned bit)
{
    int64_t at = bits->count / 8;
    unsigned shift = (unsigned)(bits->count++ % 8);
    if (shift == 0)
        bits->out[at] = 0;
    bits->out[at] |= (uint8_t)(bit << shift);
}

/* Eight bits from bit `at` on, all of which are there. */
static inline uint8_t get_byte(const uint8_t *data, int64_t at)
{
    unsigned shift = (unsigned)(at % 8);
    if (data == NULL)
        return UINT8_MAX;
    if (shift == 0)
        return data[at / 8];
    return (uint8_t)(data[at / 8] >> shift | data[at / 8 + 1] << (8 - shift));
}

static inline unsigned get_bit(const uint8_t *data, int64_t at)
{
    return data == NULL ? 1 : (unsigned)data[at / 8] >> at % 8 & 1;
}

static void append_bits(struct bits *bits, const uint8_t *data, int64_t at, int64_t length)
{
    int64_t end = at + length;
    for (; at < end && bits->count % 8 != 0; at++)
        put_bit(bits, get_bit(data, at));
    for (; end - at >= 8; at += 8, bits->count += 8)
        bits->out[bits->count / 8] = get_byte(data, at);
    for (; at < end; at++)
        put_bit(bits, get_bit(data, at));
}

static void gather_bits(const shimhub_pieces *pieces, const uint32_t *order, int64_t count,
                        uint8_t *out)
{
    struct bits bits = {out, 0};
    for (int64_t k = 0; k < count; k++) {
        uint32_t piece = order[k], number = pieces->chunk_of ? pieces->chunk_of[piece] : 0;
        const shimhub_values *chunk = &pieces->chunks[number];
        int64_t offset = chunk->data == NULL ? 0 : chunk->bit_offset;
        append_bits(&bits, chunk->data, offset + pieces->starts[piece], pieces->lengths[piece]);
    }
}

shimhub_status shimhub_gather(const shimhub_pieces *pieces, const uint32_t *order, int64_t count,
                              void *out, int64_t out_size, int64_t *position)
{
    if (pieces == NULL || position == NULL || count < 0 || (order == NULL && count > 0) ||
        (out == NULL && out_size != 0) || !pieces_are_valid(pieces))
        return SHIMHUB_BAD_ARGUMENT;
    *position = -1;
    shimhub_status status = check(pieces, order, count, out_size, position);
    if (status != SHIMHUB_OK)
        return status;
    if (pieces->width == 1)
        gather_bits(pieces, order, count, out);
    else
        gather_bytes(pieces, order, count, out);
    return SHIMHUB_OK;
}
