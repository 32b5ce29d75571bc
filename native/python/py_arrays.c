/* Reads NumPy's arrays.
 *
 * The fast way is the head of the array object, whose fields up to `flags` NumPy documents and keeps
 * (https://numpy.org/doc/stable/reference/c-api/types-and-structures.html#c.PyArrayObject; code that
 * was compiled for NumPy 1.x reads them inline in 2.x). PyObject_GetBuffer tells the same for 150 ns
 * more an array, where a whole 2 x 2 product of NumPy's takes 1300 ns. At the start some arrays are
 * read both ways; if anything differs, the buffer protocol it is. */
#include "py_arrays.h"

#include <string.h>

struct head {
    PyObject_HEAD
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
};

#define ALIGNED 0x0100  /* NPY_ARRAY_ALIGNED */
#define WRITABLE 0x0400 /* NPY_ARRAY_WRITEABLE */

static struct {
    PyTypeObject *ndarray;
    PyObject *empty, *dtypes[2], *integers[2]; /* by shimhub_float, by shimhub_integer */
    bool by_head;
} np;

Py_ssize_t shimhub_float_size(shimhub_float type)
{
    return type == SHIMHUB_FLOAT32 ? (Py_ssize_t)sizeof(float) : (Py_ssize_t)sizeof(double);
}

static bool set_layout(struct shimhub_array *array, int nd, const Py_ssize_t *shape,
                       const Py_ssize_t *strides)
{
    const int bits = array->type == SHIMHUB_FLOAT32 ? 2 : 3; /* of an element's size */
    size_t all = 0;
    if (nd > SHIMHUB_DIMENSIONS)
        return false;
    array->nd = nd;
    for (int i = 0; i < nd; i++) {
        array->shape[i] = shape[i];
        array->strides[i] = strides[i] >> bits; /* keeps the sign, as all our compilers have it */
        all |= (size_t)strides[i];
    }
    return (all & (((size_t)1 << bits) - 1)) == 0;
}

/* Which of two dtypes it is, or -1. Numpy has one dtype object for float32, but unpickled arrays and
 * those with metadata have their own; these are equal to it. */
static int find_dtype(PyObject *descr, PyObject *const *dtypes)
{
    for (int i = 0; i < 2; i++)
        if (descr == dtypes[i])
            return i;
    for (int i = 0; i < 2; i++) {
        int equal = PyObject_RichCompareBool(descr, dtypes[i], Py_EQ);
        if (equal < 0)
            PyErr_Clear(); /* a dtype that cannot be compared is none of ours */
        if (equal > 0)
            return i;
    }
    return -1;
}

static bool find_type(PyObject *descr, shimhub_float *type)
{
    int found = find_dtype(descr, np.dtypes);
    *type = (shimhub_float)(found > 0);
    return found >= 0;
}

static bool read_head(PyObject *object, struct shimhub_array *array)
{
    const struct head *head = (const struct head *)object;
    if (!(head->flags & ALIGNED) || !find_type(head->descr, &array->type))
        return false;
    array->data = head->data;
    array->writable = head->flags & WRITABLE;
    return set_layout(array, head->nd, head->dimensions, head->strides);
}

static bool read_buffer(PyObject *object, struct shimhub_array *array)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0) {
        PyErr_Clear(); /* of dates, for example */
        return false;
    }
    bool known = strcmp(view.format, "f") == 0 || strcmp(view.format, "d") == 0;
    if (known) {
        array->type = view.format[0] == 'f' ? SHIMHUB_FLOAT32 : SHIMHUB_FLOAT64;
        array->data = view.buf;
        array->writable = !view.readonly;
        known = (uintptr_t)view.buf % (uintptr_t)view.itemsize == 0 &&
                set_layout(array, view.ndim, view.shape, view.strides);
    }
    PyBuffer_Release(&view); /* the array keeps its memory */
    return known;
}

bool shimhub_array_read(PyObject *object, struct shimhub_array *array)
{
    if (Py_TYPE(object) != np.ndarray)
        return false;
    return np.by_head ? read_head(object, array) : read_buffer(object, array);
}

static void set_size(struct shimhub_size *size, shimhub_float type, int nd,
                     const Py_ssize_t *shape)
{
    size->type = type;
    size->nd = nd;
    size->count = 1;
    size->first = nd > 0 ? shape[0] : 1;
    size->last = nd > 0 ? shape[nd - 1] : 1;
    for (int i = 0; i < nd; i++)
        size->count *= shape[i];
}

bool shimhub_array_size(PyObject *object, struct shimhub_size *size)
{
    if (Py_TYPE(object) != np.ndarray)
        return false;
    if (np.by_head) {
        const struct head *head = (const struct head *)object;
        if (!(head->flags & ALIGNED) || head->nd > SHIMHUB_DIMENSIONS ||
            !find_type(head->descr, &size->type))
            return false;
        set_size(size, size->type, head->nd, head->dimensions);
        return true;
    }
    struct shimhub_array array;
    if (!read_buffer(object, &array))
        return false;
    set_size(size, array.type, array.nd, array.shape);
    return true;
}

static bool set_classes(struct shimhub_classes *classes, int kind, int nd, const Py_ssize_t *shape,
                        const Py_ssize_t *strides)
{
    if (kind < 0 || nd > 1)
        return false;
    classes->kind = (shimhub_integer)kind;
    classes->nd = nd;
    classes->count = nd == 1 ? shape[0] : 1;
    return classes->count <= 1 || strides[0] == (kind == SHIMHUB_INT32 ? 4 : 8);
}

static bool read_classes_head(PyObject *object, struct shimhub_classes *classes)
{
    const struct head *head = (const struct head *)object;
    classes->data = head->data;
    return head->flags & ALIGNED &&
           set_classes(classes, find_dtype(head->descr, np.integers), head->nd, head->dimensions,
                       head->strides);
}

/* Of the types of C that have these sizes. */
static int kind_of(const Py_buffer *view)
{
    if (strlen(view->format) != 1 || strchr("ilq", view->format[0]) == NULL)
        return -1;
    return view->itemsize == 4 ? SHIMHUB_INT32 : view->itemsize == 8 ? SHIMHUB_INT64 : -1;
}

static bool read_classes_buffer(PyObject *object, struct shimhub_classes *classes)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0) {
        PyErr_Clear();
        return false;
    }
    classes->data = view.buf;
    bool known = set_classes(classes, kind_of(&view), view.ndim, view.shape, view.strides) &&
                 (uintptr_t)view.buf % (uintptr_t)view.itemsize == 0;
    PyBuffer_Release(&view);
    return known;
}

bool shimhub_classes_read(PyObject *object, struct shimhub_classes *classes)
{
    if (Py_TYPE(object) != np.ndarray)
        return false;
    return np.by_head ? read_classes_head(object, classes) : read_classes_buffer(object, classes);
}

PyObject *shimhub_array_new(shimhub_float type, int nd, const Py_ssize_t *shape,
                            struct shimhub_array *array)
{
    PyObject *sizes = PyTuple_New(nd), *made = NULL;
    if (sizes == NULL)
        return NULL;
    for (int i = 0; i < nd; i++) {
        PyObject *size = PyLong_FromSsize_t(shape[i]);
        if (size == NULL)
            goto done;
        PyTuple_SET_ITEM(sizes, i, size);
    }
    PyObject *arguments[] = {sizes, np.dtypes[type]};
    made = PyObject_Vectorcall(np.empty, arguments, 2, NULL);
    if (made != NULL && !shimhub_array_read(made, array)) {
        Py_CLEAR(made);
        PyErr_SetString(PyExc_SystemError, "numpy.empty made an array of another kind");
    }
done:
    Py_DECREF(sizes);
    return made;
}

bool shimhub_array_is_contiguous(const struct shimhub_array *array)
{
    Py_ssize_t expected = 1;
    for (int i = array->nd - 1; i >= 0; i--) {
        if (array->shape[i] == 0)
            return true;
        if (array->shape[i] != 1 && array->strides[i] != expected)
            return false;
        expected *= array->shape[i];
    }
    return true;
}

Py_ssize_t shimhub_array_count(const struct shimhub_array *array)
{
    Py_ssize_t count = 1;
    for (int i = 0; i < array->nd; i++)
        count *= array->shape[i];
    return count;
}

static void reach(const struct shimhub_array *array, uintptr_t *first, uintptr_t *end)
{
    Py_ssize_t size = shimhub_float_size(array->type), low = 0, high = 1;
    for (int i = 0; i < array->nd; i++) {
        Py_ssize_t last = (array->shape[i] - 1) * array->strides[i];
        if (array->shape[i] == 0) {
            *first = *end = (uintptr_t)array->data;
            return;
        }
        *(last < 0 ? &low : &high) += last;
    }
    *first = (uintptr_t)array->data - (uintptr_t)(-low * size);
    *end = (uintptr_t)array->data + (uintptr_t)(high * size);
}

bool shimhub_arrays_overlap(const struct shimhub_array *a, const struct shimhub_array *b)
{
    uintptr_t a_first, a_end, b_first, b_end;
    reach(a, &a_first, &a_end);
    reach(b, &b_first, &b_end);
    return a_first < b_end && b_first < a_end;
}

static bool equal(const struct shimhub_array *a, const struct shimhub_array *b)
{
    if (a->data != b->data || a->type != b->type || a->nd != b->nd || a->writable != b->writable)
        return false;
    for (int i = 0; i < a->nd; i++)
        if (a->shape[i] != b->shape[i] || a->strides[i] != b->strides[i])
            return false;
    return true;
}

bool shimhub_array_is_unchanged(PyObject *object, const struct shimhub_array *array)
{
    struct shimhub_array now;
    return shimhub_array_read(object, &now) && equal(&now, array);
}

bool shimhub_arrays_by_head(void)
{
    return np.by_head;
}

static bool classes_agree(PyObject *sample)
{
    struct shimhub_classes head, buffer;
    bool from_head = read_classes_head(sample, &head);
    return from_head == read_classes_buffer(sample, &buffer) &&
           (!from_head || (head.data == buffer.data && head.kind == buffer.kind &&
                           head.nd == buffer.nd && head.count == buffer.count));
}

/* Whether both ways to read the sample agree. */
static bool agree(PyObject *sample)
{
    struct shimhub_array head, buffer;
    if (Py_TYPE(sample) != np.ndarray ||
        (size_t)np.ndarray->tp_basicsize < sizeof(struct head))
        return false;
    bool from_head = read_head(sample, &head), from_buffer = read_buffer(sample, &buffer);
    return from_head == from_buffer && (!from_head || equal(&head, &buffer)) &&
           classes_agree(sample);
}

/* Arrays of several dtypes, shapes, strides and flags. The list is made by the caller, in Python. */
static int check_samples(PyObject *samples)
{
    PyObject *list = PySequence_Fast(samples, "samples must be a sequence");
    if (list == NULL)
        return -1;
    np.by_head = PySequence_Fast_GET_SIZE(list) > 0;
    for (Py_ssize_t i = 0; np.by_head && i < PySequence_Fast_GET_SIZE(list); i++)
        np.by_head = agree(PySequence_Fast_GET_ITEM(list, i));
    Py_DECREF(list);
    return 0;
}

int shimhub_arrays_setup(PyObject *numpy, PyObject *samples)
{
    enum { NAMES = 6 };
    PyObject *found[NAMES];
    const char *names[NAMES] = {"ndarray", "empty", "float32", "float64", "int32", "int64"};
    PyObject *dtype = PyObject_GetAttrString(numpy, "dtype");
    int status = dtype == NULL ? -1 : 0;
    for (int i = 0; status == 0 && i < NAMES; i++) {
        found[i] = PyObject_GetAttrString(numpy, names[i]);
        if (found[i] != NULL && i >= 2)
            Py_SETREF(found[i], PyObject_CallOneArg(dtype, found[i]));
        if (found[i] == NULL) {
            while (i > 0)
                Py_DECREF(found[--i]);
            status = -1;
            break;
        }
    }
    Py_XDECREF(dtype);
    if (status != 0)
        return status;
    /* Kept for ever: arrays may come from any thread until the process ends. */
    np.ndarray = (PyTypeObject *)found[0];
    np.empty = found[1];
    np.dtypes[SHIMHUB_FLOAT32] = found[2];
    np.dtypes[SHIMHUB_FLOAT64] = found[3];
    np.integers[SHIMHUB_INT32] = found[4];
    np.integers[SHIMHUB_INT64] = found[5];
    return check_samples(samples);
}
