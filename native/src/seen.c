/* A set of SHA-256 digests, in order, and what it looks like in a file. */
#include <string.h>

#include "shimhub/dedup.h"
#include "shimhub/hash.h"
#include "table.h"

#define DIGEST ((size_t)32)
#define HEADER ((size_t)24)
#define VERSION 1
#define LEAST_ROOM 64

struct shimhub_seen {
    shimhub_table table;
    size_t count, room;
    uint8_t *digests;
    uint64_t seed;
};

shimhub_status shimhub_seen_new(uint64_t seed, shimhub_seen **seen)
{
    if (seen == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    shimhub_seen *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SHIMHUB_NO_MEMORY;
    made->seed = seed;
    *seen = made;
    return SHIMHUB_OK;
}

void shimhub_seen_free(shimhub_seen *seen)
{
    if (seen == NULL)
        return;
    free(seen->table.slots);
    free(seen->digests);
    free(seen);
}

size_t shimhub_seen_count(const shimhub_seen *seen)
{
    return seen->count;
}

const uint8_t *shimhub_seen_digests(const shimhub_seen *seen)
{
    return seen->digests;
}

/* 64 bits of a digest that only who knows the seed can choose: where its slot is, and its tag. */
static uint64_t place(const shimhub_seen *seen, const uint8_t *digest)
{
    shimhub_bytes bytes = {digest, DIGEST};
    uint64_t placed = 0;
    shimhub_xxh3_64(&bytes, 1, seen->seed, &placed);
    return placed;
}

static uint64_t tag_of(uint64_t placed)
{
    return placed >> 32;
}

/* The slot of the digest, or the free one where it belongs. */
static size_t find(const shimhub_seen *seen, const uint8_t *digest, uint64_t placed)
{
    const shimhub_table *table = &seen->table;
    size_t at = (size_t)placed & table->mask;
    for (; table->slots[at] != 0; at = (at + 1) & table->mask) {
        if (!shimhub_slot_has(table->slots[at], tag_of(placed)))
            continue;
        const uint8_t *other = seen->digests + DIGEST * shimhub_slot_entry(table->slots[at]);
        if (memcmp(other, digest, DIGEST) == 0)
            break;
    }
    return at;
}

static void link_entry(shimhub_seen *seen, size_t entry)
{
    const uint8_t *digest = seen->digests + DIGEST * entry;
    uint64_t placed = place(seen, digest);
    seen->table.slots[find(seen, digest, placed)] = shimhub_slot(tag_of(placed), entry);
}

/* Room for that many digests; no change if there is no memory. */
static bool reserve(shimhub_seen *seen, size_t count)
{
    shimhub_table table;
    if (seen->table.slots != NULL && count <= seen->room)
        return true;
    size_t room = count < LEAST_ROOM ? LEAST_ROOM : count;
    if (room < 2 * seen->room)
        room = 2 * seen->room;
    if (room > SHIMHUB_TABLE_MAX)
        room = SHIMHUB_TABLE_MAX;
    if (room > SIZE_MAX / DIGEST || !shimhub_table_new(&table, room))
        return false;
    uint8_t *digests = realloc(seen->digests, DIGEST * room);
    if (digests == NULL) {
        free(table.slots);
        return false;
    }
    free(seen->table.slots);
    seen->table = table;
    seen->digests = digests;
    seen->room = room;
    for (size_t entry = 0; entry < seen->count; entry++)
        link_entry(seen, entry);
    return true;
}

static bool add_one(shimhub_seen *seen, const uint8_t *digest)
{
    uint64_t placed = place(seen, digest);
    size_t at = find(seen, digest, placed);
    if (seen->table.slots[at] != 0)
        return false;
    memcpy(seen->digests + DIGEST * seen->count, digest, DIGEST);
    seen->table.slots[at] = shimhub_slot(tag_of(placed), seen->count++);
    return true;
}

shimhub_status shimhub_seen_add(shimhub_seen *seen, const uint8_t *digests, size_t count,
                                int64_t *kept, size_t *kept_count)
{
    if (seen == NULL || kept_count == NULL || (count > 0 && (digests == NULL || kept == NULL)))
        return SHIMHUB_BAD_ARGUMENT;
    if (count > SHIMHUB_TABLE_MAX - seen->count)
        return SHIMHUB_OVERFLOW;
    if (!reserve(seen, seen->count + count))
        return SHIMHUB_NO_MEMORY;
    size_t fresh = 0;
    for (size_t i = 0; i < count; i++) {
        if (add_one(seen, digests + DIGEST * i))
            kept[fresh++] = (int64_t)i;
    }
    *kept_count = fresh;
    return SHIMHUB_OK;
}

static uint64_t little_endian(const uint8_t *bytes, int count)
{
    uint64_t number = 0;
    for (int i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* The count of digests that a right header tells, and of which there are as many; else SIZE_MAX. */
static size_t told_count(const uint8_t *bytes, size_t size)
{
    if (size < HEADER + DIGEST || memcmp(bytes, "shimseen", 8) != 0)
        return SIZE_MAX;
    size_t room = size - HEADER - DIGEST;
    uint64_t count = little_endian(bytes + 16, 8);
    bool right = little_endian(bytes + 8, 4) == VERSION &&
                 little_endian(bytes + 12, 4) == DIGEST && room % DIGEST == 0 &&
                 room / DIGEST == count && count <= SHIMHUB_TABLE_MAX;
    return right ? (size_t)count : SIZE_MAX;
}

static bool has_its_checksum(const uint8_t *bytes, size_t size)
{
    uint8_t digest[DIGEST];
    shimhub_bytes message = {bytes, size - DIGEST};
    return shimhub_sha256(&message, 1, digest) == SHIMHUB_OK &&
           memcmp(digest, bytes + size - DIGEST, DIGEST) == 0;
}

static shimhub_status add_all(shimhub_seen *seen, const uint8_t *digests, size_t count)
{
    if (!reserve(seen, count))
        return SHIMHUB_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!add_one(seen, digests + DIGEST * i))
            return SHIMHUB_BAD_FORMAT;
    }
    return SHIMHUB_OK;
}

shimhub_status shimhub_seen_parse(const void *bytes, size_t size, uint64_t seed,
                                  shimhub_seen **seen)
{
    if (bytes == NULL || seen == NULL)
        return SHIMHUB_BAD_ARGUMENT;
    size_t count = told_count(bytes, size);
    if (count == SIZE_MAX || !has_its_checksum(bytes, size))
        return SHIMHUB_BAD_FORMAT;
    shimhub_seen *made = NULL;
    shimhub_status status = shimhub_seen_new(seed, &made);
    if (status == SHIMHUB_OK)
        status = add_all(made, (const uint8_t *)bytes + HEADER, count);
    if (status == SHIMHUB_OK)
        *seen = made;
    else
        shimhub_seen_free(made);
    return status;
}
