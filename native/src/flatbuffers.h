/* Private: FlatBuffers, as much of them as Arrow's headers need; nothing is read outside of them.
 *
 * https://flatbuffers.dev/internals/: a table begins with the distance back to its vtable: two
 * bytes for that one's size, two for the table's, and for each field where in the table it is. */
#ifndef SHIMHUB_SRC_FLATBUFFERS_H
#define SHIMHUB_SRC_FLATBUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    size_t size;
} shimhub_span;

typedef struct {
    shimhub_span data;
    size_t at, vtable, vtable_size;
} shimhub_table;

/* `count` structs from `at` on. */
typedef struct {
    const uint8_t *at;
    size_t count;
} shimhub_vector;

static inline bool shimhub_span_has(shimhub_span span, size_t at, size_t size)
{
    return size <= span.size && at <= span.size - size;
}

static inline bool shimhub_table_at(shimhub_span data, size_t at, shimhub_table *table)
{
    int32_t back;
    uint16_t size;
    if (!shimhub_span_has(data, at, sizeof back))
        return false;
    memcpy(&back, data.at + at, sizeof back);
    int64_t vtable = (int64_t)at - back;
    if (vtable < 0 || !shimhub_span_has(data, (size_t)vtable, sizeof size))
        return false;
    memcpy(&size, data.at + vtable, sizeof size);
    *table = (shimhub_table){data, at, (size_t)vtable, size};
    return size % 2 == 0 && shimhub_span_has(data, table->vtable, size);
}

/* Where a field of that many bytes is; 0 where it is not, or is damaged. */
static inline size_t shimhub_table_field(const shimhub_table *table, size_t field, size_t size)
{
    uint16_t slot;
    size_t at = 4 + 2 * field;
    if (at + sizeof slot > table->vtable_size)
        return 0;
    memcpy(&slot, table->data.at + table->vtable + at, sizeof slot);
    bool is_there = slot != 0 && shimhub_span_has(table->data, table->at + slot, size);
    return is_there ? table->at + slot : 0;
}

static inline bool shimhub_table_has(const shimhub_table *table, size_t field)
{
    return shimhub_table_field(table, field, 1) != 0;
}

/* A number; 0, which is the default of those we read, where it is not. */
static inline int64_t shimhub_table_i64(const shimhub_table *table, size_t field)
{
    int64_t value = 0;
    size_t at = shimhub_table_field(table, field, sizeof value);
    if (at != 0)
        memcpy(&value, table->data.at + at, sizeof value);
    return value;
}

static inline int16_t shimhub_table_i16(const shimhub_table *table, size_t field)
{
    int16_t value = 0;
    size_t at = shimhub_table_field(table, field, sizeof value);
    if (at != 0)
        memcpy(&value, table->data.at + at, sizeof value);
    return value;
}

static inline uint8_t shimhub_table_u8(const shimhub_table *table, size_t field)
{
    size_t at = shimhub_table_field(table, field, 1);
    return at != 0 ? table->data.at[at] : 0;
}

/* Where a field points; 0 where it is not. */
static inline size_t shimhub_table_pointed(const shimhub_table *table, size_t field)
{
    uint32_t distance;
    size_t at = shimhub_table_field(table, field, sizeof distance);
    if (at == 0)
        return 0;
    memcpy(&distance, table->data.at + at, sizeof distance);
    return at + distance;
}

static inline bool shimhub_table_child(const shimhub_table *table, size_t field,
                                       shimhub_table *child)
{
    size_t at = shimhub_table_pointed(table, field);
    return at != 0 && shimhub_table_at(table->data, at, child);
}

/* The vector of structs of `size` bytes; empty where the field is not. */
static inline bool shimhub_table_vector(const shimhub_table *table, size_t field, size_t size,
                                        shimhub_vector *vector)
{
    uint32_t count;
    size_t at = shimhub_table_pointed(table, field);
    *vector = (shimhub_vector){NULL, 0};
    if (at == 0)
        return true;
    if (!shimhub_span_has(table->data, at, sizeof count))
        return false;
    memcpy(&count, table->data.at + at, sizeof count);
    at += sizeof count;
    if (count > (table->data.size - at) / size)
        return false;
    *vector = (shimhub_vector){table->data.at + at, count};
    return true;
}

static inline bool shimhub_table_root(shimhub_span data, shimhub_table *table)
{
    uint32_t at;
    if (data.size < sizeof at)
        return false;
    memcpy(&at, data.at, sizeof at);
    return shimhub_table_at(data, at, table);
}

#endif
