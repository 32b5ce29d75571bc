/* MinHash and LSH keys: vectors, every lane and number of threads alike, bad arguments. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define PORTABLE (UINT32_C(1) << SHIMHUB_LANE_PORTABLE)

enum { SEED = 7, TEXTS = 70, LONGEST = 2600, PERMUTATIONS = 128 };

static const struct {
    const char *text;
    shimhub_unit unit;
    size_t ngram;
    uint32_t signature[4];
} vectors[] = {
    /* Of shimhub/kernels/_reference/minhash.py. */
    {"", SHIMHUB_UNIT_CHAR, 2, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
    {"a", SHIMHUB_UNIT_CHAR, 2, {0x72704230, 0xe663659b, 0x742c6a3c, 0xc8bff4cc}},
    {"ab", SHIMHUB_UNIT_CHAR, 2, {0x0d1a891e, 0x8de5b595, 0x2aba1282, 0x010022a2}},
    {"abc", SHIMHUB_UNIT_CHAR, 2, {0x0d1a891e, 0x7965678e, 0x2aba1282, 0x010022a2}},
    {"h\xc3\xa9llo", SHIMHUB_UNIT_CHAR, 2, {0x16511f3f, 0x36dbcb5e, 0x16432059, 0x06c51bfc}},
    {"abc", SHIMHUB_UNIT_CHAR, 5, {0x083b5a02, 0xba49bfe1, 0x64d1ffb6, 0x50952eb6}},
    {"h\xc3\xa9llo", SHIMHUB_UNIT_CHAR, 5, {0x31ae9fb2, 0xd9f8e471, 0xdee21526, 0x4d6b5ea6}},
    {"abcdefghijabcdefghijabcdefghij",
     SHIMHUB_UNIT_CHAR,
     5,
     {0x164abfa4, 0x07baede3, 0x18b28f52, 0x140ebbf4}},
    {" a", SHIMHUB_UNIT_WORD, 2, {0x4c975910, 0x1bc29d3b, 0xf2ffb69c, 0x8cc25a2c}},
    {"a  b", SHIMHUB_UNIT_WORD, 2, {0x4b950eca, 0x24dc0579, 0x320c491e, 0xa5019dde}},
    {"a\xc2\xa0" "b\tc", SHIMHUB_UNIT_WORD, 2, {0x4b950eca, 0x22d96b11, 0x320c491e, 0xa5019dde}},
    {"\xe3\x80\x80 x\xe2\x80\x83y\x1cz ",
     SHIMHUB_UNIT_WORD,
     2,
     {0x1ef31b0d, 0x7651c3ba, 0x4030e677, 0x4009f20f}},
};

static void signatures_are_those_of_the_reference(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        shimhub_bytes text = {vectors[i].text, strlen(vectors[i].text)};
        uint32_t found[4];
        CHECK(shimhub_minhash(&text, 1, vectors[i].unit, vectors[i].ngram, SEED, 4, 1, found) ==
              SHIMHUB_OK);
        CHECK(memcmp(vectors[i].signature, found, sizeof found) == 0);
    }
}

static void keys_are_those_of_the_reference(void)
{
    static const uint64_t expected[4] = {
        UINT64_C(0xf9dc5e183a3e9048), UINT64_C(0xfcb539ade1fd2eb0), UINT64_C(0x568bd22384f563dc),
        UINT64_C(0xfcb539ade1fd2eb0)};
    const shimhub_bytes texts[2] = {{"abc", 3}, {"abcd", 4}};
    uint32_t signatures[8];
    uint64_t keys[4];
    CHECK(shimhub_minhash(texts, 2, SHIMHUB_UNIT_CHAR, 2, SEED, 4, 1, signatures) == SHIMHUB_OK);
    CHECK(shimhub_lsh_bands(signatures, 2, 4, 2, 5, keys) == SHIMHUB_OK);
    CHECK(memcmp(expected, keys, sizeof keys) == 0);
}

/* Letters and blanks, and in every third text any byte. Each ends where its memory does. */
static shimhub_bytes random_text(uint64_t *state, size_t index)
{
    size_t size = index < 40 ? index : (size_t)(next_random(state) % LONGEST);
    uint8_t *bytes = malloc(size ? size : 1);
    if (bytes == NULL)
        abort();
    for (size_t i = 0; i < size; i++) {
        uint64_t random = next_random(state);
        bytes[i] = (uint8_t)(index % 3 == 2 ? random : random % 5 == 0 ? ' ' : 'a' + random % 26);
    }
    /* A word that is longer than short hashes are for. */
    if (index % 7 == 0 && size > 600)
        memset(bytes + 100, 'w', 500);
    return (shimhub_bytes){bytes, size};
}

static void sign_with(uint32_t lanes, const shimhub_bytes *texts, shimhub_unit unit, size_t ngram,
                      size_t num_perm, unsigned threads, uint32_t *signatures)
{
    uint32_t before = shimhub_lanes();
    shimhub_lanes_use(lanes);
    CHECK(shimhub_minhash(texts, TEXTS, unit, ngram, SEED, num_perm, threads, signatures) ==
          SHIMHUB_OK);
    shimhub_lanes_use(before);
}

static void lanes_and_threads_agree(void)
{
    static const size_t ngrams[] = {1, 3, 4, 5, 8, 9, 17, SHIMHUB_NGRAM_MAX};
    static const size_t sizes[] = {1, 8, 15, 16, 33, 64, 127, PERMUTATIONS};
    static uint32_t expected[TEXTS * PERMUTATIONS], found[TEXTS * PERMUTATIONS];
    shimhub_bytes texts[TEXTS];
    uint64_t state = 1;
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = random_text(&state, i);
    for (size_t i = 0; i < 16; i++) {
        shimhub_unit unit = i & 1 ? SHIMHUB_UNIT_WORD : SHIMHUB_UNIT_CHAR;
        size_t ngram = ngrams[i / 2], num_perm = sizes[i / 2];
        sign_with(PORTABLE, texts, unit, ngram, num_perm, 1, expected);
        sign_with(shimhub_lanes(), texts, unit, ngram, num_perm, 1 + (unsigned)i % 4, found);
        CHECK(memcmp(expected, found, TEXTS * num_perm * sizeof *found) == 0);
    }
    for (size_t i = 0; i < TEXTS; i++)
        free((void *)(uintptr_t)texts[i].data);
}

/* More words than wait in a batch. */
static void words_by_their_hashes_are_words(void)
{
    enum { WORDS = 2000 };
    static uint8_t text[2 * WORDS];
    static shimhub_bytes words[WORDS];
    static uint64_t hashes[WORDS];
    const size_t starts[] = {0, 0, 1, WORDS};
    for (size_t i = 0; i < WORDS; i++) {
        text[2 * i] = (uint8_t)('a' + i * i % 26);
        text[2 * i + 1] = ' ';
        words[i] = (shimhub_bytes){text + 2 * i, 1};
    }
    const shimhub_bytes texts[] = {{NULL, 0}, {text, 1}, {text + 2, sizeof text - 2}};
    CHECK(shimhub_xxh3_64(words, WORDS, SEED, hashes) == SHIMHUB_OK);
    for (size_t ngram = 1; ngram <= SHIMHUB_NGRAM_MAX; ngram += ngram < 4 ? 1 : 63) {
        uint32_t expected[3 * PERMUTATIONS], found[3 * PERMUTATIONS];
        CHECK(shimhub_minhash(texts, 3, SHIMHUB_UNIT_WORD, ngram, SEED, PERMUTATIONS, 1,
                              expected) == SHIMHUB_OK);
        CHECK(shimhub_minhash_hashes(hashes, starts, 3, ngram, SEED, PERMUTATIONS, 2, found) ==
              SHIMHUB_OK);
        CHECK(memcmp(expected, found, sizeof found) == 0);
    }
}

static void bad_arguments_are_refused_and_nothing_is_written(void)
{
    const shimhub_bytes text = {"a", 1}, bad = {NULL, 1};
    const size_t falling[] = {1, 0}, one[] = {0, 1};
    const uint64_t hash = 1;
    uint32_t out = 0;
    uint64_t key = 0;
#define SIGN(texts, unit, ngram, num_perm, to)                                                 \
    shimhub_minhash(texts, 1, unit, ngram, SEED, num_perm, 1, to)
    CHECK(SIGN(&bad, SHIMHUB_UNIT_CHAR, 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(NULL, SHIMHUB_UNIT_CHAR, 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(&text, SHIMHUB_UNIT_CHAR, 1, 1, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(&text, SHIMHUB_UNIT_CHAR, 0, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(&text, SHIMHUB_UNIT_CHAR, SHIMHUB_NGRAM_MAX + 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(&text, SHIMHUB_UNIT_CHAR, 1, SHIMHUB_PERMUTATIONS_MAX + 1, &out) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(SIGN(&text, (shimhub_unit)2, 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_minhash_hashes(&hash, falling, 1, 1, 0, 1, 1, &out) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_minhash_hashes(&hash, NULL, 1, 1, 0, 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_minhash_hashes(NULL, one, 1, 1, 0, 1, 1, &out) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_lsh_bands(&out, 1, 1, 0, 0, &key) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_lsh_bands(&out, 1, 3, 2, 0, &key) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_lsh_bands(NULL, 1, 1, 1, 0, &key) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_lsh_bands(&out, 1, 0, 1, 0, &key) == SHIMHUB_BAD_ARGUMENT);
    CHECK(out == 0 && key == 0);
    CHECK(shimhub_minhash(NULL, 0, SHIMHUB_UNIT_CHAR, 1, 0, 1, 1, NULL) == SHIMHUB_OK);
    CHECK(SIGN(&text, SHIMHUB_UNIT_CHAR, 1, 0, NULL) == SHIMHUB_OK);
}

void test_minhash(void)
{
    signatures_are_those_of_the_reference();
    keys_are_those_of_the_reference();
    lanes_and_threads_agree();
    words_by_their_hashes_are_words();
    bad_arguments_are_refused_and_nothing_is_written();
}
