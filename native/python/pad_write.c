/* Writes a batch. Into fresh arrays items go as they are checked: an error drops the arrays. */
#include "pad_batch.h"

static Py_ssize_t first_part(const struct shimhub_batch *batch, Py_ssize_t row)
{
    return batch->first == NULL ? row : batch->first[row];
}

/* Masks that are made have the rows of their field. */
static const struct shimhub_field *source_of(const struct shimhub_batch *batch,
                                             const struct shimhub_field *field)
{
    return field->made ? &batch->fields[field->ones_for] : field;
}

static Py_ssize_t length_of(const struct shimhub_batch *batch, const struct shimhub_field *field,
                            Py_ssize_t row)
{
    const struct shimhub_row *rows = source_of(batch, field)->rows;
    if (batch->first == NULL)
        return rows[row].length;
    Py_ssize_t length = 0;
    for (Py_ssize_t i = batch->first[row]; i < batch->first[row + 1]; i++)
        length += rows[i].length;
    return length;
}

static int fail_too_long(const struct shimhub_batch *batch, const struct shimhub_field *field,
                         Py_ssize_t row, Py_ssize_t length)
{
    if (batch->place == SHIMHUB_BINS) {
        PyErr_Format(PyExc_ValueError, "features[%zd]: %zd items of %R are more than length %zd",
                     row, length, field->name, (Py_ssize_t)field->pad.length);
        return -1;
    }
    struct shimhub_where where = {batch->place, field->name, row, 0, -1};
    return shimhub_py_fail(&where, PyExc_ValueError, "%zd items are more than length %zd", length,
                           (Py_ssize_t)field->pad.length);
}

static int check_lengths(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    for (Py_ssize_t row = 0; !batch->truncate && row < batch->rows; row++) {
        Py_ssize_t length = length_of(batch, field, row);
        if (length > field->pad.length)
            return fail_too_long(batch, field, row, length);
    }
    return 0;
}

static int round_up(Py_ssize_t length, Py_ssize_t multiple_of, int64_t *rounded)
{
    Py_ssize_t rest = length % multiple_of;
    if (rest != 0 && length > PY_SSIZE_T_MAX - (multiple_of - rest)) {
        PyErr_Format(PyExc_OverflowError, "multiple_of: no multiple of %zd is as large as %zd",
                     multiple_of, length);
        return -1;
    }
    *rounded = rest == 0 ? length : length + (multiple_of - rest);
    return 0;
}

/* Whether rows in Python's objects tell the length. */
static bool length_is_open(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    return batch->length < 0 && field->out == NULL && !batch->columns;
}

static int decide_length(const struct shimhub_batch *batch, struct shimhub_field *field)
{
    Py_ssize_t length = batch->length;
    if (length < 0 && field->out != NULL)
        length = field->out->shape[1];
    if (length < 0 && batch->columns)
        length = (Py_ssize_t)source_of(batch, field)->chunks.longest;
    for (Py_ssize_t row = 0; length_is_open(batch, field) && row < batch->rows; row++) {
        Py_ssize_t one = length_of(batch, field, row);
        length = one > length ? one : length;
    }
    if (round_up(length < 0 ? 0 : length, batch->multiple_of, &field->pad.length) != 0)
        return -1;
    field->pad.rows = batch->rows;
    field->pad.left = batch->left;
    if (!shimhub_pad_value_fits(&field->pad, field->pad.length)) {
        PyErr_Format(PyExc_OverflowError, "a range of %zd does not fit %s",
                     (Py_ssize_t)field->pad.length, shimhub_number_name(field->pad.type));
        return -1;
    }
    return batch->columns ? shimhub_chunks_check(batch, field) : check_lengths(batch, field);
}

/* A mask that was given counts the items of its field. */
static int check_mask(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    if (batch->columns || field->ones_for < 0 || field->made || field->absent)
        return 0; /* columns: see shimhub_chunks_check() */
    const struct shimhub_field *other = &batch->fields[field->ones_for];
    for (Py_ssize_t row = 0; !other->absent && row < batch->rows; row++)
        for (Py_ssize_t i = first_part(batch, row); i < first_part(batch, row + 1); i++)
            if (field->rows[i].length != other->rows[i].length) {
                struct shimhub_where where = {batch->place, field->name, row,
                                              i - first_part(batch, row), -1};
                return shimhub_py_fail(&where, PyExc_ValueError, "%zd items, and %R has %zd",
                                       field->rows[i].length, other->name, other->rows[i].length);
            }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int fail_number(const struct shimhub_where *where, Py_ssize_t factor, int32_t type)
{
    return shimhub_py_fail(where, PyExc_OverflowError, "%zd times its value does not fit %s",
                           factor, shimhub_number_name(type));
}

#define NUMBER(TYPE, LOW, HIGH)                                                                \
    for (Py_ssize_t i = 0; i < count; i++) {                                                   \
        TYPE *item = (TYPE *)to + i;                                                           \
        if (factor > (HIGH) ? *item != 0 : *item > (HIGH) / factor || *item < (LOW) / factor) { \
            where->item = i;                                                                   \
            return fail_number(where, factor, type);                                           \
        }                                                                                      \
        *item = (TYPE)(*item * (TYPE)factor);                                                  \
    }                                                                                          \
    return 0

/* Multiplies items by 1, 2, ... according to their part of the row. */
static int number(void *to, Py_ssize_t count, int32_t type, Py_ssize_t factor,
                  struct shimhub_where *where)
{
    if (type == SHIMHUB_NUMBER_INT32) {
        NUMBER(int32_t, INT32_MIN, INT32_MAX);
    } else if (type == SHIMHUB_NUMBER_UINT8) {
        NUMBER(uint8_t, 0, UINT8_MAX);
    }
    NUMBER(int64_t, INT64_MIN, INT64_MAX);
}

static int write_part(const struct shimhub_batch *batch, const struct shimhub_field *field,
                      Py_ssize_t part, Py_ssize_t count, void *to, struct shimhub_where *where)
{
    const struct shimhub_row *row = &source_of(batch, field)->rows[part];
    struct shimhub_wanted wanted = shimhub_wanted_of(batch, field);
    int status = 0;
    if (field->made)
        shimhub_pad_ones(&field->pad, to, count);
    else
        status = shimhub_row_write(row, count, &wanted, to, where);
    if (status == 0 && field->numbered)
        status = number(to, count, field->pad.type, where->part + 1, where);
    return status;
}

static int write_row(const struct shimhub_batch *batch, const struct shimhub_field *field,
                     Py_ssize_t row)
{
    Py_ssize_t left = length_of(batch, field, row);
    if (left > field->pad.length)
        left = (Py_ssize_t)field->pad.length;
    char *to = shimhub_pad_around(&field->pad, row, left);
    Py_ssize_t start = first_part(batch, row), end = first_part(batch, row + 1);
    for (Py_ssize_t part = start; part < end; part++) {
        Py_ssize_t count = source_of(batch, field)->rows[part].length;
        count = count < left ? count : left;
        struct shimhub_where where = {batch->place, field->name, row, part - start, -1};
        if (write_part(batch, field, part, count, to, &where) != 0)
            return -1;
        to += count * shimhub_number_size(field->pad.type);
        left -= count;
    }
    return 0;
}

int shimhub_field_write(const struct shimhub_batch *batch, const struct shimhub_field *field)
{
    if (batch->columns) {
        shimhub_chunks_write(batch, field);
        return 0;
    }
    for (Py_ssize_t row = 0; row < batch->rows; row++)
        if (write_row(batch, field, row) != 0)
            return -1;
    return 0;
}

/* ---- fresh arrays ---------------------------------------------------------------------------- */

static PyObject *new_array(const struct shimhub_batch *batch, const struct shimhub_field *field,
                           Py_ssize_t fields)
{
    Py_ssize_t length = (Py_ssize_t)field->pad.length;
    /* numpy.empty() would say so, too, but not of what. */
    if (length > 0 && batch->rows > PY_SSIZE_T_MAX / length / fields /
                                        shimhub_number_size(field->pad.type)) {
        PyErr_Format(PyExc_OverflowError, "length: %zd rows of %zd are more than memory can have",
                     batch->rows, length);
        return NULL;
    }
    PyObject *shape = fields == 1 ? Py_BuildValue("(nn)", batch->rows, length)
                                  : Py_BuildValue("(nnn)", fields, batch->rows, length);
    PyObject *arguments[] = {shape, field->dtype};
    PyObject *array =
        shape == NULL ? NULL : PyObject_Vectorcall(batch->context.empty, arguments, 2, NULL);
    Py_XDECREF(shape);
    return array;
}

/* Points the matrix to the memory of an array that numpy.empty() made. */
static int point_to(struct shimhub_field *field, const Py_buffer *view, Py_ssize_t index)
{
    int64_t size = shimhub_number_size(field->pad.type), row = field->pad.length * size;
    if (view->itemsize != size || view->len < (index + 1) * field->pad.rows * row) {
        PyErr_SetString(PyExc_TypeError, "context: empty() gave another array");
        return -1;
    }
    field->pad.row_stride = row;
    field->pad.data = (char *)view->buf + index * field->pad.rows * row;
    return 0;
}

static bool is_alike(const struct shimhub_field *field, const struct shimhub_field *other)
{
    return !other->absent && other->array == NULL && other->pad.type == field->pad.type &&
           other->pad.length == field->pad.length;
}

/* Gives the field, and all behind that are alike, a plane each of one array: one allocation. */
static int give_planes(struct shimhub_batch *batch, Py_ssize_t first, Py_ssize_t alike)
{
    struct shimhub_field *field = &batch->fields[first];
    PyObject *block = new_array(batch, field, alike);
    Py_buffer view; /* without a format, which takes NumPy longer than the memory did */
    if (block == NULL)
        return -1;
    if (PyObject_GetBuffer(block, &view, PyBUF_WRITABLE) != 0) {
        Py_DECREF(block);
        return -1;
    }
    int status = 0;
    Py_ssize_t index = 0;
    for (struct shimhub_field *other = field; status == 0 && index < alike; other++) {
        if (!is_alike(field, other) && other != field)
            continue;
        status = point_to(other, &view, index);
        if (status != 0)
            break;
        other->array = alike == 1 ? Py_NewRef(block) : PySequence_GetItem(block, index);
        status = other->array == NULL ? -1 : 0;
        index++;
    }
    PyBuffer_Release(&view);
    Py_DECREF(block);
    return status;
}

static int give_arrays(struct shimhub_batch *batch)
{
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        if (batch->fields[i].absent || batch->fields[i].array != NULL)
            continue;
        Py_ssize_t alike = 0;
        for (Py_ssize_t j = i; j < batch->fields_count; j++)
            alike += is_alike(&batch->fields[i], &batch->fields[j]);
        if (give_planes(batch, i, alike) != 0)
            return -1;
    }
    return 0;
}

static int write_fresh(struct shimhub_batch *batch)
{
    if (give_arrays(batch) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++)
        if (!batch->fields[i].absent && shimhub_field_write(batch, &batch->fields[i]) != 0)
            return -1;
    return 0;
}

int shimhub_batch_write(struct shimhub_batch *batch, PyObject *out)
{
    if (out != Py_None && shimhub_outs_take(batch, out) != 0)
        return -1;
    for (Py_ssize_t i = 0; i < batch->fields_count; i++) {
        struct shimhub_field *field = &batch->fields[i];
        if (!field->absent && (check_mask(batch, field) != 0 || decide_length(batch, field) != 0))
            return -1;
    }
    return out == Py_None ? write_fresh(batch) : shimhub_outs_write(batch);
}
