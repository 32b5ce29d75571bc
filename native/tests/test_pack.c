/* Tests of packing: every strategy against its definition in O(n^2), and the gather against copies
 * of single bits. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 400 };

struct naive_bin {
    int64_t room;
    int64_t since; /* the place in the order of its last item */
    int64_t count;
};

struct naive {
    int64_t order[MOST]; /* items as they are packed */
    int64_t kept;
    int64_t bin_of[MOST]; /* by place in order; -1: left out */
    struct naive_bin bins[MOST];
    int64_t count;
};

static int64_t effective(int64_t length, const shimhub_pack_options *options)
{
    bool truncates = options->overlong == SHIMHUB_OVERLONG_TRUNCATE;
    return truncates && length > options->capacity ? options->capacity : length;
}

static bool decreasing(const shimhub_pack_options *options)
{
    return options->strategy == SHIMHUB_FIRST_FIT_DECREASING ||
           options->strategy == SHIMHUB_BEST_FIT_DECREASING;
}

static int64_t sort_key(int64_t length, const shimhub_pack_options *options)
{
    int64_t size = effective(length, options);
    return size > options->capacity ? options->capacity + 1 : size;
}

/* An insertion sort: stable, with all overlong items equal. */
static void naive_order(struct naive *naive, const int64_t *lengths, int64_t first, int64_t end,
                        const shimhub_pack_options *options)
{
    naive->kept = 0;
    for (int64_t item = first; item < end; item++) {
        int64_t length = lengths[item];
        if ((length > options->capacity && options->overlong == SHIMHUB_OVERLONG_DROP) ||
            (length == 0 && options->strategy == SHIMHUB_BEST_FIT_DECREASING))
            continue;
        int64_t at = naive->kept++, key = sort_key(length, options);
        for (; at > 0 && decreasing(options); at--) {
            if (sort_key(lengths[naive->order[at - 1]], options) >= key)
                break;
            naive->order[at] = naive->order[at - 1];
        }
        naive->order[at] = item;
    }
}

static bool takes(const struct naive_bin *bin, int64_t size, const shimhub_pack_options *options)
{
    return bin->room >= size && bin->count < options->max_items;
}

static int64_t naive_choice(const struct naive *naive, int64_t size,
                            const shimhub_pack_options *options)
{
    int64_t best = -1;
    int64_t from = options->strategy == SHIMHUB_NEXT_FIT && naive->count > 0 ? naive->count - 1 : 0;
    for (int64_t bin = from; bin < naive->count; bin++) {
        const struct naive_bin *one = &naive->bins[bin];
        if (!takes(one, size, options))
            continue;
        if (options->strategy != SHIMHUB_BEST_FIT_DECREASING)
            return bin;
        if (best < 0 || one->room < naive->bins[best].room ||
            (one->room == naive->bins[best].room && one->since < naive->bins[best].since))
            best = bin;
    }
    return best;
}

static void naive_pack(struct naive *naive, const int64_t *lengths,
                       const shimhub_pack_options *options)
{
    naive->count = 0;
    for (int64_t turn = 0; turn < naive->kept; turn++) {
        int64_t size = effective(lengths[naive->order[turn]], options);
        int64_t bin = naive_choice(naive, size, options);
        naive->bin_of[turn] = -1;
        if (bin < 0 && naive->count >= options->max_bins)
            continue;
        if (bin < 0) {
            bin = naive->count++;
            naive->bins[bin] = (struct naive_bin){options->capacity, 0, 0};
        }
        naive->bin_of[turn] = bin;
        naive->bins[bin].room -= size;
        naive->bins[bin].since = turn;
        naive->bins[bin].count++;
    }
}

/* Compares the bins of one group with those that begin at `bin`; returns where the next begin. */
static int64_t compare(const struct naive *naive, const int64_t *offsets, const uint32_t *items,
                       int64_t bin, const int64_t *lengths, const shimhub_pack_options *options,
                       int64_t *tokens)
{
    for (int64_t b = 0; b < naive->count; b++) {
        int64_t at = offsets[bin + b];
        for (int64_t turn = 0; turn < naive->kept; turn++) {
            if (naive->bin_of[turn] != b)
                continue;
            CHECK(at < offsets[bin + b + 1] && items[at] == naive->order[turn]);
            *tokens += effective(lengths[naive->order[turn]], options);
            at++;
        }
        CHECK(at == offsets[bin + b + 1]);
    }
    return bin + naive->count;
}

static void check_pack(const int64_t *lengths, int64_t count, const shimhub_pack_options *options)
{
    static struct naive naive;
    int64_t offsets[MOST + 1], bin = 0, tokens = 0;
    uint32_t items[MOST];
    shimhub_packed packed;
    shimhub_lengths source = {lengths, count, 8, 8, 1};

    CHECK(shimhub_pack(&source, options, offsets, items, &packed) == SHIMHUB_OK);
    CHECK(packed.position == -1 && offsets[0] == 0);
    for (int64_t first = 0; first < count; first += options->group_size) {
        int64_t end = count - first < options->group_size ? count : first + options->group_size;
        naive_order(&naive, lengths, first, end, options);
        naive_pack(&naive, lengths, options);
        bin = compare(&naive, offsets, items, bin, lengths, options, &tokens);
        if (options->group_size > count)
            break;
    }
    CHECK(packed.bins == bin && packed.items == offsets[bin] && packed.tokens == tokens);
}

static void test_strategies(void)
{
    static const int64_t capacities[] = {1, 7, 64, 2048, (1 << 20) + 1, INT32_MAX};
    static const int64_t limits[] = {1, 3, INT64_MAX};
    uint64_t state = 4;
    int64_t lengths[MOST];
    for (unsigned round = 0; round < 600; round++) {
        int64_t capacity = capacities[next_random(&state) % 6];
        int64_t count = (int64_t)(next_random(&state) % (round % 10 ? 60 : MOST + 1));
        int64_t most = capacity + (int64_t)(next_random(&state) % 3) * (capacity / 8 + 1);
        for (int64_t i = 0; i < count; i++) {
            uint64_t small = (uint64_t)most / (1 + next_random(&state) % 4) + 1;
            lengths[i] = (int64_t)(next_random(&state) % small);
        }
        shimhub_pack_options options = {
            .strategy = (int32_t)(round % SHIMHUB_PACK_STRATEGY_COUNT),
            .overlong = 1 + (int32_t)(next_random(&state) % (SHIMHUB_OVERLONG_COUNT - 1)),
            .capacity = capacity,
            .max_items = limits[next_random(&state) % 3],
            .max_bins = next_random(&state) % 3 ? INT64_MAX : (int64_t)(next_random(&state) % 20),
            .group_size = next_random(&state) % 2 ? INT64_MAX : 1 + (int64_t)(next_random(&state) % 50),
        };
        check_pack(lengths, count, &options);
    }
}

/* Trees of several levels: more bins than two nodes of 16 hold. */
static void test_deep_tree(void)
{
    enum { COUNT = 20000 };
    int64_t *lengths = malloc(COUNT * sizeof *lengths);
    int64_t *offsets = malloc((COUNT + 1) * sizeof *offsets);
    int64_t *room = malloc(COUNT * sizeof *room), bins = 0;
    uint32_t *items = malloc(COUNT * sizeof *items), *bin_of = malloc(COUNT * sizeof *bin_of);
    uint64_t state = 7;
    for (int i = 0; i < COUNT; i++)
        lengths[i] = 30 + (int64_t)(next_random(&state) % 60);
    for (int i = 0; i < COUNT; i++) {
        int64_t bin = 0;
        while (bin < bins && room[bin] < lengths[i])
            bin++;
        if (bin == bins)
            room[bins++] = 100;
        room[bin] -= lengths[i];
        bin_of[i] = (uint32_t)bin;
    }
    shimhub_packed packed;
    shimhub_lengths source = {lengths, COUNT, 8, 8, 1};
    shimhub_pack_options options = {SHIMHUB_FIRST_FIT, 0, 100, INT64_MAX, INT64_MAX, INT64_MAX};
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_OK);
    CHECK(packed.bins == bins && packed.items == COUNT && bins > 4096);
    for (int64_t bin = 0; bin < packed.bins; bin++) {
        for (int64_t at = offsets[bin]; at < offsets[bin + 1]; at++)
            CHECK(bin_of[items[at]] == bin && (at == offsets[bin] || items[at - 1] < items[at]));
    }
    free(lengths), free(offsets), free(room), free(items), free(bin_of);
}

/* Integers of every width, signed or not, at odd addresses and backwards. */
static void test_widths(void)
{
    static const int64_t values[] = {3, 0, 5, 127, 1, 9, 2, 2};
    enum { COUNT = sizeof values / sizeof *values };
    uint8_t bytes[COUNT * 9 + 1];
    for (int32_t width = 1; width <= 8; width *= 2) {
        for (int32_t sign = 0; sign < 2; sign++) {
            for (int64_t i = 0; i < COUNT; i++) {
                uint64_t value = (uint64_t)values[COUNT - 1 - i];
                uint8_t *at = bytes + 1 + i * 9;
                uint16_t two = (uint16_t)value;
                uint32_t four = (uint32_t)value;
                if (width == 1)
                    *at = (uint8_t)value;
                else
                    memcpy(at, width == 2 ? (void *)&two : width == 4 ? (void *)&four : &value,
                           (size_t)width);
            }
            shimhub_lengths source = {bytes + 1 + (COUNT - 1) * 9, COUNT, -9, width, sign};
            shimhub_lengths plain = {values, COUNT, 8, 8, 1};
            shimhub_pack_options options = {SHIMHUB_FIRST_FIT, SHIMHUB_OVERLONG_OWN_BIN, 9,
                                            INT64_MAX, INT64_MAX, INT64_MAX};
            int64_t offsets[2][COUNT + 1] = {{0}};
            uint32_t items[2][COUNT] = {{0}};
            shimhub_packed packed[2];
            CHECK(shimhub_pack(&source, &options, offsets[0], items[0], &packed[0]) == SHIMHUB_OK);
            CHECK(shimhub_pack(&plain, &options, offsets[1], items[1], &packed[1]) == SHIMHUB_OK);
            CHECK(memcmp(offsets[0], offsets[1], sizeof *offsets) == 0);
            CHECK(memcmp(items[0], items[1], sizeof *items) == 0);
            CHECK(packed[0].tokens == packed[1].tokens);
        }
    }
}

static void test_bad_lengths(void)
{
    int64_t lengths[3] = {1, -1, 1}, offsets[4] = {7, 7, 7, 7};
    uint64_t huge[2] = {UINT64_MAX, 1};
    uint32_t items[3] = {7, 7, 7};
    shimhub_packed packed;
    shimhub_lengths source = {lengths, 3, 8, 8, 1};
    shimhub_pack_options options = {0, SHIMHUB_OVERLONG_OWN_BIN, 5, 1, 1, 1}, bad = options;

    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_BAD_ARGUMENT);
    CHECK(packed.position == 1);
    lengths[1] = 6, options.overlong = SHIMHUB_OVERLONG_ERROR;
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_OVERFLOW);
    CHECK(packed.position == 1);
    lengths[0] = lengths[1] = INT64_MAX, options.overlong = SHIMHUB_OVERLONG_OWN_BIN;
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_OVERFLOW);
    CHECK(packed.position == -1);
    source = (shimhub_lengths){huge, 2, 8, 8, 0};
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_OVERFLOW);
    bad.capacity = 0;
    CHECK(shimhub_pack(&source, &bad, offsets, items, &packed) == SHIMHUB_BAD_ARGUMENT);
    bad.capacity = INT64_C(1) << 31;
    CHECK(shimhub_pack(&source, &bad, offsets, items, &packed) == SHIMHUB_BAD_ARGUMENT);
    source.width = 3;
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_BAD_ARGUMENT);
    source.width = 8, source.count = INT64_C(1) << 32;
    CHECK(shimhub_pack(&source, &options, offsets, items, &packed) == SHIMHUB_OVERFLOW);
    CHECK(shimhub_pack(NULL, &options, offsets, items, &packed) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_pack(&source, &options, offsets, items, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(offsets[0] == 7 && offsets[3] == 7 && items[0] == 7 && items[2] == 7);
}

/* Longest first, as numba has it: the second part's order is what numba 0.68 gave, read backwards. */
static void test_quick_order(void)
{
    enum { TIES = 40, COUNT = 3 + TIES };
    static const uint32_t numbas[TIES] = {2,  37, 7,  12, 32, 17, 22, 27, 24, 4,  9,  14, 39, 19,
                                          34, 29, 26, 36, 21, 1,  16, 6,  31, 11, 33, 8,  3,  38,
                                          13, 18, 28, 23, 0,  5,  25, 35, 10, 15, 30, 20};
    int64_t lengths[COUNT] = {4, 9, 4}, offsets[] = {0, 3, 3, COUNT};
    uint32_t order[COUNT];
    for (int64_t i = 0; i < TIES; i++)
        lengths[3 + i] = i * 7 % 5;
    CHECK(shimhub_quick_order(lengths, offsets, 3, order) == SHIMHUB_OK);
    CHECK(order[0] == 1 && order[1] == 2 && order[2] == 0);
    for (int64_t i = 0; i < TIES; i++)
        CHECK(order[3 + i] == 3 + numbas[i]);
}

/* Each place once, and lengths that do not rise: sorted, backwards, all equal, at random. */
static void test_quick_orders_sort(void)
{
    uint64_t state = 11;
    int64_t lengths[MOST], offsets[2] = {0, MOST};
    uint32_t order[MOST];
    for (unsigned round = 0; round < 200; round++) {
        uint8_t seen[MOST] = {0};
        for (int64_t i = 0; i < MOST; i++) {
            int64_t values[] = {i, -i, 7, (int64_t)(next_random(&state) % (1 + round))};
            lengths[i] = values[round % 4];
        }
        CHECK(shimhub_quick_order(lengths, offsets, 1, order) == SHIMHUB_OK);
        for (int64_t i = 0; i < MOST; i++) {
            CHECK(order[i] < MOST && !seen[order[i]]++);
            CHECK(i == 0 || lengths[order[i]] <= lengths[order[i - 1]]);
        }
    }
}

static void test_bad_orders(void)
{
    int64_t lengths[2] = {1, 2}, falls[] = {0, 2, 1}, late[] = {1, 2}, many[] = {0, UINT32_MAX};
    uint32_t order[2] = {7, 7};
    CHECK(shimhub_quick_order(lengths, falls, 2, order) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_quick_order(lengths, late, 1, order) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_quick_order(lengths, many, 1, order) == SHIMHUB_OVERFLOW);
    CHECK(shimhub_quick_order(lengths, falls, -1, order) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_quick_order(NULL, falls, 1, order) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_quick_order(lengths, NULL, 1, order) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_quick_order(lengths, falls, 1, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(order[0] == 7 && order[1] == 7);
    CHECK(shimhub_quick_order(NULL, falls, 0, NULL) == SHIMHUB_OK);
}

static unsigned bit_at(const uint8_t *bytes, int64_t bit)
{
    return (unsigned)bytes[bit / 8] >> bit % 8 & 1;
}

/* Bits and values of some widths, from three chunks, one of which has no bits of its own. */
static void test_gather(void)
{
    enum { BYTES = 1024, PIECES = 40 };
    static uint8_t memory[3][BYTES], out[PIECES * BYTES];
    uint64_t state = 9;
    for (int64_t i = 0; i < 3 * BYTES; i++)
        memory[i / BYTES][i % BYTES] = (uint8_t)next_random(&state);
    for (unsigned round = 0; round < 60; round++) {
        static const int64_t widths[] = {1, 8, 16, 32, 64, 128, 24};
        int64_t width = widths[round % 7], starts[PIECES], lengths[PIECES], bits = 0, place;
        shimhub_values chunks[3];
        uint32_t chunk_of[PIECES], order[PIECES];
        for (int c = 0; c < 3; c++) {
            int64_t first = (int64_t)(next_random(&state) % 64);
            chunks[c] = (shimhub_values){memory[c], BYTES, width == 1 ? first : first * 8};
        }
        if (width == 1)
            chunks[2] = (shimhub_values){NULL, 0, 5};
        for (int p = 0; p < PIECES; p++) {
            chunk_of[p] = (uint32_t)(next_random(&state) % 3);
            int64_t there = (BYTES * 8 - 512) / width;
            starts[p] = (int64_t)(next_random(&state) % (uint64_t)there);
            lengths[p] = (int64_t)(next_random(&state) % (uint64_t)(there - starts[p] + 1)) / 4;
            order[p] = (uint32_t)(next_random(&state) % PIECES);
        }
        for (int k = 0; k < PIECES; k++)
            bits += lengths[order[k]] * width;
        shimhub_pieces pieces = {chunks, 3, starts, lengths, chunk_of, PIECES, width};
        CHECK(shimhub_gather(&pieces, order, PIECES, out, (bits + 7) / 8, &place) == SHIMHUB_OK);
        int64_t at = 0;
        for (int k = 0; k < PIECES; k++) {
            uint32_t p = order[k];
            const shimhub_values *from = &chunks[chunk_of[p]];
            for (int64_t i = 0; i < lengths[p] * width; i++, at++) {
                int64_t bit = from->bit_offset + starts[p] * width + i;
                CHECK(bit_at(out, at) == (from->data ? bit_at(from->data, bit) : 1));
            }
        }
        for (; at % 8 != 0; at++)
            CHECK(bit_at(out, at) == 0);
    }
}

static void test_bad_pieces(void)
{
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8] = {0};
    int64_t starts[2] = {0, 6}, lengths[2] = {2, 2}, place = 0;
    uint32_t order[2] = {1, 0};
    shimhub_values chunk = {bytes, 8, 0};
    shimhub_pieces pieces = {&chunk, 1, starts, lengths, NULL, 2, 8};

    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_OK && place == -1);
    CHECK(memcmp(out, "\7\10\1\2", 4) == 0);
    CHECK(shimhub_gather(&pieces, order, 2, out, 5, &place) == SHIMHUB_BAD_ARGUMENT);
    lengths[0] = 9;
    CHECK(shimhub_gather(&pieces, order, 2, out, 11, &place) == SHIMHUB_BAD_OFFSETS && place == 1);
    lengths[0] = -1;
    CHECK(shimhub_gather(&pieces, order, 2, out, 1, &place) == SHIMHUB_BAD_OFFSETS);
    lengths[0] = 2, starts[0] = INT64_MAX;
    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_BAD_OFFSETS);
    starts[0] = 0, order[0] = 2;
    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_BAD_OFFSETS && place == 0);
    order[0] = 1, chunk.bit_offset = 4;
    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_BAD_ARGUMENT);
    chunk.bit_offset = 0, pieces.width = 12;
    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_BAD_ARGUMENT);
    pieces.width = INT64_MAX - 7;
    CHECK(shimhub_gather(&pieces, order, 2, out, 4, &place) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_gather(&pieces, order, 0, NULL, 0, &place) == SHIMHUB_OK);
    CHECK(shimhub_gather(NULL, order, 2, out, 4, &place) == SHIMHUB_BAD_ARGUMENT);
}

void test_pack(void)
{
    test_strategies();
    test_deep_tree();
    test_widths();
    test_bad_lengths();
    test_quick_order();
    test_quick_orders_sort();
    test_bad_orders();
    test_gather();
    test_bad_pieces();
}
