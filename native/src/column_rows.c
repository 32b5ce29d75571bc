/* The rows of columns as bytes: where they lie, or as their canonical encoding. */
#include "columns.h"
#include "rows.h"

static const uint8_t nothing[1];

/* Whether equal rows are equal bytes in one place. */
static bool lies_flat(const shimhub_column *column, shimhub_rows_use use)
{
    if (column->kind == SHIMHUB_COLUMN_BINARY)
        return true;
    if (use == SHIMHUB_ROWS_CANONICAL)
        return false;
    if (column->kind == SHIMHUB_COLUMN_FIXED)
        return true;
    const shimhub_column *child = column->children;
    return (column->kind == SHIMHUB_COLUMN_LIST || column->kind == SHIMHUB_COLUMN_FIXED_LIST) &&
           child->kind == SHIMHUB_COLUMN_FIXED && child->validity.data == NULL;
}

/* Bytes of what the row is made of: the column's own, or its child's values. */
static int64_t unit(const shimhub_column *column)
{
    if (column->kind == SHIMHUB_COLUMN_BINARY)
        return 1;
    return column->kind == SHIMHUB_COLUMN_FIXED ? column->width : column->children->width;
}

/* Whether rows of both can be compared as they lie. */
static bool alike(const shimhub_column *a, const shimhub_column *b)
{
    return a->kind == b->kind && unit(a) == unit(b) &&
           (a->kind != SHIMHUB_COLUMN_FIXED_LIST || a->width == b->width);
}

static bool all_flat(const shimhub_column_rows *source, shimhub_rows_use use)
{
    for (size_t i = 0; i < source->count; i++) {
        if (!lies_flat(&source->chunks[i], use))
            return false;
        if (!alike(&source->chunks[0], &source->chunks[i]))
            return false;
    }
    return true;
}

static size_t chunk_of(const shimhub_column_rows *source, size_t row)
{
    size_t low = 0, high = source->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (source->starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static shimhub_bytes flat_row(const shimhub_column *column, int64_t row)
{
    const shimhub_column *child = column->children;
    const char *data = child ? child->data.data : column->data.data;
    int64_t first = row, count = 1, width = unit(column);
    if (column->kind == SHIMHUB_COLUMN_FIXED_LIST) {
        first = row * column->width;
        count = column->width;
    } else if (column->kind != SHIMHUB_COLUMN_FIXED) {
        first = shimhub_column_offset(column, row);
        count = shimhub_column_offset(column, row + 1) - first;
    }
    if (child)
        first += child->offset;
    shimhub_bytes bytes = {nothing, (size_t)(count * width)};
    if (bytes.size > 0)
        bytes.data = data + first * width;
    return bytes;
}

/* Puts `count` rows of one chunk at place `at` of the block. */
static void view_flat_chunk(const shimhub_column *column, int64_t row, size_t count, size_t at,
                            shimhub_block *block)
{
    if (column->validity.data == NULL)
        memset(block->tags + at, SHIMHUB_TAG_BYTES, count);
    for (size_t i = 0; i < count; i++, row++) {
        block->bytes[at + i] = flat_row(column, row);
        if (column->validity.data == NULL)
            continue;
        bool valid = shimhub_bit(column->validity.data, row);
        block->tags[at + i] = valid ? SHIMHUB_TAG_BYTES : SHIMHUB_TAG_NULL;
        if (!valid)
            block->bytes[at + i].size = 0;
    }
}

static shimhub_status view_flat(const void *rows, size_t first, size_t count, shimhub_block *block)
{
    const shimhub_column_rows *source = rows;
    size_t chunk = chunk_of(source, first), at = 0;
    while (at < count) {
        const shimhub_column *column = &source->chunks[chunk];
        size_t left = source->starts[chunk + 1] - (first + at);
        size_t part = left < count - at ? left : count - at;
        int64_t row = column->offset + (int64_t)(first + at - source->starts[chunk]);
        view_flat_chunk(column, row, part, at, block);
        at += part;
        chunk++;
    }
    return SHIMHUB_OK;
}

static void prefetch_flat(const void *rows, size_t row)
{
    const shimhub_column_rows *source = rows;
    size_t chunk = chunk_of(source, row);
    const shimhub_column *column = &source->chunks[chunk];
    int64_t at = column->offset + (int64_t)(row - source->starts[chunk]);
    if (column->offsets.data != NULL)
        SHIMHUB_PREFETCH((const char *)column->offsets.data + at * column->width);
}

shimhub_row_place shimhub_column_rows_find(const shimhub_column_rows *source, size_t row)
{
    return (shimhub_row_place){chunk_of(source, row), row, 0};
}

const shimhub_column *shimhub_column_rows_next(const shimhub_column_rows *source,
                                               shimhub_row_place *place)
{
    while (place->next == source->starts[place->chunk + 1])
        place->chunk++;
    const shimhub_column *column = &source->chunks[place->chunk];
    place->row = column->offset + (int64_t)(place->next++ - source->starts[place->chunk]);
    return column;
}

static shimhub_status view_encoded(const void *rows, size_t first, size_t count,
                                   shimhub_block *block)
{
    const shimhub_column_rows *source = rows;
    shimhub_row_place place = shimhub_column_rows_find(source, first);
    block->arena.used = 0;
    memset(block->tags, SHIMHUB_TAG_BYTES, count);
    for (size_t i = 0; i < count; i++) {
        const shimhub_column *column = shimhub_column_rows_next(source, &place);
        size_t before = block->arena.used;
        if (!shimhub_encode(column, place.row, 1, &block->arena))
            return SHIMHUB_NO_MEMORY;
        block->bytes[i].size = block->arena.used - before;
    }
    const uint8_t *at = block->arena.data;
    for (size_t i = 0; i < count; at += block->bytes[i++].size)
        block->bytes[i].data = at;
    return SHIMHUB_OK;
}

/* Whether all chunks are structs of one field that are never null: equal if their fields are. */
static bool are_wrapped(const shimhub_column_rows *source)
{
    for (size_t i = 0; i < source->count; i++) {
        const shimhub_column *chunk = &source->chunks[i];
        if (chunk->kind != SHIMHUB_COLUMN_STRUCT || chunk->children_count != 1 ||
            chunk->validity.data != NULL)
            return false;
    }
    return source->count > 0;
}

static void unwrap(shimhub_column_rows *source)
{
    for (size_t i = 0; i < source->count; i++) {
        shimhub_column child = source->chunks[i].children[0];
        child.offset += source->chunks[i].offset;
        child.length = source->chunks[i].length;
        source->chunks[i] = child;
    }
}

/* Takes the chunks that have rows. */
static shimhub_status take_chunks(const shimhub_column *chunks, size_t count,
                                  shimhub_column_rows *source)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t row;
        shimhub_status status = shimhub_column_check(&chunks[i], &row);
        if (status != SHIMHUB_OK)
            return status;
        if (chunks[i].length == 0)
            continue;
        if ((uint64_t)chunks[i].length > PTRDIFF_MAX - rows)
            return SHIMHUB_OVERFLOW;
        source->chunks[source->count] = chunks[i];
        source->starts[source->count++] = rows;
        rows += (size_t)chunks[i].length;
    }
    source->starts[source->count] = rows;
    return SHIMHUB_OK;
}

shimhub_status shimhub_column_rows_open(const shimhub_column *chunks, size_t count,
                                        shimhub_rows_use use, shimhub_column_rows *source,
                                        shimhub_rows *rows)
{
    memset(source, 0, sizeof *source);
    if (chunks == NULL && count > 0)
        return SHIMHUB_BAD_ARGUMENT;
    if (count >= SIZE_MAX / sizeof *source->chunks)
        return SHIMHUB_NO_MEMORY;
    source->chunks = malloc((count + 1) * sizeof *source->chunks);
    source->starts = malloc((count + 1) * sizeof *source->starts);
    if (source->chunks == NULL || source->starts == NULL)
        return SHIMHUB_NO_MEMORY;
    shimhub_status status = take_chunks(chunks, count, source);
    if (status != SHIMHUB_OK)
        return status;
    while (use == SHIMHUB_ROWS_COMPARED && are_wrapped(source))
        unwrap(source);
    bool flat = all_flat(source, use);
    *rows = (shimhub_rows){source, source->starts[source->count], flat ? view_flat : view_encoded,
                           flat ? prefetch_flat : NULL};
    return SHIMHUB_OK;
}

void shimhub_column_rows_close(shimhub_column_rows *source)
{
    free(source->chunks);
    free(source->starts);
}
