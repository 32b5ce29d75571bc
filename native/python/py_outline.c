/* How many dimensions and elements a tensor has, by torch's stable C interface: 20 ns, where all
 * that DLPack tells takes 130 and computing one of 2 x 2 2000.
 *
 * Its functions (torch/csrc/inductor/aoti_torch/c/shim.h, in torch from 2.1 on) take a pointer to a
 * C++ tensor. Objects of Python have one inside, a pointer to what the attribute `_cdata` tells:
 * where is found at the start, and all of it is checked on samples. If anything differs, or a
 * function is missing, DLPack it is. */
#include "py_outline.h"

#include <string.h>

typedef int32_t (*get_long)(void *tensor, int64_t *answer);
typedef int32_t (*get_int)(void *tensor, int32_t *answer);

static struct {
    size_t at; /* bytes from the object's start to the tensor; 0 where that is not known */
    get_long dimensions, count;
    get_int dtype;
    int32_t dtypes[2]; /* by shimhub_float */
} us;

static bool get(void *tensor, struct shimhub_outline *outline)
{
    int32_t dtype;
    if (us.dtype(tensor, &dtype) != 0 ||
        us.dimensions(tensor, &outline->nd) != 0 || us.count(tensor, &outline->count) != 0)
        return false;
    outline->type = dtype == us.dtypes[SHIMHUB_FLOAT32]   ? SHIMHUB_FLOAT32
                    : dtype == us.dtypes[SHIMHUB_FLOAT64] ? SHIMHUB_FLOAT64
                                                          : SHIMHUB_TENSOR_OTHER;
    return true;
}

/* The C++ tensor, NULL where only DLPack tells what it is. */
static void *find_tensor(const struct shimhub_reads *reads, Py_ssize_t at, PyObject *argument)
{
    void *inside;
    if (us.at == 0 || reads->states[at] != SHIMHUB_UNREAD || !shimhub_torch_is_tensor(argument))
        return NULL;
    memcpy(&inside, (char *)argument + us.at, sizeof inside);
    return inside == NULL ? NULL : (char *)argument + us.at;
}

bool shimhub_outline_of(struct shimhub_reads *reads, Py_ssize_t at, PyObject *argument,
                        struct shimhub_outline *outline)
{
    void *inside = find_tensor(reads, at, argument);
    if (inside != NULL)
        return get(inside, outline);
    const struct shimhub_tensor *tensor = shimhub_tensor_of(reads, at, argument);
    if (tensor == NULL)
        return false;
    outline->type = tensor->type > SHIMHUB_FLOAT64 ? SHIMHUB_TENSOR_OTHER : tensor->type;
    outline->nd = tensor->nd;
    outline->count = shimhub_tensor_count(tensor);
    return true;
}

bool shimhub_elements_of(struct shimhub_reads *reads, Py_ssize_t at, PyObject *argument,
                         int64_t *count)
{
    void *inside = find_tensor(reads, at, argument);
    if (inside != NULL)
        return us.count(inside, count) == 0;
    const struct shimhub_tensor *tensor = shimhub_tensor_of(reads, at, argument);
    if (tensor != NULL)
        *count = shimhub_tensor_count(tensor);
    return tensor != NULL;
}

/* ---- setup ---- */

/* A sample: (tensor, what it has inside as a number, dimensions, elements, type). */
struct sample {
    PyObject *tensor;
    void *inside;
    struct shimhub_outline told;
};

static int read_sample(PyObject *row, struct sample *sample)
{
    PyObject *inside;
    long long nd, count;
    if (!PyArg_ParseTuple(row, "OOLLi", &sample->tensor, &inside, &nd, &count,
                          &sample->told.type))
        return -1;
    sample->told.nd = nd;
    sample->told.count = count;
    sample->inside = PyLong_AsVoidPtr(inside);
    return sample->inside == NULL && PyErr_Occurred() ? -1 : 0;
}

/* Where the tensor is inside the object; older ones have a flag before it. 0 if it is at neither. */
static size_t place_of(const struct sample *sample)
{
    for (size_t at = sizeof(PyObject); at <= sizeof(PyObject) + sizeof(void *);
         at += sizeof(void *))
        if ((size_t)Py_TYPE(sample->tensor)->tp_basicsize >= at + sizeof(void *) &&
            memcmp((char *)sample->tensor + at, &sample->inside, sizeof(void *)) == 0)
            return at;
    return 0;
}

static bool agrees(const struct sample *sample)
{
    struct shimhub_outline found;
    return place_of(sample) == us.at && get((char *)sample->tensor + us.at, &found) &&
           found.nd == sample->told.nd && found.count == sample->told.count &&
           found.type == sample->told.type;
}

/* The first samples are of float32 and float64: they tell torch's numbers for these. */
static int check(PyObject *samples)
{
    struct sample sample;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(samples); i++) {
        if (read_sample(PyTuple_GET_ITEM(samples, i), &sample) != 0) {
            us.at = 0;
            return -1;
        }
        if (i == 0)
            us.at = place_of(&sample);
        char *tensor = (char *)sample.tensor + us.at;
        if (us.at > 0 && i < 2 && us.dtype(tensor, &us.dtypes[i]) != 0)
            us.at = 0;
        if (us.at == 0 || !agrees(&sample)) {
            us.at = 0;
            return 0;
        }
    }
    return 0;
}

static uintptr_t address_of(PyObject *functions, Py_ssize_t at)
{
    return (uintptr_t)PyLong_AsVoidPtr(PyTuple_GET_ITEM(functions, at));
}

/* accel_outline(functions, samples) -> whether outlines are read by these functions: the addresses
 * of aoti_torch_get_dim, _numel and _dtype; not by any, where there are none. */
static PyObject *set_outline(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 2 || !PyTuple_Check(args[0]) || !PyTuple_Check(args[1]) ||
        (PyTuple_GET_SIZE(args[0]) != 3 && PyTuple_GET_SIZE(args[0]) != 0))
        return PyErr_Format(PyExc_TypeError, "accel_outline(functions, samples)");
    us.at = 0;
    if (PyTuple_GET_SIZE(args[0]) == 0 || PyTuple_GET_SIZE(args[1]) < 2)
        Py_RETURN_FALSE;
    us.dimensions = (get_long)address_of(args[0], 0);
    us.count = (get_long)address_of(args[0], 1);
    us.dtype = (get_int)address_of(args[0], 2);
    if (PyErr_Occurred())
        return NULL;
    if (us.dimensions == NULL || us.count == NULL || us.dtype == NULL)
        Py_RETURN_FALSE;
    return check(args[1]) != 0 ? NULL : PyBool_FromLong(us.at > 0);
}

PyMethodDef shimhub_py_outline_methods[] = {
    {"accel_outline", (PyCFunction)(void (*)(void))set_outline, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
