/* Linear algebra over NumPy's arrays: one C call reads, checks, makes the result and computes.
 *
 * What is not for us - other dtypes, subclasses, more dimensions, sizes at which numpy is faster,
 * wrong arguments - goes to the numpy function of the same name, or to the reference in Python. */
#include "py_linalg.h"

#include <math.h>
#include <string.h>

#include "linalg.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <fenv.h>
#endif

struct shimhub_py_linalg shimhub_py_linalg;
#define us shimhub_py_linalg
_Thread_local struct shimhub_py_manner shimhub_py_manner;

/* Results of so many multiplications take 10 us or more: other threads may run meanwhile. */
#define LONG_PRODUCT 500000.
#define LONG_ELEMENTS 20000

/* Rows of a matrix and a row are added one by one: below this numpy is as fast. */
#define SHORT_ROW 16

#if defined(__x86_64__)

/* The functions of fenv.h also save and load the x87's state, which takes longer than a product. */
#define FLAGS 0x1du /* invalid, division by zero, overflow, underflow */

void shimhub_py_clear_float_flags(void)
{
    unsigned state = _mm_getcsr();
    if (state & FLAGS)
        _mm_setcsr(state & ~FLAGS);
}

bool shimhub_py_float_flags(void)
{
    return _mm_getcsr() & FLAGS;
}

#else

#define FLAGS (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW)

void shimhub_py_clear_float_flags(void)
{
    feclearexcept(FLAGS);
}

bool shimhub_py_float_flags(void)
{
    return fetestexcept(FLAGS);
}

#endif

static Py_ssize_t find_name(PyObject *name, const char *const *names, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0)
            return i;
    return -1;
}

/* Whether None means that the argument is not given. */
static bool may_be_none(const char *name)
{
    static const char *const names[] = {"out", "weight", "bias", "activation"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool shimhub_py_bind(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                     const char *const *names, Py_ssize_t positional, Py_ssize_t count,
                     PyObject **values)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (nargs > positional)
        return false;
    memset(values, 0, (size_t)count * sizeof *values);
    for (Py_ssize_t i = 0; i < nargs; i++)
        values[i] = args[i];
    for (Py_ssize_t i = 0; i < named; i++) {
        /* The first is the array itself, which has no name outside. */
        Py_ssize_t at = find_name(PyTuple_GET_ITEM(kwnames, i), names, count);
        if (at < 1 || values[at] != NULL)
            return false;
        values[at] = args[nargs + i];
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (values[i] != Py_None)
            continue;
        if (!may_be_none(names[i]))
            return false;
        values[i] = NULL;
    }
    return values[0] != NULL;
}

PyObject *shimhub_py_call_reference(int function, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames)
{
    if (us.reference[function] == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "import shimhub.kernels.linalg first");
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(us.reference[function], args, (size_t)nargs, kwnames);
    shimhub_py_manner.by_numpy = true;
    return result;
}

#define call_reference shimhub_py_call_reference

static PyObject *call_numpy(int function, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    PyObject *result = PyObject_Vectorcall(us.numpy[function], args, (size_t)nargs, kwnames);
    shimhub_py_manner.by_numpy = true;
    return result;
}

/* ufunc(a, b, out=out), which warns or raises as numpy.errstate tells it. */
static PyObject *compute_again(int function, PyObject *a, PyObject *b, PyObject *out)
{
    PyObject *arguments[] = {a, b, out};
    return call_numpy(function, arguments, 3, NULL);
}

/* The array that the result goes to, new or the caller's; NULL and no exception where the caller's
 * is not one that we can write to. */
static PyObject *result_for(PyObject *out, shimhub_float type, int nd, const Py_ssize_t *shape,
                            struct shimhub_array *array)
{
    if (out == NULL)
        return shimhub_array_new(type, nd, shape, array);
    if (!shimhub_array_read(out, array) || !array->writable || array->type != type ||
        array->nd != nd || memcmp(array->shape, shape, (size_t)nd * sizeof *shape) != 0)
        return NULL;
    Py_INCREF(out);
    return out;
}

/* ---- products ---- */

/* A product's shape, by numpy.matmul's rules for one and two dimensions; false if it has none. */
static bool set_product(const struct shimhub_array *a, const struct shimhub_array *b,
                        struct shimhub_product *x)
{
    if (a->type != b->type || a->nd < 1 || a->nd > 2 || b->nd < 1 || b->nd > 2 ||
        a->nd + b->nd == 2)
        return false;
    x->m = a->nd == 2 ? a->shape[0] : 1;
    x->k = a->shape[a->nd - 1];
    x->n = b->nd == 2 ? b->shape[1] : 1;
    x->a = a->data;
    x->a_row = a->nd == 2 ? a->strides[0] : 0;
    x->a_column = a->strides[a->nd - 1];
    x->b = b->data;
    x->b_row = b->strides[0];
    x->b_column = b->nd == 2 ? b->strides[1] : 1;
    return x->k == b->shape[0];
}

/* Shapes at which a copy, or waiting for memory, takes what the vectors save: measured beside
 * OpenBLAS's (shimhub/kernels/_thresholds.py). */
#define FEW_ROWS 4
#define FEW_ROWS_WORK 65536.
#define DEEP 1024
#define DEEP_RESULT 4096.
#define DEEP_ROWS 64 /* up to which B is used as it lies */
#define DEEP_COLUMNS(type) ((type) == SHIMHUB_FLOAT32 ? 32 : 16) /* the same */
#define SHALLOW 16 /* storing the result is most of it, which ours do in the order of memory */
#define TRANSPOSED_ROWS 64 /* that use a copy of B, or else the copy is as small as */
#define TRANSPOSED_SIZE 1024.

static bool is_ours(shimhub_float type, const struct shimhub_product *x)
{
    double m = (double)x->m, n = (double)x->n, k = (double)x->k;
    if (shimhub_py_manner.forced || isinf(us.products[type]))
        return true;
    bool is_thin = n < (type == SHIMHUB_FLOAT32 ? 8 : 4);
    if (k <= SHALLOW && x->b_column == 1 && m >= FEW_ROWS && !is_thin &&
        m * n * k <= us.shallow_products[type])
        return true;
    if (m * n * k > us.products[type])
        return false;
    if (is_thin)
        return m * k <= us.thin_products[type];
    if (x->b_column != 1 && m < TRANSPOSED_ROWS && k * n > TRANSPOSED_SIZE)
        return false;
    bool shallow = k <= DEEP || m <= DEEP_ROWS || n <= DEEP_COLUMNS(type) || m * n >= DEEP_RESULT;
    return shallow && (m >= FEW_ROWS || m * n * k <= FEW_ROWS_WORK);
}

static shimhub_status run_product(shimhub_float type, struct shimhub_product *x,
                                  const void *bias, shimhub_activation activation)
{
    shimhub_status status;
    if ((double)x->m * (double)x->n * (double)x->k < LONG_PRODUCT) {
        status = shimhub_product_run(type, x);
        if (status == SHIMHUB_OK)
            shimhub_linear_finish(type, x->m, x->n, x->c_row, bias, activation, x->c);
        return status;
    }
    Py_BEGIN_ALLOW_THREADS
    status = shimhub_product_run(type, x);
    if (status == SHIMHUB_OK)
        shimhub_linear_finish(type, x->m, x->n, x->c_row, bias, activation, x->c);
    Py_END_ALLOW_THREADS
    return status;
}

static bool holds_rows(const struct shimhub_array *array)
{
    return (array->shape[array->nd - 1] <= 1 || array->strides[array->nd - 1] == 1) &&
           (array->nd < 2 || array->shape[0] <= 1 || array->strides[0] >= array->shape[1]);
}

/* The product in an array, or NULL: with an exception, or without if numpy must do it. */
static PyObject *matmul_here(PyObject *a, PyObject *b, PyObject *out)
{
    struct shimhub_array left, right, to;
    struct shimhub_product x;
    if (!shimhub_array_read(a, &left) || !shimhub_array_read(b, &right) ||
        !set_product(&left, &right, &x) || !is_ours(left.type, &x))
        return NULL;
    Py_ssize_t shape[] = {x.m, x.n};
    int nd = left.nd + right.nd - 2;
    PyObject *result =
        result_for(out, left.type, nd, right.nd == 1 ? shape : shape + (2 - nd), &to);
    if (result == NULL)
        return NULL;
    if (!shimhub_array_is_unchanged(a, &left) || !shimhub_array_is_unchanged(b, &right))
        goto numpy;
    if (out != NULL && (!holds_rows(&to) || shimhub_arrays_overlap(&to, &left) ||
                        shimhub_arrays_overlap(&to, &right)))
        goto numpy;
    x.c = to.data;
    /* One number a row lies where the result has its only dimension. */
    x.c_row = nd == 2 ? to.strides[0] : right.nd == 1 ? to.strides[0] : 0;
    shimhub_py_clear_float_flags();
    shimhub_status status = run_product(left.type, &x, NULL, SHIMHUB_IDENTITY);
    if (status == SHIMHUB_OK && !shimhub_py_float_flags())
        return result;
    Py_XSETREF(result, compute_again(SHIMHUB_PY_MATMUL, a, b, result));
    return result;
numpy:
    Py_DECREF(result);
    return NULL;
}

static bool is_list(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static PyObject *matmul(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    static const char *const names[] = {"", "", "out"};
    PyObject *values[3];
    (void)module;
    if (!shimhub_py_bind(args, nargs, kwnames, names, 2, 3, values) || nargs != 2 ||
        us.numpy[SHIMHUB_PY_MATMUL] == NULL)
        return call_reference(SHIMHUB_PY_MATMUL, args, nargs, kwnames);
    PyObject *result = matmul_here(args[0], args[1], values[2]);
    if (result != NULL || PyErr_Occurred())
        return result;
    if (is_list(args[0]) && is_list(args[1]) && values[2] == NULL)
        return shimhub_py_matmul_lists(args[0], args[1]);
    if (is_list(args[0]) && is_list(args[1]))
        return call_reference(SHIMHUB_PY_MATMUL, args, nargs, kwnames);
    return call_numpy(SHIMHUB_PY_MATMUL, args, nargs, kwnames);
}

/* ---- linear ---- */

static const char *const activations[] = {
    [SHIMHUB_RELU] = "relu", [SHIMHUB_SIGMOID] = "sigmoid", [SHIMHUB_TANH] = "tanh",
    [SHIMHUB_GELU] = "gelu", [SHIMHUB_GELU_TANH] = "gelu_tanh",
};

static bool find_activation(PyObject *name, shimhub_activation *activation)
{
    *activation = SHIMHUB_IDENTITY;
    if (name == NULL)
        return true;
    if (!PyUnicode_Check(name))
        return false;
    Py_ssize_t at =
        find_name(name, activations, (Py_ssize_t)(sizeof activations / sizeof *activations));
    *activation = (shimhub_activation)at;
    return at >= 0;
}

/* x as rows of its last dimension: the leading ones become one, where its memory is in order. */
static bool as_rows(const struct shimhub_array *array, struct shimhub_array *rows)
{
    *rows = *array;
    if (array->nd < 1 || (array->nd > 2 && !shimhub_array_is_contiguous(array)))
        return false;
    if (array->nd > 2) {
        Py_ssize_t columns = array->shape[array->nd - 1];
        rows->nd = 2;
        rows->shape[0] = 1;
        for (int i = 0; i < array->nd - 1; i++)
            rows->shape[0] *= array->shape[i];
        rows->shape[1] = columns;
        rows->strides[0] = columns;
        rows->strides[1] = 1;
    }
    return true;
}

static void transpose(struct shimhub_array *array)
{
    Py_ssize_t shape = array->shape[0], stride = array->strides[0];
    array->shape[0] = array->shape[1];
    array->strides[0] = array->strides[1];
    array->shape[1] = shape;
    array->strides[1] = stride;
}

struct linear {
    struct shimhub_array x, rows, weight, bias, out;
    struct shimhub_product product;
    const void *bias_data;
    shimhub_activation activation;
    int nd;
    Py_ssize_t shape[SHIMHUB_DIMENSIONS];
};

static bool read_linear(PyObject *const *values, struct linear *l)
{
    if (values[1] == NULL || !find_activation(values[3], &l->activation) ||
        (values[4] != NULL && values[4] != Py_True && values[4] != Py_False) ||
        !shimhub_array_read(values[0], &l->x) || !as_rows(&l->x, &l->rows) ||
        !shimhub_array_read(values[1], &l->weight) || l->weight.nd != 2)
        return false;
    if (values[4] == Py_True)
        transpose(&l->weight);
    if (!set_product(&l->rows, &l->weight, &l->product))
        return false;
    l->bias_data = NULL;
    if (values[2] != NULL) {
        if (!shimhub_array_read(values[2], &l->bias) || l->bias.nd != 1 ||
            l->bias.type != l->x.type || l->bias.shape[0] != l->product.n ||
            !shimhub_array_is_contiguous(&l->bias))
            return false;
        l->bias_data = l->bias.data;
    }
    l->nd = l->x.nd;
    memcpy(l->shape, l->x.shape, sizeof l->shape);
    l->shape[l->nd - 1] = l->product.n;
    return true;
}

static bool out_is_apart(const struct linear *l)
{
    return shimhub_array_is_contiguous(&l->out) && !shimhub_arrays_overlap(&l->out, &l->x) &&
           !shimhub_arrays_overlap(&l->out, &l->weight) &&
           (l->bias_data == NULL || !shimhub_arrays_overlap(&l->out, &l->bias));
}

static bool is_weight_unchanged(PyObject *const *values, struct linear *l)
{
    bool transposed = values[4] == Py_True;
    if (transposed)
        transpose(&l->weight);
    bool same = shimhub_array_is_unchanged(values[1], &l->weight) &&
                (l->bias_data == NULL || shimhub_array_is_unchanged(values[2], &l->bias));
    if (transposed)
        transpose(&l->weight);
    return same;
}

/* numpy.matmul into result, then bias and activation on it. */
static int linear_by_numpy(PyObject *const *values, struct linear *l, PyObject *result)
{
    PyObject *weight = values[4] == Py_True ? PyObject_GetAttrString(values[1], "T")
                                            : Py_NewRef(values[1]);
    if (weight == NULL)
        return -1;
    PyObject *product = compute_again(SHIMHUB_PY_MATMUL, values[0], weight, result);
    Py_DECREF(weight);
    if (product == NULL)
        return -1;
    Py_DECREF(product);
    Py_BEGIN_ALLOW_THREADS
    shimhub_linear_finish(l->x.type, l->product.m, l->product.n, l->product.n, l->bias_data,
                          l->activation, l->out.data);
    Py_END_ALLOW_THREADS
    return 0;
}

static PyObject *linear(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    static const char *const names[] = {"x", "weight", "bias", "activation", "transposed", "out"};
    PyObject *values[6];
    struct linear l;
    (void)module;
    if (!shimhub_py_bind(args, nargs, kwnames, names, 4, 6, values) || !read_linear(values, &l))
        return call_reference(SHIMHUB_PY_LINEAR, args, nargs, kwnames);
    PyObject *result = result_for(values[5], l.x.type, l.nd, l.shape, &l.out);
    if (result == NULL && PyErr_Occurred())
        return NULL;
    if (result == NULL || !out_is_apart(&l) || !shimhub_array_is_unchanged(values[0], &l.x) ||
        !is_weight_unchanged(values, &l)) {
        Py_XDECREF(result);
        return call_reference(SHIMHUB_PY_LINEAR, args, nargs, kwnames);
    }
    l.product.c = l.out.data;
    l.product.c_row = l.product.n;
    if (is_ours(l.x.type, &l.product) &&
        run_product(l.x.type, &l.product, l.bias_data, l.activation) == SHIMHUB_OK)
        return result;
    if (linear_by_numpy(values, &l, result) != 0)
        Py_CLEAR(result);
    return result;
}

/* ---- elementwise ---- */

/* How b goes with a: 1 if it is a's shape, 0 if it is the last dimension's, -1 if neither. */
static int lengths(const struct shimhub_array *a, const struct shimhub_array *b)
{
    if (!shimhub_array_is_contiguous(b))
        return -1;
    if (b->nd == a->nd && memcmp(a->shape, b->shape, (size_t)a->nd * sizeof *a->shape) == 0)
        return 1;
    return b->nd == 1 && a->nd > 1 && b->shape[0] == a->shape[a->nd - 1] ? 0 : -1;
}

struct combination {
    PyObject *a_object, *b_object;
    struct shimhub_array a, b; /* a has the result's shape */
    union {
        float f;
        double d;
    } scalar;
    int kind; /* of lengths(); 2 for a scalar */
    int swapped;
};

/* A Python float, as numpy 2 takes it: of the array's dtype. Numpy 1 does so only for those that
 * fit. */
static bool read_scalar(PyObject *object, struct combination *c)
{
    if (!PyFloat_CheckExact(object))
        return false;
    double value = PyFloat_AS_DOUBLE(object);
    c->kind = 2;
    if (c->a.type == SHIMHUB_FLOAT64)
        c->scalar.d = value;
    else if (value > -1e38 && value < 1e38)
        c->scalar.f = (float)value;
    else
        return false;
    return true;
}

static bool read_combination(PyObject *first, PyObject *second, struct combination *c)
{
    bool a = shimhub_array_read(first, &c->a);
    c->swapped = !a;
    if (!a && !shimhub_array_read(second, &c->a))
        return false;
    PyObject *other = a ? second : first;
    c->a_object = a ? first : second;
    c->b_object = other;
    if (c->a.nd < 1 || !shimhub_array_is_contiguous(&c->a))
        return false;
    if (!shimhub_array_read(other, &c->b))
        return read_scalar(other, c);
    if (c->a.type != c->b.type)
        return false;
    c->kind = lengths(&c->a, &c->b);
    if (c->kind < 0) { /* the first may be the row */
        struct shimhub_array row = c->a;
        c->a = c->b;
        c->b = row;
        c->b_object = c->a_object;
        c->a_object = other;
        c->swapped = 1;
        c->kind = c->a.nd > 1 && shimhub_array_is_contiguous(&c->a) ? lengths(&c->a, &c->b) : -1;
    }
    return c->kind >= 0;
}

static bool is_combined_here(const struct combination *c)
{
    if (shimhub_py_manner.forced)
        return true;
    return (double)shimhub_array_count(&c->a) <= us.elements[c->a.type] &&
           !(c->kind == 0 && c->a.shape[c->a.nd - 1] < SHORT_ROW);
}

static PyObject *combine_here(int function, PyObject *first, PyObject *second)
{
    struct combination c;
    struct shimhub_array to;
    if (!read_combination(first, second, &c))
        return NULL;
    Py_ssize_t count = shimhub_array_count(&c.a), columns = c.a.shape[c.a.nd - 1];
    if (!is_combined_here(&c))
        return NULL;
    PyObject *result = shimhub_array_new(c.a.type, c.a.nd, c.a.shape, &to);
    if (result == NULL)
        return NULL;
    if (!shimhub_array_is_unchanged(c.a_object, &c.a) ||
        (c.kind != 2 && !shimhub_array_is_unchanged(c.b_object, &c.b))) {
        Py_DECREF(result);
        return NULL;
    }
    if (c.kind != 0)
        columns = count; /* one long row */
    shimhub_py_clear_float_flags();
    shimhub_status status = shimhub_combine(
        c.a.type, (shimhub_operation)(function - SHIMHUB_PY_ADD), columns ? count / columns : 0,
        columns, c.a.data, c.kind == 2 ? (void *)&c.scalar : c.b.data, c.kind == 1 ? columns : 0,
        c.kind == 2 ? 0 : 1, c.swapped, to.data);
    if (status != SHIMHUB_OK || shimhub_py_float_flags())
        Py_SETREF(result, compute_again(function, first, second, result));
    return result;
}

static PyObject *combine(int function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 2 || kwnames != NULL || us.numpy[function] == NULL)
        return call_reference(function, args, nargs, kwnames);
    PyObject *result = combine_here(function, args[0], args[1]);
    if (result != NULL || PyErr_Occurred())
        return result;
    return call_numpy(function, args, 2, NULL);
}

/* ---- functions of one array ---- */

struct rows {
    PyObject *x, *result; /* strong; x is contiguous */
    PyObject *out;        /* that gets a copy of the result, or NULL */
    struct shimhub_array from, to;
    Py_ssize_t rows, columns;
};

/* Whether results can be written to out while x is read. */
static bool can_write(const struct rows *r)
{
    return shimhub_array_is_contiguous(&r->to) &&
           (r->to.data == r->from.data || !shimhub_arrays_overlap(&r->from, &r->to));
}

/* Where results go: to out, or to a new array from which out gets them, or an error, at the end. */
static PyObject *rows_result(PyObject *out, struct rows *r)
{
    PyObject *result = result_for(out, r->from.type, r->from.nd, r->from.shape, &r->to);
    if (out == NULL || (result == NULL && PyErr_Occurred()))
        return result;
    if (result != NULL && can_write(r))
        return result;
    Py_XDECREF(result);
    r->out = out;
    return shimhub_array_new(r->from.type, r->from.nd, r->from.shape, &r->to);
}

/* x in order, and where results go. False with an exception, or without for the reference. */
static bool rows_open(PyObject *x, PyObject *out, struct rows *r)
{
    if (us.contiguous == NULL || !shimhub_array_read(x, &r->from))
        return false;
    r->out = NULL;
    if (shimhub_array_is_contiguous(&r->from))
        r->x = Py_NewRef(x);
    else if ((r->x = PyObject_CallOneArg(us.contiguous, x)) == NULL)
        return false;
    if (!shimhub_array_read(r->x, &r->from))
        goto fail;
    if ((r->result = rows_result(out, r)) == NULL)
        goto fail;
    if (!shimhub_array_is_unchanged(r->x, &r->from)) {
        Py_DECREF(r->result);
        goto fail;
    }
    r->columns = r->from.nd > 0 ? r->from.shape[r->from.nd - 1] : 1;
    r->rows = r->columns > 0 ? shimhub_array_count(&r->from) / r->columns : 0;
    return true;
fail:
    Py_DECREF(r->x);
    return false;
}

static PyObject *rows_close(struct rows *r)
{
    Py_DECREF(r->x);
    if (r->out == NULL)
        return r->result;
    PyObject *arguments[] = {r->result, r->out};
    Py_XSETREF(r->result, PyObject_Vectorcall(us.give, arguments, 2, NULL));
    return r->result;
}

static void rows_drop(struct rows *r)
{
    Py_DECREF(r->x);
    Py_DECREF(r->result);
}

static PyObject *activate(shimhub_activation activation, int function, PyObject *out,
                          PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct rows r;
    if (!rows_open(args[0], out, &r))
        return PyErr_Occurred() ? NULL : call_reference(function, args, nargs, kwnames);
    Py_ssize_t count = r.rows * r.columns;
    if (count < LONG_ELEMENTS) {
        shimhub_activate(r.from.type, activation, r.from.data, count, r.to.data);
        return rows_close(&r);
    }
    Py_BEGIN_ALLOW_THREADS
    shimhub_activate(r.from.type, activation, r.from.data, count, r.to.data);
    Py_END_ALLOW_THREADS
    return rows_close(&r);
}

static PyObject *activation_of(shimhub_activation activation, int function, PyObject *const *args,
                               Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"", "out"};
    PyObject *values[2];
    if (!shimhub_py_bind(args, nargs, kwnames, names, 1, 2, values))
        return call_reference(function, args, nargs, kwnames);
    return activate(activation, function, values[1], args, nargs, kwnames);
}

static PyObject *gelu(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"", "approximate", "out"};
    PyObject *values[3];
    shimhub_activation activation = SHIMHUB_GELU;
    (void)module;
    bool known = shimhub_py_bind(args, nargs, kwnames, names, 2, 3, values);
    if (known && values[1] != NULL) {
        known = PyUnicode_Check(values[1]);
        if (known && PyUnicode_CompareWithASCIIString(values[1], "tanh") == 0)
            activation = SHIMHUB_GELU_TANH;
        else if (known)
            known = PyUnicode_CompareWithASCIIString(values[1], "none") == 0;
    }
    if (!known)
        return call_reference(SHIMHUB_PY_GELU, args, nargs, kwnames);
    return activate(activation, SHIMHUB_PY_GELU, values[2], args, nargs, kwnames);
}

/* Whether it is -1, the only axis that is done here. */
static bool is_last_axis(PyObject *axis)
{
    return axis == NULL || (PyLong_CheckExact(axis) && PyLong_AsLong(axis) == -1 &&
                            !PyErr_Occurred());
}

static PyObject *softmax(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    static const char *const names[] = {"", "axis", "out"};
    PyObject *values[3];
    struct rows r;
    (void)module;
    bool known = shimhub_py_bind(args, nargs, kwnames, names, 2, 3, values) &&
                 is_last_axis(values[1]);
    PyErr_Clear(); /* an axis that fits no long: the reference tells */
    if (!known || !rows_open(args[0], values[2], &r))
        return PyErr_Occurred() ? NULL
                                : call_reference(SHIMHUB_PY_SOFTMAX, args, nargs, kwnames);
    if (r.from.nd == 0) {
        rows_drop(&r);
        return call_reference(SHIMHUB_PY_SOFTMAX, args, nargs, kwnames);
    }
    Py_BEGIN_ALLOW_THREADS
    shimhub_softmax(r.from.type, r.rows, r.columns, r.from.data, r.to.data);
    Py_END_ALLOW_THREADS
    return rows_close(&r);
}

/* A row of parameters, or NULL; false if there is one that we cannot read. */
static bool read_row(PyObject *object, const struct rows *r, const void **data)
{
    struct shimhub_array array;
    *data = NULL;
    if (object == NULL)
        return true;
    if (!shimhub_array_read(object, &array) || array.nd != 1 || array.type != r->from.type ||
        array.shape[0] != r->columns || !shimhub_array_is_contiguous(&array) ||
        shimhub_arrays_overlap(&array, &r->to))
        return false;
    *data = array.data;
    return true;
}

static PyObject *layer_norm(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    static const char *const names[] = {"", "weight", "bias", "eps", "out"};
    PyObject *values[5];
    struct rows r;
    const void *weight, *bias;
    (void)module;
    bool known = shimhub_py_bind(args, nargs, kwnames, names, 4, 5, values) &&
                 (values[3] == NULL || PyFloat_CheckExact(values[3]));
    double epsilon = known && values[3] != NULL ? PyFloat_AS_DOUBLE(values[3]) : 1e-5;
    if (!known || !(epsilon >= 0) || !rows_open(args[0], values[4], &r))
        return PyErr_Occurred() ? NULL
                                : call_reference(SHIMHUB_PY_LAYER_NORM, args, nargs, kwnames);
    if (r.from.nd == 0 || !read_row(values[1], &r, &weight) || !read_row(values[2], &r, &bias)) {
        rows_drop(&r);
        return call_reference(SHIMHUB_PY_LAYER_NORM, args, nargs, kwnames);
    }
    Py_BEGIN_ALLOW_THREADS
    shimhub_layer_norm(r.from.type, r.rows, r.columns, r.from.data, weight, bias, epsilon,
                       r.to.data);
    Py_END_ALLOW_THREADS
    return rows_close(&r);
}

/* ---- who computes ---- */

static bool serves_matmul(PyObject *const *args, Py_ssize_t nargs)
{
    struct shimhub_array a, b;
    struct shimhub_product x;
    if (nargs == 2 && is_list(args[0]) && is_list(args[1]))
        return true;
    return nargs == 2 && shimhub_array_read(args[0], &a) && shimhub_array_read(args[1], &b) &&
           set_product(&a, &b, &x) && is_ours(a.type, &x);
}

static bool serves_linear(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"x", "weight", "bias", "activation", "transposed", "out"};
    PyObject *values[6];
    struct linear l;
    return shimhub_py_bind(args, nargs, kwnames, names, 4, 6, values) &&
           read_linear(values, &l) && is_ours(l.x.type, &l.product);
}

static bool serves_softmax(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int nd)
{
    static const char *const names[] = {"", "axis", "out"};
    PyObject *values[3];
    bool served = nd > 0 && shimhub_py_bind(args, nargs, kwnames, names, 2, 3, values) &&
                  is_last_axis(values[1]);
    PyErr_Clear(); /* as in softmax() */
    return served;
}

bool shimhub_py_linalg_serves(int function, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    struct shimhub_array x;
    struct combination c;
    if (function == SHIMHUB_PY_MATMUL)
        return serves_matmul(args, nargs);
    if (function == SHIMHUB_PY_LINEAR)
        return serves_linear(args, nargs, kwnames);
    if (function >= SHIMHUB_PY_MSE_LOSS)
        return shimhub_py_losses_serve(function, args, nargs, kwnames);
    if (function <= SHIMHUB_PY_DIVIDE)
        return nargs == 2 && read_combination(args[0], args[1], &c) && is_combined_here(&c);
    if (nargs < 1 || !shimhub_array_read(args[0], &x))
        return false;
    if (function == SHIMHUB_PY_SOFTMAX)
        return serves_softmax(args, nargs, kwnames, x.nd);
    return function != SHIMHUB_PY_LAYER_NORM || x.nd > 0;
}

/* ---- setup ---- */

const char *const shimhub_py_linalg_names[SHIMHUB_PY_FUNCTIONS] = {
    "matmul",  "linear", "add",  "subtract", "multiply",   "divide",   "relu",
    "sigmoid", "tanh",   "gelu", "softmax",  "layer_norm", "mse_loss", "cross_entropy",
};

static int keep(PyObject *owner, const char *name, PyObject **slot)
{
    PyObject *found = PyObject_GetAttrString(owner, name);
    if (found == NULL)
        return -1;
    Py_XSETREF(*slot, found);
    return 0;
}

static PyObject *setup(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "linalg_setup(numpy, reference, samples)");
        return NULL;
    }
    if (shimhub_arrays_setup(args[0], args[2]) != 0 ||
        keep(args[0], "ascontiguousarray", &us.contiguous) != 0 ||
        keep(args[0], "float32", &us.numbers[SHIMHUB_FLOAT32]) != 0 ||
        keep(args[0], "float64", &us.numbers[SHIMHUB_FLOAT64]) != 0 ||
        keep(args[1], "give", &us.give) != 0)
        return NULL;
    for (int i = 0; i < SHIMHUB_PY_FUNCTIONS; i++) {
        if (keep(args[1], shimhub_py_linalg_names[i], &us.reference[i]) != 0)
            return NULL;
        if (i <= SHIMHUB_PY_DIVIDE && i != SHIMHUB_PY_LINEAR &&
            keep(args[0], shimhub_py_linalg_names[i], &us.numpy[i]) != 0)
            return NULL;
    }
    return PyBool_FromLong(shimhub_arrays_by_head());
}

static PyObject *set_limit(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    enum { KINDS = 4 };
    static const char *const kinds[KINDS] = {"products", "shallow_products", "thin_products",
                                             "elements"};
    double *const limits[KINDS] = {us.products, us.shallow_products, us.thin_products,
                                   us.elements};
    (void)module;
    if (nargs != 3 || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "linalg_limit(kind, precision, limit)");
        return NULL;
    }
    Py_ssize_t kind = find_name(args[0], kinds, KINDS);
    long type = PyLong_AsLong(args[1]);
    if (type == -1 && PyErr_Occurred())
        return NULL;
    double limit = PyFloat_AsDouble(args[2]);
    if (limit == -1 && PyErr_Occurred())
        return NULL;
    if (kind < 0 || type < 0 || type > 1) {
        PyErr_SetString(PyExc_ValueError, "no such limit");
        return NULL;
    }
    double before = limits[kind][type];
    limits[kind][type] = limit;
    return PyFloat_FromDouble(before);
}

#define COMBINE(name, function)                                                                \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t nargs,           \
                          PyObject *kwnames)                                                   \
    {                                                                                          \
        (void)module;                                                                          \
        return combine(function, args, nargs, kwnames);                                        \
    }
COMBINE(add, SHIMHUB_PY_ADD)
COMBINE(subtract, SHIMHUB_PY_SUBTRACT)
COMBINE(multiply, SHIMHUB_PY_MULTIPLY)
COMBINE(divide, SHIMHUB_PY_DIVIDE)

#define ACTIVATION(name, activation, function)                                                 \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t nargs,           \
                          PyObject *kwnames)                                                   \
    {                                                                                          \
        (void)module;                                                                          \
        return activation_of(activation, function, args, nargs, kwnames);                      \
    }
ACTIVATION(relu, SHIMHUB_RELU, SHIMHUB_PY_RELU)
ACTIVATION(sigmoid, SHIMHUB_SIGMOID, SHIMHUB_PY_SIGMOID)
ACTIVATION(tanh_of, SHIMHUB_TANH, SHIMHUB_PY_TANH)

const shimhub_py_function shimhub_py_linalg_functions[SHIMHUB_PY_FUNCTIONS] = {
    matmul, linear, add, subtract, multiply, divide, relu, sigmoid, tanh_of, gelu, softmax,
    layer_norm, shimhub_py_mse_loss, shimhub_py_cross_entropy,
};

#define FAST(function) (PyCFunction)(void (*)(void)) function
#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
#define SIGNATURE_ONLY "\n--\n\n"

static PyObject *document(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

PyMethodDef shimhub_py_linalg_methods[] = {
    {"matmul", FAST(matmul), KEYWORDS, "matmul($module, a, b, /, *, out=None)" SIGNATURE_ONLY},
    {"linear", FAST(linear), KEYWORDS,
     "linear($module, x, weight, bias=None, activation=None, *, transposed=False, out=None)" SIGNATURE_ONLY},
    {"add", FAST(add), KEYWORDS, "add($module, a, b, /, *, out=None)" SIGNATURE_ONLY},
    {"subtract", FAST(subtract), KEYWORDS, "subtract($module, a, b, /, *, out=None)" SIGNATURE_ONLY},
    {"multiply", FAST(multiply), KEYWORDS, "multiply($module, a, b, /, *, out=None)" SIGNATURE_ONLY},
    {"divide", FAST(divide), KEYWORDS, "divide($module, a, b, /, *, out=None)" SIGNATURE_ONLY},
    {"relu", FAST(relu), KEYWORDS, "relu($module, x, /, *, out=None)" SIGNATURE_ONLY},
    {"sigmoid", FAST(sigmoid), KEYWORDS, "sigmoid($module, x, /, *, out=None)" SIGNATURE_ONLY},
    {"tanh", FAST(tanh_of), KEYWORDS, "tanh($module, x, /, *, out=None)" SIGNATURE_ONLY},
    {"gelu", FAST(gelu), KEYWORDS, "gelu($module, x, /, approximate='none', *, out=None)" SIGNATURE_ONLY},
    {"softmax", FAST(softmax), KEYWORDS, "softmax($module, x, /, axis=-1, *, out=None)" SIGNATURE_ONLY},
    {"layer_norm", FAST(layer_norm), KEYWORDS,
     "layer_norm($module, x, /, weight=None, bias=None, eps=1e-05, *, out=None)" SIGNATURE_ONLY},
    {"mse_loss", FAST(shimhub_py_mse_loss), KEYWORDS,
     "mse_loss($module, x, target, /)" SIGNATURE_ONLY},
    {"cross_entropy", FAST(shimhub_py_cross_entropy), KEYWORDS,
     "cross_entropy($module, x, target, /)" SIGNATURE_ONLY},
    {"linalg_setup", FAST(setup), METH_FASTCALL, NULL},
    {"linalg_limit", FAST(set_limit), METH_FASTCALL, NULL},
    {"linalg_document", FAST(document), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* linalg_document(name, text): the docstring of the reference becomes the function's own, behind
 * its signature, so that it is written once. The text stays as long as the process. */
static PyObject *document(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    const char *name = nargs == 2 ? PyUnicode_AsUTF8(args[0]) : NULL;
    const char *text = name != NULL ? PyUnicode_AsUTF8(args[1]) : NULL;
    if (text == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "want a name and a text");
    for (PyMethodDef *method = shimhub_py_linalg_methods; method->ml_name != NULL; method++) {
        if (strcmp(method->ml_name, name) != 0 || method->ml_doc == NULL)
            continue;
        const char *end = strstr(method->ml_doc, SIGNATURE_ONLY);
        size_t signature = end == NULL ? 0 : (size_t)(end - method->ml_doc) + 5;
        char *both = PyMem_RawMalloc(signature + strlen(text) + 1);
        if (both == NULL)
            return PyErr_NoMemory();
        memcpy(both, method->ml_doc, signature);
        strcpy(both + signature, text);
        method->ml_doc = both;
    }
    Py_RETURN_NONE;
}
