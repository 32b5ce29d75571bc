/* SHA-256 of rows of different lengths, several at a time: a lane takes the next row as soon as
 * its own one ends. */
#include "sha256.h"

struct schedule {
    const struct shimhub_sha256_lanes *lanes;
    const shimhub_bytes *rows;
    size_t count, next;
    uint8_t *digests;
    unsigned busy;                /* how many lanes have a row */
    size_t now;                   /* blocks that each lane has done */
    size_t end[SHA256_LANES_MAX]; /* when data[lane] will be done; IDLE without a row */
    const uint8_t *data[SHA256_LANES_MAX];
    size_t row[SHA256_LANES_MAX];
    bool in_tail[SHA256_LANES_MAX];
    uint8_t tail[SHA256_LANES_MAX][2 * SHA256_BLOCK];
    uint32_t states[8 * SHA256_LANES_MAX];
};

#define IDLE SIZE_MAX

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
    at->end[lane] = at->now + sha256_pad(at->tail[lane], &at->rows[at->row[lane]]);
    at->data[lane] = at->tail[lane];
    at->in_tail[lane] = true;
}

static void take_row(struct schedule *at, unsigned lane)
{
    size_t row = at->next++;
    if (at->next < at->count)
        SHIMHUB_PREFETCH_AT(at->rows[at->next].data, 0);
    for (unsigned word = 0; word < 8; word++)
        *word_of(at, lane, word) = shimhub_sha256_initial[word];
    at->row[lane] = row;
    at->in_tail[lane] = false;
    at->data[lane] = at->rows[row].data;
    at->end[lane] = at->now + at->rows[row].size / SHA256_BLOCK;
    if (at->end[lane] == at->now)
        enter_tail(at, lane);
}

/* The lane came to the end of its row, or of the part of it before the tail. */
static void go_on(struct schedule *at, unsigned lane)
{
    if (!at->in_tail[lane]) {
        enter_tail(at, lane);
        return;
    }
    uint32_t state[8];
    get_state(at, lane, state);
    sha256_write(at->digests + SHA256_DIGEST * at->row[lane], state);
    if (at->next < at->count) {
        take_row(at, lane);
    } else {
        at->end[lane] = IDLE;
        at->busy--;
    }
}

/* All lanes go on until the first one ends. Idle ones repeat what that one does. */
static void advance(struct schedule *at)
{
    const unsigned count = at->lanes->count;
    unsigned nearest = 0;
    for (unsigned lane = 1; lane < count; lane++)
        nearest = at->end[lane] < at->end[nearest] ? lane : nearest;
    for (unsigned lane = 0; at->busy < count && lane < count; lane++) {
        if (at->end[lane] == IDLE)
            at->data[lane] = at->data[nearest];
    }
    size_t until = at->end[nearest];
    at->lanes->step(at->states, at->data, until - at->now);
    at->now = until;
    for (unsigned lane = 0; lane < count; lane++) {
        if (at->end[lane] == until)
            go_on(at, lane);
    }
}

static void finish_alone(struct schedule *at, unsigned lane)
{
    uint32_t state[8];
    get_state(at, lane, state);
    at->lanes->single(state, at->data[lane], at->end[lane] - at->now);
    if (!at->in_tail[lane]) {
        enter_tail(at, lane);
        at->lanes->single(state, at->data[lane], at->end[lane] - at->now);
    }
    sha256_write(at->digests + SHA256_DIGEST * at->row[lane], state);
}

void shimhub_sha256_schedule(const shimhub_bytes *rows, size_t count, uint8_t *digests,
                             const struct shimhub_sha256_lanes *lanes)
{
    struct schedule at = {.lanes = lanes, .rows = rows, .count = count, .digests = digests};
    for (unsigned lane = 0; lane < lanes->count; lane++) {
        at.end[lane] = IDLE;
        if (at.next < count) {
            take_row(&at, lane);
            at.busy++;
        }
    }
    while (at.busy > lanes->few)
        advance(&at);
    for (unsigned lane = 0; lane < lanes->count; lane++) {
        if (at.end[lane] != IDLE)
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
