/* Rows of freshly parsed JSON, made to have exactly the fields of a schema.
 *
 * Allocations may run a garbage collection, and that any Python code: containers and values are
 * held while they are worked on, and sizes are read anew. Numbers and strings run nothing. */
#include "py.h"

#include <string.h>

#include "pad_read.h"
#include "row_type.h"

/* What drifts is told on the way out: the path grows from its end. */
struct drift {
    PyObject *path; /* a list, from the value to the row */
    PyObject *problem;
};

enum { ERROR = -1, DONE = 0, DRIFT = 1 };

static int conform(struct drift *drift, const struct shimhub_row_type *type, PyObject *value,
                   PyObject **made);

static int drifts(struct drift *drift, PyObject *problem)
{
    drift->problem = problem;
    drift->path = problem == NULL ? NULL : PyList_New(0);
    return drift->path == NULL ? ERROR : DRIFT;
}

static int drifts_in_kind(struct drift *drift, const struct shimhub_row_type *type, PyObject *value)
{
    return drifts(drift, PyUnicode_FromFormat("%s, want %s", shimhub_type_name(value), type->name));
}

static int drifts_in_range(struct drift *drift, const struct shimhub_row_type *type)
{
    return drifts(drift, PyUnicode_FromFormat("int, out of the range of %s", type->name));
}

/* Adds where the value is to what is told of it. */
static int placed(struct drift *drift, int status, PyObject *place)
{
    if (status != DRIFT)
        return status;
    return PyList_Append(drift->path, place) == 0 ? DRIFT : ERROR;
}

static int placed_at(struct drift *drift, int status, Py_ssize_t i)
{
    if (status != DRIFT)
        return status;
    PyObject *place = PyLong_FromSsize_t(i);
    status = place == NULL ? ERROR : placed(drift, status, place);
    Py_XDECREF(place);
    return status;
}

static int conform_int(struct drift *drift, const struct shimhub_row_type *type, PyObject *value)
{
    int overflow;
    if (!PyLong_CheckExact(value))
        return drifts_in_kind(drift, type, value);
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0 && number >= type->low && (number < 0 || (uint64_t)number <= type->high))
        return DONE;
    if (overflow > 0 && type->high == UINT64_MAX) {
        if (PyLong_AsUnsignedLongLong(value) != (unsigned long long)-1 || !PyErr_Occurred())
            return DONE;
        PyErr_Clear();
    }
    return drifts_in_range(drift, type);
}

/* 2^53: what rounds to less was exact. */
#define FLOAT_EXACT 9007199254740992.0

static int conform_float(struct drift *drift, const struct shimhub_row_type *type, PyObject *value,
                         PyObject **made)
{
    if (PyFloat_CheckExact(value))
        return DONE;
    if (!PyLong_CheckExact(value))
        return drifts_in_kind(drift, type, value);
    double number = PyLong_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return drifts_in_range(drift, type);
    }
    *made = PyFloat_FromDouble(number);
    if (*made == NULL)
        return ERROR;
    if (-FLOAT_EXACT < number && number < FLOAT_EXACT)
        return DONE;
    int same = PyObject_RichCompareBool(value, *made, Py_EQ);
    if (same == 1)
        return DONE;
    Py_CLEAR(*made);
    return same < 0 ? ERROR : drifts(drift, PyUnicode_FromString("int, not exact as float64"));
}

static int conform_list(struct drift *drift, const struct shimhub_row_type *type, PyObject *list)
{
    if (!PyList_CheckExact(list))
        return drifts_in_kind(drift, type, list);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *made = NULL, *item = Py_NewRef(PyList_GET_ITEM(list, i));
        int status = conform(drift, type->children, item, &made);
        if (status == DONE && made != NULL && PyList_SetItem(list, i, Py_NewRef(made)) != 0)
            status = ERROR;
        Py_XDECREF(made);
        Py_DECREF(item);
        if (status != DONE)
            return placed_at(drift, status, i);
    }
    return DONE;
}

static bool is_ready(PyObject *text)
{
#if PY_VERSION_HEX < 0x030c0000
    return PyUnicode_IS_READY(text);
#else
    (void)text;
    return true;
#endif
}

/* Whether they are equal strings; false, too, where that is not known without running Python. */
static bool is_key(PyObject *key, PyObject *wanted)
{
    if (key == wanted)
        return true;
    if (!PyUnicode_CheckExact(key) || !is_ready(key) || !is_ready(wanted) ||
        PyUnicode_GET_LENGTH(key) != PyUnicode_GET_LENGTH(wanted) ||
        PyUnicode_KIND(key) != PyUnicode_KIND(wanted))
        return false;
    size_t size = (size_t)PyUnicode_GET_LENGTH(key) * (size_t)PyUnicode_KIND(key);
    return memcmp(PyUnicode_DATA(key), PyUnicode_DATA(wanted), size) == 0;
}

static int conform_field(struct drift *drift, const struct shimhub_row_type *type, Py_ssize_t i,
                         PyObject *item, PyObject *dict, bool is_new)
{
    PyObject *made = NULL;
    int status = conform(drift, &type->children[i], item, &made);
    if (status == DONE && (made != NULL || is_new) &&
        PyDict_SetItem(dict, type->keys[i], made != NULL ? made : item) != 0)
        status = ERROR;
    Py_XDECREF(made);
    return placed(drift, status, type->keys[i]);
}

/* Conforms the values of a dict whose keys are those of the type, in order; *in_order is false if
 * they are not. Setting the value of a key that is there leaves the order of the others. */
static int conform_in_order(struct drift *drift, const struct shimhub_row_type *type,
                            PyObject *dict, bool *in_order)
{
    Py_ssize_t at = 0, i = 0;
    PyObject *key, *item;
    for (; PyDict_Next(dict, &at, &key, &item); i++) {
        if (i == type->count || !is_key(key, type->keys[i])) {
            *in_order = false;
            return DONE;
        }
        Py_INCREF(item);
        int status = conform_field(drift, type, i, item, dict, false);
        Py_DECREF(item);
        if (status != DONE)
            return status;
    }
    *in_order = i == type->count;
    return DONE;
}

/* The first key that no field has. */
static int find_unexpected(struct drift *drift, const struct shimhub_row_type *type, PyObject *dict)
{
    Py_ssize_t at = 0;
    PyObject *key, *item;
    while (PyDict_Next(dict, &at, &key, &item)) {
        Py_INCREF(key);
        int status = PyDict_Contains(type->template, key);
        if (status == 0) {
            status = drifts(drift, PyUnicode_FromString("unexpected key"));
            status = placed(drift, status, key);
            Py_DECREF(key);
            return status;
        }
        Py_DECREF(key);
        if (status < 0)
            return ERROR;
    }
    return DONE;
}

/* Fills *made, a dict of the keys in order. */
static int conform_anew(struct drift *drift, const struct shimhub_row_type *type, PyObject *dict,
                        PyObject *made)
{
    Py_ssize_t found = 0;
    for (Py_ssize_t i = 0; i < type->count; i++) {
        PyObject *item = PyDict_GetItemWithError(dict, type->keys[i]);
        if (item == NULL && PyErr_Occurred())
            return ERROR;
        if (item == NULL)
            continue;
        found++;
        Py_INCREF(item);
        int status = conform_field(drift, type, i, item, made, true);
        Py_DECREF(item);
        if (status != DONE)
            return status;
    }
    return found == PyDict_GET_SIZE(dict) ? DONE : find_unexpected(drift, type, dict);
}

static int conform_struct(struct drift *drift, const struct shimhub_row_type *type, PyObject *dict,
                          PyObject **made)
{
    bool in_order = true;
    if (!PyDict_CheckExact(dict))
        return drifts_in_kind(drift, type, dict);
    int status = conform_in_order(drift, type, dict, &in_order);
    if (status != DONE || in_order)
        return status;
    *made = PyDict_Copy(type->template);
    status = *made == NULL ? ERROR : conform_anew(drift, type, dict, *made);
    if (status != DONE)
        Py_CLEAR(*made);
    return status;
}

/* The caller holds the value; *made, if it is set, is to take its place. */
static int conform(struct drift *drift, const struct shimhub_row_type *type, PyObject *value,
                   PyObject **made)
{
    if (value == Py_None || type->kind == SHIMHUB_TYPE_ANY)
        return DONE;
    switch (type->kind) {
    case SHIMHUB_TYPE_INT: return conform_int(drift, type, value);
    case SHIMHUB_TYPE_FLOAT: return conform_float(drift, type, value, made);
    case SHIMHUB_TYPE_LIST: return conform_list(drift, type, value);
    case SHIMHUB_TYPE_STRUCT: return conform_struct(drift, type, value, made);
    case SHIMHUB_TYPE_STRING:
        return PyUnicode_CheckExact(value) ? DONE : drifts_in_kind(drift, type, value);
    case SHIMHUB_TYPE_BOOL:
        return PyBool_Check(value) ? DONE : drifts_in_kind(drift, type, value);
    default: return drifts_in_kind(drift, type, value);
    }
}

/* A row is none of the values of its type that may be null. */
static int conform_row(struct drift *drift, const struct shimhub_row_type *type, PyObject *rows,
                       Py_ssize_t i)
{
    PyObject *made = NULL, *row = Py_NewRef(PyList_GET_ITEM(rows, i));
    int status = conform_struct(drift, type, row, &made);
    if (status == DONE && made != NULL && PyList_SetItem(rows, i, Py_NewRef(made)) != 0)
        status = ERROR;
    Py_XDECREF(made);
    Py_DECREF(row);
    return status;
}

static PyObject *told(const struct drift *drift, Py_ssize_t row)
{
    if (PyList_Reverse(drift->path) != 0)
        return NULL;
    PyObject *path = PyList_AsTuple(drift->path);
    return path == NULL ? NULL : Py_BuildValue("nNO", row, path, drift->problem);
}

static PyObject *conform_all(const struct shimhub_row_type *type, PyObject *rows)
{
    struct drift drift = {NULL, NULL};
    PyObject *found = Py_None;
    Py_ssize_t count = PyList_GET_SIZE(rows);
    for (Py_ssize_t i = 0; found == Py_None && i < count; i++) {
        if (PyList_GET_SIZE(rows) != count) {
            PyErr_SetString(PyExc_RuntimeError,
                            "rows: changed their size while they were conformed");
            return NULL;
        }
        int status = conform_row(&drift, type, rows, i);
        if (status != DONE)
            found = status == DRIFT ? told(&drift, i) : NULL;
    }
    Py_XDECREF(drift.path);
    Py_XDECREF(drift.problem);
    return found == Py_None ? Py_NewRef(Py_None) : found;
}

/* conform_rows(rows, fields): None, or (row, path, problem) of the first that does not conform. */
static PyObject *conform_rows(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyList_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "conform_rows: want a list and fields");
        return NULL;
    }
    struct shimhub_row_type type;
    PyObject *found = NULL;
    if (shimhub_row_fields(args[1], 1, &type) == 0)
        found = conform_all(&type, args[0]);
    shimhub_row_type_drop(&type);
    return found;
}

PyMethodDef shimhub_py_conform_methods[] = {
    {"conform_rows", (PyCFunction)(void (*)(void))conform_rows, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
