/* Texts as hashes of their shingles. */
#include "shingles.h"

enum { BATCH = 512 };

struct batch {
    const shimhub_shingling *shingling;
    shimhub_shingle_sink *sink;
    void *context;
    size_t count, words; /* hashes of shingles; hashes of words that wait for the next one */
    uint32_t hashes[BATCH];
    uint8_t word_hashes[8 * (BATCH + SHIMHUB_NGRAM_MAX)]; /* little-endian */
};

/* The arrays are left as they are: most texts fill little of them. */
static void begin(struct batch *batch, const shimhub_shingling *shingling,
                  shimhub_shingle_sink *sink, void *context)
{
    batch->shingling = shingling;
    batch->sink = sink;
    batch->context = context;
    batch->count = batch->words = 0;
}

SHIMHUB_INLINE uint64_t hash(const shimhub_shingling *shingling, const uint8_t *data, size_t size)
{
    if (size <= 128)
        return xxh3_64_short(data, size, shingling->seed);
    return shimhub_xxh3_64_one(data, size, shingling->seed, shingling->secret, shingling->lane);
}

static void flush(struct batch *batch)
{
    if (batch->count > 0)
        batch->sink(batch->context, batch->hashes, batch->count);
    batch->count = 0;
}

SHIMHUB_INLINE void put(struct batch *batch, uint64_t hash)
{
    if (batch->count == BATCH)
        flush(batch);
    batch->hashes[batch->count++] = (uint32_t)hash;
}

/* The end of the character at `from`, which is before `end`. */
SHIMHUB_INLINE const uint8_t *next_char(const uint8_t *from, const uint8_t *end)
{
    do {
        from++;
    } while (from < end && (*from & 0xc0) == 0x80);
    return from;
}

static bool is_ascii(const uint8_t *text, size_t size)
{
    uint64_t found = 0;
    size_t i = 0;
    for (; size - i >= 8; i += 8)
        found |= load_le64(text + i);
    for (; i < size; i++)
        found |= text[i];
    return (found & UINT64_C(0x8080808080808080)) == 0;
}

/* A character a byte, and at least ngram of them. */
static void shingle_ascii(struct batch *batch, const uint8_t *text, size_t size)
{
    const shimhub_shingling *shingling = batch->shingling;
    const size_t ngram = shingling->ngram;
    for (size_t left = size - ngram + 1; left > 0;) {
        const uint8_t *from = text + (size - ngram + 1 - left);
        size_t count = left < BATCH ? left : BATCH, done = 0;
        size_t readable = (size_t)(text + size - from);
        if (shingling->windows != NULL && readable >= 16) {
            done = (readable - 8 < count ? readable - 8 : count) & ~(size_t)7;
            shingling->windows(from, ngram, shingling->seed, batch->hashes, done);
        }
        for (; done < count; done++)
            batch->hashes[done] = (uint32_t)hash(shingling, from + done, ngram);
        batch->count = count;
        flush(batch);
        left -= count;
    }
}

static void shingle_chars(struct batch *batch, const uint8_t *text, const uint8_t *end)
{
    if ((size_t)(end - text) >= batch->shingling->ngram && is_ascii(text, (size_t)(end - text))) {
        shingle_ascii(batch, text, (size_t)(end - text));
        return;
    }
    const shimhub_shingling *shingling = batch->shingling;
    const uint8_t *from = text, *to = text;
    for (size_t i = 0; i < shingling->ngram && to < end; i++)
        to = next_char(to, end);
    if (from < to)
        put(batch, hash(shingling, from, (size_t)(to - from)));
    while (to < end) {
        from = next_char(from, end);
        to = next_char(to, end);
        put(batch, hash(shingling, from, (size_t)(to - from)));
    }
}

/* Words wait until there are BATCH shingles of them; the last ngram - 1 wait for the next ones. */
static void shingle_waiting(struct batch *batch)
{
    const size_t ngram = batch->shingling->ngram;
    size_t shingles = batch->words < ngram ? 0 : batch->words - ngram + 1;
    for (size_t i = 0; i < shingles; i++)
        put(batch, hash(batch->shingling, batch->word_hashes + 8 * i, 8 * ngram));
    memmove(batch->word_hashes, batch->word_hashes + 8 * shingles, 8 * (batch->words - shingles));
    batch->words -= shingles;
}

SHIMHUB_INLINE void put_word(struct batch *batch, uint64_t hashed)
{
    if (batch->shingling->ngram == 1) {
        put(batch, hashed);
        return;
    }
    if (batch->words == BATCH + SHIMHUB_NGRAM_MAX)
        shingle_waiting(batch);
    store_le64(batch->word_hashes + 8 * batch->words++, hashed);
}

/* total: how many words there were. */
static void end_words(struct batch *batch, size_t total)
{
    if (total > 0 && total < batch->shingling->ngram)
        put(batch, hash(batch->shingling, batch->word_hashes, 8 * total));
    else if (batch->shingling->ngram > 1)
        shingle_waiting(batch);
}

/* The size of the white space at `from`, or 0: Unicode's White_Space and the separators 1C to 1F,
 * as in Python's str.split(). */
SHIMHUB_INLINE size_t space(const uint8_t *from, const uint8_t *end)
{
    uint8_t first = *from;
    if (first < 0x80)
        return first == ' ' || (first >= '\t' && first <= '\r') || (first >= 0x1c && first < 0x20);
    if (first == 0xc2 && end - from >= 2)
        return from[1] == 0x85 || from[1] == 0xa0 ? 2 : 0;
    if ((first != 0xe1 && first != 0xe2 && first != 0xe3) || end - from < 3)
        return 0;
    uint32_t point = (first & 15u) << 16 | (uint32_t)from[1] << 8 | from[2];
    bool is_general = (point >= 0x28080 && point <= 0x2808a) || point == 0x280a8 ||
                      point == 0x280a9 || point == 0x280af || point == 0x2819f;
    return is_general || point == 0x19a80 || point == 0x38080 ? 3 : 0;
}

/* Whether a byte is white space, or the first of some. */
SHIMHUB_INLINE bool begins_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || (byte >= 0x1c && byte < 0x20) ||
           byte == 0xc2 || (byte >= 0xe1 && byte <= 0xe3);
}

static uint64_t spaces_portable(const uint8_t *from)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < 64; i++)
        found |= (uint64_t)begins_space(from[i]) << i;
    return found;
}

struct splitter {
    struct batch *batch;
    const uint8_t *word, *end; /* where the word begins that was not ended yet; the text's end */
    size_t total;
};

SHIMHUB_INLINE void end_word(struct splitter *splitter, const uint8_t *at)
{
    if (at == splitter->word)
        return;
    size_t size = (size_t)(at - splitter->word);
    put_word(splitter->batch, hash(splitter->batch->shingling, splitter->word, size));
    splitter->total++;
}

/* `found` has a bit for each of the next 64 bytes (or fewer) that may be white space. */
static void split(struct splitter *splitter, const uint8_t *from, uint64_t found)
{
    for (; found != 0; found &= found - 1) {
        const uint8_t *at = from + trailing_zeros64(found);
        size_t size = space(at, splitter->end);
        if (size == 0)
            continue;
        end_word(splitter, at);
        splitter->word = at + size;
    }
}

static void shingle_text_words(struct batch *batch, const uint8_t *at, const uint8_t *end)
{
    struct splitter splitter = {batch, at, end, 0};
    for (; end - at >= 64; at += 64)
        split(&splitter, at, batch->shingling->spaces(at));
    if (at < end) {
        uint8_t rest[64] = {0};
        memcpy(rest, at, (size_t)(end - at));
        split(&splitter, at, batch->shingling->spaces(rest));
    }
    end_word(&splitter, end);
    end_words(batch, splitter.total);
}

void shimhub_shingling_begin(shimhub_shingling *shingling, uint64_t seed)
{
    shingling->seed = seed;
    shingling->lane = shimhub_xxh3_lane();
    shimhub_xxh3_derive(seed, shingling->secret);
    shingling->windows = NULL;
    shingling->spaces = spaces_portable;
#if SHIMHUB_X86_LANES
    if (shimhub_has_lane(SHIMHUB_LANE_AVX512) && shingling->ngram >= 4 && shingling->ngram <= 8)
        shingling->windows = shimhub_windows_avx512;
    if (shimhub_has_lane(SHIMHUB_LANE_AVX2))
        shingling->spaces = shimhub_spaces_avx2;
#endif
}

void shimhub_shingle_text(const shimhub_shingling *shingling, const shimhub_bytes *text,
                          shimhub_shingle_sink *sink, void *context)
{
    struct batch batch;
    begin(&batch, shingling, sink, context);
    if (text->size == 0)
        return;
    const uint8_t *data = text->data;
    if (shingling->unit == SHIMHUB_UNIT_CHAR)
        shingle_chars(&batch, data, data + text->size);
    else
        shingle_text_words(&batch, data, data + text->size);
    flush(&batch);
}

void shimhub_shingle_hashes(const shimhub_shingling *shingling, const uint64_t *words,
                            size_t count, shimhub_shingle_sink *sink, void *context)
{
    struct batch batch;
    begin(&batch, shingling, sink, context);
    for (size_t i = 0; i < count; i++)
        put_word(&batch, words[i]);
    end_words(&batch, count);
    flush(&batch);
}
