/* SHA-256 against the examples of FIPS 180-4 and the NIST long-message test. */

#include "base/sha256.h"
#include "base_test.h"

#include <string.h>

static const struct {
    const char *message, *digest;
} vectors[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

START_TEST(known_messages)
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char text[CLGRAD_SHA256_HEX];
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        clgrad_sha256_of(vectors[i].message, strlen(vectors[i].message), digest);
        ck_assert_str_eq(clgrad_sha256_hex(digest, text), vectors[i].digest);
    }
    clgrad_sha256_of("abd", 3, digest);
    ck_assert_str_ne(clgrad_sha256_hex(digest, text), vectors[1].digest);
}
END_TEST

START_TEST(a_million_letters_in_uneven_parts)
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char text[CLGRAD_SHA256_HEX], letters[1000];
    clgrad_sha256 hash;
    memset(letters, 'a', sizeof letters);
    clgrad_sha256_begin(&hash);
    size_t left = 1000000;
    for (size_t part = 1; left > 0; part = part * 7 % 997 + 1) {
        const size_t bytes = part < left ? part : left;
        clgrad_sha256_add(&hash, letters, bytes);
        left -= bytes;
    }
    clgrad_sha256_end(&hash, digest);
    ck_assert_str_eq(clgrad_sha256_hex(digest, text), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

Suite *sha256_suite(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tests = tcase_create("sha256");
    tcase_add_test(tests, known_messages);
    tcase_add_test(tests, a_million_letters_in_uneven_parts);
    suite_add_tcase(suite, tests);
    return suite;
}
