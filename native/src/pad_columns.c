/* Padding of Arrow's lists. Rows are checked first, and written when nothing can fail any more. */
#include "pad_items.h"
#include "team.h"

#include <string.h>

/* Bytes of the matrix that are worth a thread's attention. */
enum { TASK_BYTES = 1 << 18 };

/* Larger counts cannot be told in bytes. */
static const int64_t COUNT_END = INT64_MAX / 16;

static bool is_count(int64_t count)
{
    return count >= 0 && count < COUNT_END;
}

static bool has_bits(const shimhub_buffer *buffer, int64_t end)
{
    return buffer->data != NULL && buffer->size >= (end + 7) / 8;
}

static bool is_valid(const shimhub_buffer *validity, int64_t bit)
{
    const unsigned char *bits = validity->data;
    return bits == NULL || (bits[bit >> 3] >> (bit & 7) & 1);
}

/* The first bit of from .. end - 1 that is 0, or end. */
static int64_t first_null(const shimhub_buffer *validity, int64_t from, int64_t end)
{
    const unsigned char *bits = validity->data;
    if (bits == NULL)
        return end;
    while (from < end) {
        if ((from & 7) == 0 && end - from >= 8 && bits[from >> 3] == 0xff)
            from += 8;
        else if (is_valid(validity, from))
            from++;
        else
            break;
    }
    return from;
}

static bool has_shape(const shimhub_column *column)
{
    return is_count(column->length) && is_count(column->offset) &&
           (column->validity.data == NULL ||
            has_bits(&column->validity, column->offset + column->length));
}

static shimhub_status check_lists(const shimhub_column *column)
{
    bool list = column->kind == SHIMHUB_COLUMN_LIST;
    if (!list && column->kind != SHIMHUB_COLUMN_FIXED_LIST)
        return SHIMHUB_BAD_ARGUMENT;
    if (column->children_count != 1 || column->children == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    if (list ? column->width != 4 && column->width != 8 : !is_count(column->width))
        return SHIMHUB_BAD_ARGUMENT;
    if (!has_shape(column) || !has_shape(column->children))
        return SHIMHUB_BAD_OFFSETS;
    if (!list || column->length == 0)
        return SHIMHUB_OK;
    int64_t needed = (column->offset + column->length + 1) * column->width;
    return column->offsets.data != NULL && column->offsets.size >= needed ? SHIMHUB_OK
                                                                          : SHIMHUB_BAD_OFFSETS;
}

static int64_t offset_at(const shimhub_column *column, int64_t index)
{
    const char *at = (const char *)column->offsets.data + index * column->width;
    int64_t wide;
    int32_t narrow;
    if (column->width == 8) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* Where the items of a row begin and end among the child's; false if they are not all there. */
static bool find_items(const shimhub_column *column, int64_t row, int64_t *begin, int64_t *end)
{
    int64_t index = column->offset + row;
    if (column->kind == SHIMHUB_COLUMN_FIXED_LIST) {
        if (column->width != 0 && index >= COUNT_END / column->width)
            return false;
        *begin = index * column->width;
        *end = *begin + column->width;
    } else {
        *begin = offset_at(column, index);
        *end = offset_at(column, index + 1);
    }
    return 0 <= *begin && *begin <= *end && *end <= column->children->length;
}

/* Finds the longest row of a chunk that was checked; false if items are not all there. */
static bool measure(const shimhub_column *column, int64_t *longest)
{
    int64_t begin, end, rows = column->length;
    if (column->kind == SHIMHUB_COLUMN_FIXED_LIST && rows != 0) {
        *longest = column->width > *longest ? column->width : *longest;
        return find_items(column, rows - 1, &begin, &end);
    }
    for (int64_t row = 0; row < rows; row++) {
        if (!find_items(column, row, &begin, &end))
            return false;
        /* What lies behind a null row is nobody's business. */
        if (end - begin > *longest && is_valid(&column->validity, column->offset + row))
            *longest = end - begin;
    }
    return true;
}

shimhub_status shimhub_pad_measure(const shimhub_column *chunks, size_t count, int64_t *rows,
                                   int64_t *longest)
{
    if ((chunks == NULL && count != 0) || rows == NULL || longest == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    int64_t all = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        shimhub_status status = check_lists(&chunks[i]);
        if (status != SHIMHUB_OK)
            return status;
        if (!measure(&chunks[i], &most))
            return SHIMHUB_BAD_OFFSETS;
        all += chunks[i].length;
        if (!is_count(all))
            return SHIMHUB_OVERFLOW;
    }
    *rows = all;
    *longest = most;
    return SHIMHUB_OK;
}

static shimhub_status check_child(const shimhub_column *child, int32_t type)
{
    int64_t size = shimhub_number_size(type), end = child->offset + child->length;
    bool kinds_agree = type == SHIMHUB_NUMBER_BIT          ? child->kind == SHIMHUB_COLUMN_BOOL
                       : shimhub_number_is_float(type)     ? child->kind == SHIMHUB_COLUMN_FLOAT
                                                           : child->kind == SHIMHUB_COLUMN_FIXED;
    if (child->kind == SHIMHUB_COLUMN_NULL)
        return SHIMHUB_OK; /* no item can be read: each one is null */
    if (!kinds_agree || (size != 0 && child->width != size))
        return SHIMHUB_BAD_ARGUMENT;
    if (child->length == 0)
        return SHIMHUB_OK;
    bool there = size == 0 ? has_bits(&child->data, end)
                           : child->data.data != NULL && child->data.size >= end * size;
    return there ? SHIMHUB_OK : SHIMHUB_BAD_OFFSETS;
}

static bool is_matrix(const shimhub_pad *pad)
{
    int64_t size = shimhub_number_size(pad->type);
    if (!shimhub_number_is_target(pad->type) || !is_count(pad->rows) || !is_count(pad->length))
        return false;
    if (pad->rows == 0 || pad->length == 0)
        return true;
    return pad->data != NULL && (uintptr_t)pad->data % (uintptr_t)size == 0 &&
           pad->row_stride % size == 0;
}

static struct shimhub_items items_of(const shimhub_column *column, int32_t type, int64_t begin,
                                     int64_t count)
{
    const shimhub_column *child = column->children;
    int64_t size = shimhub_number_size(type);
    struct shimhub_items items = {child->data.data, size, 0, count, type};
    if (size == 0)
        items.first_bit = child->offset + begin;
    else if (count != 0)
        items.data += (child->offset + begin) * size;
    return items;
}

static int64_t kept(const shimhub_pad *pad, int64_t begin, int64_t end)
{
    return end - begin < pad->length ? end - begin : pad->length;
}

/* The kind of fault in a row, and in *item where; 0 if there is none. */
static int find_fault(const shimhub_column *column, int64_t row, int32_t type,
                      const shimhub_pad *pad, int64_t begin, int64_t end, int64_t *item)
{
    const shimhub_column *child = column->children;
    int64_t count = kept(pad, begin, end);
    *item = -1;
    if (!is_valid(&column->validity, column->offset + row))
        return SHIMHUB_PAD_NULL_ROW;
    if (end - begin > pad->length && !pad->truncate)
        return SHIMHUB_PAD_TOO_LONG;
    if (pad->ones || count == 0)
        return 0;
    int64_t first = child->offset + begin;
    *item = child->kind == SHIMHUB_COLUMN_NULL
                ? 0
                : first_null(&child->validity, first, first + count) - first;
    if (*item < count)
        return SHIMHUB_PAD_NULL_ITEM;
    struct shimhub_items items = items_of(column, type, begin, count);
    *item = shimhub_items_misfit(&items, pad->type);
    return *item < 0 ? 0 : SHIMHUB_PAD_MISFIT;
}

static shimhub_status check_rows(const shimhub_column *column, int32_t type,
                                 const shimhub_pad *pad, int64_t base, shimhub_pad_fault *fault)
{
    for (int64_t row = 0; row < column->length; row++) {
        int64_t begin, end, item;
        if (!find_items(column, row, &begin, &end))
            return SHIMHUB_BAD_OFFSETS;
        int kind = find_fault(column, row, type, pad, begin, end, &item);
        if (kind == 0)
            continue;
        fault->kind = kind;
        fault->row = base + row;
        fault->item = item;
        fault->count = end - begin;
        fault->at = begin + (item < 0 ? 0 : item);
        return SHIMHUB_BAD_FORMAT;
    }
    return SHIMHUB_OK;
}

struct work {
    const shimhub_column *column;
    const shimhub_pad *pad;
    int32_t type;
    int64_t base, rows_each;
};

static void write_row(const struct work *work, int64_t row)
{
    int64_t begin, end;
    /* They were there a moment ago; but this is without the GIL. */
    if (!find_items(work->column, row, &begin, &end))
        begin = end = 0;
    int64_t count = kept(work->pad, begin, end);
    void *to = shimhub_pad_around(work->pad, work->base + row, count);
    if (work->pad->ones) {
        shimhub_pad_ones(work->pad, to, count);
    } else if (count != 0) {
        struct shimhub_items items = items_of(work->column, work->type, begin, count);
        shimhub_items_copy(&items, work->pad->type, to);
    }
}

static void write_rows(void *context, size_t index)
{
    const struct work *work = context;
    int64_t row = (int64_t)index * work->rows_each, end = row + work->rows_each;
    for (; row < end && row < work->column->length; row++)
        write_row(work, row);
}

static void write_column(struct work *work, unsigned threads)
{
    int64_t bytes = work->pad->length * shimhub_number_size(work->pad->type);
    work->rows_each = bytes == 0 || threads == 1 ? work->column->length : TASK_BYTES / bytes + 1;
    if (work->column->length != 0)
        shimhub_team_run(threads,
                         (size_t)((work->column->length - 1) / work->rows_each + 1), write_rows,
                         work);
}

shimhub_status shimhub_pad_check(const shimhub_column *chunks, size_t count, int32_t type,
                                 const shimhub_pad *pad, shimhub_pad_fault *fault)
{
    int64_t rows, longest;
    if (!shimhub_number_converts(type, pad->type) || !shimhub_pad_value_fits(pad, pad->length))
        return SHIMHUB_BAD_ARGUMENT;
    shimhub_status status = shimhub_pad_measure(chunks, count, &rows, &longest);
    if (status == SHIMHUB_OK && rows != pad->rows)
        status = SHIMHUB_BAD_ARGUMENT;
    rows = 0;
    for (size_t i = 0; status == SHIMHUB_OK && i < count; i++) {
        status = check_child(chunks[i].children, type);
        fault->chunk = (int64_t)i;
        if (status == SHIMHUB_OK)
            status = check_rows(&chunks[i], type, pad, rows, fault);
        rows += chunks[i].length;
    }
    return status;
}

void shimhub_pad_write(const shimhub_column *chunks, size_t count, int32_t type,
                       const shimhub_pad *pad, unsigned threads)
{
    struct work work = {NULL, pad, type, 0, 0};
    for (size_t i = 0; i < count; i++) {
        work.column = &chunks[i];
        write_column(&work, threads);
        work.base += chunks[i].length;
    }
}

shimhub_status shimhub_pad_columns(const shimhub_column *chunks, size_t count, int32_t type,
                                   const shimhub_pad *pad, unsigned threads,
                                   shimhub_pad_fault *fault)
{
    if (pad == NULL || fault == NULL || !is_matrix(pad))
        return SHIMHUB_BAD_ARGUMENT;
    shimhub_status status = shimhub_pad_check(chunks, count, type, pad, fault);
    if (status == SHIMHUB_OK)
        shimhub_pad_write(chunks, count, type, pad, threads);
    return status;
}

/* Steps over chunks that have no rows left. */
static void skip_empty(const shimhub_column **chunk, int64_t *row)
{
    while (*row >= (*chunk)->length) {
        *row -= (*chunk)->length;
        ++*chunk;
    }
}

bool shimhub_pad_same_lengths(const shimhub_column *chunks, size_t count,
                              const shimhub_column *others, int64_t *row)
{
    int64_t rows = 0, mine = 0, theirs = 0, begin, end, other_begin, other_end;
    for (size_t i = 0; i < count; i++)
        rows += chunks[i].length;
    for (*row = 0; *row < rows; ++*row, mine++, theirs++) {
        skip_empty(&chunks, &mine);
        skip_empty(&others, &theirs);
        if (!find_items(chunks, mine, &begin, &end) ||
            !find_items(others, theirs, &other_begin, &other_end) ||
            end - begin != other_end - other_begin)
            return false;
    }
    return true;
}
