/* Private: an open-addressing table of entries 0 .. 2^32 - 2, by linear probing.
 *
 * A slot is 0 where it is free, else 32 bits of the entry's hash above the entry + 1. At most half
 * of the slots are taken, so every search ends. */
#ifndef SHIMHUB_TABLE_H
#define SHIMHUB_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SHIMHUB_TABLE_MAX UINT32_MAX

typedef struct {
    uint64_t *slots;
    size_t mask; /* the count of slots is a power of two */
} shimhub_table;

/* Slots for that many entries, at most SHIMHUB_TABLE_MAX; false if there is no memory. */
static inline bool shimhub_table_new(shimhub_table *table, size_t entries)
{
    size_t slots = 8;
    while (slots / 2 < entries)
        slots *= 2;
    table->slots = calloc(slots, sizeof *table->slots);
    table->mask = slots - 1;
    return table->slots != NULL;
}

static inline uint64_t shimhub_slot(uint64_t tag, size_t entry)
{
    return tag << 32 | (entry + 1);
}

static inline size_t shimhub_slot_entry(uint64_t slot)
{
    return (size_t)(slot & UINT32_MAX) - 1;
}

static inline bool shimhub_slot_has(uint64_t slot, uint64_t tag)
{
    return slot >> 32 == (tag & UINT32_MAX);
}

#endif
