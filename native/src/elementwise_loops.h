/* Private: the loops of one lane and precision.
 *
 * The file that includes this defines T, NAME(x), NUMBER(x) (x##_f32 or x##_f64), TABLE, V (a vector
 * of WIDTH numbers), TARGET and operations on vectors: SET(number), LOAD(p), LOAD_PART(p, n, rest)
 * (the first n from p, the others from rest), STORE(p, v), STORE_PART(p, v, n), KEEP(v, n) (zero but
 * for the first n), ADD, SUB, MUL, DIV, FMA(a, b, c), MAX(a, b) and MIN(a, b) (b where one is NaN),
 * SQRT, ABS, SIGN_OF(v, s) (v with the sign of s), SCALE(v, n) (v * 2^n), POWER(v) (2^n where v is
 * n + SHIFT, for small n), SQUARE_LOW(y, h) (y * y - h), SELECT_NEGATIVE(x, a, b) (a where x < 0),
 * SUM(v) and GREATEST(v) (to a number). */

#if defined(SHIMHUB_NO_UNROLL) && defined(__GNUC__) /* sanitizers: minutes of compilation less */
#define UNROLL
#define INLINE static inline __attribute__((always_inline))
#elif defined(__clang__)
#define UNROLL _Pragma("unroll")
#define INLINE static inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))
#else
#define UNROLL
#define INLINE static inline
#endif

/* Horner's scheme in x^2, of pairs that wait for nothing: loops are as fast as what waits. */
TARGET INLINE V NAME(polynomial)(V x, const T *terms, int count)
{
    const V square = MUL(x, x);
    V sum = count % 2 ? SET(terms[0]) : FMA(SET(terms[0]), x, SET(terms[1]));
    UNROLL for (int i = 2 - count % 2; i < count; i += 2)
        sum = FMA(sum, square, FMA(SET(terms[i]), x, SET(terms[i + 1])));
    return sum;
}

/* exp(x) = 2^n (1 + what is returned), for x that is clamped. */
TARGET INLINE V NAME(reduced)(V x, V *n)
{
    /* SHIFT leaves no bits below one. */
    *n = SUB(FMA(x, SET(NUMBER(LOG2_E)), SET(NUMBER(SHIFT))), SET(NUMBER(SHIFT)));
    V r = FMA(*n, SET(-NUMBER(LN2_HIGH)), x);
    r = FMA(*n, SET(-NUMBER(LN2_LOW)), r);
    V p = NAME(polynomial)(r, NUMBER(exp_terms), TERMS(NUMBER(exp_terms)));
    return FMA(MUL(r, r), p, r);
}

TARGET INLINE V NAME(exp)(V x)
{
    V n, clamped = MIN(SET(NUMBER(EXP_MOST)), MAX(SET(NUMBER(EXP_LEAST)), x));
    V p = NAME(reduced)(clamped, &n);
    return SCALE(ADD(SET(1), p), n);
}

TARGET INLINE V NAME(sigmoid)(V x)
{
    /* Of a number that is not positive, so that nothing overflows and small results are exact. */
    V power = NAME(exp)(SUB(SET(0), ABS(x)));
    V upper = DIV(SET(1), ADD(SET(1), power));
    return SELECT_NEGATIVE(x, MUL(power, upper), upper);
}

TARGET INLINE V NAME(tanh)(V x)
{
    /* expm1(2 y) / (expm1(2 y) + 2), both halved, with y = n ln(2) / 2 + r. What ln(2) lacks counts n
     * times, but of tanh's slope, which is 4 / 2^n there. */
    V y = MIN(SET(NUMBER(TANH_MOST)), ABS(x)), half = SET((T)0.5);
    V shifted = FMA(y, SET(2 * NUMBER(LOG2_E)), SET(NUMBER(SHIFT)));
    V r = FMA(SUB(shifted, SET(NUMBER(SHIFT))), SET(-NUMBER(LN2) / 2), y);
    V terms = NAME(polynomial)(r, NUMBER(tanh_terms), TERMS(NUMBER(tanh_terms)));
    V rest = FMA(MUL(r, r), terms, r); /* expm1(2 r) / 2 */
    V power = POWER(shifted);
    V less = FMA(power, rest, FMA(power, half, SET((T)-0.5)));
    V more = FMA(power, rest, FMA(power, half, half));
    return SIGN_OF(DIV(less, more), x);
}

TARGET INLINE V NAME(gelu)(V x)
{
    V y = MIN(SET(NUMBER(TAIL_MOST)), ABS(x)), k = SET(NUMBER(TAIL_K));
    V t = DIV(SUB(y, k), ADD(y, k));
    V shape = NAME(polynomial)(t, NUMBER(mills_terms), TERMS(NUMBER(mills_terms)));
    V square = MUL(y, y), half = SET((T)-0.5);
    V power = NAME(exp)(MUL(square, half));
    power = FMA(power, MUL(SQUARE_LOW(y, square), half), power);
    V tail = DIV(MUL(power, shape), ADD(y, SET(1)));
    return MUL(x, SELECT_NEGATIVE(x, tail, SUB(SET(1), tail)));
}

TARGET INLINE V NAME(gelu_tanh)(V x)
{
    /* (1 + tanh(u)) / 2 = sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3) */
    V u = MUL(x, FMA(MUL(x, x), SET((T)(2 * 0.044715 * 0.79788456080286535588)),
                     SET((T)(2 * 0.79788456080286535588))));
    return MUL(x, NAME(sigmoid)(u));
}

TARGET INLINE V NAME(relu)(V x)
{
    return MAX(SET(0), x);
}

TARGET INLINE V NAME(identity)(V x)
{
    return x;
}

#define ACTIVATE(function)                                                                     \
    TARGET static void NAME(activate_##function)(const T *x, ptrdiff_t n, T *out)              \
    {                                                                                          \
        ptrdiff_t i = 0;                                                                       \
        for (; i + WIDTH <= n; i += WIDTH)                                                     \
            STORE(out + i, NAME(function)(LOAD(x + i)));                                       \
        if (i < n)                                                                             \
            STORE_PART(out + i, NAME(function)(LOAD_PART(x + i, n - i, SET(0))), n - i);       \
    }

/* Behind the end are ones, so that nothing is divided by zero there. */
#define COMBINE_LOOP(name, OP, VECTOR_A, PART_A, VECTOR_B, PART_B)                             \
    TARGET static void NAME(name)(const T *a, const T *b, ptrdiff_t n, T *out)                 \
    {                                                                                          \
        ptrdiff_t i = 0;                                                                       \
        if (n == 0)                                                                            \
            return;                                                                            \
        const V one_a = SET(*a), one_b = SET(*b);                                              \
        (void)one_a, (void)one_b;                                                              \
        for (; i + WIDTH <= n; i += WIDTH)                                                     \
            STORE(out + i, OP(VECTOR_A, VECTOR_B));                                            \
        if (i < n)                                                                             \
            STORE_PART(out + i, OP(PART_A, PART_B), n - i);                                    \
    }
#define COMBINE(name, OP)                                                                      \
    COMBINE_LOOP(name##_both, OP, LOAD(a + i), LOAD_PART(a + i, n - i, SET(1)), LOAD(b + i),   \
                 LOAD_PART(b + i, n - i, SET(1)))                                              \
    COMBINE_LOOP(name##_a, OP, one_a, one_a, LOAD(b + i), LOAD_PART(b + i, n - i, SET(1)))     \
    COMBINE_LOOP(name##_b, OP, LOAD(a + i), LOAD_PART(a + i, n - i, SET(1)), one_b, one_b)

/* Of at least one number; any where one of them is NaN. */
TARGET INLINE T NAME(greatest)(const T *x, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    V most = SET(*x), other = most;
    for (; i + 2 * WIDTH <= n; i += 2 * WIDTH) {
        most = MAX(most, LOAD(x + i));
        other = MAX(other, LOAD(x + i + WIDTH));
    }
    for (; i + WIDTH <= n; i += WIDTH)
        most = MAX(most, LOAD(x + i));
    if (i < n)
        other = MAX(other, LOAD_PART(x + i, n - i, other));
    return GREATEST(MAX(most, other));
}

TARGET static void NAME(softmax)(const T *x, ptrdiff_t n, T *out)
{
    if (n == 0)
        return;
    ptrdiff_t i = 0;
    V most = SET(NAME(greatest)(x, n)), sum = SET(0);
    for (; i + WIDTH <= n; i += WIDTH) {
        V power = NAME(exp)(SUB(LOAD(x + i), most));
        sum = ADD(sum, power);
        STORE(out + i, power);
    }
    if (i < n) {
        V power = NAME(exp)(SUB(LOAD_PART(x + i, n - i, SET(0)), most));
        sum = ADD(sum, KEEP(power, n - i));
        STORE_PART(out + i, power, n - i);
    }
    sum = SET(SUM(sum));
    for (i = 0; i + WIDTH <= n; i += WIDTH)
        STORE(out + i, DIV(LOAD(out + i), sum));
    if (i < n)
        STORE_PART(out + i, DIV(LOAD_PART(out + i, n - i, SET(0)), sum), n - i);
}

TARGET static T NAME(mean)(const T *x, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    V sum = SET(0);
    for (; i + WIDTH <= n; i += WIDTH)
        sum = ADD(sum, LOAD(x + i));
    if (i < n)
        sum = ADD(sum, LOAD_PART(x + i, n - i, SET(0)));
    return SUM(sum) / (T)n;
}

TARGET static T NAME(variance)(const T *x, ptrdiff_t n, T mean)
{
    ptrdiff_t i = 0;
    V sum = SET(0), middle = SET(mean);
    for (; i + WIDTH <= n; i += WIDTH) {
        V apart = SUB(LOAD(x + i), middle);
        sum = FMA(apart, apart, sum);
    }
    if (i < n) {
        V apart = SUB(LOAD_PART(x + i, n - i, middle), middle);
        sum = ADD(sum, KEEP(MUL(apart, apart), n - i));
    }
    return SUM(sum) / (T)n;
}

TARGET INLINE V NAME(normal)(V x, V mean, V scale, V weight, V bias)
{
    return FMA(MUL(SUB(x, mean), scale), weight, bias);
}

TARGET static void NAME(layer_norm)(const T *x, ptrdiff_t n, const T *weight, const T *bias,
                                    T epsilon, T *out)
{
    if (n == 0)
        return;
    const T middle = NAME(mean)(x, n);
    const V spread = SET(NAME(variance)(x, n, middle) + epsilon);
    const V mean = SET(middle), scale = DIV(SET(1), SQRT(spread)), one = SET(1), zero = SET(0);
    ptrdiff_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        STORE(out + i, NAME(normal)(LOAD(x + i), mean, scale, weight ? LOAD(weight + i) : one,
                                    bias ? LOAD(bias + i) : zero));
    if (i < n) {
        V w = weight ? LOAD_PART(weight + i, n - i, one) : one;
        V b = bias ? LOAD_PART(bias + i, n - i, zero) : zero;
        STORE_PART(out + i, NAME(normal)(LOAD_PART(x + i, n - i, zero), mean, scale, w, b), n - i);
    }
}

#include "elementwise_losses.h"

ACTIVATE(relu)
ACTIVATE(sigmoid)
ACTIVATE(tanh)
ACTIVATE(gelu)
ACTIVATE(gelu_tanh)
ACTIVATE(exp)
ACTIVATE(identity)
COMBINE(add, ADD)
COMBINE(subtract, SUB)
COMBINE(multiply, MUL)
COMBINE(divide, DIV)

#define LENGTHS(name)                                                                          \
    {                                                                                          \
        [SHIMHUB_BOTH_LONG] = NAME(name##_both), [SHIMHUB_A_IS_ONE] = NAME(name##_a),          \
        [SHIMHUB_B_IS_ONE] = NAME(name##_b)                                                    \
    }

const struct NUMBER(shimhub_elementwise) TABLE = {
    .activate =
        {
            [SHIMHUB_RELU] = NAME(activate_relu),
            [SHIMHUB_SIGMOID] = NAME(activate_sigmoid),
            [SHIMHUB_TANH] = NAME(activate_tanh),
            [SHIMHUB_GELU] = NAME(activate_gelu),
            [SHIMHUB_GELU_TANH] = NAME(activate_gelu_tanh),
            [SHIMHUB_EXP] = NAME(activate_exp),
            [SHIMHUB_IDENTITY] = NAME(activate_identity),
        },
    .combine = {[SHIMHUB_ADD] = LENGTHS(add),
                [SHIMHUB_SUBTRACT] = LENGTHS(subtract),
                [SHIMHUB_MULTIPLY] = LENGTHS(multiply),
                [SHIMHUB_DIVIDE] = LENGTHS(divide)},
    .softmax = NAME(softmax),
    .layer_norm = NAME(layer_norm),
    .sum_squares = NAME(sum_squares),
    .log_sum_exp = NAME(log_sum_exp),
    .sum_weighted = NAME(sum_weighted),
};

#undef LENGTHS
#undef COMBINE
#undef COMBINE_LOOP
#undef ACTIVATE
#undef INLINE
#undef UNROLL
#undef T
#undef NAME
#undef NUMBER
#undef TABLE
#undef V
#undef WIDTH
#undef SET
#undef LOAD
#undef LOAD_PART
#undef STORE
#undef STORE_PART
#undef KEEP
#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef FMA
#undef MAX
#undef MIN
#undef SQRT
#undef ABS
#undef SIGN_OF
#undef SCALE
#undef POWER
#undef SQUARE_LOW
#undef SELECT_NEGATIVE
#undef SUM
#undef GREATEST
