/* SPDX-License-Identifier: MIT */
/*
 * streams.c - see streams.h.
 *
 * Layer: cli.
 */
#include "cli/streams.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *cli_stream_new(ssize_t (*write)(void *cookie, const char *bytes, size_t size), void *cookie,
                     int buffering)
{
    const cookie_io_functions_t functions = { .write = write };
    FILE *stream = fopencookie(cookie, "w", functions);
    if (stream != NULL)
        (void)setvbuf(stream, NULL, buffering, BUFSIZ);
    return stream;
}

bool cli_stream_is_same(int a, int b)
{
    struct stat one, other;
    return isatty(a) == 1 && fstat(a, &one) == 0 && fstat(b, &other) == 0 && S_ISCHR(one.st_mode)
        && S_ISCHR(other.st_mode) && one.st_rdev == other.st_rdev;
}

/* ---- crashes ------------------------------------------------------------------------------ */

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static struct sigaction before_crash[sizeof crashes / sizeof crashes[0]];
static void (*leave_crash)(void); /* set before the handlers are */

static void on_crash(int number)
{
    leave_crash();
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        if (crashes[i] == number)
            (void)sigaction(number, &before_crash[i], NULL);
    }
    (void)raise(number);
}

void cli_crash_call(void (*leave)(void))
{
    struct sigaction action = { .sa_handler = on_crash };
    leave_crash = leave;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        (void)sigaction(crashes[i], &action, &before_crash[i]);
}
