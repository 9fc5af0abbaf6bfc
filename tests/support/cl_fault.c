#include "support/cl_fault.h"

#include <string.h>

test_cl test_cl_state;
static clgrad_cl_api real;

static bool refuse(const char *name)
{
    test_cl *s = &test_cl_state;
    if (s->only && strcmp(s->only, name) != 0) return false;
    const size_t number = ++s->calls;
    if (s->persistent ? s->fail_at == 0 || number < s->fail_at : number != s->fail_at) return false;
    s->failed = name;
    if (s->code_for) s->code = s->code_for(name);
    return true;
}

static void count_retain(const char *name, cl_int err)
{
    if (err == CL_SUCCESS && strncmp(name, "clRetain", 8) == 0) test_cl_state.live++;
}

#define CL_STATUS(name, parameters, arguments)        \
    static cl_int CL_API_CALL fault_##name parameters \
    {                                                 \
        if (refuse("cl" #name)) return test_cl_state.code; \
        const cl_int result = real.name arguments;    \
        count_retain("cl" #name, result);             \
        return result;                                \
    }
#define CL_ENQUEUE(name, parameters, arguments)       \
    static cl_int CL_API_CALL fault_##name parameters \
    {                                                 \
        if (refuse("cl" #name)) return test_cl_state.code; \
        const cl_int result = real.name arguments;    \
        test_cl_state.live += result == CL_SUCCESS && event; \
        return result;                                \
    }
#define CL_OBJECT(type, name, parameters, arguments)  \
    static type CL_API_CALL fault_##name parameters   \
    {                                                 \
        if (refuse("cl" #name)) return *err = test_cl_state.code, NULL; \
        const type object = real.name arguments;      \
        test_cl_state.live += object != NULL;         \
        return object;                                \
    }
#define CL_MAP(name, parameters, arguments)           \
    static void *CL_API_CALL fault_##name parameters  \
    {                                                 \
        if (refuse("cl" #name)) return *err = test_cl_state.code, NULL; \
        void *const memory = real.name arguments;     \
        test_cl_state.live += *err == CL_SUCCESS && event; \
        return memory;                                \
    }
#define CL_RELEASE(name, type)                        \
    static cl_int CL_API_CALL fault_##name(type object) \
    {                                                 \
        test_cl_state.live--;                         \
        return real.name(object);                     \
    }
#include "device/cl_api.def"
#undef CL_STATUS
#undef CL_ENQUEUE
#undef CL_OBJECT
#undef CL_MAP
#undef CL_RELEASE

static void put_between(clgrad_cl_api *api)
{
    real = *api;
    *api = (clgrad_cl_api){
#define CL_STATUS(name, parameters, arguments) .name = fault_##name,
#define CL_ENQUEUE(name, parameters, arguments) .name = fault_##name,
#define CL_OBJECT(type, name, parameters, arguments) .name = fault_##name,
#define CL_MAP(name, parameters, arguments) .name = fault_##name,
#define CL_RELEASE(name, type) .name = fault_##name,
#include "device/cl_api.def"
#undef CL_STATUS
#undef CL_ENQUEUE
#undef CL_OBJECT
#undef CL_MAP
#undef CL_RELEASE
    };
}

void test_cl_install(bool on)
{
    clgrad_cl_filter = on ? put_between : NULL;
    test_cl_state = (test_cl){ 0 };
}
