/* Writes a batch into the caller's memory, when nothing can fail any more: directly where every
 * item was looked at and is plain (no Python code runs from there on), and otherwise from a copy
 * that is made first. */
#include "pad_batch.h"

#include <string.h>

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
    struct shimhub_where where = {SHIMHUB_OUT, field->name, 0, 0, -1};
    if (type != field->pad.type)
        return shimhub_py_fail(&where, PyExc_TypeError, "expected dtype %s, got %s",
                               shimhub_number_name(field->pad.type), shimhub_number_name(type));
    if (view->shape[0] != batch->rows)
        return shimhub_py_fail(&where, PyExc_ValueError, "expected %zd rows, got %zd", batch->rows,
                               view->shape[0]);
    return overlaps_itself(view) ? fail_out(field, PyExc_ValueError, "its items overlap") : 0;
}

static int take_out(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *told)
{
    int32_t type;
    struct shimhub_where where = {SHIMHUB_OUT, field->name, 0, 0, -1};
    field->out = shimhub_view_take(&batch->context, told, 2, &where, &type);
    if (field->out == NULL)
        return -1;
    if (field->out->readonly)
        return fail_out(field, PyExc_ValueError, "it is read-only");
    field->array = Py_NewRef(told);
    return check_out(batch, field, type);
}

int shimhub_outs_take(struct shimhub_batch *batch, PyObject *out)
{
    if (batch->place != SHIMHUB_ROWS && !shimhub_is_mapping(out)) {
        PyErr_Format(PyExc_TypeError, "out: expected a mapping of names to arrays, got %s",
                     shimhub_type_name(out));
        return -1;
    }
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
    struct shimhub_where where = {SHIMHUB_OUT, field->name, 0, 0, -1};
    return shimhub_py_fail(&where, PyExc_ValueError, "expected a length of %zd, got %zd",
                           (Py_ssize_t)field->pad.length, field->out->shape[1]);
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
    Py_ssize_t length = (Py_ssize_t)field->pad.length;
    Py_ssize_t count = row->length < length ? row->length : length;
    struct shimhub_wanted wanted = shimhub_wanted_of(batch, field);
    return shimhub_row_is_plain(row, count, &wanted) &&
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
        if (shimhub_field_write(batch, field) != 0)
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
    return shimhub_field_write(batch, field);
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

int shimhub_outs_write(struct shimhub_batch *batch)
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
