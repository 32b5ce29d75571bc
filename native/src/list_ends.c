/* Where lists end: how long each one is, and its last value. */
#include "columns.h"
#include "words.h"

/* While one list's last value is read, that of the one so many places behind it is fetched. */
enum { AHEAD = 16 };

static int64_t signed_at(const char *from, int64_t width)
{
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case 1:
        return *(const int8_t *)from;
    case 2:
        memcpy(&two, from, sizeof two);
        return two;
    case 4:
        memcpy(&four, from, sizeof four);
        return four;
    default:
        memcpy(&eight, from, sizeof eight);
        return eight;
    }
}

static int64_t unsigned_at(const char *from, int64_t width)
{
    uint16_t two;
    uint32_t four;
    switch (width) {
    case 1:
        return *(const uint8_t *)from;
    case 2:
        memcpy(&two, from, sizeof two);
        return two;
    default:
        memcpy(&four, from, sizeof four);
        return four;
    }
}

/* Each width has its own loop: so compilers make them loops over vectors. */
static void take_lengths(const shimhub_column *list, int64_t *lengths)
{
    const char *at = (const char *)list->offsets.data + list->offset * list->width;
    if (list->width == 4) {
        for (int64_t i = 0; i < list->length; i++) {
            int32_t start, end;
            memcpy(&start, at + 4 * i, sizeof start);
            memcpy(&end, at + 4 * i + 4, sizeof end);
            lengths[i] = end - start;
        }
        return;
    }
    for (int64_t i = 0; i < list->length; i++) {
        int64_t start, end;
        memcpy(&start, at + 8 * i, sizeof start);
        memcpy(&end, at + 8 * i + 8, sizeof end);
        lengths[i] = end - start;
    }
}

/* Asks for the last value of a list; it may be empty. */
static void fetch(const shimhub_column *list, int64_t i)
{
    const shimhub_column *child = list->children;
    uint64_t behind = (uint64_t)(child->offset + shimhub_column_offset(list, i + 1));
    SHIMHUB_PREFETCH_AT(child->data.data, (uintptr_t)((behind - 1) * (uint64_t)child->width));
}

static void take_last(const shimhub_column *list, bool is_signed, const int64_t *lengths,
                      int64_t *last)
{
    const shimhub_column *child = list->children;
    const char *values = child->data.data;
    for (int64_t i = 0; i < list->length; i++) {
        if (list->length - i > AHEAD)
            fetch(list, list->offset + i + AHEAD);
        if (lengths[i] == 0) {
            last[i] = 0;
            continue;
        }
        int64_t end = shimhub_column_offset(list, list->offset + i + 1);
        const char *from = values + (child->offset + end - 1) * child->width;
        last[i] = is_signed ? signed_at(from, child->width) : unsigned_at(from, child->width);
    }
}

/* Whether the column has lists, of values that int64 has where these are wanted. */
static bool is_wanted(const shimhub_column *list, bool is_signed, bool has_last)
{
    if (list->kind != SHIMHUB_COLUMN_LIST)
        return false;
    const shimhub_column *child = list->children;
    return !has_last || (child->kind == SHIMHUB_COLUMN_FIXED &&
                         (child->width == 1 || child->width == 2 || child->width == 4 ||
                          (child->width == 8 && is_signed)));
}

shimhub_status shimhub_list_ends(const shimhub_column *chunks, size_t count, size_t rows,
                                 bool is_signed, int64_t *lengths, int64_t *last, int64_t *row)
{
    if (row == NULL || (chunks == NULL && count > 0) || (lengths == NULL && rows > 0))
        return SHIMHUB_BAD_ARGUMENT;
    *row = -1;
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        const shimhub_column *list = &chunks[i];
        shimhub_status status = shimhub_column_check(list, row);
        if (*row >= 0)
            *row += (int64_t)done;
        if (status != SHIMHUB_OK)
            return status;
        if (!is_wanted(list, is_signed, last != NULL) || (uint64_t)list->length > rows - done)
            return SHIMHUB_BAD_ARGUMENT;
        if (list->length == 0)
            continue; /* Arrow leaves out the buffers of empty arrays */
        take_lengths(list, lengths + done);
        if (last != NULL)
            take_last(list, is_signed, lengths + done, last + done);
        done += (size_t)list->length;
    }
    return done == rows ? SHIMHUB_OK : SHIMHUB_BAD_ARGUMENT;
}
