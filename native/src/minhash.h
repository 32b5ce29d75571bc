/* Private: the inner loop of MinHash. */
#ifndef SHIMHUB_MINHASH_PRIVATE_H
#define SHIMHUB_MINHASH_PRIVATE_H

#include "lanes.h"
#include "shimhub/minhash.h"

/* least[p] = min(least[p], a[p] x + b[p]) for each of `count` hashes x and p < num_perm. */
typedef void shimhub_minhash_update(const uint32_t *hashes, size_t count, const uint32_t *a,
                                    const uint32_t *b, uint32_t *least, size_t num_perm);

shimhub_minhash_update shimhub_minhash_update_portable;
shimhub_minhash_update shimhub_minhash_update_avx2;
shimhub_minhash_update shimhub_minhash_update_avx512;
shimhub_minhash_update shimhub_minhash_update_neon;

#endif
