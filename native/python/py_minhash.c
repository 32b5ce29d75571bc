/* MinHash signatures of str, bytes, and sequences of them. */
#include "py.h"

#include <stdbool.h>
#include <stdlib.h>

#include "shingles.h"
#include "utf8.h"

enum { BLOCK = 1024, AHEAD = 16 };

struct arguments {
    PyObject *texts; /* a tuple: nobody can change it while we read */
    size_t ngram, num_perm;
    shimhub_unit unit;
    uint64_t seed;
    unsigned threads;
    Py_buffer out;
};

/* What is made of some texts at a time; malloc's, and needs no GIL. */
struct block {
    shimhub_bytes bytes[BLOCK];
    size_t starts[BLOCK + 1]; /* of texts in the hashes of their words */
    uint64_t *hashes;
    size_t hashes_capacity;
    uint8_t *utf8; /* of strings that are not ASCII */
    size_t utf8_size, utf8_capacity;
};

/* part is -1 where the row itself is meant. */
static void fail(PyObject *type, Py_ssize_t row, Py_ssize_t part, const char *text)
{
    if (part < 0)
        PyErr_Format(type, "texts[%zd]: %s", row, text);
    else
        PyErr_Format(type, "texts[%zd][%zd]: %s", row, part, text);
}

static void fail_type(PyObject *item, Py_ssize_t row, Py_ssize_t part, const char *wanted)
{
    char text[160];
    PyOS_snprintf(text, sizeof text, "%.100s, want %s", Py_TYPE(item)->tp_name, wanted);
    fail(PyExc_TypeError, row, part, text);
}

/* Makes room for `wanted` units of `width` bytes. */
static bool reserve(void **memory, size_t *capacity, size_t wanted, size_t width)
{
    if (wanted <= *capacity)
        return true;
    size_t more = wanted + wanted / 2;
    void *moved = more <= SIZE_MAX / width ? realloc(*memory, more * width) : NULL;
    if (moved == NULL) {
        PyErr_NoMemory();
        return false;
    }
    *memory = moved;
    *capacity = more;
    return true;
}

/* Appends the string's UTF-8; bytes->data is its offset until resolve(). The string itself does not
 * grow a copy, as it would by PyUnicode_AsUTF8AndSize(). */
static bool encode(struct block *block, PyObject *text, shimhub_bytes *bytes, Py_ssize_t row,
                   Py_ssize_t part)
{
    shimhub_text units = {PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text),
                          (int)PyUnicode_KIND(text)};
    size_t size = shimhub_utf8_size(units);
    void *memory = block->utf8;
    if (size == SIZE_MAX) {
        fail(PyExc_ValueError, row, part, "a lone surrogate, which UTF-8 has not");
        return false;
    }
    if (!reserve(&memory, &block->utf8_capacity, block->utf8_size + size, 1))
        return false;
    block->utf8 = memory;
    bytes->data = NULL;
    bytes->size = size;
    shimhub_utf8_write(units, block->utf8 + block->utf8_size);
    block->utf8_size += size;
    return true;
}

/* ASCII lies in the string as it is in UTF-8. Other strings leave data NULL: see encode(). */
SHIMHUB_INLINE bool view(struct block *block, PyObject *item, shimhub_bytes *bytes, Py_ssize_t row,
                         Py_ssize_t part)
{
    if (PyUnicode_Check(item)) {
#if PY_VERSION_HEX < 0x030c0000
        if (PyUnicode_READY(item) != 0) /* strings of the old C API are made in two steps */
            return false;
#endif
        if (!PyUnicode_IS_ASCII(item))
            return encode(block, item, bytes, row, part);
        bytes->data = PyUnicode_DATA(item);
        bytes->size = (size_t)PyUnicode_GET_LENGTH(item);
        return true;
    }
    if (PyBytes_Check(item)) {
        bytes->data = PyBytes_AS_STRING(item);
        bytes->size = (size_t)PyBytes_GET_SIZE(item);
        return true;
    }
    fail_type(item, row, part, "str or bytes");
    return false;
}

static bool view_texts(struct block *block, PyObject *texts, Py_ssize_t from, Py_ssize_t to)
{
    block->utf8_size = 0;
    for (Py_ssize_t row = from; row < to; row++) {
        if (!view(block, PyTuple_GET_ITEM(texts, row), &block->bytes[row - from], row, -1))
            return false;
    }
    /* Now that the memory moves no more. */
    const uint8_t *next = block->utf8;
    for (Py_ssize_t i = 0; i < to - from; i++) {
        if (block->bytes[i].data != NULL)
            continue;
        block->bytes[i].data = next;
        next += block->bytes[i].size;
    }
    return true;
}

/* Runs no Python, and keeps the GIL: items is that of a list, perhaps. */
static bool hash_words(const struct arguments *told, struct block *block,
                       const shimhub_shingling *shingling, PyObject *const *items, Py_ssize_t count,
                       Py_ssize_t row, uint64_t *hashes)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        shimhub_bytes bytes;
        if (count - i > AHEAD) {
            SHIMHUB_PREFETCH_AT(items[i + AHEAD], 0);
            SHIMHUB_PREFETCH_AT(items[i + AHEAD], 64);
        }
        block->utf8_size = 0;
        if (!view(block, items[i], &bytes, row, i))
            return false;
        const uint8_t *data = bytes.data != NULL ? bytes.data : block->utf8;
        hashes[i] = bytes.size <= 128 ? xxh3_64_short(data, bytes.size, told->seed)
                                      : shimhub_xxh3_64_one(data, bytes.size, told->seed,
                                                            shingling->secret, shingling->lane);
    }
    return true;
}

/* A list or tuple of the text's words, or NULL and an error. */
static PyObject *words_of(PyObject *text, Py_ssize_t row)
{
    if (!PyUnicode_Check(text) && !PyBytes_Check(text) && Py_TYPE(text)->tp_iter != NULL)
        return PySequence_Fast(text, "a sequence");
    fail_type(text, row, -1, "a sequence of str or bytes");
    return NULL;
}

static bool hash_text(const struct arguments *told, struct block *block,
                      const shimhub_shingling *shingling, Py_ssize_t row, size_t index)
{
    PyObject *words = words_of(PyTuple_GET_ITEM(told->texts, row), row);
    if (words == NULL)
        return false;
    void *memory = block->hashes;
    size_t start = block->starts[index];
    Py_ssize_t count = PySequence_Fast_GET_SIZE(words);
    bool ok = reserve(&memory, &block->hashes_capacity, start + (size_t)count, sizeof(uint64_t));
    block->hashes = memory;
    ok = ok && hash_words(told, block, shingling, PySequence_Fast_ITEMS(words), count, row,
                          block->hashes + start);
    block->starts[index + 1] = start + (size_t)count;
    Py_DECREF(words);
    return ok;
}

static bool hash_texts(const struct arguments *told, struct block *block, Py_ssize_t from,
                       Py_ssize_t to)
{
    shimhub_shingling shingling = {.unit = SHIMHUB_UNIT_WORD, .ngram = told->ngram};
    shimhub_shingling_begin(&shingling, told->seed);
    block->starts[0] = 0;
    for (Py_ssize_t row = from; row < to; row++) {
        if (!hash_text(told, block, &shingling, row, (size_t)(row - from)))
            return false;
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
        status = shimhub_minhash_hashes(block->hashes, block->starts, count, told->ngram,
                                        told->seed, told->num_perm, told->threads, signatures);
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
    struct block *block = calloc(1, sizeof *block);
    Py_ssize_t count = PyTuple_GET_SIZE(told->texts);
    bool ok = block != NULL;
    if (!ok)
        PyErr_NoMemory();
    for (Py_ssize_t from = 0; ok && from < count; from += BLOCK) {
        Py_ssize_t to = count - from > BLOCK ? from + BLOCK : count;
        ok = are_words ? hash_texts(told, block, from, to)
                       : view_texts(block, told->texts, from, to);
        ok = ok && sign(told, block, are_words, from, to);
    }
    if (block != NULL) {
        free(block->hashes);
        free(block->utf8);
    }
    free(block);
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
