/* Where lists end, and which chunks are refused. */
#include "check.h"

#define BUFFER(array) {array, sizeof array}

static shimhub_column values_of(int64_t width, int64_t length, const void *data, int64_t size)
{
    return (shimhub_column){.kind = SHIMHUB_COLUMN_FIXED, .width = width, .length = length,
                            .data = {data, size}};
}

static shimhub_column list_of(const shimhub_column *child, const int32_t *offsets, int64_t length)
{
    return (shimhub_column){.kind = SHIMHUB_COLUMN_LIST, .width = 4, .length = length,
                            .offsets = {offsets, 4 * (length + 1)}, .children = child,
                            .children_count = 1};
}

/* The last value of one list of `count` values of that width. */
static int64_t last_of(const void *data, int64_t width, int64_t count, bool is_signed)
{
    shimhub_column child = values_of(width, count, data, width * count);
    int32_t offsets[] = {0, (int32_t)count};
    shimhub_column list = list_of(&child, offsets, 1);
    int64_t length = -1, last = -1, row = -2;
    CHECK(shimhub_list_ends(&list, 1, 1, is_signed, &length, &last, &row) == SHIMHUB_OK);
    CHECK(length == count && row == -1);
    return last;
}

static void each_width_and_sign_is_read(void)
{
    int8_t one[] = {1, INT8_MIN};
    int16_t two[] = {1, INT16_MIN};
    int32_t four[] = {1, INT32_MIN};
    int64_t eight[] = {1, INT64_MIN};
    CHECK(last_of(one, 1, 2, true) == INT8_MIN);
    CHECK(last_of(two, 2, 2, true) == INT16_MIN);
    CHECK(last_of(four, 4, 2, true) == INT32_MIN);
    CHECK(last_of(eight, 8, 2, true) == INT64_MIN);
    CHECK(last_of(one, 1, 2, false) == 128);
    CHECK(last_of(two, 2, 2, false) == 32768);
    CHECK(last_of(four, 4, 2, false) == INT64_C(2147483648));
}

/* Two chunks of random lengths, offsets of 4 and of 8 bytes, each a slice of a slice. */
static void chunks_are_read_one_behind_the_other(void)
{
    enum { ROWS = 100, BEFORE = 3, VALUES = 5 * (ROWS + BEFORE) + 2 };
    uint64_t seed = 7;
    int16_t data[VALUES];
    int32_t narrow[ROWS + BEFORE + 1] = {0};
    int64_t wide[ROWS + BEFORE + 1] = {0}, lengths[2 * ROWS], last[2 * ROWS], row;
    for (int i = 0; i < VALUES; i++)
        data[i] = (int16_t)next_random(&seed);
    for (int i = 0; i < ROWS + BEFORE; i++) {
        wide[i + 1] = wide[i] + (int64_t)(next_random(&seed) % 6);
        narrow[i + 1] = (int32_t)wide[i + 1];
    }
    shimhub_column child = values_of(2, VALUES - 2, data, sizeof data);
    child.offset = 2;
    shimhub_column lists[2] = {list_of(&child, narrow, ROWS), list_of(&child, narrow, ROWS)};
    lists[0].offsets.size = sizeof narrow;
    lists[1].offsets = (shimhub_buffer)BUFFER(wide);
    lists[1].width = 8;
    lists[0].offset = lists[1].offset = BEFORE;
    CHECK(shimhub_list_ends(lists, 2, 2 * ROWS, true, lengths, last, &row) == SHIMHUB_OK);
    for (int i = 0; i < 2 * ROWS; i++) {
        int at = BEFORE + i % ROWS;
        CHECK(lengths[i] == wide[at + 1] - wide[at]);
        CHECK(last[i] == (lengths[i] ? data[2 + wide[at + 1] - 1] : 0));
    }
}

static void empty_chunks_need_no_buffers(void)
{
    shimhub_column child = values_of(8, 0, NULL, 0), list = list_of(&child, NULL, 0);
    list.offsets.size = 0;
    int64_t row;
    CHECK(shimhub_list_ends(&list, 1, 0, true, NULL, NULL, &row) == SHIMHUB_OK);
    CHECK(shimhub_list_ends(NULL, 0, 0, true, NULL, NULL, &row) == SHIMHUB_OK);
    /* Nothing of the child is meant: its place may be any. */
    int32_t none[40] = {0};
    int64_t lengths[39], last[39];
    child.offset = INT64_MAX - 1;
    list = list_of(&child, none, 39);
    CHECK(shimhub_list_ends(&list, 1, 39, true, lengths, last, &row) == SHIMHUB_OK);
    for (int i = 0; i < 39; i++)
        CHECK(lengths[i] == 0 && last[i] == 0);
}

static void wrong_offsets_are_told_by_their_row(void)
{
    int64_t data[4] = {0}, lengths[4], last[4], row;
    int32_t right[] = {0, 2, 4}, falls[] = {0, 3, 1}, leaves[] = {0, 1, 5}, below[] = {-1, 1, 2};
    shimhub_column child = values_of(8, 4, data, sizeof data);
    shimhub_column lists[2] = {list_of(&child, right, 2), list_of(&child, falls, 2)};
    CHECK(shimhub_list_ends(lists, 2, 4, true, lengths, last, &row) == SHIMHUB_BAD_OFFSETS);
    CHECK(row == 3);
    lists[1] = list_of(&child, leaves, 2);
    CHECK(shimhub_list_ends(lists, 2, 4, true, lengths, NULL, &row) == SHIMHUB_BAD_OFFSETS);
    CHECK(row == 3);
    lists[1] = list_of(&child, below, 2);
    CHECK(shimhub_list_ends(lists, 2, 4, true, lengths, last, &row) == SHIMHUB_BAD_OFFSETS);
    CHECK(row == 2);
    lists[1] = list_of(&child, right, 2);
    lists[1].offsets.size--;
    CHECK(shimhub_list_ends(lists, 2, 4, true, lengths, last, &row) == SHIMHUB_BAD_OFFSETS);
    CHECK(row == -1);
    lists[1].offsets.size++;
    child.data.size--;
    CHECK(shimhub_list_ends(lists, 2, 4, true, lengths, last, &row) == SHIMHUB_BAD_OFFSETS);
}

static void what_is_no_list_of_integers_is_refused(void)
{
    int64_t data[4] = {0}, lengths[3], last[3], row;
    int32_t offsets[] = {0, 2, 4};
    shimhub_column child = values_of(8, 4, data, sizeof data);
    shimhub_column list = list_of(&child, offsets, 2);
    CHECK(shimhub_list_ends(&list, 1, 2, true, lengths, last, &row) == SHIMHUB_OK);
    CHECK(shimhub_list_ends(&list, 1, 2, false, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(&list, 1, 2, false, lengths, NULL, &row) == SHIMHUB_OK);
    CHECK(shimhub_list_ends(&list, 1, 1, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(&list, 1, 3, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(&list, 1, 2, true, NULL, last, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(&list, 1, 2, true, lengths, last, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(NULL, 1, 2, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_list_ends(&child, 1, 4, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    child.width = 3;
    CHECK(shimhub_list_ends(&list, 1, 2, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
    child.width = 4;
    child.kind = SHIMHUB_COLUMN_FLOAT;
    CHECK(shimhub_list_ends(&list, 1, 2, true, lengths, last, &row) == SHIMHUB_BAD_ARGUMENT);
}

void test_list_ends(void)
{
    each_width_and_sign_is_read();
    chunks_are_read_one_behind_the_other();
    empty_chunks_need_no_buffers();
    wrong_offsets_are_told_by_their_row();
    what_is_no_list_of_integers_is_refused();
}
