/* Private: a tensor's size, for less than reading all of it takes. */
#ifndef SHIMHUB_PY_OUTLINE_H
#define SHIMHUB_PY_OUTLINE_H

#include "py_torch.h"

struct shimhub_outline {
    int type; /* a shimhub_float, or SHIMHUB_TENSOR_OTHER */
    int64_t nd, count;
};

/* The outline of argument `at`, which is one of the first three; false where it cannot be told. */
bool shimhub_outline_of(struct shimhub_reads *reads, Py_ssize_t at, PyObject *argument,
                        struct shimhub_outline *outline);

/* Its elements alone. */
bool shimhub_elements_of(struct shimhub_reads *reads, Py_ssize_t at, PyObject *argument,
                         int64_t *count);

#endif
