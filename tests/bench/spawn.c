/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - the limit for exec: a bare posix_spawn loop, 4 in flight, nothing read, nothing watched.
 *
 * Prints one JSON line; `spawn N` starts N processes (2,000 without a word). See README.md.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

enum { IN_FLIGHT = 4 };

extern char **environ;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int start(void)
{
    char program[] = "/bin/true";
    char *argv[] = { program, NULL };
    pid_t pid = 0;
    return posix_spawn(&pid, program, NULL, NULL, argv, environ);
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 2000;
    int started = 0;
    int ended = 0;
    double begin = now_ns();
    while (ended < wanted) {
        while (started < wanted && started - ended < IN_FLIGHT) {
            if (start() != 0) {
                perror("posix_spawn");
                return 1;
            }
            started++;
        }
        int status = -1;
        if (wait(&status) < 0 || status != 0) {
            fprintf(stderr, "a child ended with %d\n", status);
            return 1;
        }
        ended++;
    }
    printf("{\"bench\":\"spawn\",\"system\":\"posix_spawn\",\"threads\":1,\"n\":%d,\"ns\":%.0f}\n", wanted,
           (now_ns() - begin) / wanted);
    return 0;
}
