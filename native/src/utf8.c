/* Code points to UTF-8. */
#include "utf8.h"

/* Counts of a part fit 16 bits: as wide as most units are, so that compilers make full vectors. */
#define PART 4096

#define DEFINE_SIZE(name, unit)                                                                \
    static size_t name(const unit *units, size_t count)                                        \
    {                                                                                          \
        size_t size = count;                                                                   \
        for (size_t i = 0; i < count; i += PART) {                                             \
            size_t end = count - i < PART ? count : i + PART;                                  \
            uint16_t more = 0, surrogates = 0;                                                 \
            for (size_t j = i; j < end; j++) {                                                 \
                uint32_t point = units[j];                                                     \
                more = (uint16_t)(more + (point >= 0x80) + (point >= 0x800) +                  \
                                  (point >= 0x10000));                                         \
                surrogates |= (point & UINT32_C(0xfffff800)) == 0xd800;                        \
            }                                                                                  \
            if (surrogates)                                                                    \
                return SIZE_MAX;                                                               \
            size += more;                                                                      \
        }                                                                                      \
        return size;                                                                           \
    }

DEFINE_SIZE(size_of_narrow, uint8_t)
DEFINE_SIZE(size_of_middle, uint16_t)
DEFINE_SIZE(size_of_wide, uint32_t)

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

/* Most text is ASCII in long stretches: eight characters at once while it is. */
#define STRETCH 8

#define DEFINE_WRITE(name, unit)                                                               \
    static uint8_t *name(const unit *units, size_t count, uint8_t *to)                         \
    {                                                                                          \
        size_t i = 0;                                                                          \
        while (i < count) {                                                                    \
            size_t left = count - i < STRETCH ? count - i : STRETCH;                           \
            unit all = left < STRETCH ? 0x80 : 0;                                              \
            if (left == STRETCH) {                                                             \
                for (size_t j = 0; j < STRETCH; j++)                                           \
                    all |= units[i + j];                                                       \
            }                                                                                  \
            if (all >= 0x80) {                                                                 \
                for (size_t j = 0; j < left; j++)                                              \
                    to = write_point(units[i + j], to);                                        \
                i += left;                                                                     \
                continue;                                                                      \
            }                                                                                  \
            for (size_t j = 0; j < STRETCH; j++)                                               \
                to[j] = (uint8_t)units[i + j];                                                 \
            to += STRETCH;                                                                     \
            i += STRETCH;                                                                      \
        }                                                                                      \
        return to;                                                                             \
    }

DEFINE_WRITE(write_narrow, uint8_t)
DEFINE_WRITE(write_middle, uint16_t)
DEFINE_WRITE(write_wide, uint32_t)

uint8_t *shimhub_utf8_write(shimhub_text text, uint8_t *to)
{
    if (text.width == 1)
        return write_narrow(text.units, text.count, to);
    if (text.width == 2)
        return write_middle(text.units, text.count, to);
    return write_wide(text.units, text.count, to);
}
