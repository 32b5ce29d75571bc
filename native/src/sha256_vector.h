/* Private: SHA-256 of one block in each lane of a vector: a template.
 *
 * Before including it: VECTOR (of LANES 32-bit words), TARGET, and ADD, ROTATE, SHIFT, XOR3,
 * CHOOSE, MAJORITY, SPLAT, LOAD_WORDS(w, data), LOAD and STORE over VECTORs. */

#define SIGMA0(x) XOR3(ROTATE(x, 7), ROTATE(x, 18), SHIFT(x, 3))
#define SIGMA1(x) XOR3(ROTATE(x, 17), ROTATE(x, 19), SHIFT(x, 10))
#define SUM0(x) XOR3(ROTATE(x, 2), ROTATE(x, 13), ROTATE(x, 22))
#define SUM1(x) XOR3(ROTATE(x, 6), ROTATE(x, 11), ROTATE(x, 25))

SHIMHUB_INLINE TARGET VECTOR expand(const VECTOR w[16], unsigned t)
{
    VECTOR sum = ADD(w[t & 15], SIGMA0(w[(t + 1) & 15]));
    return ADD(sum, ADD(w[(t + 9) & 15], SIGMA1(w[(t + 14) & 15])));
}

SHIMHUB_INLINE TARGET void one_round(VECTOR s[8], unsigned t, VECTOR added)
{
    VECTOR a = s[(0 - t) & 7], b = s[(1 - t) & 7], c = s[(2 - t) & 7];
    VECTOR e = s[(4 - t) & 7], f = s[(5 - t) & 7], g = s[(6 - t) & 7];
    VECTOR t1 = ADD(ADD(s[(7 - t) & 7], added), ADD(SUM1(e), CHOOSE(e, f, g)));
    s[(3 - t) & 7] = ADD(s[(3 - t) & 7], t1);
    s[(7 - t) & 7] = ADD(t1, ADD(SUM0(a), MAJORITY(a, b, c)));
}

SHIMHUB_INLINE TARGET void compress(VECTOR state[8], VECTOR w[16])
{
    VECTOR s[8];
    for (unsigned i = 0; i < 8; i++)
        s[i] = state[i];
    SHIMHUB_UNROLL
    for (unsigned t = 0; t < 16; t++)
        one_round(s, t, ADD(w[t], SPLAT(shimhub_sha256_k[t])));
    for (const uint32_t *k = shimhub_sha256_k + 16; k < shimhub_sha256_k + 64; k += 16) {
        SHIMHUB_UNROLL
        for (unsigned t = 0; t < 16; t++) {
            w[t] = expand(w, t);
            one_round(s, t, ADD(w[t], SPLAT(k[t])));
        }
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] = ADD(state[i], s[i]);
}

SHIMHUB_INLINE TARGET void step(uint32_t *states, const uint8_t **data, size_t blocks)
{
    VECTOR state[8], w[16];
    for (unsigned i = 0; i < 8; i++)
        state[i] = LOAD(states + LANES * i);
    for (; blocks > 0; blocks--) {
        LOAD_WORDS(w, data);
        for (unsigned lane = 0; lane < LANES; lane++) {
            data[lane] += SHA256_BLOCK;
            SHIMHUB_PREFETCH_AT(data[lane], 3 * SHA256_BLOCK);
        }
        compress(state, w);
    }
    for (unsigned i = 0; i < 8; i++)
        STORE(states + LANES * i, state[i]);
}
