/* Rows of Arrow's columns as Python's objects. */
#include "row_plan.h"

#include <math.h>
#include <string.h>

#include "columns.h"

#define INLINE_SIZE 12 /* bytes that a view has in itself */

typedef PyObject *make_value(struct shimhub_row_maker *, struct shimhub_row_node *, int64_t);

static const char *fixed_at(const struct shimhub_row_node *node, int64_t i)
{
    return (const char *)node->data.data + node->width * (node->offset + i);
}

static PyObject *make_null(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    (void)maker;
    (void)node;
    (void)i;
    return Py_NewRef(Py_None);
}

static PyObject *make_bool(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    (void)maker;
    return PyBool_FromLong(shimhub_bit(node->data.data, node->offset + i));
}

static int64_t signed_at(const struct shimhub_row_node *node, int64_t i)
{
    const char *at = fixed_at(node, i);
    if (node->width == 8) {
        int64_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (node->width == 4) {
        int32_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (node->width == 2) {
        int16_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    return (int8_t)*at;
}

static uint64_t unsigned_at(const struct shimhub_row_node *node, int64_t i)
{
    uint64_t value = (uint64_t)signed_at(node, i);
    return node->width == 8 ? value : value & ((UINT64_C(1) << 8 * node->width) - 1);
}

static PyObject *make_int(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                          int64_t i)
{
    (void)maker;
    return PyLong_FromLongLong(signed_at(node, i));
}

static PyObject *make_uint(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    (void)maker;
    return PyLong_FromUnsignedLongLong(unsigned_at(node, i));
}

/* IEEE 754 of 16 bits: sign, 5 of exponent, 10 of fraction. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = (bits & 1023) / 1024.0, value;
    if (exponent == 31)
        value = fraction == 0.0 ? INFINITY : NAN;
    else
        value = exponent == 0 ? ldexp(fraction, -14) : ldexp(1.0 + fraction, exponent - 15);
    return bits >> 15 ? -value : value;
}

static PyObject *make_float(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i)
{
    const char *at = fixed_at(node, i);
    double value;
    (void)maker;
    if (node->width == 8) {
        memcpy(&value, at, sizeof value);
    } else if (node->width == 4) {
        float narrow;
        memcpy(&narrow, at, sizeof narrow);
        value = (double)narrow;
    } else {
        uint16_t bits;
        memcpy(&bits, at, sizeof bits);
        value = half_value(bits);
    }
    return PyFloat_FromDouble(value);
}

/* Blocks are looked at whole, so that compilers make vectors of them. */
static bool is_ascii(const char *bytes, size_t size)
{
    size_t i = 0;
    for (; i + 64 <= size; i += 64) {
        uint64_t words[8], any = 0;
        memcpy(words, bytes + i, sizeof words);
        for (int j = 0; j < 8; j++)
            any |= words[j];
        if (any & UINT64_C(0x8080808080808080))
            return false;
    }
    unsigned rest = 0;
    for (; i < size; i++)
        rest |= (unsigned char)bytes[i];
    return rest < 0x80;
}

static PyObject *text_of(struct shimhub_row_maker *maker, const struct shimhub_row_node *node,
                         const char *bytes, int64_t size)
{
    if (size > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    if (size > 1 && is_ascii(bytes, (size_t)size)) {
        PyObject *text = PyUnicode_New((Py_ssize_t)size, 127);
        if (text != NULL)
            memcpy(PyUnicode_1BYTE_DATA(text), bytes, (size_t)size);
        return text;
    }
    PyObject *text = PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)size, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        shimhub_row_fail(maker->error, node->path, maker->row, "its text is no UTF-8");
    return text;
}

static PyObject *bytes_of(const char *bytes, int64_t size)
{
    return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size);
}

/* The bytes between two offsets; the plan is checked. */
static const char *between(const struct shimhub_row_node *node, int64_t i, int64_t *size)
{
    shimhub_column column = {.width = node->width, .offsets = node->offsets};
    int64_t first = shimhub_column_offset(&column, node->offset + i);
    *size = shimhub_column_offset(&column, node->offset + i + 1) - first;
    return *size == 0 ? "" : (const char *)node->data.data + first;
}

static PyObject *make_text(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    int64_t size;
    const char *bytes = between(node, i, &size);
    return text_of(maker, node, bytes, size);
}

static PyObject *make_bytes(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i)
{
    int64_t size;
    const char *bytes = between(node, i, &size);
    (void)maker;
    return bytes_of(bytes, size);
}

static PyObject *make_fixed(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i)
{
    (void)maker;
    return bytes_of(node->width == 0 ? "" : fixed_at(node, i), node->width);
}

/* https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout: a size,
 * then the bytes if they are few; else four of them, a buffer's number and a place there. */
static const char *viewed(struct shimhub_row_maker *maker, const struct shimhub_row_node *node,
                          int64_t i, int64_t *size)
{
    const char *at = (const char *)node->data.data + 16 * (node->offset + i);
    int32_t told[4];
    memcpy(told, at, sizeof told);
    *size = told[0];
    if (told[0] >= 0 && told[0] <= INLINE_SIZE)
        return at + 4;
    if (told[0] >= 0 && told[2] >= 0 && told[2] < node->views_count && told[3] >= 0 &&
        (int64_t)told[3] + told[0] <= node->views[told[2]].size)
        return (const char *)node->views[told[2]].data + told[3];
    shimhub_row_fail(maker->error, node->path, maker->row, "its view lies outside of the buffers");
    return NULL;
}

static PyObject *make_text_view(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                                int64_t i)
{
    int64_t size;
    const char *bytes = viewed(maker, node, i, &size);
    return bytes == NULL ? NULL : text_of(maker, node, bytes, size);
}

static PyObject *make_bytes_view(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                                 int64_t i)
{
    int64_t size;
    const char *bytes = viewed(maker, node, i, &size);
    return bytes == NULL ? NULL : bytes_of(bytes, size);
}

/* Rows start .. stop - 1 of the node. Nobody sees the list before it is full: it is not tracked
 * meanwhile, so that what a garbage collection runs cannot find it. */
static PyObject *list_of(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                         int64_t start, int64_t stop)
{
    if (stop - start > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *list = PyList_New((Py_ssize_t)(stop - start));
    if (list == NULL)
        return NULL;
    PyObject_GC_UnTrack(list);
    for (int64_t i = start; i < stop; i++) {
        PyObject *value = shimhub_row_value(maker, node, i);
        if (value == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)(i - start), value);
    }
    PyObject_GC_Track(list);
    return list;
}

static PyObject *make_list(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    shimhub_column column = {.width = node->width, .offsets = node->offsets};
    return list_of(maker, &node->children[0], shimhub_column_offset(&column, node->offset + i),
                   shimhub_column_offset(&column, node->offset + i + 1));
}

static PyObject *make_fixed_list(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                                 int64_t i)
{
    int64_t first = (node->offset + i) * node->width;
    return list_of(maker, &node->children[0], first, first + node->width);
}

static PyObject *make_struct(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                             int64_t i)
{
    PyObject *dict = PyDict_Copy(node->template);
    for (Py_ssize_t at = 0; dict != NULL && at < node->count; at++) {
        PyObject *value = shimhub_row_value(maker, &node->children[at], i);
        if (value == NULL || PyDict_SetItem(dict, PyTuple_GET_ITEM(node->extra, at), value) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *make_pair(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                           int64_t i)
{
    PyObject *pair = NULL, *key = shimhub_row_value(maker, &node->children[0], i);
    PyObject *value = key == NULL ? NULL : shimhub_row_value(maker, &node->children[1], i);
    if (value != NULL)
        pair = PyTuple_Pack(2, key, value);
    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

static PyObject *make_shared(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                             int64_t i)
{
    struct shimhub_row_node *child = &node->children[0];
    bool is_signed = node->kind == SHIMHUB_ROW_INDEX;
    uint64_t at = is_signed ? (uint64_t)signed_at(node, i) : unsigned_at(node, i);
    if (at >= (uint64_t)child->length) {
        shimhub_row_fail(maker->error, node->path, maker->row,
                         "its index lies outside of the dictionary");
        return NULL;
    }
    if (node->shared == NULL)
        return shimhub_row_value(maker, child, (int64_t)at);
    if (node->shared[at] == NULL)
        node->shared[at] = shimhub_row_value(maker, child, (int64_t)at);
    return Py_XNewRef(node->shared[at]);
}

static PyObject *make_ready(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i)
{
    int64_t at = i - node->ready_start;
    (void)maker;
    if (at >= 0 && at < PyList_GET_SIZE(node->ready))
        return Py_NewRef(PyList_GET_ITEM(node->ready, (Py_ssize_t)at));
    PyErr_Format(PyExc_RuntimeError, "%S: its values changed while they were placed", node->path);
    return NULL;
}

static make_value *const makers[SHIMHUB_ROW_KINDS] = {
    [SHIMHUB_ROW_NULL] = make_null,
    [SHIMHUB_ROW_BOOL] = make_bool,
    [SHIMHUB_ROW_INT] = make_int,
    [SHIMHUB_ROW_UINT] = make_uint,
    [SHIMHUB_ROW_FLOAT] = make_float,
    [SHIMHUB_ROW_TEXT] = make_text,
    [SHIMHUB_ROW_BYTES] = make_bytes,
    [SHIMHUB_ROW_FIXED] = make_fixed,
    [SHIMHUB_ROW_TEXT_VIEW] = make_text_view,
    [SHIMHUB_ROW_BYTES_VIEW] = make_bytes_view,
    [SHIMHUB_ROW_LIST] = make_list,
    [SHIMHUB_ROW_FIXED_LIST] = make_fixed_list,
    [SHIMHUB_ROW_STRUCT] = make_struct,
    [SHIMHUB_ROW_PAIR] = make_pair,
    [SHIMHUB_ROW_INDEX] = make_shared,
    [SHIMHUB_ROW_UINDEX] = make_shared,
    [SHIMHUB_ROW_READY] = make_ready,
};

PyObject *shimhub_row_value(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i)
{
    if (node->validity.data != NULL && !shimhub_bit(node->validity.data, node->offset + i))
        return Py_NewRef(Py_None);
    return makers[node->kind](maker, node, i);
}
