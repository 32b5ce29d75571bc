/* Private to py_pad.c and pad_*.c: rows of numbers as Python has them. */
#ifndef SHIMHUB_PAD_READ_H
#define SHIMHUB_PAD_READ_H

#include "py.h"

#include "pad_items.h"

/* What padding.py passes with each call, so that the library has no state of Python's. */
struct shimhub_context {
    PyObject *empty;      /* numpy.empty */
    PyObject *dtypes;     /* a dict: what a user may say -> (shimhub_number, numpy.dtype) */
    PyObject *numpy_bool; /* the type numpy.bool_ */
    PyObject *ndarray;    /* the type numpy.ndarray */
    PyObject *dtype;      /* numpy.dtype, which knows what else a user may say */
    PyObject *refusal;    /* of an array of a subclass: why it is no row, or None */
};

/* A list or tuple, or numbers in memory. */
struct shimhub_row {
    PyObject *object; /* of ours */
    Py_ssize_t length;
    Py_buffer *view; /* of ours; NULL for a list or tuple, and for rows of a shared view */
    struct shimhub_items items;
    bool is_list;
};

/* How a place is called in an error. */
enum shimhub_place {
    SHIMHUB_ROWS,     /* rows[3][17] */
    SHIMHUB_FEATURES, /* features[3]['labels'][17] */
    SHIMHUB_COLUMNS,  /* features['labels'][3][17] */
    SHIMHUB_BINS,     /* features[3][1]['labels'][17] */
    SHIMHUB_OUT       /* out['labels'] */
};

struct shimhub_where {
    enum shimhub_place place;
    PyObject *name;
    Py_ssize_t row, part, item; /* item is -1 where the row itself is meant */
};

/* Raises `type` with "<where>: <text>". Returns -1. */
int shimhub_py_fail(const struct shimhub_where *where, PyObject *type, const char *format, ...);

/* Takes a reference to the row and finds its length. -1 and an error if it is none. */
int shimhub_row_take(const struct shimhub_context *context, struct shimhub_row *row,
                     PyObject *object, const struct shimhub_where *where);
void shimhub_row_drop(struct shimhub_row *row);
/* Gets a buffer of that many dimensions, from a torch tensor too: a new view, or NULL and an
 * error. *type is that of its numbers. */
Py_buffer *shimhub_view_take(const struct shimhub_context *context, PyObject *object,
                             int dimensions, const struct shimhub_where *where, int32_t *type);
void shimhub_view_drop(Py_buffer *view);
/* The type of a view's numbers; -1 if they are none that we know. */
int32_t shimhub_view_type(const Py_buffer *view);

/* What rows are read as. Strict: from lists ints alone, from memory integers that int64 holds; no
 * bools, no numbers of NumPy's in lists, and no Python code runs. */
struct shimhub_wanted {
    int32_t type;
    bool strict;          /* int64 then */
    PyObject *numpy_bool; /* of the context */
};

/* Whether a strict field takes numbers of that type from memory. */
bool shimhub_number_is_strict(int32_t type);
/* Whether shimhub_row_write() cannot fail, and runs no Python. */
bool shimhub_row_is_plain(const struct shimhub_row *row, Py_ssize_t count,
                          const struct shimhub_wanted *wanted);
/* Writes the first `count` items side by side. -1 and an error; some may be written then. */
int shimhub_row_write(const struct shimhub_row *row, Py_ssize_t count,
                      const struct shimhub_wanted *wanted, void *to, struct shimhub_where *where);

/* The same of a list or tuple. */
bool shimhub_list_is_plain(const struct shimhub_row *row, Py_ssize_t count,
                           const struct shimhub_wanted *wanted);
int shimhub_list_write(const struct shimhub_row *row, Py_ssize_t count,
                       const struct shimhub_wanted *wanted, char *to,
                       struct shimhub_where *where);

/* Raises that the value does not fit. Returns -1. */
int shimhub_py_fail_value(const struct shimhub_where *where, PyObject *value, int32_t type);
/* Raises that the number at `at`, of type `from`, does not fit. Returns -1. */
int shimhub_py_fail_misfit(const struct shimhub_where *where, const struct shimhub_items *item,
                           int32_t type);

/* The name of its type without the module's. */
const char *shimhub_type_name(PyObject *object);
/* "int64" and so on. */
const char *shimhub_number_name(int32_t type);

/* Takes the value of padding of a field, or of pad() where name is NULL. 0, or -1 and an error. */
int shimhub_pad_value_take(const struct shimhub_context *context, PyObject *value, PyObject *name,
                           shimhub_pad *pad);

#endif
