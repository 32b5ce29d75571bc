/* Private: texts as hashes of their shingles. */
#ifndef SHIMHUB_SHINGLES_H
#define SHIMHUB_SHINGLES_H

#include "shimhub/minhash.h"
#include "xxh3.h"

typedef struct {
    shimhub_unit unit;
    size_t ngram;
    uint64_t seed;
    uint8_t secret[XXH3_SECRET];
    shimhub_xxh3_long *lane;
    /* hashes[i] = XXH3-64(text[i .. i + ngram - 1]) for i < count, a multiple of 8; 4 <= ngram <= 8,
     * and count + 8 bytes can be read. NULL without a lane for it. */
    void (*windows)(const uint8_t *text, size_t ngram, uint64_t seed, uint32_t *hashes,
                    size_t count);
    /* Bit i: whether byte i of 64 is white space, or the first of some in UTF-8. */
    uint64_t (*spaces)(const uint8_t *from);
} shimhub_shingling;

/* Gets the hashes of a text's shingles, some at a time. */
typedef void shimhub_shingle_sink(void *context, const uint32_t *hashes, size_t count);

/* Sets all but unit and ngram. */
void shimhub_shingling_begin(shimhub_shingling *shingling, uint64_t seed);

void shimhub_shingle_text(const shimhub_shingling *shingling, const shimhub_bytes *text,
                          shimhub_shingle_sink *sink, void *context);
void shimhub_shingle_hashes(const shimhub_shingling *shingling, const uint64_t *words,
                            size_t count, shimhub_shingle_sink *sink, void *context);

void shimhub_windows_avx512(const uint8_t *text, size_t ngram, uint64_t seed, uint32_t *hashes,
                            size_t count);
uint64_t shimhub_spaces_avx2(const uint8_t *from);

#endif
