/* SPDX-License-Identifier: MIT */
/*
 * repl.c - how the prompt feels: `tutti repl` on a pty of ours. Prints JSON lines; see README.md.
 *
 *     start   from exec to "tutti> "
 *     echo    from a key to its echo, p99 of 500 keys: idle, and while LOAD goes on
 *     idle    CPU ticks of a prompt that nobody types at, in 10 s
 *
 * `tutti-bench-repl [PROGRAM]`; without a word the program of the release build.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STARTS = 41,
    KEYS = 500,
    IDLE_S = 10,
    WAIT_MS = 30000, /* nothing takes that long */
    TASKS_PER_S = 100000,
    LINES_PER_S = 1000,
};

/* What goes on while keys are pressed: tasks of the loop's state that end, and lines of two pool
 * tasks. `rate()` tells how many a second there were. The lines have no letters, which the keys
 * are. */
static const char LOAD[] =
    "(function() local tutti = require('tutti')"
    " local begin, ended, box = tutti.now(), 0, tutti.buffer(16):view('i64')"
    " local function nothing() end"
    " local function print_lines(box, at)"
    " local tutti = require('tutti') local begin = tutti.now()"
    " while true do for n = box[at] + 1, (tutti.now() - begin) * 500 do box[at] = n print(n) end"
    " tutti.sleep(0.005) end end"
    " tutti.parallel(print_lines, box, 1) tutti.parallel(print_lines, box, 2)"
    " function rate() local t = tutti.now() - begin"
    " return ('RATE %d %d.'):format(ended // t, (box[1] + box[2]) // t) end"
    " while true do local due = math.min((tutti.now() - begin) * 100000 - ended, 5000) // 1"
    " tutti.scope(function(s) for _ = 1, due do s:spawn(nothing) end end) ended = ended + due"
    " tutti.sleep(0.001) end end)() &\r";

static const char *program;

/* A prompt on a pty, and what it has written lately. */
struct prompt {
    int fd;
    pid_t pid;
    bool is_in_escape; /* what follows ESC [ up to a letter is no text */
    bool is_escape_new;
    char seen[1 << 16];
    size_t seen_size;
};

static void die(const char *what)
{
    fprintf(stderr, "tutti-bench-repl: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pause_ms(int ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&t, NULL);
}

/* ---- what the prompt writes --------------------------------------------------------------- */

static void forget(struct prompt *p)
{
    p->seen_size = 0;
    p->seen[0] = '\0';
}

static void keep(struct prompt *p, char byte)
{
    if (p->seen_size == sizeof p->seen - 1) { /* the latest half will do */
        memmove(p->seen, p->seen + sizeof p->seen / 2, p->seen_size -= sizeof p->seen / 2);
    }
    p->seen[p->seen_size++] = byte;
    p->seen[p->seen_size] = '\0';
}

/* Text without the terminal's escape sequences. */
static void take(struct prompt *p, char byte)
{
    if (byte == '\033') {
        p->is_in_escape = true;
        p->is_escape_new = true;
    } else if (p->is_in_escape) {
        bool is_bracket = p->is_escape_new && (byte == '[' || byte == ']');
        p->is_in_escape = is_bracket || byte < '@' || byte > '~';
        p->is_escape_new = false;
    } else if (byte != '\0') {
        keep(p, byte);
    }
}

/* Read what is there, or wait for something for so long. */
static bool read_some(struct prompt *p, int wait_ms)
{
    char bytes[4096];
    struct pollfd in = { .fd = p->fd, .events = POLLIN };
    if (poll(&in, 1, wait_ms) <= 0)
        return false;
    ssize_t size = read(p->fd, bytes, sizeof bytes);
    for (ssize_t i = 0; i < size; i++)
        take(p, bytes[i]);
    return size > 0;
}

static char *wait_for(struct prompt *p, const char *text)
{
    char *found;
    while ((found = strstr(p->seen, text)) == NULL) {
        if (!read_some(p, WAIT_MS)) {
            fprintf(stderr, "tutti-bench-repl: \"%s\" did not come; there was:\n%s\n", text,
                    p->seen);
            exit(1);
        }
    }
    return found;
}

/* Read for a while, whatever comes. */
static void drain(struct prompt *p, int ms)
{
    double stop = now_ns() + ms * 1e6;
    for (double left = stop - now_ns(); left > 0; left = stop - now_ns())
        (void)read_some(p, (int)(left / 1e6) + 1);
    forget(p);
}

static void type(struct prompt *p, const char *text)
{
    size_t size = strlen(text);
    if (write(p->fd, text, size) != (ssize_t)size)
        die("typing");
}

/* ---- its life ----------------------------------------------------------------------------- */

static void start(struct prompt *p)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    memset(p, 0, sizeof *p);
    p->pid = forkpty(&p->fd, NULL, NULL, &size);
    if (p->pid < 0)
        die("forkpty");
    if (p->pid == 0) {
        execl(program, program, "repl", (char *)NULL);
        _exit(127);
    }
}

/* Ctrl-D on an empty line; the tasks that run are cancelled after a question. */
static void leave(struct prompt *p, bool is_asked)
{
    int status = 0;
    type(p, "\004");
    if (is_asked) {
        wait_for(p, "[y/N]");
        type(p, "y\r");
    }
    while (read_some(p, WAIT_MS))
        continue;
    if (waitpid(p->pid, &status, 0) != p->pid || status != 0) {
        fprintf(stderr, "tutti-bench-repl: the prompt ended with %d\n", status);
        exit(1);
    }
    close(p->fd);
}

/* ---- figures ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void bench_start(void)
{
    enum { AT_MOST_NS = 15000000 };
    static double times[STARTS];
    for (int i = 0; i < STARTS; i++) {
        struct prompt p;
        double begin = now_ns();
        start(&p);
        wait_for(&p, "tutti> ");
        times[i] = now_ns() - begin;
        leave(&p, false);
    }
    qsort(times, STARTS, sizeof times[0], compare);
    printf("{\"bench\":\"repl\",\"case\":\"start\",\"system\":\"tutti\",\"n\":%d,\"ns\":%.0f,"
           "\"min\":%.0f,\"max\":%.0f,\"at_most\":%d,\"met\":%s}\n",
           STARTS, times[STARTS / 2], times[0], times[STARTS - 1], AT_MOST_NS,
           times[STARTS / 2] <= AT_MOST_NS ? "true" : "false");
}

/* From one key to its echo. Each key of a line is a letter that was not in it before. */
static double echo_ns(struct prompt *p, char key)
{
    char text[2] = { key, '\0' };
    forget(p);
    double begin = now_ns();
    type(p, text);
    wait_for(p, text);
    return now_ns() - begin;
}

static void press_keys(struct prompt *p, double *times)
{
    static const char letters[] = "abcdefghjklmnopqrsvwxyz"; /* none of those in "tutti> " */
    int at = 0;
    for (int i = 0; i < KEYS; i++) {
        if (letters[at] == '\0') {
            type(p, "\025"); /* Ctrl-U: the line is empty again */
            drain(p, 200);
            at = 0;
        }
        drain(p, 5 + rand() % 20);
        times[i] = echo_ns(p, letters[at++]);
    }
    type(p, "\025");
    drain(p, 200);
    qsort(times, KEYS, sizeof times[0], compare);
}

static void say_echo(const char *name, double *times, const char *more, bool is_loaded)
{
    enum { AT_MOST_NS = 5000000 };
    double p99 = times[KEYS * 99 / 100];
    printf("{\"bench\":\"repl\",\"case\":\"echo\",\"system\":\"tutti\",\"load\":\"%s\",\"n\":%d,"
           "\"ns\":%.0f,\"p50\":%.0f,\"max\":%.0f%s,\"at_most\":%d,\"met\":%s}\n",
           name, KEYS, p99, times[KEYS / 2], times[KEYS - 1], more, AT_MOST_NS,
           p99 <= AT_MOST_NS && is_loaded ? "true" : "false");
}

static void bench_echo(void)
{
    struct prompt p;
    static double times[KEYS];
    long tasks = 0;
    long lines = 0;
    char more[80];
    start(&p);
    wait_for(&p, "tutti> ");
    press_keys(&p, times);
    say_echo("none", times, "", true);
    type(&p, LOAD);
    wait_for(&p, "running");
    drain(&p, 500);
    press_keys(&p, times);
    type(&p, "rate()\r");
    char *rate = wait_for(&p, "RATE");
    while (strchr(rate, '.') == NULL)
        (void)read_some(&p, WAIT_MS);
    if (sscanf(rate, "RATE %ld %ld.", &tasks, &lines) != 2)
        die("reading the rate");
    (void)snprintf(more, sizeof more, ",\"tasks_per_s\":%ld,\"lines_per_s\":%ld", tasks, lines);
    bool is_loaded = tasks >= TASKS_PER_S * 95 / 100 && lines >= LINES_PER_S * 95 / 100;
    say_echo("tasks and lines", times, more, is_loaded);
    drain(&p, 200);
    leave(&p, true);
}

/* User and system time of the whole process, in ticks. */
static long ticks_of(pid_t pid)
{
    char path[40];
    long user = -1;
    long system = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL
        || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
                  &system) != 2)
        die(path);
    (void)fclose(file);
    return user + system;
}

static void bench_idle(void)
{
    struct prompt p;
    start(&p);
    wait_for(&p, "tutti> ");
    drain(&p, 500);
    long begin = ticks_of(p.pid);
    pause_ms(IDLE_S * 1000);
    long used = ticks_of(p.pid) - begin;
    printf("{\"bench\":\"repl\",\"case\":\"idle\",\"system\":\"tutti\",\"seconds\":%d,\"ticks\":%ld,"
           "\"at_most\":0,\"met\":%s}\n",
           IDLE_S, used, used == 0 ? "true" : "false");
    leave(&p, false);
}

int main(int argc, char **argv)
{
    static char path[4096];
    static char state[] = "/tmp/tutti-bench-repl-XXXXXX"; /* no history of the user's */
    const char *build = getenv("TUTTI_BUILD");
    (void)snprintf(path, sizeof path, "%s/release/tutti", build == NULL ? "build" : build);
    program = argc > 1 ? argv[1] : path;
    if (mkdtemp(state) == NULL)
        die(state);
    (void)setenv("XDG_STATE_HOME", state, 1);
    (void)setenv("TERM", "xterm", 1);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    bench_start();
    bench_echo();
    bench_idle();
    (void)snprintf(path, sizeof path, "rm -r %s", state);
    return system(path) == 0 ? 0 : 1;
}
