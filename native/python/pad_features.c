/* Rows of a batch, found in what the user has. References are taken of all that is kept. */
#include "pad_batch.h"

static int allocate_rows(struct shimhub_field *field, Py_ssize_t count)
{
    if ((size_t)count > PY_SSIZE_T_MAX / sizeof *field->rows) {
        PyErr_NoMemory();
        return -1;
    }
    field->rows = PyMem_Malloc((size_t)count * sizeof *field->rows + 1);
    if (field->rows == NULL)
        PyErr_NoMemory();
    return field->rows == NULL ? -1 : 0;
}

static struct shimhub_where where_of(const struct shimhub_batch *batch,
                                     const struct shimhub_field *field, Py_ssize_t row,
                                     Py_ssize_t part)
{
    return (struct shimhub_where){batch->place, field->name, row, part, -1};
}

static int take_list(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *rows)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(rows);
    if (allocate_rows(field, count) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        struct shimhub_where where = where_of(batch, field, i, 0);
        /* Taking an array's buffer may run Python code. */
        if (PySequence_Fast_GET_SIZE(rows) != count) {
            PyErr_SetString(PyExc_RuntimeError, "rows: changed size while they were read");
            return -1;
        }
        PyObject *row = Py_NewRef(PySequence_Fast_GET_ITEM(rows, i));
        int status = shimhub_row_take(&batch->context, &field->rows[i], row, &where);
        Py_DECREF(row);
        if (status != 0)
            return -1;
        field->taken++;
    }
    return 0;
}

static int take_matrix(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *rows)
{
    int32_t type;
    struct shimhub_where where = where_of(batch, field, 0, 0);
    field->shared = shimhub_view_take(&batch->context, rows, 2, &where, &type);
    if (field->shared == NULL)
        return -1;
    const Py_buffer *view = field->shared;
    if (allocate_rows(field, view->shape[0]) != 0)
        return -1;
    for (; field->taken < view->shape[0]; field->taken++) {
        const char *start = (const char *)view->buf + field->taken * view->strides[0];
        field->rows[field->taken] = (struct shimhub_row){
            .object = Py_NewRef(rows),
            .length = view->shape[1],
            .items = {start, view->strides[1], 0, view->shape[1], type},
        };
    }
    return 0;
}

int shimhub_rows_take(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *rows)
{
    if (PyList_Check(rows) || PyTuple_Check(rows))
        return take_list(batch, field, rows);
    return take_matrix(batch, field, rows);
}

/* A new reference to features[name]; NULL without an error if there is none. */
static PyObject *look_up(PyObject *features, PyObject *name)
{
    if (PyDict_CheckExact(features))
        return Py_XNewRef(PyDict_GetItemWithError(features, name));
    PyObject *found = PyObject_GetItem(features, name);
    if (found == NULL && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    return found;
}

static int fail_absent(const struct shimhub_batch *batch, const struct shimhub_field *field,
                       Py_ssize_t row, Py_ssize_t part)
{
    if (batch->place == SHIMHUB_BINS)
        PyErr_Format(PyExc_ValueError, "features[%zd][%zd]: no %R", row, part, field->name);
    else if (batch->place == SHIMHUB_FEATURES)
        PyErr_Format(PyExc_ValueError, "features[%zd]: no %R", row, field->name);
    else
        PyErr_Format(PyExc_ValueError, "features: no %R", field->name);
    return -1;
}

int shimhub_leave_out(const struct shimhub_batch *batch, struct shimhub_field *field)
{
    const struct shimhub_field *other =
        field->ones_for < 0 ? NULL : &batch->fields[field->ones_for];
    field->made = other != NULL && !other->absent;
    field->absent = field->optional && !field->made;
    return field->made || field->absent ? 0 : fail_absent(batch, field, 0, 0);
}

static int take_feature(struct shimhub_batch *batch, PyObject *feature, Py_ssize_t row,
                        Py_ssize_t part, Py_ssize_t index)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        if (field->made || field->absent)
            continue;
        PyObject *object = look_up(feature, field->name);
        if (object == NULL) {
            if (PyErr_Occurred())
                return -1;
            if (index != 0)
                return fail_absent(batch, field, row, part);
            if (shimhub_leave_out(batch, field) != 0)
                return -1;
            continue;
        }
        struct shimhub_where where = where_of(batch, field, row, part);
        int status = shimhub_row_take(&batch->context, &field->rows[index], object, &where);
        Py_DECREF(object);
        if (status != 0)
            return -1;
        field->taken++;
    }
    return 0;
}

static bool is_sequence(PyObject *object)
{
    return PyList_Check(object) || PyTuple_Check(object);
}

static int fail_bin(PyObject *object, Py_ssize_t row)
{
    PyErr_Format(PyExc_TypeError, "features[%zd]: expected a list of mappings: a bin, got %s", row,
                 shimhub_type_name(object));
    return -1;
}

static int fail_feature(PyObject *object, Py_ssize_t bin, Py_ssize_t index)
{
    const char *wanted = "expected a mapping of names to rows, got";
    const char *got = shimhub_type_name(object);
    if (bin < 0)
        PyErr_Format(PyExc_TypeError, "features[%zd]: %s %s", index, wanted, got);
    else
        PyErr_Format(PyExc_TypeError, "features[%zd][%zd]: %s %s", bin, index, wanted, got);
    return -1;
}

/* What dict() would take for one: text and arrays, too, can be asked for an item by some key. */
bool shimhub_is_mapping(PyObject *object)
{
    return PyDict_Check(object) || (!is_sequence(object) && PyMapping_Check(object) &&
                                    PyObject_HasAttrString(object, "keys"));
}

/* Takes the features of a list, the first of which is part `index` of the batch. */
static int take_features(struct shimhub_batch *batch, PyObject *features, Py_ssize_t count,
                         Py_ssize_t bin, Py_ssize_t index)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PySequence_Fast_GET_SIZE(features) != count) {
            PyErr_SetString(PyExc_RuntimeError, "features: changed size while they were read");
            return -1;
        }
        PyObject *feature = Py_NewRef(PySequence_Fast_GET_ITEM(features, i));
        Py_ssize_t row = bin < 0 ? i : bin;
        int status = shimhub_is_mapping(feature)
                         ? take_feature(batch, feature, row, i, index + i)
                         : fail_feature(feature, bin, i);
        Py_DECREF(feature);
        if (status != 0)
            return -1;
    }
    return 0;
}

static int allocate_all(struct shimhub_batch *batch, Py_ssize_t parts)
{
    batch->parts = parts;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (allocate_rows(&batch->fields[i], parts) != 0)
            return -1;
    return 0;
}

/* Nothing says which fields an empty batch has: those that are always there. */
static void leave_out_optional(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        field->absent = field->optional && field->ones_for < 0;
    }
}

static int take_list_of_dicts(struct shimhub_batch *batch, PyObject *features)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(features);
    batch->rows = count;
    if (count == 0)
        leave_out_optional(batch);
    return allocate_all(batch, count) != 0 ? -1 : take_features(batch, features, count, -1, 0);
}

/* The bins, so that none is gone when its turn comes: a tuple of lists and tuples. */
static PyObject *hold_bins(PyObject *features)
{
    PyObject *bins = PySequence_Tuple(features);
    for (Py_ssize_t i = 0; bins != NULL && i < PyTuple_GET_SIZE(bins); i++)
        if (!is_sequence(PyTuple_GET_ITEM(bins, i))) {
            fail_bin(PyTuple_GET_ITEM(bins, i), i);
            Py_CLEAR(bins);
        }
    return bins;
}

static int count_parts(struct shimhub_batch *batch, PyObject *bins)
{
    Py_ssize_t count = PyTuple_GET_SIZE(bins);
    batch->rows = count;
    batch->first = PyMem_Calloc((size_t)count + 1, sizeof *batch->first);
    if (batch->first == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        batch->first[i + 1] =
            batch->first[i] + PySequence_Fast_GET_SIZE(PyTuple_GET_ITEM(bins, i));
    return allocate_all(batch, batch->first[count]);
}

static int take_bins(struct shimhub_batch *batch, PyObject *features)
{
    PyObject *bins = hold_bins(features);
    int status = bins == NULL ? -1 : count_parts(batch, bins);
    if (status == 0 && batch->parts == 0)
        leave_out_optional(batch);
    for (Py_ssize_t i = 0; status == 0 && i < batch->rows; i++)
        status = take_features(batch, PyTuple_GET_ITEM(bins, i),
                               batch->first[i + 1] - batch->first[i], i, batch->first[i]);
    Py_XDECREF(bins);
    return status;
}

static int take_column(struct shimhub_batch *batch, struct shimhub_field *field,
                       PyObject *features)
{
    PyObject *rows = look_up(features, field->name);
    if (rows == NULL)
        return PyErr_Occurred() ? -1 : shimhub_leave_out(batch, field);
    int status = shimhub_rows_take(batch, field, rows);
    Py_DECREF(rows);
    if (status != 0)
        return -1;
    if (batch->rows < 0)
        batch->rows = batch->parts = field->taken;
    if (field->taken == batch->rows)
        return 0;
    PyErr_Format(PyExc_ValueError, "features[%R]: %zd rows, and %R has %zd", field->name,
                 field->taken, batch->fields[0].name, batch->rows);
    return -1;
}

static int take_dict_of_rows(struct shimhub_batch *batch, PyObject *features)
{
    batch->place = SHIMHUB_COLUMNS;
    batch->rows = -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (take_column(batch, &batch->fields[i], features) != 0)
            return -1;
    if (batch->rows < 0)
        batch->rows = batch->parts = 0;
    return 0;
}

/* A Dataset of Hugging Face has no keys(). */
static bool is_table(PyObject *features)
{
    return shimhub_is_mapping(features) ||
           (!is_sequence(features) && PyMapping_Check(features) &&
            PyObject_HasAttrString(features, "column_names"));
}

int shimhub_features_take(struct shimhub_batch *batch, PyObject *features)
{
    if (batch->place != SHIMHUB_BINS && is_table(features))
        return take_dict_of_rows(batch, features);
    if (!is_sequence(features)) {
        PyErr_Format(PyExc_TypeError, "features: expected a list of mappings, got %s",
                     shimhub_type_name(features));
        return -1;
    }
    return batch->place == SHIMHUB_BINS ? take_bins(batch, features)
                                        : take_list_of_dicts(batch, features);
}
