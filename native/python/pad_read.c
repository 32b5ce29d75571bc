/* Rows of numbers as Python has them: lists, tuples, buffers.
 *
 * Exact ints, bools and floats are read where they lie, and nothing runs between two of them.
 * Anything else goes one by one through CPython's own conversions, which may run Python code: the
 * row is ours by then, its size is compared after each, and the item is held for the call. */
#include "pad_read.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static const char *const names[] = {
    [SHIMHUB_NUMBER_INT8] = "int8",       [SHIMHUB_NUMBER_INT16] = "int16",
    [SHIMHUB_NUMBER_INT32] = "int32",     [SHIMHUB_NUMBER_INT64] = "int64",
    [SHIMHUB_NUMBER_UINT8] = "uint8",     [SHIMHUB_NUMBER_UINT16] = "uint16",
    [SHIMHUB_NUMBER_UINT32] = "uint32",   [SHIMHUB_NUMBER_UINT64] = "uint64",
    [SHIMHUB_NUMBER_FLOAT32] = "float32", [SHIMHUB_NUMBER_FLOAT64] = "float64",
    [SHIMHUB_NUMBER_BOOL] = "bool",       [SHIMHUB_NUMBER_BIT] = "bool",
};

const char *shimhub_number_name(int32_t type)
{
    return names[type];
}

const char *shimhub_type_name(PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name, *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static PyObject *row_text(const struct shimhub_where *where)
{
    switch (where->place) {
    case SHIMHUB_FEATURES:
        return PyUnicode_FromFormat("features[%zd][%R]", where->row, where->name);
    case SHIMHUB_COLUMNS:
        return PyUnicode_FromFormat("features[%R][%zd]", where->name, where->row);
    case SHIMHUB_BINS:
        return PyUnicode_FromFormat("features[%zd][%zd][%R]", where->row, where->part,
                                    where->name);
    case SHIMHUB_OUT:
        return where->name == NULL ? PyUnicode_FromString("out")
                                   : PyUnicode_FromFormat("out[%R]", where->name);
    default: return PyUnicode_FromFormat("rows[%zd]", where->row);
    }
}

int shimhub_py_fail(const struct shimhub_where *where, PyObject *type, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    PyObject *text = PyUnicode_FromFormatV(format, values);
    va_end(values);
    PyObject *row = text == NULL ? NULL : row_text(where);
    if (row != NULL && where->item >= 0)
        PyErr_Format(type, "%U[%zd]: %U", row, where->item, text);
    else if (row != NULL)
        PyErr_Format(type, "%U: %U", row, text);
    Py_XDECREF(row);
    Py_XDECREF(text);
    return -1;
}

/* An int is shown as it is, unless that would take a screen or more. */
static PyObject *value_text(PyObject *value)
{
    if (PyLong_Check(value)) {
        PyObject *bits = PyObject_CallMethod((PyObject *)&PyLong_Type, "bit_length", "O", value);
        long count = bits == NULL ? -1 : PyLong_AsLong(bits);
        Py_XDECREF(bits);
        if (count > 128)
            return PyUnicode_FromFormat("an int of %ld bits", count);
        return count < 0 ? NULL : PyLong_Type.tp_repr(value);
    }
    return PyObject_Repr(value);
}

static int fail_misfit(const struct shimhub_where *where, PyObject *value, int32_t type)
{
    PyObject *text = value_text(value);
    if (text != NULL)
        shimhub_py_fail(where, PyExc_OverflowError, "%U does not fit %s", text, names[type]);
    Py_XDECREF(text);
    return -1;
}

int32_t shimhub_view_type(const Py_buffer *view)
{
    static const int32_t integers[2][9] = {
        {-1, SHIMHUB_NUMBER_UINT8, SHIMHUB_NUMBER_UINT16, -1, SHIMHUB_NUMBER_UINT32, -1, -1, -1,
         SHIMHUB_NUMBER_UINT64},
        {-1, SHIMHUB_NUMBER_INT8, SHIMHUB_NUMBER_INT16, -1, SHIMHUB_NUMBER_INT32, -1, -1, -1,
         SHIMHUB_NUMBER_INT64},
    };
    const char *format = view->format == NULL ? "B" : view->format;
    /* https://docs.python.org/3/library/struct.html#byte-order-size-and-alignment */
    if (*format == '@' || *format == '=' || *format == (PY_BIG_ENDIAN ? '>' : '<'))
        format++;
    if (*format == '\0' || format[1] != '\0' || view->itemsize < 1 || view->itemsize > 8)
        return -1;
    switch (*format) {
    case 'b': case 'h': case 'i': case 'l': case 'q': case 'n': return integers[1][view->itemsize];
    case 'B': case 'H': case 'I': case 'L': case 'Q': case 'N': return integers[0][view->itemsize];
    case 'f': return view->itemsize == 4 ? SHIMHUB_NUMBER_FLOAT32 : -1;
    case 'd': return view->itemsize == 8 ? SHIMHUB_NUMBER_FLOAT64 : -1;
    case '?': return view->itemsize == 1 ? SHIMHUB_NUMBER_BOOL : -1;
    default: return -1;
    }
}

static int fail_row(const struct shimhub_where *where, PyObject *object)
{
    return shimhub_py_fail(where, PyExc_TypeError,
                           "expected a list, tuple or 1-D array of numbers, got %s",
                           shimhub_type_name(object));
}

/* The object itself if it has a buffer, or what its numpy() gives (a torch tensor's); a new
 * reference, or NULL and an error. */
static PyObject *with_buffer(PyObject *object, const struct shimhub_where *where)
{
    if (PyObject_CheckBuffer(object) && !PyBytes_Check(object) && !PyByteArray_Check(object))
        return Py_NewRef(object);
    PyObject *numpy = NULL;
    if (!PyType_Check(object) && PyObject_HasAttrString(object, "numpy"))
        numpy = PyObject_CallMethod(object, "numpy", NULL);
    else
        fail_row(where, object);
    if (numpy != NULL && !PyObject_CheckBuffer(numpy)) {
        fail_row(where, object);
        Py_CLEAR(numpy);
    }
    return numpy;
}

static int check_view(const Py_buffer *view, int dimensions, const struct shimhub_where *where,
                      int32_t *type)
{
    *type = shimhub_view_type(view);
    if (*type < 0)
        return shimhub_py_fail(where, PyExc_TypeError,
                               "an array of format '%s' holds no numbers of a known kind in this "
                               "machine's byte order",
                               view->format == NULL ? "" : view->format);
    if (view->ndim != dimensions)
        return shimhub_py_fail(where, PyExc_ValueError, "expected %d-D, got %d-D", dimensions,
                               view->ndim);
    return 0;
}

Py_buffer *shimhub_view_take(PyObject *object, int dimensions, const struct shimhub_where *where,
                             int32_t *type)
{
    PyObject *exporter = with_buffer(object, where);
    if (exporter == NULL)
        return NULL;
    Py_buffer *view = PyMem_Malloc(sizeof *view);
    if (view == NULL) {
        PyErr_NoMemory();
    } else if (PyObject_GetBuffer(exporter, view, PyBUF_RECORDS_RO) != 0) {
        PyMem_Free(view);
        view = NULL;
        if (PyErr_ExceptionMatches(PyExc_BufferError) || PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
            shimhub_py_fail(where, PyExc_TypeError, "its memory cannot be read as numbers");
        }
    } else if (check_view(view, dimensions, where, type) != 0) {
        shimhub_view_drop(view);
        view = NULL;
    }
    Py_DECREF(exporter);
    return view;
}

void shimhub_view_drop(Py_buffer *view)
{
    if (view != NULL) {
        PyBuffer_Release(view);
        PyMem_Free(view);
    }
}

int shimhub_row_take(struct shimhub_row *row, PyObject *object, const struct shimhub_where *where)
{
    row->view = NULL;
    row->is_list = PyList_Check(object) || PyTuple_Check(object);
    if (row->is_list) {
        row->length = PySequence_Fast_GET_SIZE(object);
    } else {
        int32_t type;
        row->view = shimhub_view_take(object, 1, where, &type);
        if (row->view == NULL)
            return -1;
        row->length = row->view->shape[0];
        row->items = (struct shimhub_items){row->view->buf, row->view->strides[0], 0,
                                            row->length, type};
    }
    row->object = Py_NewRef(object);
    return 0;
}

void shimhub_row_drop(struct shimhub_row *row)
{
    Py_CLEAR(row->object);
    shimhub_view_drop(row->view);
    row->view = NULL;
}

/* Exact ints of one digit, and bools. */
static inline bool plain_integer(PyObject *item, int64_t *value)
{
    if (Py_TYPE(item) != &PyLong_Type && Py_TYPE(item) != &PyBool_Type)
        return false;
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((const PyLongObject *)item))
        return false;
    *value = PyUnstable_Long_CompactValue((const PyLongObject *)item);
    return true;
#else
    Py_ssize_t size = Py_SIZE(item);
    if (size < -1 || size > 1)
        return false;
    *value = size == 0 ? 0 : (int64_t)size * ((const PyLongObject *)item)->ob_digit[0];
    return true;
#endif
}

static inline bool plain_real(PyObject *item, double *value)
{
    int64_t integer;
    if (PyFloat_CheckExact(item)) {
        *value = PyFloat_AS_DOUBLE(item);
        return true;
    }
    if (!plain_integer(item, &integer))
        return false;
    *value = (double)integer;
    return true;
}

/* Each reads items up to the first that is not plain or does not fit, and returns how many. Without
 * `to` they are only looked at. A digit has 30 bits at most: any int32 holds it. */
#define QUICK(NAME, READ, WIDE, TYPE, FITS)                                                    \
    static Py_ssize_t NAME(PyObject *const *items, Py_ssize_t count, void *to)                 \
    {                                                                                          \
        TYPE *out = to;                                                                        \
        for (Py_ssize_t i = 0; i < count; i++) {                                               \
            WIDE value;                                                                        \
            if (!READ(items[i], &value) || !(FITS))                                            \
                return i;                                                                      \
            if (out != NULL)                                                                   \
                out[i] = (TYPE)value;                                                          \
        }                                                                                      \
        return count;                                                                          \
    }

QUICK(quick_int32, plain_integer, int64_t, int32_t, true)
QUICK(quick_int64, plain_integer, int64_t, int64_t, true)
QUICK(quick_uint8, plain_integer, int64_t, uint8_t, value >= 0 && value <= UINT8_MAX)
QUICK(quick_bool, plain_integer, int64_t, uint8_t, value == 0 || value == 1)
QUICK(quick_float32, plain_real, double, float, fabs(value) <= (double)FLT_MAX)
QUICK(quick_float64, plain_real, double, double, true)

static Py_ssize_t quick(PyObject *const *items, Py_ssize_t count, int32_t type, void *to)
{
    switch (type) {
    case SHIMHUB_NUMBER_INT32: return quick_int32(items, count, to);
    case SHIMHUB_NUMBER_INT64: return quick_int64(items, count, to);
    case SHIMHUB_NUMBER_UINT8: return quick_uint8(items, count, to);
    case SHIMHUB_NUMBER_FLOAT32: return quick_float32(items, count, to);
    case SHIMHUB_NUMBER_FLOAT64: return quick_float64(items, count, to);
    default: return quick_bool(items, count, to);
    }
}

enum reading { READ, RAISED, WRONG_KIND, MISFIT };

static enum reading after_error(PyObject *kind, enum reading meaning)
{
    if (!PyErr_ExceptionMatches(kind))
        return RAISED;
    PyErr_Clear();
    return meaning;
}

static enum reading read_long(PyObject *item, int64_t *value)
{
    int overflow;
    *value = PyLong_AsLongLongAndOverflow(item, &overflow);
    return overflow ? MISFIT : *value == -1 && PyErr_Occurred() ? RAISED : READ;
}

/* Ints and their subclasses, bools, numpy's bools, and what has __index__. */
static enum reading read_integer(PyObject *item, PyObject *numpy_bool, int64_t *value)
{
    if (PyLong_Check(item))
        return read_long(item, value);
    if ((PyObject *)Py_TYPE(item) == numpy_bool) {
        int truth = PyObject_IsTrue(item);
        *value = truth;
        return truth < 0 ? RAISED : READ;
    }
    if (PyFloat_Check(item) || !PyIndex_Check(item))
        return WRONG_KIND;
    PyObject *index = PyNumber_Index(item);
    if (index == NULL)
        return after_error(PyExc_TypeError, WRONG_KIND);
    enum reading reading = read_long(index, value);
    Py_DECREF(index);
    return reading;
}

/* Floats, ints, bools, and what has __float__ or __index__; but no text. */
static enum reading read_real(PyObject *item, PyObject *numpy_bool, double *value)
{
    if ((PyObject *)Py_TYPE(item) == numpy_bool) {
        int truth = PyObject_IsTrue(item);
        *value = truth;
        return truth < 0 ? RAISED : READ;
    }
    *value = PyLong_Check(item) ? PyLong_AsDouble(item) : PyFloat_AsDouble(item);
    if (*value != -1.0 || !PyErr_Occurred())
        return READ;
    return PyErr_ExceptionMatches(PyExc_OverflowError) ? after_error(PyExc_OverflowError, MISFIT)
                                                       : after_error(PyExc_TypeError, WRONG_KIND);
}

static enum reading store_integer(int64_t value, int32_t type, void *to)
{
    shimhub_pad limits = {.type = type, .integer = value};
    if (!shimhub_pad_value_fits(&limits, 0))
        return MISFIT;
    shimhub_pad_fill(&limits, to, 1);
    return READ;
}

static enum reading store_real(double value, int32_t type, void *to)
{
    shimhub_pad limits = {.type = type, .real = value};
    if (!shimhub_pad_value_fits(&limits, 0))
        return MISFIT;
    shimhub_pad_fill(&limits, to, 1);
    return READ;
}

static enum reading read_item(PyObject *item, int32_t type, PyObject *numpy_bool, void *to)
{
    int64_t integer = 0;
    double real = 0;
    enum reading reading;
    if (shimhub_number_is_float(type)) {
        reading = read_real(item, numpy_bool, &real);
        return reading == READ ? store_real(real, type, to) : reading;
    }
    reading = read_integer(item, numpy_bool, &integer);
    return reading == READ ? store_integer(integer, type, to) : reading;
}

static const char *expected(int32_t type)
{
    return shimhub_number_is_float(type)     ? "a number"
           : type == SHIMHUB_NUMBER_BOOL ? "a bool"
                                         : "an int";
}

static int write_item(PyObject *item, int32_t type, PyObject *numpy_bool, void *to,
                      const struct shimhub_where *where)
{
    Py_INCREF(item); /* its __index__ may take it out of the list */
    int status = 0;
    switch (read_item(item, type, numpy_bool, to)) {
    case READ: break;
    case RAISED: status = -1; break;
    case MISFIT: status = fail_misfit(where, item, type); break;
    case WRONG_KIND:
        status = shimhub_py_fail(where, PyExc_TypeError, "expected %s, got %s", expected(type),
                                 item == Py_None ? "None" : shimhub_type_name(item));
    }
    Py_DECREF(item);
    return status;
}

static bool changed(const struct shimhub_row *row)
{
    return PySequence_Fast_GET_SIZE(row->object) != row->length;
}

static int fail_changed(struct shimhub_where *where)
{
    where->item = -1;
    return shimhub_py_fail(where, PyExc_RuntimeError, "changed size while it was read");
}

static int write_list(const struct shimhub_row *row, Py_ssize_t count, int32_t type,
                      PyObject *numpy_bool, char *to, struct shimhub_where *where)
{
    int64_t size = shimhub_number_size(type);
    for (Py_ssize_t done = 0; done < count; done++) {
        if (changed(row))
            return fail_changed(where);
        PyObject **items = PySequence_Fast_ITEMS(row->object);
        done += quick(items + done, count - done, type, to + done * size);
        if (done == count)
            break;
        where->item = done;
        if (write_item(items[done], type, numpy_bool, to + done * size, where) != 0)
            return -1;
    }
    where->item = -1;
    return changed(row) ? fail_changed(where) : 0;
}

int shimhub_py_fail_misfit(const struct shimhub_where *where, const struct shimhub_items *item,
                           int32_t type)
{
    PyObject *value;
    if (shimhub_number_is_float(item->type)) {
        double real;
        shimhub_items_copy(item, SHIMHUB_NUMBER_FLOAT64, &real);
        value = PyFloat_FromDouble(real);
    } else {
        int64_t integer;
        shimhub_items_copy(item, SHIMHUB_NUMBER_INT64, &integer);
        value = item->type == SHIMHUB_NUMBER_UINT64
                    ? PyLong_FromUnsignedLongLong((unsigned long long)integer)
                    : PyLong_FromLongLong(integer);
    }
    if (value != NULL)
        fail_misfit(where, value, type);
    Py_XDECREF(value);
    return -1;
}

static int fail_misfit_at(const struct shimhub_row *row, int64_t item, int32_t type,
                          struct shimhub_where *where)
{
    const char *at = row->items.data + item * row->items.stride;
    struct shimhub_items one = {at, 0, 0, 1, row->items.type};
    where->item = (Py_ssize_t)item;
    return shimhub_py_fail_misfit(where, &one, type);
}

bool shimhub_row_is_plain(const struct shimhub_row *row, Py_ssize_t count, int32_t type)
{
    if (row->is_list)
        return !changed(row) &&
               quick(PySequence_Fast_ITEMS(row->object), count, type, NULL) == count;
    struct shimhub_items items = row->items;
    items.count = count;
    return shimhub_number_converts(items.type, type) && shimhub_items_misfit(&items, type) < 0;
}

int shimhub_row_write(const struct shimhub_row *row, Py_ssize_t count, int32_t type,
                      PyObject *numpy_bool, void *to, struct shimhub_where *where)
{
    where->item = -1;
    if (row->is_list)
        return write_list(row, count, type, numpy_bool, to, where);
    struct shimhub_items items = row->items;
    items.count = count;
    if (!shimhub_number_converts(items.type, type))
        return shimhub_py_fail(where, PyExc_TypeError, "%s numbers do not go into %s",
                               names[items.type], names[type]);
    int64_t misfit = shimhub_items_misfit(&items, type);
    if (misfit >= 0)
        return fail_misfit_at(row, misfit, type, where);
    shimhub_items_copy(&items, type, to);
    return 0;
}

static int fail_value(enum reading reading, PyObject *value, PyObject *name, int32_t type)
{
    PyObject *what = name == NULL ? PyUnicode_FromString("value")
                                  : PyUnicode_FromFormat("value of field %R", name);
    if (what != NULL && reading == MISFIT)
        PyErr_Format(PyExc_OverflowError, "%U: %R does not fit %s", what, value, names[type]);
    else if (what != NULL)
        PyErr_Format(PyExc_TypeError, "%U: expected %s or 'range', got %R", what, expected(type),
                     value);
    Py_XDECREF(what);
    return -1;
}

int shimhub_pad_value_take(PyObject *value, PyObject *name, shimhub_pad *pad)
{
    if (PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, "range") == 0) {
        pad->range = 1;
        return 0;
    }
    bool real = shimhub_number_is_float(pad->type);
    enum reading reading =
        real ? read_real(value, NULL, &pad->real) : read_integer(value, NULL, &pad->integer);
    if (reading == READ && !shimhub_pad_value_fits(pad, 0))
        reading = MISFIT;
    return reading <= RAISED ? -(int)reading : fail_value(reading, value, name, pad->type);
}
