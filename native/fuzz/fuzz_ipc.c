/* Any bytes as the message of a record batch, of any fields: nothing is read outside of them. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

#define FIELDS_MOST 15

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take_fields(const uint8_t *data, size_t size, shimhub_ipc_field *fields)
{
    static const int64_t widths[] = {4, 8, 1, 2, 0, 3, INT64_MAX, -1};
    size_t count = data[0] % (FIELDS_MOST + 1);
    if (2 * count >= size)
        return 0;
    for (size_t i = 0; i < count; i++)
        fields[i] = (shimhub_ipc_field){data[1 + 2 * i] % 9, data[2 + 2 * i] >> 4 & 3,
                                        widths[data[2 + 2 * i] & 7]};
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shimhub_ipc_field fields[FIELDS_MOST];
    shimhub_ipc_batch_found found;
    if (size == 0)
        return 0;
    size_t count = take_fields(data, size, fields);
    data += 1 + 2 * count;
    size -= 1 + 2 * count;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    shimhub_status status = shimhub_ipc_batch(copy, size, 0, fields, count, &found);
    if (status != SHIMHUB_OK && status != SHIMHUB_BAD_FORMAT)
        abort();
    if (status == SHIMHUB_OK && (found.end < 8 || (size_t)found.end > size || found.rows < 0))
        abort();
    free(copy);
    return 0;
}
