/* Runs a fuzz target over every file of the directories given: the corpus as an ordinary test. */

#define _GNU_SOURCE

#include "fuzz/fuzz.h"

#include <dirent.h>

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    fseek(file, 0, SEEK_END);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(bytes ? bytes : 1); /* exact, so that a sanitizer sees reads beyond the end */
    REQUIRE(data && fread(data, 1, bytes, file) == bytes);
    fclose(file);
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *listing = opendir(argv[i]);
        REQUIRE(listing);
        for (struct dirent *entry; (entry = readdir(listing));) {
            char path[1024];
            if (entry->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            replay_file(path);
            count++;
        }
        closedir(listing);
    }
    printf("%zu inputs\n", count);
    return count ? 0 : 1;
}
