/* The operations of shimhub.accel: who computes a call is found in C where nothing is to be decided.
 *
 * Exact arrays whose work is not above the limit go to our kernels, exact tensors to torch's own
 * function. All else, and what raises, goes to the Python function of the same name, which has the
 * whole rule. Counts need no lock: the GIL is held. */
#include "py_linalg.h"

#include <math.h>
#include <string.h>

enum { NATIVE, NUMPY, TORCH, REFUSED, COUNTS }; /* REFUSED: numpy, where kernels were to */

/* In the order of shimhub.accel.model.OPS, which setup checks. Those of linalg come first. */
enum { LOSSES = SHIMHUB_PY_FUNCTIONS, OPS = LOSSES + 2 };

static const char *const op_names[OPS] = {
    "matmul",  "linear", "add",  "sub",     "mul",        "div",      "relu",
    "sigmoid", "tanh",   "gelu", "softmax", "layer_norm", "mse_loss", "cross_entropy",
};

/* How many arguments an operation has; 0 where they differ. */
static const Py_ssize_t arguments[OPS] = {
    [SHIMHUB_PY_MATMUL] = 2,   [SHIMHUB_PY_ADD] = 2,    [SHIMHUB_PY_SUBTRACT] = 2,
    [SHIMHUB_PY_MULTIPLY] = 2, [SHIMHUB_PY_DIVIDE] = 2, [SHIMHUB_PY_RELU] = 1,
    [SHIMHUB_PY_SIGMOID] = 1,  [SHIMHUB_PY_TANH] = 1,
};

/* What a mode comes to. */
struct limits {
    double arrays[OPS][2]; /* work above which Python decides; by shimhub_float */
    bool tensors[OPS];     /* torch computes tensors of any size */
    bool lists[OPS];       /* torch computes no lists */
    bool forced;           /* our kernels compute at all sizes */
};

#define CAPSULE "shimhub.accel.limits"
#define KEPT 4 /* settings of contexts whose limits are at hand */

static struct {
    PyObject *variable, *process; /* the context variable; what holds where it is not set */
    PyObject *find;               /* find(settings) -> capsule */
    PyTypeObject *array, *tensor, *parameter;
    PyObject *asarray, *float64, *tolist;
    struct {
        PyObject *settings, *capsule;
        const struct limits *limits;
    } kept[KEPT];
    int oldest;
    bool all_python; /* decisions are told, which Python does */
} us;

static struct {
    PyObject *python;  /* the function that has the whole rule */
    PyObject *plain;   /* of a loss: the function in numpy */
    PyObject *torch;   /* NULL before the first tensor */
    bool to_python;    /* the kernel is another, or left alone after errors */
    unsigned long long counts[COUNTS];
} ops[OPS];

/* ---- limits ---- */

static void forget(void)
{
    for (int i = 0; i < KEPT; i++) {
        us.kept[i].limits = NULL;
        Py_CLEAR(us.kept[i].settings);
        Py_CLEAR(us.kept[i].capsule);
    }
}

static const struct limits *find_limits(PyObject *settings)
{
    PyObject *capsule = PyObject_CallOneArg(us.find, settings);
    if (capsule == NULL)
        return NULL;
    const struct limits *limits = PyCapsule_GetPointer(capsule, CAPSULE);
    if (limits == NULL) {
        Py_DECREF(capsule);
        return NULL;
    }
    int at = us.oldest;
    us.oldest = (at + 1) % KEPT;
    PyObject *old_settings = us.kept[at].settings, *old_capsule = us.kept[at].capsule;
    us.kept[at].settings = Py_NewRef(settings);
    us.kept[at].capsule = capsule;
    us.kept[at].limits = limits;
    Py_XDECREF(old_settings);
    Py_XDECREF(old_capsule);
    return limits;
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

/* accel_limits(sizes, tensors, lists, forced): two sizes for each operation, whether its tensors
 * are torch's, and whether its lists are not. */
static PyObject *make_limits(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 4 || !PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) != 2 * OPS ||
        !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) != OPS ||
        !PyTuple_Check(args[2]) || PyTuple_GET_SIZE(args[2]) != OPS)
        return PyErr_Format(PyExc_TypeError, "accel_limits(sizes, tensors, lists, forced)");
    struct limits *limits = PyMem_Calloc(1, sizeof *limits);
    if (limits == NULL)
        return PyErr_NoMemory();
    for (int i = 0; i < 2 * OPS; i++)
        limits->arrays[i / 2][i % 2] = PyFloat_AsDouble(PyTuple_GET_ITEM(args[0], i));
    for (int i = 0; i < OPS; i++) {
        limits->tensors[i] = PyTuple_GET_ITEM(args[1], i) == Py_True;
        limits->lists[i] = PyTuple_GET_ITEM(args[2], i) == Py_True;
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

static bool are_arrays(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    bool some = false;
    for (Py_ssize_t i = 0; i < nargs; i++)
        some = some || Py_TYPE(args[i]) == us.array;
    for (Py_ssize_t i = 0; i < nargs + named; i++)
        if (!is_plain(args[i]))
            return false;
    for (Py_ssize_t i = 0; i < named; i++) /* kernels have it, these functions have not */
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "out") == 0)
            return false;
    return some;
}

static double columns_of(const struct shimhub_array *b)
{
    return b->nd == 2 ? (double)b->shape[1] : 1;
}

/* The work of a call, in the unit of thresholds; -1 where it is Python's to tell. */
static double work_of(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                      shimhub_float *type)
{
    struct shimhub_array first, other;
    double most = 0;
    bool any = false;
    if (op <= SHIMHUB_PY_LINEAR) {
        if (nargs < 2 || kwnames != NULL || !shimhub_array_read(args[0], &first) ||
            !shimhub_array_read(args[1], &other) || first.type != other.type || other.nd > 2 ||
            other.nd < 1 || first.nd < 1 || (op == SHIMHUB_PY_MATMUL && first.nd > 2))
            return -1;
        *type = first.type;
        return (double)shimhub_array_count(&first) * columns_of(&other);
    }
    for (Py_ssize_t i = 0; i < nargs; i++) {
        if (Py_TYPE(args[i]) != us.array)
            continue;
        if (!shimhub_array_read(args[i], &first) || (any && first.type != *type))
            return -1;
        any = true;
        *type = first.type;
        double count = (double)shimhub_array_count(&first);
        most = count > most ? count : most;
    }
    return any && kwnames == NULL ? most : -1;
}

static bool is_within(const double *limits, int op, PyObject *const *args, Py_ssize_t nargs,
                      PyObject *kwnames)
{
    shimhub_float type;
    if (isinf(limits[0]) && isinf(limits[1]) && limits[0] > 0 && limits[1] > 0)
        return true; /* never torch: the work does not matter */
    double work = work_of(op, args, nargs, kwnames, &type);
    return work >= 0 && work <= limits[type];
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
    PyObject *result;
    bool native = false, forced = limits->forced;
    if (op < LOSSES)
        result = by_kernel(op, forced, args, nargs, kwnames, &native);
    else
        result = PyObject_Vectorcall(ops[op].plain, args, (size_t)nargs, kwnames);
    if (result == NULL)
        return NULL;
    ops[op].counts[native ? NATIVE : NUMPY]++;
    ops[op].counts[REFUSED] += forced && !native;
    return result;
}

/* ---- tensors ---- */

static bool is_tensor(PyObject *object)
{
    return Py_TYPE(object) == us.tensor || Py_TYPE(object) == us.parameter;
}

static bool are_tensors(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (arguments[op] > 0 && (nargs != arguments[op] || kwnames != NULL))
        return false; /* torch's function takes more than ours */
    for (Py_ssize_t i = 1; i < nargs + named; i++)
        if (!is_tensor(args[i]) && (Py_TYPE(args[i]) == us.array || !is_plain(args[i])))
            return false;
    return is_tensor(args[0]);
}

/* ---- lists ---- */

#define MOST 5 /* arguments of a call on lists */

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

/* By way of arrays of float64; those of a product are read by the kernel itself. */
static PyObject *lists(int op, bool forced, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *inputs[MOST], *result = NULL;
    bool native = false, whole = op == SHIMHUB_PY_MATMUL;
    Py_ssize_t made = 0;
    for (; made < nargs; made++) {
        PyObject *wanted[] = {args[made], us.float64};
        inputs[made] = whole || !is_list(args[made])
                           ? Py_NewRef(args[made])
                           : PyObject_Vectorcall(us.asarray, wanted, 2, NULL);
        if (inputs[made] == NULL)
            goto done;
    }
    result = by_kernel(op, forced, inputs, nargs, NULL, &native);
    if (result != NULL && !whole)
        Py_SETREF(result, PyObject_CallMethodNoArgs(result, us.tolist));
    if (result != NULL) {
        ops[op].counts[native ? NATIVE : NUMPY]++;
        ops[op].counts[REFUSED] += forced && !native;
    }
done:
    while (made > 0)
        Py_DECREF(inputs[--made]);
    return result;
}

/* ---- calls ---- */

/* The result, or NULL: with an exception, or without where Python is to decide. */
static PyObject *here(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs < 1 || us.all_python)
        return NULL;
    if (us.tensor != NULL && are_tensors(op, args, nargs, kwnames)) {
        const struct limits *limits = limits_here();
        if (limits == NULL || !limits->tensors[op])
            return NULL;
        PyObject *result = PyObject_Vectorcall(ops[op].torch, args, (size_t)nargs, kwnames);
        ops[op].counts[TORCH] += result != NULL;
        return result;
    }
    if (ops[op].to_python)
        return NULL;
    if (op < LOSSES && are_lists(args, nargs, kwnames)) {
        const struct limits *limits = limits_here();
        return limits != NULL && limits->lists[op] ? lists(op, limits->forced, args, nargs) : NULL;
    }
    if (!are_arrays(args, nargs, kwnames))
        return NULL;
    const struct limits *limits = limits_here();
    if (limits == NULL || !is_within(limits->arrays[op], op, args, nargs, kwnames))
        return NULL;
    return arrays(op, limits, args, nargs, kwnames);
}

static PyObject *call(int op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *result = here(op, args, nargs, kwnames);
    if (result != NULL)
        return result;
    if (PyErr_Occurred()) {
        /* Python computes it again: it knows whose mistake it is. */
        if (!PyErr_ExceptionMatches(PyExc_Exception))
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

/* The function of one row: (name, function in Python, function in numpy, signature and text).
 * The text stays as long as the process. */
static PyObject *set_op(PyObject *row, int at)
{
    PyObject *name, *python, *plain;
    const char *text;
    if (!PyArg_ParseTuple(row, "OOOs", &name, &python, &plain, &text) || find_op(name) != at)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "another order");
    char *kept = PyMem_RawMalloc(strlen(text) + 1);
    if (kept == NULL)
        return PyErr_NoMemory();
    strcpy(kept, text);
    entries[at].ml_name = op_names[at];
    entries[at].ml_doc = kept;
    Py_XSETREF(ops[at].python, Py_NewRef(python));
    Py_XSETREF(ops[at].plain, Py_NewRef(plain));
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
    return us.tolist == NULL ? -1 : 0;
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

/* accel_tensors(Tensor, Parameter, functions): torch's, in the order of the operations. */
static PyObject *set_tensors(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 3 || !PyType_Check(args[0]) || !PyType_Check(args[1]) ||
        !PyTuple_Check(args[2]) || PyTuple_GET_SIZE(args[2]) != OPS)
        return PyErr_Format(PyExc_TypeError, "accel_tensors(Tensor, Parameter, functions)");
    for (int i = 0; i < OPS; i++)
        Py_XSETREF(ops[i].torch, Py_NewRef(PyTuple_GET_ITEM(args[2], i)));
    Py_XSETREF(us.tensor, (PyTypeObject *)Py_NewRef(args[0]));
    Py_XSETREF(us.parameter, (PyTypeObject *)Py_NewRef(args[1]));
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
    if (op < 0 || op >= LOSSES)
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
    if (op >= LOSSES)
        Py_RETURN_FALSE;
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
    {"accel_tensors", FAST(set_tensors), METH_FASTCALL, NULL},
    {"accel_to_python", FAST(set_to_python), METH_FASTCALL, NULL},
    {"accel_counts", counts, METH_NOARGS, NULL},
    {"accel_reset", reset, METH_NOARGS, NULL},
    {"accel_kernel", FAST(kernel), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"accel_serves", FAST(serves), METH_FASTCALL | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};
