/* MinHash signatures: permutations, and texts on several threads. */
#include "minhash.h"

#include <stdlib.h>

#include "shingles.h"
#include "team.h"

enum { TASK_ROWS = 64 };

struct job {
    const shimhub_bytes *texts; /* or, if starts is not NULL: */
    const uint64_t *hashes;     /* of words */
    const size_t *starts;       /* of texts in them */
    size_t count, num_perm;
    shimhub_shingling shingling;
    shimhub_minhash_update *update;
    uint32_t *a, *b, *signatures;
};

static shimhub_minhash_update *pick(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return shimhub_minhash_update_avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_minhash_update_avx2;
#elif SHIMHUB_NEON_LANE
    if (shimhub_has_lane(SHIMHUB_LANE_NEON))
        return shimhub_minhash_update_neon;
#endif
    return shimhub_minhash_update_portable;
}

/* SplitMix64: one output a permutation. */
static void permutations(uint64_t seed, size_t count, uint32_t *a, uint32_t *b)
{
    for (size_t p = 0; p < count; p++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        a[p] = (uint32_t)z | 1;
        b[p] = (uint32_t)(z >> 32);
    }
}

struct sink {
    const struct job *job;
    uint32_t *least;
};

static void take_hashes(void *context, const uint32_t *hashes, size_t count)
{
    const struct sink *sink = context;
    const struct job *job = sink->job;
    job->update(hashes, count, job->a, job->b, sink->least, job->num_perm);
}

static void do_row(const struct job *job, size_t row)
{
    struct sink sink = {job, job->signatures + job->num_perm * row};
    for (size_t p = 0; p < job->num_perm; p++)
        sink.least[p] = UINT32_MAX;
    if (job->starts == NULL)
        shimhub_shingle_text(&job->shingling, &job->texts[row], take_hashes, &sink);
    else
        shimhub_shingle_hashes(&job->shingling, job->hashes + job->starts[row],
                               job->starts[row + 1] - job->starts[row], take_hashes, &sink);
}

static void do_rows(void *context, size_t task)
{
    const struct job *job = context;
    size_t end = job->count - task * TASK_ROWS > TASK_ROWS ? (task + 1) * TASK_ROWS : job->count;
    for (size_t row = task * TASK_ROWS; row < end; row++)
        do_row(job, row);
}

static shimhub_status run(struct job *job, uint64_t seed, unsigned threads)
{
    size_t allocated = job->num_perm > 0 ? job->num_perm : 1;
    job->a = malloc(2 * allocated * sizeof *job->a);
    if (job->a == NULL)
        return SHIMHUB_NO_MEMORY;
    job->b = job->a + job->num_perm;
    job->update = pick();
    permutations(seed, job->num_perm, job->a, job->b);
    shimhub_shingling_begin(&job->shingling, seed);
    shimhub_team_run(threads, job->count / TASK_ROWS + (job->count % TASK_ROWS > 0), do_rows, job);
    free(job->a);
    return SHIMHUB_OK;
}

static bool are_readable(const shimhub_bytes *texts, size_t count)
{
    if (texts == NULL && count > 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (texts[i].data == NULL && texts[i].size > 0)
            return false;
    }
    return true;
}

static bool are_sizes(size_t ngram, size_t num_perm, size_t count, const uint32_t *signatures)
{
    return ngram >= 1 && ngram <= SHIMHUB_NGRAM_MAX && num_perm <= SHIMHUB_PERMUTATIONS_MAX &&
           (signatures != NULL || count == 0 || num_perm == 0);
}

shimhub_status shimhub_minhash(const shimhub_bytes *texts, size_t count, shimhub_unit unit,
                               size_t ngram, uint64_t seed, size_t num_perm, unsigned threads,
                               uint32_t *signatures)
{
    if (!are_sizes(ngram, num_perm, count, signatures) || !are_readable(texts, count))
        return SHIMHUB_BAD_ARGUMENT;
    if (unit != SHIMHUB_UNIT_CHAR && unit != SHIMHUB_UNIT_WORD)
        return SHIMHUB_BAD_ARGUMENT;
    struct job job = {.texts = texts,
                      .count = count,
                      .num_perm = num_perm,
                      .shingling = {.unit = unit, .ngram = ngram},
                      .signatures = signatures};
    return run(&job, seed, threads);
}

shimhub_status shimhub_minhash_hashes(const uint64_t *hashes, const size_t *starts, size_t count,
                                      size_t ngram, uint64_t seed, size_t num_perm,
                                      unsigned threads, uint32_t *signatures)
{
    if (!are_sizes(ngram, num_perm, count, signatures) || starts == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        if (starts[i] > starts[i + 1])
            return SHIMHUB_BAD_OFFSETS;
    }
    if (hashes == NULL && starts[count] > 0)
        return SHIMHUB_BAD_ARGUMENT;
    struct job job = {.hashes = hashes,
                      .starts = starts,
                      .count = count,
                      .num_perm = num_perm,
                      .shingling = {.unit = SHIMHUB_UNIT_WORD, .ngram = ngram},
                      .signatures = signatures};
    return run(&job, seed, threads);
}
