/* Arbitrary bytes as texts: every subset of lanes, and one thread or three, give the same
 * signatures and keys.
 *
 * Bytes 0 to 3 choose lanes, unit, ngram and permutations; the rest is cut at each byte 0. Every
 * text is a block of its own: reads behind it are seen. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

enum { TEXTS = 40, PERMUTATIONS = 80 };

static size_t cut(const uint8_t *data, size_t size, shimhub_bytes *texts)
{
    size_t count = 0;
    while (size > 0 && count < TEXTS) {
        const uint8_t *end = memchr(data, 0, size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        uint8_t *copy = malloc(length ? length : 1);
        if (copy == NULL)
            abort();
        memcpy(copy, data, length);
        texts[count++] = (shimhub_bytes){copy, length};
        size_t used = end != NULL ? length + 1 : length;
        data += used;
        size -= used;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t expected[TEXTS * PERMUTATIONS], found[TEXTS * PERMUTATIONS];
    static uint64_t expected_keys[TEXTS * PERMUTATIONS], keys[TEXTS * PERMUTATIONS];
    shimhub_bytes texts[TEXTS];
    if (size < 4)
        return 0;
    size_t count = cut(data + 4, size - 4, texts);
    shimhub_unit unit = data[1] & 1 ? SHIMHUB_UNIT_WORD : SHIMHUB_UNIT_CHAR;
    size_t ngram = (size_t)data[2] + 1, num_perm = (size_t)data[3] % PERMUTATIONS + 1;
    size_t bands = num_perm % 4 == 0 ? num_perm / 4 : 1;
    if (data[1] & 2)
        ngram = ngram % 12 + 1;
    shimhub_lanes_use(0);
    if (shimhub_minhash(texts, count, unit, ngram, data[0], num_perm, 1, expected) != SHIMHUB_OK ||
        shimhub_lsh_bands(expected, count, num_perm, bands, data[0], expected_keys) != SHIMHUB_OK)
        abort();
    shimhub_lanes_use((data[0] & 31) & shimhub_lanes_here());
    unsigned threads = data[1] & 4 ? 3 : 1;
    if (shimhub_minhash(texts, count, unit, ngram, data[0], num_perm, threads, found) !=
            SHIMHUB_OK ||
        shimhub_lsh_bands(found, count, num_perm, bands, data[0], keys) != SHIMHUB_OK)
        abort();
    if (memcmp(expected, found, count * num_perm * sizeof *found) != 0 ||
        memcmp(expected_keys, keys, count * bands * sizeof *keys) != 0)
        abort();
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)texts[i].data);
    return 0;
}
