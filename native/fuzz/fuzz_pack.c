/* Packing of any lengths into any capacity, their order, and a gather of any pieces of any chunks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Eats the first bytes of the input; zeros when it is at its end. */
static int64_t take(const uint8_t **data, size_t *size, size_t width)
{
    int64_t value = 0;
    size_t here = *size < width ? *size : width;
    if (here > 0)
        memcpy(&value, *data, here);
    *data += here;
    *size -= here;
    return value;
}

/* Mostly small, now and then anything. */
static int64_t number(const uint8_t **data, size_t *size)
{
    int64_t kind = take(data, size, 1);
    return kind < 200 ? kind : take(data, size, kind < 250 ? 2 : 8);
}

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_bins(const shimhub_packed *packed, const int64_t *offsets, const uint32_t *items,
                       int64_t count)
{
    uint8_t *seen = calloc((size_t)count + 1, 1);
    must(seen != NULL && offsets[0] == 0 && offsets[packed->bins] == packed->items);
    for (int64_t bin = 0; bin < packed->bins; bin++)
        must(offsets[bin] < offsets[bin + 1]);
    for (int64_t at = 0; at < packed->items; at++)
        must(items[at] < count && !seen[items[at]]++);
    free(seen);
}

static void fuzz_pack(const uint8_t *data, size_t size)
{
    shimhub_pack_options options = {
        .strategy = (int32_t)(take(&data, &size, 1) % 5),
        .overlong = (int32_t)(take(&data, &size, 1) % 5),
        .capacity = number(&data, &size),
        .max_items = number(&data, &size),
        .max_bins = number(&data, &size),
        .group_size = number(&data, &size),
    };
    shimhub_lengths lengths = {
        .width = (int32_t)(1 << take(&data, &size, 1) % 5),
        .is_signed = (int32_t)(take(&data, &size, 1) % 2),
    };
    int64_t step = 1 + take(&data, &size, 1) % 3;
    if (lengths.width > 8)
        lengths.width = (int32_t)number(&data, &size); /* nothing, or one of the right ones */
    size_t width = lengths.width > 0 && lengths.width <= 8 ? (size_t)lengths.width : 8;
    size_t apart = width * (size_t)step;
    lengths.count = (int64_t)((size + apart - width) / apart);
    lengths.stride = (int64_t)apart;
    uint8_t *copy = malloc(size + 1);
    must(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    lengths.data = copy;
    if (step == 3 && lengths.count > 0) {
        lengths.data = copy + (lengths.count - 1) * lengths.stride;
        lengths.stride = -lengths.stride;
    }
    int64_t *offsets = malloc(((size_t)lengths.count + 1) * sizeof *offsets);
    uint32_t *items = malloc(((size_t)lengths.count + 1) * sizeof *items);
    shimhub_packed packed;
    must(offsets != NULL && items != NULL);
    if (shimhub_pack(&lengths, &options, offsets, items, &packed) == SHIMHUB_OK)
        check_bins(&packed, offsets, items, lengths.count);
    free(offsets), free(items), free(copy);
}

static void fuzz_order(const uint8_t *data, size_t size)
{
    int64_t offsets[3] = {0, take(&data, &size, 2), 0}, *lengths = malloc(size * sizeof *lengths + 1);
    uint32_t *order = malloc(size * sizeof *order + 1);
    must(lengths != NULL && order != NULL);
    for (size_t i = 0; i < size; i++)
        lengths[i] = data[i];
    offsets[2] = (int64_t)size;
    if (shimhub_quick_order(lengths, offsets, 2, order) == SHIMHUB_OK) {
        shimhub_packed packed = {.bins = 1, .items = (int64_t)size};
        int64_t bounds[2] = {0, (int64_t)size};
        if (size > 0)
            check_bins(&packed, bounds, order, (int64_t)size);
        for (int64_t i = 1; i < offsets[1]; i++)
            must(lengths[order[i]] <= lengths[order[i - 1]]);
    }
    free(lengths), free(order);
}

enum { CHUNKS = 3, PIECES = 24, MOST_OUT = 1 << 16 };

static int64_t eightfold(int64_t value)
{
    return value >= -INT64_MAX / 8 && value <= INT64_MAX / 8 ? value * 8 : value / 8 * 8;
}

static void fuzz_gather(const uint8_t *data, size_t size)
{
    shimhub_values chunks[CHUNKS];
    uint8_t *memory[CHUNKS], *out;
    int64_t starts[PIECES], lengths[PIECES], place, bits = 0;
    uint32_t chunk_of[PIECES], order[PIECES];
    shimhub_pieces pieces = {chunks, CHUNKS, starts, lengths, chunk_of, PIECES, 0};
    pieces.width = take(&data, &size, 1) % 2 ? 1 : eightfold(number(&data, &size));
    for (int c = 0; c < CHUNKS; c++) {
        size_t bytes = (size_t)(take(&data, &size, 1) % 64);
        memory[c] = bytes > 0 ? malloc(bytes) : NULL;
        must(memory[c] != NULL || bytes == 0);
        if (bytes > 0)
            memset(memory[c], (int)bytes, bytes);
        chunks[c] = (shimhub_values){memory[c], (int64_t)bytes, number(&data, &size)};
        if (pieces.width != 1)
            chunks[c].bit_offset = eightfold(chunks[c].bit_offset);
    }
    for (int p = 0; p < PIECES; p++) {
        starts[p] = number(&data, &size);
        lengths[p] = number(&data, &size);
        chunk_of[p] = (uint32_t)take(&data, &size, 1) % (CHUNKS + 1);
        order[p] = (uint32_t)take(&data, &size, 1) % (PIECES + 1);
    }
    for (int p = 0; p < PIECES; p++) {
        int64_t length = order[p] < PIECES ? lengths[order[p]] : 0;
        if (length > 0 && length < MOST_OUT && pieces.width > 0 && pieces.width < MOST_OUT)
            bits += length * pieces.width;
    }
    int64_t bytes = (bits + 7) / 8 < MOST_OUT ? (bits + 7) / 8 : MOST_OUT;
    out = malloc((size_t)bytes + 1);
    must(out != NULL);
    (void)shimhub_gather(&pieces, order, PIECES, out, bytes, &place);
    free(out);
    for (int c = 0; c < CHUNKS; c++)
        free(memory[c]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2)
        fuzz_pack(data + 1, size - 1);
    else if (data[0] % 8 == 2)
        fuzz_order(data + 1, size - 1);
    else
        fuzz_gather(data + 1, size - 1);
    return 0;
}
