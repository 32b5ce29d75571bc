/* Private: those operations of elementwise_loops.h that plain C spells alike for both precisions. */
#define WIDTH 1
#define SET(number) ((T)(number))
#define LOAD(p) (*(p))
#define LOAD_PART(p, n, rest) ((void)(n), (void)(rest), *(p))
#define STORE(p, v) (*(p) = (v))
#define STORE_PART(p, v, n) ((void)(n), *(p) = (v))
#define KEEP(v, n) ((void)(n), (v))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define FMA(a, b, c) ((a) * (b) + (c))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define SELECT_NEGATIVE(x, a, b) ((x) < 0 ? (a) : (b))
#define SUM(v) (v)
#define GREATEST(v) (v)
#include "elementwise_loops.h"
