/* Writes a batch, into fresh arrays or into the caller's memory.
 *
 * Into fresh arrays items go as they are checked: an error drops the arrays. The caller's memory is
 * written only when nothing can fail any more: directly where every item was looked at and is plain
 * (no Python code runs from there on), and otherwise from a copy that is made first. */
#include "pad_batch.h"

#include <string.h>

static Py_ssize_t first_part(const struct shimhub_batch *batch, Py_ssize_t row)
{
    return batch->first == NULL ? row : batch->first[row];
}

/* Masks that are made have the rows of their field. */
static const struct shimhub_field *source_of(const struct shimhub_batch *batch,
                                             const struct shimhub_field *field)
{
    return field->made ? &batch->fields[field->ones_for] : field;
}

static Py_ssize_t length_of(const struct shimhub_batch *batch, const struct shimhub_field *field,
                            Py_ssize_t row)
{
    const struct shimhub_row *rows = source_of(batch, field)->rows;
    if (batch->first == NULL)
        return rows[row].length;
    Py_ssize_t length = 0;
    for (Py_ssize_t i = batch->first[row]; i < batch->first[row + 1]; i++)
        length += rows[i].length;
    return length;
}

static int fail_too_long(const struct shimhub_batch *batch, const struct shimhub_field *field,
                         Py_ssize_t row, Py_ssize_t length)
{
    if (batch->place == SHIMHUB_BINS) {
        PyErr_Format(PyExc_ValueError, "features[%zd]: %zd items of %R are more than length %zd",
                     row, length, field->name, (Py_ssize_t)field->pad.length);
        return -1;
    }
    struct shimhub_where where = {batch->place, field->name, row, 0, -1};
    return shimhub_py_fail(&where, PyExc_ValueError, "%zd items are more than length %zd", length,
                           (Py_ssize_t)field->pad.length);
}

static int check_lengths(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    for (Py_ssize_t row = 0; !batch->truncate && row < batch->rows; row++) {
        Py_ssize_t length = length_of(batch, field, row);
        if (length > field->pad.length)
            return fail_too_long(batch, field, row, length);
    }
    return 0;
}

static int round_up(Py_ssize_t length, Py_ssize_t multiple_of, int64_t *rounded)
{
    Py_ssize_t rest = length % multiple_of;
    if (rest != 0 && length > PY_SSIZE_T_MAX - (multiple_of - rest)) {
        PyErr_Format(PyExc_OverflowError, "multiple_of: no multiple of %zd is as large as %zd",
                     multiple_of, length);
        return -1;
    }
    *rounded = rest == 0 ? length : length + (multiple_of - rest);
    return 0;
}

/* Whether rows in Python's objects tell the length. */
static bool length_is_open(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    return batch->length < 0 && field->out == NULL && !batch->columns;
}

static int decide_length(const struct shimhub_batch *batch, struct shimhub_field *field)
{
    Py_ssize_t length = batch->length;
    if (length < 0 && field->out != NULL)
        length = field->out->shape[1];
    if (length < 0 && batch->columns)
        length = (Py_ssize_t)source_of(batch, field)->chunks.longest;
    for (Py_ssize_t row = 0; length_is_open(batch, field) && row < batch->rows; row++) {
        Py_ssize_t one = length_of(batch, field, row);
        length = one > length ? one : length;
    }
    if (round_up(length < 0 ? 0 : length, batch->multiple_of, &field->pad.length) != 0)
        return -1;
    field->pad.rows = batch->rows;
    field->pad.left = batch->left;
    if (!shimhub_pad_value_fits(&field->pad, field->pad.length)) {
        PyErr_Format(PyExc_OverflowError, "a range of %zd does not fit %s",
                     (Py_ssize_t)field->pad.length, shimhub_number_name(field->pad.type));
        return -1;
    }
    return batch->columns ? shimhub_chunks_check(batch, field) : check_lengths(batch, field);
}

/* A mask that was given counts the items of its field. */
static int check_mask(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    if (batch->columns || field->ones_for < 0 || field->made || field->absent)
        return 0; /* columns: see shimhub_chunks_check() */
    const struct shimhub_field *other = &batch->fields[field->ones_for];
    for (Py_ssize_t row = 0; !other->absent && row < batch->rows; row++)
        for (Py_ssize_t i = first_part(batch, row); i < first_part(batch, row + 1); i++)
            if (field->rows[i].length != other->rows[i].length) {
                struct shimhub_where where = {batch->place, field->name, row,
                                              i - first_part(batch, row), -1};
                return shimhub_py_fail(&where, PyExc_ValueError, "%zd items, and %R has %zd",
                                       field->rows[i].length, other->name, other->rows[i].length);
            }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int fail_number(const struct shimhub_where *where, Py_ssize_t factor, int32_t type)
{
    return shimhub_py_fail(where, PyExc_OverflowError, "%zd times its value does not fit %s",
                           factor, shimhub_number_name(type));
}

#define NUMBER(TYPE, LOW, HIGH)                                                                \
    for (Py_ssize_t i = 0; i < count; i++) {                                                   \
        TYPE *item = (TYPE *)to + i;                                                           \
        if (factor > (HIGH) ? *item != 0 : *item > (HIGH) / factor || *item < (LOW) / factor) { \
            where->item = i;                                                                   \
            return fail_number(where, factor, type);                                           \
        }                                                                                      \
        *item = (TYPE)(*item * (TYPE)factor);                                                  \
    }                                                                                          \
    return 0

/* Multiplies items by 1, 2, ... according to their part of the row. */
static int number(void *to, Py_ssize_t count, int32_t type, Py_ssize_t factor,
                  struct shimhub_where *where)
{
    if (type == SHIMHUB_NUMBER_INT32) {
        NUMBER(int32_t, INT32_MIN, INT32_MAX);
    } else if (type == SHIMHUB_NUMBER_UINT8) {
        NUMBER(uint8_t, 0, UINT8_MAX);
    }
    NUMBER(int64_t, INT64_MIN, INT64_MAX);
}

static int write_part(const struct shimhub_batch *batch, const struct shimhub_field *field,
                      Py_ssize_t part, Py_ssize_t count, void *to, struct shimhub_where *where)
{
    const struct shimhub_row *row = &source_of(batch, field)->rows[part];
    int status = 0;
    if (field->made)
        shimhub_pad_ones(&field->pad, to, count);
    else
        status = shimhub_row_write(row, count, field->pad.type, batch->context.numpy_bool, to,
                                   where);
    if (status == 0 && field->numbered)
        status = number(to, count, field->pad.type, where->part + 1, where);
    return status;
}

static int write_row(const struct shimhub_batch *batch, const struct shimhub_field *field,
                     Py_ssize_t row)
{
    Py_ssize_t left = length_of(batch, field, row);
    if (left > field->pad.length)
        left = (Py_ssize_t)field->pad.length;
    char *to = shimhub_pad_around(&field->pad, row, left);
    Py_ssize_t start = first_part(batch, row), end = first_part(batch, row + 1);
    for (Py_ssize_t part = start; part < end; part++) {
        Py_ssize_t count = source_of(batch, field)->rows[part].length;
        count = count < left ? count : left;
        struct shimhub_where where = {batch->place, field->name, row, part - start, -1};
        if (write_part(batch, field, part, count, to, &where) != 0)
            return -1;
        to += count * shimhub_number_size(field->pad.type);
        left -= count;
    }
    return 0;
}

static int write_field(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    if (batch->columns) {
        shimhub_chunks_write(batch, field);
        return 0;
    }
    for (Py_ssize_t row = 0; row < batch->rows; row++)
        if (write_row(batch, field, row) != 0)
            return -1;
    return 0;
}

/* ---- fresh arrays ---------------------------------------------------------------------------- */

static PyObject *new_array(const struct shimhub_batch *batch, const struct shimhub_field *field,
                           Py_ssize_t fields)
{
    Py_ssize_t length = (Py_ssize_t)field->pad.length;
    PyObject *shape = fields == 1 ? Py_BuildValue("(nn)", batch->rows, length)
                                  : Py_BuildValue("(nnn)", fields, batch->rows, length);
    PyObject *arguments[] = {shape, field->dtype};
    PyObject *array =
        shape == NULL ? NULL : PyObject_Vectorcall(batch->context.empty, arguments, 2, NULL);
    Py_XDECREF(shape);
    return array;
}

/* Points the matrix to the memory of an array that numpy.empty() made. */
static int point_to(struct shimhub_field *field, const Py_buffer *view, Py_ssize_t index)
{
    int64_t size = shimhub_number_size(field->pad.type), row = field->pad.length * size;
    if (view->itemsize != size || view->len < (index + 1) * field->pad.rows * row) {
        PyErr_SetString(PyExc_TypeError, "context: empty() gave another array");
        return -1;
    }
    field->pad.row_stride = row;
    field->pad.data = (char *)view->buf + index * field->pad.rows * row;
    return 0;
}

static bool is_alike(const struct shimhub_field *field, const struct shimhub_field *other)
{
    return !other->absent && other->array == NULL && other->pad.type == field->pad.type &&
           other->pad.length == field->pad.length;
}

/* Gives the field, and all behind that are alike, a plane each of one array: one allocation. */
static int give_planes(struct shimhub_batch *batch, Py_ssize_t first, Py_ssize_t alike)
{
    struct shimhub_field *field = &batch->fields[first];
    PyObject *block = new_array(batch, field, alike);
    Py_buffer view; /* without a format, which takes NumPy longer than the memory did */
    if (block == NULL)
        return -1;
    if (PyObject_GetBuffer(block, &view, PyBUF_WRITABLE) != 0) {
        Py_DECREF(block);
        return -1;
    }
    int status = 0;
    Py_ssize_t index = 0;
    for (struct shimhub_field *other = field; status == 0 && index < alike; other++) {
        if (!is_alike(field, other) && other != field)
            continue;
        status = point_to(other, &view, index);
        if (status != 0)
            break;
        other->array = alike == 1 ? Py_NewRef(block) : PySequence_GetItem(block, index);
        status = other->array == NULL ? -1 : 0;
        index++;
    }
    PyBuffer_Release(&view);
    Py_DECREF(block);
    return status;
}

static int give_arrays(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        if (batch->fields[i].absent || batch->fields[i].array != NULL)
            continue;
        Py_ssize_t alike = 0;
        for (Py_ssize_t j = i; j < batch->fields_count; j++)
            alike += is_alike(&batch->fields[i], &batch->fields[j]);
        if (give_planes(batch, i, alike) != 0)
            return -1;
    }
    return 0;
}

static int write_fresh(struct shimhub_batch *batch)
{
    if (give_arrays(batch) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent && write_field(batch, &batch->fields[i]) != 0)
            return -1;
    return 0;
}

/* ---- the caller's memory --------------------------------------------------------------------- */

static int fail_out(const struct shimhub_field *field, PyObject *kind, const char *text)
{
    if (field->name == NULL)
        PyErr_Format(kind, "out: %s", text);
    else
        PyErr_Format(kind, "out[%R]: %s", field->name, text);
    return -1;
}

static bool overlaps_itself(const Py_buffer *view)
{
    Py_ssize_t small = Py_ABS(view->strides[1]), large = Py_ABS(view->strides[0]);
    Py_ssize_t items = view->shape[1];
    if (view->shape[0] == 0 || items == 0)
        return false;
    if (view->shape[0] == 1)
        return items > 1 && small < view->itemsize;
    if (items == 1)
        return large < view->itemsize;
    if (small > large) {
        Py_ssize_t other = small;
        small = large;
        large = other;
        items = view->shape[0];
    }
    return small < view->itemsize || large / items < small;
}

static int check_out(struct shimhub_batch *batch, struct shimhub_field *field, int32_t type)
{
    const Py_buffer *view = field->out;
    if (type != field->pad.type) {
        PyErr_Format(PyExc_TypeError, "out: expected dtype %s, got %s",
                     shimhub_number_name(field->pad.type), shimhub_number_name(type));
        return -1;
    }
    if (view->shape[0] != batch->rows) {
        PyErr_Format(PyExc_ValueError, "out: expected %zd rows, got %zd", batch->rows,
                     view->shape[0]);
        return -1;
    }
    return overlaps_itself(view) ? fail_out(field, PyExc_ValueError, "its items overlap") : 0;
}

static int take_out(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *told)
{
    int32_t type;
    struct shimhub_where where = {SHIMHUB_OUT, field->name, 0, 0, -1};
    field->out = shimhub_view_take(told, 2, &where, &type);
    if (field->out == NULL)
        return -1;
    if (field->out->readonly)
        return fail_out(field, PyExc_ValueError, "it is read-only");
    field->array = Py_NewRef(told);
    return check_out(batch, field, type);
}

static int take_outs(struct shimhub_batch *batch, PyObject *out)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        if (field->absent)
            continue;
        PyObject *told = field->name == NULL ? Py_NewRef(out) : PyObject_GetItem(out, field->name);
        if (told == NULL)
            return PyErr_ExceptionMatches(PyExc_KeyError)
                       ? fail_out(field, PyExc_ValueError, "there is none")
                       : -1;
        int status = take_out(batch, field, told);
        Py_DECREF(told);
        if (status != 0)
            return -1;
    }
    return 0;
}

static int check_width(const struct shimhub_field *field)
{
    if (field->out->shape[1] == field->pad.length)
        return 0;
    PyErr_Format(PyExc_ValueError, "out: expected a length of %zd, got %zd",
                 (Py_ssize_t)field->pad.length, field->out->shape[1]);
    return -1;
}

/* The bytes that a view may touch. */
static void extent(const char *data, const Py_ssize_t *shape, const Py_ssize_t *strides,
                   int dimensions, int64_t size, uintptr_t *low, uintptr_t *high)
{
    *low = (uintptr_t)data;
    *high = (uintptr_t)data + (uintptr_t)size;
    for (int i = 0; i < dimensions; i++) {
        uintptr_t span = (uintptr_t)Py_ABS(strides[i]) *
                         (uintptr_t)(shape[i] == 0 ? 0 : shape[i] - 1);
        if (strides[i] < 0)
            *low -= span;
        else
            *high += span;
    }
}

/* Whether one of the caller's matrices lies in the memory from low on. */
static bool any_touches(const struct shimhub_batch *batch, uintptr_t low, uintptr_t high)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        const Py_buffer *out = batch->fields[i].out;
        uintptr_t out_low, out_high;
        if (out == NULL)
            continue;
        extent(out->buf, out->shape, out->strides, 2, out->itemsize, &out_low, &out_high);
        if (low < out_high && out_low < high)
            return true;
    }
    return false;
}

static bool row_touches(const struct shimhub_batch *batch, const struct shimhub_row *row)
{
    uintptr_t low, high;
    Py_ssize_t count = (Py_ssize_t)row->items.count, stride = (Py_ssize_t)row->items.stride;
    extent(row->items.data, &count, &stride, 1, shimhub_number_size(row->items.type), &low, &high);
    return any_touches(batch, low, high);
}

static bool buffer_touches(const struct shimhub_batch *batch, const shimhub_buffer *buffer)
{
    return any_touches(batch, (uintptr_t)buffer->data,
                       (uintptr_t)buffer->data + (uintptr_t)buffer->size);
}

static bool chunks_touch(const struct shimhub_batch *batch, const struct shimhub_chunks *chunks)
{
    for (Py_ssize_t i = 0; i < 2 * chunks->count; i++) {
        const shimhub_column *column = &chunks->lists[i];
        if (buffer_touches(batch, &column->validity) || buffer_touches(batch, &column->offsets) ||
            buffer_touches(batch, &column->data))
            return true;
    }
    return false;
}

static bool part_is_safe(const struct shimhub_batch *batch, const struct shimhub_field *field,
                         const struct shimhub_row *row)
{
    Py_ssize_t count = row->length < field->pad.length ? row->length : (Py_ssize_t)field->pad.length;
    return shimhub_row_is_plain(row, count, field->pad.type) &&
           (row->is_list || !row_touches(batch, row));
}

static bool can_write_directly(const struct shimhub_batch *batch,
                               const struct shimhub_field *field)
{
    const Py_buffer *view = field->out;
    int64_t size = shimhub_number_size(field->pad.type);
    if (field->numbered || view->strides[0] % size != 0 || (uintptr_t)view->buf % (uintptr_t)size ||
        (view->strides[1] != size && view->shape[1] > 1))
        return false;
    for (Py_ssize_t i = 0; i < field->taken; i++)
        if (!part_is_safe(batch, field, &field->rows[i]))
            return false;
    return !chunks_touch(batch, &field->chunks);
}

static bool all_can(const struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent && !can_write_directly(batch, &batch->fields[i]))
            return false;
    return true;
}

static int write_directly(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        if (field->absent)
            continue;
        field->pad.data = field->out->buf;
        field->pad.row_stride = field->out->strides[0];
        if (write_field(batch, field) != 0)
            return -1;
    }
    return 0;
}

static int write_scratch(struct shimhub_batch *batch, struct shimhub_field *field)
{
    int64_t size = shimhub_number_size(field->pad.type);
    field->pad.row_stride = field->pad.length * size;
    /* out has that shape: its bytes can be counted, unless strides are 0. */
    if (field->pad.length > PY_SSIZE_T_MAX / 16 ||
        (batch->rows != 0 && field->pad.row_stride > PY_SSIZE_T_MAX / batch->rows)) {
        PyErr_NoMemory();
        return -1;
    }
    field->scratch = PyMem_RawMalloc((size_t)(field->pad.row_stride * batch->rows) + 1);
    if (field->scratch == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    field->pad.data = field->scratch;
    return write_field(batch, field);
}

static void copy_out(const struct shimhub_field *field)
{
    const Py_buffer *view = field->out;
    size_t size = (size_t)view->itemsize;
    const char *from = field->scratch;
    for (Py_ssize_t row = 0; row < view->shape[0]; row++)
        for (Py_ssize_t i = 0; i < view->shape[1]; i++, from += size)
            memcpy((char *)view->buf + row * view->strides[0] + i * view->strides[1], from, size);
}

static int write_out(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent && check_width(&batch->fields[i]) != 0)
            return -1;
    if (all_can(batch))
        return write_directly(batch);
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent && write_scratch(batch, &batch->fields[i]) != 0)
            return -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent)
            copy_out(&batch->fields[i]);
    return 0;
}

int shimhub_batch_write(struct shimhub_batch *batch, PyObject *out)
{
    if (out != Py_None && take_outs(batch, out) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        if (!field->absent && (check_mask(batch, field) != 0 || decide_length(batch, field) != 0))
            return -1;
    }
    return out == Py_None ? write_fresh(batch) : write_out(batch);
}
