/* Record batches of Arrow IPC: their FlatBuffers, and the arrays that these tell of. */
#include "shimhub/ipc.h"

#include <string.h>

#include "columns.h"
#include "flatbuffers.h"

/* Of Message.fbs and Schema.fbs. */
enum { VERSION = 0, HEADER_TYPE = 1, HEADER = 2, BODY_LENGTH = 3 };
enum { LENGTH = 0, NODES = 1, BUFFERS = 2, COMPRESSION = 3 };
#define RECORD_BATCH 3
#define V5 4 /* of Arrow 1.0 and later; V4 had another way to tell that it is compressed */
#define PAIR 16 /* bytes of a FieldNode and of a Buffer: two numbers of 64 bits */
#define CONTINUATION UINT32_C(0xffffffff)

/* A batch as its message tells it, and how many of its arrays and buffers were taken. */
typedef struct {
    const shimhub_ipc_field *fields;
    size_t count, field, node, buffer;
    shimhub_vector nodes, buffers;
    const uint8_t *body;
    int64_t body_size, rows, most;
} walk;

static int64_t number_of(shimhub_vector vector, size_t i, size_t half)
{
    int64_t value;
    memcpy(&value, vector.at + PAIR * i + 8 * half, sizeof value);
    return value;
}

/* Buffer i of the message; false if it lies outside of the body. */
static bool buffer_at(const walk *w, size_t i, shimhub_buffer *buffer)
{
    if (i >= w->buffers.count)
        return false;
    int64_t offset = number_of(w->buffers, i, 0), length = number_of(w->buffers, i, 1);
    if (offset < 0 || length < 0 || length > w->body_size || offset > w->body_size - length)
        return false;
    *buffer = (shimhub_buffer){length > 0 ? w->body + offset : NULL, length};
    return true;
}

static bool take_buffer(walk *w, shimhub_buffer *buffer)
{
    return buffer_at(w, w->buffer++, buffer);
}

static int64_t ones(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (int64_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

static int64_t count_valid(const uint8_t *bits, int64_t rows)
{
    int64_t found = 0, row = 0;
    for (; rows - row >= 64; row += 64) {
        uint64_t word;
        memcpy(&word, bits + row / 8, sizeof word);
        found += ones(word);
    }
    for (; row < rows; row++)
        found += shimhub_bit(bits, row);
    return found;
}

/* Where no row is null Arrow does not look at the buffer, so it may hold anything. */
static bool take_validity(walk *w, int64_t rows, int64_t nulls)
{
    shimhub_buffer bits;
    if (!take_buffer(w, &bits))
        return false;
    if (nulls == 0)
        return true;
    return nulls > 0 && nulls <= rows && (rows - 1) / 8 < bits.size &&
           count_valid(bits.data, rows) == rows - nulls;
}

/* Whether a column of these buffers alone is right; of lists, the child's rows are as bytes. */
static bool is_right(const shimhub_ipc_field *field, int64_t rows, shimhub_buffer offsets,
                     shimhub_buffer data)
{
    bool has_offsets = field->kind == SHIMHUB_COLUMN_BINARY || field->kind == SHIMHUB_COLUMN_LIST;
    shimhub_column column = {
        .kind = has_offsets ? SHIMHUB_COLUMN_BINARY : field->kind,
        .width = field->width,
        .length = rows,
        .offsets = offsets,
        .data = data,
    };
    int64_t row;
    return shimhub_column_check(&column, &row) == SHIMHUB_OK;
}

static bool take_array(walk *w, int depth, int64_t *rows);

static bool take_list(walk *w, const shimhub_ipc_field *field, int depth, int64_t rows)
{
    shimhub_buffer offsets;
    int64_t child;
    return field->children == 1 && take_buffer(w, &offsets) && take_array(w, depth + 1, &child) &&
           is_right(field, rows, offsets, (shimhub_buffer){w->body, child});
}

static bool take_fixed_list(walk *w, const shimhub_ipc_field *field, int depth, int64_t rows)
{
    int64_t child;
    return field->children == 1 && field->width >= 0 && take_array(w, depth + 1, &child) &&
           (field->width == 0 || rows <= child / field->width);
}

static bool take_struct(walk *w, const shimhub_ipc_field *field, int depth, int64_t rows)
{
    for (int32_t i = 0; i < field->children; i++) {
        int64_t child;
        if (!take_array(w, depth + 1, &child) || child != rows)
            return false;
    }
    return true;
}

static bool take_values(walk *w, const shimhub_ipc_field *field, int depth, int64_t rows)
{
    shimhub_buffer offsets = {NULL, 0}, data;
    switch (field->kind) {
    case SHIMHUB_COLUMN_FIXED:
    case SHIMHUB_COLUMN_BOOL:
        return take_buffer(w, &data) && is_right(field, rows, offsets, data);
    case SHIMHUB_COLUMN_BINARY:
        return take_buffer(w, &offsets) && take_buffer(w, &data) &&
               is_right(field, rows, offsets, data);
    case SHIMHUB_COLUMN_LIST:
        return take_list(w, field, depth, rows);
    case SHIMHUB_COLUMN_FIXED_LIST:
        return take_fixed_list(w, field, depth, rows);
    case SHIMHUB_COLUMN_STRUCT:
        return take_struct(w, field, depth, rows);
    default:
        return false;
    }
}

/* The next array, with all that is in it; false if it is not right. */
static bool take_array(walk *w, int depth, int64_t *rows)
{
    if (depth >= SHIMHUB_COLUMN_DEPTH || w->field >= w->count || w->node >= w->nodes.count)
        return false;
    const shimhub_ipc_field *field = &w->fields[w->field++];
    int64_t length = number_of(w->nodes, w->node, 0), nulls = number_of(w->nodes, w->node, 1);
    w->node++;
    if (length < 0 || length == INT64_MAX)
        return false;
    if (length > w->most)
        w->most = length;
    *rows = length;
    if (field->kind == SHIMHUB_COLUMN_NULL)
        return nulls == length;
    return take_validity(w, length, nulls) && take_values(w, field, depth, length);
}

/* Whether the arrays are those of the fields, right, and all that there is. */
static bool take_columns(walk *w)
{
    while (w->field < w->count) {
        int64_t rows;
        if (!take_array(w, 0, &rows) || rows != w->rows)
            return false;
    }
    return w->node == w->nodes.count && w->buffer == w->buffers.count;
}

static void count_most(walk *w)
{
    for (size_t i = 0; i < w->nodes.count; i++) {
        int64_t length = number_of(w->nodes, i, 0);
        if (length > w->most)
            w->most = length;
    }
}

/* What compressed buffers say they become: each begins with that, -1 if it was left as it is. */
static bool count_decoded(walk *w, int64_t *decoded)
{
    *decoded = 0;
    for (size_t i = 0; i < w->buffers.count; i++) {
        shimhub_buffer buffer;
        int64_t told;
        if (!buffer_at(w, i, &buffer))
            return false;
        if (buffer.size < (int64_t)sizeof told)
            continue;
        memcpy(&told, buffer.data, sizeof told);
        told = told > buffer.size ? told : buffer.size;
        if (told > INT64_MAX - *decoded)
            return false;
        *decoded += told;
    }
    return true;
}

/* Whether the numbers of the batch's table are there and make sense. */
static bool open_batch(walk *w, const shimhub_table *batch)
{
    w->rows = shimhub_table_i64(batch, LENGTH);
    w->most = w->rows;
    return w->rows >= 0 && shimhub_table_vector(batch, NODES, PAIR, &w->nodes) &&
           shimhub_table_vector(batch, BUFFERS, PAIR, &w->buffers);
}

static bool read_batch(walk *w, const shimhub_table *batch, shimhub_ipc_batch_found *found)
{
    if (!open_batch(w, batch))
        return false;
    found->is_compressed = shimhub_table_has(batch, COMPRESSION);
    found->decoded = w->body_size;
    if (found->is_compressed) {
        count_most(w);
        if (!count_decoded(w, &found->decoded))
            return false;
    } else if (!take_columns(w)) {
        return false;
    }
    found->rows = w->rows;
    found->most = w->most;
    return true;
}

/* The metadata of the message at a place; its end is where the body begins. */
static bool metadata_at(const uint8_t *data, size_t size, int64_t place, shimhub_span *metadata)
{
    uint32_t words[2];
    size_t at = (size_t)place;
    if (place < 0 || at > size || size - at < sizeof words)
        return false;
    memcpy(words, data + at, sizeof words);
    /* Before Arrow 0.15 there was no continuation. */
    size_t prefix = words[0] == CONTINUATION ? 8 : 4;
    metadata->size = words[prefix / 8];
    metadata->at = data + at + prefix;
    return metadata->size <= size - at - prefix;
}

shimhub_status shimhub_ipc_batch(const uint8_t *data, size_t size, int64_t at,
                                 const shimhub_ipc_field *fields, size_t count,
                                 shimhub_ipc_batch_found *found)
{
    if (data == NULL || size > PTRDIFF_MAX || (fields == NULL && count > 0) || found == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    shimhub_span metadata;
    shimhub_table message, batch;
    if (!metadata_at(data, size, at, &metadata) || !shimhub_table_root(metadata, &message) ||
        shimhub_table_i16(&message, VERSION) != V5 ||
        shimhub_table_u8(&message, HEADER_TYPE) != RECORD_BATCH ||
        !shimhub_table_child(&message, HEADER, &batch))
        return SHIMHUB_BAD_FORMAT;
    const uint8_t *body = metadata.at + metadata.size;
    int64_t body_size = shimhub_table_i64(&message, BODY_LENGTH);
    if (body_size < 0 || body_size > data + size - body)
        return SHIMHUB_BAD_FORMAT;
    walk w = {.fields = fields, .count = count, .body = body, .body_size = body_size};
    shimhub_ipc_batch_found told;
    if (!read_batch(&w, &batch, &told))
        return SHIMHUB_BAD_FORMAT;
    told.end = body + body_size - data;
    *found = told;
    return SHIMHUB_OK;
}
