/* SPDX-License-Identifier: MIT */
/* test_io_signal.c - signals told to the loop, and dispositions put back. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/env.h"
#include "io/loop.h"
#include "io/signal.h"
#include "support/tap.h"
#include "tutti.h"

static struct tutti__loop *loop;
static int got[4];
static int got_count;

static void on_signal(void *user, int number)
{
    if (user == got && got_count < 4) {
        got[got_count++] = number;
    }
}

static bool has_one(void *user)
{
    (void)user;
    return got_count > 0;
}

static bool is_quiet(void *user)
{
    (void)user;
    return tutti__loop_is_quiet(loop);
}

int main(void)
{
    TAP_BEGIN();
    struct tutti__signals *signals = NULL;
    struct sigaction before;
    struct sigaction after;
    static const int numbers[] = { SIGINT, SIGHUP };
    static const int impossible[] = { SIGINT, SIGKILL };
    REQUIRE(tutti__loop_new(&loop, tutti__env_default()) == TUTTI_OK, "a loop");
    sigaction(SIGINT, NULL, &before);
    EQ_INT(tutti__signals_new(&signals, loop, impossible, 2, on_signal, got), TUTTI_EINVAL,
           "KILL cannot be watched");
    sigaction(SIGINT, NULL, &after);
    EQ_PTR(after.sa_handler, before.sa_handler, "then nothing is");
    EQ_INT(tutti__signals_new(&signals, loop, numbers, 2, on_signal, got), TUTTI_OK,
           "two signals are watched");
    kill(getpid(), SIGHUP);
    tutti__loop_run_until(loop, has_one, NULL);
    OK(got_count == 1 && got[0] == SIGHUP, "one that arrives is told");
    got_count = 0;
    kill(getpid(), SIGINT);
    tutti__loop_run_until(loop, has_one, NULL);
    OK(got_count == 1 && got[0] == SIGINT, "and the other");
    tutti__loop_run_until(loop, is_quiet, NULL);
    OK(true, "watching does not keep the loop busy");
    tutti__signals_free(signals);
    sigaction(SIGINT, NULL, &after);
    EQ_PTR(after.sa_handler, before.sa_handler, "the disposition is put back");
    tutti__loop_free(loop);
    EQ_UINT(tutti__alloc_live(), 0, "no memory is left");
    return TAP_END();
}
