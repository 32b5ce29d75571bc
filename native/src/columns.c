/* Whether all rows of a column lie within its buffers. */
#include "columns.h"

#include <string.h>

#define NO_ROW (-1)

/* The rows start .. end - 1 of the column's buffers, at some depth of nesting. */
struct range {
    const shimhub_column *column;
    int64_t start, end;
    int depth;
};

static shimhub_status check_range(struct range range, int64_t *row);
static bool is_column(const shimhub_column *column);

static bool product_fits(int64_t a, int64_t b, int64_t limit)
{
    return b == 0 || a <= limit / b;
}

static bool bits_fit(shimhub_buffer buffer, int64_t bits)
{
    return bits / 8 + (bits % 8 != 0) <= buffer.size;
}

static bool is_buffer(shimhub_buffer buffer)
{
    return buffer.size >= 0 && (buffer.data != NULL || buffer.size == 0);
}

static bool falls(const shimhub_column *column, int64_t start, int64_t end)
{
    const char *at = column->offsets.data;
    /* No early exit, and no bool: so compilers make it a loop over vectors. */
    if (column->width == 4) {
        uint32_t bad = 0;
        for (int64_t i = start; i < end; i++) {
            int32_t first, last;
            memcpy(&first, at + 4 * i, sizeof first);
            memcpy(&last, at + 4 * i + 4, sizeof last);
            bad |= (uint32_t)(last < first);
        }
        return bad != 0;
    }
    uint64_t bad = 0;
    for (int64_t i = start; i < end; i++) {
        int64_t first, last;
        memcpy(&first, at + 8 * i, sizeof first);
        memcpy(&last, at + 8 * i + 8, sizeof last);
        bad |= (uint64_t)(last < first);
    }
    return bad != 0;
}

/* The first row of the range whose offsets are wrong; there is one. */
static int64_t first_wrong(const shimhub_column *column, int64_t start, int64_t end, int64_t limit)
{
    int64_t i = start;
    while (i < end) {
        int64_t first = shimhub_column_offset(column, i);
        int64_t last = shimhub_column_offset(column, i + 1);
        if (first < 0 || last < first || last > limit)
            break;
        i++;
    }
    return i;
}

/* Whether the offsets of the range are there, rise, and stay within 0 .. limit. */
static shimhub_status check_offsets(struct range range, int64_t limit, int64_t *row)
{
    const shimhub_column *column = range.column;
    if (column->width != 4 && column->width != 8)
        return SHIMHUB_BAD_ARGUMENT;
    if (range.end >= column->offsets.size / column->width)
        return SHIMHUB_BAD_OFFSETS;
    if (!falls(column, range.start, range.end) &&
        shimhub_column_offset(column, range.start) >= 0 &&
        shimhub_column_offset(column, range.end) <= limit)
        return SHIMHUB_OK;
    *row = first_wrong(column, range.start, range.end, limit);
    return SHIMHUB_BAD_OFFSETS;
}

static shimhub_status check_child(struct range parent, const shimhub_column *child, int64_t start,
                                  int64_t end, int64_t *row)
{
    if (!is_column(child))
        return SHIMHUB_BAD_ARGUMENT;
    if (end > child->length)
        return SHIMHUB_BAD_OFFSETS;
    struct range range = {child, child->offset + start, child->offset + end, parent.depth + 1};
    return check_range(range, row);
}

/* The row of the list that holds the child's row. */
static int64_t row_of(struct range range, int64_t child_row)
{
    int64_t low = range.start, high = range.end;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (shimhub_column_offset(range.column, middle) <= child_row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static shimhub_status check_list(struct range range, int64_t *row)
{
    const shimhub_column *child = range.column->children;
    shimhub_status status = check_offsets(range, child->length, row);
    if (status != SHIMHUB_OK)
        return status;
    int64_t start = shimhub_column_offset(range.column, range.start);
    int64_t end = shimhub_column_offset(range.column, range.end);
    int64_t child_row = NO_ROW;
    status = check_child(range, child, start, end, &child_row);
    if (child_row != NO_ROW)
        *row = row_of(range, child_row - child->offset);
    return status;
}

static shimhub_status check_fixed_list(struct range range, int64_t *row)
{
    const shimhub_column *child = range.column->children;
    int64_t width = range.column->width, child_row = NO_ROW;
    if (!product_fits(range.end, width, INT64_MAX))
        return SHIMHUB_BAD_OFFSETS;
    shimhub_status status =
        check_child(range, child, range.start * width, range.end * width, &child_row);
    if (child_row != NO_ROW)
        *row = (child_row - child->offset) / width;
    return status;
}

static shimhub_status check_struct(struct range range, int64_t *row)
{
    shimhub_status status = SHIMHUB_OK;
    for (int32_t i = 0; status == SHIMHUB_OK && i < range.column->children_count; i++) {
        const shimhub_column *child = &range.column->children[i];
        int64_t child_row = NO_ROW;
        status = check_child(range, child, range.start, range.end, &child_row);
        if (child_row != NO_ROW)
            *row = child_row - child->offset;
    }
    return status;
}

static shimhub_status check_fixed(struct range range)
{
    int64_t width = range.column->width;
    bool fits = product_fits(range.end, width, range.column->data.size);
    return fits ? SHIMHUB_OK : SHIMHUB_BAD_OFFSETS;
}

static shimhub_status check_rows(struct range range, int64_t *row)
{
    const shimhub_column *column = range.column;
    switch (column->kind) {
    case SHIMHUB_COLUMN_NULL:
        return SHIMHUB_OK;
    case SHIMHUB_COLUMN_FIXED:
    case SHIMHUB_COLUMN_FLOAT:
        return check_fixed(range);
    case SHIMHUB_COLUMN_BOOL:
        return bits_fit(column->data, range.end) ? SHIMHUB_OK : SHIMHUB_BAD_OFFSETS;
    case SHIMHUB_COLUMN_BINARY:
        return check_offsets(range, column->data.size, row);
    case SHIMHUB_COLUMN_LIST:
        return check_list(range, row);
    case SHIMHUB_COLUMN_FIXED_LIST:
        return check_fixed_list(range, row);
    default:
        return check_struct(range, row);
    }
}

static bool has_children(const shimhub_column *column, int32_t count)
{
    return column->children_count == count && (count == 0 || column->children != NULL);
}

/* Whether the numbers that tell the column's kind and place make sense, before any buffer. */
static bool is_column(const shimhub_column *column)
{
    if (column->width < 0 || column->offset < 0 || column->length < 0 ||
        column->length > INT64_MAX - 1 - column->offset)
        return false;
    if (!is_buffer(column->validity) || !is_buffer(column->offsets) || !is_buffer(column->data))
        return false;
    switch (column->kind) {
    case SHIMHUB_COLUMN_FLOAT:
        return has_children(column, 0) &&
               (column->width == 2 || column->width == 4 || column->width == 8);
    case SHIMHUB_COLUMN_NULL:
    case SHIMHUB_COLUMN_FIXED:
    case SHIMHUB_COLUMN_BOOL:
    case SHIMHUB_COLUMN_BINARY:
        return has_children(column, 0);
    case SHIMHUB_COLUMN_LIST:
    case SHIMHUB_COLUMN_FIXED_LIST:
        return has_children(column, 1);
    case SHIMHUB_COLUMN_STRUCT:
        return column->children_count >= 0 && has_children(column, column->children_count);
    default:
        return false;
    }
}

static shimhub_status check_range(struct range range, int64_t *row)
{
    if (range.depth >= SHIMHUB_COLUMN_DEPTH)
        return SHIMHUB_BAD_ARGUMENT;
    if (range.start == range.end)
        return SHIMHUB_OK; /* nothing is read; Arrow leaves out the buffers of empty arrays */
    if (range.column->validity.data != NULL && !bits_fit(range.column->validity, range.end))
        return SHIMHUB_BAD_OFFSETS;
    return check_rows(range, row);
}

shimhub_status shimhub_column_check(const shimhub_column *column, int64_t *row)
{
    if (column == NULL || row == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    *row = NO_ROW;
    if (!is_column(column))
        return SHIMHUB_BAD_ARGUMENT;
    struct range range = {column, column->offset, column->offset + column->length, 0};
    int64_t found = NO_ROW;
    shimhub_status status = check_range(range, &found);
    if (found != NO_ROW)
        *row = found - column->offset;
    return status;
}
