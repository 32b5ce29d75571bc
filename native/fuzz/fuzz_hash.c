/* Arbitrary bytes, cut into arbitrary rows: every subset of lanes gives the same hashes.
 *
 * The first byte chooses the lanes, the second how many rows there are; each row's size is two
 * bytes, and the rest is cut by them. Every row is a block of its own: reads behind it are seen. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

enum { ROWS = 48 };

struct hashes {
    uint8_t sha256[32 * ROWS];
    uint64_t xxh3_64[ROWS];
    shimhub_hash128 xxh3_128[ROWS];
};

struct input {
    const uint8_t *data;
    size_t size;
};

static size_t take(struct input *input, size_t wanted)
{
    size_t size = wanted < input->size ? wanted : input->size;
    input->data += size;
    input->size -= size;
    return size;
}

static size_t take_number(struct input *input)
{
    const uint8_t *from = input->data;
    size_t size = take(input, 2);
    return size == 2 ? (size_t)(from[0] | (from[1] & 15) << 8) : 0;
}

static void cut(struct input *input, size_t count, shimhub_bytes *rows)
{
    size_t sizes[ROWS];
    for (size_t i = 0; i < count; i++)
        sizes[i] = take_number(input);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = input->data;
        size_t size = take(input, sizes[i]);
        uint8_t *copy = malloc(size ? size : 1);
        if (copy == NULL)
            abort();
        if (size > 0)
            memcpy(copy, from, size);
        rows[i] = (shimhub_bytes){copy, size};
    }
}

static void hash(const shimhub_bytes *rows, size_t count, uint64_t seed, struct hashes *hashes)
{
    memset(hashes, 0, sizeof *hashes);
    if (shimhub_sha256(rows, count, hashes->sha256) != SHIMHUB_OK ||
        shimhub_xxh3_64(rows, count, seed, hashes->xxh3_64) != SHIMHUB_OK ||
        shimhub_xxh3_128(rows, count, seed, hashes->xxh3_128) != SHIMHUB_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hashes expected, found;
    shimhub_bytes rows[ROWS];
    struct input input = {data, size};
    if (size < 2)
        return 0;
    take(&input, 2);
    size_t count = data[1] % (ROWS + 1);
    uint64_t seed = data[0] & 32 ? (uint64_t)data[1] * UINT64_C(0x9e3779b97f4a7c15) : 0;
    cut(&input, count, rows);
    shimhub_lanes_use(0);
    hash(rows, count, seed, &expected);
    shimhub_lanes_use((data[0] & 31) & shimhub_lanes_here());
    hash(rows, count, seed, &found);
    if (memcmp(&expected, &found, sizeof found) != 0)
        abort();
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)rows[i].data);
    return 0;
}
