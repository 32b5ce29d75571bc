/* Private: memory that grows, for rows that are made and not only found. */
#ifndef SHIMHUB_ARENA_H
#define SHIMHUB_ARENA_H

#include <stdint.h>
#include <stdlib.h>

/* Zero-initialise, and free `data` at the end. What it holds moves when it grows. */
typedef struct {
    uint8_t *data;
    size_t used, size;
} shimhub_arena;

/* `count` more bytes, or NULL if there is no memory. */
static inline uint8_t *shimhub_arena_take(shimhub_arena *arena, size_t count)
{
    if (count > arena->size - arena->used) {
        if (count > SIZE_MAX / 2 - arena->used)
            return NULL;
        size_t size = (arena->used + count) * 2;
        uint8_t *data = realloc(arena->data, size);
        if (data == NULL)
            return NULL;
        arena->data = data;
        arena->size = size;
    }
    uint8_t *taken = arena->data + arena->used;
    arena->used += count;
    return taken;
}

#endif
