/* Hashes. */
#include "shimhub/hash.h"

shimhub_status shimhub_sha256(const shimhub_bytes *rows, size_t count, uint8_t *digests)
{
    (void)rows, (void)count, (void)digests;
    return SHIMHUB_BAD_ARGUMENT;
}
shimhub_status shimhub_xxh3_128(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                shimhub_hash128 *hashes)
{
    (void)rows, (void)count, (void)seed, (void)hashes;
    return SHIMHUB_BAD_ARGUMENT;
}
shimhub_status shimhub_xxh3_64(const shimhub_bytes *rows, size_t count, uint64_t seed,
                               uint64_t *hashes)
{
    (void)rows, (void)count, (void)seed, (void)hashes;
    return SHIMHUB_BAD_ARGUMENT;
}
