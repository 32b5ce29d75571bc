/* Tiles in plain C: vectors are arrays that compilers see through. */
#include "gemm.h"

#include "gemm_rows.h"

#define TARGET
#define DIRECT_1 FOUR
#define DIRECT_2 TWO
#define DIRECT_4 TWO
#define PACKED_ALL FOUR

#define VECTOR(T, V, name)                                                                     \
    typedef struct {                                                                           \
        T at[4];                                                                               \
    } V;                                                                                       \
    static inline V load_##name(const T *p, int n)                                             \
    {                                                                                          \
        V v = {{0, 0, 0, 0}};                                                                  \
        for (int i = 0; i < n; i++)                                                            \
            v.at[i] = p[i];                                                                    \
        return v;                                                                              \
    }                                                                                          \
    static inline void store_##name(T *p, V v, int n)                                          \
    {                                                                                          \
        for (int i = 0; i < n; i++)                                                            \
            p[i] = v.at[i];                                                                    \
    }                                                                                          \
    static inline V spread_##name(const T *p)                                                  \
    {                                                                                          \
        V v = {{*p, *p, *p, *p}};                                                              \
        return v;                                                                              \
    }                                                                                          \
    static inline V add_##name(V a, V b)                                                       \
    {                                                                                          \
        for (int i = 0; i < 4; i++)                                                            \
            a.at[i] += b.at[i];                                                                \
        return a;                                                                              \
    }                                                                                          \
    static inline V multiply_##name(V a, V b)                                                  \
    {                                                                                          \
        for (int i = 0; i < 4; i++)                                                            \
            a.at[i] *= b.at[i];                                                                \
        return a;                                                                              \
    }

VECTOR(float, four_floats, f32)
VECTOR(double, four_doubles, f64)

#define T float
#define NAME(x) x##_f32
#define TILE shimhub_tile_f32
#define TILES shimhub_tiles_f32
#define TABLE shimhub_tiles_f32_portable
#define V four_floats
#define WIDTH 4
#define ZERO load_f32(NULL, 0)
#define LOAD(p) load_f32(p, 4)
#define LOAD_PART(p, n) load_f32(p, n)
#define STORE(p, v) store_f32(p, v, 4)
#define STORE_PART(p, v, n) store_f32(p, v, n)
#define SPREAD(p) spread_f32(p)
#define FMA(a, b, c) add_f32(multiply_f32(a, b), c)
#define ADD(a, b) add_f32(a, b)
#include "gemm_tiles.h"

#define T double
#define NAME(x) x##_f64
#define TILE shimhub_tile_f64
#define TILES shimhub_tiles_f64
#define TABLE shimhub_tiles_f64_portable
#define V four_doubles
#define WIDTH 4
#define ZERO load_f64(NULL, 0)
#define LOAD(p) load_f64(p, 4)
#define LOAD_PART(p, n) load_f64(p, n)
#define STORE(p, v) store_f64(p, v, 4)
#define STORE_PART(p, v, n) store_f64(p, v, n)
#define SPREAD(p) spread_f64(p)
#define FMA(a, b, c) add_f64(multiply_f64(a, b), c)
#define ADD(a, b) add_f64(a, b)
#include "gemm_tiles.h"
