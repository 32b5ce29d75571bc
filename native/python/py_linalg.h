/* Private: what the files of Python's linear algebra share. */
#ifndef SHIMHUB_PY_LINALG_H
#define SHIMHUB_PY_LINALG_H

#include "py_arrays.h"

/* Functions of numpy, and of the reference, to which unusual arguments go. */
enum {
    SHIMHUB_PY_MATMUL,
    SHIMHUB_PY_LINEAR,
    SHIMHUB_PY_ADD, /* in the order of shimhub_operation */
    SHIMHUB_PY_SUBTRACT,
    SHIMHUB_PY_MULTIPLY,
    SHIMHUB_PY_DIVIDE,
    SHIMHUB_PY_RELU, /* in the order of shimhub_activation */
    SHIMHUB_PY_SIGMOID,
    SHIMHUB_PY_TANH,
    SHIMHUB_PY_GELU,
    SHIMHUB_PY_SOFTMAX,
    SHIMHUB_PY_LAYER_NORM,
    SHIMHUB_PY_MSE_LOSS, /* from here on in py_losses.c */
    SHIMHUB_PY_CROSS_ENTROPY,
    SHIMHUB_PY_FUNCTIONS
};

struct shimhub_py_linalg {
    PyObject *reference[SHIMHUB_PY_FUNCTIONS]; /* same arguments, any input */
    PyObject *numpy[SHIMHUB_PY_DIVIDE + 1];    /* the ufunc of the same name, or NULL */
    PyObject *numbers[2];                      /* numpy.float32 and numpy.float64 */
    PyObject *contiguous;                      /* numpy.ascontiguousarray */
    PyObject *give;                            /* the reference's, which checks and fills out */
    /* Above these numpy is as fast or faster. By shimhub_float. */
    double products[2];         /* m * n * k */
    double shallow_products[2]; /* the same where k is at most 16; the larger limit holds */
    double thin_products[2];    /* m * k where n is less than half of a vector of the widest lane */
    double elements[2];         /* of elementwise results */
};
extern struct shimhub_py_linalg shimhub_py_linalg;

/* Of the calling thread's last call: how it is, or was, computed. */
struct shimhub_py_manner {
    bool forced;   /* natively at all sizes, whatever the limits are */
    bool by_numpy; /* numpy, or the reference, computed it */
};
extern _Thread_local struct shimhub_py_manner shimhub_py_manner;

/* The functions themselves, in the order above. */
typedef PyObject *(*shimhub_py_function)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
extern const shimhub_py_function shimhub_py_linalg_functions[SHIMHUB_PY_FUNCTIONS];
extern const char *const shimhub_py_linalg_names[SHIMHUB_PY_FUNCTIONS];

/* Whether a call with these arguments is computed natively: what the function itself finds. */
bool shimhub_py_linalg_serves(int function, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);

PyObject *shimhub_py_call_reference(int function, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames);

PyObject *shimhub_py_mse_loss(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);
PyObject *shimhub_py_cross_entropy(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames);
bool shimhub_py_losses_serve(int function, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames);

/* values[i] gets the argument of names[i], or NULL; the first `positional` may come without names.
 * False, and no exception, if they do not fit: the reference tells why. */
bool shimhub_py_bind(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                     const char *const *names, Py_ssize_t positional, Py_ssize_t count,
                     PyObject **values);

/* Floating-point exceptions since the last call of clear, other than "inexact". */
void shimhub_py_clear_float_flags(void);
bool shimhub_py_float_flags(void);

/* matmul of lists or tuples of numbers, or of lists of them. */
PyObject *shimhub_py_matmul_lists(PyObject *a, PyObject *b);

#endif
