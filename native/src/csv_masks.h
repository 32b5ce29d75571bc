/* Private: which bytes of CSV are quotes, and which end fields. */
#ifndef SHIMHUB_CSV_MASKS_H
#define SHIMHUB_CSV_MASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lanes.h"

/* Bit i of a mask is for byte i of 64. */
#define SHIMHUB_CSV_BLOCK 64

typedef struct {
    uint8_t delimiter;
    int32_t quote; /* -1: none */
} shimhub_csv_marks;

/* Of `blocks` times 64 bytes: quotes, and delimiters and what ends lines. Returns whether a byte is
 * no ASCII. */
typedef bool shimhub_csv_look(const uint8_t *from, size_t blocks, shimhub_csv_marks marks,
                              uint64_t *quotes, uint64_t *ends);

/* The quickest one that may run. */
shimhub_csv_look *shimhub_csv_looker(void);

bool shimhub_csv_look_avx2(const uint8_t *from, size_t blocks, shimhub_csv_marks marks,
                           uint64_t *quotes, uint64_t *ends);

#endif
