/* Products of Python's lists. Reading runs no Python code: of numbers only float, int and their
 * subclasses are taken, by their values. So no list can change while it is read. */
#include "py_linalg.h"

#include <string.h>

#include "linalg.h"

struct list {
    PyObject *object;
    const char *name;
    bool is_vector;
    Py_ssize_t rows, columns;
    double *numbers;
};

static bool is_sequence(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static int fail_at(PyObject *error, const struct list *x, Py_ssize_t i, Py_ssize_t j,
                   const char *what, PyObject *item)
{
    const char *kind = item == NULL ? "" : Py_TYPE(item)->tp_name;
    if (x->is_vector)
        PyErr_Format(error, "%s[%zd]: %s%s", x->name, j, kind, what);
    else
        PyErr_Format(error, "%s[%zd][%zd]: %s%s", x->name, i, j, kind, what);
    return -1;
}

static int read_number(const struct list *x, Py_ssize_t i, Py_ssize_t j, PyObject *item,
                       double *number)
{
    if (PyFloat_Check(item)) {
        *number = PyFloat_AS_DOUBLE(item);
        return 0;
    }
    if (!PyLong_Check(item) || PyBool_Check(item))
        return fail_at(PyExc_TypeError, x, i, j, " is not a number", item);
    *number = PyLong_AsDouble(item);
    if (*number == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return fail_at(PyExc_OverflowError, x, i, j, "int does not fit float64", NULL);
    }
    return 0;
}

static int read_row(const struct list *x, Py_ssize_t i, PyObject *row)
{
    for (Py_ssize_t j = 0; j < x->columns; j++)
        if (read_number(x, i, j, PySequence_Fast_GET_ITEM(row, j),
                        &x->numbers[i * x->columns + j]) != 0)
            return -1;
    return 0;
}

static int measure(struct list *x)
{
    Py_ssize_t size = PySequence_Fast_GET_SIZE(x->object);
    if (size == 0) {
        PyErr_Format(PyExc_ValueError, "%s: empty, so that its columns are not known", x->name);
        return -1;
    }
    PyObject *first = PySequence_Fast_GET_ITEM(x->object, 0);
    x->is_vector = !is_sequence(first);
    x->rows = x->is_vector ? 1 : size;
    x->columns = x->is_vector ? size : PySequence_Fast_GET_SIZE(first);
    if (x->columns > 0 && x->rows > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(double) / x->columns) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* The numbers of a list, in memory of our own. */
static int read_list(struct list *x)
{
    if (measure(x) != 0)
        return -1;
    x->numbers = PyMem_Malloc((size_t)(x->rows * x->columns + 1) * sizeof(double));
    if (x->numbers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (x->is_vector)
        return read_row(x, 0, x->object);
    for (Py_ssize_t i = 0; i < x->rows; i++) {
        PyObject *row = PySequence_Fast_GET_ITEM(x->object, i);
        if (!is_sequence(row)) {
            PyErr_Format(PyExc_TypeError, "%s[%zd]: %s is not a list of numbers", x->name, i,
                         Py_TYPE(row)->tp_name);
            return -1;
        }
        if (PySequence_Fast_GET_SIZE(row) != x->columns) {
            PyErr_Format(PyExc_ValueError, "%s[%zd]: length %zd, but %s[0] has %zd", x->name, i,
                         PySequence_Fast_GET_SIZE(row), x->name, x->columns);
            return -1;
        }
        if (read_row(x, i, row) != 0)
            return -1;
    }
    return 0;
}

static PyObject *new_row(const double *numbers, Py_ssize_t count)
{
    PyObject *row = PyList_New(count);
    for (Py_ssize_t j = 0; row != NULL && j < count; j++) {
        PyObject *number = PyFloat_FromDouble(numbers[j]);
        if (number == NULL)
            Py_CLEAR(row);
        else
            PyList_SET_ITEM(row, j, number);
    }
    return row;
}

static PyObject *new_rows(const double *numbers, Py_ssize_t rows, Py_ssize_t columns)
{
    PyObject *list = PyList_New(rows);
    for (Py_ssize_t i = 0; list != NULL && i < rows; i++) {
        PyObject *row = new_row(numbers + i * columns, columns);
        if (row == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, row);
    }
    return list;
}

static int multiply(const struct shimhub_product *x)
{
    shimhub_status status;
    Py_BEGIN_ALLOW_THREADS
    status = shimhub_product_run(SHIMHUB_FLOAT64, x);
    Py_END_ALLOW_THREADS
    if (status != SHIMHUB_OK)
        PyErr_NoMemory();
    return status == SHIMHUB_OK ? 0 : -1;
}

static PyObject *product(const struct list *a, const struct list *b)
{
    Py_ssize_t inner = b->is_vector ? b->columns : b->rows;
    Py_ssize_t columns = b->is_vector ? 1 : b->columns;
    if (a->columns != inner) {
        PyErr_Format(PyExc_ValueError, "b: %zd rows, but a has %zd columns", inner, a->columns);
        return NULL;
    }
    if (columns > 0 && a->rows > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(double) / columns)
        return PyErr_NoMemory();
    double *out = PyMem_Malloc((size_t)(a->rows * columns + 1) * sizeof(double));
    if (out == NULL)
        return PyErr_NoMemory();
    struct shimhub_product x = {a->rows, columns,    a->columns, a->numbers, a->columns, 1,
                                b->numbers, columns, 1,          out,        columns};
    PyObject *result = NULL;
    if (multiply(&x) != 0)
        ;
    else if (a->is_vector && b->is_vector)
        result = PyFloat_FromDouble(out[0]);
    else if (a->is_vector || b->is_vector)
        result = new_row(out, a->is_vector ? columns : a->rows);
    else
        result = new_rows(out, a->rows, columns);
    PyMem_Free(out);
    return result;
}

PyObject *shimhub_py_matmul_lists(PyObject *a, PyObject *b)
{
    struct list left = {a, "a", false, 0, 0, NULL}, right = {b, "b", false, 0, 0, NULL};
    PyObject *result = NULL;
    if (read_list(&left) == 0 && read_list(&right) == 0)
        result = product(&left, &right);
    PyMem_Free(left.numbers);
    PyMem_Free(right.numbers);
    return result;
}
