/* Strings and numbers as Python prints them: unicode_repr() and bytes_repr() of CPython say how. */
#include <string.h>

#include "repr.h"

void shimhub_repr_tables_fill(shimhub_repr_tables *tables, const uint8_t *printable)
{
    memset(tables, 0, sizeof *tables);
    tables->printable = printable;
    for (unsigned i = 0; i < SHIMHUB_DIGITS; i++) {
        unsigned rest = i;
        for (int at = 3; at >= 0; at--, rest /= 10)
            tables->digits[i][at] = (char)('0' + rest % 10);
    }
}

uint8_t *shimhub_repr_long(const shimhub_repr_tables *tables, uint64_t magnitude, uint8_t *to)
{
    unsigned groups[5];
    int count = 0;
    while (magnitude >= SHIMHUB_DIGITS) {
        groups[count++] = (unsigned)(magnitude % SHIMHUB_DIGITS);
        magnitude /= SHIMHUB_DIGITS;
    }
    to = shimhub_first_digits(tables, (unsigned)magnitude, to);
    while (count > 0)
        to = shimhub_four_digits(tables, groups[--count], to);
    return to;
}

static uint8_t *put_hex(uint8_t *to, char letter, uint32_t value, int digits)
{
    *to++ = '\\';
    *to++ = (uint8_t)letter;
    while (digits-- > 0)
        *to++ = (uint8_t)"0123456789abcdef"[value >> 4 * digits & 15];
    return to;
}

/* The quote that Python takes: a double one only where that saves an escape. */
static uint8_t quote_of(const uint8_t *text, size_t size)
{
    if (size == 0 || memchr(text, '\'', size) == NULL)
        return '\'';
    return memchr(text, '"', size) == NULL ? '"' : '\'';
}

/* Writes one character of ASCII, in up to 4 bytes. */
static uint8_t *put_ascii(uint8_t *to, uint8_t letter, uint8_t quote)
{
    if (letter >= 32 && letter < 127 && letter != quote && letter != '\\') {
        *to++ = letter;
        return to;
    }
    if (letter == quote || letter == '\\') {
        *to++ = '\\';
        *to++ = letter;
        return to;
    }
    if (letter == '\t' || letter == '\n' || letter == '\r') {
        *to++ = '\\';
        *to++ = letter == '\t' ? 't' : letter == '\n' ? 'n' : 'r';
        return to;
    }
    return put_hex(to, 'x', letter, 2);
}

/* Decodes the character of two to four bytes at *text (RFC 3629); 0 where there is none. */
static uint32_t take_point(const uint8_t **text, const uint8_t *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = *text;
    int size = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
    if (*at < 0xc2 || *at > 0xf4 || end - at < size)
        return 0;
    uint32_t point = *at & (0x7fu >> size);
    for (int i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    *text = at + size;
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    return point;
}

static uint8_t *put_escape(uint8_t *to, uint32_t point)
{
    if (point < 0x100)
        return put_hex(to, 'x', point, 2);
    return point < 0x10000 ? put_hex(to, 'u', point, 4) : put_hex(to, 'U', point, 8);
}

/* Room: six bytes for one of two, ten for one of four; a quote at each end. */
enum { ESCAPED = 4 };

static uint8_t *room_for(size_t size, shimhub_arena *arena)
{
    if (size > SIZE_MAX / 2 / ESCAPED)
        return NULL;
    return shimhub_arena_take(arena, ESCAPED * size + 2);
}

static void give_back(const uint8_t *to, shimhub_arena *arena)
{
    arena->used = (size_t)(to - arena->data);
}

shimhub_status shimhub_repr_text(const shimhub_repr_tables *tables, const uint8_t *text,
                                 size_t size, shimhub_arena *arena)
{
    const uint8_t quote = quote_of(text, size);
    uint8_t *to = room_for(size, arena);
    if (to == NULL)
        return SHIMHUB_NO_MEMORY;
    *to++ = quote;
    for (const uint8_t *at = text, *end = text + size; at != end;) {
        if (*at < 0x80) {
            to = put_ascii(to, *at++, quote);
            continue;
        }
        const uint8_t *from = at;
        uint32_t point = take_point(&at, end);
        if (point == 0)
            return SHIMHUB_BAD_FORMAT;
        if (tables->printable[point >> 3] >> (point & 7) & 1) {
            memcpy(to, from, (size_t)(at - from));
            to += at - from;
        } else {
            to = put_escape(to, point);
        }
    }
    *to++ = quote;
    give_back(to, arena);
    return SHIMHUB_OK;
}

shimhub_status shimhub_repr_bytes(const uint8_t *bytes, size_t size, shimhub_arena *arena)
{
    const uint8_t quote = quote_of(bytes, size);
    uint8_t *prefix = shimhub_arena_take(arena, 1);
    if (prefix == NULL)
        return SHIMHUB_NO_MEMORY;
    *prefix = 'b';
    uint8_t *to = room_for(size, arena);
    if (to == NULL)
        return SHIMHUB_NO_MEMORY;
    *to++ = quote;
    for (size_t i = 0; i < size; i++)
        to = bytes[i] < 0x80 ? put_ascii(to, bytes[i], quote) : put_hex(to, 'x', bytes[i], 2);
    *to++ = quote;
    give_back(to, arena);
    return SHIMHUB_OK;
}
