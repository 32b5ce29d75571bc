/* Digests of rows, first rows, and the set of what was seen. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rows.h"
#include "utf8.h"

#define BUFFER(array) {array, sizeof array}
#define ROWS 3000

/* A column of short random strings, some of them null, and its first rows by comparing all. */
struct strings {
    char data[8 * ROWS];
    int32_t offsets[ROWS + 1];
    uint8_t validity[ROWS / 8 + 1];
    int64_t firsts[ROWS];
    size_t firsts_count;
    shimhub_column column;
};

static bool are_equal(const struct strings *s, int i, int j)
{
    bool valid_i = s->validity[i / 8] >> i % 8 & 1, valid_j = s->validity[j / 8] >> j % 8 & 1;
    int32_t size = s->offsets[i + 1] - s->offsets[i];
    if (!valid_i || !valid_j)
        return valid_i == valid_j;
    return size == s->offsets[j + 1] - s->offsets[j] &&
           memcmp(s->data + s->offsets[i], s->data + s->offsets[j], (size_t)size) == 0;
}

static void make_strings(struct strings *s, uint64_t state)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < ROWS; i++) {
        uint64_t random = next_random(&state);
        int32_t size = (int32_t)(random % 6), at = s->offsets[i];
        for (int32_t j = 0; j < size; j++)
            s->data[at + j] = (char)('a' + (random >> (8 + 4 * j)) % 3);
        s->offsets[i + 1] = at + size;
        if (random >> 32 & 15)
            s->validity[i / 8] |= (uint8_t)(1 << i % 8);
    }
    for (int i = 0; i < ROWS; i++) {
        int j = 0;
        while (!are_equal(s, i, j))
            j++;
        if (j == i)
            s->firsts[s->firsts_count++] = i;
    }
    s->column = (shimhub_column){.kind = SHIMHUB_COLUMN_BINARY, .width = 4, .length = ROWS,
                                 .validity = BUFFER(s->validity), .offsets = BUFFER(s->offsets),
                                 .data = BUFFER(s->data)};
}

static void first_rows_are_those_of_comparing_all(void)
{
    static struct strings s;
    static int64_t kept[ROWS];
    make_strings(&s, 1);
    for (unsigned threads = 0; threads < 4; threads++) {
        for (int exact = 0; exact < 2; exact++) {
            size_t count = 0;
            CHECK(shimhub_deduplicate(&s.column, 1, exact, threads, threads, kept, &count) ==
                  SHIMHUB_OK);
            CHECK(count == s.firsts_count);
            CHECK(memcmp(kept, s.firsts, count * sizeof *kept) == 0);
        }
    }
}

static void chunks_do_not_matter(void)
{
    static struct strings s;
    static int64_t kept[ROWS];
    static uint8_t whole[ROWS * 32], parts[ROWS * 32];
    make_strings(&s, 2);
    shimhub_column chunks[4];
    int64_t ends[] = {0, 1, 1, 700, ROWS};
    for (int i = 0; i < 4; i++) {
        chunks[i] = s.column;
        chunks[i].offset = ends[i];
        chunks[i].length = ends[i + 1] - ends[i];
    }
    size_t count = 0;
    CHECK(shimhub_deduplicate(chunks, 4, true, 3, 1, kept, &count) == SHIMHUB_OK);
    CHECK(count == s.firsts_count);
    CHECK(memcmp(kept, s.firsts, count * sizeof *kept) == 0);
    for (int i = 0; i < 2; i++) {
        shimhub_digest_kind kind = i == 0 ? SHIMHUB_SHA256 : SHIMHUB_XXH3_128;
        CHECK(shimhub_digest_columns(&s.column, 1, kind, 5, 1, whole) == SHIMHUB_OK);
        CHECK(shimhub_digest_columns(chunks, 4, kind, 5, 3, parts) == SHIMHUB_OK);
        CHECK(memcmp(whole, parts, (kind == SHIMHUB_SHA256 ? 32 : 16) * ROWS) == 0);
    }
}

static shimhub_status constant(const shimhub_bytes *rows, size_t count, uint64_t seed,
                               shimhub_hash128 *hashes)
{
    (void)rows, (void)seed;
    memset(hashes, 0, count * sizeof *hashes);
    return SHIMHUB_OK;
}

static shimhub_status crowded(const shimhub_bytes *rows, size_t count, uint64_t seed,
                              shimhub_hash128 *hashes)
{
    shimhub_status status = shimhub_xxh3_128(rows, count, seed, hashes);
    for (size_t i = 0; i < count; i++)
        hashes[i].low = 7;
    return status;
}

static void exact_needs_no_good_hash(void)
{
    static struct strings s;
    static int64_t kept[ROWS];
    make_strings(&s, 3);
    shimhub_column_rows source;
    shimhub_rows rows;
    CHECK(shimhub_column_rows_open(&s.column, 1, SHIMHUB_ROWS_COMPARED, &source, &rows) ==
          SHIMHUB_OK);
    shimhub_hash_function *bad[] = {constant, crowded};
    for (int i = 0; i < 2; i++) {
        for (unsigned threads = 1; threads < 3; threads++) {
            size_t count = 0;
            CHECK(shimhub_dedup_rows(&rows, bad[i], true, 1, threads, kept, &count) ==
                  SHIMHUB_OK);
            CHECK(count == s.firsts_count);
            CHECK(memcmp(kept, s.firsts, count * sizeof *kept) == 0);
        }
    }
    shimhub_column_rows_close(&source);
}

/* All rows differ and collide: quadratic, if it were not noticed. */
static void collisions_are_noticed(void)
{
    enum { MANY = 300000 };
    int32_t *values = malloc(MANY * sizeof *values);
    int64_t *kept = malloc(MANY * sizeof *kept);
    shimhub_column_rows source;
    shimhub_rows rows;
    size_t count = 0;
    for (int i = 0; i < MANY; i++)
        values[i] = i;
    shimhub_column column = {.kind = SHIMHUB_COLUMN_FIXED, .width = 4, .length = MANY,
                             .data = {values, MANY * sizeof *values}};
    CHECK(shimhub_column_rows_open(&column, 1, SHIMHUB_ROWS_COMPARED, &source, &rows) ==
          SHIMHUB_OK);
    CHECK(shimhub_dedup_rows(&rows, constant, true, 1, 1, kept, &count) == SHIMHUB_OK);
    CHECK(count == MANY);
    CHECK(shimhub_dedup_rows(&rows, crowded, false, 1, 2, kept, &count) == SHIMHUB_OK);
    CHECK(count == MANY);
    shimhub_column_rows_close(&source);
    free(values);
    free(kept);
}

static void floats_are_equal_by_value(void)
{
    double values[] = {0.0, -0.0, 1.0, 0, 0, 0.0};
    uint64_t nans[] = {UINT64_C(0x7ff8000000000000), UINT64_C(0xfff0000000000001)};
    memcpy(values + 3, nans, sizeof nans);
    int64_t kept[6];
    size_t count = 0;
    shimhub_column column = {
        .kind = SHIMHUB_COLUMN_FLOAT, .width = 8, .length = 6, .data = BUFFER(values)};
    CHECK(shimhub_deduplicate(&column, 1, true, 0, 1, kept, &count) == SHIMHUB_OK);
    CHECK(count == 3);
    CHECK(kept[0] == 0 && kept[1] == 2 && kept[2] == 3);
}

static void bad_columns_write_nothing(void)
{
    int32_t offsets[] = {0, 3, 1};
    int64_t kept[2] = {-1, -1};
    size_t count = 77;
    uint8_t digests[64] = {0};
    shimhub_column column = {.kind = SHIMHUB_COLUMN_BINARY, .width = 4, .length = 2,
                             .offsets = BUFFER(offsets), .data = {"abc", 3}};
    CHECK(shimhub_deduplicate(&column, 1, true, 0, 1, kept, &count) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_deduplicate(NULL, 1, true, 0, 1, kept, &count) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_digest_columns(&column, 1, SHIMHUB_SHA256, 0, 1, digests) ==
          SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_digest_columns(NULL, 0, 9, 0, 1, digests) == SHIMHUB_BAD_ARGUMENT);
    CHECK(kept[0] == -1 && count == 77 && digests[0] == 0);
    CHECK(shimhub_deduplicate(NULL, 0, true, 0, 1, NULL, &count) == SHIMHUB_OK);
    CHECK(count == 0);
}

static void seen_adds_what_is_new(void)
{
    enum { MANY = 5000 };
    static uint8_t digests[MANY][32];
    static int64_t kept[MANY];
    uint64_t state = 9;
    shimhub_seen *seen = NULL;
    for (int i = 0; i < MANY; i++) {
        uint64_t word = next_random(&state) % 1000;
        memcpy(digests[i], &word, sizeof word);
    }
    CHECK(shimhub_seen_new(1, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_seen_new(1, &seen) == SHIMHUB_OK);
    size_t count = 0, total = 0;
    for (size_t i = 0; i < MANY; i += 500) {
        CHECK(shimhub_seen_add(seen, digests[i], 500, kept, &count) == SHIMHUB_OK);
        for (size_t j = 0; j < count; j++) {
            const uint8_t *added = shimhub_seen_digests(seen) + 32 * (total + j);
            CHECK(memcmp(digests[i + (size_t)kept[j]], added, 32) == 0);
        }
        total += count;
        CHECK(shimhub_seen_count(seen) == total);
    }
    CHECK(total > 950 && total <= 1000);
    CHECK(shimhub_seen_add(seen, digests[0], MANY, kept, &count) == SHIMHUB_OK);
    CHECK(count == 0);
    CHECK(shimhub_seen_add(seen, NULL, 1, kept, &count) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_seen_add(NULL, NULL, 0, kept, &count) == SHIMHUB_BAD_ARGUMENT);
    shimhub_seen_free(seen);
    shimhub_seen_free(NULL);
}

static void sign(uint8_t *file, size_t size)
{
    shimhub_bytes message = {file, size - 32};
    CHECK(shimhub_sha256(&message, 1, file + size - 32) == SHIMHUB_OK);
}

static void files_are_read_if_all_is_right(void)
{
    uint8_t file[24 + 64 + 32] = "shimseen\1\0\0\0\x20\0\0\0\2\0\0\0\0\0\0\0";
    shimhub_seen *seen = NULL;
    file[24] = 1;
    sign(file, sizeof file);
    CHECK(shimhub_seen_parse(NULL, 0, 0, &seen) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_seen_parse(file, sizeof file, 0, &seen) == SHIMHUB_OK);
    CHECK(seen != NULL && shimhub_seen_count(seen) == 2);
    CHECK(seen != NULL && memcmp(shimhub_seen_digests(seen), file + 24, 64) == 0);
    shimhub_seen_free(seen);
    for (size_t size = 0; size < sizeof file; size++)
        CHECK(shimhub_seen_parse(file, size, 0, &seen) == SHIMHUB_BAD_FORMAT);
    for (size_t i = 0; i < sizeof file; i++) {
        file[i] ^= 4;
        CHECK(shimhub_seen_parse(file, sizeof file, 0, &seen) == SHIMHUB_BAD_FORMAT);
        if (i < 24) { /* with a right checksum, too */
            sign(file, sizeof file);
            CHECK(shimhub_seen_parse(file, sizeof file, 0, &seen) == SHIMHUB_BAD_FORMAT);
        }
        file[i] ^= 4;
        sign(file, sizeof file);
    }
    file[24] = 0; /* both digests are the same now */
    sign(file, sizeof file);
    CHECK(shimhub_seen_parse(file, sizeof file, 0, &seen) == SHIMHUB_BAD_FORMAT);
}

static void points_are_written_as_utf8(void)
{
    const uint8_t narrow[] = {'a', 0x7f, 0x80, 0xff};
    const uint16_t middle[] = {0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff}, lone[] = {'a', 0xd800};
    const uint32_t wide[] = {'b', 0x10000, 0x10ffff}, lone_wide[] = {0xdfff};
    uint8_t out[16];
    shimhub_text text = {narrow, 4, 1};
    CHECK(shimhub_utf8_size(text) == 6);
    CHECK(shimhub_utf8_write(text, out) == out + 6);
    CHECK(memcmp(out, "a\x7f\xc2\x80\xc3\xbf", 6) == 0);
    text = (shimhub_text){middle, 5, 2};
    CHECK(shimhub_utf8_size(text) == 14);
    CHECK(shimhub_utf8_write(text, out) == out + 14);
    CHECK(memcmp(out, "\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 14) == 0);
    text = (shimhub_text){wide, 3, 4};
    CHECK(shimhub_utf8_size(text) == 9);
    CHECK(shimhub_utf8_write(text, out) == out + 9);
    CHECK(memcmp(out, "b\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 9) == 0);
    CHECK(shimhub_utf8_size((shimhub_text){lone, 2, 2}) == SIZE_MAX);
    CHECK(shimhub_utf8_size((shimhub_text){lone_wide, 1, 4}) == SIZE_MAX);
}

void test_dedup(void)
{
    first_rows_are_those_of_comparing_all();
    chunks_do_not_matter();
    exact_needs_no_good_hash();
    collisions_are_noticed();
    floats_are_equal_by_value();
    bad_columns_write_nothing();
    seen_adds_what_is_new();
    files_are_read_if_all_is_right();
    points_are_written_as_utf8();
}
