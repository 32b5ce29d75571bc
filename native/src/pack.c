/* Packing: lengths are checked and brought to 32 bits, packed in groups, and written as CSR. */
#include <stdlib.h>
#include <string.h>

#include "pack_sort.h"

enum { BLOCK = 512 };

typedef shimhub_status packing(struct pack_group *groups, unsigned count);

static packing *const packings[SHIMHUB_PACK_STRATEGY_COUNT] = {
    [SHIMHUB_FIRST_FIT] = shimhub_pack_first_fit,
    [SHIMHUB_NEXT_FIT] = shimhub_pack_next_fit,
    [SHIMHUB_FIRST_FIT_DECREASING] = shimhub_pack_first_fit,
    [SHIMHUB_BEST_FIT_DECREASING] = shimhub_pack_best_fit,
};

static bool is_decreasing(const shimhub_pack_options *options)
{
    return options->strategy == SHIMHUB_FIRST_FIT_DECREASING ||
           options->strategy == SHIMHUB_BEST_FIT_DECREASING;
}

#define LOAD(type)                                                                             \
    for (int64_t i = 0; i < count; i++, at += (uintptr_t)lengths->stride) {                    \
        type value;                                                                            \
        memcpy(&value, (const void *)at, sizeof value);                                        \
        block[i] = (int64_t)value;                                                             \
    }                                                                                          \
    break

/* block[i] gets lengths[start + i]; what does not fit int64 becomes INT64_MAX. */
static void load(const shimhub_lengths *lengths, int64_t start, int64_t count, int64_t *block)
{
    /* As a number: a stride may lead out of the array after its last element. */
    uintptr_t at = (uintptr_t)lengths->data + (uintptr_t)start * (uintptr_t)lengths->stride;
    switch (lengths->width * 2 + (lengths->is_signed != 0)) {
    case 3:
        LOAD(int8_t);
    case 2:
        LOAD(uint8_t);
    case 5:
        LOAD(int16_t);
    case 4:
        LOAD(uint16_t);
    case 9:
        LOAD(int32_t);
    case 8:
        LOAD(uint32_t);
    case 17:
        LOAD(int64_t);
    default:
        for (int64_t i = 0; i < count; i++, at += (uintptr_t)lengths->stride) {
            uint64_t value;
            memcpy(&value, (const void *)at, sizeof value);
            block[i] = value > INT64_MAX ? INT64_MAX : (int64_t)value;
        }
    }
}

static bool options_are_valid(const shimhub_pack_options *options)
{
    return options->strategy >= 0 && options->strategy < SHIMHUB_PACK_STRATEGY_COUNT &&
           options->overlong >= 0 && options->overlong < SHIMHUB_OVERLONG_COUNT &&
           options->capacity >= 1 && options->capacity <= INT32_MAX && options->max_items >= 1 &&
           options->max_bins >= 0 && options->group_size >= 1;
}

static bool lengths_are_valid(const shimhub_lengths *lengths)
{
    int32_t width = lengths->width;
    return lengths->count >= 0 && (lengths->data != NULL || lengths->count == 0) &&
           (width == 1 || width == 2 || width == 4 || width == 8);
}

/* How many tokens of an item are packed, if it is: at least 0 unless its length is negative. */
static int64_t tokens_of(int64_t length, const shimhub_pack_options *options)
{
    if (length <= options->capacity || options->overlong == SHIMHUB_OVERLONG_OWN_BIN)
        return length;
    return options->overlong == SHIMHUB_OVERLONG_TRUNCATE ? options->capacity : 0;
}

/* Whether all of a block are within 0 .. capacity: so the common case has no branches. */
static bool block_is_plain(const int64_t *block, int64_t count, int64_t capacity)
{
    uint64_t signs = 0;
    for (int64_t i = 0; i < count; i++)
        signs |= (uint64_t)block[i] | ((uint64_t)capacity - (uint64_t)block[i]);
    return signs >> 63 == 0;
}

/* The same one by one, from packed->position + 1 on. */
static shimhub_status check_block(const int64_t *block, int64_t count,
                                  const shimhub_pack_options *options, shimhub_packed *packed)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t tokens = tokens_of(block[i], options);
        packed->position += 1;
        if (tokens < 0)
            return SHIMHUB_BAD_ARGUMENT;
        if (block[i] > options->capacity && options->overlong == SHIMHUB_OVERLONG_ERROR)
            return SHIMHUB_OVERFLOW;
        if (tokens > INT64_MAX - packed->tokens) {
            packed->position = -1;
            return SHIMHUB_OVERFLOW;
        }
        packed->tokens += tokens;
    }
    return SHIMHUB_OK;
}

/* Checks all lengths and adds them up, before anything is written. */
static shimhub_status check(const shimhub_lengths *lengths, const shimhub_pack_options *options,
                            shimhub_packed *packed)
{
    int64_t block[BLOCK];
    for (int64_t start = 0; start < lengths->count; start += BLOCK) {
        int64_t count = lengths->count - start < BLOCK ? lengths->count - start : BLOCK, sum = 0;
        load(lengths, start, count, block);
        for (int64_t i = 0; i < count; i++)
            sum = (int64_t)((uint64_t)sum + (uint64_t)block[i]);
        if (block_is_plain(block, count, options->capacity) && sum <= INT64_MAX - packed->tokens) {
            packed->tokens += sum;
            continue;
        }
        packed->position = start - 1;
        shimhub_status status = check_block(block, count, options, packed);
        if (status != SHIMHUB_OK)
            return status;
    }
    packed->position = -1;
    return SHIMHUB_OK;
}

static uint32_t size_of(int64_t length, const shimhub_pack_options *options)
{
    if (length == 0 && options->strategy == SHIMHUB_BEST_FIT_DECREASING)
        return SHIMHUB_LEFT_OUT;
    if (length <= options->capacity)
        return (uint32_t)length;
    if (options->overlong == SHIMHUB_OVERLONG_OWN_BIN)
        return SHIMHUB_OWN_BIN;
    return options->overlong == SHIMHUB_OVERLONG_DROP ? SHIMHUB_LEFT_OUT
                                                      : (uint32_t)options->capacity;
}

static void read_sizes(const shimhub_lengths *lengths, const shimhub_pack_options *options,
                       int64_t start, uint32_t count, uint32_t *sizes)
{
    int64_t block[BLOCK];
    for (uint32_t done = 0; done < count; done += BLOCK) {
        uint32_t some = count - done < BLOCK ? count - done : BLOCK;
        load(lengths, start + done, some, block);
        for (uint32_t i = 0; i < some; i++)
            sizes[done + i] = size_of(block[i], options);
    }
}

/* One group and its memory, which the group in its place of the next turn uses again. */
struct job {
    struct pack_group group;
    int64_t first;   /* item */
    uint32_t *order; /* NULL: as they come */
    uint32_t *sizes; /* then the bin of each */
    uint32_t *counts; /* of bins, then where the next item of each goes */
    uint64_t *sort;   /* only of the DECREASING strategies */
};

static shimhub_status make_job(struct job *job, size_t items, bool sorts)
{
    job->sizes = malloc(items * sizeof *job->sizes);
    job->counts = malloc(items * sizeof *job->counts);
    job->sort = sorts ? malloc(items * 2 * sizeof *job->sort) : NULL;
    return job->sizes && job->counts && (job->sort || !sorts) ? SHIMHUB_OK : SHIMHUB_NO_MEMORY;
}

static void free_job(struct job *job)
{
    free(job->sizes);
    free(job->counts);
    free(job->sort);
}

static uint32_t at_most(int64_t value, uint32_t limit)
{
    return value < limit ? (uint32_t)value : limit;
}

static void prepare(struct job *job, const shimhub_lengths *lengths,
                    const shimhub_pack_options *options, int64_t first, uint32_t count)
{
    uint32_t *sorted = job->sizes;
    job->first = first;
    job->order = NULL;
    read_sizes(lengths, options, first, count, job->sizes);
    if (is_decreasing(options))
        count = shimhub_pack_sort(job->sizes, count, (uint32_t)options->capacity, job->sort,
                                  &sorted, &job->order);
    job->group = (struct pack_group){
        .sizes = sorted,
        .count = count,
        .capacity = (int32_t)options->capacity,
        .max_items = at_most(options->max_items, UINT32_MAX),
        .max_bins = at_most(options->max_bins, UINT32_MAX),
        .bin_of = job->sizes, /* an item's size is read before its bin is written */
        .counts = job->counts,
    };
}

static inline int64_t item_of(const struct job *job, uint32_t place)
{
    return job->first + (job->order ? job->order[place] : place);
}

/* Items that found no bin are not in the sum. */
static void forget(const struct job *job, const shimhub_lengths *lengths,
                   const shimhub_pack_options *options, shimhub_packed *packed)
{
    for (uint32_t i = 0; i < job->group.count; i++) {
        if (job->group.bin_of[i] == SHIMHUB_LEFT_OUT) {
            int64_t length;
            load(lengths, item_of(job, i), 1, &length);
            packed->tokens -= tokens_of(length, options);
        }
    }
}

struct output {
    int64_t *offsets;
    uint32_t *items;
};

/* Writes the bins of a group behind those of the groups before it. */
static void write_bins(const struct job *job, const struct output *out, shimhub_packed *packed)
{
    const struct pack_group *group = &job->group;
    uint32_t *next = group->counts, sum = 0, *items = out->items + packed->items;
    int64_t *offsets = out->offsets + packed->bins + 1;
    for (uint32_t bin = 0; bin < group->bins; bin++) {
        uint32_t here = next[bin];
        next[bin] = sum;
        sum += here;
        offsets[bin] = packed->items + sum;
    }
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->bin_of[i] != SHIMHUB_LEFT_OUT)
            items[next[group->bin_of[i]]++] = (uint32_t)item_of(job, i);
    }
    packed->items += sum;
    packed->bins += group->bins;
}

/* The next groups, from item `start` on; returns how many they are. */
static unsigned prepare_all(struct job *jobs, unsigned count, const shimhub_lengths *lengths,
                            const shimhub_pack_options *options, int64_t start, int64_t size)
{
    unsigned made = 0;
    for (; made < count && start < lengths->count; start += size, made++)
        prepare(&jobs[made], lengths, options, start,
                at_most(size, (uint32_t)(lengths->count - start)));
    return made;
}

static shimhub_status pack_together(struct job *jobs, unsigned count,
                                    const shimhub_lengths *lengths,
                                    const shimhub_pack_options *options, const struct output *out,
                                    shimhub_packed *packed)
{
    struct pack_group groups[SHIMHUB_PACK_TOGETHER];
    for (unsigned g = 0; g < count; g++)
        groups[g] = jobs[g].group;
    shimhub_status status = packings[options->strategy](groups, count);
    for (unsigned g = 0; status == SHIMHUB_OK && g < count; g++) {
        jobs[g].group = groups[g];
        if (options->max_bins < groups[g].count)
            forget(&jobs[g], lengths, options, packed);
        write_bins(&jobs[g], out, packed);
    }
    return status;
}

static shimhub_status pack_all(const shimhub_lengths *lengths, const shimhub_pack_options *options,
                               const struct output *out, shimhub_packed *packed)
{
    struct job jobs[SHIMHUB_PACK_TOGETHER] = {{.sizes = NULL}};
    int64_t size = at_most(options->group_size, (uint32_t)lengths->count);
    unsigned together = at_most((lengths->count - 1) / size + 1, SHIMHUB_PACK_TOGETHER);
    shimhub_status status = SHIMHUB_OK;
    for (unsigned g = 0; status == SHIMHUB_OK && g < together; g++)
        status = make_job(&jobs[g], (size_t)size, is_decreasing(options));
    for (int64_t start = 0; status == SHIMHUB_OK && start < lengths->count;) {
        unsigned count = prepare_all(jobs, together, lengths, options, start, size);
        status = pack_together(jobs, count, lengths, options, out, packed);
        start += count * size;
    }
    for (unsigned g = 0; g < together; g++)
        free_job(&jobs[g]);
    return status;
}

shimhub_status shimhub_pack(const shimhub_lengths *lengths, const shimhub_pack_options *options,
                            int64_t *offsets, uint32_t *items, shimhub_packed *packed)
{
    if (packed == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    *packed = (shimhub_packed){.position = -1};
    if (lengths == NULL || options == NULL || offsets == NULL || !options_are_valid(options) ||
        !lengths_are_valid(lengths) || (items == NULL && lengths->count > 0))
        return SHIMHUB_BAD_ARGUMENT;
    if (lengths->count > UINT32_MAX - 1)
        return SHIMHUB_OVERFLOW;
    shimhub_status status = check(lengths, options, packed);
    if (status != SHIMHUB_OK)
        return status;
    offsets[0] = 0;
    if (lengths->count == 0)
        return SHIMHUB_OK;
    return pack_all(lengths, options, &(struct output){offsets, items}, packed);
}
