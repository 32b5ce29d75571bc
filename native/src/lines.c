/* Lines of text: where they are, and copied without their ends. */
#include "shimhub/lines.h"

#include <string.h>

static bool is_blank(const uint8_t *from, const uint8_t *end)
{
    while (from < end && (*from == ' ' || *from == '\t' || *from == '\r' || *from == '\n'))
        from++;
    return from == end;
}

/* Where the line ends, behind its line feed. */
static const uint8_t *line_end(const uint8_t *from, const uint8_t *end)
{
    const uint8_t *feed = memchr(from, '\n', (size_t)(end - from));
    return feed == NULL ? end : feed + 1;
}

shimhub_status shimhub_line_bounds(const uint8_t *text, size_t size, size_t capacity,
                                   int64_t *starts, int64_t *ends, size_t *count)
{
    if ((text == NULL && size > 0) || size > INT64_MAX || count == NULL ||
        ((starts == NULL || ends == NULL) && capacity > 0))
        return SHIMHUB_BAD_ARGUMENT;
    size_t found = 0;
    for (size_t at = 0; at < size;) {
        size_t next = (size_t)(line_end(text + at, text + size) - text);
        if (!is_blank(text + at, text + next)) {
            if (found < capacity) {
                starts[found] = (int64_t)at;
                ends[found] = (int64_t)next;
            }
            found++;
        }
        at = next;
    }
    *count = found;
    return SHIMHUB_OK;
}

static bool is_ascii(const uint8_t *text, size_t size)
{
    uint8_t all = 0;
    for (size_t i = 0; i < size; i++)
        all |= text[i];
    return all < 0x80;
}

/* The next of a byte; asked for again only once it was passed. */
typedef struct {
    const uint8_t *at;
    int byte;
} finder;

static const uint8_t *next_of(finder *found, const uint8_t *from, const uint8_t *end)
{
    if (found->at == NULL || found->at < from) {
        found->at = memchr(from, found->byte, (size_t)(end - from));
        if (found->at == NULL)
            found->at = end;
    }
    return found->at;
}

static const uint8_t *behind_end(const uint8_t *at, const uint8_t *end)
{
    if (at == end)
        return end;
    return *at == '\r' && at + 1 < end && at[1] == '\n' ? at + 2 : at + 1;
}

shimhub_status shimhub_text_lines(const uint8_t *text, size_t size, size_t capacity, uint8_t *out,
                                  int32_t *offsets, int64_t *starts, shimhub_text_found *found)
{
    if ((size > 0 && (text == NULL || out == NULL)) || offsets == NULL || found == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    if (size > INT32_MAX)
        return SHIMHUB_OVERFLOW;
    const uint8_t *from = text, *end = size > 0 ? text + size : text;
    finder feed = {NULL, '\n'}, carriage = {NULL, '\r'};
    size_t lines = 0, written = 0;
    offsets[0] = 0;
    while (from < end) {
        if (lines == capacity)
            return SHIMHUB_OVERFLOW;
        const uint8_t *a = next_of(&feed, from, end), *b = next_of(&carriage, from, end);
        const uint8_t *stop = a < b ? a : b;
        memcpy(out + written, from, (size_t)(stop - from));
        written += (size_t)(stop - from);
        if (starts != NULL)
            starts[lines] = from - text;
        offsets[++lines] = (int32_t)written;
        from = behind_end(stop, end);
    }
    *found = (shimhub_text_found){(int64_t)lines, (int64_t)written, is_ascii(out, written)};
    return SHIMHUB_OK;
}
