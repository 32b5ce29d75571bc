/* Digests and first rows of lists of str and bytes, read where Python keeps them. */
#include "py.h"

#include <string.h>

#include "rows.h"
#include "utf8.h"

#define PREFETCH_AHEAD 12
#define LINE 64

typedef struct {
    PyObject *const *items;
    size_t count;
} items_rows;

static bool is_ready(PyObject *text)
{
#if PY_VERSION_HEX < 0x030c0000
    return PyUnicode_IS_READY(text); /* strings of the old C API are made in two steps */
#else
    (void)text;
    return true;
#endif
}

/* The first lines of a row to come; its header is there, too. */
static void prefetch_item(const items_rows *rows, size_t row)
{
    for (size_t i = 0; row < rows->count && i < 3; i++)
        SHIMHUB_PREFETCH((const char *)rows->items[row] + LINE * i);
}

/* Puts bytes or the units of a str into the block; false if the object is neither. */
static bool view_item(PyObject *item, size_t at, shimhub_block *block)
{
    if (PyUnicode_Check(item) && is_ready(item)) {
        size_t width = (size_t)PyUnicode_KIND(item);
        block->bytes[at].data = PyUnicode_DATA(item);
        block->bytes[at].size = (size_t)PyUnicode_GET_LENGTH(item) * width;
        block->tags[at] = (uint8_t)width;
        return true;
    }
    if (!PyBytes_Check(item))
        return false;
    block->bytes[at].data = PyBytes_AS_STRING(item);
    block->bytes[at].size = (size_t)PyBytes_GET_SIZE(item);
    block->tags[at] = SHIMHUB_TAG_BYTES;
    return true;
}

/* As they lie: equal strings have equal units of equal width (PEP 393). */
static shimhub_status view_units(const void *source, size_t first, size_t count,
                                 shimhub_block *block)
{
    const items_rows *rows = source;
    for (size_t i = 0; i < count; i++) {
        if (count > 1)
            prefetch_item(rows, first + i + PREFETCH_AHEAD);
        if (!view_item(rows->items[first + i], i, block)) {
            block->bad = first + i;
            return SHIMHUB_BAD_ARGUMENT;
        }
    }
    return SHIMHUB_OK;
}

static bool needs_encoding(PyObject *item, uint8_t tag)
{
    return tag != SHIMHUB_TAG_BYTES && !PyUnicode_IS_ASCII(item);
}

static shimhub_text text_of(const shimhub_block *block, size_t i)
{
    size_t width = block->tags[i];
    return (shimhub_text){block->bytes[i].data, block->bytes[i].size / width, (int)width};
}

/* Makes the strings of the block UTF-8; the strings themselves do not grow a copy. */
static shimhub_status encode_block(const items_rows *rows, size_t first, size_t count,
                                   shimhub_block *block)
{
    size_t sizes[SHIMHUB_BLOCK], total = 0;
    for (size_t i = 0; i < count; i++) {
        sizes[i] = 0;
        if (!needs_encoding(rows->items[first + i], block->tags[i]))
            continue;
        sizes[i] = shimhub_utf8_size(text_of(block, i));
        block->bad = first + i;
        if (sizes[i] == SIZE_MAX)
            return SHIMHUB_BAD_FORMAT;
        if (sizes[i] > PTRDIFF_MAX - total)
            return SHIMHUB_NO_MEMORY;
        total += sizes[i];
    }
    block->arena.used = 0;
    uint8_t *to = shimhub_arena_take(&block->arena, total);
    if (to == NULL && total > 0)
        return SHIMHUB_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] > 0) {
            shimhub_text text = text_of(block, i);
            block->bytes[i] = (shimhub_bytes){to, sizes[i]};
            to = shimhub_utf8_write(text, to);
        }
        block->tags[i] = SHIMHUB_TAG_BYTES;
    }
    return SHIMHUB_OK;
}

static shimhub_status view_utf8(const void *source, size_t first, size_t count,
                                shimhub_block *block)
{
    const items_rows *rows = source;
    shimhub_status status = view_units(source, first, count, block);
    for (size_t i = 0; status == SHIMHUB_OK && i < count; i++) {
        if (needs_encoding(rows->items[first + i], block->tags[i]))
            return encode_block(rows, first, count, block);
    }
    if (status == SHIMHUB_OK)
        memset(block->tags, SHIMHUB_TAG_BYTES, count);
    return status;
}

static void prefetch_units(const void *source, size_t row)
{
    const items_rows *rows = source;
    SHIMHUB_PREFETCH(rows->items[row]);
}

/* What one call needs: the list, or a tuple of its objects where the GIL is let go meanwhile. */
typedef struct {
    PyObject *owner;
    items_rows items;
    shimhub_rows rows;
} list_rows;

static bool open_list(PyObject *list, unsigned threads, list_rows *opened)
{
    if (!PyList_CheckExact(list)) {
        PyErr_SetString(PyExc_TypeError, "want a list");
        return false;
    }
    opened->owner = threads == 1 ? Py_NewRef(list) : PyList_AsTuple(list);
    if (opened->owner == NULL)
        return false;
    PyObject **items = threads == 1 ? ((PyListObject *)list)->ob_item
                                    : ((PyTupleObject *)opened->owner)->ob_item;
    opened->items = (items_rows){items, (size_t)Py_SIZE(opened->owner)};
    opened->rows = (shimhub_rows){&opened->items, opened->items.count, view_units, prefetch_units};
    return true;
}

#if PY_VERSION_HEX < 0x030c0000
/* Finishes strings of the old C API; true if there were any. */
static bool make_ready(const items_rows *rows)
{
    bool found = false;
    for (size_t i = 0; i < rows->count; i++) {
        if (PyUnicode_Check(rows->items[i]) && !PyUnicode_IS_READY(rows->items[i]))
            found |= PyUnicode_READY(rows->items[i]) == 0;
    }
    return found;
}
#endif

static PyObject *memory_error_or(shimhub_status status, const char *message)
{
    if (status == SHIMHUB_NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(status == SHIMHUB_OVERFLOW ? PyExc_OverflowError : PyExc_ValueError, message);
    return NULL;
}

static bool to_unsigned(PyObject *number, unsigned *value)
{
    unsigned long found = PyLong_AsUnsignedLong(number);
    if (found == (unsigned long)-1 && PyErr_Occurred())
        return false;
    *value = found > 1024 ? 1024 : (unsigned)found;
    return true;
}

static bool to_seed(PyObject *number, uint64_t *seed)
{
    *seed = PyLong_AsUnsignedLongLong(number);
    return *seed != UINT64_MAX || !PyErr_Occurred();
}

static bool check_arguments(const char *name, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return true;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, got %zd", name, wanted, count);
    return false;
}

/* A call's list and where its answer goes. The buffer comes first: getting it may run Python code,
 * which may change the list. */
static bool open_call(PyObject *list, unsigned threads, PyObject *out, size_t a_row,
                      list_rows *opened, Py_buffer *buffer)
{
    if (PyObject_GetBuffer(out, buffer, PyBUF_CONTIG) != 0)
        return false;
    if (open_list(list, threads, opened)) {
        if ((size_t)buffer->len / a_row >= opened->rows.count)
            return true;
        PyErr_Format(PyExc_ValueError, "out: %zd bytes, want %zu for each of %zu rows",
                     buffer->len, a_row, opened->rows.count);
        Py_DECREF(opened->owner);
    }
    PyBuffer_Release(buffer);
    return false;
}

static shimhub_status digest(const shimhub_rows *rows, shimhub_digest_kind kind, uint64_t seed,
                             unsigned threads, uint8_t *digests, size_t *bad)
{
    shimhub_status status;
    if (threads == 1)
        return shimhub_digest_rows(rows, kind, seed, threads, digests, bad);
    Py_BEGIN_ALLOW_THREADS
    status = shimhub_digest_rows(rows, kind, seed, threads, digests, bad);
    Py_END_ALLOW_THREADS
    return status;
}

static PyObject *digest_error(shimhub_status status, const list_rows *list, size_t bad)
{
    if (status == SHIMHUB_BAD_ARGUMENT)
        return PyErr_Format(PyExc_TypeError, "data[%zu]: %s, want str or bytes", bad,
                            Py_TYPE(list->items.items[bad])->tp_name);
    if (status == SHIMHUB_BAD_FORMAT)
        return PyErr_Format(PyExc_ValueError,
                            "data[%zu]: a lone surrogate, which has no UTF-8; encode the rows "
                            "yourself, or replace it",
                            bad);
    return memory_error_or(status, "the rows have no digests");
}

/* digest_list(list, kind, seed, threads, out): the digests of its str (as UTF-8) and bytes. */
static PyObject *digest_list(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    unsigned kind, threads;
    uint64_t seed;
    size_t bad = 0;
    Py_buffer out;
    list_rows list;
    if (!check_arguments("digest_list", count, 5) || !to_unsigned(args[1], &kind) ||
        !to_seed(args[2], &seed) || !to_unsigned(args[3], &threads))
        return NULL;
    if (!open_call(args[0], threads, args[4], kind == SHIMHUB_SHA256 ? 32 : 16, &list, &out))
        return NULL;
    list.rows.view = view_utf8;
    shimhub_status status = digest(&list.rows, kind, seed, threads, out.buf, &bad);
#if PY_VERSION_HEX < 0x030c0000
    if (status == SHIMHUB_BAD_ARGUMENT && make_ready(&list.items))
        status = digest(&list.rows, kind, seed, threads, out.buf, &bad);
#endif
    PyObject *result = status == SHIMHUB_OK ? Py_NewRef(Py_None)
                                            : digest_error(status, &list, bad);
    PyBuffer_Release(&out);
    Py_DECREF(list.owner);
    return result;
}

static shimhub_status dedup(const shimhub_rows *rows, bool exact, uint64_t seed, unsigned threads,
                            int64_t *kept, size_t *kept_count)
{
    shimhub_status status;
    if (threads == 1)
        return shimhub_dedup_rows(rows, shimhub_xxh3_128, exact, seed, threads, kept, kept_count);
    Py_BEGIN_ALLOW_THREADS
    status = shimhub_dedup_rows(rows, shimhub_xxh3_128, exact, seed, threads, kept, kept_count);
    Py_END_ALLOW_THREADS
    return status;
}

/* deduplicate_list(list, exact, seed, threads, out): how many int64 it wrote to out; None if the
 * list has objects that are neither str nor bytes. */
static PyObject *deduplicate_list(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    unsigned threads;
    uint64_t seed;
    size_t kept_count = 0;
    Py_buffer out;
    list_rows list;
    if (!check_arguments("deduplicate_list", count, 5) || !to_seed(args[2], &seed) ||
        !to_unsigned(args[3], &threads))
        return NULL;
    if (!open_call(args[0], threads, args[4], sizeof(int64_t), &list, &out))
        return NULL;
    bool exact = args[1] == Py_True;
    shimhub_status status = dedup(&list.rows, exact, seed, threads, out.buf, &kept_count);
#if PY_VERSION_HEX < 0x030c0000
    if (status == SHIMHUB_BAD_ARGUMENT && make_ready(&list.items))
        status = dedup(&list.rows, exact, seed, threads, out.buf, &kept_count);
#endif
    PyBuffer_Release(&out);
    Py_DECREF(list.owner);
    if (status == SHIMHUB_OK)
        return PyLong_FromSize_t(kept_count);
    if (status == SHIMHUB_BAD_ARGUMENT)
        Py_RETURN_NONE;
    return memory_error_or(status, "data: 2^32 - 1 rows or more");
}

static PyObject *hex_of(const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    PyObject *text = PyUnicode_New((Py_ssize_t)(2 * size), 127);
    if (text == NULL)
        return NULL;
    Py_UCS1 *to = PyUnicode_1BYTE_DATA(text);
    for (size_t i = 0; i < size; i++) {
        to[2 * i] = (Py_UCS1)digits[bytes[i] >> 4];
        to[2 * i + 1] = (Py_UCS1)digits[bytes[i] & 15];
    }
    return text;
}

static PyObject *hex_list(const uint8_t *bytes, size_t rows, size_t size)
{
    PyObject *list = PyList_New((Py_ssize_t)rows);
    for (size_t i = 0; list != NULL && i < rows; i++) {
        PyObject *text = hex_of(bytes + i * size, size);
        if (text == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, text);
    }
    return list;
}

/* hex_rows(buffer, size): each `size` bytes of the buffer as a str of 2 * size digits. */
static PyObject *hex_rows(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    unsigned size;
    Py_buffer buffer;
    if (!check_arguments("hex_rows", count, 2) || !to_unsigned(args[1], &size))
        return NULL;
    if (size == 0) {
        PyErr_SetString(PyExc_ValueError, "size: 0, want at least 1");
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &buffer, PyBUF_CONTIG_RO) != 0)
        return NULL;
    PyObject *list = hex_list(buffer.buf, (size_t)buffer.len / size, size);
    PyBuffer_Release(&buffer);
    return list;
}

PyMethodDef shimhub_py_dedup_methods[] = {
    {"digest_list", (PyCFunction)(void (*)(void))digest_list, METH_FASTCALL, NULL},
    {"deduplicate_list", (PyCFunction)(void (*)(void))deduplicate_list, METH_FASTCALL, NULL},
    {"hex_rows", (PyCFunction)(void (*)(void))hex_rows, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
