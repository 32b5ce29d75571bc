/* Record batches of Arrow IPC in memory: whether all that one tells lies within its message. */
#ifndef SHIMHUB_IPC_H
#define SHIMHUB_IPC_H

#include <stdbool.h>

#include "columns.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A field of a schema; its children follow it, each with its own. */
typedef struct {
    int32_t kind; /* shimhub_column_kind; FIXED is FLOAT, too */
    int32_t children;
    int64_t width; /* as in shimhub_column */
} shimhub_ipc_field;

typedef struct {
    int64_t end;     /* behind the message: where the next one begins */
    int64_t rows;    /* of the batch */
    int64_t most;    /* rows of the longest array, nested ones too */
    int64_t decoded; /* bytes of the body; if it is compressed, of what that says it becomes */
    bool is_compressed;
} shimhub_ipc_batch_found;

/* The record batch whose message begins at byte `at` of a file or stream in memory.
 *
 * https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format: metadata is a
 * FlatBuffer of Message.fbs, little-endian, with the arrays' lengths and their buffers' places.
 * OK means certain: the message is whole, it has the fields' arrays and no other, their buffers lie
 * within its body and hold their rows, offsets rise within what they point into, and as many rows
 * are null as it says. Of a compressed batch the message and the places of the buffers are looked
 * at, no array. BAD_FORMAT means that something of that is not so, or is not known here.
 * O(rows) over offsets and validity. */
SHIMHUB_API shimhub_status shimhub_ipc_batch(const uint8_t *data, size_t size, int64_t at,
                                             const shimhub_ipc_field *fields, size_t count,
                                             shimhub_ipc_batch_found *found);

#ifdef __cplusplus
}
#endif

#endif
