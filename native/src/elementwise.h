/* Private: functions of single numbers and of rows. Lanes give loops; linalg.c calls them. */
#ifndef SHIMHUB_ELEMENTWISE_H
#define SHIMHUB_ELEMENTWISE_H

#include <stddef.h>

#include "shimhub/linalg.h"

/* Which of the operands of a loop over n numbers is one number. */
enum { SHIMHUB_BOTH_LONG, SHIMHUB_A_IS_ONE, SHIMHUB_B_IS_ONE, SHIMHUB_LENGTHS };

#define SHIMHUB_ELEMENTWISE_TYPES(T, name)                                                     \
    struct shimhub_elementwise_##name {                                                        \
        /* out may be x, a or b in all of them */                                              \
        void (*activate[SHIMHUB_ACTIVATION_COUNT])(const T *x, ptrdiff_t n, T *out);           \
        void (*combine[SHIMHUB_OPERATION_COUNT][SHIMHUB_LENGTHS])(const T *a, const T *b,      \
                                                                  ptrdiff_t n, T *out);        \
        void (*softmax)(const T *x, ptrdiff_t n, T *out);                                      \
        void (*layer_norm)(const T *x, ptrdiff_t n, const T *weight, const T *bias, T epsilon, \
                           T *out);                                                            \
        /* of a[i] - b[i] */                                                                   \
        double (*sum_squares)(const T *a, const T *b, ptrdiff_t n);                            \
        /* log(sum of exp(x[i] - greatest)) of at least one number */                          \
        double (*log_sum_exp)(const T *x, ptrdiff_t n, T *greatest);                           \
        /* of (x[i] - greatest - less) * weights[i] */                                         \
        double (*sum_weighted)(const T *x, const T *weights, ptrdiff_t n, T greatest, T less); \
    };                                                                                         \
    extern const struct shimhub_elementwise_##name shimhub_elementwise_##name##_portable,      \
        shimhub_elementwise_##name##_avx2, shimhub_elementwise_##name##_avx512;                \
    const struct shimhub_elementwise_##name *shimhub_elementwise_##name(void);

SHIMHUB_ELEMENTWISE_TYPES(float, f32)
SHIMHUB_ELEMENTWISE_TYPES(double, f64)

#endif
