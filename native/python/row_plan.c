/* Plans of rows: read, checked, and made ready. */
#include "row_plan.h"

#include <string.h>

#include "columns.h"

enum { KIND, WIDTH, LENGTH, OFFSET, BUFFERS, CHILDREN, PATH, EXTRA, PARTS };

#define VIEW_SIZE 16
/* A dictionary of more values than this many times the rows is not worth a table of them. */
#define SHARED_FACTOR 4

int shimhub_row_fail(PyObject *error, PyObject *path, int64_t row, const char *problem)
{
    PyObject *type, *cause, *trace;
    PyErr_Fetch(&type, &cause, &trace);
    if (type != NULL)
        PyErr_NormalizeException(&type, &cause, &trace);
    PyObject *made = PyObject_CallFunction(error, "OLs", path, (long long)row, problem);
    if (made != NULL) {
        if (cause != NULL)
            PyException_SetCause(made, Py_NewRef(cause));
        PyErr_SetObject((PyObject *)Py_TYPE(made), made);
        Py_DECREF(made);
    }
    Py_XDECREF(type);
    Py_XDECREF(cause);
    Py_XDECREF(trace);
    return -1;
}

static int fail_plan(void)
{
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "plan: no node of rows");
    return -1;
}

static int take_number(PyObject *plan, Py_ssize_t part, int64_t *number)
{
    *number = PyLong_AsLongLong(PyTuple_GET_ITEM(plan, part));
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

static int take_numbers(PyObject *plan, struct shimhub_row_node *node)
{
    int64_t kind;
    if (take_number(plan, KIND, &kind) != 0 || take_number(plan, WIDTH, &node->width) != 0 ||
        take_number(plan, LENGTH, &node->length) != 0 ||
        take_number(plan, OFFSET, &node->offset) != 0)
        return -1;
    if (kind < 0 || kind >= SHIMHUB_ROW_KINDS || node->length < 0 || node->offset < 0 ||
        node->width < 0 || node->length > INT64_MAX - 1 - node->offset)
        return fail_plan();
    node->kind = (enum shimhub_row_kind)kind;
    return 0;
}

static bool is_view(const struct shimhub_row_node *node)
{
    return node->kind == SHIMHUB_ROW_TEXT_VIEW || node->kind == SHIMHUB_ROW_BYTES_VIEW;
}

static bool has_offsets(const struct shimhub_row_node *node)
{
    return node->kind == SHIMHUB_ROW_TEXT || node->kind == SHIMHUB_ROW_BYTES ||
           node->kind == SHIMHUB_ROW_LIST;
}

/* Buffer `at` of the node's layout. */
static void place(struct shimhub_row_node *node, shimhub_buffer *views, Py_ssize_t at,
                  shimhub_buffer buffer)
{
    if (at == 0)
        node->validity = buffer;
    else if (is_view(node) && at >= 2)
        views[at - 2] = buffer;
    else if (has_offsets(node) && at == 1)
        node->offsets = buffer;
    else
        node->data = buffer;
}

static int take_buffers(PyObject *plan, struct shimhub_row_node *node)
{
    PyObject *told = PyTuple_GET_ITEM(plan, BUFFERS);
    if (!PyTuple_Check(told))
        return fail_plan();
    Py_ssize_t count = PyTuple_GET_SIZE(told);
    size_t room = (size_t)count + 1;
    node->taken = PyMem_Calloc(room, sizeof *node->taken);
    shimhub_buffer *views = PyMem_Calloc(room, sizeof *views);
    node->views = views;
    if (node->taken == NULL || views == NULL)
        return PyErr_NoMemory(), -1;
    node->views_count = count > 2 ? count - 2 : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *buffer = PyTuple_GET_ITEM(told, i);
        Py_buffer *taken = &node->taken[node->taken_count];
        if (buffer == Py_None)
            continue;
        if (PyObject_GetBuffer(buffer, taken, PyBUF_SIMPLE) != 0)
            return -1;
        node->taken_count++;
        place(node, views, i, (shimhub_buffer){taken->buf, taken->len});
    }
    return 0;
}

static int take_keys(struct shimhub_row_node *node)
{
    if (!PyTuple_Check(node->extra) || PyTuple_GET_SIZE(node->extra) != node->count)
        return fail_plan();
    node->template = PyDict_New();
    for (Py_ssize_t i = 0; node->template != NULL && i < node->count; i++) {
        PyObject *key = PyTuple_GET_ITEM(node->extra, i);
        if (!PyUnicode_CheckExact(key))
            return fail_plan();
        if (PyDict_SetItem(node->template, key, Py_None) != 0)
            return -1;
    }
    if (node->template == NULL)
        return -1;
    return PyDict_GET_SIZE(node->template) == node->count ? 0 : fail_plan();
}

static int take_node(PyObject *plan, int depth, struct shimhub_row_node *node);

static int take_children(PyObject *plan, int depth, struct shimhub_row_node *node)
{
    PyObject *told = PyTuple_GET_ITEM(plan, CHILDREN);
    if (!PyTuple_Check(told))
        return fail_plan();
    size_t count = (size_t)PyTuple_GET_SIZE(told);
    node->children = PyMem_Calloc(count + 1, sizeof *node->children);
    node->columns = PyMem_Calloc(count + 1, sizeof *node->columns);
    if (node->children == NULL || node->columns == NULL)
        return PyErr_NoMemory(), -1;
    while (node->count < (Py_ssize_t)count) {
        struct shimhub_row_node *child = &node->children[node->count++];
        if (take_node(PyTuple_GET_ITEM(told, node->count - 1), depth + 1, child) != 0)
            return -1;
    }
    return 0;
}

static bool is_width(int64_t width, int64_t least)
{
    return width >= least && width <= 8 && (width & (width - 1)) == 0;
}

/* Whether the node has the parts that its kind reads. */
static bool is_whole(const struct shimhub_row_node *node)
{
    switch (node->kind) {
    case SHIMHUB_ROW_INT:
    case SHIMHUB_ROW_UINT: return is_width(node->width, 1) && node->count == 0;
    case SHIMHUB_ROW_FLOAT: return is_width(node->width, 2) && node->count == 0;
    case SHIMHUB_ROW_INDEX:
    case SHIMHUB_ROW_UINDEX: return is_width(node->width, 1) && node->count == 1;
    case SHIMHUB_ROW_TEXT:
    case SHIMHUB_ROW_BYTES: return is_width(node->width, 4) && node->count == 0;
    case SHIMHUB_ROW_LIST: return is_width(node->width, 4) && node->count == 1;
    case SHIMHUB_ROW_FIXED_LIST: return node->count == 1;
    case SHIMHUB_ROW_PAIR: return node->count == 2;
    case SHIMHUB_ROW_STRUCT: return true;
    default: return node->count == 0;
    }
}

static int take_node(PyObject *plan, int depth, struct shimhub_row_node *node)
{
    if (!PyTuple_Check(plan) || PyTuple_GET_SIZE(plan) != PARTS || depth > SHIMHUB_COLUMN_DEPTH)
        return fail_plan();
    node->path = PyTuple_GET_ITEM(plan, PATH);
    node->extra = PyTuple_GET_ITEM(plan, EXTRA);
    if (take_numbers(plan, node) != 0 || take_buffers(plan, node) != 0 ||
        take_children(plan, depth, node) != 0)
        return -1;
    if (!is_whole(node))
        return fail_plan();
    return node->kind == SHIMHUB_ROW_STRUCT ? take_keys(node) : 0;
}

void shimhub_row_plan_drop(struct shimhub_row_node *node)
{
    for (Py_ssize_t i = 0; i < node->count; i++)
        shimhub_row_plan_drop(&node->children[i]);
    for (int64_t i = 0; node->shared != NULL && i < node->children[0].length; i++)
        Py_XDECREF(node->shared[i]);
    for (Py_ssize_t i = 0; i < node->taken_count; i++)
        PyBuffer_Release(&node->taken[i]);
    PyMem_Free(node->shared);
    PyMem_Free(node->taken);
    PyMem_Free((void *)node->views);
    PyMem_Free(node->children);
    PyMem_Free(node->columns);
    Py_XDECREF(node->template);
    Py_XDECREF(node->ready);
}

/* Structs' children begin at the struct's first row, unlike Arrow's: its own offset is for its
 * validity alone, which check_validity() looks at. Dictionaries are checked by themselves. */
static shimhub_column column_of(struct shimhub_row_node *node)
{
    static const int32_t kinds[SHIMHUB_ROW_KINDS] = {
        [SHIMHUB_ROW_NULL] = SHIMHUB_COLUMN_NULL,
        [SHIMHUB_ROW_BOOL] = SHIMHUB_COLUMN_BOOL,
        [SHIMHUB_ROW_INT] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_UINT] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_FLOAT] = SHIMHUB_COLUMN_FLOAT,
        [SHIMHUB_ROW_TEXT] = SHIMHUB_COLUMN_BINARY,
        [SHIMHUB_ROW_BYTES] = SHIMHUB_COLUMN_BINARY,
        [SHIMHUB_ROW_FIXED] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_TEXT_VIEW] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_BYTES_VIEW] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_LIST] = SHIMHUB_COLUMN_LIST,
        [SHIMHUB_ROW_FIXED_LIST] = SHIMHUB_COLUMN_FIXED_LIST,
        [SHIMHUB_ROW_STRUCT] = SHIMHUB_COLUMN_STRUCT,
        [SHIMHUB_ROW_PAIR] = SHIMHUB_COLUMN_STRUCT,
        [SHIMHUB_ROW_INDEX] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_UINDEX] = SHIMHUB_COLUMN_FIXED,
        [SHIMHUB_ROW_READY] = SHIMHUB_COLUMN_NULL,
    };
    bool has_children = kinds[node->kind] >= SHIMHUB_COLUMN_LIST;
    for (Py_ssize_t i = 0; has_children && i < node->count; i++)
        node->columns[i] = column_of(&node->children[i]);
    return (shimhub_column){
        .kind = kinds[node->kind],
        .children_count = has_children ? (int32_t)node->count : 0,
        .width = is_view(node) ? VIEW_SIZE : node->width,
        .length = node->length,
        .offset = kinds[node->kind] == SHIMHUB_COLUMN_STRUCT ? 0 : node->offset,
        .offsets = node->offsets,
        .data = node->data,
        .children = node->columns,
    };
}

static int check(struct shimhub_row_node *node, PyObject *error);

/* What shimhub_column_check() does not see: all validity, and what is behind dictionaries. */
static int check_rest(struct shimhub_row_node *node, PyObject *error)
{
    int64_t bits = node->offset + node->length;
    if (node->length > 0 && node->validity.data != NULL &&
        bits / 8 + (bits % 8 != 0) > node->validity.size)
        return shimhub_row_fail(error, node->path, -1, "its validity is smaller than its rows need");
    bool is_index = node->kind == SHIMHUB_ROW_INDEX || node->kind == SHIMHUB_ROW_UINDEX;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        struct shimhub_row_node *child = &node->children[i];
        if ((is_index ? check(child, error) : check_rest(child, error)) != 0)
            return -1;
    }
    return 0;
}

static int check(struct shimhub_row_node *node, PyObject *error)
{
    int64_t row;
    shimhub_column column = column_of(node);
    if (shimhub_column_check(&column, &row) != SHIMHUB_OK)
        return shimhub_row_fail(error, node->path, row,
                                row < 0 ? "a buffer is smaller than its rows need"
                                        : "offsets fall, or lie outside of the values");
    return check_rest(node, error);
}

/* The rows of the child that rows start .. stop - 1 of the node have; the plan is checked. */
static void child_range(const struct shimhub_row_node *node, int64_t *start, int64_t *stop)
{
    if (node->kind == SHIMHUB_ROW_LIST && *start < *stop) {
        shimhub_column column = {.width = node->width, .offsets = node->offsets};
        *start = shimhub_column_offset(&column, node->offset + *start);
        *stop = shimhub_column_offset(&column, node->offset + *stop);
    } else if (node->kind == SHIMHUB_ROW_FIXED_LIST) {
        *start = (node->offset + *start) * node->width;
        *stop = (node->offset + *stop) * node->width;
    }
}

static int make_ready(struct shimhub_row_node *node, int64_t start, int64_t stop)
{
    node->ready_start = start;
    node->ready = PyObject_CallFunction(node->extra, "LL", (long long)start, (long long)stop);
    if (node->ready == NULL)
        return -1;
    return PyList_CheckExact(node->ready) ? 0 : fail_plan();
}

static int share(struct shimhub_row_node *node, int64_t rows)
{
    int64_t values = node->children[0].length;
    if (values / SHARED_FACTOR > rows)
        return 0;
    node->shared = PyMem_Calloc((size_t)values + 1, sizeof *node->shared);
    return node->shared == NULL ? (PyErr_NoMemory(), -1) : 0;
}

/* Runs Python code; whatever that changes, the nodes hold memory and objects of their own. */
static int prepare(struct shimhub_row_node *node, int64_t start, int64_t stop)
{
    if (node->kind == SHIMHUB_ROW_READY)
        return make_ready(node, start, stop);
    if (node->kind == SHIMHUB_ROW_INDEX || node->kind == SHIMHUB_ROW_UINDEX)
        return share(node, stop - start) == 0
                   ? prepare(&node->children[0], 0, node->children[0].length)
                   : -1;
    child_range(node, &start, &stop);
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (prepare(&node->children[i], start, stop) != 0)
            return -1;
    }
    return 0;
}

int shimhub_row_plan(PyObject *plan, PyObject *error, struct shimhub_row_node *node)
{
    memset(node, 0, sizeof *node);
    if (take_node(plan, 1, node) != 0)
        return -1;
    if (node->kind != SHIMHUB_ROW_STRUCT)
        return fail_plan();
    for (Py_ssize_t i = 0; i < node->count; i++) {
        struct shimhub_row_node *child = &node->children[i];
        if (child->length != node->length)
            return shimhub_row_fail(error, child->path, -1, "it has not as many rows as the batch");
        if (check(child, error) != 0)
            return -1;
    }
    return prepare(node, 0, node->length);
}
