/* Private: words in memory, in either byte order, and what C has no operator for. */
#ifndef SHIMHUB_WORDS_H
#define SHIMHUB_WORDS_H

#include <stdint.h>
#include <string.h>

/* An address may lie behind its object: it is a number here. */
#if defined(__GNUC__)
#define SHIMHUB_PREFETCH_AT(address, ahead)                                                    \
    __builtin_prefetch((const void *)((uintptr_t)(address) + (ahead)))
#define SHIMHUB_INLINE static inline __attribute__((always_inline))
#else
#define SHIMHUB_PREFETCH_AT(address, ahead) ((void)(address))
#define SHIMHUB_INLINE static inline
#endif

/* Before a loop of up to 16: its indices become constants, and arrays registers. */
#if defined(__clang__)
#define SHIMHUB_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define SHIMHUB_UNROLL _Pragma("GCC unroll 16")
#else
#define SHIMHUB_UNROLL
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SHIMHUB_BIG_ENDIAN 1
#else
#define SHIMHUB_BIG_ENDIAN 0
#endif

SHIMHUB_INLINE uint32_t rotate_left32(uint32_t x, unsigned bits) /* 0 < bits < 32 */
{
    return x << bits | x >> (32 - bits);
}

SHIMHUB_INLINE uint64_t rotate_left64(uint64_t x, unsigned bits) /* 0 < bits < 64 */
{
    return x << bits | x >> (64 - bits);
}

SHIMHUB_INLINE uint32_t swap32(uint32_t x)
{
#if defined(__GNUC__)
    return __builtin_bswap32(x);
#else
    return x << 24 | (x << 8 & 0xff0000) | (x >> 8 & 0xff00) | x >> 24;
#endif
}

SHIMHUB_INLINE uint64_t swap64(uint64_t x)
{
    return (uint64_t)swap32((uint32_t)x) << 32 | swap32((uint32_t)(x >> 32));
}

/* x is not 0. */
SHIMHUB_INLINE unsigned trailing_zeros64(uint64_t x)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(x);
#else
    unsigned count = 0;
    for (; !(x & 1); x >>= 1)
        count++;
    return count;
#endif
}

SHIMHUB_INLINE uint32_t load_le32(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return SHIMHUB_BIG_ENDIAN ? swap32(word) : word;
}

SHIMHUB_INLINE uint64_t load_le64(const void *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return SHIMHUB_BIG_ENDIAN ? swap64(word) : word;
}

SHIMHUB_INLINE uint32_t load_be32(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return SHIMHUB_BIG_ENDIAN ? word : swap32(word);
}

SHIMHUB_INLINE void store_le32(void *to, uint32_t word)
{
    if (SHIMHUB_BIG_ENDIAN)
        word = swap32(word);
    memcpy(to, &word, sizeof word);
}

SHIMHUB_INLINE void store_le64(void *to, uint64_t word)
{
    if (SHIMHUB_BIG_ENDIAN)
        word = swap64(word);
    memcpy(to, &word, sizeof word);
}

SHIMHUB_INLINE void store_be32(void *to, uint32_t word)
{
    if (!SHIMHUB_BIG_ENDIAN)
        word = swap32(word);
    memcpy(to, &word, sizeof word);
}

/* The low half of the product of x and y; *high gets the other one. */
SHIMHUB_INLINE uint64_t multiply128(uint64_t x, uint64_t y, uint64_t *high)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)x * y;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t low_low = (x & UINT32_MAX) * (y & UINT32_MAX);
    uint64_t high_low = (x >> 32) * (y & UINT32_MAX);
    uint64_t low_high = (x & UINT32_MAX) * (y >> 32);
    uint64_t middle = (low_low >> 32) + (high_low & UINT32_MAX) + low_high;
    *high = (x >> 32) * (y >> 32) + (high_low >> 32) + (middle >> 32);
    return middle << 32 | (low_low & UINT32_MAX);
#endif
}

#endif
