/* SHA-256 in plain C11. */
#include "sha256_scalar.h"

void shimhub_sha256_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        sha256_compress(state, data + SHA256_BLOCK * i);
}
