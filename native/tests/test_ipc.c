/* Record batches of IPC: one that pyarrow wrote, and what damage does to it. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Three rows of {"s": ["ab", null, "c"], "l": [[1], [], [2, 3]]}: string, list of int8. */
static const uint8_t MESSAGE[] = {
    255, 255, 255, 255, 248, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 12, 0,
    22, 0, 6, 0, 5, 0, 8, 0, 12, 0, 12, 0, 0, 0, 0, 3, 4, 0,
    24, 0, 0, 0, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 24, 0,
    12, 0, 4, 0, 8, 0, 10, 0, 0, 0, 140, 0, 0, 0, 16, 0, 0, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0,
    0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0,
    0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 16, 0,
    0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0,
    0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 97, 98, 99, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 2,
    3, 0, 0, 0, 0, 0,
};
enum { BODY = 256, VALIDITY = 256, OFFSETS = 264, LIST_OFFSETS = 288, NODES = 208 };

static const shimhub_ipc_field FIELDS[] = {
    {SHIMHUB_COLUMN_BINARY, 0, 4},
    {SHIMHUB_COLUMN_LIST, 1, 4},
    {SHIMHUB_COLUMN_FIXED, 0, 1},
};
#define FIELDS_COUNT (sizeof FIELDS / sizeof *FIELDS)

/* Looks at the bytes in memory of their very size, so that one byte more is an error. */
static shimhub_status look(const uint8_t *data, size_t size, const shimhub_ipc_field *fields,
                           size_t count, shimhub_ipc_batch_found *found)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return SHIMHUB_NO_MEMORY;
    if (size > 0)
        memcpy(copy, data, size);
    shimhub_status status = shimhub_ipc_batch(copy, size, 0, fields, count, found);
    free(copy);
    return status;
}

static shimhub_status changed(size_t at, uint8_t value)
{
    uint8_t copy[sizeof MESSAGE];
    shimhub_ipc_batch_found found;
    memcpy(copy, MESSAGE, sizeof copy);
    copy[at] = value;
    return look(copy, sizeof copy, FIELDS, FIELDS_COUNT, &found);
}

static void a_batch_that_is_right_is_certain(void)
{
    shimhub_ipc_batch_found found;
    CHECK(look(MESSAGE, sizeof MESSAGE, FIELDS, FIELDS_COUNT, &found) == SHIMHUB_OK);
    CHECK(found.end == sizeof MESSAGE && found.rows == 3 && found.most == 3);
    CHECK(found.decoded == sizeof MESSAGE - BODY && !found.is_compressed);
}

static void damage_is_not(void)
{
    CHECK(changed(VALIDITY, 7) == SHIMHUB_BAD_FORMAT);          /* no row is null */
    CHECK(changed(OFFSETS, 3) == SHIMHUB_BAD_FORMAT);           /* falls */
    CHECK(changed(OFFSETS + 12, 200) == SHIMHUB_BAD_FORMAT);    /* behind the text */
    CHECK(changed(OFFSETS + 3, 128) == SHIMHUB_BAD_FORMAT);     /* below zero */
    CHECK(changed(LIST_OFFSETS + 12, 4) == SHIMHUB_BAD_FORMAT); /* behind the values */
    CHECK(changed(NODES, 4) == SHIMHUB_BAD_FORMAT);             /* rows unlike the batch's */
    CHECK(changed(NODES + 8, 4) == SHIMHUB_BAD_FORMAT);         /* more nulls than rows */
    CHECK(changed(NODES + 15, 128) == SHIMHUB_BAD_FORMAT);      /* a negative number of them */
}

static void other_fields_are_not(void)
{
    shimhub_ipc_batch_found found;
    shimhub_ipc_field fields[FIELDS_COUNT + 1];
    for (size_t count = 0; count < FIELDS_COUNT; count++)
        CHECK(look(MESSAGE, sizeof MESSAGE, FIELDS, count, &found) == SHIMHUB_BAD_FORMAT);
    memcpy(fields, FIELDS, sizeof FIELDS);
    fields[FIELDS_COUNT] = FIELDS[0];
    CHECK(look(MESSAGE, sizeof MESSAGE, fields, FIELDS_COUNT + 1, &found) == SHIMHUB_BAD_FORMAT);
    for (int32_t kind = -1; kind <= SHIMHUB_COLUMN_STRUCT + 1; kind++) {
        memcpy(fields, FIELDS, sizeof FIELDS);
        fields[0].kind = kind;
        shimhub_status status = look(MESSAGE, sizeof MESSAGE, fields, FIELDS_COUNT, &found);
        CHECK((status == SHIMHUB_OK) == (kind == SHIMHUB_COLUMN_BINARY));
    }
}

/* Fields that hold each other without an end in sight are not followed for ever. */
static void deep_fields_are_not(void)
{
    shimhub_ipc_field fields[100];
    shimhub_ipc_batch_found found;
    for (size_t i = 0; i < 100; i++)
        fields[i] = (shimhub_ipc_field){SHIMHUB_COLUMN_STRUCT, 1, 0};
    CHECK(look(MESSAGE, sizeof MESSAGE, fields, 100, &found) == SHIMHUB_BAD_FORMAT);
}

static void any_damage_is_survived(void)
{
    shimhub_ipc_batch_found found;
    for (size_t size = 0; size < sizeof MESSAGE; size++)
        CHECK(look(MESSAGE, size, FIELDS, FIELDS_COUNT, &found) == SHIMHUB_BAD_FORMAT);
    for (size_t at = 0; at < sizeof MESSAGE; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            shimhub_status status = changed(at, (uint8_t)(MESSAGE[at] ^ 1u << bit));
            CHECK(status == SHIMHUB_OK || status == SHIMHUB_BAD_FORMAT);
        }
    }
}

static void missing_arguments_are_refused(void)
{
    shimhub_ipc_batch_found found;
    CHECK(shimhub_ipc_batch(NULL, 0, 0, FIELDS, 1, &found) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_ipc_batch(MESSAGE, 8, 0, NULL, 1, &found) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_ipc_batch(MESSAGE, 8, 0, FIELDS, 1, NULL) == SHIMHUB_BAD_ARGUMENT);
    CHECK(shimhub_ipc_batch(MESSAGE, 8, -1, FIELDS, 1, &found) == SHIMHUB_BAD_FORMAT);
    CHECK(shimhub_ipc_batch(MESSAGE, 8, INT64_MAX, FIELDS, 1, &found) == SHIMHUB_BAD_FORMAT);
}

void test_ipc(void)
{
    a_batch_that_is_right_is_certain();
    damage_is_not();
    other_fields_are_not();
    deep_fields_are_not();
    any_damage_is_survived();
    missing_arguments_are_refused();
}
