/* Fields of CSV: where they lie, and copied as columns. */
#include "shimhub/lines.h"

#include <string.h>

#include "csv_masks.h"
#include "words.h"

/* Blocks of 64 bytes that are looked at together. */
#define TOGETHER 64

typedef enum {
    PLAIN = 0,  /* in a field, or before it */
    QUOTED = 1, /* behind the quote that opened it */
    CLOSED = 2  /* behind the one that closed it */
} place;

typedef struct {
    const uint8_t *text;
    size_t size;
    shimhub_csv_marks marks;
    size_t columns, capacity;
    int32_t *starts, *sizes;
    int64_t *totals;
    place in;
    size_t column, records;
    size_t start;   /* where the field begins */
    size_t end;     /* CLOSED: where its quote is */
    size_t doubled; /* how many quotes are twice in it */
    size_t next;    /* bytes before were looked at */
} reader;

static bool end_field(reader *r, size_t end)
{
    if (r->column == r->columns || r->records == r->capacity)
        return false;
    size_t at = r->records * r->columns + r->column, size = end - r->start;
    r->starts[at] = (int32_t)r->start;
    r->sizes[at] = r->doubled ? ~(int32_t)size : (int32_t)size;
    r->totals[r->column++] += (int64_t)(size - r->doubled);
    r->doubled = 0;
    return true;
}

static bool end_record(reader *r)
{
    bool is_whole = r->column == r->columns;
    r->column = 0;
    r->records++;
    return is_whole;
}

/* A delimiter or a line end at `at`, outside of quotes. */
static bool take_end(reader *r, size_t at)
{
    bool is_line = r->text[at] != r->marks.delimiter;
    bool is_empty = is_line && r->column == 0 && r->start == at && r->in == PLAIN;
    if (r->in == CLOSED && at != r->end + 1)
        return false;
    if (!is_empty && !end_field(r, r->in == CLOSED ? r->end : at))
        return false;
    r->start = at + 1;
    r->in = PLAIN;
    return is_empty || !is_line || end_record(r);
}

static bool take_quote(reader *r, size_t at)
{
    if (r->in == CLOSED)
        return false;
    if (r->in == PLAIN) {
        if (at == r->start) {
            r->in = QUOTED;
            r->start = at + 1;
        }
    } else if (at + 1 < r->size && r->text[at + 1] == r->marks.quote) {
        r->doubled++;
        r->next = at + 2;
    } else {
        r->in = CLOSED;
        r->end = at;
    }
    return true;
}

/* 64 bytes, of which the first is at `from`. */
static bool take_block(reader *r, size_t from, uint64_t quotes, uint64_t ends)
{
    uint64_t fresh = UINT64_MAX;
    if (r->next > from) /* by one at most */
        fresh <<= 1;
    for (;;) {
        uint64_t left = (r->in == QUOTED ? quotes : quotes | ends) & fresh;
        if (left == 0)
            return true;
        unsigned bit = trailing_zeros64(left);
        bool is_quote = quotes >> bit & 1;
        fresh = UINT64_MAX << bit << 1;
        if (!(is_quote ? take_quote(r, from + bit) : take_end(r, from + bit)))
            return false;
        if (r->next > from + bit + 1)
            fresh <<= 1;
    }
}

/* The same where no byte of them is a quote, nor inside of quotes. */
static bool take_ends(reader *r, size_t from, uint64_t ends)
{
    for (; ends; ends &= ends - 1) {
        if (!take_end(r, from + trailing_zeros64(ends)))
            return false;
    }
    return true;
}

static bool take_blocks(reader *r, size_t from, size_t blocks, const uint64_t *quotes,
                        const uint64_t *ends)
{
    bool is_good = true;
    for (size_t i = 0; is_good && i < blocks; i++, from += SHIMHUB_CSV_BLOCK) {
        if (quotes[i] == 0 && r->in != QUOTED)
            is_good = take_ends(r, from, ends[i]);
        else
            is_good = take_block(r, from, quotes[i], ends[i]);
    }
    return is_good;
}

/* What is less than 64 bytes, and what ends without a line end. */
static bool take_last(reader *r, size_t from, shimhub_csv_look *look, bool *high)
{
    uint8_t block[SHIMHUB_CSV_BLOCK] = {0};
    uint64_t quotes, ends, there = (UINT64_C(1) << (r->size - from)) - 1;
    if (from < r->size)
        memcpy(block, r->text + from, r->size - from);
    *high |= look(block, 1, r->marks, &quotes, &ends);
    if (!take_block(r, from, quotes & there, ends & there) || r->in == QUOTED)
        return false;
    if (r->in == CLOSED)
        return r->end + 1 == r->size && end_field(r, r->end) && end_record(r);
    bool is_ended = r->column == 0 && r->start == r->size;
    return is_ended || (end_field(r, r->size) && end_record(r));
}

static bool take_all(reader *r, bool *high)
{
    shimhub_csv_look *look = shimhub_csv_looker();
    uint64_t quotes[TOGETHER], ends[TOGETHER];
    size_t at = 0, whole = r->size / SHIMHUB_CSV_BLOCK;
    while (whole > 0) {
        size_t blocks = whole < TOGETHER ? whole : TOGETHER;
        *high |= look(r->text + at, blocks, r->marks, quotes, ends);
        if (!take_blocks(r, at, blocks, quotes, ends))
            return false;
        at += blocks * SHIMHUB_CSV_BLOCK;
        whole -= blocks;
    }
    return take_last(r, at, look, high);
}

shimhub_status shimhub_csv_fields(const uint8_t *text, size_t size, uint8_t delimiter,
                                  int32_t quote, size_t columns, size_t capacity, int32_t *starts,
                                  int32_t *sizes, int64_t *totals,
                                  shimhub_csv_fields_found *found)
{
    if ((text == NULL && size > 0) || quote > UINT8_MAX || columns == 0 || totals == NULL ||
        found == NULL || ((starts == NULL || sizes == NULL) && capacity > 0))
        return SHIMHUB_BAD_ARGUMENT;
    if (size > INT32_MAX || capacity > SIZE_MAX / columns)
        return SHIMHUB_OVERFLOW;
    reader r = {.text = text, .size = size, .marks = {delimiter, quote}, .columns = columns,
                .capacity = capacity, .starts = starts, .sizes = sizes, .totals = totals};
    bool high = false;
    memset(totals, 0, columns * sizeof *totals);
    bool is_certain = take_all(&r, &high);
    *found = (shimhub_csv_fields_found){(int64_t)r.records, !high, is_certain};
    return SHIMHUB_OK;
}

/* Copies `size` bytes but for the second one of two quotes; returns how many those are, or SIZE_MAX
 * if there are more than `room`. */
static size_t copy_once(uint8_t *to, size_t room, const uint8_t *from, size_t size, int quote)
{
    size_t written = 0;
    for (const uint8_t *end = from + size; from < end;) {
        const uint8_t *mark = memchr(from, quote, (size_t)(end - from));
        size_t part = mark == NULL ? (size_t)(end - from) : (size_t)(mark - from) + 1;
        if (part > room - written)
            return SIZE_MAX;
        memcpy(to + written, from, part);
        written += part;
        from += part;
        if (mark != NULL && from < end)
            from++;
    }
    return written;
}

static size_t copy_all(uint8_t *to, size_t room, const uint8_t *from, size_t size)
{
    if (size > room)
        return SIZE_MAX;
    if (size > 0)
        memcpy(to, from, size);
    return size;
}

shimhub_status shimhub_csv_column(const uint8_t *text, size_t size, int32_t quote,
                                  const int32_t *starts, const int32_t *sizes, size_t count,
                                  size_t stride, uint8_t *out, size_t capacity, int32_t *offsets)
{
    if ((text == NULL && size > 0) || offsets == NULL || (out == NULL && capacity > 0) ||
        ((starts == NULL || sizes == NULL) && count > 0) || capacity > INT32_MAX)
        return SHIMHUB_BAD_ARGUMENT;
    size_t written = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t start = starts[i * stride], told = sizes[i * stride];
        size_t bytes = (size_t)(told < 0 ? ~told : told), room = capacity - written;
        if (start < 0 || (size_t)start > size || bytes > size - (size_t)start)
            return SHIMHUB_BAD_ARGUMENT;
        size_t copied = told < 0 ? copy_once(out + written, room, text + start, bytes, quote)
                                 : copy_all(out + written, room, text + start, bytes);
        if (copied == SIZE_MAX)
            return SHIMHUB_BAD_ARGUMENT;
        written += copied;
        offsets[i + 1] = (int32_t)written;
    }
    return SHIMHUB_OK;
}
