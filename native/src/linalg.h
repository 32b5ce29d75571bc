/* Private: products without the checks of shimhub/linalg.h, for callers that made them. */
#ifndef SHIMHUB_LINALG_PRIVATE_H
#define SHIMHUB_LINALG_PRIVATE_H

#include <stddef.h>

#include "shimhub/linalg.h"

/* As struct shimhub_gemm_f32 and _f64, of either precision; the stride of a dimension of one may be
 * any number. */
struct shimhub_product {
    ptrdiff_t m, n, k;
    const void *a;
    ptrdiff_t a_row, a_column;
    const void *b;
    ptrdiff_t b_row, b_column;
    void *c;
    ptrdiff_t c_row;
};

shimhub_status shimhub_product_run(shimhub_float type, const struct shimhub_product *product);

/* out = activation(out + bias), by rows; bias may be NULL. */
void shimhub_linear_finish(shimhub_float type, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row,
                           const void *bias, shimhub_activation activation, void *out);

#endif
