/* SHA-256 of rows of different lengths, several at a time: a lane takes the next row as soon as
 * its own one ends. */
#include "sha256.h"

struct lane {
    size_t row;
    size_t blocks; /* that are left at data[lane]; 0 where the lane is idle */
    bool in_tail;
    uint8_t tail[2 * SHA256_BLOCK];
};

struct schedule {
    const struct shimhub_sha256_lanes *lanes;
    const shimhub_bytes *rows;
    size_t count, next;
    uint8_t *digests;
    unsigned busy; /* how many lanes have a row */
    const uint8_t *data[SHA256_LANES_MAX];
    struct lane lane[SHA256_LANES_MAX];
    uint32_t states[8 * SHA256_LANES_MAX];
};

static uint32_t *word_of(struct schedule *at, unsigned lane, unsigned word)
{
    return &at->states[word * at->lanes->word + lane * at->lanes->lane];
}

static void get_state(struct schedule *at, unsigned lane, uint32_t state[8])
{
    for (unsigned word = 0; word < 8; word++)
        state[word] = *word_of(at, lane, word);
}

static void enter_tail(struct schedule *at, unsigned lane)
{
    struct lane *one = &at->lane[lane];
    one->blocks = sha256_pad(one->tail, &at->rows[one->row]);
    one->in_tail = true;
    at->data[lane] = one->tail;
}

static void take_row(struct schedule *at, unsigned lane)
{
    size_t row = at->next++;
    if (at->next < at->count)
        SHIMHUB_PREFETCH(at->rows[at->next].data);
    for (unsigned word = 0; word < 8; word++)
        *word_of(at, lane, word) = shimhub_sha256_initial[word];
    at->lane[lane].row = row;
    at->lane[lane].blocks = at->rows[row].size / SHA256_BLOCK;
    at->lane[lane].in_tail = false;
    at->data[lane] = at->rows[row].data;
    if (at->lane[lane].blocks == 0)
        enter_tail(at, lane);
}

/* The lane came to the end of its row, or of the part of it before the tail. */
static void go_on(struct schedule *at, unsigned lane)
{
    if (!at->lane[lane].in_tail) {
        enter_tail(at, lane);
        return;
    }
    uint32_t state[8];
    get_state(at, lane, state);
    sha256_write(at->digests + SHA256_DIGEST * at->lane[lane].row, state);
    if (at->next < at->count)
        take_row(at, lane);
    else
        at->busy--;
}

/* How many blocks all lanes can go on by. Lanes that are idle are to repeat what a busy one does. */
static size_t distance(struct schedule *at)
{
    size_t blocks = SIZE_MAX;
    unsigned nearest = 0;
    for (unsigned lane = 0; lane < at->lanes->count; lane++) {
        if (at->lane[lane].blocks - 1 < blocks - 1) {
            blocks = at->lane[lane].blocks;
            nearest = lane;
        }
    }
    for (unsigned lane = 0; at->busy < at->lanes->count && lane < at->lanes->count; lane++) {
        if (at->lane[lane].blocks == 0)
            at->data[lane] = at->data[nearest];
    }
    return blocks;
}

static void advance(struct schedule *at)
{
    size_t blocks = distance(at);
    at->lanes->step(at->states, at->data, blocks);
    for (unsigned lane = 0; lane < at->lanes->count; lane++) {
        if (at->lane[lane].blocks == 0)
            continue;
        at->data[lane] += SHA256_BLOCK * blocks;
        at->lane[lane].blocks -= blocks;
        if (at->lane[lane].blocks == 0)
            go_on(at, lane);
    }
}

static void finish_alone(struct schedule *at, unsigned lane)
{
    uint32_t state[8];
    get_state(at, lane, state);
    at->lanes->single(state, at->data[lane], at->lane[lane].blocks);
    if (!at->lane[lane].in_tail) {
        enter_tail(at, lane);
        at->lanes->single(state, at->data[lane], at->lane[lane].blocks);
    }
    sha256_write(at->digests + SHA256_DIGEST * at->lane[lane].row, state);
}

void shimhub_sha256_schedule(const shimhub_bytes *rows, size_t count, uint8_t *digests,
                             const struct shimhub_sha256_lanes *lanes)
{
    struct schedule at = {.lanes = lanes, .rows = rows, .count = count, .digests = digests};
    for (unsigned lane = 0; lane < lanes->count && at.next < count; lane++) {
        take_row(&at, lane);
        at.busy++;
    }
    while (at.busy > lanes->few)
        advance(&at);
    for (unsigned lane = 0; lane < lanes->count; lane++) {
        if (at.lane[lane].blocks > 0)
            finish_alone(&at, lane);
    }
}

void shimhub_sha256_one_by_one(const shimhub_bytes *rows, size_t count, uint8_t *digests,
                               shimhub_sha256_single *single)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t tail[2 * SHA256_BLOCK];
        uint32_t state[8];
        memcpy(state, shimhub_sha256_initial, sizeof state);
        single(state, rows[i].data, rows[i].size / SHA256_BLOCK);
        single(state, tail, sha256_pad(tail, &rows[i]));
        sha256_write(digests + SHA256_DIGEST * i, state);
    }
}
