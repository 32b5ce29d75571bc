/* First fit with AVX-512: a node is one vector. */
#include "pack_group.h"

#if SHIMHUB_X86_LANES
#include <immintrin.h>

#define FIRST_FIT shimhub_pack_first_fit_avx512
#define TARGET SHIMHUB_TARGET_AVX512

TARGET static inline uint32_t FIND(const int32_t *node, int32_t size)
{
    return _tzcnt_u32(_mm512_cmpge_epi32_mask(_mm512_load_si512(node), _mm512_set1_epi32(size)));
}

TARGET static inline void PUT(int32_t *node, uint32_t at, int32_t value)
{
    __m512i rooms = _mm512_load_si512(node);
    _mm512_store_si512(node, _mm512_mask_set1_epi32(rooms, (__mmask16)(1u << at), value));
}

TARGET static inline int32_t MAX(const int32_t *node)
{
    return _mm512_reduce_max_epi32(_mm512_load_si512(node));
}

#include "pack_first_fit.h"
#endif
