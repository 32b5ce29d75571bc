/* The canonical encoding of rows: equal rows, and only those, have equal bytes.
 *
 * A run of n rows of a column is encoded as (numbers are little-endian, a count is 8 bytes):
 *   one byte: 0 all are valid, 1 some are, 2 none is, 3 there are no rows (n = 0);
 *   nothing else after 2 and 3; after 1, a byte 0 or 1 for each row;
 *   one byte, the kind, and then for
 *     1 fixed   the count of bytes a row, and each row's bytes, zeros where it is null
 *     2 float   the same; every NaN is the quiet one without sign or payload, -0.0 is 0.0
 *     3 bool    a byte 0 or 1 for each row, 0 where it is null
 *     4 binary  for each valid row the count of its bytes, and the bytes
 *     5 list    for each valid row the count of its values, and their run (fixed-size lists too)
 *     6 struct  for each valid row the count of its fields, and a run of 1 for each field
 * A row is a run of 1. Each part tells its own length, so no two values share an encoding.
 * shimhub/kernels/_reference/hashing.py writes the same. */
#include "columns.h"
#include "rows.h"

enum { ALL_VALID, SOME_VALID, NONE_VALID, EMPTY };
enum { FIXED = 1, FLOAT, BOOL, BINARY, LIST, STRUCT };

struct run {
    const shimhub_column *column;
    int64_t start, count;
    shimhub_arena *arena;
};

static bool put_byte(shimhub_arena *arena, unsigned byte)
{
    uint8_t *at = shimhub_arena_take(arena, 1);
    if (at != NULL)
        *at = (uint8_t)byte;
    return at != NULL;
}

static bool put_count(shimhub_arena *arena, int64_t count)
{
    uint8_t *at = shimhub_arena_take(arena, 8);
    for (int i = 0; at != NULL && i < 8; i++)
        at[i] = (uint8_t)((uint64_t)count >> 8 * i);
    return at != NULL;
}

static bool put_bytes(shimhub_arena *arena, const void *bytes, size_t count)
{
    uint8_t *at = shimhub_arena_take(arena, count);
    if (at != NULL && count > 0)
        memcpy(at, bytes, count);
    return at != NULL;
}

static bool valid(struct run run, int64_t i)
{
    return shimhub_column_valid(run.column, run.start + i);
}

static int validity(struct run run)
{
    if (run.count == 0)
        return EMPTY;
    if (run.column->kind == SHIMHUB_COLUMN_NULL)
        return NONE_VALID;
    if (run.column->validity.data == NULL)
        return ALL_VALID;
    int64_t found = 0;
    for (int64_t i = 0; i < run.count; i++)
        found += valid(run, i);
    return found == run.count ? ALL_VALID : found == 0 ? NONE_VALID : SOME_VALID;
}

static bool put_validity(struct run run, int found)
{
    if (!put_byte(run.arena, (unsigned)found))
        return false;
    if (found != SOME_VALID)
        return true;
    uint8_t *at = shimhub_arena_take(run.arena, (size_t)run.count);
    for (int64_t i = 0; at != NULL && i < run.count; i++)
        at[i] = valid(run, i);
    return at != NULL;
}

static const char *fixed_row(struct run run, int64_t i)
{
    return (const char *)run.column->data.data + (run.start + i) * run.column->width;
}

static uint8_t *put_fixed(struct run run, bool all)
{
    size_t width = (size_t)run.column->width;
    unsigned tag = run.column->kind == SHIMHUB_COLUMN_FLOAT ? FLOAT : FIXED;
    if (!put_byte(run.arena, tag) || !put_count(run.arena, run.column->width))
        return NULL;
    uint8_t *at = shimhub_arena_take(run.arena, (size_t)run.count * width);
    if (at == NULL || width == 0)
        return at;
    memcpy(at, fixed_row(run, 0), (size_t)run.count * width);
    for (int64_t i = 0; !all && i < run.count; i++) {
        if (!valid(run, i))
            memset(at + (size_t)i * width, 0, width);
    }
    return at;
}

/* `width` bytes of the machine's order, made canonical. */
static void make_canonical(uint8_t *at, size_t width)
{
    static const struct {
        uint64_t infinity, nan;
    } formats[] = {{0x7c00, 0x7e00},
                   {0x7f800000, 0x7fc00000},
                   {UINT64_C(0x7ff0000000000000), UINT64_C(0x7ff8000000000000)}};
    uint16_t half;
    uint32_t single;
    uint64_t bits = 0;
    if (width == 2)
        memcpy(&half, at, 2), bits = half;
    else if (width == 4)
        memcpy(&single, at, 4), bits = single;
    else
        memcpy(&bits, at, 8);
    unsigned format = width == 2 ? 0 : width == 4 ? 1 : 2;
    uint64_t magnitude = bits & (UINT64_MAX >> (65 - 8 * width));
    if (magnitude > formats[format].infinity)
        bits = formats[format].nan;
    else if (magnitude == 0)
        bits = 0;
    half = (uint16_t)bits;
    single = (uint32_t)bits;
    memcpy(at, width == 2 ? (void *)&half : width == 4 ? (void *)&single : (void *)&bits, width);
}

static bool put_float(struct run run, bool all)
{
    uint8_t *at = put_fixed(run, all);
    size_t width = (size_t)run.column->width;
    for (int64_t i = 0; at != NULL && i < run.count; i++)
        make_canonical(at + (size_t)i * width, width);
    return at != NULL;
}

static bool put_bool(struct run run)
{
    uint8_t *at = NULL;
    if (put_byte(run.arena, BOOL))
        at = shimhub_arena_take(run.arena, (size_t)run.count);
    for (int64_t i = 0; at != NULL && i < run.count; i++)
        at[i] = valid(run, i) && shimhub_bit(run.column->data.data, run.start + i);
    return at != NULL;
}

static bool put_binary(struct run run)
{
    bool ok = put_byte(run.arena, BINARY);
    for (int64_t i = 0; ok && i < run.count; i++) {
        if (!valid(run, i))
            continue;
        int64_t first = shimhub_column_offset(run.column, run.start + i);
        int64_t count = shimhub_column_offset(run.column, run.start + i + 1) - first;
        const char *data = run.column->data.data;
        ok = put_count(run.arena, count) &&
             (count == 0 || put_bytes(run.arena, data + first, (size_t)count));
    }
    return ok;
}

static bool put_list(struct run run)
{
    const shimhub_column *child = run.column->children;
    bool ok = put_byte(run.arena, LIST);
    for (int64_t i = 0; ok && i < run.count; i++) {
        if (!valid(run, i))
            continue;
        int64_t row = run.start + i, first = row * run.column->width, count = run.column->width;
        if (run.column->kind == SHIMHUB_COLUMN_LIST) {
            first = shimhub_column_offset(run.column, row);
            count = shimhub_column_offset(run.column, row + 1) - first;
        }
        ok = put_count(run.arena, count) &&
             shimhub_encode(child, child->offset + first, count, run.arena);
    }
    return ok;
}

static bool put_struct(struct run run)
{
    bool ok = put_byte(run.arena, STRUCT);
    for (int64_t i = 0; ok && i < run.count; i++) {
        if (!valid(run, i))
            continue;
        ok = put_count(run.arena, run.column->children_count);
        for (int32_t j = 0; ok && j < run.column->children_count; j++) {
            const shimhub_column *child = &run.column->children[j];
            ok = shimhub_encode(child, child->offset + run.start + i, 1, run.arena);
        }
    }
    return ok;
}

bool shimhub_encode(const shimhub_column *column, int64_t start, int64_t count,
                    shimhub_arena *arena)
{
    struct run run = {column, start, count, arena};
    int found = validity(run);
    if (!put_validity(run, found))
        return false;
    if (found == NONE_VALID || found == EMPTY)
        return true;
    switch (column->kind) {
    case SHIMHUB_COLUMN_FIXED:
        return put_fixed(run, found == ALL_VALID) != NULL;
    case SHIMHUB_COLUMN_FLOAT:
        return put_float(run, found == ALL_VALID);
    case SHIMHUB_COLUMN_BOOL:
        return put_bool(run);
    case SHIMHUB_COLUMN_BINARY:
        return put_binary(run);
    case SHIMHUB_COLUMN_LIST:
    case SHIMHUB_COLUMN_FIXED_LIST:
        return put_list(run);
    default:
        return put_struct(run);
    }
}
