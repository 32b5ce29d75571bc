/* MinHash in plain C11. */
#include "minhash.h"

enum { GROUP = 16 }; /* permutations that stay in registers */

static void update_group(const uint32_t *hashes, size_t count, const uint32_t *a, const uint32_t *b,
                         uint32_t *least)
{
    uint32_t found[GROUP];
    for (unsigned p = 0; p < GROUP; p++)
        found[p] = least[p];
    for (size_t i = 0; i < count; i++) {
        for (unsigned p = 0; p < GROUP; p++) {
            uint32_t value = a[p] * hashes[i] + b[p];
            found[p] = value < found[p] ? value : found[p];
        }
    }
    for (unsigned p = 0; p < GROUP; p++)
        least[p] = found[p];
}

void shimhub_minhash_update_portable(const uint32_t *hashes, size_t count, const uint32_t *a,
                                     const uint32_t *b, uint32_t *least, size_t num_perm)
{
    size_t p = 0;
    for (; num_perm - p >= GROUP; p += GROUP)
        update_group(hashes, count, a + p, b + p, least + p);
    for (; p < num_perm; p++) {
        for (size_t i = 0; i < count; i++) {
            uint32_t value = a[p] * hashes[i] + b[p];
            least[p] = value < least[p] ? value : least[p];
        }
    }
}
