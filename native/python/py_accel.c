/* The operations of shimhub.accel: who computes a call is found in C where nothing is to be decided.
 *
 * Exact arrays whose work is not above the limit go to our kernels, those above it and exact tensors
 * to torch's own function. All else, and what raises, goes to the Python function of the same name,
 * which has the whole rule. Counts need no lock: the GIL is held. */
#include "py_outline.h"

#include <math.h>
#include <string.h>

enum { NATIVE, NUMPY, TORCH, REFUSED, COUNTS }; /* REFUSED: numpy, where kernels were to */

/* In the order of shimhub.accel.model.OPS, which setup checks, and of linalg's functions. */
enum { LOSSES = SHIMHUB_PY_MSE_LOSS, OPS = SHIMHUB_PY_FUNCTIONS };

static const char *const op_names[OPS] = {
    "matmul",  "linear", "add",  "sub",     "mul",        "div",      "relu",
    "sigmoid", "tanh",   "gelu", "softmax", "layer_norm", "mse_loss", "cross_entropy",
};

/* How many arguments an operation has; 0 where they differ. */
static const Py_ssize_t arguments[OPS] = {
    [SHIMHUB_PY_MATMUL] = 2,   [SHIMHUB_PY_ADD] = 2,    [SHIMHUB_PY_SUBTRACT] = 2,
    [SHIMHUB_PY_MULTIPLY] = 2, [SHIMHUB_PY_DIVIDE] = 2, [SHIMHUB_PY_RELU] = 1,
    [SHIMHUB_PY_SIGMOID] = 1,  [SHIMHUB_PY_TANH] = 1,   [SHIMHUB_PY_MSE_LOSS] = 2,
    [SHIMHUB_PY_CROSS_ENTROPY] = 2,
};

/* What a mode comes to. */
struct limits {
    double arrays[OPS][2]; /* work above which torch computes; by shimhub_float */
    struct range {
        double low, high; /* torch computes tensors of so much work, high excluded */
    } tensors[OPS][2][2]; /* the last tells whether rows are short */
    struct range common[OPS]; /* what is torch's whatever the dtype and the rows are */
    bool all_tensors[OPS]; /* of any size */
    double lists[OPS];     /* work above which torch may compute lists */
    bool forced;           /* our kernels compute at all sizes */
};

#define SHORT_ROW 16 /* elements; as shimhub.accel.model has it */
#define CAPSULE "shimhub.accel.limits"
#define KEPT 4 /* settings of contexts whose limits are at hand */

static struct {
    PyObject *variable, *process; /* the context variable; what holds where it is not set */
    PyObject *find;               /* find(settings) -> capsule */
    PyTypeObject *array;
    PyObject *asarray, *float64, *tolist, *nothing; /* (), the index of a number */
    PyObject *torch; /* its functions by name, NULL before torch is used */
    struct {
        PyObject *settings, *capsule;
        const struct limits *limits;
    } kept[KEPT];
    int oldest;
    unsigned long long forgotten; /* how often all limits were */
    bool is_final;   /* an exception is of a number's own code, which is not to run again */
    bool all_python; /* decisions are told, which Python does */
} us;

static struct {
    PyObject *python;  /* the function that has the whole rule */
    PyObject *torch;   /* NULL before torch is used */
    bool to_python;    /* the kernel is another, or left alone after errors */
    bool no_torch;     /* torch is left alone after errors */
    unsigned long long counts[COUNTS];
} ops[OPS];

/* ---- limits ---- */

/* What a slot keeps ends: that may run Python code, which may come here again. */
static void empty(int at)
{
    PyObject *settings = us.kept[at].settings, *capsule = us.kept[at].capsule;
    us.kept[at].settings = us.kept[at].capsule = NULL;
    us.kept[at].limits = NULL;
    Py_XDECREF(settings);
    Py_XDECREF(capsule);
}

static void forget(void)
{
    us.forgotten++;
    for (int i = 0; i < KEPT; i++)
        empty(i);
}

static const struct limits *find_limits(PyObject *settings)
{
    for (;;) {
        unsigned long long forgotten = us.forgotten;
        empty(us.oldest);
        PyObject *capsule = PyObject_CallOneArg(us.find, settings);
        if (capsule == NULL)
            return NULL;
        const struct limits *limits = PyCapsule_GetPointer(capsule, CAPSULE);
        int at = us.oldest;
        if (limits != NULL && forgotten == us.forgotten && us.kept[at].settings == NULL) {
            us.oldest = (at + 1) % KEPT;
            us.kept[at].settings = Py_NewRef(settings);
            us.kept[at].capsule = capsule;
            us.kept[at].limits = limits;
            return limits;
        }
        Py_DECREF(capsule); /* others forgot it, or filled the slot, meanwhile */
        if (limits == NULL)
            return NULL;
    }
}

/* What holds in this context; valid until Python code runs. NULL and an exception on failure. */
static const struct limits *limits_here(void)
{
    PyObject *settings;
    if (PyContextVar_Get(us.variable, us.process, &settings) != 0)
        return NULL;
    const struct limits *found = NULL;
    for (int i = 0; i < KEPT && found == NULL; i++)
        if (us.kept[i].settings == settings)
            found = us.kept[i].limits;
    if (found == NULL)
        found = find_limits(settings);
    Py_DECREF(settings);
    return found;
}

static void free_limits(PyObject *capsule)
{
    PyMem_Free(PyCapsule_GetPointer(capsule, CAPSULE));
}

static void set_tensors(struct limits *limits, int op, PyObject *ranges)
{
    limits->all_tensors[op] = true;
    limits->common[op] = (struct range){0, INFINITY};
    for (int i = 0; i < 4; i++) {
        struct range *range = &limits->tensors[op][i / 2][i % 2], *common = &limits->common[op];
        range->low = PyFloat_AsDouble(PyTuple_GET_ITEM(ranges, 8 * op + 2 * i));
        range->high = PyFloat_AsDouble(PyTuple_GET_ITEM(ranges, 8 * op + 2 * i + 1));
        if (!(range->low <= 0 && isinf(range->high)))
            limits->all_tensors[op] = false;
        common->low = range->low > common->low ? range->low : common->low;
        common->high = range->high < common->high ? range->high : common->high;
    }
}

/* accel_limits(sizes, ranges, lists, forced): for each operation two sizes, ranges of work whose
 * tensors are torch's, and the size of lists. */
static PyObject *make_limits(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 4 || !PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) != 2 * OPS ||
        !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) != 8 * OPS ||
        !PyTuple_Check(args[2]) || PyTuple_GET_SIZE(args[2]) != OPS)
        return PyErr_Format(PyExc_TypeError, "accel_limits(sizes, ranges, lists, forced)");
    struct limits *limits = PyMem_Calloc(1, sizeof *limits);
    if (limits == NULL)
        return PyErr_NoMemory();
    for (int i = 0; i < 2 * OPS; i++)
        limits->arrays[i / 2][i % 2] = PyFloat_AsDouble(PyTuple_GET_ITEM(args[0], i));
    for (int i = 0; i < OPS; i++) {
        set_tensors(limits, i, args[1]);
        limits->lists[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(args[2], i));
    }
    limits->forced = args[3] == Py_True;
    PyObject *capsule = PyErr_Occurred() ? NULL : PyCapsule_New(limits, CAPSULE, free_limits);
    if (capsule == NULL)
        PyMem_Free(limits);
    return capsule;
}

/* ---- arrays ---- */

/* What means the same to our kernels as to Python's functions. */
static bool is_plain(PyObject *object)
{
    return Py_TYPE(object) == us.array || PyFloat_CheckExact(object) ||
           PyLong_CheckExact(object) || object == Py_None || PyUnicode_CheckExact(object) ||
           PyBool_Check(object);
}

/* Nothing else, as nearly always. */
static bool are_all_arrays(PyObject *const *args, Py_ssize_t nargs)
{
    for (Py_ssize_t i = 0; i < nargs; i++)
        if (Py_TYPE(args[i]) != us.array)
            return false;
    return true;
}

/* Kernels have it, these functions have not. */
static bool has_out(PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "out") == 0)
            return true;
    return false;
}

static bool are_arrays(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    bool some = false;
    for (Py_ssize_t i = 0; i < nargs; i++)
        some = some || Py_TYPE(args[i]) == us.array;
    for (Py_ssize_t i = 0; i < nargs + named; i++)
        if (!is_plain(args[i]))
            return false;
    return some && !has_out(kwnames);
}

/* The rows of a product's result are so long; of linear by its keyword `transposed`. */
static double columns_of(const struct shimhub_size *b, PyObject *const *named, PyObject *kwnames)
{
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < count; i++)
        if (named[i] == Py_True && b->nd == 2 &&
            PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "transposed") == 0)
            return (double)b->first;
    return b->nd == 2 ? (double)b->last : 1;
}

static double work_of_product(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                              shimhub_float *type)
{
    struct shimhub_size first, other;
    if (nargs < 2 || !shimhub_array_size(args[0], &first) ||
        !shimhub_array_size(args[1], &other) || first.type != other.type || other.nd > 2 ||
        other.nd < 1 || first.nd < 1 || (op == SHIMHUB_PY_MATMUL && first.nd > 2))
        return -1;
    *type = first.type;
    return (double)first.count * columns_of(&other, args + nargs, kwnames);
}

/* The work of a call, in the unit of thresholds; -1 where it is Python's to tell. */
static double work_of(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                      shimhub_float *type)
{
    if (op <= SHIMHUB_PY_LINEAR)
        return work_of_product(op, args, nargs, kwnames, type);
    Py_ssize_t given = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames)), most = -1;
    struct shimhub_size size;
    if (op == SHIMHUB_PY_CROSS_ENTROPY && given > 1)
        given = 1; /* the target is never larger */
    for (Py_ssize_t i = 0; i < given; i++) {
        if (Py_TYPE(args[i]) != us.array)
            continue;
        if (!shimhub_array_size(args[i], &size) || (most >= 0 && size.type != *type))
            return -1;
        *type = size.type;
        most = size.count > most ? size.count : most;
    }
    return (double)most;
}

#define MOST 6 /* arguments of a call */

enum side { PURE_SIDE, TORCH_SIDE, PYTHON_SIDE };

static enum side side_of(const double *limits, int op, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    shimhub_float type = SHIMHUB_FLOAT32;
    if (isinf(limits[0]) && isinf(limits[1]) && limits[0] > 0 && limits[1] > 0)
        return PURE_SIDE; /* never torch: the work does not matter */
    double work = work_of(op, args, nargs, kwnames, &type);
    if (work < 0)
        return PYTHON_SIDE;
    return work <= limits[type] ? PURE_SIDE : TORCH_SIDE;
}

static void count(int op, bool native, bool forced)
{
    ops[op].counts[native ? NATIVE : NUMPY]++;
    ops[op].counts[REFUSED] += forced && !native;
}

static PyObject *by_kernel(int op, bool forced, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames, bool *native)
{
    struct shimhub_py_manner *manner = &shimhub_py_manner, outside = *manner;
    manner->forced = forced;
    manner->by_numpy = false;
    PyObject *result = shimhub_py_linalg_functions[op](NULL, args, nargs, kwnames);
    *native = !manner->by_numpy;
    *manner = outside;
    return result;
}

static PyObject *arrays(int op, const struct limits *limits, PyObject *const *args,
                        Py_ssize_t nargs, PyObject *kwnames)
{
    bool native = false, forced = limits->forced;
    PyObject *result = by_kernel(op, forced, args, nargs, kwnames, &native);
    if (result != NULL)
        count(op, native, forced);
    return result;
}

/* ---- tensors ---- */

static bool are_tensors(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (arguments[op] > 0 && (nargs != arguments[op] || kwnames != NULL))
        return false; /* torch's function takes more than ours */
    for (Py_ssize_t i = 1; i < nargs + named; i++)
        if (!shimhub_torch_is_tensor(args[i]) &&
            (Py_TYPE(args[i]) == us.array || !is_plain(args[i])))
            return false;
    return shimhub_torch_is_tensor(args[0]);
}

/* Whether an exception may be of the call's own mistake, which Python tells in other words. Others
 * end what is done, such as activation checkpointing's: torch must not compute it once more. */
static bool may_be_mistake(void)
{
    return PyErr_ExceptionMatches(PyExc_RuntimeError) || PyErr_ExceptionMatches(PyExc_TypeError) ||
           PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_IndexError) ||
           PyErr_ExceptionMatches(PyExc_AttributeError);
}

/* By torch's own function, or else by the one that takes our arguments. */
static PyObject *by_torch(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                          struct shimhub_reads *reads)
{
    PyObject *result = NULL;
    if (!shimhub_torch_is_plain(op))
        result = shimhub_torch_call(op, args, nargs, kwnames, reads);
    if (result == NULL && !PyErr_Occurred())
        result = shimhub_torch_run(ops[op].torch, args, nargs, kwnames);
    ops[op].counts[TORCH] += result != NULL;
    us.is_final = result == NULL && PyErr_Occurred() && !may_be_mistake();
    return result;
}

/* Whether our kernels take a tensor. */
static bool is_ours(const struct shimhub_tensor *tensor)
{
    return tensor != NULL && tensor->on_cpu && tensor->contiguous && tensor->nd > 0 &&
           tensor->type <= SHIMHUB_FLOAT64;
}

static bool has_short_rows(const struct shimhub_tensor *tensor)
{
    return tensor->nd > 0 && tensor->shape[tensor->nd - 1] < SHORT_ROW;
}

/* Whether a tensor has one of x's classes for each row. torch leaves out those of -100. */
static bool are_classes(const struct shimhub_tensor *x, const struct shimhub_tensor *target)
{
    if (!target->on_cpu || !target->contiguous || target->nd != x->nd - 1 || x->nd > 2 ||
        (target->nd == 1 && target->shape[0] != x->shape[0]))
        return false;
    const int64_t *classes = target->data;
    Py_ssize_t count = shimhub_tensor_count(target);
    if (count > 0 && classes == NULL)
        return false;
    for (Py_ssize_t i = 0; i < count; i++)
        if (classes[i] < 0 || classes[i] >= x->shape[x->nd - 1])
            return false;
    return true;
}

/* The work of a loss that our kernels might compute; -1 where they cannot. */
static double work_of_loss(int op, PyObject *const *args, struct shimhub_reads *reads,
                           shimhub_float *type, bool *is_short)
{
    const struct shimhub_tensor *x = shimhub_tensor_of(reads, 0, args[0]);
    const struct shimhub_tensor *target = shimhub_tensor_of(reads, 1, args[1]);
    bool is_entropy = op == SHIMHUB_PY_CROSS_ENTROPY;
    if (!is_ours(x) || target == NULL)
        return -1;
    if (is_entropy && target->type == SHIMHUB_TENSOR_INT64) {
        if (!are_classes(x, target))
            return -1;
    } else if (!is_ours(target) || target->type != x->type || (is_entropy && x->nd > 2) ||
               !shimhub_tensor_same_shape(x, target)) {
        return -1;
    }
    *type = (shimhub_float)x->type;
    *is_short = has_short_rows(x);
    return (double)shimhub_tensor_count(x);
}

#define TENSORS 3 /* of a call, at most */

/* Of a product whose second tensor it is. */
static double columns_of_tensor(const struct shimhub_tensor *tensor)
{
    return tensor->nd > 1 ? (double)tensor->shape[tensor->nd - 1] : 1;
}

/* The work of a call on tensors that our kernels might compute; -1 where they cannot. */
static double work_of_tensors(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                              struct shimhub_reads *reads, shimhub_float *type, bool *is_short)
{
    const struct shimhub_tensor *first = shimhub_tensor_of(reads, 0, args[0]), *tensor;
    Py_ssize_t given = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    double most = 0, columns = 1;
    bool any_name = op > SHIMHUB_PY_LINEAR && op < LOSSES; /* none changes the work */
    if ((kwnames != NULL && !any_name) || has_out(kwnames) || given > MOST || !is_ours(first))
        return -1;
    if (op >= LOSSES)
        return work_of_loss(op, args, reads, type, is_short);
    Py_ssize_t seen = 0;
    for (Py_ssize_t i = 0; i < given; i++) {
        if (i > 0 && !shimhub_torch_is_tensor(args[i])) {
            if (arguments[op] > 0)
                return -1; /* a number beside a tensor */
            continue;
        }
        Py_ssize_t at = kwnames == NULL ? i : seen++; /* options are anywhere between names */
        if (at >= TENSORS)
            return -1;
        tensor = shimhub_tensor_of(reads, at, args[i]);
        if (!is_ours(tensor) || tensor->type != first->type)
            return -1;
        if (i == 1)
            columns = columns_of_tensor(tensor);
        double elements = (double)shimhub_tensor_count(tensor);
        most = elements > most ? elements : most;
    }
    *type = (shimhub_float)first->type;
    *is_short = has_short_rows(first);
    if (op > SHIMHUB_PY_LINEAR)
        return most;
    return nargs < 2 || first->nd != 2 ? -1 : (double)shimhub_tensor_count(first) * columns;
}

/* ---- lists ---- */

static bool is_list(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static bool are_lists(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    bool some = false;
    if (nargs > MOST || kwnames != NULL)
        return false;
    for (Py_ssize_t i = 0; i < nargs; i++) {
        some = some || is_list(args[i]);
        if (!is_list(args[i]) && (Py_TYPE(args[i]) == us.array || !is_plain(args[i])))
            return false;
    }
    return some;
}

/* The shape of a list, as its first items tell; -1 dimensions where it holds other than numbers. */
static int shape_of_list(PyObject *object, double shape[SHIMHUB_DIMENSIONS])
{
    int nd = 0;
    for (; is_list(object); object = PySequence_Fast_GET_ITEM(object, 0)) {
        if (nd == SHIMHUB_DIMENSIONS || PySequence_Fast_GET_SIZE(object) == 0)
            return -1;
        shape[nd++] = (double)PySequence_Fast_GET_SIZE(object);
    }
    return PyFloat_CheckExact(object) || PyLong_CheckExact(object) ? nd : -1;
}

static double count_of_list(PyObject *object)
{
    double shape[SHIMHUB_DIMENSIONS], count = 1;
    int nd = shape_of_list(object, shape);
    for (int i = 0; i < nd; i++)
        count *= shape[i];
    return nd < 0 ? -1 : count;
}

/* The work of a call on lists, in the unit of thresholds; -1 where it is Python's to tell. */
static double work_of_lists(int op, PyObject *const *args, Py_ssize_t nargs)
{
    double shape[SHIMHUB_DIMENSIONS], work = count_of_list(args[0]);
    if (op <= SHIMHUB_PY_LINEAR) {
        int nd = nargs < 2 ? -1 : shape_of_list(args[1], shape);
        return work < 0 || nd < 1 || nd > 2 ? -1 : nd == 2 ? work * shape[1] : work;
    }
    for (Py_ssize_t i = 1; work >= 0 && i < nargs; i++) {
        double elements = is_list(args[i]) ? count_of_list(args[i]) : 1;
        work = elements < 0 ? -1 : elements > work ? elements : work;
    }
    return work;
}

static bool are_ours(int op, double limit, PyObject *const *args, Py_ssize_t nargs)
{
    if (isinf(limit) && limit > 0)
        return true; /* never torch: the work does not matter */
    double work = work_of_lists(op, args, nargs);
    return work >= 0 && work <= limit;
}

/* By way of arrays of float64, but for classes; those of a product are read by the kernel itself. */
static PyObject *lists(int op, bool forced, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *inputs[MOST], *result = NULL;
    bool native = false, whole = op == SHIMHUB_PY_MATMUL, is_array = true;
    Py_ssize_t made = 0;
    for (; made < nargs; made++) {
        PyObject *wanted[] = {args[made], us.float64};
        size_t count = op == SHIMHUB_PY_CROSS_ENTROPY && made == 1 ? 1 : 2;
        inputs[made] = whole || !is_list(args[made])
                           ? Py_NewRef(args[made])
                           : PyObject_Vectorcall(us.asarray, wanted, count, NULL);
        is_array = inputs[made] != NULL;
        if (!is_array)
            goto done;
    }
    result = by_kernel(op, forced, inputs, nargs, NULL, &native);
    if (result != NULL && !whole)
        Py_SETREF(result, PyObject_CallMethodNoArgs(result, us.tolist));
    if (result != NULL)
        count(op, native, forced);
done:
    while (made > 0)
        Py_DECREF(inputs[--made]);
    us.is_final = !is_array && !PyErr_ExceptionMatches(PyExc_TypeError) &&
                  !PyErr_ExceptionMatches(PyExc_ValueError) &&
                  !PyErr_ExceptionMatches(PyExc_OverflowError);
    return result;
}

/* ---- torch's side ---- */

/* Whether torch takes an array as it is, without a warning. */
static bool takes(PyObject *object, shimhub_float type)
{
    struct shimhub_array array;
    if (!shimhub_array_read(object, &array) || array.type != type || !array.writable)
        return false;
    for (int i = 0; i < array.nd; i++)
        if (array.strides[i] < 0)
            return false;
    return true;
}

static bool are_within(const Py_buffer *view, int64_t count)
{
    Py_ssize_t size = view->ndim == 0 ? 1 : view->shape[0];
    Py_ssize_t stride = view->ndim == 0 ? 0 : view->strides[0];
    for (Py_ssize_t i = 0; i < size; i++) {
        int64_t value = *(const int64_t *)((const char *)view->buf + i * stride);
        if (value < 0 || value >= count)
            return false;
    }
    return true;
}

/* Whether an array has numbers of so many classes, as torch takes them: all of them, where it
 * leaves out those of -100. */
static bool takes_classes(PyObject *object, int64_t count)
{
    Py_buffer view;
    if (Py_TYPE(object) != us.array)
        return false;
    if (PyObject_GetBuffer(object, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0) {
        PyErr_Clear();
        return false;
    }
    bool fit = view.itemsize == 8 && !view.readonly && (uintptr_t)view.buf % 8 == 0 &&
               (strcmp(view.format, "l") == 0 || strcmp(view.format, "q") == 0);
    for (int i = 0; i < view.ndim; i++)
        fit = fit && view.strides[i] >= 0 && view.strides[i] % 8 == 0;
    fit = fit && view.ndim <= 1 && are_within(&view, count);
    PyBuffer_Release(&view);
    return fit;
}

/* Whether all of a call's arguments are what torch computes as numpy does. */
static bool are_torchs(int op, PyObject *const *args, Py_ssize_t given)
{
    struct shimhub_array first;
    if (given > MOST || !shimhub_array_read(args[0], &first) ||
        (op == SHIMHUB_PY_SOFTMAX && first.nd < 1))
        return false;
    for (Py_ssize_t i = 0; i < given; i++) {
        if (op == SHIMHUB_PY_LAYER_NORM && PyFloat_CheckExact(args[i]) &&
            !(PyFloat_AS_DOUBLE(args[i]) >= 0))
            return false; /* torch takes any eps */
        if (op == SHIMHUB_PY_CROSS_ENTROPY && i == 1) {
            if (first.nd < 1 || (!takes_classes(args[1], first.shape[first.nd - 1]) &&
                                 !takes(args[1], first.type)))
                return false;
        } else if (Py_TYPE(args[i]) == us.array ? !takes(args[i], first.type)
                                                : arguments[op] > 1 && !PyFloat_CheckExact(args[i]))
            return false;
    }
    return true;
}

/* Whether torch would take arguments that do not go together for us. */
static bool needs_own(int op)
{
    return op == SHIMHUB_PY_LINEAR || op == SHIMHUB_PY_LAYER_NORM || op >= LOSSES;
}

/* A result of torch as numpy gives it: a number where it has no dimensions. */
static PyObject *as_numpy_gives(int op, PyObject *tensor)
{
    struct shimhub_array read;
    bool scalars = op == SHIMHUB_PY_MATMUL || op >= LOSSES ||
                   (op >= SHIMHUB_PY_ADD && op <= SHIMHUB_PY_DIVIDE);
    PyObject *array = shimhub_torch_to_array(tensor);
    if (array != NULL && scalars && shimhub_array_read(array, &read) && read.nd == 0)
        Py_SETREF(array, PyObject_GetItem(array, us.nothing));
    return array;
}

/* The result, or NULL: with an exception, or without where Python is to decide. */
static PyObject *arrays_by_torch(int op, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    Py_ssize_t given = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames)), made = 0;
    PyObject *inputs[MOST], *result = NULL;
    if (us.torch == NULL || ops[op].no_torch || !are_torchs(op, args, given) ||
        PyDict_GetItemString(us.torch, op_names[op]) != ops[op].torch ||
        shimhub_torch_in_autocast() != 0)
        return NULL;
    for (; made < given; made++) {
        inputs[made] = Py_TYPE(args[made]) == us.array ? shimhub_torch_from_array(args[made])
                                                       : Py_NewRef(args[made]);
        if (inputs[made] == NULL)
            goto done;
    }
    struct shimhub_reads reads;
    memset(reads.states, 0, sizeof reads.states); /* all of it would take as long as a read */
    if (!shimhub_torch_is_plain(op))
        result = shimhub_torch_call(op, inputs, nargs, kwnames, &reads);
    if (result == NULL && !PyErr_Occurred() && !needs_own(op))
        result = shimhub_torch_run(ops[op].torch, inputs, nargs, kwnames);
    if (result != NULL)
        Py_SETREF(result, as_numpy_gives(op, result));
    ops[op].counts[TORCH] += result != NULL;
done:
    while (made > 0)
        Py_DECREF(inputs[--made]);
    return result;
}

/* Tensors by our kernel, where nobody follows what is done with them. */
static PyObject *tensors_by_kernel(int op, bool forced, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    PyObject *inputs[MOST], *result = NULL;
    Py_ssize_t given = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames)), made = 0;
    for (; made < given; made++) {
        inputs[made] = shimhub_torch_is_tensor(args[made]) ? shimhub_torch_to_array(args[made])
                                                           : Py_NewRef(args[made]);
        if (inputs[made] == NULL)
            goto done;
    }
    bool native = false;
    result = by_kernel(op, forced, inputs, nargs, kwnames, &native);
    if (result != NULL && Py_TYPE(result) != us.array) /* a number */
        Py_SETREF(result, PyObject_CallOneArg(us.asarray, result));
    if (result != NULL)
        Py_SETREF(result, shimhub_torch_from_array(result));
    if (result != NULL)
        count(op, native, forced);
done:
    while (made > 0)
        Py_DECREF(inputs[--made]);
    return result;
}

/* Whether nobody but us sees what is done with tensors. */
static bool may_leave_torch(PyObject *const *args, Py_ssize_t nargs)
{
    bool has_grad;
    for (Py_ssize_t i = 0; i < nargs; i++)
        if (shimhub_torch_is_tensor(args[i]) && shimhub_torch_needs_grad(args[i], &has_grad) != 0)
            return false;
    return shimhub_torch_in_autocast() == 0 && shimhub_torch_is_followed() == 0;
}

enum answer { NO, YES, UNKNOWN };

static bool is_in(const struct range *range, double work)
{
    return work >= range->low && work < range->high;
}

/* The elements of the largest tensor, but for products and what has a second one of another kind;
 * -1 where that is not told. */
static double most_elements(int op, PyObject *const *args, Py_ssize_t nargs,
                            struct shimhub_reads *reads)
{
    int64_t count, other = 0;
    if (!shimhub_elements_of(reads, 0, args[0], &count))
        return -1;
    if (op >= SHIMHUB_PY_ADD && op <= SHIMHUB_PY_DIVIDE && nargs > 1 &&
        shimhub_torch_is_tensor(args[1]) && !shimhub_elements_of(reads, 1, args[1], &other))
        return -1;
    return (double)(other > count ? other : count);
}

/* Whether so much work is torch's, by outlines alone: they do not tell how long rows are. */
static enum answer is_torchs_by_outline(int op, const struct limits *limits, PyObject *const *args,
                                        Py_ssize_t nargs, struct shimhub_reads *reads)
{
    struct shimhub_outline first, bias = {.count = 1};
    double most = most_elements(op, args, nargs, reads);
    if (op > SHIMHUB_PY_LINEAR && is_in(&limits->common[op], most))
        return YES;
    if (most < 0 || !shimhub_outline_of(reads, 0, args[0], &first))
        return UNKNOWN;
    if (first.nd < 1 || first.type > SHIMHUB_FLOAT64)
        return limits->forced ? NO : YES;
    if (op <= SHIMHUB_PY_LINEAR && (first.nd != 2 || nargs < 3 ||
                                    !shimhub_outline_of(reads, 2, args[2], &bias) || bias.nd != 1))
        return UNKNOWN;
    double work = most * (double)bias.count; /* which has a result's columns */
    const struct range *ranges = limits->tensors[op][first.type];
    bool is_long = is_in(&ranges[0], work), is_short = is_in(&ranges[1], work);
    return is_long != is_short ? UNKNOWN : is_long ? YES : NO;
}

/* Whether torch computes so much work, whatever our kernels can. */
static bool is_torchs(int op, const struct limits *limits, PyObject *const *args, Py_ssize_t nargs,
                      PyObject *kwnames, struct shimhub_reads *reads)
{
    const struct shimhub_tensor *first, *weight;
    if (op <= SHIMHUB_PY_LINEAR && (kwnames != NULL || nargs < 2))
        return false;
    enum answer answer = is_torchs_by_outline(op, limits, args, nargs, reads);
    if (answer != UNKNOWN || (first = shimhub_tensor_of(reads, 0, args[0])) == NULL)
        return answer == YES;
    double work = most_elements(op, args, nargs, reads);
    if (op <= SHIMHUB_PY_LINEAR) {
        weight = shimhub_tensor_of(reads, 1, args[1]);
        if (first->nd != 2 || weight == NULL || weight->nd < 1)
            return false;
        work *= columns_of_tensor(weight);
    }
    return is_in(&limits->tensors[op][first->type][has_short_rows(first)], work);
}

static PyObject *tensors(int op, const struct limits *limits, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *kwnames)
{
    shimhub_float type = 0;
    bool is_short = false;
    struct shimhub_reads reads;
    memset(reads.states, 0, sizeof reads.states); /* all of it would take as long as a read */
    if (limits->all_tensors[op] || is_torchs(op, limits, args, nargs, kwnames, &reads))
        return by_torch(op, args, nargs, kwnames, &reads);
    bool forced = limits->forced; /* before Python code runs */
    Py_ssize_t given = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    double work = work_of_tensors(op, args, nargs, kwnames, &reads, &type, &is_short);
    const struct range *range = &limits->tensors[op][type][is_short];
    bool ours = work >= 0 && !is_in(range, work);
    if (ours && !ops[op].to_python && may_leave_torch(args, given))
        return tensors_by_kernel(op, forced, args, nargs, kwnames);
    if (PyErr_Occurred() || forced || (ours && ops[op].to_python))
        return NULL; /* Python tells why */
    if (kwnames != NULL) /* by place, and torch is asked by name */
        memset(reads.states, 0, sizeof reads.states);
    return by_torch(op, args, nargs, kwnames, &reads);
}

/* ---- calls ---- */

/* The result, or NULL: with an exception, or without where Python is to decide. */
static PyObject *here(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    const struct limits *limits;
    if (nargs < 1 || us.all_python)
        return NULL;
    bool all_arrays = kwnames == NULL && are_all_arrays(args, nargs);
    if (!all_arrays && us.torch != NULL && are_tensors(op, args, nargs, kwnames)) {
        limits = limits_here();
        return limits == NULL ? NULL : tensors(op, limits, args, nargs, kwnames);
    }
    if (ops[op].to_python)
        return NULL;
    if (!all_arrays && are_lists(args, nargs, kwnames)) {
        limits = limits_here();
        return limits != NULL && are_ours(op, limits->lists[op], args, nargs)
                   ? lists(op, limits->forced, args, nargs)
                   : NULL;
    }
    if ((!all_arrays && !are_arrays(args, nargs, kwnames)) || (limits = limits_here()) == NULL)
        return NULL;
    switch (side_of(limits->arrays[op], op, args, nargs, kwnames)) {
    case PURE_SIDE:
        return arrays(op, limits, args, nargs, kwnames);
    case TORCH_SIDE:
        return arrays_by_torch(op, args, nargs, kwnames);
    default:
        return NULL;
    }
}

static PyObject *call(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *result = here(op, args, nargs, kwnames);
    if (result != NULL)
        return result;
    if (PyErr_Occurred()) {
        /* Python computes it again: it knows whose mistake it is. */
        bool is_final = us.is_final;
        us.is_final = false;
        if (is_final || !PyErr_ExceptionMatches(PyExc_Exception))
            return NULL;
        PyErr_Clear();
    }
    return PyObject_Vectorcall(ops[op].python, args, (size_t)nargs, kwnames);
}

#define CALL(op)                                                                               \
    static PyObject *call_##op(PyObject *self, PyObject *const *args, Py_ssize_t nargs,        \
                               PyObject *kwnames)                                              \
    {                                                                                          \
        (void)self;                                                                            \
        return call(op, args, nargs, kwnames);                                                 \
    }
CALL(0)
CALL(1)
CALL(2)
CALL(3)
CALL(4)
CALL(5)
CALL(6)
CALL(7)
CALL(8)
CALL(9)
CALL(10)
CALL(11)
CALL(12)
CALL(13)

#define FAST(function) (PyCFunction)(void (*)(void)) function
#define ENTRY(op) {NULL, FAST(call_##op), METH_FASTCALL | METH_KEYWORDS, NULL}
static PyMethodDef entries[OPS] = {
    ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3),  ENTRY(4),  ENTRY(5),  ENTRY(6),
    ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12), ENTRY(13),
};

/* ---- setup ---- */

static int find_op(PyObject *name)
{
    for (int i = 0; PyUnicode_Check(name) && i < OPS; i++)
        if (PyUnicode_CompareWithASCIIString(name, op_names[i]) == 0)
            return i;
    PyErr_Format(PyExc_ValueError, "no such operation: %R", name);
    return -1;
}

/* The function of one row: (name, function in Python, signature and text).
 * The text stays as long as the process. */
static PyObject *set_op(PyObject *row, int at)
{
    PyObject *name, *python;
    const char *text;
    if (!PyArg_ParseTuple(row, "OOs", &name, &python, &text) || find_op(name) != at)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "another order");
    char *kept = PyMem_RawMalloc(strlen(text) + 1);
    if (kept == NULL)
        return PyErr_NoMemory();
    strcpy(kept, text);
    entries[at].ml_name = op_names[at];
    entries[at].ml_doc = kept;
    Py_XSETREF(ops[at].python, Py_NewRef(python));
    PyObject *home = PyUnicode_FromString("shimhub.accel");
    PyObject *made = home == NULL ? NULL : PyCFunction_NewEx(&entries[at], NULL, home);
    Py_XDECREF(home);
    return made;
}

static int keep(PyObject *owner, const char *name, PyObject **slot)
{
    PyObject *found = PyObject_GetAttrString(owner, name);
    Py_XSETREF(*slot, found);
    return found == NULL ? -1 : 0;
}

static int set_numpy(PyObject *numpy)
{
    PyObject *array = NULL;
    if (keep(numpy, "ndarray", &array) != 0 || keep(numpy, "asarray", &us.asarray) != 0 ||
        keep(numpy, "float64", &us.float64) != 0)
        return -1;
    us.array = (PyTypeObject *)array; /* for the life of the process */
    Py_XSETREF(us.tolist, PyUnicode_InternFromString("tolist"));
    Py_XSETREF(us.nothing, PyTuple_New(0));
    return us.tolist == NULL || us.nothing == NULL ? -1 : 0;
}

/* accel_setup(variable, process, find, numpy, rows) -> the functions. */
static PyObject *setup(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 5 || !PyContextVar_CheckExact(args[0]) ||
        !PyTuple_Check(args[4]) || PyTuple_GET_SIZE(args[4]) != OPS)
        return PyErr_Format(PyExc_TypeError, "accel_setup(variable, process, find, numpy, rows)");
    PyObject *made = set_numpy(args[3]) == 0 ? PyTuple_New(OPS) : NULL;
    if (made == NULL)
        return NULL;
    Py_XSETREF(us.variable, Py_NewRef(args[0]));
    Py_XSETREF(us.process, Py_NewRef(args[1]));
    Py_XSETREF(us.find, Py_NewRef(args[2]));
    for (int i = 0; i < OPS; i++) {
        PyObject *one = set_op(PyTuple_GET_ITEM(args[4], i), i);
        if (one == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyTuple_SET_ITEM(made, i, one);
    }
    return made;
}

/* accel_process(settings): what holds in contexts that set nothing. */
static PyObject *set_process(PyObject *module, PyObject *settings)
{
    (void)module;
    Py_XSETREF(us.process, Py_NewRef(settings));
    Py_RETURN_NONE;
}

/* accel_forget(): limits may have changed. */
static PyObject *forget_limits(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    forget();
    Py_RETURN_NONE;
}

/* accel_torch(torch, functions, own, states, levels): torch's functions by name, a dict that stays
 * theirs, and what shimhub_torch_setup takes. */
static PyObject *set_torch(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 5 || !PyDict_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "accel_torch(torch, functions, own, states, levels)");
    for (int i = 0; i < OPS; i++) {
        PyObject *function = PyDict_GetItemString(args[1], op_names[i]);
        if (function == NULL)
            return PyErr_Format(PyExc_KeyError, "%s", op_names[i]);
        Py_XSETREF(ops[i].torch, Py_NewRef(function));
    }
    if (shimhub_torch_setup(args[0], args[2], args[3], args[4]) != 0)
        return NULL;
    Py_XSETREF(us.torch, Py_NewRef(args[1]));
    Py_RETURN_NONE;
}

/* accel_to_python(name or None, bool): calls of an operation, or of all, are Python's. */
static PyObject *set_to_python(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 2)
        return PyErr_Format(PyExc_TypeError, "accel_to_python(name, bool)");
    int op = args[0] == Py_None ? OPS : find_op(args[0]);
    if (op < 0)
        return NULL;
    *(op == OPS ? &us.all_python : &ops[op].to_python) = args[1] == Py_True;
    Py_RETURN_NONE;
}

/* accel_no_torch(name, bool): arrays of an operation whose torch is Python's to ask. */
static PyObject *set_no_torch(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    int op = nargs == 2 ? find_op(args[0]) : OPS;
    if (op < 0 || op == OPS)
        return op < 0 ? NULL : PyErr_Format(PyExc_TypeError, "accel_no_torch(name, bool)");
    ops[op].no_torch = args[1] == Py_True;
    Py_RETURN_NONE;
}

/* accel_counts() -> for each operation the calls by native, numpy and torch that were counted
 * here, and those of numpy's that kernels were to compute. */
static PyObject *counts(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    PyObject *made = PyList_New(0);
    for (int i = 0; made != NULL && i < OPS; i++) {
        const unsigned long long *own = ops[i].counts;
        PyObject *row = Py_BuildValue("KKKK", own[NATIVE], own[NUMPY], own[TORCH],
                                      own[REFUSED]);
        if (row == NULL || PyList_Append(made, row) != 0)
            Py_CLEAR(made);
        Py_XDECREF(row);
    }
    return made;
}

/* accel_reset(): count from zero. */
static PyObject *reset(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    for (int i = 0; i < OPS; i++)
        memset(ops[i].counts, 0, sizeof ops[i].counts);
    Py_RETURN_NONE;
}

/* accel_kernel(name, forced, *args, **kwargs) -> (result, whether it was computed natively). */
static PyObject *kernel(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    (void)module;
    bool native = false;
    int op = nargs < 2 ? OPS : find_op(args[0]);
    if (op < 0 || op >= OPS)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "no kernel");
    PyObject *result = by_kernel(op, args[1] == Py_True, args + 2, nargs - 2, kwnames, &native);
    return result == NULL ? NULL : Py_BuildValue("NO", result, native ? Py_True : Py_False);
}

/* accel_serves(name, forced, *args, **kwargs): whether accel_kernel would compute it natively. */
static PyObject *serves(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    (void)module;
    int op = nargs < 2 ? OPS : find_op(args[0]);
    if (op < 0)
        return NULL;
    if (op >= OPS)
        return PyErr_Format(PyExc_TypeError, "no kernel");
    bool outside = shimhub_py_manner.forced;
    shimhub_py_manner.forced = args[1] == Py_True;
    bool served = shimhub_py_linalg_serves(op, args + 2, nargs - 2, kwnames);
    shimhub_py_manner.forced = outside;
    return PyBool_FromLong(served);
}

PyMethodDef shimhub_py_accel_methods[] = {
    {"accel_setup", FAST(setup), METH_FASTCALL, NULL},
    {"accel_limits", FAST(make_limits), METH_FASTCALL, NULL},
    {"accel_process", set_process, METH_O, NULL},
    {"accel_forget", forget_limits, METH_NOARGS, NULL},
    {"accel_torch", FAST(set_torch), METH_FASTCALL, NULL},
    {"accel_to_python", FAST(set_to_python), METH_FASTCALL, NULL},
    {"accel_no_torch", FAST(set_no_torch), METH_FASTCALL, NULL},
    {"accel_counts", counts, METH_NOARGS, NULL},
    {"accel_reset", reset, METH_NOARGS, NULL},
    {"accel_kernel", FAST(kernel), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"accel_serves", FAST(serves), METH_FASTCALL | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};
