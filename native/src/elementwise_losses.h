/* Private: the sums that losses need, of one lane and precision; elementwise_loops.h includes it.
 *
 * Within a block sums are taken in T, by lanes of a vector and at most 16 additions in each; blocks
 * are added in double. So a sum of terms of one sign is within 24 eps of T and n / 512 of double. */
#define ACROSS 4 /* vectors at a time: additions wait for each other */
#define BLOCK (16 * ACROSS * WIDTH)

#define SUM_OF_BLOCKS(block, n)                                                                \
    double sum = 0;                                                                            \
    for (ptrdiff_t from = 0; from < (n); from += BLOCK) {                                      \
        ptrdiff_t count = (n) - from < BLOCK ? (n) - from : BLOCK;                             \
        sum += (double)(block);                                                                \
    }

/* The sum of TERM(place) over a block: whole vectors, then the part of one. */
#define BLOCK_LOOP(WHOLE, PART_OF_ONE)                                                         \
    ptrdiff_t i = 0;                                                                           \
    V sums[ACROSS] = {SET(0), SET(0), SET(0), SET(0)};                                         \
    for (; i + ACROSS * WIDTH <= n; i += ACROSS * WIDTH)                                       \
        UNROLL for (int j = 0; j < ACROSS; j++)                                                \
            sums[j] = ADD(sums[j], WHOLE(i + j * WIDTH));                                      \
    for (; i + WIDTH <= n; i += WIDTH)                                                         \
        sums[0] = ADD(sums[0], WHOLE(i));                                                      \
    if (i < n)                                                                                 \
        sums[1] = ADD(sums[1], KEEP(PART_OF_ONE(i), n - i));                                   \
    return SUM(ADD(ADD(sums[0], sums[1]), ADD(sums[2], sums[3])))

TARGET INLINE V NAME(squared)(V v)
{
    return MUL(v, v);
}

TARGET static T NAME(squares_of_block)(const T *a, const T *b, ptrdiff_t n)
{
#define WHOLE(at) NAME(squared)(SUB(LOAD(a + (at)), LOAD(b + (at))))
#define PART_OF_ONE(at)                                                                        \
    NAME(squared)(SUB(LOAD_PART(a + (at), n - (at), SET(0)), LOAD_PART(b + (at), n - (at), SET(0))))
    BLOCK_LOOP(WHOLE, PART_OF_ONE);
#undef WHOLE
#undef PART_OF_ONE
}

TARGET static double NAME(sum_squares)(const T *a, const T *b, ptrdiff_t n)
{
    SUM_OF_BLOCKS(NAME(squares_of_block)(a + from, b + from, count), n)
    return sum;
}

TARGET static T NAME(powers_of_block)(const T *x, ptrdiff_t n, T greatest)
{
    const V most = SET(greatest);
#define WHOLE(at) NAME(exp)(SUB(LOAD(x + (at)), most))
#define PART_OF_ONE(at) NAME(exp)(SUB(LOAD_PART(x + (at), n - (at), most), most))
    BLOCK_LOOP(WHOLE, PART_OF_ONE);
#undef WHOLE
#undef PART_OF_ONE
}

TARGET static double NAME(log_sum_exp)(const T *x, ptrdiff_t n, T *greatest)
{
    *greatest = NAME(greatest)(x, n);
    SUM_OF_BLOCKS(NAME(powers_of_block)(x + from, count, *greatest), n)
    return log(sum);
}

TARGET static T NAME(weighted_block)(const T *x, const T *weights, ptrdiff_t n, T greatest, T less)
{
    const V most = SET(greatest), sum = SET(less);
#define WHOLE(at) MUL(SUB(SUB(LOAD(x + (at)), most), sum), LOAD(weights + (at)))
#define PART_OF_ONE(at)                                                                        \
    MUL(SUB(SUB(LOAD_PART(x + (at), n - (at), most), most), sum),                              \
        LOAD_PART(weights + (at), n - (at), SET(0)))
    BLOCK_LOOP(WHOLE, PART_OF_ONE);
#undef WHOLE
#undef PART_OF_ONE
}

TARGET static double NAME(sum_weighted)(const T *x, const T *weights, ptrdiff_t n, T greatest,
                                        T less)
{
    SUM_OF_BLOCKS(NAME(weighted_block)(x + from, weights + from, count, greatest, less), n)
    return sum;
}

#undef ACROSS
#undef BLOCK
#undef SUM_OF_BLOCKS
#undef BLOCK_LOOP
