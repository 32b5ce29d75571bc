/* pad() and collate() over Python's objects. */
#include "pad_batch.h"

static int expect(const char *name, Py_ssize_t got, Py_ssize_t wanted)
{
    if (got == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s: expected %zd arguments, got %zd", name, wanted, got);
    return -1;
}

static int pad(struct shimhub_batch *batch, PyObject *const *arguments)
{
    struct shimhub_field *field = batch->fields;
    batch->truncate = arguments[7] == Py_True;
    field->pad.truncate = batch->truncate;
    if (shimhub_context_take(arguments[8], &batch->context) != 0 ||
        shimhub_options_take(batch, arguments[1], arguments[2], arguments[3]) != 0 ||
        shimhub_dtype_take(batch, arguments[5], field) != 0 ||
        shimhub_pad_value_take(arguments[4], "value", &field->pad) != 0 ||
        shimhub_rows_take(batch, field, arguments[0]) != 0)
        return -1;
    batch->rows = batch->parts = field->taken;
    return shimhub_batch_write(batch, arguments[6]);
}

/* pad_rows(rows, length, multiple_of, side, value, dtype, out, truncate, context) -> array */
static PyObject *pad_rows(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (expect("pad_rows", count, 9) != 0)
        return NULL;
    struct shimhub_field *field = PyMem_Calloc(1, sizeof *field);
    if (field == NULL)
        return PyErr_NoMemory();
    field->ones_for = -1;
    struct shimhub_batch batch = {.place = SHIMHUB_ROWS, .fields = field, .fields_count = 1};
    int status = pad(&batch, arguments);
    PyObject *array = status == 0 ? Py_NewRef(field->array) : NULL;
    shimhub_batch_drop(&batch);
    return array;
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
    if (shimhub_context_take(arguments[7], &batch->context) != 0 ||
        shimhub_options_take(batch, arguments[2], arguments[3], arguments[4]) != 0 ||
        shimhub_fields_take(batch, arguments[1]) != 0 ||
        shimhub_features_take(batch, arguments[0]) != 0)
        return -1;
    return shimhub_batch_write(batch, arguments[5]);
}

/* collate_features(features, fields, length, multiple_of, side, out, bins, context) -> dict */
static PyObject *collate_features(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (expect("collate_features", count, 8) != 0)
        return NULL;
    struct shimhub_batch batch = {
        .place = arguments[6] == Py_True ? SHIMHUB_BINS : SHIMHUB_FEATURES,
    };
    PyObject *result = collate(&batch, arguments) == 0 ? result_of(&batch) : NULL;
    shimhub_batch_drop(&batch);
    return result;
}

PyMethodDef shimhub_py_pad_methods[] = {
    /* METH_FASTCALL functions have another type; CPython calls them by the flag. */
    {"pad_rows", (PyCFunction)(void (*)(void))pad_rows, METH_FASTCALL, NULL},
    {"collate_features", (PyCFunction)(void (*)(void))collate_features, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
