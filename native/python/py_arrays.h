/* Private: reads NumPy's arrays without NumPy's headers. */
#ifndef SHIMHUB_PY_ARRAYS_H
#define SHIMHUB_PY_ARRAYS_H

#include "py.h"

#include <stdbool.h>

#define SHIMHUB_DIMENSIONS 8

/* A float32 or float64 array in native byte order, aligned; strides in elements. */
struct shimhub_array {
    char *data;
    shimhub_float type;
    int nd; /* up to SHIMHUB_DIMENSIONS */
    bool writable;
    Py_ssize_t shape[SHIMHUB_DIMENSIONS], strides[SHIMHUB_DIMENSIONS];
};

/* What of an array tells how much work it is. */
struct shimhub_size {
    shimhub_float type;
    int nd;
    Py_ssize_t count, first, last; /* elements; of the first dimension and the last, 1 without any */
};

/* A row of int32 or int64 in native byte order, aligned and adjacent; or one, of no dimension. */
struct shimhub_classes {
    const char *data;
    shimhub_integer kind;
    int nd;
    Py_ssize_t count;
};

/* Whether it is an ndarray, no subclass, that struct shimhub_classes can tell; as
 * shimhub_array_read. */
bool shimhub_classes_read(PyObject *object, struct shimhub_classes *classes);

/* Keeps numpy.ndarray, numpy.empty and four dtypes for the life of the process, and decides by
 * samples, a sequence of arrays, how arrays are read. -1 and an
 * exception if numpy lacks them. */
int shimhub_arrays_setup(PyObject *numpy, PyObject *samples);

/* Whether it is an ndarray, no subclass, that struct shimhub_array can tell. Sets no exception.
 * What is read stays valid while the array lives and is not resized. */
bool shimhub_array_read(PyObject *object, struct shimhub_array *array);

/* The same, for half of the time. */
bool shimhub_array_size(PyObject *object, struct shimhub_size *size);

/* Whether it still is as it was read. Whatever makes an object may run the garbage collector, and
 * that any code, which may resize arrays. */
bool shimhub_array_is_unchanged(PyObject *object, const struct shimhub_array *array);

/* A new array, uninitialised; array tells where it is. NULL and an exception if it cannot be. */
PyObject *shimhub_array_new(shimhub_float type, int nd, const Py_ssize_t *shape,
                            struct shimhub_array *array);

bool shimhub_array_is_contiguous(const struct shimhub_array *array);
Py_ssize_t shimhub_array_count(const struct shimhub_array *array);
Py_ssize_t shimhub_float_size(shimhub_float type);

/* Whether the memory between the arrays' first and last elements overlaps. */
bool shimhub_arrays_overlap(const struct shimhub_array *a, const struct shimhub_array *b);

/* Whether arrays are read from their heads, and not through the buffer protocol. */
bool shimhub_arrays_by_head(void);

#endif
