/* Python's objects for packing: lengths from a list, bins as lists, and token rows from lists.
 *
 * Exact ints are read where they lie. Anything else goes through __index__, which may run any Python
 * code, as may the garbage collector where objects are made: sizes are compared again after that. */
#include "py.h"

#include <stdbool.h>
#include <string.h>

/* Of an exact int: false if it needs more than a machine word's half, and goes the slow way. */
static inline bool small_value(PyObject *number, int64_t *value)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)number))
        return false;
    *value = PyUnstable_Long_CompactValue((PyLongObject *)number);
#else
    Py_ssize_t size = Py_SIZE(number);
    if (size < -1 || size > 1)
        return false;
    *value = (int64_t)size * ((PyLongObject *)number)->ob_digit[0];
#endif
    return true;
}

/* Of an exact int: false if it does not fit. Runs no Python. */
static inline bool exact_value(PyObject *number, int64_t *value)
{
    int overflow = 0;
    if (small_value(number, value))
        return true;
    *value = PyLong_AsLongLongAndOverflow(number, &overflow);
    return overflow == 0;
}

static bool is_plain_error(PyObject *type)
{
    return type == PyExc_TypeError || type == PyExc_OverflowError || type == PyExc_ValueError;
}

/* Puts "name[row][item]: " before the message of one of CPython's own errors; what somebody's
 * __index__ raised besides them stays as it is. */
static int fail_at(const char *name, Py_ssize_t row, Py_ssize_t item)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (!is_plain_error(type)) {
        PyErr_Restore(type, value, trace);
        return -1;
    }
    PyErr_NormalizeException(&type, &value, &trace);
    if (item < 0)
        PyErr_Format(type, "%s[%zd]: %S", name, row, value);
    else
        PyErr_Format(type, "%s[%zd][%zd]: %S", name, row, item, value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return -1;
}

/* Any integer by __index__; -1 and an error otherwise. */
static int any_value(PyObject *object, int64_t *value)
{
    PyObject *number = PyNumber_Index(object);
    if (number == NULL)
        return -1;
    int overflow = 0;
    *value = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (overflow != 0)
        PyErr_SetString(PyExc_OverflowError, "the value does not fit int64");
    return overflow != 0 ? -1 : 0;
}

static int length_value(PyObject *object, int64_t *value)
{
    if (PyLong_CheckExact(object) && exact_value(object, value))
        return 0;
    if (PyBool_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "a bool is no length");
        return -1;
    }
    Py_INCREF(object);
    int status = any_value(object, value);
    Py_DECREF(object);
    return status;
}

/* A bytearray of so many int64; NULL and a MemoryError that says "text". One that CPython itself
 * makes of that size complains of exported buffers where there is no memory. */
static PyObject *new_numbers(Py_ssize_t count, const char *text)
{
    PyObject *made = PyByteArray_FromStringAndSize(NULL, 0);
    if (made == NULL)
        return NULL;
    if (count <= PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(int64_t) - 1 &&
        PyByteArray_Resize(made, count * (Py_ssize_t)sizeof(int64_t)) == 0)
        return made;
    Py_DECREF(made);
    PyErr_SetString(PyExc_MemoryError, text);
    return NULL;
}

/* pack_lengths(list or tuple) -> bytearray of int64 */
static PyObject *pack_lengths(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (count != 1 || !(PyList_Check(args[0]) || PyTuple_Check(args[0]))) {
        PyErr_SetString(PyExc_TypeError, "pack_lengths(list or tuple)");
        return NULL;
    }
    Py_ssize_t items = PySequence_Fast_GET_SIZE(args[0]);
    PyObject *found = new_numbers(items, "lengths: no memory for so many");
    if (found == NULL)
        return NULL;
    char *to = PyByteArray_AS_STRING(found);
    for (Py_ssize_t i = 0; i < items; i++) {
        int64_t value = 0;
        if (i >= PySequence_Fast_GET_SIZE(args[0])) {
            PyErr_SetString(PyExc_RuntimeError, "lengths: the list shrank while it was read");
            goto fail;
        }
        if (length_value(PySequence_Fast_GET_ITEM(args[0], i), &value) < 0) {
            fail_at("lengths", i, -1);
            goto fail;
        }
        memcpy(to + i * (Py_ssize_t)sizeof value, &value, sizeof value);
    }
    return found;
fail:
    Py_DECREF(found);
    return NULL;
}

/* One bin: numbers, or what `names` has at their places. */
static PyObject *bin_list(const uint32_t *items, Py_ssize_t count, PyObject *names)
{
    PyObject *bin = PyList_New(count);
    for (Py_ssize_t i = 0; bin != NULL && i < count; i++) {
        PyObject *item = NULL;
        if (names == NULL)
            item = PyLong_FromUnsignedLong(items[i]);
        else if (items[i] < PyTuple_GET_SIZE(names))
            item = Py_NewRef(PyTuple_GET_ITEM(names, items[i]));
        else
            PyErr_Format(PyExc_IndexError, "ids: no item %lu, they are only %zd",
                         (unsigned long)items[i], PyTuple_GET_SIZE(names));
        if (item == NULL)
            Py_CLEAR(bin);
        else
            PyList_SET_ITEM(bin, i, item);
    }
    return bin;
}

static PyObject *bin_lists(const Py_buffer *offsets, const Py_buffer *items, PyObject *names)
{
    const int64_t *bounds = offsets->buf;
    Py_ssize_t bins = offsets->len / (Py_ssize_t)sizeof *bounds - 1;
    int64_t end = items->len / (Py_ssize_t)sizeof(uint32_t);
    PyObject *lists = bins < 0 ? NULL : PyList_New(bins);
    if (lists != NULL)
        PyObject_GC_UnTrack(lists); /* until it is full */
    for (Py_ssize_t i = 0; lists != NULL && i < bins; i++) {
        int64_t from = bounds[i], to = bounds[i + 1];
        PyObject *bin = NULL;
        if (from < 0 || to < from || to > end)
            PyErr_Format(PyExc_ValueError, "offsets of bin %zd are not within the items", i);
        else
            bin = bin_list((const uint32_t *)items->buf + from, (Py_ssize_t)(to - from), names);
        if (bin == NULL)
            Py_CLEAR(lists);
        else
            PyList_SET_ITEM(lists, i, bin);
    }
    if (lists != NULL)
        PyObject_GC_Track(lists);
    else if (bins < 0)
        PyErr_SetString(PyExc_ValueError, "offsets are empty");
    return lists;
}

static bool is_buffer_of(const Py_buffer *view, Py_ssize_t width)
{
    return view->itemsize == width && (uintptr_t)view->buf % (uintptr_t)width == 0;
}

/* pack_tolist(offsets: int64 buffer, items: uint32 buffer, ids: tuple or None) -> list of lists */
static PyObject *pack_tolist(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    Py_buffer offsets, items;
    if (count != 3 || !(args[2] == Py_None || PyTuple_Check(args[2]))) {
        PyErr_SetString(PyExc_TypeError, "pack_tolist(offsets, items, tuple or None)");
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &offsets, PyBUF_ND) < 0)
        return NULL;
    if (PyObject_GetBuffer(args[1], &items, PyBUF_ND) < 0) {
        PyBuffer_Release(&offsets);
        return NULL;
    }
    PyObject *lists = NULL;
    if (is_buffer_of(&offsets, 8) && is_buffer_of(&items, 4))
        lists = bin_lists(&offsets, &items, args[2] == Py_None ? NULL : args[2]);
    else
        PyErr_SetString(PyExc_TypeError, "offsets must be int64 and items uint32");
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&items);
    return lists;
}

/* What becomes one of the three outputs. */
struct field {
    const char *name;
    PyObject **rows; /* lists and tuples, ours; NULL: as the field before, or ones */
    int64_t tail[2]; /* put behind each sequence, if has_tail */
    int64_t pad;
    int64_t *numbers;      /* of the output, or */
    PyObject *lists;       /* its rows */
    PyObject *objects[4];  /* tail, pad and 1 as objects */
    PyObject *array;       /* owns numbers */
};

enum { FIELDS = 3 };

struct rows {
    struct field fields[FIELDS];
    Py_ssize_t count;
    Py_ssize_t *lengths;
    int64_t max_length;
    bool has_tail;
    Py_ssize_t bins;
};

/* The row itself if it is a list or tuple, else a list of it: quickly if it knows how. */
static PyObject *take_row(PyObject *object)
{
    if (PyList_Check(object) || PyTuple_Check(object))
        return Py_NewRef(object);
    if (!PyType_Check(object) && PyObject_HasAttrString(object, "tolist")) {
        PyObject *list = PyObject_CallMethod(object, "tolist", NULL);
        if (list == NULL || PyList_Check(list))
            return list;
        Py_DECREF(list);
    }
    return PySequence_Fast(object, "expected a sequence of integers");
}

static int take_rows(struct rows *rows, struct field *field, PyObject *sequence)
{
    PyObject *all = PySequence_Tuple(sequence); /* nobody else can change it */
    if (all == NULL)
        return -1;
    int status = -1;
    if (rows->count < 0)
        rows->count = PyTuple_GET_SIZE(all);
    if (PyTuple_GET_SIZE(all) != rows->count) {
        PyErr_Format(PyExc_ValueError, "%s: %zd sequences, but %s has %zd", field->name,
                     PyTuple_GET_SIZE(all), rows->fields[0].name, rows->count);
        goto done;
    }
    field->rows = PyMem_Calloc((size_t)rows->count + 1, sizeof *field->rows);
    if (field->rows == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < rows->count; i++) {
        field->rows[i] = take_row(PyTuple_GET_ITEM(all, i));
        if (field->rows[i] == NULL) {
            fail_at(field->name, i, -1);
            goto done;
        }
    }
    status = 0;
done:
    Py_DECREF(all);
    return status;
}

/* Lengths of all rows, and how many bins they take. */
static int plan(struct rows *rows)
{
    const struct field *first = &rows->fields[0];
    int64_t used = 0, room = rows->max_length - (rows->has_tail ? 2 : 0);
    rows->lengths = PyMem_Calloc((size_t)rows->count + 1, sizeof *rows->lengths);
    if (rows->lengths == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < rows->count; i++) {
        Py_ssize_t length = rows->lengths[i] = PySequence_Fast_GET_SIZE(first->rows[i]);
        for (int f = 1; f < FIELDS; f++) {
            const struct field *field = &rows->fields[f];
            if (field->rows && PySequence_Fast_GET_SIZE(field->rows[i]) != length) {
                PyErr_Format(PyExc_ValueError, "%s[%zd]: %zd items, but %s[%zd] has %zd",
                             field->name, i, PySequence_Fast_GET_SIZE(field->rows[i]),
                             first->name, i, length);
                return -1;
            }
        }
        if (length > room) {
            PyErr_Format(PyExc_ValueError, "%s[%zd]: %zd items%s do not fit max_length %lld",
                         first->name, i, length, rows->has_tail ? " with eos and pad" : "",
                         (long long)rows->max_length);
            return -1;
        }
        int64_t need = length + (rows->max_length - room);
        if (need > 0 && (rows->bins == 0 || need > rows->max_length - used)) {
            rows->bins++;
            used = 0;
        }
        used += need;
    }
    return 0;
}

static const char no_memory[] = "max_length: no memory for rows of so many tokens";

static int make_array(struct rows *rows, struct field *field)
{
    bool fits = rows->bins == 0 || rows->max_length <= PY_SSIZE_T_MAX / rows->bins;
    field->array = new_numbers(fits ? rows->bins * (Py_ssize_t)rows->max_length : PY_SSIZE_T_MAX,
                               no_memory);
    if (field->array == NULL)
        return -1;
    field->numbers = (int64_t *)(void *)PyByteArray_AS_STRING(field->array);
    return 0;
}

/* Rows are not known to the garbage collector, nor so to anybody else, until they are full. */
static int make_lists(struct rows *rows, struct field *field)
{
    int64_t numbers[4] = {field->tail[0], field->tail[1], field->pad, 1};
    for (int i = 0; i < 4; i++) {
        field->objects[i] = PyLong_FromLongLong(numbers[i]);
        if (field->objects[i] == NULL)
            return -1;
    }
    field->lists = PyList_New(rows->bins);
    if (field->lists == NULL)
        return -1;
    PyObject_GC_UnTrack(field->lists);
    for (Py_ssize_t i = 0; i < rows->bins; i++) {
        PyObject *list = PyList_New((Py_ssize_t)rows->max_length);
        if (list == NULL) {
            PyErr_SetString(PyExc_MemoryError, no_memory);
            return -1;
        }
        PyObject_GC_UnTrack(list);
        PyList_SET_ITEM(field->lists, i, list);
    }
    return 0;
}

static PyObject *give_lists(struct rows *rows, struct field *field)
{
    PyObject *lists = field->lists;
    for (Py_ssize_t i = 0; i < rows->bins; i++)
        PyObject_GC_Track(PyList_GET_ITEM(lists, i));
    PyObject_GC_Track(lists);
    field->lists = NULL;
    return lists;
}

/* A row of anything but exact ints that fit, as a tuple of those. */
static int convert(const struct rows *rows, struct field *field, Py_ssize_t row)
{
    PyObject *from = field->rows[row], *made = PyTuple_New(rows->lengths[row]);
    if (made != NULL)
        PyObject_GC_UnTrack(made); /* for good: it will hold ints alone */
    for (Py_ssize_t i = 0; made != NULL && i < rows->lengths[row]; i++) {
        int64_t value;
        if (i >= PySequence_Fast_GET_SIZE(from))
            break; /* found by the caller */
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(from, i)), *number = NULL;
        if (any_value(item, &value) < 0)
            fail_at(field->name, row, i);
        else
            number = PyLong_FromLongLong(value);
        Py_DECREF(item);
        if (number == NULL)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, i, number);
    }
    if (made == NULL)
        return -1;
    if (PySequence_Fast_GET_SIZE(from) != rows->lengths[row]) {
        PyErr_Format(PyExc_RuntimeError, "%s[%zd] changed its size while it was read",
                     field->name, row);
        Py_DECREF(made);
        return -1;
    }
    field->rows[row] = made;
    Py_DECREF(from);
    return 0;
}

/* Gets the items of a row, which are NULL for an empty list; -1 and an error if it has no more the
 * length of the plan. */
static int get_items(const struct rows *rows, struct field *field, Py_ssize_t row,
                     PyObject ***items)
{
    if (PySequence_Fast_GET_SIZE(field->rows[row]) != rows->lengths[row]) {
        PyErr_Format(PyExc_RuntimeError, "%s[%zd] changed its size while it was read",
                     field->name, row);
        return -1;
    }
    *items = PySequence_Fast_ITEMS(field->rows[row]);
    return 0;
}

static bool row_numbers(PyObject **items, Py_ssize_t count, int64_t *to)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyLong_CheckExact(items[i]) || !exact_value(items[i], &to[i]))
            return false;
    }
    return true;
}

static int write_numbers(struct rows *rows, struct field *field, Py_ssize_t row, int64_t *to)
{
    PyObject **items;
    do {
        if (get_items(rows, field, row, &items) < 0)
            return -1;
        if (row_numbers(items, rows->lengths[row], to))
            return 0;
    } while (convert(rows, field, row) == 0);
    return -1;
}

static bool row_is_plain(PyObject **items, Py_ssize_t count)
{
    int64_t value;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyLong_CheckExact(items[i]) || !exact_value(items[i], &value))
            return false;
    }
    return true;
}

static int write_objects(struct rows *rows, struct field *field, Py_ssize_t row, PyObject **to)
{
    PyObject **items;
    do {
        if (get_items(rows, field, row, &items) < 0)
            return -1;
        if (row_is_plain(items, rows->lengths[row])) {
            for (Py_ssize_t i = 0; i < rows->lengths[row]; i++)
                to[i] = Py_NewRef(items[i]);
            return 0;
        }
    } while (convert(rows, field, row) == 0);
    return -1;
}

static void fill_objects(PyObject **to, PyObject *object, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = Py_NewRef(object);
}

static void fill_numbers(int64_t *to, int64_t number, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = number;
}

/* Where the next item of all fields goes. */
struct place {
    Py_ssize_t bin;
    int64_t used;
};

static PyObject **objects_at(struct field *field, const struct place *place)
{
    return ((PyListObject *)PyList_GET_ITEM(field->lists, place->bin))->ob_item + place->used;
}

static int64_t *numbers_at(const struct rows *rows, struct field *field, const struct place *place)
{
    return field->numbers + place->bin * rows->max_length + place->used;
}

static int put_objects(struct rows *rows, int f, Py_ssize_t row, const struct place *place)
{
    struct field *field = &rows->fields[f];
    PyObject **to = objects_at(field, place);
    Py_ssize_t length = rows->lengths[row];
    if (field->rows != NULL) {
        if (write_objects(rows, field, row, to) < 0)
            return -1;
    } else if (f == 1) {
        PyObject **before = objects_at(&rows->fields[0], place);
        for (Py_ssize_t i = 0; i < length; i++)
            to[i] = Py_NewRef(before[i]);
    } else {
        fill_objects(to, field->objects[3], length);
    }
    for (int i = 0; rows->has_tail && i < 2; i++)
        to[length + i] = Py_NewRef(field->objects[i]);
    return 0;
}

static int put_numbers(struct rows *rows, int f, Py_ssize_t row, const struct place *place)
{
    struct field *field = &rows->fields[f];
    int64_t *to = numbers_at(rows, field, place);
    Py_ssize_t length = rows->lengths[row];
    if (field->rows != NULL) {
        if (write_numbers(rows, field, row, to) < 0)
            return -1;
    } else if (f == 1) {
        memcpy(to, numbers_at(rows, &rows->fields[0], place), (size_t)length * sizeof *to);
    } else {
        fill_numbers(to, 1, length);
    }
    for (int i = 0; rows->has_tail && i < 2; i++)
        to[length + i] = field->tail[i];
    return 0;
}

static void put_padding(struct rows *rows, const struct place *place)
{
    for (int f = 0; f < FIELDS; f++) {
        struct field *field = &rows->fields[f];
        int64_t left = rows->max_length - place->used;
        if (field->lists != NULL)
            fill_objects(objects_at(field, place), field->objects[2], left);
        else
            fill_numbers(numbers_at(rows, field, place), field->pad, left);
    }
}

static int write_rows(struct rows *rows)
{
    struct place place = {0, 0};
    int64_t tail = rows->has_tail ? 2 : 0;
    for (Py_ssize_t row = 0; row < rows->count; row++) {
        if (rows->lengths[row] + tail > rows->max_length - place.used) {
            put_padding(rows, &place);
            place = (struct place){place.bin + 1, 0};
        }
        if (rows->lengths[row] + tail == 0)
            continue; /* there may be no bin at all */
        for (int f = 0; f < FIELDS; f++) {
            bool lists = rows->fields[f].lists != NULL;
            if ((lists ? put_objects : put_numbers)(rows, f, row, &place) < 0)
                return -1;
        }
        place.used += rows->lengths[row] + tail;
    }
    if (rows->bins > 0)
        put_padding(rows, &place);
    return 0;
}

static void free_rows(struct rows *rows)
{
    for (int f = 0; f < FIELDS; f++) {
        struct field *field = &rows->fields[f];
        for (Py_ssize_t i = 0; field->rows != NULL && i < rows->count; i++)
            Py_XDECREF(field->rows[i]);
        PyMem_Free(field->rows);
        for (int i = 0; i < 4; i++)
            Py_XDECREF(field->objects[i]);
        Py_XDECREF(field->array);
        /* Deallocation of a list untracks it: it must be tracked, or be safe to untrack twice,
         * which PyObject_GC_UnTrack is. */
        Py_XDECREF(field->lists);
    }
    PyMem_Free(rows->lengths);
}

static PyObject *pack_into(struct rows *rows, PyObject *const *sources, bool lists)
{
    for (int f = 0; f < FIELDS; f++) {
        if (sources[f] != Py_None && take_rows(rows, &rows->fields[f], sources[f]) < 0)
            return NULL;
    }
    if (plan(rows) < 0)
        return NULL;
    for (int f = 0; f < FIELDS; f++) {
        if ((lists ? make_lists : make_array)(rows, &rows->fields[f]) < 0)
            return NULL;
    }
    if (write_rows(rows) < 0)
        return NULL;
    struct field *fields = rows->fields;
    if (!lists)
        return PyTuple_Pack(3, fields[0].array, fields[1].array, fields[2].array);
    PyObject *made[FIELDS];
    for (int f = 0; f < FIELDS; f++)
        made[f] = give_lists(rows, &fields[f]);
    return Py_BuildValue("(NNN)", made[0], made[1], made[2]);
}

/* pack_rows(input_ids, labels or None, attention_masks or None, max_length, pad, label_pad,
 *           eos or None, lists: bool) -> three bytearrays of int64, or lists of lists */
static PyObject *pack_rows(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    int64_t numbers[4] = {0};
    if (count != 8 || args[0] == Py_None) {
        PyErr_SetString(PyExc_TypeError, "pack_rows() takes 8 arguments");
        return NULL;
    }
    for (int i = 0; i < 4; i++) {
        if (args[3 + i] != Py_None && any_value(args[3 + i], &numbers[i]) < 0)
            return NULL;
    }
    int64_t max_length = numbers[0], pad = numbers[1], label_pad = numbers[2], eos = numbers[3];
    struct rows rows = {
        .fields = {{.name = args[1] == Py_None ? "sequences" : "input_ids",
                    .tail = {eos, pad},
                    .pad = pad},
                   {.name = "labels", .tail = {eos, label_pad}, .pad = label_pad},
                   {.name = "attention_masks", .tail = {1, 0}, .pad = 0}},
        .count = -1,
        .max_length = max_length,
        .has_tail = args[6] != Py_None,
    };
    if (max_length < 1) {
        PyErr_SetString(PyExc_ValueError, "max_length is less than 1");
        return NULL;
    }
    PyObject *found = pack_into(&rows, args, args[7] == Py_True);
    free_rows(&rows);
    return found;
}

#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function))

PyMethodDef shimhub_py_pack_methods[] = {
    {"pack_lengths", FASTCALL(pack_lengths), METH_FASTCALL, NULL},
    {"pack_tolist", FASTCALL(pack_tolist), METH_FASTCALL, NULL},
    {"pack_rows", FASTCALL(pack_rows), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
