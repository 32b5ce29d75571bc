/* Lines, JSON and CSV of any bytes, and JSON elements in parts of any size. */
#include <stdlib.h>
#include <string.h>

#include "shimhub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_lines(const uint8_t *text, size_t size, size_t capacity)
{
    int64_t *starts = malloc((size + 1) * sizeof *starts), *ends = malloc((size + 1) * sizeof *ends);
    int32_t *offsets = malloc((size + 2) * sizeof *offsets);
    uint8_t *out = malloc(size + 1);
    size_t count;
    shimhub_text_found lines;
    shimhub_json_found rows;
    shimhub_csv_found records;
    if (starts != NULL && ends != NULL && offsets != NULL && out != NULL) {
        (void)shimhub_line_bounds(text, size, capacity, starts, ends, &count);
        (void)shimhub_text_lines(text, size, capacity, out, offsets, starts, &lines);
        (void)shimhub_json_scan(text, size, 8, &rows);
        (void)shimhub_csv_records(text, size, ',', '"', size & 1, capacity, starts, ends, &records);
        (void)shimhub_csv_records(text, size, ',', -1, size & 1, capacity, starts, ends, &records);
    }
    free(starts);
    free(ends);
    free(offsets);
    free(out);
}

/* Fields of records, copied to memory of their very size. */
static void find_fields(const uint8_t *text, size_t size, int quote)
{
    shimhub_csv_found records;
    shimhub_csv_fields_found found;
    int64_t totals[2];
    if (shimhub_csv_records(text, size, ',', quote, true, 0, NULL, NULL, &records) != SHIMHUB_OK)
        abort();
    size_t count = (size_t)records.records, room = 2 * count * sizeof(int32_t);
    int32_t *starts = malloc(room + 1), *sizes = malloc(room + 1), *offsets = malloc(room + 4);
    if (starts != NULL && sizes != NULL && offsets != NULL &&
        shimhub_csv_fields(text, size, ',', quote, 2, count, starts, sizes, totals, &found) ==
            SHIMHUB_OK && found.is_certain) {
        for (size_t at = 0; at < 2; at++) {
            uint8_t *out = malloc((size_t)totals[at] + (totals[at] == 0));
            if (out != NULL &&
                (found.records != records.records ||
                 shimhub_csv_column(text, size, quote, starts + at, sizes + at, count, 2, out,
                                    (size_t)totals[at], offsets) != SHIMHUB_OK ||
                 offsets[count] != totals[at]))
                abort();
            free(out);
        }
    }
    free(starts);
    free(sizes);
    free(offsets);
}

/* Each part in memory of its very size, so that one byte more is an error. */
static shimhub_status take_part(shimhub_elements *elements, const uint8_t *from, size_t size)
{
    uint8_t *part = malloc(size), *out = malloc(2 * size);
    int64_t *starts = malloc(size * sizeof *starts);
    size_t written, begun;
    shimhub_status status = SHIMHUB_NO_MEMORY;
    if (part != NULL && out != NULL && starts != NULL) {
        memcpy(part, from, size);
        status = shimhub_json_elements(elements, part, size, out, starts, &written, &begun);
    }
    free(part);
    free(out);
    free(starts);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shimhub_elements elements = {0};
    if (size < 2)
        return 0;
    size_t step = (size_t)data[0] + 1, capacity = data[1] & 1 ? size : data[1] % size;
    data += 2;
    size -= 2;
    uint8_t *text = malloc(size == 0 ? 1 : size);
    if (text != NULL) {
        if (size > 0)
            memcpy(text, data, size);
        find_lines(text, size, capacity < size ? capacity : size);
        find_fields(text, size, capacity & 2 ? '"' : -1);
    }
    free(text);
    for (size_t at = 0; at < size; at += step) {
        if (take_part(&elements, data + at, size - at < step ? size - at : step) != SHIMHUB_OK)
            break;
    }
    return 0;
}
