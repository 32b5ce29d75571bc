/* What Python prints of values, by its SHA-256: digests are hashlib's of str(row). */
#include <string.h>

#include "check.h"

#define BUFFER(array) {array, sizeof array}

static void digest_of(const char *text, uint8_t digest[32])
{
    shimhub_bytes row = {text, strlen(text)};
    CHECK(shimhub_sha256(&row, 1, digest) == SHIMHUB_OK);
}

static shimhub_status print(const shimhub_column *column, const shimhub_repr *repr, uint8_t *digests)
{
    static uint8_t printable[SHIMHUB_POINTS_SIZE];
    printable[0xe9 >> 3] = 1 << (0xe9 & 7); /* of what is not ASCII, e acute alone */
    return shimhub_digest_reprs(column, 1, repr, printable, 1, digests);
}

static void rows_are_printed_as_dicts(void)
{
    static const int32_t offsets[] = {0, 3, 3};
    static const int64_t numbers[] = {-1, 10000, 123456789012};
    static const char text[] = "it's \n\xc3\xa9\xe2\x80\xa8";
    static const int32_t ends[] = {0, 11, 11};
    static const uint8_t valid[] = {1};
    const shimhub_column number = {.kind = SHIMHUB_COLUMN_FIXED, .width = 8, .length = 3,
                                   .data = BUFFER(numbers)};
    const shimhub_column fields[] = {
        {.kind = SHIMHUB_COLUMN_LIST, .width = 4, .length = 2, .offsets = BUFFER(offsets),
         .children = &number, .children_count = 1},
        {.kind = SHIMHUB_COLUMN_BINARY, .width = 4, .length = 2, .offsets = BUFFER(ends),
         .data = BUFFER(text), .validity = BUFFER(valid)},
    };
    const shimhub_column rows = {.kind = SHIMHUB_COLUMN_STRUCT, .length = 2, .children = fields,
                                 .children_count = 2};
    const shimhub_repr item = {.kind = SHIMHUB_REPR_SIGNED};
    shimhub_repr printed[] = {
        {.kind = SHIMHUB_REPR_LIST, .key = {"'a': ", 5}, .children = &item, .children_count = 1},
        {.kind = SHIMHUB_REPR_TEXT, .key = {"'b': ", 5}},
    };
    const shimhub_repr repr = {.kind = SHIMHUB_REPR_DICT, .children = printed, .children_count = 2};
    uint8_t found[64], expected[32];
    CHECK(print(&rows, &repr, found) == SHIMHUB_OK);
    digest_of("{'a': [-1, 10000, 123456789012], 'b': \"it's \\n\xc3\xa9\\u2028\"}", expected);
    CHECK(memcmp(expected, found, 32) == 0);
    digest_of("{'a': [], 'b': None}", expected);
    CHECK(memcmp(expected, found + 32, 32) == 0);
    printed[1].kind = SHIMHUB_REPR_SIGNED;
    CHECK(print(&rows, &repr, found) == SHIMHUB_BAD_ARGUMENT);
}

static void text_is_utf8_or_refused(void)
{
    static const char *const wrong[] = {"\x80", "a\xc3", "\xc0\x80", "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80", "\xff", "\xe2\x28\xa1"};
    const shimhub_repr repr = {.kind = SHIMHUB_REPR_TEXT};
    uint8_t found[32];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int32_t ends[] = {0, (int32_t)strlen(wrong[i])};
        const shimhub_column row = {.kind = SHIMHUB_COLUMN_BINARY, .width = 4, .length = 1,
                                    .offsets = BUFFER(ends), .data = {wrong[i], ends[1]}};
        CHECK(print(&row, &repr, found) == SHIMHUB_BAD_FORMAT);
    }
    CHECK(shimhub_digest_reprs(NULL, 0, NULL, NULL, 1, found) == SHIMHUB_BAD_ARGUMENT);
}

void test_repr(void)
{
    rows_are_printed_as_dicts();
    text_is_utf8_or_refused();
}
