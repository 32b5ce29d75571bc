/* Private: XXH3 of long inputs over vectors: a template.
 *
 * Before including it: TARGET, STATE (the accumulators), and load_state, store_state,
 * accumulate(state, stripe, secret) and scramble(state, secret). */

SHIMHUB_INLINE TARGET void consume(const uint8_t *data, size_t size, const uint8_t *secret,
                                   uint64_t *accumulators)
{
    static const uint64_t initial[8] = XXH3_INITIAL;
    const uint8_t *last = data + size - XXH3_STRIPE;
    STATE state = load_state(initial);
    for (; size > XXH3_BLOCK; data += XXH3_BLOCK, size -= XXH3_BLOCK) {
        SHIMHUB_UNROLL
        for (unsigned n = 0; n < XXH3_BLOCK / XXH3_STRIPE; n++) {
            SHIMHUB_PREFETCH_AT(data, XXH3_STRIPE * n + XXH3_AHEAD);
            state = accumulate(state, data + XXH3_STRIPE * n, secret + 8 * n);
        }
        state = scramble(state, secret + XXH3_SCRAMBLE);
    }
    for (unsigned n = 0; n < (size - 1) / XXH3_STRIPE; n++)
        state = accumulate(state, data + XXH3_STRIPE * n, secret + 8 * n);
    state = accumulate(state, last, secret + XXH3_LAST);
    store_state(accumulators, state);
}
