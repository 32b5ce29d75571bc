/* Near duplicates: MinHash signatures of texts, and LSH keys of their bands.
 *
 * A text is the set of its shingles: every run of `ngram` units that follow each other, or all of
 * its units where it has fewer. A shingle is hashed to x, the low 32 bits of XXH3-64 with the seed,
 * and entry p of the signature is the least (a[p] x + b[p]) mod 2^32 over all shingles, or 2^32 - 1
 * if there are none (Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900; linear permutations
 * as in Broder et al. 2000, https://doi.org/10.1006/jcss.1999.1690). a[p] | 1 and b[p] are the low
 * and the high half of output p of SplitMix64 from the seed on
 * (https://doi.org/10.1145/2660193.2660195). */
#ifndef SHIMHUB_MINHASH_H
#define SHIMHUB_MINHASH_H

#include "hash.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SHIMHUB_UNIT_CHAR, /* a byte that does not continue a character of UTF-8, and those that do */
    SHIMHUB_UNIT_WORD  /* bytes between white space, which is Unicode's, in UTF-8 */
} shimhub_unit;

enum { SHIMHUB_NGRAM_MAX = 256, SHIMHUB_PERMUTATIONS_MAX = 65536 };

/* signatures[num_perm * i] .. gets that of texts[i], for i < count. A shingle of characters is
 * hashed as its bytes; one word as its bytes, and several as the little-endian XXH3-64 of each.
 * BAD_ARGUMENT unless 1 <= ngram <= SHIMHUB_NGRAM_MAX and num_perm <= SHIMHUB_PERMUTATIONS_MAX.
 * O(bytes * ngram + shingles * num_perm). Same bytes on any number of threads (0: all). */
SHIMHUB_API shimhub_status shimhub_minhash(const shimhub_bytes *texts, size_t count,
                                           shimhub_unit unit, size_t ngram, uint64_t seed,
                                           size_t num_perm, unsigned threads,
                                           uint32_t *signatures);

/* The same of texts that are words already, by the words' XXH3-64 with the seed: those of text i
 * are hashes[starts[i]] to hashes[starts[i + 1] - 1]. BAD_OFFSETS if starts (count + 1 of them)
 * fall. */
SHIMHUB_API shimhub_status shimhub_minhash_hashes(const uint64_t *hashes, const size_t *starts,
                                                  size_t count, size_t ngram, uint64_t seed,
                                                  size_t num_perm, unsigned threads,
                                                  uint32_t *signatures);

/* keys[bands * i + k] gets the XXH3-64, with seed + k, of the k-th of `bands` equal parts of
 * signature i in little-endian bytes. BAD_ARGUMENT unless bands divides num_perm. */
SHIMHUB_API shimhub_status shimhub_lsh_bands(const uint32_t *signatures, size_t count,
                                             size_t num_perm, size_t bands, uint64_t seed,
                                             uint64_t *keys);

#ifdef __cplusplus
}
#endif

#endif
