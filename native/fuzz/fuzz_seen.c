/* Files of a set of digests: arbitrary bytes, as they are and with a right checksum. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void parse(const uint8_t *bytes, size_t size)
{
    shimhub_seen *seen = NULL;
    shimhub_status status = shimhub_seen_parse(bytes, size, 1, &seen);
    expect((status == SHIMHUB_OK) == (seen != NULL));
    if (seen == NULL)
        return;
    size_t count = shimhub_seen_count(seen), fresh = 0;
    int64_t *kept = malloc((count + 1) * sizeof *kept);
    expect(size == 24 + 32 * count + 32);
    expect(count == 0 || memcmp(shimhub_seen_digests(seen), bytes + 24, 32 * count) == 0);
    expect(shimhub_seen_add(seen, bytes + 24, count, kept, &fresh) == SHIMHUB_OK);
    expect(fresh == 0);
    free(kept);
    shimhub_seen_free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    parse(bytes, size);
    /* The first byte chooses what is put right, so that the rest of the parser is reached. */
    if (size < 1 + 24)
        return 0;
    uint8_t *file = malloc(size - 1 + 32);
    memcpy(file, bytes + 1, size - 1);
    if (bytes[0] & 1)
        memcpy(file, "shimseen\1\0\0\0\x20\0\0", 16);
    if (bytes[0] & 2) {
        uint64_t count = (size - 1 - 24) / 32;
        for (int i = 0; i < 8; i++)
            file[16 + i] = (uint8_t)(count >> 8 * i);
    }
    shimhub_bytes message = {file, size - 1};
    expect(shimhub_sha256(&message, 1, file + size - 1) == SHIMHUB_OK);
    parse(file, size - 1 + 32);
    free(file);
    return 0;
}
