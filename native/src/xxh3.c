/* XXH3 with 64 and 128 bits: short and medium inputs, and rows. */
#include "xxh3.h"

/* Rows are asked for that many before they are hashed, up to so many bytes; the processor's own
 * prefetching does the rest. Measured over rows of 1.2 KB, in order and shuffled. */
enum { ROWS_AHEAD = 2, BYTES_AHEAD = 1024 };

const uint8_t shimhub_xxh3_secret[XXH3_SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

shimhub_xxh3_long *shimhub_xxh3_lane(void)
{
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512))
        return shimhub_xxh3_long_avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        return shimhub_xxh3_long_avx2;
#elif SHIMHUB_NEON_LANE
    if (shimhub_has_lane(SHIMHUB_LANE_NEON))
        return shimhub_xxh3_long_neon;
#endif
    return shimhub_xxh3_long_portable;
}

void shimhub_xxh3_derive(uint64_t seed, uint8_t secret[XXH3_SECRET])
{
    for (unsigned i = 0; i < XXH3_SECRET; i += 16) {
        store_le64(secret + i, load_le64(shimhub_xxh3_secret + i) + seed);
        store_le64(secret + i + 8, load_le64(shimhub_xxh3_secret + i + 8) - seed);
    }
}

static uint64_t merge(const uint64_t *accumulators, const uint8_t *secret, uint64_t result)
{
    for (unsigned i = 0; i < 8; i += 2)
        result += xxh3_fold(accumulators[i] ^ load_le64(secret + 8 * i),
                            accumulators[i + 1] ^ load_le64(secret + 8 * i + 8));
    return xxh3_avalanche(result);
}

static uint64_t hash64_129to240(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t sum = size * PRIME64_1;
    unsigned chunks = (unsigned)(size / 16);
    for (unsigned i = 0; i < 8; i++)
        sum += xxh3_mix(data + 16 * i, 16 * i, seed);
    sum = xxh3_avalanche(sum);
    for (unsigned i = 8; i < chunks; i++)
        sum += xxh3_mix(data + 16 * i, 16 * (i - 8) + 3, seed);
    return xxh3_avalanche(sum + xxh3_mix(data + size - 16, 119, seed));
}

uint64_t shimhub_xxh3_64_one(const uint8_t *data, size_t size, uint64_t seed,
                             const uint8_t *secret, shimhub_xxh3_long *lane)
{
    if (size <= 128)
        return xxh3_64_short(data, size, seed);
    if (size <= XXH3_MEDIUM_MAX)
        return hash64_129to240(data, size, seed);
    uint64_t accumulators[8];
    lane(data, size, secret, accumulators);
    return merge(accumulators, secret + 11, size * PRIME64_1);
}

static shimhub_hash128 hash128_empty(uint64_t seed)
{
    return (shimhub_hash128){xxh3_avalanche_xxh64(seed ^ xxh3_secret_pair(64)),
                             xxh3_avalanche_xxh64(seed ^ xxh3_secret_pair(80))};
}

static shimhub_hash128 hash128_1to3(const uint8_t *data, size_t size, uint64_t seed)
{
    const uint8_t *secret = shimhub_xxh3_secret;
    uint64_t high = (load_le32(secret + 8) ^ load_le32(secret + 12)) - seed;
    uint32_t turned = rotate_left32(swap32(xxh3_combine_1to3(data, size)), 13);
    return (shimhub_hash128){xxh3_64_1to3(data, size, seed), xxh3_avalanche_xxh64(high ^ turned)};
}

static shimhub_hash128 hash128_4to8(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t combined = load_le32(data) | (uint64_t)load_le32(data + size - 4) << 32;
    uint64_t value = (xxh3_secret_pair(16) + xxh3_modified_seed(seed)) ^ combined;
    uint64_t high;
    uint64_t low = multiply128(value, PRIME64_1 + (size << 2), &high);
    high += low << 1;
    low ^= high >> 3;
    low = (low ^ low >> 35) * PRIME_MX2;
    return (shimhub_hash128){low ^ low >> 28, xxh3_avalanche(high)};
}

static shimhub_hash128 hash128_9to16(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t first = load_le64(data), last = load_le64(data + size - 8);
    uint64_t value1 = (xxh3_secret_pair(32) - seed) ^ first ^ last;
    uint64_t value2 = (xxh3_secret_pair(48) + seed) ^ last;
    uint64_t high, carried;
    uint64_t low = multiply128(value1, PRIME64_1, &high) + ((uint64_t)(size - 1) << 54);
    high += value2 + (value2 & UINT32_MAX) * (PRIME32_2 - 1);
    low = multiply128(low ^ swap64(high), PRIME64_2, &carried);
    high = carried + high * PRIME64_2;
    return (shimhub_hash128){xxh3_avalanche(low), xxh3_avalanche(high)};
}

SHIMHUB_INLINE void mix_two(uint64_t sums[2], const uint8_t *data1, const uint8_t *data2,
                            unsigned offset, uint64_t seed)
{
    sums[0] += xxh3_mix(data1, offset, seed);
    sums[1] += xxh3_mix(data2, offset + 16, seed);
    sums[0] ^= load_le64(data2) + load_le64(data2 + 8);
    sums[1] ^= load_le64(data1) + load_le64(data1 + 8);
}

static shimhub_hash128 finish_medium(const uint64_t sums[2], size_t size, uint64_t seed)
{
    uint64_t high = sums[0] * PRIME64_1 + sums[1] * PRIME64_4 + (size - seed) * PRIME64_2;
    return (shimhub_hash128){xxh3_avalanche(sums[0] + sums[1]), 0 - xxh3_avalanche(high)};
}

static shimhub_hash128 hash128_17to128(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t sums[2] = {size * PRIME64_1, 0};
    for (unsigned i = (unsigned)((size - 1) / 32 + 1); i-- > 0;)
        mix_two(sums, data + 16 * i, data + size - 16 * i - 16, 32 * i, seed);
    return finish_medium(sums, size, seed);
}

static shimhub_hash128 hash128_129to240(const uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t sums[2] = {size * PRIME64_1, 0};
    unsigned chunks = (unsigned)(size / 32);
    for (unsigned i = 0; i < 4; i++)
        mix_two(sums, data + 32 * i, data + 32 * i + 16, 32 * i, seed);
    sums[0] = xxh3_avalanche(sums[0]);
    sums[1] = xxh3_avalanche(sums[1]);
    for (unsigned i = 4; i < chunks; i++)
        mix_two(sums, data + 32 * i, data + 32 * i + 16, 32 * (i - 4) + 3, seed);
    mix_two(sums, data + size - 16, data + size - 32, 103, 0 - seed);
    return finish_medium(sums, size, seed);
}

static shimhub_hash128 hash128_upto240(const uint8_t *data, size_t size, uint64_t seed)
{
    if (size > 128)
        return hash128_129to240(data, size, seed);
    if (size > 16)
        return hash128_17to128(data, size, seed);
    if (size > 8)
        return hash128_9to16(data, size, seed);
    if (size >= 4)
        return hash128_4to8(data, size, seed);
    return size > 0 ? hash128_1to3(data, size, seed) : hash128_empty(seed);
}

static shimhub_hash128 hash128_long(const uint8_t *data, size_t size, const uint8_t *secret,
                                    shimhub_xxh3_long *lane)
{
    uint64_t accumulators[8];
    lane(data, size, secret, accumulators);
    return (shimhub_hash128){merge(accumulators, secret + 11, size * PRIME64_1),
                             merge(accumulators, secret + XXH3_SECRET - 75, ~(size * PRIME64_2))};
}

SHIMHUB_INLINE void fetch_ahead(const shimhub_bytes *rows, size_t count, size_t i)
{
    if (count - i <= ROWS_AHEAD)
        return;
    const shimhub_bytes *row = &rows[i + ROWS_AHEAD];
    size_t size = row->size < BYTES_AHEAD ? row->size : BYTES_AHEAD;
    for (size_t offset = 0; offset < size; offset += 64)
        SHIMHUB_PREFETCH_AT(row->data, offset);
}

static shimhub_status check(const shimhub_bytes *rows, size_t count, const void *hashes)
{
    if (count > 0 && (rows == NULL || hashes == NULL))
        return SHIMHUB_BAD_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].data == NULL && rows[i].size > 0)
            return SHIMHUB_BAD_ARGUMENT;
    }
    return SHIMHUB_OK;
}

shimhub_status shimhub_xxh3_128(const shimhub_bytes *rows, size_t count, uint64_t seed,
                                shimhub_hash128 *hashes)
{
    shimhub_status status = check(rows, count, hashes);
    if (status != SHIMHUB_OK)
        return status;
    shimhub_xxh3_long *lane = shimhub_xxh3_lane();
    uint8_t secret[XXH3_SECRET];
    shimhub_xxh3_derive(seed, secret);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *data = rows[i].data;
        size_t size = rows[i].size;
        fetch_ahead(rows, count, i);
        hashes[i] = size > XXH3_MEDIUM_MAX ? hash128_long(data, size, secret, lane)
                                           : hash128_upto240(data, size, seed);
    }
    return SHIMHUB_OK;
}

shimhub_status shimhub_xxh3_64(const shimhub_bytes *rows, size_t count, uint64_t seed,
                               uint64_t *hashes)
{
    shimhub_status status = check(rows, count, hashes);
    if (status != SHIMHUB_OK)
        return status;
    shimhub_xxh3_long *lane = shimhub_xxh3_lane();
    uint8_t secret[XXH3_SECRET];
    shimhub_xxh3_derive(seed, secret);
    for (size_t i = 0; i < count; i++) {
        fetch_ahead(rows, count, i);
        hashes[i] = shimhub_xxh3_64_one(rows[i].data, rows[i].size, seed, secret, lane);
    }
    return SHIMHUB_OK;
}
