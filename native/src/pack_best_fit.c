/* Best fit: items come longest first, each into the bin with least room that takes it; of bins with
 * the same room, into the one that has had it longest. */
#include <stdlib.h>

#include "pack_group.h"

/* Up to this capacity bins wait in a queue for each amount of room, and a bitmap tells which
 * queues have one. Above, that would be more memory than bins: there, heaps. */
#define MAX_QUEUES (INT32_C(1) << 20)
#define NO_ROOM UINT32_MAX

enum { WORD = 64, LEVELS = 4 /* 64^4 > MAX_QUEUES */ };

static inline unsigned lowest_bit(uint64_t word)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(word);
#else
    unsigned bit = 0;
    while (!(word >> bit & 1))
        bit++;
    return bit;
#endif
}

struct queues {
    struct {
        uint32_t head, tail; /* bins; only valid where the bitmap says so */
    } *of;                   /* by room */
    uint32_t *next;          /* by bin */
    uint64_t *bits;
    uint64_t *levels[LEVELS]; /* a bit for each word of the level below */
    uint32_t words[LEVELS];
};

static shimhub_status make_queues(struct queues *queues, uint32_t capacity, uint32_t bins)
{
    size_t total = 0, below = capacity;
    for (unsigned k = 0; k < LEVELS; k++) {
        below = (below + WORD - 1) / WORD;
        queues->words[k] = (uint32_t)below;
        total += below;
    }
    queues->of = malloc(capacity * sizeof *queues->of);
    queues->next = malloc(bins * sizeof *queues->next);
    queues->bits = calloc(total, sizeof *queues->bits);
    if (queues->of == NULL || queues->next == NULL || queues->bits == NULL)
        return SHIMHUB_NO_MEMORY;
    uint64_t *at = queues->bits;
    for (unsigned k = 0; k < LEVELS; at += queues->words[k++])
        queues->levels[k] = at;
    return SHIMHUB_OK;
}

static void free_queues(struct queues *queues)
{
    free(queues->of);
    free(queues->next);
    free(queues->bits);
}

/* The least room of at least `size` that some bin has, or NO_ROOM. */
static inline uint32_t least_room(const struct queues *queues, uint32_t size)
{
    uint32_t at = size;
    for (unsigned k = 0; k < LEVELS && at / WORD < queues->words[k]; k++) {
        uint64_t word = queues->levels[k][at / WORD] & ~UINT64_C(0) << at % WORD;
        if (word != 0) {
            at = at / WORD * WORD + lowest_bit(word);
            while (k-- > 0)
                at = at * WORD + lowest_bit(queues->levels[k][at]);
            return at;
        }
        at = at / WORD + 1;
    }
    return NO_ROOM;
}

static inline uint32_t pop(struct queues *queues, uint32_t room)
{
    uint32_t bin = queues->of[room].head;
    if (bin != queues->of[room].tail) {
        queues->of[room].head = queues->next[bin];
        return bin;
    }
    for (unsigned k = 0; k < LEVELS; k++, room /= WORD) {
        if (queues->levels[k][room / WORD] &= ~(UINT64_C(1) << room % WORD))
            break;
    }
    return bin;
}

static inline void push(struct queues *queues, uint32_t room, uint32_t bin)
{
    if (queues->levels[0][room / WORD] >> room % WORD & 1) {
        queues->next[queues->of[room].tail] = bin;
        queues->of[room].tail = bin;
        return;
    }
    queues->of[room].head = queues->of[room].tail = bin;
    for (unsigned k = 0; k < LEVELS; k++, room /= WORD) {
        uint64_t before = queues->levels[k][room / WORD];
        queues->levels[k][room / WORD] = before | UINT64_C(1) << room % WORD;
        if (before != 0)
            break;
    }
}

static void put_queued(struct pack_group *group, struct queues *queues, uint32_t item)
{
    uint32_t size = group->sizes[item], bin;
    uint32_t room = size == SHIMHUB_OWN_BIN ? NO_ROOM : least_room(queues, size);
    if (room == NO_ROOM) {
        if (!shimhub_pack_open(group, item) || size == SHIMHUB_OWN_BIN)
            return;
        bin = group->bins - 1;
        room = (uint32_t)group->capacity;
    } else {
        bin = pop(queues, room);
        group->bin_of[item] = bin;
        group->counts[bin]++;
    }
    if (room > size && group->counts[bin] < group->max_items)
        push(queues, room - size, bin);
}

static shimhub_status best_fit_queued(struct pack_group *group)
{
    struct queues queues;
    shimhub_status status = make_queues(&queues, (uint32_t)group->capacity, group->count);
    for (uint32_t i = 0; status == SHIMHUB_OK && i < group->count; i++)
        put_queued(group, &queues, i);
    free_queues(&queues);
    return status;
}

/* A binary heap, least key first. A key is the room of a bin above the item that left it so: the
 * item tells both the bin and who waits longer. */
struct heap {
    uint64_t *keys;
    size_t count;
};

static void heap_push(struct heap *heap, uint64_t key)
{
    size_t at = heap->count++;
    for (; at > 0 && key < heap->keys[(at - 1) / 2]; at = (at - 1) / 2)
        heap->keys[at] = heap->keys[(at - 1) / 2];
    heap->keys[at] = key;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t least = heap->keys[0], last = heap->keys[--heap->count];
    size_t at = 0, child;
    for (; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && heap->keys[child + 1] < heap->keys[child])
            child++;
        if (last <= heap->keys[child])
            break;
        heap->keys[at] = heap->keys[child];
    }
    heap->keys[at] = last;
    return least;
}

/* `open` has the bins that take the present item, and so all that follow, least room first;
 * `small` the others, by the complements of their keys, most room first. */
static void put_heaped(struct pack_group *group, struct heap *open, struct heap *small,
                       uint32_t item)
{
    uint32_t size = group->sizes[item], bin, room;
    while (small->count > 0 && ~small->keys[0] >> 32 >= size)
        heap_push(open, ~heap_pop(small));
    if (size == SHIMHUB_OWN_BIN || open->count == 0) {
        if (!shimhub_pack_open(group, item) || size == SHIMHUB_OWN_BIN)
            return;
        bin = group->bins - 1;
        room = (uint32_t)group->capacity - size;
    } else {
        uint64_t key = heap_pop(open);
        bin = group->bin_of[(uint32_t)key];
        group->bin_of[item] = bin;
        group->counts[bin]++;
        room = (uint32_t)(key >> 32) - size;
    }
    uint64_t key = (uint64_t)room << 32 | item;
    if (room > 0 && group->counts[bin] < group->max_items)
        heap_push(room >= size ? open : small, room >= size ? key : ~key);
}

static shimhub_status best_fit_heaped(struct pack_group *group)
{
    struct heap open = {malloc(group->count * sizeof(uint64_t)), 0};
    struct heap small = {malloc(group->count * sizeof(uint64_t)), 0};
    shimhub_status status = open.keys && small.keys ? SHIMHUB_OK : SHIMHUB_NO_MEMORY;
    for (uint32_t i = 0; status == SHIMHUB_OK && i < group->count; i++)
        put_heaped(group, &open, &small, i);
    free(open.keys);
    free(small.keys);
    return status;
}

static shimhub_status best_fit(struct pack_group *group)
{
    if (group->count == 0)
        return SHIMHUB_OK;
    return group->capacity <= MAX_QUEUES ? best_fit_queued(group) : best_fit_heaped(group);
}

shimhub_status shimhub_pack_best_fit(struct pack_group *groups, unsigned count)
{
    shimhub_status status = SHIMHUB_OK;
    for (unsigned g = 0; status == SHIMHUB_OK && g < count; g++)
        status = best_fit(&groups[g]);
    return status;
}
