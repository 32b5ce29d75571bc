/* The elements of a JSON array, or objects one after the other, as lines. */
#include "shimhub/lines.h"

#include <string.h>

#include "json_masks.h"
#include "words.h"

typedef struct {
    shimhub_elements *state;
    const uint8_t *text;
    size_t size, at;
    uint8_t *out;
    size_t written;
    int64_t *starts;
    size_t begun;
    shimhub_json_look *look;
    shimhub_json_skip *skip;
} machine;

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void put(machine *m, uint8_t byte)
{
    m->out[m->written++] = byte;
}

static void end_element(machine *m)
{
    put(m, '\n');
    m->state->whole = (int64_t)m->written;
    m->state->state = SHIMHUB_ELEMENTS_AFTER;
    m->state->has_value = 1;
}

static void begin_element(machine *m)
{
    uint8_t byte = m->text[m->at];
    m->starts[m->begun++] = m->state->offset + (int64_t)m->at;
    bool is_nested = byte == '{' || byte == '[';
    m->state->state = is_nested ? SHIMHUB_ELEMENTS_INSIDE : SHIMHUB_ELEMENTS_SCALAR;
    m->state->depth = 0;
    m->state->in_string = m->state->is_escaped = 0;
}

/* Copies up to 64 bytes, with blanks for what ends lines. */
static void copy(machine *m, const shimhub_json_masks *masks, const uint8_t *from, size_t count)
{
    uint8_t *to = m->out + m->written;
    memcpy(to, from, count);
    for (uint64_t left = masks->feed; left; left &= left - 1) {
        unsigned bit = trailing_zeros64(left);
        if (bit < count)
            to[bit] = ' ';
    }
    m->written += count;
    m->at += count;
}

/* How many of the bytes belong to the element: all, or up to the bracket that ends it. */
static size_t nested_bytes(machine *m, uint64_t opens, uint64_t closes, size_t count)
{
    for (uint64_t left = opens | closes; left; left &= left - 1) {
        unsigned bit = trailing_zeros64(left);
        if (bit >= count)
            break;
        m->state->depth += opens >> bit & 1 ? 1 : -1;
        if (m->state->depth == 0)
            return bit + 1;
    }
    return count;
}

/* Up to 64 bytes, of which those behind `count` are blanks; returns those inside strings, and
 * keeps what goes on behind them. */
static uint64_t look(machine *m, const uint8_t *from, size_t count, shimhub_json_masks *masks)
{
    shimhub_json_carry carry = {0 - (uint64_t)m->state->in_string, m->state->is_escaped};
    shimhub_json_carry again = carry;
    m->look(from, masks);
    uint64_t inside = shimhub_json_strings(masks, &carry);
    if (count < SHIMHUB_JSON_BLOCK)
        carry.is_escaped = shimhub_json_escaped(masks->slash, &again) >> count & 1;
    m->state->in_string = inside >> (count - 1) & 1;
    m->state->is_escaped = (uint8_t)carry.is_escaped;
    return inside;
}

/* What follows inside of a string without quotes, backslashes and line feeds. */
static void take_string(machine *m)
{
    bool high = false;
    const uint8_t *from = m->text + m->at;
    size_t count = m->skip(from, (m->size - m->at) / SHIMHUB_JSON_BLOCK, &high);
    memcpy(m->out + m->written, from, count * SHIMHUB_JSON_BLOCK);
    m->written += count * SHIMHUB_JSON_BLOCK;
    m->at += count * SHIMHUB_JSON_BLOCK;
}

/* Up to 64 bytes of a list or an object, and more of strings. */
static bool take_nested(machine *m)
{
    uint8_t tail[SHIMHUB_JSON_BLOCK];
    if (m->state->in_string && !m->state->is_escaped)
        take_string(m);
    if (m->at == m->size)
        return true;
    const uint8_t *from = m->text + m->at;
    size_t left = m->size - m->at;
    size_t count = left < SHIMHUB_JSON_BLOCK ? left : SHIMHUB_JSON_BLOCK;
    if (left < SHIMHUB_JSON_BLOCK) {
        memset(tail, ' ', sizeof tail);
        memcpy(tail, from, left);
        from = tail;
    }
    shimhub_json_masks masks;
    uint64_t inside = look(m, from, count, &masks);
    size_t taken = nested_bytes(m, masks.open & ~inside, masks.close & ~inside, count);
    uint64_t broken = masks.feed & inside;
    if (taken < SHIMHUB_JSON_BLOCK)
        broken &= (UINT64_C(1) << taken) - 1;
    if (broken || m->state->depth > INT32_MAX - SHIMHUB_JSON_BLOCK) {
        m->at += broken ? trailing_zeros64(broken) : 0;
        return false;
    }
    copy(m, &masks, from, taken);
    if (m->state->depth == 0)
        end_element(m);
    return true;
}

static bool ends_scalar(const machine *m, uint8_t byte)
{
    return is_space(byte) || byte == ',' || (byte == ']' && m->state->is_array) || byte == '{';
}

/* A byte of a number, a word, or of a string in a list. */
static bool take_scalar(machine *m)
{
    shimhub_elements *s = m->state;
    uint8_t byte = m->text[m->at];
    if (s->in_string && (byte == '\n' || byte == '\r'))
        return false;
    if (!s->in_string && ends_scalar(m, byte)) {
        end_element(m);
        return true;
    }
    if (s->is_escaped)
        s->is_escaped = 0;
    else if (s->in_string && byte == '\\')
        s->is_escaped = 1;
    else if (byte == '"')
        s->in_string = !s->in_string;
    put(m, byte);
    m->at++;
    return true;
}

static bool begins_nothing(uint8_t byte)
{
    return byte == ',' || byte == ']' || byte == '}' || byte == ':';
}

static bool take_begin(machine *m)
{
    if (begins_nothing(m->text[m->at]))
        return false;
    if (m->text[m->at] == '[') {
        m->state->is_array = 1;
        m->state->state = SHIMHUB_ELEMENTS_WANTED;
        m->at++;
    } else {
        begin_element(m);
    }
    return true;
}

static bool take_wanted(machine *m)
{
    uint8_t byte = m->text[m->at];
    if (byte == ']' && !m->state->has_value) {
        m->state->state = SHIMHUB_ELEMENTS_END;
        m->at++;
        return true;
    }
    if (begins_nothing(byte))
        return false;
    begin_element(m);
    return true;
}

static bool take_after(machine *m)
{
    uint8_t byte = m->text[m->at];
    if (!m->state->is_array) {
        if (begins_nothing(byte))
            return false;
        begin_element(m);
        return true;
    }
    if (byte != ',' && byte != ']')
        return false;
    m->state->state = byte == ',' ? SHIMHUB_ELEMENTS_WANTED : SHIMHUB_ELEMENTS_END;
    m->at++;
    return true;
}

/* A byte, or more, where the state may change. */
static bool take(machine *m)
{
    if (m->state->state == SHIMHUB_ELEMENTS_INSIDE)
        return take_nested(m);
    if (m->state->state == SHIMHUB_ELEMENTS_SCALAR)
        return take_scalar(m);
    if (is_space(m->text[m->at])) {
        m->at++;
        return true;
    }
    switch (m->state->state) {
    case SHIMHUB_ELEMENTS_BEGIN:
        return take_begin(m);
    case SHIMHUB_ELEMENTS_WANTED:
        return take_wanted(m);
    case SHIMHUB_ELEMENTS_AFTER:
        return take_after(m);
    default:
        return false;
    }
}

shimhub_status shimhub_json_elements(shimhub_elements *elements, const uint8_t *text, size_t size,
                                     uint8_t *out, int64_t *starts, size_t *written,
                                     size_t *begun)
{
    if (elements == NULL || written == NULL || begun == NULL ||
        (size > 0 && (text == NULL || out == NULL || starts == NULL)) || elements->offset < 0 ||
        size > (size_t)(INT64_MAX - elements->offset))
        return SHIMHUB_BAD_ARGUMENT;
    machine m = {.state = elements, .text = text, .size = size, .out = out, .starts = starts,
                 .look = shimhub_json_looker(), .skip = shimhub_json_skipper()};
    bool is_good = true;
    elements->whole = 0;
    while (is_good && m.at < m.size)
        is_good = take(&m);
    elements->offset += (int64_t)m.at;
    *written = m.written;
    *begun = m.begun;
    return is_good ? SHIMHUB_OK : SHIMHUB_BAD_FORMAT;
}
