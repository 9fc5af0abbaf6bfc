/* clgrad-template 1 */
/* builtins.cl -- the part of OpenCL C that our texts use, declared in short, for compilers that read a header of 18,000 for every
 * program: PoCL's needs 0.03 s a program with this and 0.27 s with its own. Empty unless CLGRAD_BUILTINS is 1.
 *
 * edges   What is missing here does not compile; the program is then built again with the compiler's own header. A function is declared for
 *         all types that it takes, or for so many that a call with another is ambiguous: no argument is converted without a word. */
#if CLGRAD_BUILTINS
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef __SIZE_TYPE__ size_t;

#define CLGRAD_EACH_WIDTH(M, T) M(T, ) M(T, 2) M(T, 4) M(T, 8) M(T, 16)
#define CLGRAD_EACH_INTEGER(M) M(char) M(uchar) M(short) M(ushort) M(int) M(uint) M(long) M(ulong)
#if CLGRAD_HAS_FP64
#define CLGRAD_EACH_REAL(M) M(float) M(double)
#define CLGRAD_IF_FP64(declaration) declaration
#else
#define CLGRAD_EACH_REAL(M) M(float)
#define CLGRAD_IF_FP64(declaration)
#endif
#define CLGRAD_WIDER(T, n) typedef T T##n __attribute__((ext_vector_type(n)));
#define CLGRAD_VECTORS(T) CLGRAD_WIDER(T, 2) CLGRAD_WIDER(T, 4) CLGRAD_WIDER(T, 8) CLGRAD_WIDER(T, 16)
CLGRAD_EACH_INTEGER(CLGRAD_VECTORS)
CLGRAD_EACH_REAL(CLGRAD_VECTORS)

#define INT_MIN (-0x7fffffff - 1)
#define LONG_MIN (-0x7fffffffffffffffl - 1)
#define INFINITY (__builtin_inff())
#define NAN as_float(0x7fffffff)
#define CLK_LOCAL_MEM_FENCE 1
#define CLK_GLOBAL_MEM_FENCE 2

#define as_int(x) __builtin_astype((x), int)
#define as_int2(x) __builtin_astype((x), int2)
#define as_int4(x) __builtin_astype((x), int4)
#define as_int8(x) __builtin_astype((x), int8)
#define as_int16(x) __builtin_astype((x), int16)
#define as_uint(x) __builtin_astype((x), uint)
#define as_uint2(x) __builtin_astype((x), uint2)
#define as_uint4(x) __builtin_astype((x), uint4)
#define as_uint8(x) __builtin_astype((x), uint8)
#define as_uint16(x) __builtin_astype((x), uint16)
#define as_long(x) __builtin_astype((x), long)
#define as_long2(x) __builtin_astype((x), long2)
#define as_long4(x) __builtin_astype((x), long4)
#define as_long8(x) __builtin_astype((x), long8)
#define as_long16(x) __builtin_astype((x), long16)
#define as_ulong(x) __builtin_astype((x), ulong)
#define as_ulong2(x) __builtin_astype((x), ulong2)
#define as_ulong4(x) __builtin_astype((x), ulong4)
#define as_ulong8(x) __builtin_astype((x), ulong8)
#define as_ulong16(x) __builtin_astype((x), ulong16)
#define as_float(x) __builtin_astype((x), float)
#define as_float2(x) __builtin_astype((x), float2)
#define as_float4(x) __builtin_astype((x), float4)
#define as_float8(x) __builtin_astype((x), float8)
#define as_float16(x) __builtin_astype((x), float16)
#define as_double(x) __builtin_astype((x), double)
#define as_double2(x) __builtin_astype((x), double2)
#define as_double4(x) __builtin_astype((x), double4)
#define as_double8(x) __builtin_astype((x), double8)
#define as_double16(x) __builtin_astype((x), double16)

#define CLGRAD_VALUE __attribute__((overloadable, const)) /* of its arguments alone */
#define CLGRAD_READS __attribute__((overloadable, pure))
#define CLGRAD_ACTS __attribute__((overloadable))

#define CLGRAD_FROM_EACH(D, n, suffix)                                                                                    \
    D##n CLGRAD_VALUE convert_##D##n##suffix(char##n);                                                                    \
    D##n CLGRAD_VALUE convert_##D##n##suffix(uchar##n);                                                                   \
    D##n CLGRAD_VALUE convert_##D##n##suffix(short##n);                                                                   \
    D##n CLGRAD_VALUE convert_##D##n##suffix(ushort##n);                                                                  \
    D##n CLGRAD_VALUE convert_##D##n##suffix(int##n);                                                                     \
    D##n CLGRAD_VALUE convert_##D##n##suffix(uint##n);                                                                    \
    D##n CLGRAD_VALUE convert_##D##n##suffix(long##n);                                                                    \
    D##n CLGRAD_VALUE convert_##D##n##suffix(ulong##n);                                                                   \
    D##n CLGRAD_VALUE convert_##D##n##suffix(float##n);                                                                   \
    CLGRAD_IF_FP64(D##n CLGRAD_VALUE convert_##D##n##suffix(double##n);)
#define CLGRAD_CONVERT(D, n) CLGRAD_FROM_EACH(D, n, )
#define CLGRAD_CONVERT_SAT(D, n) CLGRAD_FROM_EACH(D, n, _sat)
#define CLGRAD_CONVERT_RTZ(D, n) CLGRAD_FROM_EACH(D, n, _rtz)

#define CLGRAD_EXTREMA(T, n) T##n CLGRAD_VALUE min(T##n, T##n); T##n CLGRAD_VALUE max(T##n, T##n);
#define CLGRAD_SIGNED_MATH(T, n) u##T##n CLGRAD_VALUE abs(T##n); int CLGRAD_VALUE any(T##n); int CLGRAD_VALUE all(T##n);
#define CLGRAD_PRODUCT(T, n) T##n CLGRAD_VALUE mul_hi(T##n, T##n);
#define CLGRAD_JOIN(T, H, n) T##n CLGRAD_VALUE upsample(H##n, u##H##n); u##T##n CLGRAD_VALUE upsample(u##H##n, u##H##n);
#define CLGRAD_UPSAMPLE(T, n) CLGRAD_JOIN(short, char, n) CLGRAD_JOIN(int, short, n) CLGRAD_JOIN(long, int, n)
#define CLGRAD_REAL_MATH(T, n)                                                                                            \
    T##n CLGRAD_VALUE fma(T##n, T##n, T##n);                                                                              \
    T##n CLGRAD_VALUE sqrt(T##n); T##n CLGRAD_VALUE floor(T##n); T##n CLGRAD_VALUE fabs(T##n);                            \
    T##n CLGRAD_VALUE fmin(T##n, T##n); T##n CLGRAD_VALUE fmax(T##n, T##n);
#define CLGRAD_SELECT(T, C, n) T##n CLGRAD_VALUE select(T##n, T##n, C##n);
#define CLGRAD_SELECT_8(C, n) CLGRAD_SELECT(char, C, n) CLGRAD_SELECT(uchar, C, n)
#define CLGRAD_SELECT_16(C, n) CLGRAD_SELECT(short, C, n) CLGRAD_SELECT(ushort, C, n)
#define CLGRAD_SELECT_32(C, n) CLGRAD_SELECT(int, C, n) CLGRAD_SELECT(uint, C, n) CLGRAD_SELECT(float, C, n)
#define CLGRAD_SELECT_64(C, n) CLGRAD_SELECT(long, C, n) CLGRAD_SELECT(ulong, C, n) CLGRAD_IF_FP64(CLGRAD_SELECT(double, C, n))

#define CLGRAD_VMEMORY_IN(space, T, n)                                                                                    \
    T##n CLGRAD_READS vload##n(size_t, space const T *);                                                                  \
    void CLGRAD_ACTS vstore##n(T##n, size_t, space T *);
#define CLGRAD_VMEMORY_OF(T, n) CLGRAD_VMEMORY_IN(global, T, n) CLGRAD_VMEMORY_IN(local, T, n) CLGRAD_VMEMORY_IN(private, T, n)
#define CLGRAD_VMEMORY(T) CLGRAD_VMEMORY_OF(T, 2) CLGRAD_VMEMORY_OF(T, 4) CLGRAD_VMEMORY_OF(T, 8) CLGRAD_VMEMORY_OF(T, 16)
#define CLGRAD_HALVES(T, n) T##n CLGRAD_READS vload_half##n(size_t, global const half *);

#define CLGRAD_INTEGER(T)                                                                                                 \
    CLGRAD_VMEMORY(T) CLGRAD_EACH_WIDTH(CLGRAD_CONVERT, T) CLGRAD_EACH_WIDTH(CLGRAD_CONVERT_SAT, T)                       \
    CLGRAD_EACH_WIDTH(CLGRAD_EXTREMA, T)
#define CLGRAD_REAL(T)                                                                                                    \
    CLGRAD_VMEMORY(T) CLGRAD_EACH_WIDTH(CLGRAD_CONVERT, T) CLGRAD_EACH_WIDTH(CLGRAD_CONVERT_RTZ, T)                       \
    CLGRAD_EACH_WIDTH(CLGRAD_REAL_MATH, T)
CLGRAD_EACH_INTEGER(CLGRAD_INTEGER)
CLGRAD_EACH_REAL(CLGRAD_REAL)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_8, char)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_8, uchar)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_16, short)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_16, ushort)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_32, int)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_32, uint)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_64, long)
CLGRAD_EACH_WIDTH(CLGRAD_SELECT_64, ulong)
CLGRAD_EACH_WIDTH(CLGRAD_SIGNED_MATH, char)
CLGRAD_EACH_WIDTH(CLGRAD_SIGNED_MATH, short)
CLGRAD_EACH_WIDTH(CLGRAD_SIGNED_MATH, int)
CLGRAD_EACH_WIDTH(CLGRAD_SIGNED_MATH, long)
CLGRAD_EACH_WIDTH(CLGRAD_PRODUCT, uint)
CLGRAD_EACH_WIDTH(CLGRAD_PRODUCT, ulong)
CLGRAD_EACH_WIDTH(CLGRAD_UPSAMPLE, long)
CLGRAD_EACH_WIDTH(CLGRAD_HALVES, float)

size_t CLGRAD_VALUE get_global_id(uint);
size_t CLGRAD_VALUE get_global_size(uint);
size_t CLGRAD_VALUE get_local_id(uint);
size_t CLGRAD_VALUE get_local_size(uint);
size_t CLGRAD_VALUE get_group_id(uint);
size_t CLGRAD_VALUE get_num_groups(uint);
void __attribute__((overloadable, convergent)) barrier(uint);
int CLGRAD_ACTS atomic_add(volatile global int *, int);
int CLGRAD_ACTS atomic_xchg(volatile global int *, int);
int CLGRAD_ACTS atomic_cmpxchg(volatile global int *, int, int);
#endif
