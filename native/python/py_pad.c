/* pad() and collate() over Python's objects. */
#include "pad_batch.h"

static int expect(const char *name, Py_ssize_t got, Py_ssize_t wanted)
{
    if (got == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s: expected %zd arguments, got %zd", name, wanted, got);
    return -1;
}

/* 0 is one for each processor. */
static int take_threads(PyObject *told, unsigned *threads)
{
    int overflow = 0;
    PyObject *number = PyIndex_Check(told) ? PyNumber_Index(told) : NULL;
    if (number == NULL && PyErr_Occurred())
        return -1;
    long count = number == NULL ? -1 : PyLong_AsLongAndOverflow(number, &overflow);
    PyObject *kind = number == NULL ? PyExc_TypeError : PyExc_ValueError;
    Py_XDECREF(number);
    if (overflow != 0 || count < 0 || count > 1024) {
        PyErr_Format(kind, "threads: expected 0 .. 1024, got %R", told);
        return -1;
    }
    *threads = (unsigned)count;
    return 0;
}

static int pad(struct shimhub_batch *batch, PyObject *const *arguments)
{
    struct shimhub_field *field = batch->fields;
    int truncate = PyObject_IsTrue(arguments[7]);
    batch->truncate = truncate > 0;
    field->pad.truncate = batch->truncate;
    if (truncate < 0 || take_threads(arguments[8], &batch->threads) != 0 ||
        shimhub_context_take(arguments[9], &batch->context) != 0 ||
        shimhub_options_take(batch, arguments[1], arguments[2], arguments[3]) != 0 ||
        shimhub_dtype_take(batch, arguments[5], field) != 0 ||
        shimhub_pad_value_take(&batch->context, arguments[4], NULL, &field->pad) != 0 ||
        (batch->columns ? shimhub_chunks_take(field, arguments[0])
                        : shimhub_rows_take(batch, field, arguments[0])) != 0)
        return -1;
    batch->rows = batch->columns ? (Py_ssize_t)field->chunks.rows : field->taken;
    return shimhub_batch_write(batch, arguments[6]);
}

static PyObject *pad_any(PyObject *const *arguments, Py_ssize_t count, bool columns)
{
    if (expect("pad", count, 10) != 0)
        return NULL;
    struct shimhub_field *field = PyMem_Calloc(1, sizeof *field);
    if (field == NULL)
        return PyErr_NoMemory();
    field->ones_for = -1;
    struct shimhub_batch batch = {.place = SHIMHUB_ROWS, .fields = field, .fields_count = 1,
                                  .columns = columns};
    int status = pad(&batch, arguments);
    PyObject *array = status == 0 ? Py_NewRef(field->array) : NULL;
    shimhub_batch_drop(&batch);
    return array;
}

/* pad_rows(rows, length, multiple_of, side, value, dtype, out, truncate, threads, context) */
static PyObject *pad_rows(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return pad_any(arguments, count, false);
}

/* The same; rows are chunks of a column. */
static PyObject *pad_columns(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return pad_any(arguments, count, true);
}

static PyObject *result_of(const struct shimhub_batch *batch)
{
    PyObject *result = PyDict_New();
    for (Py_ssize_t i = 0; result != NULL && i < batch->fields_count; i++) {
        const struct shimhub_field *field = &batch->fields[i];
        if (!field->absent && PyDict_SetItem(result, field->name, field->array) != 0)
            Py_CLEAR(result);
    }
    return result;
}

static int collate(struct shimhub_batch *batch, PyObject *const *arguments)
{
    if (take_threads(arguments[7], &batch->threads) != 0 ||
        shimhub_context_take(arguments[8], &batch->context) != 0 ||
        shimhub_options_take(batch, arguments[2], arguments[3], arguments[4]) != 0 ||
        shimhub_fields_take(batch, arguments[1]) != 0 ||
        (batch->columns ? shimhub_columns_take(batch, arguments[0])
                        : shimhub_features_take(batch, arguments[0])) != 0)
        return -1;
    return shimhub_batch_write(batch, arguments[5]);
}

static PyObject *collate_any(PyObject *const *arguments, Py_ssize_t count, bool columns)
{
    if (expect("collate", count, 9) != 0)
        return NULL;
    int bins = columns ? 0 : PyObject_IsTrue(arguments[6]);
    if (bins < 0)
        return NULL;
    struct shimhub_batch batch = {
        .place = columns ? SHIMHUB_COLUMNS : bins ? SHIMHUB_BINS : SHIMHUB_FEATURES,
        .columns = columns,
    };
    PyObject *result = collate(&batch, arguments) == 0 ? result_of(&batch) : NULL;
    shimhub_batch_drop(&batch);
    return result;
}

/* collate_features(features, fields, length, multiple_of, side, out, bins, threads, context) */
static PyObject *collate_features(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return collate_any(arguments, count, false);
}

/* The same; features are a dict of columns. */
static PyObject *collate_columns(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return collate_any(arguments, count, true);
}

/* METH_FASTCALL functions have another type; CPython calls them by the flag. */
#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

PyMethodDef shimhub_py_pad_methods[] = {
    FAST(pad_rows),
    FAST(pad_columns),
    FAST(collate_features),
    FAST(collate_columns),
    {NULL, NULL, 0, NULL},
};
