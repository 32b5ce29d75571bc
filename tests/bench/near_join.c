/* All pairs of sets whose Jaccard similarity is a threshold or more: prefix filter and inverted
 * index (Bayardo, Ma and Srikant 2007, https://doi.org/10.1145/1242572.1242591), exact.
 *
 * Sets come by rising size; a set's items are ranks, rarest first, so that the first
 * |x| - ceil(t |x|) + 1 of two sets that are similar enough share one. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static int64_t prefix(int64_t size, double threshold)
{
    return size == 0 ? 0 : size - (int64_t)ceil(threshold * (double)size - 1e-9) + 1;
}

static int64_t common(const uint32_t *a, int64_t na, const uint32_t *b, int64_t nb)
{
    int64_t i = 0, j = 0, found = 0;
    while (i < na && j < nb) {
        uint32_t x = a[i], y = b[j];
        found += x == y;
        i += x <= y;
        j += y <= x;
    }
    return found;
}

/* Lists of the sets that have an item in their prefix: list `item` is from heads[item] on. */
static int64_t *room(const uint32_t *items, const int64_t *starts, int64_t count, int64_t ranks,
                     double threshold)
{
    int64_t *heads = calloc((size_t)ranks + 1, sizeof *heads);
    if (heads == NULL)
        return NULL;
    for (int64_t x = 0; x < count; x++) {
        int64_t size = prefix(starts[x + 1] - starts[x], threshold);
        for (int64_t i = 0; i < size; i++)
            heads[items[starts[x] + i] + 1]++;
    }
    for (int64_t rank = 0; rank < ranks; rank++)
        heads[rank + 1] += heads[rank];
    return heads;
}

/* Returns how many pairs (x, y, similarity) there are, x < y; those beyond `most` are only
 * counted. -1 without memory. candidates[0] gets how many pairs were compared. */
int64_t near_join(const uint32_t *items, const int64_t *starts, int64_t count, int64_t ranks,
                  double threshold, int64_t most, int64_t *first, int64_t *second,
                  double *similarity, int64_t *candidates)
{
    int64_t *heads = room(items, starts, count, ranks, threshold);
    int64_t *begins = malloc(((size_t)ranks + 1) * sizeof *begins);
    int64_t *ends = malloc(((size_t)ranks + 1) * sizeof *ends);
    int64_t *lists = heads == NULL ? NULL : malloc(((size_t)heads[ranks] + 1) * sizeof *lists);
    int64_t *seen = malloc(((size_t)count + 1) * sizeof *seen);
    int64_t pairs = lists && begins && ends && seen ? 0 : -1;
    *candidates = 0;
    for (int64_t rank = 0; pairs == 0 && rank < ranks; rank++)
        begins[rank] = ends[rank] = heads[rank];
    for (int64_t x = 0; pairs == 0 && x < count; x++)
        seen[x] = -1;
    for (int64_t x = 0; pairs >= 0 && x < count; x++) {
        const uint32_t *mine = items + starts[x];
        int64_t size = starts[x + 1] - starts[x], head = prefix(size, threshold);
        for (int64_t i = 0; i < head; i++) {
            uint32_t rank = mine[i];
            while (begins[rank] < ends[rank]) { /* too small for this one and all after it */
                int64_t y = lists[begins[rank]];
                if ((double)(starts[y + 1] - starts[y]) >= threshold * (double)size - 1e-9)
                    break;
                begins[rank]++;
            }
            for (int64_t at = begins[rank]; at < ends[rank]; at++) {
                int64_t y = lists[at];
                if (seen[y] == x)
                    continue;
                seen[y] = x;
                ++*candidates;
                int64_t other = starts[y + 1] - starts[y];
                int64_t both = common(mine, size, items + starts[y], other);
                double found = (double)both / (double)(size + other - both);
                if (found < threshold)
                    continue;
                if (pairs < most) {
                    first[pairs] = y;
                    second[pairs] = x;
                    similarity[pairs] = found;
                }
                pairs++;
            }
        }
        for (int64_t i = 0; i < head; i++)
            lists[ends[mine[i]]++] = x;
    }
    free(heads), free(begins), free(ends), free(lists), free(seen);
    return pairs;
}
