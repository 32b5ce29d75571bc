/* Private: torch's tensors, and torch's own functions for the operations of py_accel.c. */
#ifndef SHIMHUB_PY_TORCH_H
#define SHIMHUB_PY_TORCH_H

#include "py_linalg.h"

/* Functions that torch's compute an operation with where the arguments are the usual ones. */
enum shimhub_torch_function {
    SHIMHUB_TORCH_MATMUL,
    SHIMHUB_TORCH_ADDMM,
    SHIMHUB_TORCH_LINEAR,
    SHIMHUB_TORCH_GELU,
    SHIMHUB_TORCH_SOFTMAX,
    SHIMHUB_TORCH_LAYER_NORM,
    SHIMHUB_TORCH_MSE_LOSS,
    SHIMHUB_TORCH_CROSS_ENTROPY,
    SHIMHUB_TORCH_FUNCTIONS
};

/* What a tensor is made of; shape and data live as long as it, while no Python code runs. */
struct shimhub_tensor {
    int nd;
    bool on_cpu, contiguous;
    int type; /* a shimhub_float, or one of those below */
    const int64_t *shape;
    const void *data;
};
enum { SHIMHUB_TENSOR_INT64 = 2, SHIMHUB_TENSOR_OTHER };

/* The first tensors of a call, each read when it is asked for and once: that takes 70 to 130 ns. */
struct shimhub_reads {
    struct shimhub_tensor tensors[3];
    enum { SHIMHUB_UNREAD, SHIMHUB_READ, SHIMHUB_UNREADABLE } states[3];
};

/* Keeps torch's classes, its functions by the numbers above (None where it has none), functions
 * without arguments that tell of unusual states, and the dict in which torch keeps the level of
 * forward-mode gradients. -1 and an exception if torch is not as it should be. */
int shimhub_torch_setup(PyObject *torch, PyObject *functions, PyObject *states, PyObject *levels);

/* Whether it is an exact tensor or parameter; false before setup. */
bool shimhub_torch_is_tensor(PyObject *object);

/* Whether a tensor can be told. Sets no exception. */
bool shimhub_tensor_read(PyObject *object, struct shimhub_tensor *tensor);
Py_ssize_t shimhub_tensor_count(const struct shimhub_tensor *tensor);
bool shimhub_tensor_same_shape(const struct shimhub_tensor *a, const struct shimhub_tensor *b);

/* What argument `at` is, which is one of the first three and given by its place; NULL where that
 * cannot be told. */
const struct shimhub_tensor *shimhub_tensor_of(struct shimhub_reads *reads, Py_ssize_t at,
                                               PyObject *argument);

/* A call of a function of torch's, without the interpreter's steps between. */
PyObject *shimhub_torch_run(PyObject *function, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames);

/* An operation by torch's own function. NULL and no exception where the arguments are not those
 * that this knows, or do not fit together: then the function in Python has to be called. */
PyObject *shimhub_torch_call(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                             struct shimhub_reads *reads);

/* Whether torch's function takes our arguments as they are: shimhub_torch_call knows none better. */
static inline bool shimhub_torch_is_plain(int op)
{
    return op < SHIMHUB_PY_GELU && op != SHIMHUB_PY_LINEAR;
}

/* 1 where operations are under autocast on CPU; -1 and an exception if torch cannot tell. */
int shimhub_torch_in_autocast(void);

/* 1 where somebody follows what is done with tensors: modes, tracers, forward-mode gradients. */
int shimhub_torch_is_followed(void);

/* The array of a tensor, which shares its memory, and back; NULL and an exception. */
PyObject *shimhub_torch_to_array(PyObject *tensor);
PyObject *shimhub_torch_from_array(PyObject *array);

/* 1 where autograd follows a tensor, and -1 and an exception if torch cannot tell. */
int shimhub_torch_needs_grad(PyObject *tensor, bool *has_grad);

#endif
