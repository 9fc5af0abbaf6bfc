/* Counter-based random numbers: every draw is a pure function of its names, so draws need no order and no state. */

#include "tensor/tensor.h"

static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)b;
    c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)a;
}

void clgrad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4], k0 = key[0], k1 = key[1];
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < 10; round++) {
        philox_round(c, k0, k1);
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    memcpy(out, c, sizeof c);
}

static void words_at(uint64_t seed, uint32_t stream, uint64_t hi, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32) ^ stream, (uint32_t)hi, (uint32_t)(hi >> 32) };
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    clgrad_philox(counter, key, out);
}

uint32_t clgrad_random_bits(uint64_t seed, uint32_t stream, uint64_t hi, uint64_t lo)
{
    uint32_t words[4];
    words_at(seed, stream, hi, lo >> 2, words);
    return words[lo & 3];
}

static float uniform_from(uint32_t bits) { return (float)(bits >> 9) * 0x1p-23f + 0x1p-24f; }

float clgrad_random_uniform(uint64_t seed, uint32_t stream, uint64_t hi, uint64_t lo)
{
    return uniform_from(clgrad_random_bits(seed, stream, hi, lo));
}

/* One stream of words in increasing lo, a Philox block at a time. */
typedef struct word_source {
    uint64_t seed, hi, next;
    uint32_t stream, words[4];
} word_source;

static uint32_t next_word(word_source *s)
{
    if ((s->next & 3) == 0) words_at(s->seed, s->stream, s->hi, s->next >> 2, s->words);
    return s->words[s->next++ & 3];
}

/* Uniform in 0..n-1 without bias: words below 2^32 mod n are drawn again. */
static uint32_t next_below(word_source *s, uint32_t n)
{
    const uint32_t unfair = (0u - n) % n;
    uint32_t word;
    do word = next_word(s);
    while (word < unfair);
    return word % n;
}

void clgrad_random_permutation(uint64_t seed, uint32_t stream, uint64_t hi, uint32_t *out, uint32_t n)
{
    word_source source = { .seed = seed, .stream = stream, .hi = hi };
    for (uint32_t i = 0; i < n; i++) out[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = next_below(&source, i), swapped = out[i - 1];
        out[i - 1] = out[j];
        out[j] = swapped;
    }
}
