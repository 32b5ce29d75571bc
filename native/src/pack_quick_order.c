/* Longest first, by a quicksort whose steps, and so the order of equal lengths, are given: pivots
 * are the median of three, small ranges are sorted by insertion. */
#include "lanes.h"
#include "shimhub/pack.h"

/* Ranges of so many places and fewer are sorted by insertion. */
enum { SMALL = 15, DEPTH = 64 };

struct range {
    int64_t low, high; /* both are in it */
};

struct places {
    const int64_t *lengths; /* of the part */
    uint32_t *of;
};

static inline int64_t value(const struct places *places, int64_t at)
{
    return places->lengths[places->of[at]];
}

static inline void swap(uint32_t *of, int64_t one, int64_t other)
{
    uint32_t kept = of[one];
    of[one] = of[other];
    of[other] = kept;
}

static inline void put_in_order(const struct places *places, int64_t one, int64_t other)
{
    if (value(places, other) < value(places, one))
        swap(places->of, one, other);
}

static void insert_all(const struct places *places, struct range range)
{
    for (int64_t at = range.low + 1; at <= range.high; at++) {
        uint32_t place = places->of[at];
        int64_t to = at;
        for (; to > range.low && places->lengths[place] < value(places, to - 1); to--)
            places->of[to] = places->of[to - 1];
        places->of[to] = place;
    }
}

/* Shorter ones before the pivot, longer ones behind; returns where it is. */
static int64_t partition(const struct places *places, struct range range)
{
    int64_t low = range.low, high = range.high, middle = (low + high) / 2;
    put_in_order(places, low, middle);
    put_in_order(places, middle, high);
    put_in_order(places, low, middle);
    int64_t pivot = value(places, middle), left = low, right = high - 1;
    swap(places->of, middle, high);
    for (;; left++, right--) {
        while (left < high && value(places, left) < pivot)
            left++;
        while (right >= low && pivot < value(places, right))
            right--;
        if (left >= right)
            break;
        swap(places->of, left, right);
    }
    swap(places->of, left, high);
    return left;
}

/* The larger side waits: so no more than the logarithm of all places do. */
static void sort(const struct places *places, int64_t count)
{
    struct range waiting[DEPTH];
    unsigned depth = 0;
    waiting[depth++] = (struct range){0, count - 1};
    while (depth > 0) {
        struct range range = waiting[--depth];
        while (range.high - range.low >= SMALL) {
            int64_t at = partition(places, range);
            if (range.high - at > at - range.low) {
                waiting[depth++] = (struct range){at + 1, range.high};
                range.high = at - 1;
            } else {
                waiting[depth++] = (struct range){range.low, at - 1};
                range.low = at + 1;
            }
        }
        insert_all(places, range);
    }
}

static void order_part(const int64_t *lengths, int64_t first, int64_t count, uint32_t *order)
{
    struct places places = {lengths + first, order + first};
    for (int64_t i = 0; i < count; i++)
        places.of[i] = (uint32_t)i;
    sort(&places, count);
    for (int64_t i = 0; i < count / 2; i++)
        swap(places.of, i, count - 1 - i);
    for (int64_t i = 0; i < count; i++)
        places.of[i] += (uint32_t)first;
}

shimhub_status shimhub_quick_order(const int64_t *lengths, const int64_t *offsets, int64_t parts,
                                   uint32_t *order)
{
    if (offsets == NULL || parts < 0 || offsets[0] != 0)
        return SHIMHUB_BAD_ARGUMENT;
    for (int64_t part = 0; part < parts; part++) {
        if (offsets[part + 1] < offsets[part])
            return SHIMHUB_BAD_OFFSETS;
    }
    if (offsets[parts] > UINT32_MAX - 1)
        return SHIMHUB_OVERFLOW;
    if (offsets[parts] > 0 && (lengths == NULL || order == NULL))
        return SHIMHUB_BAD_ARGUMENT;
    for (int64_t part = 0; part < parts; part++)
        order_part(lengths, offsets[part], offsets[part + 1] - offsets[part], order);
    return SHIMHUB_OK;
}
