/* SPDX-License-Identifier: MIT */
/*
 * test_value_corpus.c - replay the fuzzer's corpus for the decoder of values.
 */
#include "support/tap.h"

#include <dirent.h>

#include "fuzz/fuzz_value.c"

/* tests/fuzz/corpus/value, seen from this file. */
static void corpus_path(char *path, size_t size)
{
    snprintf(path, size, "%s", __FILE__);
    char *slash = strrchr(path, '/');
    REQUIRE(slash != NULL, "the path of this file is known");
    slash[1] = '\0';
    size_t used = strlen(path);
    snprintf(path + used, size - used, "../fuzz/corpus/value");
}

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
    char folder[900];
    int count = 0;
    TAP_BEGIN();
    corpus_path(folder, sizeof folder);
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
