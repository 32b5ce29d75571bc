/* What every test file needs. */
#ifndef SHIMHUB_CHECK_H
#define SHIMHUB_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shimhub.h"

extern int failures;

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: %s (lanes %#x)\n", __FILE__, __LINE__, #condition,         \
                    (unsigned)shimhub_lanes());                                                \
            failures++;                                                                        \
        }                                                                                      \
    } while (0)

/* A small generator, so that tests are the same everywhere (SplitMix64, Steele et al. 2014). */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void test_core(void);
void test_columns(void);
void test_dedup(void);
void test_hash(void);
void test_ipc(void);
void test_linalg(void);
void test_lines(void);
void test_list_ends(void);
void test_losses(void);
void test_minhash(void);
void test_pack(void);
void test_pad(void);
void test_repr(void);

#endif
