/* Digests of rows, a block of them at a time on each thread. */
#include "rows.h"

#include <stdatomic.h>
#include <string.h>

#include "team.h"

#define DIGEST_MAX 32

struct digesting {
    const shimhub_rows *rows;
    shimhub_digest_kind kind;
    uint64_t seed;
    uint8_t *digests;
    atomic_size_t bad; /* the first row that failed, SIZE_MAX if none did */
    _Atomic shimhub_status status;
};

static size_t digest_size(shimhub_digest_kind kind)
{
    return kind == SHIMHUB_SHA256 ? 32 : 16;
}

static void put_big_endian(uint8_t *at, uint64_t word)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(word >> (56 - 8 * i));
}

static shimhub_status xxh3(const shimhub_bytes *rows, size_t count, uint64_t seed,
                           uint8_t *digests)
{
    shimhub_hash128 hashes[SHIMHUB_BLOCK];
    shimhub_status status = shimhub_xxh3_128(rows, count, seed, hashes);
    for (size_t i = 0; status == SHIMHUB_OK && i < count; i++) {
        put_big_endian(digests + 16 * i, hashes[i].high);
        put_big_endian(digests + 16 * i + 8, hashes[i].low);
    }
    return status;
}

static shimhub_status digest_block(const struct digesting *work, size_t first, size_t count,
                                   shimhub_block *block)
{
    size_t size = digest_size(work->kind);
    uint8_t *digests = work->digests + first * size;
    shimhub_status status = work->rows->view(work->rows->source, first, count, block);
    if (status != SHIMHUB_OK)
        return status;
    status = work->kind == SHIMHUB_SHA256 ? shimhub_sha256(block->bytes, count, digests)
                                          : xxh3(block->bytes, count, work->seed, digests);
    for (size_t i = 0; status == SHIMHUB_OK && i < count; i++) {
        if (block->tags[i] == SHIMHUB_TAG_NULL)
            memset(digests + i * size, 0, size);
    }
    return status;
}

static void fail(struct digesting *work, shimhub_status status, size_t row)
{
    size_t before = atomic_load(&work->bad);
    while (row < before && !atomic_compare_exchange_weak(&work->bad, &before, row))
        ;
    atomic_store(&work->status, status);
}

#define BLOCKS_A_TASK 16

static void digest_task(void *context, size_t task)
{
    struct digesting *work = context;
    const size_t rows = work->rows->count;
    size_t first = task * SHIMHUB_BLOCK * BLOCKS_A_TASK;
    size_t end = rows - first < SHIMHUB_BLOCK * BLOCKS_A_TASK
                     ? rows
                     : first + SHIMHUB_BLOCK * BLOCKS_A_TASK;
    shimhub_block block;
    memset(&block.arena, 0, sizeof block.arena);
    for (; first < end; first += SHIMHUB_BLOCK) {
        size_t count = end - first < SHIMHUB_BLOCK ? end - first : SHIMHUB_BLOCK;
        block.bad = first;
        shimhub_status status = digest_block(work, first, count, &block);
        if (status != SHIMHUB_OK) {
            fail(work, status, block.bad);
            break;
        }
    }
    free(block.arena.data);
}

shimhub_status shimhub_digest_rows(const shimhub_rows *rows, shimhub_digest_kind kind,
                                   uint64_t seed, unsigned threads, uint8_t *digests, size_t *bad)
{
    const size_t a_task = SHIMHUB_BLOCK * BLOCKS_A_TASK;
    struct digesting work = {rows, kind, seed, digests, SIZE_MAX, SHIMHUB_OK};
    if (kind != SHIMHUB_SHA256 && kind != SHIMHUB_XXH3_128)
        return SHIMHUB_BAD_ARGUMENT;
    shimhub_team_run(threads, rows->count / a_task + (rows->count % a_task != 0), digest_task,
                     &work);
    *bad = work.bad;
    return work.status;
}

shimhub_status shimhub_digest_columns(const shimhub_column *chunks, size_t count,
                                      shimhub_digest_kind kind, uint64_t seed, unsigned threads,
                                      uint8_t *digests)
{
    shimhub_column_rows source;
    shimhub_rows rows;
    size_t bad;
    shimhub_status status =
        shimhub_column_rows_open(chunks, count, SHIMHUB_ROWS_CANONICAL, &source, &rows);
    if (status == SHIMHUB_OK && digests == NULL && rows.count > 0)
        status = SHIMHUB_BAD_ARGUMENT;
    if (status == SHIMHUB_OK)
        status = shimhub_digest_rows(&rows, kind, seed, threads, digests, &bad);
    shimhub_column_rows_close(&source);
    return status;
}
