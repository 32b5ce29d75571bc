/* Records of CSV: where lines end that are not inside of quotes. */
#include "shimhub/lines.h"

#include <string.h>

/* The next of a byte; looked for again only once it was passed. */
typedef struct {
    size_t at;
    bool is_known;
} next_byte;

typedef struct {
    const uint8_t *text;
    size_t size;
    uint8_t delimiter;
    int quote; /* -1: none */
    bool is_last;
    next_byte feed, carriage, mark;
} reader;

static size_t find(const reader *r, next_byte *next, int byte, size_t from)
{
    if (!next->is_known || next->at < from) {
        const uint8_t *found = memchr(r->text + from, byte, r->size - from);
        next->at = found == NULL ? r->size : (size_t)(found - r->text);
        next->is_known = true;
    }
    return next->at;
}

/* Behind the quote that closes the one before `from`; SIZE_MAX if it is not there yet. */
static size_t behind_quotes(reader *r, size_t from)
{
    for (;;) {
        size_t at = from < r->size ? find(r, &r->mark, r->quote, from) : r->size;
        if (at >= r->size || (at + 1 == r->size && !r->is_last))
            return SIZE_MAX;
        if (at + 1 == r->size || r->text[at + 1] != r->quote)
            return at + 1;
        from = at + 2;
    }
}

/* Behind the line end at `at`; SIZE_MAX if it may go on. */
static size_t behind_end(const reader *r, size_t at)
{
    if (r->text[at] == '\n')
        return at + 1;
    if (at + 1 == r->size)
        return r->is_last ? at + 1 : SIZE_MAX;
    return r->text[at + 1] == '\n' ? at + 2 : at + 1;
}

/* Where the record ends that begins at `start`; SIZE_MAX if it is not complete, and *open is where
 * a quote was opened, if it was not closed. */
static size_t record_end(reader *r, size_t start, size_t *open)
{
    for (size_t from = start; from < r->size;) {
        size_t feed = find(r, &r->feed, '\n', from), back = find(r, &r->carriage, '\r', from);
        size_t end = feed < back ? feed : back;
        size_t mark = r->quote < 0 ? r->size : find(r, &r->mark, r->quote, from);
        if (end <= mark && end < r->size)
            return behind_end(r, end);
        if (mark >= r->size)
            break;
        from = mark + 1;
        /* Inside of a field a quote is nothing special. */
        if (mark == start || r->text[mark - 1] == r->delimiter) {
            from = behind_quotes(r, from);
            if (from == SIZE_MAX) {
                *open = mark;
                return SIZE_MAX;
            }
        }
    }
    return r->is_last ? r->size : SIZE_MAX;
}

static bool is_empty(const reader *r, size_t start, size_t end)
{
    while (start < end && (r->text[start] == '\r' || r->text[start] == '\n'))
        start++;
    return start == end;
}

shimhub_status shimhub_csv_records(const uint8_t *text, size_t size, uint8_t delimiter,
                                   int32_t quote, bool is_last, size_t capacity, int64_t *starts,
                                   int64_t *ends, shimhub_csv_found *found)
{
    if ((text == NULL && size > 0) || size > INT64_MAX || quote > UINT8_MAX || found == NULL ||
        ((starts == NULL || ends == NULL) && capacity > 0))
        return SHIMHUB_BAD_ARGUMENT;
    reader r = {.text = text, .size = size, .delimiter = delimiter, .quote = quote,
                .is_last = is_last};
    size_t records = 0, at = 0, open = SIZE_MAX;
    while (at < size) {
        size_t end = record_end(&r, at, &open);
        if (end == SIZE_MAX)
            break;
        if (!is_empty(&r, at, end)) {
            if (records < capacity) {
                starts[records] = (int64_t)at;
                ends[records] = (int64_t)end;
            }
            records++;
        }
        at = end;
    }
    *found = (shimhub_csv_found){(int64_t)records, (int64_t)at,
                                 open == SIZE_MAX ? -1 : (int64_t)open};
    return SHIMHUB_OK;
}
