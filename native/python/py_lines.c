/* Keys of rows that a JSON parser made. */
#include "py.h"

/* Deeper ones are an error: what calls it has looked at the text. */
#define DEPTH 256

static bool count_in(PyObject *value, int depth, size_t *pairs);

static bool count_dict(PyObject *dict, int depth, size_t *pairs)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    *pairs += (size_t)PyDict_GET_SIZE(dict);
    while (PyDict_Next(dict, &at, &key, &value)) {
        if (!count_in(value, depth, pairs))
            return false;
    }
    return true;
}

/* Runs no Python code, so that nothing changes meanwhile. */
static bool count_in(PyObject *value, int depth, size_t *pairs)
{
    if (PyDict_CheckExact(value))
        return depth < DEPTH && count_dict(value, depth + 1, pairs);
    if (!PyList_CheckExact(value))
        return true;
    if (depth == DEPTH)
        return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); i++) {
        if (!count_in(PyList_GET_ITEM(value, i), depth + 1, pairs))
            return false;
    }
    return true;
}

/* count_pairs(value): the keys of dicts in it, however they are nested. */
static PyObject *count_pairs(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    size_t pairs = 0;
    if (count != 1) {
        PyErr_SetString(PyExc_TypeError, "count_pairs() takes 1 argument");
        return NULL;
    }
    if (!count_in(args[0], 0, &pairs)) {
        PyErr_SetString(PyExc_RecursionError, "rows: nested too deep");
        return NULL;
    }
    return PyLong_FromSize_t(pairs);
}

PyMethodDef shimhub_py_lines_methods[] = {
    {"count_pairs", (PyCFunction)(void (*)(void))count_pairs, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
