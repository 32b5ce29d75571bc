/* Private to py_pad.c and pad_*.c: the fields of one batch, from what is told to what is given. */
#ifndef SHIMHUB_PAD_BATCH_H
#define SHIMHUB_PAD_BATCH_H

#include "pad_read.h"

/* Arrow's lists: shimhub_column structs over buffers that are held. */
struct shimhub_chunks {
    shimhub_column *lists; /* of ours: count of them, and then their children */
    Py_buffer *views;      /* of ours: the first `taken` are held */
    Py_ssize_t count, taken;
    int64_t rows, longest;
    int32_t type;
};

struct shimhub_field {
    PyObject *name; /* of ours; NULL for pad() */
    PyObject *dtype; /* borrowed of the context */
    PyObject *array; /* of ours: the result */
    shimhub_pad pad;
    Py_ssize_t ones_for; /* the field whose items this mask counts; -1 if it is no mask */
    bool optional, absent, made, numbered, strict;
    struct shimhub_row *rows; /* of ours: count of parts, the first `taken` of them set */
    Py_ssize_t taken;
    struct shimhub_chunks chunks; /* in place of rows where a batch has columns */
    Py_buffer *shared; /* of ours: the matrix that all rows lie in */
    Py_buffer *out;    /* of ours: the memory that the caller gave */
    char *scratch;     /* of ours */
};

struct shimhub_batch {
    struct shimhub_context context;
    enum shimhub_place place;
    struct shimhub_field *fields;
    Py_ssize_t fields_count;
    Py_ssize_t rows, parts; /* parts are rows, unless rows are joined of several */
    Py_ssize_t *first;      /* rows + 1 indices of parts; NULL where they are the same */
    Py_ssize_t length, multiple_of; /* length is -1 where the longest row tells */
    unsigned threads;
    bool left, truncate, columns;
};

/* (empty, dtypes, numpy_bool, ndarray, dtype, refusal) */
int shimhub_context_take(PyObject *told, struct shimhub_context *context);
int shimhub_options_take(struct shimhub_batch *batch, PyObject *length, PyObject *multiple_of,
                         PyObject *side);
int shimhub_dtype_take(const struct shimhub_batch *batch, PyObject *told,
                       struct shimhub_field *field);
int shimhub_fields_take(struct shimhub_batch *batch, PyObject *told);
void shimhub_batch_drop(struct shimhub_batch *batch);

static inline struct shimhub_wanted shimhub_wanted_of(const struct shimhub_batch *batch,
                                                      const struct shimhub_field *field)
{
    return (struct shimhub_wanted){field->pad.type, field->strict, batch->context.numpy_bool};
}

/* Rows of one field: a list, a tuple or a 2-D array. */
int shimhub_rows_take(struct shimhub_batch *batch, struct shimhub_field *field, PyObject *rows);
/* Rows of all fields, from a list of dicts, a dict of rows, or a list of lists of dicts. */
int shimhub_features_take(struct shimhub_batch *batch, PyObject *features);

/* Whether collate() takes it for a mapping. */
bool shimhub_is_mapping(PyObject *object);

/* Rows of one field, or of all in a dict by name, as columns_of() in _pad_columns.py gives them. */
int shimhub_chunks_take(struct shimhub_field *field, PyObject *told);
int shimhub_columns_take(struct shimhub_batch *batch, PyObject *features);
void shimhub_chunks_drop(struct shimhub_chunks *chunks);
/* All that can fail with columns of a field; and the rest. */
int shimhub_chunks_check(const struct shimhub_batch *batch, const struct shimhub_field *field);
void shimhub_chunks_write(const struct shimhub_batch *batch, const struct shimhub_field *field);
/* What it means that features, or the first of them, have no such field. */
int shimhub_leave_out(const struct shimhub_batch *batch, struct shimhub_field *field);

/* Decides lengths; then writes into fresh arrays, or into `out` (a dict by name for collate()). */
int shimhub_batch_write(struct shimhub_batch *batch, PyObject *out);
/* Its parts: one field, whose matrix is known; and memory that the caller gave, for all of them. */
int shimhub_field_write(const struct shimhub_batch *batch, const struct shimhub_field *field);
int shimhub_outs_take(struct shimhub_batch *batch, PyObject *out);
int shimhub_outs_write(struct shimhub_batch *batch);

#endif
