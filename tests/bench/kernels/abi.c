/* The same two loops over Python's objects, compiled with Py_LIMITED_API and without. */
#include <Python.h>

#include <stdint.h>
#include <string.h>

#ifdef Py_LIMITED_API
#define MODULE_NAME "bench_abi3"
#define MODULE_INIT PyInit_bench_abi3

static Py_ssize_t length_of(PyObject *list)
{
    return PyList_Size(list);
}

static PyObject *item_of(PyObject *list, Py_ssize_t at)
{
    return PyList_GetItem(list, at);
}

static int64_t value_of(PyObject *number)
{
    return PyLong_AsLongLong(number);
}

static const char *text_of(PyObject *text, Py_ssize_t *size)
{
    return PyUnicode_AsUTF8AndSize(text, size);
}
#else
#define MODULE_NAME "bench_full"
#define MODULE_INIT PyInit_bench_full

static Py_ssize_t length_of(PyObject *list)
{
    return PyList_GET_SIZE(list);
}

static PyObject *item_of(PyObject *list, Py_ssize_t at)
{
    return PyList_GET_ITEM(list, at);
}

static int64_t value_of(PyObject *number)
{
    if (!PyLong_CheckExact(number))
        return PyLong_AsLongLong(number);
#if PY_VERSION_HEX >= 0x030c0000
    const PyLongObject *as_long = (const PyLongObject *)number;
    if (PyUnstable_Long_IsCompact(as_long))
        return PyUnstable_Long_CompactValue(as_long);
#else
    Py_ssize_t signed_digits = Py_SIZE(number);
    if (signed_digits >= -1 && signed_digits <= 1)
        return signed_digits * (int64_t)((const PyLongObject *)number)->ob_digit[0];
#endif
    return PyLong_AsLongLong(number);
}

static const char *text_of(PyObject *text, Py_ssize_t *size)
{
    if (!PyUnicode_CheckExact(text) || !PyUnicode_IS_COMPACT_ASCII(text))
        return PyUnicode_AsUTF8AndSize(text, size);
    *size = PyUnicode_GET_LENGTH(text);
    return (const char *)PyUnicode_DATA(text);
}
#endif

/* pad(rows, address, width): rows of int into int64 at the address, 0 behind each. */
static PyObject *pad(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 3 || !PyList_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "pad(list of lists, address, width)");
        return NULL;
    }
    int64_t *out = PyLong_AsVoidPtr(arguments[1]);
    Py_ssize_t width = PyLong_AsSsize_t(arguments[2]);
    Py_ssize_t rows = length_of(arguments[0]);
    for (Py_ssize_t row = 0; row < rows; row++, out += width) {
        PyObject *values = item_of(arguments[0], row);
        Py_ssize_t length = PyList_Check(values) ? length_of(values) : width + 1;
        if (length > width) {
            PyErr_SetString(PyExc_ValueError, "a row is no list, or longer than width");
            return NULL;
        }
        for (Py_ssize_t at = 0; at < length; at++) {
            out[at] = value_of(item_of(values, at));
            if (out[at] == -1 && PyErr_Occurred())
                return NULL;
        }
        memset(out + length, 0, (size_t)(width - length) * sizeof *out);
    }
    Py_RETURN_NONE;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* hash(texts): the xor of a hash of each text's UTF-8. */
static PyObject *hash(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 1 || !PyList_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "hash(list of str)");
        return NULL;
    }
    uint64_t all = 0;
    Py_ssize_t rows = length_of(arguments[0]);
    for (Py_ssize_t row = 0; row < rows; row++) {
        Py_ssize_t size;
        const char *bytes = text_of(item_of(arguments[0], row), &size);
        if (!bytes)
            return NULL;
        uint64_t word = 0, found = (uint64_t)size;
        for (; size >= 8; bytes += 8, size -= 8) {
            memcpy(&word, bytes, 8);
            found = mix(found, word);
        }
        word = 0;
        memcpy(&word, bytes, (size_t)size);
        all ^= mix(found, word);
    }
    return PyLong_FromUnsignedLongLong(all);
}

static PyMethodDef methods[] = {
    {"pad", (PyCFunction)(void (*)(void))pad, METH_FASTCALL, NULL},
    {"hash", (PyCFunction)(void (*)(void))hash, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, MODULE_NAME, NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC MODULE_INIT(void)
{
    return PyModule_Create(&definition);
}
