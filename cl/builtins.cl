/* clgrad-template 1 */
/* builtins.cl -- the part of OpenCL C that our texts use, declared in short, for compilers that read a header of 18,000 lines for every
 * program: PoCL's needs 0.27 s a program with its own. Declares nothing unless CLGRAD_BUILTINS is 1.
 *
 * use     Here are types, macros and functions of scalars. What vectors take is declared by lines that src/device/builtins.c
 *         writes for the types and the widths that a text names: CLGRAD_VECTOR_FLOAT(8). Declaring all for all takes 0.04 s a program.
 * edges   What is missing does not compile; the program is then built again with the compiler's own header. A function of scalars is declared for
 *         all types that it takes, or for so many that a call with another is ambiguous: no argument is converted without a word. Pointers
 *         would be (vload4 of floats, where only that of doubles is declared), hence all types of a text in all its widths. */
#if CLGRAD_BUILTINS
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef __SIZE_TYPE__ size_t;

#define CLGRAD_WIDER(T, n) typedef T T##n __attribute__((ext_vector_type(n)));
#define CLGRAD_TYPES(T) CLGRAD_WIDER(T, 2) CLGRAD_WIDER(T, 4) CLGRAD_WIDER(T, 8) CLGRAD_WIDER(T, 16)
CLGRAD_TYPES(char) CLGRAD_TYPES(uchar) CLGRAD_TYPES(short) CLGRAD_TYPES(ushort)
CLGRAD_TYPES(int) CLGRAD_TYPES(uint) CLGRAD_TYPES(long) CLGRAD_TYPES(ulong)
CLGRAD_TYPES(float)
#if CLGRAD_HAS_FP64
CLGRAD_TYPES(double)
#define CLGRAD_IF_FP64(declaration) declaration
#else
#define CLGRAD_IF_FP64(declaration)
#endif

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

#define convert_char(x) ((char)(x))
#define convert_char2(x) __builtin_convertvector((x), char2)
#define convert_char4(x) __builtin_convertvector((x), char4)
#define convert_char8(x) __builtin_convertvector((x), char8)
#define convert_char16(x) __builtin_convertvector((x), char16)
#define convert_uchar(x) ((uchar)(x))
#define convert_uchar2(x) __builtin_convertvector((x), uchar2)
#define convert_uchar4(x) __builtin_convertvector((x), uchar4)
#define convert_uchar8(x) __builtin_convertvector((x), uchar8)
#define convert_uchar16(x) __builtin_convertvector((x), uchar16)
#define convert_short(x) ((short)(x))
#define convert_short2(x) __builtin_convertvector((x), short2)
#define convert_short4(x) __builtin_convertvector((x), short4)
#define convert_short8(x) __builtin_convertvector((x), short8)
#define convert_short16(x) __builtin_convertvector((x), short16)
#define convert_ushort(x) ((ushort)(x))
#define convert_ushort2(x) __builtin_convertvector((x), ushort2)
#define convert_ushort4(x) __builtin_convertvector((x), ushort4)
#define convert_ushort8(x) __builtin_convertvector((x), ushort8)
#define convert_ushort16(x) __builtin_convertvector((x), ushort16)
#define convert_int(x) ((int)(x))
#define convert_int2(x) __builtin_convertvector((x), int2)
#define convert_int4(x) __builtin_convertvector((x), int4)
#define convert_int8(x) __builtin_convertvector((x), int8)
#define convert_int16(x) __builtin_convertvector((x), int16)
#define convert_uint(x) ((uint)(x))
#define convert_uint2(x) __builtin_convertvector((x), uint2)
#define convert_uint4(x) __builtin_convertvector((x), uint4)
#define convert_uint8(x) __builtin_convertvector((x), uint8)
#define convert_uint16(x) __builtin_convertvector((x), uint16)
#define convert_long(x) ((long)(x))
#define convert_long2(x) __builtin_convertvector((x), long2)
#define convert_long4(x) __builtin_convertvector((x), long4)
#define convert_long8(x) __builtin_convertvector((x), long8)
#define convert_long16(x) __builtin_convertvector((x), long16)
#define convert_ulong(x) ((ulong)(x))
#define convert_ulong2(x) __builtin_convertvector((x), ulong2)
#define convert_ulong4(x) __builtin_convertvector((x), ulong4)
#define convert_ulong8(x) __builtin_convertvector((x), ulong8)
#define convert_ulong16(x) __builtin_convertvector((x), ulong16)
#define convert_float(x) ((float)(x))
#define convert_float2(x) __builtin_convertvector((x), float2)
#define convert_float4(x) __builtin_convertvector((x), float4)
#define convert_float8(x) __builtin_convertvector((x), float8)
#define convert_float16(x) __builtin_convertvector((x), float16)
#define convert_double(x) ((double)(x))
#define convert_double2(x) __builtin_convertvector((x), double2)
#define convert_double4(x) __builtin_convertvector((x), double4)
#define convert_double8(x) __builtin_convertvector((x), double8)
#define convert_double16(x) __builtin_convertvector((x), double16)

#define CLGRAD_VALUE __attribute__((overloadable, const)) /* of its arguments alone */
#define CLGRAD_READS __attribute__((overloadable, pure))
#define CLGRAD_ACTS __attribute__((overloadable))

#define CLGRAD_SAT(T, n)                                                                                                  \
    T##n CLGRAD_VALUE convert_##T##n##_sat(long##n);                                                                      \
    T##n CLGRAD_VALUE convert_##T##n##_sat(float##n);                                                                     \
    CLGRAD_IF_FP64(T##n CLGRAD_VALUE convert_##T##n##_sat(double##n);)
#define CLGRAD_RTZ(T, n)                                                                                                  \
    T##n CLGRAD_VALUE convert_##T##n##_rtz(int##n); T##n CLGRAD_VALUE convert_##T##n##_rtz(long##n);                      \
    T##n CLGRAD_VALUE convert_##T##n##_rtz(float##n);                                                                     \
    CLGRAD_IF_FP64(T##n CLGRAD_VALUE convert_##T##n##_rtz(double##n);)
#define CLGRAD_EXTREMA(T, n) T##n CLGRAD_VALUE min(T##n, T##n); T##n CLGRAD_VALUE max(T##n, T##n);
#define CLGRAD_SELECT(T, C, n) T##n CLGRAD_VALUE select(T##n, T##n, C##n); T##n CLGRAD_VALUE select(T##n, T##n, u##C##n);
#define CLGRAD_PRODUCT(T, n) T##n CLGRAD_VALUE mul_hi(T##n, T##n);
#define CLGRAD_UPSAMPLE(T, H, n) T##n CLGRAD_VALUE upsample(H##n, u##H##n); u##T##n CLGRAD_VALUE upsample(u##H##n, u##H##n);
/* Of a signed type and its unsigned one, and of a real type whose masks are of type C. */
#define CLGRAD_INTEGER(T, n)                                                                                              \
    CLGRAD_SAT(T, n) CLGRAD_SAT(u##T, n) CLGRAD_EXTREMA(T, n) CLGRAD_EXTREMA(u##T, n)                                     \
    CLGRAD_SELECT(T, T, n) CLGRAD_SELECT(u##T, T, n)                                                                      \
    u##T##n CLGRAD_VALUE abs(T##n); int CLGRAD_VALUE any(T##n); int CLGRAD_VALUE all(T##n);
#define CLGRAD_REAL(T, C, n)                                                                                              \
    CLGRAD_RTZ(T, n) CLGRAD_SELECT(T, C, n)                                                                               \
    T##n CLGRAD_VALUE fma(T##n, T##n, T##n);                                                                              \
    T##n CLGRAD_VALUE sqrt(T##n); T##n CLGRAD_VALUE floor(T##n); T##n CLGRAD_VALUE fabs(T##n);                            \
    T##n CLGRAD_VALUE fmin(T##n, T##n); T##n CLGRAD_VALUE fmax(T##n, T##n);
#define CLGRAD_CHAR(n) CLGRAD_INTEGER(char, n)
#define CLGRAD_SHORT(n) CLGRAD_INTEGER(short, n) CLGRAD_UPSAMPLE(short, char, n)
#define CLGRAD_INT(n) CLGRAD_INTEGER(int, n) CLGRAD_UPSAMPLE(int, short, n) CLGRAD_PRODUCT(uint, n)
#define CLGRAD_LONG(n) CLGRAD_INTEGER(long, n) CLGRAD_UPSAMPLE(long, int, n) CLGRAD_PRODUCT(ulong, n)
CLGRAD_CHAR() CLGRAD_SHORT() CLGRAD_INT() CLGRAD_LONG()
CLGRAD_REAL(float, int, )
CLGRAD_IF_FP64(CLGRAD_REAL(double, long, ))
float CLGRAD_READS vload_half(size_t, global const half *);

#define CLGRAD_MEMORY_IN(space, T, n)                                                                                     \
    T##n CLGRAD_READS vload##n(size_t, space const T *);                                                                  \
    void CLGRAD_ACTS vstore##n(T##n, size_t, space T *);
#define CLGRAD_MEMORY(T, n) CLGRAD_MEMORY_IN(global, T, n) CLGRAD_MEMORY_IN(local, T, n) CLGRAD_MEMORY_IN(private, T, n)
#define CLGRAD_VECTOR_CHAR(n) CLGRAD_CHAR(n) CLGRAD_MEMORY(char, n) CLGRAD_MEMORY(uchar, n)
#define CLGRAD_VECTOR_SHORT(n) CLGRAD_SHORT(n) CLGRAD_MEMORY(short, n) CLGRAD_MEMORY(ushort, n)
#define CLGRAD_VECTOR_INT(n) CLGRAD_INT(n) CLGRAD_MEMORY(int, n) CLGRAD_MEMORY(uint, n)
#define CLGRAD_VECTOR_LONG(n) CLGRAD_LONG(n) CLGRAD_MEMORY(long, n) CLGRAD_MEMORY(ulong, n)
#define CLGRAD_VECTOR_FLOAT(n) CLGRAD_REAL(float, int, n) CLGRAD_MEMORY(float, n)                                         \
    float##n CLGRAD_READS vload_half##n(size_t, global const half *);
#define CLGRAD_VECTOR_DOUBLE(n) CLGRAD_REAL(double, long, n) CLGRAD_MEMORY(double, n)

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
#else
#define CLGRAD_VECTOR_CHAR(n)
#define CLGRAD_VECTOR_SHORT(n)
#define CLGRAD_VECTOR_INT(n)
#define CLGRAD_VECTOR_LONG(n)
#define CLGRAD_VECTOR_FLOAT(n)
#define CLGRAD_VECTOR_DOUBLE(n)
#endif
