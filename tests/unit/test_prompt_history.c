/* SPDX-License-Identifier: MIT */
/*
 * test_prompt_history.c - the file of what was typed at the prompt: entries come back as they were,
 * prompts side by side lose none, and it does not grow for ever.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/prompt_history.h"
#include "support/tap.h"

enum { WRITERS = 4, ENTRIES = 200 };

static char folder[] = "/tmp/tutti-history-XXXXXX";
static char path[4096];

static char *loaded[CLI_HISTORY_MAX + 1];
static size_t loaded_count;

static void add(const char *entry)
{
    if (loaded_count <= CLI_HISTORY_MAX)
        loaded[loaded_count++] = strdup(entry);
}

static void load(void)
{
    for (; loaded_count > 0; loaded_count--)
        free(loaded[loaded_count - 1]);
    cli_history_load(path, add);
}

static void append_bytes(const char *bytes)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    REQUIRE(fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes), "write");
    (void)close(fd);
}

static void test_place(void)
{
    struct stat st;
    (void)setenv("XDG_STATE_HOME", "not/absolute", 1);
    (void)setenv("HOME", folder, 1);
    OK(cli_history_path(path, sizeof path), "a place in the home folder");
    OK(strstr(path, "/.local/state/tutti/history") != NULL, "as the convention says: %s", path);
    (void)setenv("XDG_STATE_HOME", folder, 1);
    OK(cli_history_path(path, sizeof path), "a place of the user's");
    EQ_INT(strncmp(path, folder, strlen(folder)), 0, "there");
    *strrchr(path, '/') = '\0';
    OK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700, "a folder that nobody else can read");
    OK(cli_history_path(path, sizeof path), "the folders may be there already");
    OK(!cli_history_path(path, 10), "no room for it");
    OK(cli_history_path(path, sizeof path), "again");
}

static void test_entries(void)
{
    static const char *const entries[] = { "print(1)", "do\n  f(\"\\n\")\nend", "\\", "a\\nb", "é日\t" };
    enum { COUNT = sizeof entries / sizeof entries[0] };
    struct stat st;
    load();
    EQ_UINT(loaded_count, 0, "nothing at first");
    for (size_t i = 0; i < COUNT; i++)
        OK(cli_history_append(path, entries[i]), "append %zu", i);
    OK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "a file that nobody else can read");
    load();
    EQ_UINT(loaded_count, COUNT, "so many entries");
    for (size_t i = 0; i < COUNT && i < loaded_count; i++)
        EQ_STR(loaded[i], entries[i], "as it was");
    append_bytes("half an ent");
    OK(cli_history_append(path, "whole"), "behind one that was torn");
    load();
    EQ_UINT(loaded_count, COUNT + 2, "each is one");
    EQ_STR(loaded[COUNT + 1], "whole", "and this one whole");
}

/* In a process of its own. */
static void append_many(int writer)
{
    char entry[64];
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(entry, sizeof entry, "writer %d\nentry %d", writer, i);
        if (!cli_history_append(path, entry))
            _exit(1);
    }
    _exit(0);
}

static bool is_whole(int next[WRITERS])
{
    for (int i = 0; i < WRITERS; i++)
        next[i] = 0;
    for (size_t i = 0; i < loaded_count; i++) {
        int writer = -1;
        int number = -1;
        if (sscanf(loaded[i], "writer %d\nentry %d", &writer, &number) != 2)
            continue;
        if (writer < 0 || writer >= WRITERS || next[writer]++ != number)
            return false;
    }
    return true;
}

/* Many write at the same time. */
static void test_many(void)
{
    pid_t children[WRITERS];
    int next[WRITERS];
    (void)unlink(path);
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            append_many(i);
        REQUIRE(children[i] > 0, "a process");
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        (void)waitpid(children[i], &status, 0);
        EQ_INT(status, 0, "every entry was written");
    }
    load();
    EQ_UINT(loaded_count, WRITERS * ENTRIES, "and is there");
    OK(is_whole(next), "whole, in the order of each");
}

static void test_cut(void)
{
    enum { LIMIT = CLI_HISTORY_MAX + CLI_HISTORY_MAX / 2 };
    struct stat before, after;
    char line[32];
    (void)unlink(path);
    OK(cli_history_append(path, "entry 0"), "append");
    FILE *file = fopen(path, "a");
    REQUIRE(file != NULL, "open");
    for (int i = 1; i < LIMIT; i++)
        (void)fprintf(file, "entry %d\n", i);
    (void)fclose(file);
    load();
    EQ_UINT(loaded_count, CLI_HISTORY_MAX, "the newest");
    (void)snprintf(line, sizeof line, "entry %d", LIMIT - 1);
    EQ_STR(loaded[CLI_HISTORY_MAX - 1], line, "up to the last");
    OK(stat(path, &before) == 0 && cli_history_append(path, "one more"), "append");
    load();
    OK(stat(path, &after) == 0 && after.st_size < before.st_size, "a file that has grown is cut");
    EQ_INT(after.st_mode & 0777, 0600, "and still nobody else's");
    load();
    EQ_UINT(loaded_count, CLI_HISTORY_MAX, "what is kept is all there");
    EQ_STR(loaded[CLI_HISTORY_MAX - 1], "one more", "up to the last");
    (void)unlink(path);
    load();
    load(); /* frees what is left */
}

int main(void)
{
    TAP_BEGIN();
    REQUIRE(mkdtemp(folder) != NULL, "a folder");
    test_place();
    test_entries();
    test_many();
    test_cut();
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    EQ_INT(system(command), 0, "clean up");
    return TAP_END();
}
