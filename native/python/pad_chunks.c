/* Columns of a batch: Arrow's lists, as _pad_columns.py tells them.
 *
 * A chunk is a tuple: number, kind, width, length, offset, values' length, values' offset, buffers,
 * owner. Buffers are those of the lists' validity and offsets and of the values' validity and
 * data: each None, an object with a buffer, or (address, size) of memory that the owner keeps. */
#include "pad_batch.h"

enum { NUMBER, KIND, WIDTH, LENGTH, OFFSET, VALUES_LENGTH, VALUES_OFFSET, BUFFERS, OWNER, PARTS };

/* Batches of fewer items are done before another thread could take the GIL. */
static const int64_t WORTH_RELEASING = 1 << 16;

static int take_numbers(PyObject *told, int64_t *numbers)
{
    if (!PyTuple_Check(told) || PyTuple_GET_SIZE(told) != PARTS) {
        PyErr_SetString(PyExc_TypeError, "columns: a chunk is a tuple of 9");
        return -1;
    }
    for (Py_ssize_t i = 0; i < BUFFERS; i++) {
        numbers[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(told, i));
        if (numbers[i] == -1 && PyErr_Occurred())
            return -1;
    }
    return 0;
}

static int take_address(PyObject *told, shimhub_buffer *buffer)
{
    if (PyTuple_GET_SIZE(told) != 2)
        PyErr_SetString(PyExc_TypeError, "columns: memory is (address, size)");
    else
        buffer->data = PyLong_AsVoidPtr(PyTuple_GET_ITEM(told, 0));
    buffer->size = PyErr_Occurred() ? -1 : PyLong_AsLongLong(PyTuple_GET_ITEM(told, 1));
    return PyErr_Occurred() ? -1 : 0;
}

static int take_buffer(struct shimhub_chunks *chunks, PyObject *told, shimhub_buffer *buffer)
{
    if (told == Py_None)
        return 0;
    if (PyTuple_Check(told))
        return take_address(told, buffer);
    Py_buffer *view = &chunks->views[chunks->taken];
    if (PyObject_GetBuffer(told, view, PyBUF_SIMPLE) != 0)
        return -1;
    chunks->taken++;
    buffer->data = view->buf;
    buffer->size = view->len;
    return 0;
}

static int take_buffers(struct shimhub_chunks *chunks, PyObject *told, shimhub_column *list,
                        shimhub_column *values)
{
    shimhub_buffer *buffers[] = {&list->validity, &list->offsets, &values->validity, &values->data};
    if (!PyList_Check(told) || PyList_GET_SIZE(told) != 4) {
        PyErr_SetString(PyExc_TypeError, "columns: a chunk has a list of 4 buffers");
        return -1;
    }
    for (Py_ssize_t i = 0; i < 4; i++) {
        if (take_buffer(chunks, PyList_GET_ITEM(told, i), buffers[i]) != 0)
            return -1;
        if (PyList_GET_SIZE(told) != 4) {
            PyErr_SetString(PyExc_RuntimeError, "columns: buffers changed while they were read");
            return -1;
        }
    }
    return 0;
}

static int32_t kind_of_values(int64_t number)
{
    return number < 0                                   ? SHIMHUB_COLUMN_NULL
           : number == SHIMHUB_NUMBER_BIT               ? SHIMHUB_COLUMN_BOOL
           : shimhub_number_is_float((int32_t)number) ? SHIMHUB_COLUMN_FLOAT
                                                        : SHIMHUB_COLUMN_FIXED;
}

static int take_chunk(struct shimhub_chunks *chunks, PyObject *told, Py_ssize_t index)
{
    shimhub_column *list = &chunks->lists[index], *values = list + chunks->count;
    int64_t numbers[BUFFERS];
    if (take_numbers(told, numbers) != 0)
        return -1;
    if (numbers[NUMBER] >= SHIMHUB_NUMBER_COUNT) {
        PyErr_SetString(PyExc_ValueError, "columns: no such number");
        return -1;
    }
    /* Without a type there are but nulls, and none is ever read. */
    chunks->type = numbers[NUMBER] < 0 ? SHIMHUB_NUMBER_BIT : (int32_t)numbers[NUMBER];
    *list = (shimhub_column){
        .kind = numbers[KIND] == SHIMHUB_COLUMN_LIST ? SHIMHUB_COLUMN_LIST
                                                     : SHIMHUB_COLUMN_FIXED_LIST,
        .children_count = 1, .width = numbers[WIDTH], .length = numbers[LENGTH],
        .offset = numbers[OFFSET], .children = values,
    };
    *values = (shimhub_column){
        .kind = kind_of_values(numbers[NUMBER]), .width = shimhub_number_size(chunks->type),
        .length = numbers[VALUES_LENGTH], .offset = numbers[VALUES_OFFSET],
    };
    return take_buffers(chunks, PyTuple_GET_ITEM(told, BUFFERS), list, values);
}

static int allocate(struct shimhub_chunks *chunks, Py_ssize_t count)
{
    chunks->count = count;
    chunks->type = SHIMHUB_NUMBER_BIT; /* of no chunks at all */
    chunks->lists = PyMem_Calloc((size_t)count + 1, 2 * sizeof *chunks->lists);
    chunks->views = PyMem_Calloc((size_t)count + 1, 4 * sizeof *chunks->views);
    if (chunks->lists != NULL && chunks->views != NULL)
        return 0;
    PyErr_NoMemory();
    return -1;
}

void shimhub_chunks_drop(struct shimhub_chunks *chunks)
{
    for (Py_ssize_t i = 0; i < chunks->taken; i++)
        PyBuffer_Release(&chunks->views[i]);
    PyMem_Free(chunks->lists);
    PyMem_Free(chunks->views);
}

/* Says where offsets are wrong, as verify() in _columns.py does. */
static void fail_offsets(const struct shimhub_field *field)
{
    int64_t row = -1, before = 0;
    Py_ssize_t at = 0;
    while (at + 1 < field->chunks.count &&
           shimhub_column_check(&field->chunks.lists[at], &row) == SHIMHUB_OK)
        before += field->chunks.lists[at++].length;
    const shimhub_column *list = &field->chunks.lists[at];
    PyObject *name = field->name == NULL ? PyUnicode_FromString("rows")
                                         : PyUnicode_FromFormat("features[%R]", field->name);
    if (name == NULL)
        return;
    shimhub_column_check(list, &row);
    if (row >= 0)
        PyErr_Format(PyExc_ValueError, "%U: offsets of row %lld fall, or lie outside of the values",
                     name, (long long)(before + row));
    else
        PyErr_Format(PyExc_ValueError, "%U: a buffer is smaller than %lld rows at %lld need", name,
                     (long long)list->length, (long long)list->offset);
    Py_DECREF(name);
}

static int fail_status(const struct shimhub_field *field, shimhub_status status)
{
    if (status == SHIMHUB_OVERFLOW)
        PyErr_SetString(PyExc_OverflowError, "there are more rows than can be counted");
    else
        fail_offsets(field);
    return -1;
}

int shimhub_chunks_take(struct shimhub_field *field, PyObject *told)
{
    struct shimhub_chunks *chunks = &field->chunks;
    if (!PyTuple_Check(told)) {
        PyErr_SetString(PyExc_TypeError, "columns: expected a tuple of chunks");
        return -1;
    }
    if (allocate(chunks, PyTuple_GET_SIZE(told)) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < chunks->count; i++)
        if (take_chunk(chunks, PyTuple_GET_ITEM(told, i), i) != 0)
            return -1;
    shimhub_status status = shimhub_pad_measure(chunks->lists, (size_t)chunks->count, &chunks->rows,
                                                &chunks->longest);
    return status == SHIMHUB_OK ? 0 : fail_status(field, status);
}

static int take_column(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *features)
{
    PyObject *told = PyDict_GetItemWithError(features, field->name);
    if (told == NULL)
        return PyErr_Occurred() ? -1 : shimhub_leave_out(batch, field);
    if (shimhub_chunks_take(field, told) != 0)
        return -1;
    if (batch->rows < 0)
        batch->rows = (Py_ssize_t)field->chunks.rows;
    if (field->chunks.rows == batch->rows)
        return 0;
    PyErr_Format(PyExc_ValueError, "features[%R]: %zd rows, and others have %zd", field->name,
                 (Py_ssize_t)field->chunks.rows, batch->rows);
    return -1;
}

int shimhub_columns_take(struct shimhub_batch *batch, PyObject *features)
{
    if (!PyDict_Check(features)) {
        PyErr_SetString(PyExc_TypeError, "columns: expected a dict");
        return -1;
    }
    batch->rows = -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (take_column(batch, &batch->fields[i], features) != 0)
            return -1;
    if (batch->rows < 0)
        batch->rows = 0;
    return 0;
}

static int fail_fault(const struct shimhub_batch *batch, const struct shimhub_field *field,
                      const struct shimhub_chunks *chunks, const shimhub_pad_fault *fault)
{
    struct shimhub_where where = {batch->place, field->name, (Py_ssize_t)fault->row, 0,
                                  (Py_ssize_t)fault->item};
    if (fault->kind == SHIMHUB_PAD_NULL_ROW)
        return shimhub_py_fail(&where, PyExc_ValueError, "it is null");
    if (fault->kind == SHIMHUB_PAD_NULL_ITEM)
        return shimhub_py_fail(&where, PyExc_ValueError, "it is null");
    if (fault->kind == SHIMHUB_PAD_TOO_LONG)
        return shimhub_py_fail(&where, PyExc_ValueError, "%zd items are more than length %zd",
                               (Py_ssize_t)fault->count, (Py_ssize_t)field->pad.length);
    const shimhub_column *values = chunks->lists[fault->chunk].children;
    int64_t size = shimhub_number_size(chunks->type), at = values->offset + fault->at;
    struct shimhub_items item = {(const char *)values->data.data + at * size, size, at, 1,
                                 chunks->type};
    return shimhub_py_fail_misfit(&where, &item, field->pad.type);
}

static int check_lengths(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    int64_t row;
    const struct shimhub_field *other = &batch->fields[field->ones_for];
    if (other->absent || shimhub_pad_same_lengths(field->chunks.lists, (size_t)field->chunks.count,
                                                  other->chunks.lists, &row))
        return 0;
    struct shimhub_where where = {batch->place, field->name, (Py_ssize_t)row, 0, -1};
    return shimhub_py_fail(&where, PyExc_ValueError, "its length is not that of %R", other->name);
}

static const struct shimhub_chunks *chunks_of(const struct shimhub_batch *batch,
                                              const struct shimhub_field *field)
{
    return field->made ? &batch->fields[field->ones_for].chunks : &field->chunks;
}

int shimhub_chunks_check(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    const struct shimhub_chunks *chunks = chunks_of(batch, field);
    shimhub_pad pad = field->pad;
    shimhub_pad_fault fault = {0};
    pad.ones = field->made;
    if (batch->rows == 0)
        return 0;
    if (!field->made && (!shimhub_number_converts(chunks->type, pad.type) ||
                         (field->strict && !shimhub_number_is_strict(chunks->type)))) {
        struct shimhub_where where = {batch->place, field->name, 0, 0, -1};
        return shimhub_py_fail(&where, PyExc_TypeError, "%s numbers do not go into %s",
                               shimhub_number_name(chunks->type), shimhub_number_name(pad.type));
    }
    if (field->ones_for >= 0 && !field->made && check_lengths(batch, field) != 0)
        return -1;
    shimhub_status status = shimhub_pad_check(chunks->lists, (size_t)chunks->count, chunks->type,
                                              &pad, &fault);
    if (status == SHIMHUB_OK)
        return 0;
    return status == SHIMHUB_BAD_FORMAT ? fail_fault(batch, field, chunks, &fault)
                                        : fail_status(field, status);
}

void shimhub_chunks_write(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    const struct shimhub_chunks *chunks = chunks_of(batch, field);
    shimhub_pad pad = field->pad;
    pad.ones = field->made;
    PyThreadState *state =
        pad.rows * pad.length < WORTH_RELEASING ? NULL : PyEval_SaveThread();
    shimhub_pad_write(chunks->lists, (size_t)chunks->count, chunks->type, &pad, batch->threads);
    if (state != NULL)
        PyEval_RestoreThread(state);
}
