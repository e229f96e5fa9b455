/* SPDX-License-Identifier: MIT */
/*
 * test_prompt_text.c - text of many threads on its way above the line that is typed at the prompt: nothing
 * is lost or torn, what has no end gets one, and who writes too much waits.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "cli/prompt_text.h"
#include "support/tap.h"

enum { WRITERS = 4, LINES = 3000, ROOM = 256 * 1024 + 2 };

#define PATIENCE_S 0.1 /* of the code under test: so long a line waits for its end */

static char taken[ROOM];
static atomic_int wakes;
static int terminal;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_wake(void)
{
    atomic_fetch_add(&wakes, 1);
}

/* A file takes the part of the terminal. */
static void open_terminal(void)
{
    char path[] = "/tmp/tutti-prompt-XXXXXX";
    terminal = mkstemp(path);
    REQUIRE(terminal >= 0 && unlink(path) == 0, "a file");
    cli_prompt_text_open(terminal, on_wake);
}

/* What has come to the terminal since the last time. */
static const char *seen(void)
{
    static char bytes[4096];
    static off_t from = 0;
    ssize_t n = pread(terminal, bytes, sizeof bytes - 1, from);
    bytes[n > 0 ? n : 0] = '\0';
    from += n > 0 ? n : 0;
    return bytes;
}

static void put(enum cli_lane lane, const char *text)
{
    EQ_INT(cli_prompt_text_put(lane, text, strlen(text)), (ssize_t)strlen(text), "put");
}

/* Take what there is, waiting as we are told to. */
static const char *take(void)
{
    for (;;) {
        int wait_ms = 0;
        size_t size = cli_prompt_text_take(taken, sizeof taken, &wait_ms);
        taken[size] = '\0';
        if (size > 0 || wait_ms < 0)
            return taken;
        (void)poll(NULL, 0, wait_ms);
    }
}

static void test_order(void)
{
    put(CLI_LANE_OUT, "at once");
    EQ_STR(seen(), "at once", "nothing is held back while no line is typed");
    cli_prompt_text_keep();
    EQ_STR(seen(), "\n", "the line that is typed begins on a row of its own");
    double began = now_s();
    put(CLI_LANE_ERR, "an err");
    put(CLI_LANE_OUT, "one\ntwo\nthr");
    EQ_INT(atomic_load(&wakes), 1, "one wake for all that waits");
    put(CLI_LANE_ERR, "or\n");
    const char *first = take();
    if (now_s() - began < PATIENCE_S) {
        EQ_STR(first, "one\ntwo\nan error\n", "whole lines, as they ended");
        EQ_STR(take(), "thr\n", "what does not end gets an end");
    } else { /* a busy machine: the line without an end may have waited long enough already */
        bool is_ended = strstr(first, "thr\n") != NULL;
        EQ_STR(first, is_ended ? "one\ntwo\nan error\nthr\n" : "one\ntwo\nan error\n", "whole lines");
        EQ_STR(is_ended ? "" : take(), is_ended ? "" : "thr\n", "what does not end gets an end");
    }
    EQ_STR(take(), "", "no more");
    EQ_STR(seen(), "", "nothing has gone to the terminal by itself");
    put(CLI_LANE_OUT, "four\nfi");
    cli_prompt_text_release();
    EQ_STR(seen(), "four\nfi", "what is left, as it is, when the line is entered");
    put(CLI_LANE_OUT, "ve\n");
    cli_prompt_text_keep();
    EQ_STR(seen(), "ve\n", "and no row is begun after a whole line");
    EQ_STR(take(), "", "nothing kept");
}

static void test_long(void)
{
    enum { LONG = 1000 * 1000 };
    static char line[LONG];
    size_t got = 0;
    memset(line, 'x', sizeof line);
    int wait_ms = 0;
    for (size_t done = 0; done < sizeof line; done += 50000) {
        (void)cli_prompt_text_put(CLI_LANE_OUT, line + done, 50000);
        const char *part = done % 100000 == 0 ? "" : take();
        for (; *part != '\0'; part++)
            got += *part == 'x';
    }
    for (const char *part = take(); *part != '\0'; part = take()) {
        for (; *part != '\0'; part++)
            got += *part == 'x';
    }
    EQ_UINT(got, LONG, "a line without an end comes in pieces, all of it");
    EQ_UINT(cli_prompt_text_take(taken, sizeof taken, &wait_ms), 0, "no more");
    (void)cli_prompt_text_put(CLI_LANE_OUT, "one\ntwo\nthree\n", 14);
    EQ_UINT(cli_prompt_text_take(taken, 9, &wait_ms), 8, "no more than fits, and whole lines");
    EQ_STR(take(), "three\n", "then the rest");
}

static void *write_lines(void *user)
{
    int writer = *(const int *)user;
    char line[256];
    for (int i = 0; i < LINES; i++) {
        int size = snprintf(line, sizeof line, "%d %d %0*d\n", writer, i, 20 + i % 200, i);
        (void)cli_prompt_text_put(writer % 2 == 0 ? CLI_LANE_OUT : CLI_LANE_ERR, line, (size_t)size);
    }
    return NULL;
}

/* Each line is whole and comes after the one before it of its writer. Returns how many there are. */
static int check_lines(char *text, int next[WRITERS])
{
    int count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
        int writer = -1;
        int number = -1;
        int same = -1;
        if (sscanf(line, "%d %d %d", &writer, &number, &same) != 3 || writer < 0 || writer >= WRITERS
            || number != next[writer] || same != number) {
            OK(false, "torn or out of order: %s", line);
            return WRITERS * LINES;
        }
        next[writer]++;
    }
    return count;
}

static void test_threads(void)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    int next[WRITERS] = { 0 };
    int count = 0;
    cli_prompt_text_keep();
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, write_lines, &numbers[i]) == 0, "a thread");
    }
    while (count < WRITERS * LINES) {
        (void)take();
        count += check_lines(taken, next);
    }
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(threads[i], NULL);
    EQ_INT(count, WRITERS * LINES, "every line of every thread, in the order of each");
}

static void *write_much(void *done)
{
    static char lines[600 * 1024];
    memset(lines, 'y', sizeof lines);
    for (size_t i = 99; i < sizeof lines; i += 100)
        lines[i] = '\n';
    (void)cli_prompt_text_put(CLI_LANE_OUT, lines, sizeof lines);
    atomic_store((atomic_bool *)done, true);
    return NULL;
}

static void test_room(void)
{
    atomic_bool done = false;
    pthread_t thread;
    int before = atomic_load(&wakes);
    off_t size = lseek(terminal, 0, SEEK_END);
    cli_prompt_text_keep();
    REQUIRE(pthread_create(&thread, NULL, write_much, &done) == 0, "a thread");
    while (atomic_load(&wakes) == before)
        (void)poll(NULL, 0, 1);
    OK(!atomic_load(&done), "who writes more than there is room for wakes the terminal and waits");
    cli_prompt_text_release();
    (void)pthread_join(thread, NULL);
    EQ_INT(lseek(terminal, 0, SEEK_END) - size, 600 * 1024, "until it goes straight through, all of it");
}

int main(void)
{
    TAP_BEGIN();
    open_terminal();
    test_order();
    test_long();
    test_threads();
    test_room();
    return TAP_END();
}
