/* Private: what values of JSON shall be, as shimhub/kernels/rows.py tells it. */
#ifndef SHIMHUB_ROW_TYPE_H
#define SHIMHUB_ROW_TYPE_H

#include "py.h"

enum shimhub_type_kind {
    SHIMHUB_TYPE_NULL,
    SHIMHUB_TYPE_ANY,
    SHIMHUB_TYPE_BOOL,
    SHIMHUB_TYPE_INT,    /* low .. high */
    SHIMHUB_TYPE_FLOAT,
    SHIMHUB_TYPE_STRING,
    SHIMHUB_TYPE_LIST,   /* of the one child */
    SHIMHUB_TYPE_STRUCT
};

struct shimhub_row_type {
    enum shimhub_type_kind kind;
    const char *name;
    int64_t low;
    uint64_t high;
    Py_ssize_t count;
    struct shimhub_row_type *children;
    PyObject **keys;    /* of STRUCT, one for each child; owned, as the template */
    PyObject *template; /* a dict of the keys and None */
};

/* Reads fields: a tuple of (name, type). 0, or -1 and an error; to be dropped in any case. */
int shimhub_row_fields(PyObject *fields, int depth, struct shimhub_row_type *type);
void shimhub_row_type_drop(struct shimhub_row_type *type);

#endif
