/* Python's numbers.
 *
 * Exact ints, bools and floats are read where they lie, and nothing runs between two of them.
 * Anything else goes one by one through CPython's own conversions, which may run Python code: the
 * row is ours by then, its size is compared after each, and the item is held for the call. */
#include "pad_read.h"

#include <float.h>
#include <math.h>

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

int shimhub_py_fail_value(const struct shimhub_where *where, PyObject *value, int32_t type)
{
    PyObject *text = value_text(value);
    if (text != NULL)
        shimhub_py_fail(where, PyExc_OverflowError, "%U does not fit %s", text,
                        shimhub_number_name(type));
    Py_XDECREF(text);
    return -1;
}

/* Of an exact int, or a bool. */
static inline bool one_digit(PyObject *item, int64_t *value)
{
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

static inline bool strict_integer(PyObject *item, int64_t *value)
{
    return Py_TYPE(item) == &PyLong_Type && one_digit(item, value);
}

static inline bool plain_integer(PyObject *item, int64_t *value)
{
    return (Py_TYPE(item) == &PyLong_Type || Py_TYPE(item) == &PyBool_Type) &&
           one_digit(item, value);
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
QUICK(quick_strict, strict_integer, int64_t, int64_t, true)
QUICK(quick_uint8, plain_integer, int64_t, uint8_t, value >= 0 && value <= UINT8_MAX)
QUICK(quick_bool, plain_integer, int64_t, uint8_t, value == 0 || value == 1)
QUICK(quick_float32, plain_real, double, float, fabs(value) <= (double)FLT_MAX)
QUICK(quick_float64, plain_real, double, double, true)

static Py_ssize_t quick(PyObject *const *items, Py_ssize_t count,
                        const struct shimhub_wanted *wanted, void *to)
{
    if (wanted->strict)
        return quick_strict(items, count, to);
    switch (wanted->type) {
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

static enum reading read_item(PyObject *item, const struct shimhub_wanted *wanted, void *to)
{
    int32_t type = wanted->type;
    int64_t integer = 0;
    double real = 0;
    enum reading reading;
    if (wanted->strict && !PyLong_CheckExact(item))
        return WRONG_KIND;
    if (shimhub_number_is_float(type)) {
        reading = read_real(item, wanted->numpy_bool, &real);
        return reading == READ ? store_real(real, type, to) : reading;
    }
    reading = read_integer(item, wanted->numpy_bool, &integer);
    return reading == READ ? store_integer(integer, type, to) : reading;
}

static const char *expected(int32_t type)
{
    return shimhub_number_is_float(type)     ? "a number"
           : type == SHIMHUB_NUMBER_BOOL ? "a bool"
                                         : "an int";
}

static int write_item(PyObject *item, const struct shimhub_wanted *wanted, void *to,
                      const struct shimhub_where *where)
{
    int32_t type = wanted->type;
    Py_INCREF(item); /* its __index__ may take it out of the list */
    int status = 0;
    switch (read_item(item, wanted, to)) {
    case READ: break;
    case RAISED: status = -1; break;
    case MISFIT: status = shimhub_py_fail_value(where, item, type); break;
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

int shimhub_list_write(const struct shimhub_row *row, Py_ssize_t count,
                       const struct shimhub_wanted *wanted, char *to, struct shimhub_where *where)
{
    int64_t size = shimhub_number_size(wanted->type);
    for (Py_ssize_t done = 0; done < count; done++) {
        if (changed(row))
            return fail_changed(where);
        PyObject **items = PySequence_Fast_ITEMS(row->object);
        done += quick(items + done, count - done, wanted, to + done * size);
        if (done == count)
            break;
        where->item = done;
        if (write_item(items[done], wanted, to + done * size, where) != 0)
            return -1;
    }
    where->item = -1;
    return changed(row) ? fail_changed(where) : 0;
}

bool shimhub_list_is_plain(const struct shimhub_row *row, Py_ssize_t count,
                           const struct shimhub_wanted *wanted)
{
    return !changed(row) &&
           quick(PySequence_Fast_ITEMS(row->object), count, wanted, NULL) == count;
}

static int fail_value(enum reading reading, PyObject *value, PyObject *name, int32_t type)
{
    PyObject *what = name == NULL ? PyUnicode_FromString("value")
                                  : PyUnicode_FromFormat("value of field %R", name);
    if (what != NULL && reading == MISFIT)
        PyErr_Format(PyExc_OverflowError, "%U: %R does not fit %s", what, value,
                     shimhub_number_name(type));
    else if (what != NULL)
        PyErr_Format(PyExc_TypeError, "%U: expected %s or 'range', got %R", what, expected(type),
                     value);
    Py_XDECREF(what);
    return -1;
}

int shimhub_pad_value_take(const struct shimhub_context *context, PyObject *value, PyObject *name,
                           shimhub_pad *pad)
{
    if (PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, "range") == 0) {
        pad->range = 1;
        return 0;
    }
    enum reading reading = shimhub_number_is_float(pad->type)
                               ? read_real(value, context->numpy_bool, &pad->real)
                               : read_integer(value, context->numpy_bool, &pad->integer);
    if (reading == READ && !shimhub_pad_value_fits(pad, 0))
        reading = MISFIT;
    return reading <= RAISED ? -(int)reading : fail_value(reading, value, name, pad->type);
}
