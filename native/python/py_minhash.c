/* MinHash signatures of str, bytes, and sequences of them. */
#include "py.h"

#include <stdbool.h>

enum { BLOCK = 1024 }; /* rows that are held at a time: what has to be encoded is freed between */

/* Byte strings of Python's objects, which stay alive until the block is dropped. */
struct block {
    shimhub_bytes *bytes;
    PyObject **owners;
    size_t count, capacity;
    size_t starts[BLOCK + 1]; /* of words */
};

struct arguments {
    PyObject *texts; /* a tuple: nobody can change it while we read */
    size_t ngram, num_perm;
    shimhub_unit unit;
    uint64_t seed;
    unsigned threads;
    Py_buffer out;
};

static void drop(struct block *block)
{
    while (block->count > 0)
        Py_DECREF(block->owners[--block->count]);
}

static bool grow(struct block *block, size_t wanted)
{
    if (wanted <= block->capacity)
        return true;
    size_t capacity = wanted + wanted / 2;
    shimhub_bytes *bytes = PyMem_Resize(block->bytes, shimhub_bytes, capacity);
    if (bytes != NULL)
        block->bytes = bytes;
    PyObject **owners = PyMem_Resize(block->owners, PyObject *, capacity);
    if (owners != NULL)
        block->owners = owners;
    if (bytes == NULL || owners == NULL) {
        PyErr_NoMemory();
        return false;
    }
    block->capacity = capacity;
    return true;
}

/* part is -1 where the row itself is meant. */
static void fail(PyObject *type, Py_ssize_t row, Py_ssize_t part, const char *text)
{
    if (part < 0)
        PyErr_Format(type, "texts[%zd]: %s", row, text);
    else
        PyErr_Format(type, "texts[%zd][%zd]: %s", row, part, text);
}

/* ASCII lies in the string as it is in UTF-8. Other text is encoded beside it: kept in the string,
 * as PyUnicode_AsUTF8AndSize does, it would double what the user's data takes. */
static PyObject *owner_of_str(PyObject *text, shimhub_bytes *bytes)
{
    if (PyUnicode_IS_ASCII(text)) {
        bytes->data = PyUnicode_DATA(text);
        bytes->size = (size_t)PyUnicode_GET_LENGTH(text);
        Py_INCREF(text);
        return text;
    }
    PyObject *encoded = PyUnicode_AsUTF8String(text);
    if (encoded != NULL) {
        bytes->data = PyBytes_AS_STRING(encoded);
        bytes->size = (size_t)PyBytes_GET_SIZE(encoded);
    }
    return encoded;
}

static bool add(struct block *block, PyObject *item, Py_ssize_t row, Py_ssize_t part)
{
    shimhub_bytes *bytes = &block->bytes[block->count];
    PyObject *owner = NULL;
    if (PyBytes_Check(item)) {
        bytes->data = PyBytes_AS_STRING(item);
        bytes->size = (size_t)PyBytes_GET_SIZE(item);
        Py_INCREF(item);
        owner = item;
    } else if (PyUnicode_Check(item)) {
        if (PyUnicode_READY(item) == 0)
            owner = owner_of_str(item, bytes);
        if (owner == NULL && PyErr_ExceptionMatches(PyExc_UnicodeError))
            fail(PyExc_ValueError, row, part, "a lone surrogate, which UTF-8 has not");
    } else {
        char text[160];
        PyOS_snprintf(text, sizeof text, "%.100s, want str or bytes", Py_TYPE(item)->tp_name);
        fail(PyExc_TypeError, row, part, text);
    }
    if (owner == NULL)
        return false;
    block->owners[block->count++] = owner;
    return true;
}

static bool add_texts(struct block *block, PyObject *texts, Py_ssize_t from, Py_ssize_t to)
{
    if (!grow(block, (size_t)(to - from)))
        return false;
    for (Py_ssize_t row = from; row < to; row++) {
        if (!add(block, PyTuple_GET_ITEM(texts, row), row, -1))
            return false;
    }
    return true;
}

static PyObject *words_of(PyObject *text, Py_ssize_t row)
{
    if (PyUnicode_Check(text) || PyBytes_Check(text) || Py_TYPE(text)->tp_iter == NULL) {
        char message[160];
        PyOS_snprintf(message, sizeof message, "%.100s, want a sequence of str or bytes",
                      Py_TYPE(text)->tp_name);
        fail(PyExc_TypeError, row, -1, message);
        return NULL;
    }
    return PySequence_Tuple(text);
}

static bool add_words(struct block *block, PyObject *texts, Py_ssize_t from, Py_ssize_t to)
{
    block->starts[0] = 0;
    for (Py_ssize_t row = from; row < to; row++) {
        PyObject *words = words_of(PyTuple_GET_ITEM(texts, row), row);
        bool ok = words != NULL && grow(block, block->count + (size_t)PyTuple_GET_SIZE(words));
        for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(words); i++)
            ok = add(block, PyTuple_GET_ITEM(words, i), row, i);
        Py_XDECREF(words);
        if (!ok)
            return false;
        block->starts[row - from + 1] = block->count;
    }
    return true;
}

static bool sign(const struct arguments *told, const struct block *block, bool are_words,
                 Py_ssize_t from, Py_ssize_t to)
{
    uint32_t *signatures = (uint32_t *)told->out.buf + told->num_perm * (size_t)from;
    size_t count = (size_t)(to - from);
    shimhub_status status;
    Py_BEGIN_ALLOW_THREADS;
    if (are_words)
        status = shimhub_minhash_words(block->bytes, block->starts, count, told->ngram, told->seed,
                                       told->num_perm, told->threads, signatures);
    else
        status = shimhub_minhash(block->bytes, count, told->unit, told->ngram, told->seed,
                                 told->num_perm, told->threads, signatures);
    Py_END_ALLOW_THREADS;
    if (status == SHIMHUB_NO_MEMORY)
        PyErr_NoMemory();
    else if (status != SHIMHUB_OK)
        PyErr_Format(PyExc_ValueError, "minhash: status %d", (int)status);
    return status == SHIMHUB_OK;
}

static bool sign_all(const struct arguments *told, bool are_words)
{
    struct block block = {0};
    Py_ssize_t count = PyTuple_GET_SIZE(told->texts);
    bool ok = true;
    for (Py_ssize_t from = 0; ok && from < count; from += BLOCK) {
        Py_ssize_t to = count - from > BLOCK ? from + BLOCK : count;
        ok = are_words ? add_words(&block, told->texts, from, to)
                       : add_texts(&block, told->texts, from, to);
        ok = ok && sign(told, &block, are_words, from, to);
        drop(&block);
    }
    PyMem_Free(block.bytes);
    PyMem_Free(block.owners);
    return ok;
}

/* texts, ngram, seed, threads, out: all that both functions have. */
static bool parse(struct arguments *told, PyObject *const *items)
{
    told->texts = items[0];
    if (!PyTuple_CheckExact(told->texts)) {
        PyErr_SetString(PyExc_TypeError, "texts: want a tuple");
        return false;
    }
    told->ngram = PyLong_AsSize_t(items[1]);
    told->seed = PyLong_AsUnsignedLongLong(items[2]);
    told->threads = (unsigned)PyLong_AsUnsignedLong(items[3]);
    if (PyErr_Occurred())
        return false;
    return PyObject_GetBuffer(items[4], &told->out, PyBUF_ND | PyBUF_WRITABLE) == 0;
}

static bool fits(const Py_buffer *out, Py_ssize_t rows)
{
    if (out->ndim == 2 && out->itemsize == 4 && out->shape[0] == rows)
        return true;
    PyErr_SetString(PyExc_ValueError, "out: want a row of 4-byte numbers for each text");
    return false;
}

static PyObject *run(struct arguments *told, PyObject *const *items, bool are_words)
{
    if (!parse(told, items))
        return NULL;
    bool ok = fits(&told->out, PyTuple_GET_SIZE(told->texts));
    told->num_perm = ok ? (size_t)told->out.shape[1] : 0;
    ok = ok && sign_all(told, are_words);
    PyBuffer_Release(&told->out);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

static bool has_count(Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted)
        PyErr_Format(PyExc_TypeError, "want %zd arguments, got %zd", wanted, count);
    return count == wanted;
}

/* minhash_texts(texts, ngram, seed, threads, out, unit) */
static PyObject *minhash_texts(PyObject *module, PyObject *const *items, Py_ssize_t count)
{
    (void)module;
    struct arguments told = {0};
    if (!has_count(count, 6))
        return NULL;
    long unit = PyLong_AsLong(items[5]);
    if (unit == -1 && PyErr_Occurred())
        return NULL;
    told.unit = unit == 0 ? SHIMHUB_UNIT_CHAR : SHIMHUB_UNIT_WORD;
    return run(&told, items, false);
}

/* minhash_tokens(texts, ngram, seed, threads, out) */
static PyObject *minhash_tokens(PyObject *module, PyObject *const *items, Py_ssize_t count)
{
    (void)module;
    struct arguments told = {0};
    return has_count(count, 5) ? run(&told, items, true) : NULL;
}

PyMethodDef shimhub_py_minhash_methods[] = {
    {"minhash_texts", (PyCFunction)(void (*)(void))minhash_texts, METH_FASTCALL, NULL},
    {"minhash_tokens", (PyCFunction)(void (*)(void))minhash_tokens, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
