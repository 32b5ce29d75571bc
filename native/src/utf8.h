/* Private: code points to UTF-8 (RFC 3629). */
#ifndef SHIMHUB_UTF8_H
#define SHIMHUB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* `count` code points, in units of 1, 2 or 4 bytes each (never in pairs of surrogates). */
typedef struct {
    const void *units;
    size_t count;
    int width;
} shimhub_text;

/* The bytes of the text's UTF-8, or SIZE_MAX if one of its points is a surrogate: those have none.
 * Wrong, but harmless, where that exceeds SIZE_MAX / 4 characters. */
size_t shimhub_utf8_size(shimhub_text text);

/* Writes that many bytes; returns the end. */
uint8_t *shimhub_utf8_write(shimhub_text text, uint8_t *to);

#endif
