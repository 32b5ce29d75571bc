/* Private: MinHash over vectors: a template.
 *
 * Before including it: TARGET, VECTOR (of LANES words), GROUP (vectors of a, b and least that fit
 * in the registers), SPLAT, LOAD, STORE, and STEP(least, a, b, x), which is min(least, a x + b). */

SHIMHUB_INLINE TARGET void update_vectors(const uint32_t *hashes, size_t count, const uint32_t *a,
                                          const uint32_t *b, uint32_t *least, unsigned vectors)
{
    VECTOR as[GROUP], bs[GROUP], found[GROUP];
    SHIMHUB_UNROLL
    for (unsigned v = 0; v < vectors; v++) {
        as[v] = LOAD(a + LANES * v);
        bs[v] = LOAD(b + LANES * v);
        found[v] = LOAD(least + LANES * v);
    }
    for (size_t i = 0; i < count; i++) {
        const VECTOR x = SPLAT(hashes[i]);
        SHIMHUB_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            found[v] = STEP(found[v], as[v], bs[v], x);
    }
    SHIMHUB_UNROLL
    for (unsigned v = 0; v < vectors; v++)
        STORE(least + LANES * v, found[v]);
}

SHIMHUB_INLINE TARGET void update(const uint32_t *hashes, size_t count, const uint32_t *a,
                                  const uint32_t *b, uint32_t *least, size_t num_perm)
{
    size_t p = 0;
    for (; num_perm - p >= LANES * GROUP; p += LANES * GROUP)
        update_vectors(hashes, count, a + p, b + p, least + p, GROUP);
    for (; num_perm - p >= LANES; p += LANES)
        update_vectors(hashes, count, a + p, b + p, least + p, 1);
    if (p < num_perm)
        shimhub_minhash_update_portable(hashes, count, a + p, b + p, least + p, num_perm - p);
}
