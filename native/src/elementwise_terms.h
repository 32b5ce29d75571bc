/* Private: the numbers of elementwise_loops.h. Polynomials are minimax (Remez), highest term first.
 *
 * exp: x = n ln 2 + r (Cody and Waite, "Software Manual for the Elementary Functions", 1980), ln 2
 * in two parts of which n times the first is exact; expm1(r) = r + r^2 P(r) over |r| <= ln(2) / 2,
 * within 2^-26 (float) and 2^-55 (double).
 *
 * Normal distribution's tail: Phi(-y) = exp(-y^2 / 2) P(t) / (1 + y), t = (y - K) / (y + K), the
 * form that Shepherd and Laframboise give for erfc (Math. Comp. 36(153), 1981), within 2^-27 for
 * y <= 14.5 (float) and 2^-54 for y <= 39 (double), behind which it is zero in that precision. */
#ifndef SHIMHUB_ELEMENTWISE_TERMS_H
#define SHIMHUB_ELEMENTWISE_TERMS_H

static const float exp_terms_f32[] = {
    0.001394645113f, 0.008366584128f, 0.04166628205f, 0.1666654299f, 0.5000000062f,
};
static const double exp_terms_f64[] = {
    2.51144779413068199e-8, 2.76263271919285606e-7, 2.75572279381842914e-6,
    0.000024801504444343649, 0.000198412699030476965, 0.00138888889323800147,
    0.00833333333331458502, 0.041666666666573622, 0.16666666666666686, 0.500000000000000555,
};
/* Of expm1(2 r) / 2 = r + r^2 Q(r): those of exp, times powers of two. */
static const float tanh_terms_f32[] = {
    32 * 0.001394645113f, 16 * 0.008366584128f, 8 * 0.04166628205f, 4 * 0.1666654299f,
    2 * 0.5000000062f,
};
static const double tanh_terms_f64[] = {
    1024 * 2.51144779413068199e-8, 512 * 2.76263271919285606e-7, 256 * 2.75572279381842914e-6,
    128 * 0.000024801504444343649, 64 * 0.000198412699030476965, 32 * 0.00138888889323800147,
    16 * 0.00833333333331458502, 8 * 0.041666666666573622, 4 * 0.16666666666666686,
    2 * 0.500000000000000555,
};
static const float mills_terms_f32[] = {
    -7.161157569e-5f, -6.05573621e-5f, 0.0006928588753f, -0.0003037599675f, -0.005004382171f,
    0.01794020296f, -0.03219726955f, 0.02859998072f, 0.01399959615f, -0.09670346693f,
    0.4720532069f,
};
static const double mills_terms_f64[] = {
    6.97777996415968756e-10, 3.85841129758532899e-9, 4.67164686678819392e-10,
    -3.15331109706061079e-8, -2.19041015750099626e-8, 1.98231342903180637e-7,
    1.24464242910920621e-7, -1.30946630546727009e-6, -6.87083918065170519e-8,
    9.06095735875138466e-6, -9.89659665732801812e-6, -0.0000536079655794642829,
    0.000182334240954764456, 7.79167768944760628e-6, -0.00167607235570740491,
    0.00652200065779551423, -0.0151704154017939711, 0.0245369632443585027, -0.0264010429663300462,
    0.0100023523852082446, 0.0310303684259639119, -0.091552281834008843, 0.461515829850037773,
};

#define TERMS(array) (int)(sizeof(array) / sizeof *(array))

#define LOG2_E_f32 1.442695041f
#define SHIFT_f32 12582912.f /* 1.5 * 2^23 */
#define LN2_f32 0.693147181f
#define LN2_HIGH_f32 0.693359375f
#define LN2_LOW_f32 -2.12194440e-4f
#define EXP_LEAST_f32 -105.f
#define EXP_MOST_f32 89.5f
#define TANH_MOST_f32 10.f
#define TAIL_K_f32 4.f
#define TAIL_MOST_f32 14.5f

#define LOG2_E_f64 1.4426950408889634074
#define SHIFT_f64 6755399441055744. /* 1.5 * 2^52 */
#define LN2_f64 0.69314718055994530942
#define LN2_HIGH_f64 6.93147180369123816490e-01
#define LN2_LOW_f64 1.90821492927058770002e-10
#define EXP_LEAST_f64 -747.
#define EXP_MOST_f64 710.
#define TANH_MOST_f64 22.
#define TAIL_K_f64 5.
#define TAIL_MOST_f64 39.

#endif
