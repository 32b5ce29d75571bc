/* Keys of the bands of MinHash signatures. */
#include <stdlib.h>

#include "shimhub/minhash.h"
#include "xxh3.h"

struct band {
    uint8_t *bytes; /* its words, little-endian */
    size_t words, stride;
    uint64_t seed;
    uint8_t secret[XXH3_SECRET];
};

static void hash_band(struct band *band, const uint32_t *first, size_t count, size_t bands,
                      uint64_t *keys)
{
    shimhub_xxh3_long *lane = shimhub_xxh3_lane();
    shimhub_xxh3_derive(band->seed, band->secret);
    for (size_t i = 0; i < count; i++) {
        for (size_t word = 0; word < band->words; word++)
            store_le32(band->bytes + 4 * word, first[band->stride * i + word]);
        keys[bands * i] = shimhub_xxh3_64_one(band->bytes, 4 * band->words, band->seed,
                                              band->secret, lane);
    }
}

shimhub_status shimhub_lsh_bands(const uint32_t *signatures, size_t count, size_t num_perm,
                                 size_t bands, uint64_t seed, uint64_t *keys)
{
    if (num_perm == 0 || num_perm > SHIMHUB_PERMUTATIONS_MAX || bands == 0 || num_perm % bands)
        return SHIMHUB_BAD_ARGUMENT;
    if (count > 0 && (signatures == NULL || keys == NULL))
        return SHIMHUB_BAD_ARGUMENT;
    struct band band = {.words = num_perm / bands, .stride = num_perm};
    band.bytes = malloc(4 * band.words);
    if (band.bytes == NULL)
        return SHIMHUB_NO_MEMORY;
    for (size_t k = 0; k < bands; k++) {
        band.seed = seed + k;
        hash_band(&band, signatures + band.words * k, count, bands, keys + k);
    }
    free(band.bytes);
    return SHIMHUB_OK;
}
