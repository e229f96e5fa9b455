/* SPDX-License-Identifier: MIT */
/*
 * test_value_corpus.c - replay the fuzzer's corpus for the decoder of values.
 */
#include "support/tap.h"

#include <dirent.h>

#include "fuzz/fuzz_value.c"

#ifndef TUTTI_TEST_CORPUS /* the build says where it is */
#define TUTTI_TEST_CORPUS "tests/fuzz/corpus/value"
#endif

static bool replay(const char *folder, const char *name)
{
    static uint8_t bytes[1 << 16];
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint8_t *exact = malloc(size + 1); /* so that ASan sees a read behind the end */
    REQUIRE(exact != NULL, "memory");
    memcpy(exact, bytes, size);
    uint8_t *shrunk = realloc(exact, size == 0 ? 1 : size);
    LLVMFuzzerTestOneInput(shrunk, size);
    free(shrunk);
    return true;
}

int main(void)
{
    static const char folder[] = TUTTI_TEST_CORPUS;
    int count = 0;
    TAP_BEGIN();
    DIR *dir = opendir(folder);
    REQUIRE(dir != NULL, "%s is there", folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            OK(replay(folder, entry->d_name), "%s", entry->d_name);
            count++;
        }
    }
    closedir(dir);
    OK(count >= 20, "%d inputs", count);
    lua_close(fuzz_state());
    return TAP_END();
}
