/* First fit in plain C. */
#include <stdint.h>

#define FIRST_FIT shimhub_pack_first_fit_portable
#define TARGET

static inline uint32_t FIND(const int32_t *node, int32_t size)
{
    uint32_t i = 0;
    while (i < 16 && node[i] < size)
        i++;
    return i;
}

static inline void PUT(int32_t *node, uint32_t at, int32_t value)
{
    node[at] = value;
}

static inline int32_t MAX(const int32_t *node)
{
    int32_t greatest = node[0];
    for (int i = 1; i < 16; i++)
        greatest = greatest < node[i] ? node[i] : greatest;
    return greatest;
}

#include "pack_first_fit.h"
