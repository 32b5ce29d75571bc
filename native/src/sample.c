/* A hash for where bytes are compared anyway: of a long row it reads a few pieces.
 *
 * XXH3 of all bytes is bound by memory; four pieces and the size tell most rows apart for a third
 * of the traffic. Rows that agree in them all and differ elsewhere cost a comparison each: who
 * calls counts those, and takes the hash of all bytes where they are many. */
#include "sample.h"

#include <string.h>

#define PIECE 32
#define PIECES 4
#define AHEAD 12 /* rows to ask memory for */
#define SAMPLED_FROM 512 /* below, hashing all costs no more than jumping */

typedef struct {
    uint64_t size;
    uint8_t pieces[PIECES * PIECE];
} sample;

static shimhub_bytes take_sample(shimhub_bytes row, sample *to)
{
    const uint8_t *from = row.data;
    size_t step = (row.size - PIECE) / (PIECES - 1);
    to->size = row.size;
    for (size_t i = 0; i + 1 < PIECES; i++)
        memcpy(to->pieces + i * PIECE, from + i * step, PIECE);
    memcpy(to->pieces + (PIECES - 1) * PIECE, from + row.size - PIECE, PIECE);
    return (shimhub_bytes){to, sizeof *to};
}

static void prefetch_sample(shimhub_bytes row)
{
    if (row.size < SAMPLED_FROM)
        return;
    const char *from = row.data;
    size_t step = (row.size - PIECE) / (PIECES - 1);
    for (size_t i = 0; i < PIECES; i++)
        SHIMHUB_PREFETCH(from + i * step);
    SHIMHUB_PREFETCH(from + row.size - 1);
}

shimhub_status shimhub_xxh3_128_sampled(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                        shimhub_hash128 *hashes)
{
    sample samples[SHIMHUB_BLOCK];
    shimhub_bytes taken[SHIMHUB_BLOCK];
    if (count > SHIMHUB_BLOCK)
        return SHIMHUB_BAD_ARGUMENT;
    for (size_t i = 0; i < count && i < AHEAD; i++)
        prefetch_sample(rows[i]);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            prefetch_sample(rows[i + AHEAD]);
        taken[i] = rows[i].size < SAMPLED_FROM ? rows[i] : take_sample(rows[i], &samples[i]);
    }
    return shimhub_xxh3_128(taken, count, seed, hashes);
}
