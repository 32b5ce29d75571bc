/* Losses over NumPy's arrays. What is not for us goes to the reference, which also tells errors. */
#include "py_linalg.h"

#include <string.h>

/* A loss of so many numbers takes 10 us or more: other threads may run meanwhile. */
#define LONG_LOSS 20000

static bool has_shape(const struct shimhub_array *x, int nd, const Py_ssize_t *shape)
{
    return nd == x->nd && memcmp(shape, x->shape, (size_t)nd * sizeof *shape) == 0;
}

static bool is_like(const struct shimhub_array *x, PyObject *object, struct shimhub_array *other)
{
    return shimhub_array_read(object, other) && other->type == x->type &&
           has_shape(x, other->nd, other->shape) && shimhub_array_is_contiguous(other);
}

static bool read_squares(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                         struct shimhub_array *x, struct shimhub_array *target)
{
    return nargs == 2 && (kwnames == NULL || PyTuple_GET_SIZE(kwnames) == 0) &&
           shimhub_array_read(args[0], x) && shimhub_array_is_contiguous(x) &&
           is_like(x, args[1], target);
}

struct entropy {
    struct shimhub_array x, weights;
    struct shimhub_classes classes;
    bool weighted;
    Py_ssize_t rows, columns;
};

static bool read_entropy(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                         struct entropy *e)
{
    if (nargs != 2 || (kwnames != NULL && PyTuple_GET_SIZE(kwnames) != 0) ||
        !shimhub_array_read(args[0], &e->x) || e->x.nd < 1 || e->x.nd > 2 ||
        !shimhub_array_is_contiguous(&e->x))
        return false;
    e->columns = e->x.shape[e->x.nd - 1];
    e->rows = e->x.nd == 2 ? e->x.shape[0] : 1;
    e->weighted = is_like(&e->x, args[1], &e->weights);
    return e->weighted ||
           (shimhub_classes_read(args[1], &e->classes) && e->classes.nd == e->x.nd - 1 &&
            (e->classes.nd == 0 || e->classes.count == e->rows));
}

static shimhub_status run_entropy(const struct entropy *e, double *mean)
{
    if (e->weighted)
        return shimhub_cross_entropy_weighted(e->x.type, e->rows, e->columns, e->x.data,
                                              e->weights.data, mean);
    return shimhub_cross_entropy(e->x.type, e->rows, e->columns, e->x.data, e->classes.kind,
                                 e->classes.data, mean);
}

/* A number of numpy's, which has its dtype. */
static PyObject *number(shimhub_float type, double value)
{
    /* numpy.float32 warns of what is rounded to infinity */
    PyObject *wide = PyFloat_FromDouble(type == SHIMHUB_FLOAT32 ? (double)(float)value : value);
    PyObject *made = wide == NULL
                         ? NULL
                         : PyObject_CallOneArg(shimhub_py_linalg.numbers[type], wide);
    Py_XDECREF(wide);
    return made;
}

PyObject *shimhub_py_mse_loss(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    struct shimhub_array x, target;
    double mean = 0;
    (void)module;
    if (!read_squares(args, nargs, kwnames, &x, &target))
        return shimhub_py_call_reference(SHIMHUB_PY_MSE_LOSS, args, nargs, kwnames);
    Py_ssize_t count = shimhub_array_count(&x);
    if (count < LONG_LOSS) {
        shimhub_mse_loss(x.type, count, x.data, target.data, &mean);
        return number(x.type, mean);
    }
    Py_BEGIN_ALLOW_THREADS
    shimhub_mse_loss(x.type, count, x.data, target.data, &mean);
    Py_END_ALLOW_THREADS
    return number(x.type, mean);
}

PyObject *shimhub_py_cross_entropy(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    struct entropy e;
    double mean = 0;
    shimhub_status status;
    (void)module;
    if (!read_entropy(args, nargs, kwnames, &e))
        return shimhub_py_call_reference(SHIMHUB_PY_CROSS_ENTROPY, args, nargs, kwnames);
    if (shimhub_array_count(&e.x) < LONG_LOSS) {
        status = run_entropy(&e, &mean);
    } else {
        Py_BEGIN_ALLOW_THREADS
        status = run_entropy(&e, &mean);
        Py_END_ALLOW_THREADS
    }
    if (status != SHIMHUB_OK) /* a class that is none */
        return shimhub_py_call_reference(SHIMHUB_PY_CROSS_ENTROPY, args, nargs, kwnames);
    return number(e.x.type, mean);
}

bool shimhub_py_losses_serve(int function, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    struct shimhub_array x, target;
    struct entropy e;
    return function == SHIMHUB_PY_MSE_LOSS ? read_squares(args, nargs, kwnames, &x, &target)
                                           : read_entropy(args, nargs, kwnames, &e);
}
