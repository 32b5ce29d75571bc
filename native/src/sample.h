/* Private to dedup.c: a hash of pieces of each row. */
#ifndef SHIMHUB_SAMPLE_H
#define SHIMHUB_SAMPLE_H

#include "rows.h"

/* As shimhub_xxh3_128() of up to SHIMHUB_BLOCK rows, but of rows from 512 bytes on only the size
 * and some pieces count: equal rows have equal hashes, and others may. */
shimhub_status shimhub_xxh3_128_sampled(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                        shimhub_hash128 *hashes);

#endif
