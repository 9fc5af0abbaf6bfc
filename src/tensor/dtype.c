#include "tensor/tensor.h"

static const struct {
    const char *name;
    size_t bytes;
    bool real;
} dtype_table[CLGRAD_DTYPE_COUNT] = {
    [CLGRAD_F32] = { "f32", 4, true },  [CLGRAD_F64] = { "f64", 8, true },  [CLGRAD_F16] = { "f16", 2, true },
    [CLGRAD_BF16] = { "bf16", 2, true }, [CLGRAD_I32] = { "i32", 4, false }, [CLGRAD_I64] = { "i64", 8, false },
    [CLGRAD_U8] = { "u8", 1, false },
};

static bool known(clgrad_dtype dtype) { return (unsigned)dtype < CLGRAD_DTYPE_COUNT; }

const char *clgrad_dtype_name(clgrad_dtype dtype) { return known(dtype) ? dtype_table[dtype].name : "?"; }

size_t clgrad_dtype_bytes(clgrad_dtype dtype) { return known(dtype) ? dtype_table[dtype].bytes : 0; }

bool clgrad_dtype_is_real(clgrad_dtype dtype) { return known(dtype) && dtype_table[dtype].real; }

bool clgrad_dtype_parse(const char *name, clgrad_dtype *out)
{
    for (int i = 0; i < CLGRAD_DTYPE_COUNT; i++)
        if (strcmp(dtype_table[i].name, name) == 0) return *out = (clgrad_dtype)i, true;
    return false;
}
