/* Which rows are the first of their value.
 *
 * Rows go by in blocks that stay in cache: hash all, ask for their slots, ask for the earlier rows
 * that look equal, and only then compare and insert, in order. So the waits for memory overlap. */
#include "rows.h"

#include <stdatomic.h>
#include <string.h>

#include "sample.h"
#include "table.h"
#include "team.h"

#define LINE 64
#define PREFETCHED_LINES 24
#define SUPERBLOCK (512 * (size_t)SHIMHUB_BLOCK)

/* Private status: so many collisions are no accident. */
#define COLLISIONS ((shimhub_status)-1)
#define COLLISIONS_ALLOWED 1000
#define SAMPLES_MAY_COLLIDE 64 /* one row of so many */
#define STEPS_ALLOWED 16 /* a row; 1.5 are expected where half of the slots are taken */

struct dedup {
    const shimhub_rows *rows;
    shimhub_hash_function *hash;
    uint64_t seed;
    unsigned threads;
    bool exact;
    shimhub_table table;     /* of rows; of places in kept where not exact */
    shimhub_hash128 *hashes; /* of kept rows, where not exact */
    int64_t *kept;
    size_t kept_count;
    size_t collisions, steps;
    bool patient; /* collides as it may: there is no other hash to try */
    shimhub_block block, earlier;
    bool viewed; /* the block holds the rows that are being inserted */
};

/* Rows that differ only in what they are must differ in hash, too. */
static void mix_tags(const shimhub_block *block, size_t count, shimhub_hash128 *hashes)
{
    for (size_t i = 0; i < count; i++)
        hashes[i].low += block->tags[i] * UINT64_C(0x9e3779b97f4a7c15);
}

static shimhub_status hash_block(const struct dedup *dedup, size_t first, size_t count,
                                 shimhub_block *block, shimhub_hash128 *hashes)
{
    shimhub_status status = dedup->rows->view(dedup->rows->source, first, count, block);
    if (status == SHIMHUB_OK)
        status = dedup->hash(block->bytes, count, dedup->seed, hashes);
    if (status == SHIMHUB_OK)
        mix_tags(block, count, hashes);
    return status;
}

static bool same_bytes(const shimhub_block *a, size_t i, const shimhub_block *b, size_t j)
{
    return a->tags[i] == b->tags[j] && a->bytes[i].size == b->bytes[j].size &&
           memcmp(a->bytes[i].data, b->bytes[j].data, a->bytes[i].size) == 0;
}

static shimhub_status compare_rows(struct dedup *dedup, size_t first, size_t i, size_t earlier,
                                   bool *same)
{
    const shimhub_rows *rows = dedup->rows;
    shimhub_status status = SHIMHUB_OK;
    if (!dedup->viewed) {
        status = rows->view(rows->source, first + i, 1, &dedup->block);
        i = 0;
    }
    if (status == SHIMHUB_OK)
        status = rows->view(rows->source, earlier, 1, &dedup->earlier);
    if (status == SHIMHUB_OK)
        *same = same_bytes(&dedup->block, i, &dedup->earlier, 0);
    return status;
}

static shimhub_status is_same(struct dedup *dedup, size_t first, size_t i, size_t entry,
                              const shimhub_hash128 *hash, bool *same)
{
    if (dedup->exact) {
        shimhub_status status = compare_rows(dedup, first, i, entry, same);
        dedup->collisions += !*same;
        return status;
    }
    const shimhub_hash128 *other = &dedup->hashes[entry];
    *same = other->low == hash->low && other->high == hash->high;
    return SHIMHUB_OK;
}

static void keep(struct dedup *dedup, size_t row, const shimhub_hash128 *hash, size_t at)
{
    if (!dedup->exact)
        dedup->hashes[dedup->kept_count] = *hash;
    size_t entry = dedup->exact ? row : dedup->kept_count;
    dedup->table.slots[at] = shimhub_slot(hash->high, entry);
    dedup->kept[dedup->kept_count++] = (int64_t)row;
}

static shimhub_status insert(struct dedup *dedup, size_t first, size_t i,
                             const shimhub_hash128 *hash)
{
    const shimhub_table *table = &dedup->table;
    size_t at = (size_t)hash->low & table->mask;
    for (; table->slots[at] != 0; at = (at + 1) & table->mask) {
        bool same = false;
        dedup->steps++;
        if (!shimhub_slot_has(table->slots[at], hash->high))
            continue;
        size_t entry = shimhub_slot_entry(table->slots[at]);
        shimhub_status status = is_same(dedup, first, i, entry, hash, &same);
        if (status != SHIMHUB_OK || same)
            return status;
    }
    keep(dedup, first + i, hash, at);
    return SHIMHUB_OK;
}

/* Finds the first entry that may be equal; those of this block are not yet in. */
static bool find_earlier(const shimhub_table *table, const shimhub_hash128 *hash, size_t *entry)
{
    for (size_t at = (size_t)hash->low & table->mask; table->slots[at] != 0;
         at = (at + 1) & table->mask) {
        if (shimhub_slot_has(table->slots[at], hash->high)) {
            *entry = shimhub_slot_entry(table->slots[at]);
            return true;
        }
    }
    return false;
}

static void prefetch_bytes(shimhub_bytes bytes)
{
    size_t lines = bytes.size / LINE + 1;
    for (size_t i = 0; i < lines && i < PREFETCHED_LINES; i++)
        SHIMHUB_PREFETCH((const char *)bytes.data + LINE * i);
}

static void prefetch_slots(const struct dedup *dedup, size_t count, const shimhub_hash128 *hashes)
{
    for (size_t i = 0; i < count; i++)
        SHIMHUB_PREFETCH(&dedup->table.slots[(size_t)hashes[i].low & dedup->table.mask]);
}

/* Asks for the earlier rows that those of the block will be compared with. */
static shimhub_status prefetch_earlier(struct dedup *dedup, size_t count,
                                       const shimhub_hash128 *hashes)
{
    const shimhub_rows *rows = dedup->rows;
    size_t found[SHIMHUB_BLOCK], looking[SHIMHUB_BLOCK], many = 0;
    for (size_t i = 0; i < count; i++) {
        if (!find_earlier(&dedup->table, &hashes[i], &found[many]))
            continue;
        rows->prefetch(rows->source, found[many]);
        looking[many++] = i;
    }
    for (size_t i = 0; i < many; i++) {
        shimhub_status status = rows->view(rows->source, found[i], 1, &dedup->earlier);
        if (status != SHIMHUB_OK)
            return status;
        prefetch_bytes(dedup->earlier.bytes[0]);
        if (dedup->hash == shimhub_xxh3_128_sampled && dedup->viewed)
            prefetch_bytes(dedup->block.bytes[looking[i]]);
    }
    return SHIMHUB_OK;
}

static void prefetch_hashes(const struct dedup *dedup, size_t count,
                            const shimhub_hash128 *hashes)
{
    size_t entry;
    for (size_t i = 0; i < count; i++) {
        if (find_earlier(&dedup->table, &hashes[i], &entry))
            SHIMHUB_PREFETCH(&dedup->hashes[entry]);
    }
}

static bool is_attacked(const struct dedup *dedup, size_t rows)
{
    bool sampled = dedup->hash == shimhub_xxh3_128_sampled;
    size_t allowed = COLLISIONS_ALLOWED + (sampled ? rows / SAMPLES_MAY_COLLIDE : 0);
    return dedup->collisions > allowed ||
           dedup->steps / STEPS_ALLOWED > rows + COLLISIONS_ALLOWED;
}

static shimhub_status insert_block(struct dedup *dedup, size_t first, size_t count,
                                   const shimhub_hash128 *hashes)
{
    shimhub_status status = SHIMHUB_OK;
    prefetch_slots(dedup, count, hashes);
    if (!dedup->exact)
        prefetch_hashes(dedup, count, hashes);
    else if (dedup->rows->prefetch != NULL)
        status = prefetch_earlier(dedup, count, hashes);
    for (size_t i = 0; status == SHIMHUB_OK && i < count; i++)
        status = insert(dedup, first, i, &hashes[i]);
    if (status == SHIMHUB_OK && !dedup->patient && is_attacked(dedup, first + count))
        status = COLLISIONS;
    return status;
}

static shimhub_status run_alone(struct dedup *dedup)
{
    const size_t rows = dedup->rows->count;
    shimhub_status status = SHIMHUB_OK;
    dedup->viewed = true;
    for (size_t first = 0; status == SHIMHUB_OK && first < rows; first += SHIMHUB_BLOCK) {
        shimhub_hash128 hashes[SHIMHUB_BLOCK];
        size_t count = rows - first < SHIMHUB_BLOCK ? rows - first : SHIMHUB_BLOCK;
        status = hash_block(dedup, first, count, &dedup->block, hashes);
        if (status == SHIMHUB_OK)
            status = insert_block(dedup, first, count, hashes);
    }
    return status;
}

struct hashing {
    const struct dedup *dedup;
    size_t first, count;
    shimhub_hash128 *hashes;
    _Atomic shimhub_status status;
};

static void hash_task(void *context, size_t task)
{
    struct hashing *work = context;
    size_t at = task * SHIMHUB_BLOCK;
    size_t count = work->count - at < SHIMHUB_BLOCK ? work->count - at : SHIMHUB_BLOCK;
    shimhub_block block;
    memset(&block.arena, 0, sizeof block.arena);
    shimhub_status status =
        hash_block(work->dedup, work->first + at, count, &block, work->hashes + at);
    if (status != SHIMHUB_OK)
        atomic_store(&work->status, status);
    free(block.arena.data);
}

static shimhub_status hash_superblock(const struct dedup *dedup, size_t first, size_t count,
                                      shimhub_hash128 *hashes)
{
    struct hashing work = {dedup, first, count, hashes, SHIMHUB_OK};
    shimhub_team_run(dedup->threads, count / SHIMHUB_BLOCK + (count % SHIMHUB_BLOCK != 0),
                     hash_task, &work);
    return work.status;
}

/* Hashes on all threads, inserts on one: in order, so the answer is that of one thread. */
static shimhub_status run_in_team(struct dedup *dedup)
{
    const size_t rows = dedup->rows->count;
    shimhub_status status = SHIMHUB_OK;
    shimhub_hash128 *hashes = malloc(SUPERBLOCK * sizeof *hashes);
    if (hashes == NULL)
        return SHIMHUB_NO_MEMORY;
    for (size_t first = 0; status == SHIMHUB_OK && first < rows; first += SUPERBLOCK) {
        size_t count = rows - first < SUPERBLOCK ? rows - first : SUPERBLOCK;
        status = hash_superblock(dedup, first, count, hashes);
        for (size_t i = 0; status == SHIMHUB_OK && i < count; i += SHIMHUB_BLOCK) {
            size_t part = count - i < SHIMHUB_BLOCK ? count - i : SHIMHUB_BLOCK;
            status = insert_block(dedup, first + i, part, hashes + i);
        }
    }
    free(hashes);
    return status;
}

static shimhub_status run(struct dedup *dedup)
{
    shimhub_status status = SHIMHUB_NO_MEMORY;
    const size_t rows = dedup->rows->count;
    bool ready = shimhub_table_new(&dedup->table, rows);
    if (ready && !dedup->exact) {
        dedup->hashes = malloc((rows + 1) * sizeof *dedup->hashes);
        ready = dedup->hashes != NULL;
    }
    if (ready)
        status = dedup->threads == 1 ? run_alone(dedup) : run_in_team(dedup);
    free(dedup->table.slots);
    free(dedup->hashes);
    free(dedup->block.arena.data);
    free(dedup->earlier.arena.data);
    return status;
}

/* Slower, and nobody makes it collide who does not know the seed. */
static shimhub_status keyed_sha256(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                   shimhub_hash128 *hashes)
{
    uint8_t digests[SHIMHUB_BLOCK][32];
    shimhub_bytes keyed[SHIMHUB_BLOCK];
    struct {
        uint64_t seed;
        uint8_t digest[32];
    } inner[SHIMHUB_BLOCK];
    shimhub_status status = shimhub_sha256(rows, count, digests[0]);
    for (size_t i = 0; i < count; i++) {
        inner[i].seed = seed;
        memcpy(inner[i].digest, digests[i], sizeof inner[i].digest);
        keyed[i] = (shimhub_bytes){&inner[i], sizeof inner[i]};
    }
    if (status == SHIMHUB_OK)
        status = shimhub_sha256(keyed, count, digests[0]);
    for (size_t i = 0; i < count; i++)
        memcpy(&hashes[i], digests[i], sizeof hashes[i]);
    return status;
}

shimhub_status shimhub_dedup_rows(const shimhub_rows *rows, shimhub_hash_function *hash,
                                  bool exact, uint64_t seed, unsigned threads, int64_t *kept,
                                  size_t *kept_count)
{
    if (rows->count >= SHIMHUB_TABLE_MAX)
        return SHIMHUB_OVERFLOW;
    struct dedup dedup;
    memset(&dedup, 0, sizeof dedup);
    dedup.rows = rows;
    dedup.hash = hash;
    dedup.exact = exact;
    dedup.seed = seed;
    dedup.threads = threads;
    dedup.kept = kept;
    struct dedup fresh = dedup;
    if (exact && hash == shimhub_xxh3_128)
        dedup.hash = shimhub_xxh3_128_sampled;
    shimhub_status status = run(&dedup);
    if (status == COLLISIONS && dedup.hash != hash) {
        dedup = fresh;
        status = run(&dedup);
    }
    if (status == COLLISIONS) {
        dedup = fresh;
        dedup.hash = keyed_sha256;
        dedup.patient = true;
        status = run(&dedup);
    }
    if (status == SHIMHUB_OK)
        *kept_count = dedup.kept_count;
    return status;
}

shimhub_status shimhub_deduplicate(const shimhub_column *chunks, size_t count, bool exact,
                                   uint64_t seed, unsigned threads, int64_t *kept,
                                   size_t *kept_count)
{
    shimhub_column_rows source;
    shimhub_rows rows;
    shimhub_status status =
        shimhub_column_rows_open(chunks, count, SHIMHUB_ROWS_COMPARED, &source, &rows);
    if (status == SHIMHUB_OK && (kept_count == NULL || (kept == NULL && rows.count > 0)))
        status = SHIMHUB_BAD_ARGUMENT;
    if (status == SHIMHUB_OK)
        status = shimhub_dedup_rows(&rows, shimhub_xxh3_128, exact, seed, threads, kept,
                                    kept_count);
    shimhub_column_rows_close(&source);
    return status;
}
