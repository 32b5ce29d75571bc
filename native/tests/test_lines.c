/* Lines, JSON and CSV, as their bytes tell. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void test_bounds(void)
{
    int64_t starts[4], ends[4];
    size_t count = 0;
    CHECK(shimhub_line_bounds(TEXT("a\n \r\n\nbc"), 4, starts, ends, &count) == SHIMHUB_OK);
    CHECK(count == 2 && starts[1] == 6 && ends[0] == 2 && ends[1] == 8);
    CHECK(shimhub_line_bounds(TEXT("a\nb\nc"), 1, starts, ends, &count) == SHIMHUB_OK);
    CHECK(count == 3);
    CHECK(shimhub_line_bounds(NULL, 1, 0, NULL, NULL, &count) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_line_bounds(NULL, 0, 0, NULL, NULL, &count) == SHIMHUB_OK && count == 0);
}

static void test_text(void)
{
    uint8_t out[8];
    int32_t offsets[5];
    int64_t starts[4];
    shimhub_text_found found;
    CHECK(shimhub_text_lines(TEXT("a\r\n\rb\nc"), 4, out, offsets, starts, &found) == SHIMHUB_OK);
    CHECK(found.lines == 4 && found.bytes == 3 && found.is_ascii && memcmp(out, "abc", 3) == 0);
    CHECK(offsets[1] == 1 && offsets[2] == 1 && offsets[4] == 3 && starts[3] == 6);
    CHECK(shimhub_text_lines(TEXT("a\nb"), 1, out, offsets, starts, &found) == SHIMHUB_OVERFLOW);
    CHECK(shimhub_text_lines(TEXT("\xc3\xa4"), 1, out, offsets, NULL, &found) == SHIMHUB_OK);
    CHECK(found.lines == 1 && !found.is_ascii);
}

static bool is_certain(const char *text, int64_t rows, int64_t pairs)
{
    shimhub_json_found found;
    if (shimhub_json_scan((const uint8_t *)text, strlen(text), 4, &found) != SHIMHUB_OK)
        return false;
    return found.is_certain && found.rows == rows && found.pairs == pairs;
}

static void test_scan(void)
{
    CHECK(is_certain("{\"a\":1}\n\n {\"b\":{\"c\":[]},\"d\":\"}:\\\"\"} \r\n", 2, 4));
    CHECK(is_certain("{\"a\":18446744073709551615,\"b\":-9223372036854775808}", 1, 2));
    CHECK(is_certain("{\"a\":0.123456789012345678901234,\"b\":NaN,\"c\":-Infinity}", 1, 3));
    CHECK(!is_certain("{\"a\":18446744073709551616}", 1, 1));
    CHECK(!is_certain("{\"a\":-9223372036854775809}", 1, 1));
    CHECK(!is_certain("{\"a\":Inf}", 1, 1));
    CHECK(!is_certain("{} null {}", 1, 0));
    CHECK(!is_certain("{}{}", 2, 0));
    CHECK(!is_certain("null", 0, 0));
    CHECK(!is_certain("{\"a\":\n{}}", 1, 1));
    CHECK(!is_certain("{\"a", 0, 0));
    CHECK(!is_certain("[{}]", 1, 0));
    CHECK(!is_certain("{\"a\":[[[[1]]]]}", 1, 1));
}

/* The same lines however the text is cut. */
static void test_elements(void)
{
    static const char text[] = "[ {\"a\":\"]}\\\\\\\"\" ,\n\"b\" : [1,{}] }, 12 ,\"x,]\", {}]  ";
    static const char lines[] = "{\"a\":\"]}\\\\\\\"\" , \"b\" : [1,{}] }\n12\n\"x,]\"\n{}\n";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        uint8_t out[2 * sizeof text];
        int64_t starts[sizeof text];
        shimhub_elements elements = {0};
        size_t first, second, begun, more;
        size_t rest = sizeof text - 1 - (cut < sizeof text ? cut : 0);
        CHECK(shimhub_json_elements(&elements, (const uint8_t *)text, cut, out, starts, &first,
                                    &begun) == SHIMHUB_OK || cut == sizeof text - 1);
        CHECK(shimhub_json_elements(&elements, (const uint8_t *)text + cut, rest, out + first,
                                    starts + begun, &second, &more) == SHIMHUB_OK);
        CHECK(first + second == sizeof lines - 1 && memcmp(out, lines, first + second) == 0);
        CHECK(elements.whole == (second == 0 ? 0 : (int64_t)second));
        CHECK(begun + more == 4 && starts[0] == 2 && elements.state == SHIMHUB_ELEMENTS_END);
    }
}

static shimhub_status take(const char *text, int64_t *offset)
{
    uint8_t out[64];
    int64_t starts[32];
    size_t written, begun;
    shimhub_elements elements = {0};
    shimhub_status status = shimhub_json_elements(&elements, (const uint8_t *)text, strlen(text),
                                                  out, starts, &written, &begun);
    *offset = elements.offset;
    return status;
}

static void test_elements_out_of_place(void)
{
    int64_t at;
    CHECK(take("[1,,2]", &at) == SHIMHUB_BAD_FORMAT && at == 3);
    CHECK(take("[1,]", &at) == SHIMHUB_BAD_FORMAT && at == 3);
    CHECK(take("[{} {}]", &at) == SHIMHUB_BAD_FORMAT && at == 4);
    CHECK(take("[] x", &at) == SHIMHUB_BAD_FORMAT && at == 3);
    CHECK(take("[{\"a\n\"}]", &at) == SHIMHUB_BAD_FORMAT && at == 4);
    CHECK(take("{} {}{}", &at) == SHIMHUB_OK);
    CHECK(take("{},{}", &at) == SHIMHUB_BAD_FORMAT && at == 2);
}

static void test_csv(void)
{
    int64_t starts[4], ends[4];
    shimhub_csv_found found;
    CHECK(shimhub_csv_records(TEXT("a,\"x\n\"\"\"\r\n\n1,b\"\r2"), ',', '"', true, 4, starts, ends,
                              &found) == SHIMHUB_OK);
    CHECK(found.records == 3 && ends[0] == 10 && starts[2] == 16 && found.open == -1);
    CHECK(shimhub_csv_records(TEXT("1\n2,\"x\n"), ',', '"', true, 4, starts, ends, &found) ==
          SHIMHUB_OK);
    CHECK(found.records == 1 && found.taken == 2 && found.open == 4);
    CHECK(shimhub_csv_records(TEXT("1\n\"2\n3"), ',', -1, false, 0, NULL, NULL, &found) ==
          SHIMHUB_OK);
    CHECK(found.records == 2 && found.taken == 5);
}

static void test_csv_fields(void)
{
    int32_t starts[8], sizes[8], offsets[4];
    int64_t totals[2];
    uint8_t out[8];
    shimhub_csv_fields_found found;
    const uint8_t *text = (const uint8_t *)"a,\"x\n\"\"\"\r\n\n,b\"\r2,\"\"";
    CHECK(shimhub_csv_fields(text, 19, ',', '"', 2, 4, starts, sizes, totals, &found) ==
          SHIMHUB_OK);
    CHECK(found.is_certain && found.is_ascii && found.records == 3);
    CHECK(totals[0] == 2 && totals[1] == 5 && starts[1] == 3 && sizes[1] == ~4 && sizes[2] == 0);
    CHECK(shimhub_csv_column(text, 19, '"', starts + 1, sizes + 1, 3, 2, out, 5, offsets) ==
          SHIMHUB_OK);
    CHECK(offsets[1] == 3 && offsets[2] == 5 && offsets[3] == 5 && !memcmp(out, "x\n\"b\"", 5));
    CHECK(shimhub_csv_column(text, 19, '"', starts + 1, sizes + 1, 3, 2, out, 2, offsets) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_csv_column(text, 6, '"', starts + 1, sizes + 1, 3, 2, out, 8, offsets) ==
          SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_csv_fields(text, 19, ',', '"', 2, 2, starts, sizes, totals, &found) ==
          SHIMHUB_OK);
    CHECK(!found.is_certain);
}

/* Quotes in the middle of a line, as 64 bytes are looked at together. */
static void test_csv_fields_at_any_place(void)
{
    int32_t starts[4], sizes[4], offsets[3];
    int64_t totals[2];
    uint8_t text[200], out[200];
    shimhub_csv_fields_found found;
    for (size_t at = 1; at < 140; at++) {
        memset(text, 'x', sizeof text);
        memcpy(text + at, ",\"\"\"\"\n", 6);
        text[at + 20] = ',';
        CHECK(shimhub_csv_fields(text, sizeof text, ',', '"', 2, 2, starts, sizes, totals,
                                 &found) == SHIMHUB_OK);
        CHECK(found.is_certain && found.records == 2 && totals[1] == (int64_t)(180 - at));
        CHECK(shimhub_csv_column(text, sizeof text, '"', starts + 1, sizes + 1, 2, 2, out,
                                 (size_t)totals[1], offsets) == SHIMHUB_OK);
        CHECK(out[0] == '"' && out[1] == 'x' && offsets[1] == 1);
        text[at + 4] = 'y';
        CHECK(shimhub_csv_fields(text, sizeof text, ',', '"', 2, 2, starts, sizes, totals,
                                 &found) == SHIMHUB_OK);
        CHECK(!found.is_certain);
    }
}

void test_lines(void)
{
    test_bounds();
    test_text();
    test_scan();
    test_elements();
    test_elements_out_of_place();
    test_csv();
    test_csv_fields();
    test_csv_fields_at_any_place();
}
