/* torch's tensors in C, without torch's headers.
 *
 * Shapes are read through DLPack's C exchange interface, which torch has from 2.10 on
 * (https://dmlc.github.io/dlpack/latest/c_api.html, DLPackExchangeAPI of version 1): 30 ns a tensor,
 * where its attribute `shape` takes 150. With an older torch, or another major version of DLPack,
 * no shape can be told here, and the functions in Python are called. */
#include "py_outline.h"

#include <string.h>

/* ---- DLPack 1.x ---- */

enum { DLPACK_MAJOR = 1, DLPACK_CPU = 1, DLPACK_INT = 0, DLPACK_FLOAT = 2 };

struct dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
};

struct dl_exchange {
    uint32_t major, minor;
    void *older;
    void *allocate, *managed_from, *managed_to;
    int (*tensor_from)(void *object, struct dl_tensor *tensor); /* may be NULL */
    void *stream;
};

static struct {
    PyTypeObject *tensor, *parameter;
    PyObject *functions[SHIMHUB_TORCH_FUNCTIONS];
    PyObject *from_numpy, *in_autocast, *is_grad_enabled, *cpu;
    PyObject *numpy, *detach, *requires_grad, *level; /* names */
    PyObject *states, *levels;
    PyObject *row; /* the shape of one dimension that was asked for last, as a tuple */
    int64_t row_size;
    PyObject *last, *mean; /* the axis -1; the reduction 1, "mean" */
    int (*read)(void *object, struct dl_tensor *tensor);
} us;

static int keep(PyObject *owner, const char *name, PyObject **slot)
{
    PyObject *found = PyObject_GetAttrString(owner, name);
    Py_XSETREF(*slot, found);
    return found == NULL ? -1 : 0;
}

static int keep_class(PyObject *owner, const char *name, PyTypeObject **slot)
{
    PyObject *found = PyObject_GetAttrString(owner, name);
    if (found != NULL && !PyType_Check(found)) {
        Py_DECREF(found);
        PyErr_Format(PyExc_TypeError, "torch: %s is no class", name);
        return -1;
    }
    Py_XSETREF(*slot, (PyTypeObject *)found);
    return found == NULL ? -1 : 0;
}

static int keep_names(void)
{
    us.numpy = PyUnicode_InternFromString("numpy");
    us.detach = PyUnicode_InternFromString("detach");
    us.requires_grad = PyUnicode_InternFromString("requires_grad");
    us.level = PyUnicode_InternFromString("_current_level");
    us.cpu = PyUnicode_InternFromString("cpu");
    us.last = PyLong_FromLong(-1);
    us.mean = PyLong_FromLong(1);
    return us.numpy == NULL || us.detach == NULL || us.requires_grad == NULL ||
                   us.level == NULL || us.cpu == NULL || us.last == NULL ||
                   us.mean == NULL
               ? -1
               : 0;
}

/* How torch tells of a tensor; it may not. */
static void find_exchange(void)
{
    PyObject *capsule =
        PyObject_GetAttrString((PyObject *)us.tensor, "__dlpack_c_exchange_api__");
    const struct dl_exchange *exchange =
        capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    us.read = exchange != NULL && exchange->major == DLPACK_MAJOR ? exchange->tensor_from : NULL;
    Py_XDECREF(capsule); /* what it points to lives as long as torch */
    PyErr_Clear();
}

int shimhub_torch_setup(PyObject *torch, PyObject *functions, PyObject *states, PyObject *levels)
{
    if (!PyTuple_Check(functions) || PyTuple_GET_SIZE(functions) != SHIMHUB_TORCH_FUNCTIONS ||
        !PyTuple_Check(states) || !PyDict_Check(levels)) {
        PyErr_SetString(PyExc_TypeError, "torch's functions, states and levels");
        return -1;
    }
    PyObject *nn = PyObject_GetAttrString(torch, "nn");
    int failed = nn == NULL || keep_class(nn, "Parameter", &us.parameter) != 0 ||
                 keep(torch, "from_numpy", &us.from_numpy) != 0 ||
                 keep(torch, "is_autocast_enabled", &us.in_autocast) != 0 ||
                 keep(torch, "is_grad_enabled", &us.is_grad_enabled) != 0 ||
                 (us.numpy == NULL && keep_names() != 0);
    Py_XDECREF(nn);
    if (failed)
        return -1;
    for (int i = 0; i < SHIMHUB_TORCH_FUNCTIONS; i++) {
        PyObject *one = PyTuple_GET_ITEM(functions, i);
        Py_XSETREF(us.functions[i], one == Py_None ? NULL : Py_NewRef(one));
    }
    Py_XSETREF(us.states, Py_NewRef(states));
    Py_XSETREF(us.levels, Py_NewRef(levels));
    if (keep_class(torch, "Tensor", &us.tensor) != 0) /* last: without it there are no tensors */
        return -1;
    find_exchange();
    return 0;
}

bool shimhub_torch_is_tensor(PyObject *object)
{
    return us.tensor != NULL && (Py_TYPE(object) == us.tensor || Py_TYPE(object) == us.parameter);
}

/* ---- what tensors are ---- */

static int type_of(const struct dl_tensor *tensor)
{
    if (tensor->lanes != 1)
        return SHIMHUB_TENSOR_OTHER;
    if (tensor->code == DLPACK_INT)
        return tensor->bits == 64 ? SHIMHUB_TENSOR_INT64 : SHIMHUB_TENSOR_OTHER;
    if (tensor->code != DLPACK_FLOAT || (tensor->bits != 32 && tensor->bits != 64))
        return SHIMHUB_TENSOR_OTHER;
    return tensor->bits == 32 ? SHIMHUB_FLOAT32 : SHIMHUB_FLOAT64;
}

static bool is_contiguous(const struct dl_tensor *tensor)
{
    int64_t step = 1;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        if (tensor->shape[i] == 0)
            return true;
        if (tensor->shape[i] != 1 && tensor->strides[i] != step)
            return false;
        step *= tensor->shape[i];
    }
    return true;
}

bool shimhub_tensor_read(PyObject *object, struct shimhub_tensor *tensor)
{
    struct dl_tensor told;
    if (us.read == NULL || !shimhub_torch_is_tensor(object))
        return false;
    if (us.read(object, &told) != 0) {
        PyErr_Clear(); /* sparse, or of a transformation */
        return false;
    }
    if (told.ndim > 0 && (told.shape == NULL || told.strides == NULL))
        return false;
    tensor->nd = told.ndim;
    tensor->shape = told.shape;
    tensor->data = told.data == NULL ? NULL : (const char *)told.data + told.byte_offset;
    tensor->on_cpu = told.device_type == DLPACK_CPU;
    tensor->type = type_of(&told);
    tensor->contiguous = is_contiguous(&told);
    return true;
}

Py_ssize_t shimhub_tensor_count(const struct shimhub_tensor *tensor)
{
    Py_ssize_t count = 1;
    for (int i = 0; i < tensor->nd; i++)
        count *= (Py_ssize_t)tensor->shape[i];
    return count;
}

bool shimhub_tensor_same_shape(const struct shimhub_tensor *a, const struct shimhub_tensor *b)
{
    return a->nd == b->nd &&
           (a->nd == 0 || memcmp(a->shape, b->shape, (size_t)a->nd * sizeof *a->shape) == 0);
}

const struct shimhub_tensor *shimhub_tensor_of(struct shimhub_reads *reads, Py_ssize_t at,
                                               PyObject *argument)
{
    if (reads->states[at] == SHIMHUB_UNREAD)
        reads->states[at] = shimhub_tensor_read(argument, &reads->tensors[at])
                                ? SHIMHUB_READ
                                : SHIMHUB_UNREADABLE;
    return reads->states[at] == SHIMHUB_READ ? &reads->tensors[at] : NULL;
}

/* ---- operations ---- */

#define CONVENTIONS                                                                            \
    (METH_VARARGS | METH_KEYWORDS | METH_FASTCALL | METH_NOARGS | METH_O | METH_METHOD)

/* Whether a function in C takes a tuple, and a dict or NULL: as all of torch's do. */
static bool takes_tuple(PyObject *function)
{
    return PyCFunction_CheckExact(function) &&
           (PyCFunction_GET_FLAGS(function) & CONVENTIONS) == (METH_VARARGS | METH_KEYWORDS);
}

PyObject *shimhub_torch_run(PyObject *function, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    if (kwnames != NULL || !takes_tuple(function))
        return PyObject_Vectorcall(function, args, (size_t)nargs, kwnames);
    PyObject *whole = PyTuple_New(nargs), *result = NULL;
    if (whole == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++)
        PyTuple_SET_ITEM(whole, i, Py_NewRef(args[i]));
    PyCFunctionWithKeywords call =
        (PyCFunctionWithKeywords)(void (*)(void))PyCFunction_GET_FUNCTION(function);
    if (Py_EnterRecursiveCall(" while calling torch") == 0) {
        result = call(PyCFunction_GET_SELF(function), whole, NULL);
        Py_LeaveRecursiveCall();
    }
    Py_DECREF(whole);
    return result;
}

static PyObject *run(enum shimhub_torch_function function, PyObject *const *args, Py_ssize_t nargs)
{
    return us.functions[function] == NULL
               ? NULL
               : shimhub_torch_run(us.functions[function], args, nargs, NULL);
}

/* addmm(bias, x, weight), which refuses all but two dimensions that fit. It would let a bias of one
 * number broadcast: the weight is read for that alone. */
static PyObject *layer_by_addmm(PyObject *const *values, struct shimhub_reads *reads)
{
    const struct shimhub_tensor *weight;
    struct shimhub_outline x, bias;
    if (!shimhub_torch_is_tensor(values[1]) || !shimhub_outline_of(reads, 0, values[0], &x) ||
        !shimhub_outline_of(reads, 2, values[2], &bias) || x.nd != 2 || bias.nd != 1)
        return NULL;
    if (bias.count == 1 && ((weight = shimhub_tensor_of(reads, 1, values[1])) == NULL ||
                            weight->nd != 2 || weight->shape[1] != 1))
        return NULL;
    PyObject *whole[] = {values[2], values[0], values[1]};
    return run(SHIMHUB_TORCH_ADDMM, whole, 3);
}

/* A layer whose bias is none, or whose weight is transposed. */
static PyObject *layer(PyObject *const *values, bool transposed, struct shimhub_reads *reads)
{
    const struct shimhub_tensor *x = shimhub_tensor_of(reads, 0, values[0]), *bias;
    const struct shimhub_tensor *weight = shimhub_tensor_of(reads, 1, values[1]);
    if (x == NULL || weight == NULL || x->nd < 1 || weight->nd != 2 ||
        x->shape[x->nd - 1] != weight->shape[transposed ? 1 : 0])
        return NULL;
    if (!transposed)
        return x->nd == 2 ? run(SHIMHUB_TORCH_MATMUL, values, 2) : NULL;
    if (values[2] != NULL && ((bias = shimhub_tensor_of(reads, 2, values[2])) == NULL ||
                              bias->nd != 1 || bias->shape[0] != weight->shape[0]))
        return NULL; /* torch would broadcast it */
    return run(SHIMHUB_TORCH_LINEAR, values, values[2] == NULL ? 2 : 3);
}

static PyObject *linear(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                        struct shimhub_reads *reads)
{
    static const char *const names[] = {"x", "weight", "bias", "activation", "transposed"};
    PyObject *values[5];
    if (nargs == 3 && kwnames == NULL && args[2] != Py_None)
        return layer_by_addmm(args, reads);
    if (!shimhub_py_bind(args, nargs, kwnames, names, 4, 5, values) || values[1] == NULL ||
        values[3] != NULL || (values[4] != NULL && values[4] != Py_True && values[4] != Py_False))
        return NULL;
    bool transposed = values[4] == Py_True;
    if (!transposed && values[2] != NULL)
        return layer_by_addmm(values, reads);
    return layer(values, transposed, reads);
}

/* The only name of a call with a name. */
static bool is_named(PyObject *kwnames, const char *name)
{
    return kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 1 &&
           PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), name) == 0;
}

static PyObject *gelu(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *function = us.functions[SHIMHUB_TORCH_GELU];
    if (function == NULL || nargs != 1 || (kwnames != NULL && !is_named(kwnames, "approximate")))
        return NULL;
    return shimhub_torch_run(function, args, 1, kwnames);
}

static PyObject *softmax(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t given = nargs + (kwnames != NULL);
    if (nargs < 1 || given > 2 || (kwnames != NULL && !is_named(kwnames, "axis")) ||
        (given == 2 && !PyLong_CheckExact(args[1])))
        return NULL;
    PyObject *whole[] = {args[0], given == 2 ? args[1] : us.last};
    return run(SHIMHUB_TORCH_SOFTMAX, whole, 2);
}

/* (size,), which calls in a row share. */
static PyObject *shape_of_row(int64_t size)
{
    if (us.row == NULL || us.row_size != size) {
        PyObject *made = Py_BuildValue("(L)", (long long)size);
        if (made == NULL)
            return NULL;
        us.row_size = size;
        Py_XSETREF(us.row, made);
    }
    return Py_NewRef(us.row);
}

/* None for eps is a mistake, for others it is what is not given. */
static bool has_none(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = nargs > 3 ? 3 : nargs; i < nargs + named; i++)
        if (args[i] == Py_None)
            return true;
    return false;
}

/* torch takes any; Python tells which are none. */
static bool is_eps(PyObject *object)
{
    return object == NULL || (PyFloat_CheckExact(object) && PyFloat_AS_DOUBLE(object) >= 0);
}

/* How long the rows of layer_norm's x are: as its weight, which torch holds against them; -1 where
 * there is no last dimension or none can be told. */
static int64_t size_of_row(PyObject *const *values, struct shimhub_reads *reads)
{
    struct shimhub_outline x, weight;
    if (!shimhub_outline_of(reads, 0, values[0], &x) || x.nd < 1)
        return -1;
    if (values[1] != NULL && shimhub_outline_of(reads, 1, values[1], &weight) && weight.nd == 1)
        return weight.count;
    const struct shimhub_tensor *whole = shimhub_tensor_of(reads, 0, values[0]);
    return whole == NULL ? -1 : whole->shape[whole->nd - 1];
}

static PyObject *layer_norm(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                            struct shimhub_reads *reads)
{
    static const char *const names[] = {"x", "weight", "bias", "eps"};
    PyObject *values[4];
    if (!shimhub_py_bind(args, nargs, kwnames, names, 4, 4, values) || !is_eps(values[3]) ||
        has_none(args, nargs, kwnames))
        return NULL;
    int64_t size = size_of_row(values, reads);
    PyObject *shape = size < 0 ? NULL : shape_of_row(size);
    if (shape == NULL)
        return NULL;
    PyObject *whole[] = {values[0], shape, values[1] == NULL ? Py_None : values[1],
                         values[2] == NULL ? Py_None : values[2], values[3]};
    PyObject *result = run(SHIMHUB_TORCH_LAYER_NORM, whole, values[3] == NULL ? 4 : 5);
    Py_DECREF(shape);
    return result;
}

static PyObject *mse_loss(PyObject *const *args, const struct shimhub_tensor *x,
                          const struct shimhub_tensor *target)
{
    if (!shimhub_tensor_same_shape(x, target))
        return NULL; /* torch would broadcast them */
    PyObject *whole[] = {args[0], args[1], us.mean};
    return run(SHIMHUB_TORCH_MSE_LOSS, whole, 3);
}

static PyObject *cross_entropy(PyObject *const *args, const struct shimhub_tensor *x,
                               const struct shimhub_tensor *target)
{
    if (x->nd < 1 || x->nd > 2)
        return NULL;
    bool classes = target->type == SHIMHUB_TENSOR_INT64 && target->nd == x->nd - 1 &&
                   (target->nd == 0 || target->shape[0] == x->shape[0]);
    bool probabilities =
        target->type <= SHIMHUB_FLOAT64 && shimhub_tensor_same_shape(x, target);
    PyObject *whole[] = {args[0], args[1], Py_None, us.mean}; /* no weights */
    return classes || probabilities ? run(SHIMHUB_TORCH_CROSS_ENTROPY, whole, 4) : NULL;
}

static PyObject *loss(int op, PyObject *const *args, struct shimhub_reads *reads)
{
    const struct shimhub_tensor *x = shimhub_tensor_of(reads, 0, args[0]);
    const struct shimhub_tensor *target = shimhub_tensor_of(reads, 1, args[1]);
    if (x == NULL || target == NULL)
        return NULL;
    return op == SHIMHUB_PY_MSE_LOSS ? mse_loss(args, x, target) : cross_entropy(args, x, target);
}

PyObject *shimhub_torch_call(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                             struct shimhub_reads *reads)
{
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 0)
        kwnames = NULL;
    switch (op) {
    case SHIMHUB_PY_LINEAR:
        return linear(args, nargs, kwnames, reads);
    case SHIMHUB_PY_GELU:
        return gelu(args, nargs, kwnames);
    case SHIMHUB_PY_SOFTMAX:
        return softmax(args, nargs, kwnames);
    case SHIMHUB_PY_LAYER_NORM:
        return layer_norm(args, nargs, kwnames, reads);
    default:
        break;
    }
    bool is_loss = op == SHIMHUB_PY_MSE_LOSS || op == SHIMHUB_PY_CROSS_ENTROPY;
    return is_loss && kwnames == NULL && nargs == 2 ? loss(op, args, reads) : NULL;
}

/* ---- states ---- */

static int is_true(PyObject *answer)
{
    int truth = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return truth;
}

int shimhub_torch_in_autocast(void)
{
    return is_true(PyObject_CallOneArg(us.in_autocast, us.cpu));
}

int shimhub_torch_is_followed(void)
{
    PyObject *level = PyDict_GetItemWithError(us.levels, us.level); /* -1 outside of any */
    if (level == NULL && PyErr_Occurred())
        return -1;
    if (level != NULL && PyObject_RichCompareBool(level, us.last, Py_EQ) != 1)
        return PyErr_Occurred() ? -1 : 1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(us.states); i++) {
        int truth = is_true(PyObject_CallNoArgs(PyTuple_GET_ITEM(us.states, i)));
        if (truth != 0)
            return truth;
    }
    return 0;
}

int shimhub_torch_needs_grad(PyObject *tensor, bool *has_grad)
{
    int has = is_true(PyObject_GetAttr(tensor, us.requires_grad));
    *has_grad = has > 0;
    return has <= 0 ? has : is_true(PyObject_CallNoArgs(us.is_grad_enabled));
}

PyObject *shimhub_torch_to_array(PyObject *tensor)
{
    bool has_grad;
    int needs = shimhub_torch_needs_grad(tensor, &has_grad);
    if (needs < 0 || !has_grad)
        return needs < 0 ? NULL : PyObject_CallMethodNoArgs(tensor, us.numpy);
    PyObject *apart = PyObject_CallMethodNoArgs(tensor, us.detach);
    PyObject *array = apart == NULL ? NULL : PyObject_CallMethodNoArgs(apart, us.numpy);
    Py_XDECREF(apart);
    return array;
}

PyObject *shimhub_torch_from_array(PyObject *array)
{
    return PyObject_CallOneArg(us.from_numpy, array);
}
