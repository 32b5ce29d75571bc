/* Code points to UTF-8. */
#include "utf8.h"

#include <stdbool.h>

#define IS_SURROGATE(point) (((point) & UINT32_C(0xfffff800)) == 0xd800)

/* Loops without branches, for compilers to make them vectors. */
static size_t size_of_narrow(const uint8_t *units, size_t count)
{
    size_t size = count;
    for (size_t i = 0; i < count; i++)
        size += units[i] >> 7;
    return size;
}

static size_t size_of_middle(const uint16_t *units, size_t count)
{
    size_t size = count;
    bool surrogate = false;
    for (size_t i = 0; i < count; i++) {
        size += (size_t)(units[i] >= 0x80) + (size_t)(units[i] >= 0x800);
        surrogate |= IS_SURROGATE(units[i]);
    }
    return surrogate ? SIZE_MAX : size;
}

static size_t size_of_wide(const uint32_t *units, size_t count)
{
    size_t size = count;
    bool surrogate = false;
    for (size_t i = 0; i < count; i++) {
        size += (size_t)(units[i] >= 0x80) + (size_t)(units[i] >= 0x800) +
                (size_t)(units[i] >= 0x10000);
        surrogate |= IS_SURROGATE(units[i]);
    }
    return surrogate ? SIZE_MAX : size;
}

size_t shimhub_utf8_size(shimhub_text text)
{
    if (text.width == 1)
        return size_of_narrow(text.units, text.count);
    if (text.width == 2)
        return size_of_middle(text.units, text.count);
    return size_of_wide(text.units, text.count);
}

static uint8_t *write_point(uint32_t point, uint8_t *to)
{
    if (point < 0x80) {
        *to++ = (uint8_t)point;
    } else if (point < 0x800) {
        *to++ = (uint8_t)(0xc0 | point >> 6);
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (uint8_t)(0xe0 | point >> 12);
        *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | point >> 18);
        *to++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    }
    return to;
}

uint8_t *shimhub_utf8_write(shimhub_text text, uint8_t *to)
{
    const uint8_t *narrow = text.units;
    const uint16_t *middle = text.units;
    const uint32_t *wide = text.units;
    if (text.width == 1) {
        for (size_t i = 0; i < text.count; i++)
            to = write_point(narrow[i], to);
    } else if (text.width == 2) {
        for (size_t i = 0; i < text.count; i++)
            to = write_point(middle[i], to);
    } else {
        for (size_t i = 0; i < text.count; i++)
            to = write_point(wide[i], to);
    }
    return to;
}
