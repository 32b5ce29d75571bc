/* Private: a batch of Arrow's as a tree of nodes, whose rows become Python's objects.
 *
 * shimhub/kernels/_row_plans.py tells a node as a tuple: kind, width, length, offset, buffers,
 * children, path, extra. Buffers are those of the node's own layout, in Arrow's order; `extra` is
 * the keys of a struct, or what makes the values of SHIMHUB_ROW_READY. */
#ifndef SHIMHUB_ROW_PLAN_H
#define SHIMHUB_ROW_PLAN_H

#include "py.h"

/* The numbers of Kind in _row_plans.py. */
enum shimhub_row_kind {
    SHIMHUB_ROW_NULL,
    SHIMHUB_ROW_BOOL,
    SHIMHUB_ROW_INT,        /* of `width` 1, 2, 4 or 8 bytes */
    SHIMHUB_ROW_UINT,
    SHIMHUB_ROW_FLOAT,      /* of 2, 4 or 8 bytes */
    SHIMHUB_ROW_TEXT,       /* between offsets of 4 or 8 bytes */
    SHIMHUB_ROW_BYTES,
    SHIMHUB_ROW_FIXED,      /* `width` bytes each */
    SHIMHUB_ROW_TEXT_VIEW,  /* views of 16 bytes into any of several buffers */
    SHIMHUB_ROW_BYTES_VIEW,
    SHIMHUB_ROW_LIST,       /* offsets of 4 or 8 bytes into the one child */
    SHIMHUB_ROW_FIXED_LIST, /* `width` rows of the one child */
    SHIMHUB_ROW_STRUCT,     /* a dict; the children begin at its own first row */
    SHIMHUB_ROW_PAIR,       /* a tuple of the values of its two children, as maps have */
    SHIMHUB_ROW_INDEX,      /* signed integers of `width` bytes: rows of the one child, shared */
    SHIMHUB_ROW_UINDEX,
    SHIMHUB_ROW_READY,      /* values that a Python function makes: extra(start, stop) -> list */
    SHIMHUB_ROW_KINDS
};

struct shimhub_row_node {
    enum shimhub_row_kind kind;
    int64_t width, length;
    int64_t offset;           /* of the node's row 0 in its buffers */
    shimhub_buffer validity;  /* read at `offset`, too */
    shimhub_buffer offsets, data;
    const shimhub_buffer *views; /* of views alone: what they point into */
    Py_ssize_t views_count;
    Py_ssize_t count;         /* of children */
    struct shimhub_row_node *children;
    shimhub_column *columns;  /* the children's, for shimhub_column_check() */
    PyObject *path;           /* borrowed of the plan, as extra */
    PyObject *extra;
    PyObject *template;       /* a dict of the keys, of STRUCT */
    PyObject *ready;          /* a list: rows ready_start and on, of READY */
    int64_t ready_start;
    PyObject **shared;        /* a value for each row of the child, NULL until it is asked for */
    Py_buffer *taken;         /* that hold the memory of the buffers */
    Py_ssize_t taken_count;
};

/* Reads a plan, checks that every row of it lies within its buffers, and has ready what Python
 * makes. 0, or -1 with an error set: `error` is called with path, row and problem where it is the
 * data that is wrong. The node is to be dropped in any case; the plan must outlive it. */
int shimhub_row_plan(PyObject *plan, PyObject *error, struct shimhub_row_node *node);
void shimhub_row_plan_drop(struct shimhub_row_node *node);

/* Sets what `error(path, row, problem)` makes as the error, with a cause if one is set; -1. */
int shimhub_row_fail(PyObject *error, PyObject *path, int64_t row, const char *problem);

/* Makes the objects of one batch. `row` is the one that is told in errors. */
struct shimhub_row_maker {
    PyObject *error;
    int64_t row;
};

/* Row i of a node as a new reference, or NULL and an error. */
PyObject *shimhub_row_value(struct shimhub_row_maker *maker, struct shimhub_row_node *node,
                            int64_t i);

#endif
