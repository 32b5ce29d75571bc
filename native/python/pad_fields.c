/* What is told of a batch: its fields, lengths and sides. */
#include "pad_batch.h"

int shimhub_context_take(PyObject *told, struct shimhub_context *context)
{
    if (!PyTuple_Check(told) || PyTuple_GET_SIZE(told) != 6 ||
        !PyDict_Check(PyTuple_GET_ITEM(told, 1))) {
        PyErr_SetString(PyExc_TypeError, "context: expected (empty, dtypes, bool, ndarray, dtype, refusal)");
        return -1;
    }
    context->empty = PyTuple_GET_ITEM(told, 0);
    context->dtypes = PyTuple_GET_ITEM(told, 1);
    context->numpy_bool = PyTuple_GET_ITEM(told, 2);
    context->ndarray = PyTuple_GET_ITEM(told, 3);
    context->dtype = PyTuple_GET_ITEM(told, 4);
    context->refusal = PyTuple_GET_ITEM(told, 5);
    return 0;
}

static int fail_option(PyObject *kind, const char *name, const char *wanted, PyObject *got)
{
    PyErr_Format(kind, "%s: expected %s, got %R", name, wanted, got);
    return -1;
}

/* An int of at least `least`, or `otherwise` for None. */
static int take_size(PyObject *told, const char *name, Py_ssize_t least, Py_ssize_t otherwise,
                     Py_ssize_t *size)
{
    const char *wanted =
        least == 0 ? "an int of at least 0, or None" : "an int of at least 1, or None";
    *size = otherwise;
    if (told == Py_None)
        return 0;
    if (PyBool_Check(told) || !PyIndex_Check(told))
        return fail_option(PyExc_TypeError, name, wanted, told);
    PyObject *number = PyNumber_Index(told);
    if (number == NULL)
        return -1;
    int overflow;
    long long found = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (overflow > 0 || found > PY_SSIZE_T_MAX) {
        PyErr_Format(PyExc_OverflowError, "%s: cannot fit %R into an index-sized integer", name,
                     told);
        return -1;
    }
    *size = (Py_ssize_t)found;
    return overflow < 0 || found < least ? fail_option(PyExc_ValueError, name, wanted, told) : 0;
}

static int take_side(PyObject *side, bool *left)
{
    if (!PyUnicode_Check(side))
        return fail_option(PyExc_TypeError, "side", "'right' or 'left'", side);
    *left = PyUnicode_CompareWithASCIIString(side, "left") == 0;
    if (!*left && PyUnicode_CompareWithASCIIString(side, "right") != 0)
        return fail_option(PyExc_ValueError, "side", "'right' or 'left'", side);
    return 0;
}

int shimhub_options_take(struct shimhub_batch *batch, PyObject *length, PyObject *multiple_of,
                         PyObject *side)
{
    if (take_size(length, "length", 0, -1, &batch->length) != 0 ||
        take_size(multiple_of, "multiple_of", 1, 1, &batch->multiple_of) != 0)
        return -1;
    return take_side(side, &batch->left);
}

/* What NumPy takes for one of the dtypes, in other words; NULL, and no error, if it does not. */
static PyObject *find_dtype(const struct shimhub_context *context, PyObject *told)
{
    PyObject *found = NULL, *dtype = NULL;
    if (told != Py_None) /* which is float64 to NumPy */
        dtype = PyObject_CallOneArg(context->dtype, told);
    if (dtype != NULL)
        found = PyDict_GetItemWithError(context->dtypes, dtype);
    Py_XDECREF(dtype);
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_TypeError) ||
                             PyErr_ExceptionMatches(PyExc_ValueError)))
        PyErr_Clear();
    return found;
}

int shimhub_dtype_take(const struct shimhub_batch *batch, PyObject *told,
                       struct shimhub_field *field)
{
    PyObject *found = PyDict_GetItemWithError(batch->context.dtypes, told);
    if (found == NULL && PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError))
        return -1;
    if (found == NULL) {
        PyErr_Clear(); /* it has no hash */
        found = find_dtype(&batch->context, told);
    }
    if (found == NULL) {
        if (PyErr_Occurred())
            return -1;
        return fail_option(PyExc_TypeError, "dtype",
                           "int32, int64, uint8, float32, float64 or bool", told);
    }
    if (!PyTuple_Check(found) || PyTuple_GET_SIZE(found) != 2)
        return fail_option(PyExc_TypeError, "context", "(number, dtype)", found);
    field->pad.type = (int32_t)PyLong_AsLong(PyTuple_GET_ITEM(found, 0));
    field->dtype = PyTuple_GET_ITEM(found, 1);
    if (PyErr_Occurred() || !shimhub_number_is_target(field->pad.type))
        return fail_option(PyExc_TypeError, "context", "(number, dtype)", found);
    return 0;
}

static int take_name(struct shimhub_field *field, PyObject *name)
{
    if (!PyUnicode_CheckExact(name))
        return fail_option(PyExc_TypeError, "fields", "names that are str", name);
    field->name = Py_NewRef(name);
    return 0;
}

/* The index of a field that was taken before `before`; -1, and no error, if there is none. */
static Py_ssize_t find_field(const struct shimhub_batch *batch, PyObject *name, Py_ssize_t before)
{
    for (Py_ssize_t i = 0; i < before; i++)
        if (PyUnicode_Compare(batch->fields[i].name, name) == 0)
            return i;
    return -1;
}

/* Field(name, value, dtype, ones_for, optional, numbered, strict) of padding.py. */
static int take_field(struct shimhub_batch *batch, Py_ssize_t index, PyObject *told)
{
    struct shimhub_field *field = &batch->fields[index];
    if (!PyTuple_Check(told) || PyTuple_GET_SIZE(told) != 7)
        return fail_option(PyExc_TypeError, "fields", "Fields or a mapping", told);
    PyObject *mask = PyTuple_GET_ITEM(told, 3);
    if (take_name(field, PyTuple_GET_ITEM(told, 0)) != 0 ||
        shimhub_dtype_take(batch, PyTuple_GET_ITEM(told, 2), field) != 0 ||
        shimhub_pad_value_take(&batch->context, PyTuple_GET_ITEM(told, 1), field->name,
                               &field->pad) != 0)
        return -1;
    if (find_field(batch, field->name, index) >= 0)
        return fail_option(PyExc_ValueError, "fields", "each name once", field->name);
    int optional = PyObject_IsTrue(PyTuple_GET_ITEM(told, 4));
    int numbered = optional < 0 ? -1 : PyObject_IsTrue(PyTuple_GET_ITEM(told, 5));
    int strict = numbered < 0 ? -1 : PyObject_IsTrue(PyTuple_GET_ITEM(told, 6));
    if (strict < 0)
        return -1;
    field->optional = optional;
    field->numbered = numbered;
    field->strict = strict;
    if (field->numbered && (shimhub_number_is_float(field->pad.type) ||
                            field->pad.type == SHIMHUB_NUMBER_BOOL))
        return fail_option(PyExc_TypeError, "fields", "an integer dtype where numbered", told);
    if (field->strict && field->pad.type != SHIMHUB_NUMBER_INT64)
        return fail_option(PyExc_TypeError, "fields", "int64 where strict", told);
    if (mask == Py_None)
        return 0;
    field->ones_for = PyUnicode_CheckExact(mask) ? find_field(batch, mask, index) : -1;
    return field->ones_for >= 0
               ? 0
               : fail_option(PyExc_ValueError, "ones_for", "the name of an earlier field", mask);
}

static int take_pair(struct shimhub_batch *batch, Py_ssize_t index, PyObject *name,
                     PyObject *value)
{
    struct shimhub_field *field = &batch->fields[index];
    if (take_name(field, name) != 0 ||
        shimhub_dtype_take(batch, (PyObject *)&PyLong_Type, field) != 0)
        return -1;
    return shimhub_pad_value_take(&batch->context, value, field->name, &field->pad);
}

/* In a mapping, too, attention_mask is made from input_ids where features have none. */
static int take_mapping(struct shimhub_batch *batch, PyObject *told)
{
    Py_ssize_t position = 0, index = 0;
    PyObject *name, *value;
    while (PyDict_Next(told, &position, &name, &value)) {
        Py_INCREF(name);
        Py_INCREF(value);
        int status = index < batch->fields_count ? take_pair(batch, index, name, value) : -1;
        Py_DECREF(name);
        Py_DECREF(value);
        if (status != 0)
            break;
        index++;
    }
    if (!PyErr_Occurred() && index != batch->fields_count)
        PyErr_SetString(PyExc_RuntimeError, "fields: changed size while they were read");
    if (PyErr_Occurred())
        return -1;
    for (index = 0; index < batch->fields_count; index++)
        if (PyUnicode_CompareWithASCIIString(batch->fields[index].name, "attention_mask") == 0) {
            PyObject *ids = PyUnicode_InternFromString("input_ids");
            if (ids == NULL)
                return -1;
            batch->fields[index].ones_for = find_field(batch, ids, batch->fields_count);
            Py_DECREF(ids);
        }
    return 0;
}

int shimhub_fields_take(struct shimhub_batch *batch, PyObject *told)
{
    bool mapping = PyDict_Check(told);
    if (!mapping && !PyTuple_Check(told))
        return fail_option(PyExc_TypeError, "fields", "Fields or a mapping", told);
    Py_ssize_t count = mapping ? PyDict_GET_SIZE(told) : PyTuple_GET_SIZE(told);
    if (count == 0)
        return fail_option(PyExc_ValueError, "fields", "at least one field", told);
    batch->fields = PyMem_Calloc((size_t)count, sizeof *batch->fields);
    if (batch->fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    batch->fields_count = count;
    for (Py_ssize_t i = 0; i < count; i++)
        batch->fields[i].ones_for = -1;
    int status = mapping ? take_mapping(batch, told) : 0;
    for (Py_ssize_t i = 0; !mapping && status == 0 && i < count; i++)
        status = take_field(batch, i, PyTuple_GET_ITEM(told, i));
    return status;
}

static void drop_field(struct shimhub_field *field)
{
    for (Py_ssize_t i = 0; i < field->taken; i++)
        shimhub_row_drop(&field->rows[i]);
    PyMem_Free(field->rows);
    shimhub_chunks_drop(&field->chunks);
    shimhub_view_drop(field->shared);
    shimhub_view_drop(field->out);
    PyMem_RawFree(field->scratch);
    Py_XDECREF(field->array);
    Py_XDECREF(field->name);
}

void shimhub_batch_drop(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        drop_field(&batch->fields[i]);
    PyMem_Free(batch->fields);
    PyMem_Free(batch->first);
}
