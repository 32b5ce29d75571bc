/* Which columns are read, and which are refused. */
#include <string.h>

#include "check.h"

#define BUFFER(array) {array, sizeof array}

static shimhub_status check(const shimhub_column *column, int64_t *row)
{
    *row = -2;
    return shimhub_column_check(column, row);
}

static void expect(const shimhub_column *column, shimhub_status expected, int64_t expected_row)
{
    int64_t row;
    CHECK(expected == check(column, &row));
    CHECK(expected_row == row);
}

static void missing_arguments_are_refused(void)
{
    shimhub_column column = {.kind = SHIMHUB_COLUMN_NULL};
    int64_t row;
    CHECK(shimhub_column_check(NULL, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_column_check(&column, NULL) == SHIMHUB_BAD_ARGUMENT);
}

static void numbers_that_make_no_column_are_refused(void)
{
    int32_t data[4] = {0};
    const shimhub_column good = {
        .kind = SHIMHUB_COLUMN_FIXED, .width = 4, .length = 4, .data = BUFFER(data)};
    expect(&good, SHIMHUB_OK, -1);
    shimhub_column bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].kind = -1;
    bad[1].kind = SHIMHUB_COLUMN_STRUCT + 1;
    bad[2].width = -4;
    bad[3].length = -1;
    bad[4].offset = -1;
    bad[5].offset = INT64_MAX;
    bad[6].data.data = NULL;
    bad[7].data.size = -1;
    bad[8].children_count = 1;
    for (int i = 0; i < 9; i++)
        expect(&bad[i], SHIMHUB_BAD_ARGUMENT, -1);
    shimhub_column column = good;
    column.kind = SHIMHUB_COLUMN_FLOAT;
    column.width = 3;
    expect(&column, SHIMHUB_BAD_ARGUMENT, -1);
    column.kind = SHIMHUB_COLUMN_LIST;
    expect(&column, SHIMHUB_BAD_ARGUMENT, -1); /* no child */
}

static void fixed_rows_end_with_their_data(void)
{
    uint8_t data[24] = {0}, bits[1] = {0xff};
    shimhub_column column = {
        .kind = SHIMHUB_COLUMN_FIXED, .width = 8, .length = 2, .offset = 1, .data = BUFFER(data)};
    expect(&column, SHIMHUB_OK, -1);
    column.length = 3;
    expect(&column, SHIMHUB_BAD_OFFSETS, -1);
    column.length = 2;
    column.width = INT64_MAX / 2;
    expect(&column, SHIMHUB_BAD_OFFSETS, -1);
    column.width = 0;
    column.length = 10;
    expect(&column, SHIMHUB_OK, -1);
    column.validity = (shimhub_buffer)BUFFER(bits);
    expect(&column, SHIMHUB_BAD_OFFSETS, -1); /* 11 bits of 8 */
    column.length = 7;
    expect(&column, SHIMHUB_OK, -1);
}

static void bits_end_with_their_bytes(void)
{
    uint8_t data[2] = {0};
    shimhub_column column = {
        .kind = SHIMHUB_COLUMN_BOOL, .length = 13, .offset = 3, .data = BUFFER(data)};
    expect(&column, SHIMHUB_OK, -1);
    column.length = 14;
    expect(&column, SHIMHUB_BAD_OFFSETS, -1);
    column.length = INT64_MAX - 4;
    expect(&column, SHIMHUB_BAD_OFFSETS, -1);
}

static void offsets_rise_within_their_data(void)
{
    char data[5] = "abcde";
    int32_t right[] = {0, 2, 2, 5}, falls[] = {0, 4, 3, 5}, leaves[] = {0, 2, 6, 6},
            negative[] = {-1, 0, 2, 5};
    shimhub_column column = {
        .kind = SHIMHUB_COLUMN_BINARY, .width = 4, .length = 3, .data = {data, 5}};
    column.offsets = (shimhub_buffer)BUFFER(right);
    expect(&column, SHIMHUB_OK, -1);
    column.offsets.size--; /* no room for the last */
    expect(&column, SHIMHUB_BAD_OFFSETS, -1);
    column.offsets = (shimhub_buffer)BUFFER(falls);
    expect(&column, SHIMHUB_BAD_OFFSETS, 1);
    column.offsets = (shimhub_buffer)BUFFER(leaves);
    expect(&column, SHIMHUB_BAD_OFFSETS, 1);
    column.offsets = (shimhub_buffer)BUFFER(negative);
    expect(&column, SHIMHUB_BAD_OFFSETS, 0);
    column.offset = 1; /* what is before is not read */
    column.length = 2;
    expect(&column, SHIMHUB_OK, -1);
    column.width = 2;
    expect(&column, SHIMHUB_BAD_ARGUMENT, -1);
}

static void wide_offsets_do_not_overflow(void)
{
    char data[1] = "";
    int64_t offsets[] = {0, INT64_MAX, INT64_MIN};
    shimhub_column column = {.kind = SHIMHUB_COLUMN_BINARY, .width = 8, .length = 2,
                             .offsets = BUFFER(offsets), .data = {data, 1}};
    expect(&column, SHIMHUB_BAD_OFFSETS, 0);
}

static void rows_of_children_are_told_as_the_parents(void)
{
    char data[6] = "abcdef";
    int64_t inner[] = {0, 1, 2, 1, 4}, outer[] = {0, 1, 1, 4};
    shimhub_column child = {.kind = SHIMHUB_COLUMN_BINARY, .width = 8, .length = 4,
                            .offsets = BUFFER(inner), .data = {data, 6}};
    shimhub_column list = {.kind = SHIMHUB_COLUMN_LIST, .width = 8, .length = 3,
                           .offsets = BUFFER(outer), .children = &child, .children_count = 1};
    expect(&list, SHIMHUB_BAD_OFFSETS, 2);
    list.length = 2; /* the child's wrong row is not meant */
    expect(&list, SHIMHUB_OK, -1);
    shimhub_column pairs = {.kind = SHIMHUB_COLUMN_FIXED_LIST, .width = 2, .length = 2,
                            .children = &child, .children_count = 1};
    expect(&pairs, SHIMHUB_BAD_OFFSETS, 1);
    pairs.length = 3;
    expect(&pairs, SHIMHUB_BAD_OFFSETS, -1); /* six of four */
    pairs.width = INT64_MAX;
    expect(&pairs, SHIMHUB_BAD_OFFSETS, -1);
    shimhub_column row = {.kind = SHIMHUB_COLUMN_STRUCT, .length = 2, .offset = 1,
                          .children = &child, .children_count = 1};
    expect(&row, SHIMHUB_BAD_OFFSETS, 1);
    row.length = 4;
    expect(&row, SHIMHUB_BAD_OFFSETS, -1);
    child.length = -1;
    expect(&row, SHIMHUB_BAD_ARGUMENT, -1);
}

static void empty_columns_need_no_buffers(void)
{
    shimhub_column child = {.kind = SHIMHUB_COLUMN_FIXED, .width = 4};
    for (int32_t kind = SHIMHUB_COLUMN_NULL; kind <= SHIMHUB_COLUMN_STRUCT; kind++) {
        bool nested = kind >= SHIMHUB_COLUMN_LIST;
        shimhub_column column = {.kind = kind, .width = 4, .offset = 5};
        column.children = nested ? &child : NULL;
        column.children_count = nested;
        expect(&column, SHIMHUB_OK, -1);
    }
}

static void depth_has_a_limit(void)
{
    shimhub_column columns[65];
    memset(columns, 0, sizeof columns);
    for (int i = 0; i < 64; i++) {
        columns[i] = (shimhub_column){.kind = SHIMHUB_COLUMN_STRUCT, .length = 1,
                                      .children = &columns[i + 1], .children_count = 1};
    }
    columns[64].length = 1;
    expect(&columns[1], SHIMHUB_OK, -1);
    expect(&columns[0], SHIMHUB_BAD_ARGUMENT, -1);
}

static void positions_count_from_zero_in_each_row(void)
{
    static const int64_t ends[] = {0, 2, 2, 5}, falling[] = {0, 2, 1}, wide[] = {0, 9};
    static const int64_t expected[] = {0, 1, 0, 1, 2};
    int64_t out[5];
    CHECK(shimhub_positions(ends, 3, 5, out) == SHIMHUB_OK);
    for (int i = 0; i < 5; i++)
        CHECK(out[i] == expected[i]);
    CHECK(shimhub_positions(falling, 2, 5, out) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_positions(wide, 1, 5, out) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_positions(ends + 1, 2, 5, out) == SHIMHUB_BAD_OFFSETS);
    CHECK(shimhub_positions(NULL, 0, 0, NULL) == SHIMHUB_BAD_ARGUMENT);
}

void test_columns(void)
{
    missing_arguments_are_refused();
    numbers_that_make_no_column_are_refused();
    fixed_rows_end_with_their_data();
    bits_end_with_their_bytes();
    offsets_rise_within_their_data();
    wide_offsets_do_not_overflow();
    rows_of_children_are_told_as_the_parents();
    empty_columns_need_no_buffers();
    depth_has_a_limit();
    positions_count_from_zero_in_each_row();
}
