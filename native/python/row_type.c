/* Types of rows, read from tuples. */
#include "row_type.h"

#include <string.h>

#include "columns.h"

static const struct shimhub_row_type leaves[] = {
    {.kind = SHIMHUB_TYPE_NULL, .name = "null"},
    {.kind = SHIMHUB_TYPE_ANY, .name = "any"},
    {.kind = SHIMHUB_TYPE_BOOL, .name = "bool"},
    {.kind = SHIMHUB_TYPE_FLOAT, .name = "float64"},
    {.kind = SHIMHUB_TYPE_STRING, .name = "string"},
    {.kind = SHIMHUB_TYPE_INT, .name = "int8", .low = INT8_MIN, .high = INT8_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "int16", .low = INT16_MIN, .high = INT16_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "int32", .low = INT32_MIN, .high = INT32_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "int64", .low = INT64_MIN, .high = INT64_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "uint8", .high = UINT8_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "uint16", .high = UINT16_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "uint32", .high = UINT32_MAX},
    {.kind = SHIMHUB_TYPE_INT, .name = "uint64", .high = UINT64_MAX},
};

static int take_type(PyObject *told, int depth, struct shimhub_row_type *type);

static int fail_fields(void)
{
    PyErr_SetString(PyExc_TypeError, "fields: want a tuple of (name, type)");
    return -1;
}

static int fail_type(PyObject *told)
{
    PyErr_Format(PyExc_TypeError, "fields: %R is no type", told);
    return -1;
}

static int fail_depth(void)
{
    PyErr_Format(PyExc_ValueError, "fields: nested more than %d deep", SHIMHUB_COLUMN_DEPTH);
    return -1;
}

static bool is_pair(PyObject *told)
{
    return PyTuple_Check(told) && PyTuple_GET_SIZE(told) == 2;
}

static int take_leaf(PyObject *told, struct shimhub_row_type *type)
{
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        if (PyUnicode_CompareWithASCIIString(told, leaves[i].name) == 0) {
            *type = leaves[i];
            return 0;
        }
    }
    return fail_type(told);
}

static int take_list(PyObject *item, int depth, struct shimhub_row_type *type)
{
    type->kind = SHIMHUB_TYPE_LIST;
    type->name = "list";
    type->children = PyMem_Calloc(1, sizeof *type->children);
    if (type->children == NULL)
        return PyErr_NoMemory(), -1;
    type->count = 1;
    return take_type(item, depth + 1, type->children);
}

static int take_type(PyObject *told, int depth, struct shimhub_row_type *type)
{
    if (depth > SHIMHUB_COLUMN_DEPTH)
        return fail_depth();
    if (PyUnicode_CheckExact(told))
        return take_leaf(told, type);
    if (!is_pair(told) || !PyUnicode_CheckExact(PyTuple_GET_ITEM(told, 0)))
        return fail_type(told);
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(told, 0), "struct") == 0)
        return shimhub_row_fields(PyTuple_GET_ITEM(told, 1), depth, type);
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(told, 0), "list") == 0)
        return take_list(PyTuple_GET_ITEM(told, 1), depth, type);
    return fail_type(told);
}

static int take_field(PyObject *told, int depth, struct shimhub_row_type *type)
{
    if (!is_pair(told) || !PyUnicode_CheckExact(PyTuple_GET_ITEM(told, 0)))
        return fail_fields();
    PyObject *name = PyTuple_GET_ITEM(told, 0);
    int is_there = PyDict_Contains(type->template, name);
    if (is_there > 0)
        PyErr_Format(PyExc_ValueError, "fields: %R twice", name);
    if (is_there != 0 || PyDict_SetItem(type->template, name, Py_None) != 0)
        return -1;
    struct shimhub_row_type *child = &type->children[type->count];
    type->keys[type->count++] = Py_NewRef(name);
    return take_type(PyTuple_GET_ITEM(told, 1), depth + 1, child);
}

int shimhub_row_fields(PyObject *fields, int depth, struct shimhub_row_type *type)
{
    memset(type, 0, sizeof *type);
    type->kind = SHIMHUB_TYPE_STRUCT;
    type->name = "struct";
    if (depth > SHIMHUB_COLUMN_DEPTH)
        return fail_depth();
    if (!PyTuple_Check(fields))
        return fail_fields();
    size_t count = (size_t)PyTuple_GET_SIZE(fields);
    type->children = PyMem_Calloc(count + 1, sizeof *type->children);
    type->keys = PyMem_Calloc(count + 1, sizeof *type->keys);
    if (type->children == NULL || type->keys == NULL)
        return PyErr_NoMemory(), -1;
    type->template = PyDict_New();
    if (type->template == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (take_field(PyTuple_GET_ITEM(fields, i), depth, type) != 0)
            return -1;
    }
    return 0;
}

void shimhub_row_type_drop(struct shimhub_row_type *type)
{
    for (Py_ssize_t i = 0; i < type->count; i++) {
        shimhub_row_type_drop(&type->children[i]);
        if (type->keys != NULL)
            Py_XDECREF(type->keys[i]);
    }
    Py_XDECREF(type->template);
    PyMem_Free(type->children);
    PyMem_Free(type->keys);
}
