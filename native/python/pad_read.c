/* Rows of numbers as Python has them: lists, tuples, buffers. */
#include "pad_read.h"

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
                           where->place == SHIMHUB_OUT
                               ? "expected a 2-D array, got %s"
                               : "expected a list, tuple or 1-D array of numbers, got %s",
                           shimhub_type_name(object));
}

/* A tensor that gives no array says why: it needs a gradient, lies on a device, and so on. */
static void fail_tensor(const struct shimhub_where *where, PyObject *object)
{
    PyObject *type, *value, *trace;
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_ValueError))
        return;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    shimhub_py_fail(where, PyExc_TypeError,
                    "no NumPy array of this %s: %S (pass .detach(), .cpu(), .to_dense() or "
                    ".to(torch.float32) of it, as it needs)",
                    shimhub_type_name(object), value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

/* Masked arrays and matrices are not what their memory says. */
static int check_class(const struct shimhub_context *context, PyObject *array,
                       const struct shimhub_where *where)
{
    if ((PyObject *)Py_TYPE(array) == context->ndarray ||
        !PyObject_TypeCheck(array, (PyTypeObject *)context->ndarray))
        return 0;
    PyObject *why = PyObject_CallOneArg(context->refusal, array);
    if (why != NULL && why != Py_None)
        shimhub_py_fail(where, PyExc_TypeError, "%S", why);
    int status = why == Py_None ? 0 : -1;
    Py_XDECREF(why);
    return status;
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
        return fail_row(where, object), NULL;
    if (numpy == NULL)
        fail_tensor(where, object);
    else if (!PyObject_CheckBuffer(numpy)) {
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

Py_buffer *shimhub_view_take(const struct shimhub_context *context, PyObject *object,
                             int dimensions, const struct shimhub_where *where, int32_t *type)
{
    PyObject *exporter = with_buffer(object, where);
    if (exporter == NULL)
        return NULL;
    if (check_class(context, exporter, where) != 0) {
        Py_DECREF(exporter);
        return NULL;
    }
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

int shimhub_row_take(const struct shimhub_context *context, struct shimhub_row *row,
                     PyObject *object, const struct shimhub_where *where)
{
    row->view = NULL;
    row->is_list = PyList_Check(object) || PyTuple_Check(object);
    if (row->is_list) {
        row->length = PySequence_Fast_GET_SIZE(object);
    } else {
        int32_t type;
        row->view = shimhub_view_take(context, object, 1, where, &type);
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
        shimhub_py_fail_value(where, value, type);
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

bool shimhub_number_is_strict(int32_t type)
{
    return type >= SHIMHUB_NUMBER_INT8 && type <= SHIMHUB_NUMBER_UINT32;
}

static bool converts(int32_t from, const struct shimhub_wanted *wanted)
{
    return wanted->strict ? shimhub_number_is_strict(from)
                          : shimhub_number_converts(from, wanted->type);
}

bool shimhub_row_is_plain(const struct shimhub_row *row, Py_ssize_t count,
                          const struct shimhub_wanted *wanted)
{
    if (row->is_list)
        return shimhub_list_is_plain(row, count, wanted);
    struct shimhub_items items = row->items;
    items.count = count;
    return converts(items.type, wanted) && shimhub_items_misfit(&items, wanted->type) < 0;
}

int shimhub_row_write(const struct shimhub_row *row, Py_ssize_t count,
                      const struct shimhub_wanted *wanted, void *to, struct shimhub_where *where)
{
    int32_t type = wanted->type;
    where->item = -1;
    if (row->is_list)
        return shimhub_list_write(row, count, wanted, to, where);
    struct shimhub_items items = row->items;
    items.count = count;
    if (!converts(items.type, wanted))
        return shimhub_py_fail(where, PyExc_TypeError, "%s numbers do not go into %s",
                               names[items.type], names[type]);
    int64_t misfit = shimhub_items_misfit(&items, type);
    if (misfit >= 0)
        return fail_misfit_at(row, misfit, type, where);
    shimhub_items_copy(&items, type, to);
    return 0;
}
