/* Plain C for processors without a file of their own: vectors of 4 floats as the compiler knows them. */

typedef float vector __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(16)));

static inline vector set(float s) { return (vector){ s, s, s, s }; }
static inline wide set64(double s) { return (wide){ s, s }; }

#define V vector
#define W wide
#define LANES 4
#define CHAINS 8
#define LOAD(p) (*(const vector *)(p))
#define STORE(p, v) (*(vector *)(p) = (v))
#define STREAM(p, v) (*(vector *)(p) = (v))
#define SET(s) set(s)
#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
#define FMA(a, b, c) ((a) * (b) + (c))
#define SUM(v) ((v)[0] + (v)[1] + (v)[2] + (v)[3])
#define SET64(s) set64(s)
#define ADD64(a, b) ((a) + (b))
#define FMA64(a, b, c) ((a) * (b) + (c))
#define SUM64(v) ((v)[0] + (v)[1])
#define KERNELS roof_plain
#define NAME "plain"
#include "kernels.h"
