/*
 * lanes_each.h: includes KERNELS, a file name in quotes, once per width of vector.
 * There WIDTH is the number of lanes of a vector, NAME(f) is f_WIDTH, every
 * function is declared with TARGET or INLINE, and vector.h has been included.
 */
#define NAME_OF(name, width) name##_##width
#define NAME_WITH(name, width) NAME_OF(name, width)
#define NAME(name) NAME_WITH(name, WIDTH)

/* Types of vector.h */
#define Vector NAME(Vector)
#define Loose NAME(Loose)
#define Integers NAME(Integers)
#define Bits NAME(Bits)
#define Floats NAME(Floats)
#define Eight NAME(Eight)

#define INLINE static inline __attribute__((always_inline)) TARGET

/* Registers must not become arrays: so loops over them are unrolled. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define UNROLL _Pragma("GCC unroll 8")
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Integers) {__VA_ARGS__})
#endif

#define WIDTH 2
#define TARGET
#include "vector.h"
#include KERNELS
#undef WIDTH
#undef TARGET

#if defined(__x86_64__)
#define WIDTH 4
#define TARGET __attribute__((target("avx2")))
#include "vector.h"
#include KERNELS
#undef WIDTH
#undef TARGET

#define WIDTH 8
#define TARGET __attribute__((target("avx2,avx512f,avx512dq")))
#include "vector.h"
#include KERNELS
#undef WIDTH
#undef TARGET
#endif
