/* Columns of arbitrary bytes whose told sizes are true: what the check lets through can be hashed
 * and compared without a read outside of its buffers, and all ways give the same answer. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

#define NODES 24
#define DEPTH 6
#define ROWS_MAX 1024

typedef struct {
    const uint8_t *at, *end;
    shimhub_column nodes[NODES];
    void *buffers[3 * NODES];
    int nodes_count, buffers_count;
    int64_t most_rows;
} maker;

static uint64_t take(maker *m, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes && m->at < m->end; i++)
        value |= (uint64_t)*m->at++ << 8 * i;
    return value;
}

/* A copy of its own of that many bytes, so that the sanitizer knows its end. */
static shimhub_buffer take_buffer(maker *m)
{
    size_t size = take(m, 1), left = (size_t)(m->end - m->at);
    if (size > left)
        size = left;
    shimhub_buffer buffer = {NULL, 0};
    if (size == 0)
        return buffer;
    void *copy = malloc(size);
    memcpy(copy, m->at, size);
    m->at += size;
    m->buffers[m->buffers_count++] = copy;
    return (shimhub_buffer){copy, (int64_t)size};
}

static int64_t take_length(maker *m)
{
    uint64_t first = take(m, 1);
    int64_t length = (int64_t)first;
    if (first == 255)
        length = (int64_t)take(m, 8); /* anything */
    else if (first >= 250)
        length = (int64_t)take(m, 2);
    if (length > m->most_rows)
        m->most_rows = length;
    return length;
}

static void fill(maker *m, shimhub_column *column, int depth)
{
    static const int64_t widths[] = {4, 8, 4, 8, 2, 1, 0, 3};
    column->kind = (int32_t)take(m, 1) % 9;
    uint64_t width = take(m, 1);
    column->width = width < 248 ? widths[width % 8] : take_length(m);
    column->length = take_length(m);
    column->offset = take_length(m);
    column->validity = take_buffer(m);
    column->offsets = take_buffer(m);
    column->data = take_buffer(m);
    int count = column->kind >= SHIMHUB_COLUMN_LIST ? (int)take(m, 1) % 4 : 0;
    if (depth == DEPTH || m->nodes_count + count > NODES)
        count = 0;
    column->children_count = count;
    column->children = count ? &m->nodes[m->nodes_count] : NULL;
    m->nodes_count += count;
    for (int i = 0; i < count; i++)
        fill(m, (shimhub_column *)&column->children[i], depth + 1);
}

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void use(const shimhub_column *column)
{
    static uint8_t digests[2][ROWS_MAX * 32];
    static int64_t kept[3][ROWS_MAX], seen_kept[ROWS_MAX];
    size_t count[3], seen_count, rows = (size_t)column->length;
    shimhub_seen *seen = NULL;
    expect(shimhub_digest_columns(column, 1, SHIMHUB_SHA256, 0, 1, digests[0]) == SHIMHUB_OK);
    shimhub_column halves[2] = {*column, *column};
    halves[0].length = column->length / 2;
    halves[1].offset += halves[0].length;
    halves[1].length -= halves[0].length;
    expect(shimhub_digest_columns(halves, 2, SHIMHUB_SHA256, 0, 1, digests[1]) == SHIMHUB_OK);
    expect(memcmp(digests[0], digests[1], 32 * rows) == 0);
    expect(shimhub_deduplicate(column, 1, true, 1, 1, kept[0], &count[0]) == SHIMHUB_OK);
    expect(shimhub_deduplicate(halves, 2, true, 2, 1, kept[1], &count[1]) == SHIMHUB_OK);
    expect(shimhub_deduplicate(halves, 2, false, 3, 1, kept[2], &count[2]) == SHIMHUB_OK);
    expect(shimhub_seen_new(4, &seen) == SHIMHUB_OK);
    expect(shimhub_seen_add(seen, digests[0], rows, seen_kept, &seen_count) == SHIMHUB_OK);
    shimhub_seen_free(seen);
    for (int i = 0; i < 3; i++) {
        expect(count[i] == seen_count);
        expect(memcmp(kept[i], seen_kept, count[i] * sizeof **kept) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    maker m;
    memset(&m, 0, sizeof m);
    m.at = bytes;
    m.end = bytes + size;
    m.nodes_count = 1;
    fill(&m, &m.nodes[0], 0);
    int64_t row;
    shimhub_status status = shimhub_column_check(&m.nodes[0], &row);
    expect(status == SHIMHUB_OK || status == SHIMHUB_BAD_ARGUMENT ||
           status == SHIMHUB_BAD_OFFSETS);
    expect(row >= -1 && (row == -1 || (row < m.nodes[0].length && status != SHIMHUB_OK)));
    /* What has no bytes may have as many rows as a number can tell: right, and endless to walk. */
    if (status == SHIMHUB_OK && m.nodes[0].length <= ROWS_MAX && m.most_rows <= 4096)
        use(&m.nodes[0]);
    while (m.buffers_count > 0)
        free(m.buffers[--m.buffers_count]);
    return 0;
}
