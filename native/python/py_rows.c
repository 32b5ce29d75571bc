/* Batches of Arrow's as lists of dicts, and as dicts of lists. */
#include "py.h"
#include "row_plan.h"

static PyObject *rows_of(struct shimhub_row_maker *maker, struct shimhub_row_node *root)
{
    if (root->length > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *list = PyList_New((Py_ssize_t)root->length);
    if (list == NULL)
        return NULL;
    PyObject_GC_UnTrack(list); /* while it is not full nobody is to find it */
    for (maker->row = 0; maker->row < root->length; maker->row++) {
        PyObject *row = shimhub_row_value(maker, root, maker->row);
        if (row == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)maker->row, row);
    }
    PyObject_GC_Track(list);
    return list;
}

static PyObject *column_of(struct shimhub_row_maker *maker, struct shimhub_row_node *node)
{
    PyObject *list = PyList_New((Py_ssize_t)node->length);
    if (list == NULL)
        return NULL;
    PyObject_GC_UnTrack(list);
    for (maker->row = 0; maker->row < node->length; maker->row++) {
        PyObject *value = shimhub_row_value(maker, node, maker->row);
        if (value == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)maker->row, value);
    }
    PyObject_GC_Track(list);
    return list;
}

static PyObject *columns_of(struct shimhub_row_maker *maker, struct shimhub_row_node *root)
{
    if (root->length > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *columns = PyDict_Copy(root->template);
    for (Py_ssize_t i = 0; columns != NULL && i < root->count; i++) {
        PyObject *list = column_of(maker, &root->children[i]);
        if (list == NULL || PyDict_SetItem(columns, PyTuple_GET_ITEM(root->extra, i), list) != 0)
            Py_CLEAR(columns);
        Py_XDECREF(list);
    }
    return columns;
}

typedef PyObject *make_all(struct shimhub_row_maker *, struct shimhub_row_node *);

static PyObject *run(make_all *make, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "want a plan and an error, got %zd arguments", count);
        return NULL;
    }
    struct shimhub_row_maker maker = {.error = args[1], .row = 0};
    struct shimhub_row_node root;
    PyObject *made = NULL;
    if (shimhub_row_plan(args[0], args[1], &root) == 0)
        made = make(&maker, &root);
    shimhub_row_plan_drop(&root);
    return made;
}

/* make_rows(plan, error): the rows of a batch as a list of dicts. */
static PyObject *make_rows(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return run(rows_of, args, count);
}

/* make_columns(plan, error): its columns as a dict of lists. */
static PyObject *make_columns(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return run(columns_of, args, count);
}

PyMethodDef shimhub_py_rows_methods[] = {
    {"make_rows", (PyCFunction)(void (*)(void))make_rows, METH_FASTCALL, NULL},
    {"make_columns", (PyCFunction)(void (*)(void))make_columns, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
