/* Rows of columns as Python prints them, and the digests of that. */
#include "columns.h"
#include "repr.h"
#include "rows.h"

struct printer {
    const shimhub_repr_tables *tables;
    shimhub_arena *arena;
};

struct printing {
    shimhub_column_rows rows;
    const shimhub_repr *repr;
    shimhub_repr_tables tables;
};

static bool put(shimhub_arena *arena, const void *bytes, size_t count)
{
    uint8_t *at = shimhub_arena_take(arena, count);
    if (at != NULL && count > 0)
        memcpy(at, bytes, count);
    return at != NULL;
}

#define PUT(printer, literal) put((printer)->arena, literal, sizeof(literal) - 1)

static shimhub_status status_of(bool has_memory)
{
    return has_memory ? SHIMHUB_OK : SHIMHUB_NO_MEMORY;
}

/* The value i of a column of integers, as its magnitude. */
static inline uint64_t magnitude(const char *data, int64_t width, bool is_signed, int64_t i,
                                 int *negative)
{
    uint64_t value = 0;
    uint32_t word = 0;
    uint16_t half = 0;
    if (width == 8)
        memcpy(&value, data + 8 * i, 8);
    else if (width == 4)
        memcpy(&word, data + 4 * i, 4), value = is_signed ? (uint64_t)(int32_t)word : word;
    else if (width == 2)
        memcpy(&half, data + 2 * i, 2), value = is_signed ? (uint64_t)(int16_t)half : half;
    else
        value = is_signed ? (uint64_t)(int8_t)data[i] : (uint8_t)data[i];
    *negative = is_signed && value >> 63;
    return *negative ? 0 - value : value;
}

static shimhub_status put_number(const struct printer *p, const shimhub_column *column,
                                 bool is_signed, int64_t i)
{
    int negative;
    uint8_t *at = shimhub_arena_take(p->arena, SHIMHUB_NUMBER_MAX);
    if (at == NULL)
        return SHIMHUB_NO_MEMORY;
    uint64_t value = magnitude(column->data.data, column->width, is_signed, i, &negative);
    uint8_t *end = shimhub_repr_number(p->tables, value, negative, at);
    p->arena->used = (size_t)(end - p->arena->data);
    return SHIMHUB_OK;
}

static shimhub_status put_binary(const struct printer *p, const shimhub_column *column, int kind,
                                 int64_t i)
{
    static const uint8_t nothing[1];
    int64_t first = shimhub_column_offset(column, i);
    size_t size = (size_t)(shimhub_column_offset(column, i + 1) - first);
    const uint8_t *bytes = size == 0 ? nothing : (const uint8_t *)column->data.data + first;
    if (kind == SHIMHUB_REPR_TEXT)
        return shimhub_repr_text(p->tables, bytes, size, p->arena);
    if (kind == SHIMHUB_REPR_BYTES)
        return shimhub_repr_bytes(bytes, size, p->arena);
    return status_of(put(p->arena, bytes, size));
}

/* Numbers of one width that are all valid, each with what stands behind it. */
#define NUMBERS_LOOP(width)                                                                    \
    for (int64_t i = first; i < end; i++) {                                                    \
        int negative;                                                                          \
        uint64_t value = magnitude(data, width, is_signed, i, &negative);                      \
        to = shimhub_repr_number(p->tables, value, negative, to);                              \
        *to++ = ',';                                                                           \
        *to++ = ' ';                                                                           \
    }

static shimhub_status put_numbers(const struct printer *p, const shimhub_column *column,
                                  bool is_signed, int64_t first, int64_t count)
{
    const char *data = column->data.data;
    const int64_t end = first + count;
    if ((uint64_t)count > SIZE_MAX / 2 / (SHIMHUB_NUMBER_MAX + 2))
        return SHIMHUB_NO_MEMORY;
    uint8_t *to = shimhub_arena_take(p->arena, (size_t)count * (SHIMHUB_NUMBER_MAX + 2));
    if (to == NULL)
        return SHIMHUB_NO_MEMORY;
    if (column->width == 8) {
        NUMBERS_LOOP(8)
    } else if (column->width == 4) {
        NUMBERS_LOOP(4)
    } else if (column->width == 2) {
        NUMBERS_LOOP(2)
    } else {
        NUMBERS_LOOP(1)
    }
    p->arena->used = (size_t)(to - p->arena->data);
    return SHIMHUB_OK;
}

static shimhub_status put_value(const struct printer *p, const shimhub_repr *repr,
                                const shimhub_column *column, int64_t i);

static shimhub_status put_values(const struct printer *p, const shimhub_repr *repr,
                                 const shimhub_column *column, int64_t first, int64_t count)
{
    bool is_signed = repr->kind == SHIMHUB_REPR_SIGNED;
    if ((is_signed || repr->kind == SHIMHUB_REPR_UNSIGNED) && column->validity.data == NULL)
        return put_numbers(p, column, is_signed, first, count);
    for (int64_t i = first; i < first + count; i++) {
        shimhub_status status = put_value(p, repr, column, i);
        if (status == SHIMHUB_OK)
            status = status_of(PUT(p, ", "));
        if (status != SHIMHUB_OK)
            return status;
    }
    return SHIMHUB_OK;
}

static shimhub_status put_list(const struct printer *p, const shimhub_repr *repr,
                               const shimhub_column *column, int64_t i)
{
    const shimhub_column *child = column->children;
    int64_t first = i * column->width, count = column->width;
    if (column->kind == SHIMHUB_COLUMN_LIST) {
        first = shimhub_column_offset(column, i);
        count = shimhub_column_offset(column, i + 1) - first;
    }
    if (count == 0)
        return status_of(PUT(p, "[]"));
    if (!PUT(p, "["))
        return SHIMHUB_NO_MEMORY;
    shimhub_status status = put_values(p, repr->children, child, child->offset + first, count);
    p->arena->used -= status == SHIMHUB_OK ? 2 : 0; /* the last comma */
    return status == SHIMHUB_OK ? status_of(PUT(p, "]")) : status;
}

static shimhub_status put_dict(const struct printer *p, const shimhub_repr *repr,
                               const shimhub_column *column, int64_t i)
{
    bool has_memory = PUT(p, "{");
    for (int32_t j = 0; has_memory && j < repr->children_count; j++) {
        const shimhub_column *child = &column->children[j];
        const shimhub_repr *field = &repr->children[j];
        if (!put(p->arena, field->key.data, field->key.size))
            return SHIMHUB_NO_MEMORY;
        shimhub_status status = put_value(p, field, child, child->offset + i);
        if (status != SHIMHUB_OK)
            return status;
        has_memory = j + 1 == repr->children_count || PUT(p, ", ");
    }
    return status_of(has_memory && PUT(p, "}"));
}

/* Row i of the column's buffers, its offset included. */
static shimhub_status put_value(const struct printer *p, const shimhub_repr *repr,
                                const shimhub_column *column, int64_t i)
{
    if (!shimhub_column_valid(column, i))
        return status_of(PUT(p, "None"));
    switch (repr->kind) {
    case SHIMHUB_REPR_SIGNED:
    case SHIMHUB_REPR_UNSIGNED:
        return put_number(p, column, repr->kind == SHIMHUB_REPR_SIGNED, i);
    case SHIMHUB_REPR_BOOL:
        return status_of(shimhub_bit(column->data.data, i) ? PUT(p, "True") : PUT(p, "False"));
    case SHIMHUB_REPR_LIST:
        return put_list(p, repr, column, i);
    case SHIMHUB_REPR_DICT:
        return put_dict(p, repr, column, i);
    default:
        return put_binary(p, column, repr->kind, i);
    }
}

static bool is_printed(const shimhub_repr *repr, const shimhub_column *column)
{
    switch (repr->kind) {
    case SHIMHUB_REPR_NONE:
        return column->kind == SHIMHUB_COLUMN_NULL;
    case SHIMHUB_REPR_SIGNED:
    case SHIMHUB_REPR_UNSIGNED:
        return column->kind == SHIMHUB_COLUMN_FIXED &&
               (column->width == 1 || column->width == 2 || column->width == 4 ||
                column->width == 8);
    case SHIMHUB_REPR_BOOL:
        return column->kind == SHIMHUB_COLUMN_BOOL;
    case SHIMHUB_REPR_TEXT:
    case SHIMHUB_REPR_BYTES:
    case SHIMHUB_REPR_RAW:
        return column->kind == SHIMHUB_COLUMN_BINARY;
    case SHIMHUB_REPR_LIST:
        return column->kind == SHIMHUB_COLUMN_LIST || column->kind == SHIMHUB_COLUMN_FIXED_LIST;
    case SHIMHUB_REPR_DICT:
        return column->kind == SHIMHUB_COLUMN_STRUCT;
    default:
        return false;
    }
}

static bool are_printed(const shimhub_repr *repr, const shimhub_column *column)
{
    if (!is_printed(repr, column) || repr->children_count != column->children_count ||
        (repr->key.data == NULL && repr->key.size > 0))
        return false;
    for (int32_t i = 0; i < repr->children_count; i++) {
        if (!are_printed(&repr->children[i], &column->children[i]))
            return false;
    }
    return true;
}

static shimhub_status view(const void *source, size_t first, size_t count, shimhub_block *block)
{
    const struct printing *work = source;
    const struct printer p = {&work->tables, &block->arena};
    shimhub_row_place place = shimhub_column_rows_find(&work->rows, first);
    block->arena.used = 0;
    memset(block->tags, SHIMHUB_TAG_BYTES, count);
    for (size_t i = 0; i < count; i++) {
        const shimhub_column *column = shimhub_column_rows_next(&work->rows, &place);
        size_t before = block->arena.used;
        shimhub_status status = put_value(&p, work->repr, column, place.row);
        if (status != SHIMHUB_OK) {
            block->bad = first + i;
            return status;
        }
        block->bytes[i].size = block->arena.used - before;
    }
    const uint8_t *at = block->arena.data;
    for (size_t i = 0; i < count; at += block->bytes[i++].size)
        block->bytes[i].data = at;
    return SHIMHUB_OK;
}

static shimhub_status digest(struct printing *work, unsigned threads, uint8_t *digests)
{
    size_t bad;
    shimhub_rows rows = {work, work->rows.starts[work->rows.count], view, NULL};
    for (size_t i = 0; i < work->rows.count; i++) {
        if (!are_printed(work->repr, &work->rows.chunks[i]))
            return SHIMHUB_BAD_ARGUMENT;
    }
    if (digests == NULL && rows.count > 0)
        return SHIMHUB_BAD_ARGUMENT;
    return shimhub_digest_rows(&rows, SHIMHUB_SHA256, 0, threads, digests, &bad);
}

shimhub_status shimhub_digest_reprs(const shimhub_column *chunks, size_t count,
                                    const shimhub_repr *repr, const uint8_t *printable,
                                    unsigned threads, uint8_t *digests)
{
    shimhub_rows rows;
    if (repr == NULL || printable == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    struct printing *work = malloc(sizeof *work);
    if (work == NULL)
        return SHIMHUB_NO_MEMORY;
    work->repr = repr;
    shimhub_repr_tables_fill(&work->tables, printable);
    shimhub_status status = shimhub_column_rows_open(chunks, count, SHIMHUB_ROWS_CANONICAL,
                                                     &work->rows, &rows);
    if (status == SHIMHUB_OK)
        status = digest(work, threads, digests);
    shimhub_column_rows_close(&work->rows);
    free(work);
    return status;
}
