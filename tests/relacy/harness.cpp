/* SPDX-License-Identifier: MIT */
/*
 * harness.cpp - see harness.h. Relacy's templates are made here, once for each number of threads.
 */
#include "harness.h"
#include "scheduler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What Relacy runs; Relacy wants a type, so the test is found here. */
static const model_kind_of_test *running;
static void *memory;

template <int threads> struct round_of : rl::test_suite<round_of<threads>, threads> {
    model_test *test;

    round_of()
    {
        model_sleep_count = 0;
        model_locals_clear();
        memset(memory, 0, running->bytes);
        test = running->make(memory);
    }

    /* What the model keeps of a round goes before Relacy looks for leaks. */
    ~round_of()
    {
        test->~model_test();
        model_clear_all();
        model_blocks_forget();
    }

    void before() { test->before(); }
    void thread(unsigned index) { test->thread(index); }
    void after() { test->after(); }
};

struct outcome {
    rl::test_result_e result;
    uint64_t rounds; /* that were run; the last one has the result */
};

template <int threads> static rl::test_result_e simulate(rl::test_params &params)
{
    rl::ostringstream state;
    return rl::run_test<round_of<threads>, model_scheduler<threads>>(params, state, false);
}

static outcome run(const model_kind_of_test &test, uint64_t first, uint64_t rounds, bool history)
{
    rl::ostringstream progress, from;
    rl::test_params params;
    from << first << " ";
    params.initial_state = from.str();
    params.iteration_count = first + rounds - 1;
    params.progress_stream = &progress;
    params.execution_depth_limit = 20000;
    params.collect_history = history;
    running = &test;
    memory = (malloc)(test.bytes);
    rl::test_result_e result = test.threads == 2   ? simulate<2>(params)
                               : test.threads == 3 ? simulate<3>(params)
                                                   : simulate<4>(params);
    model_forget_all();
    model_blocks_forget();
    (free)(memory);
    return { result, params.stop_iteration - first + 1 };
}

/* ---- TAP (support/tap.h is C11's) ---------------------------------------------------------- */

static unsigned checks;
static unsigned failures;

static uint64_t number(const char *variable, uint64_t normal)
{
    const char *given = getenv(variable);
    return given != NULL && *given != '\0' ? strtoull(given, NULL, 0) : normal;
}

/* The first round, of all tests of this program. */
static uint64_t first_round()
{
    static uint64_t seed = number("TUTTI_SEED", (uint64_t)time(NULL) * 1000 % 1000000000 + 1);
    return seed;
}

static void print(bool pass, const char *text)
{
    checks++;
    failures += !pass;
    printf("%s %u - %s\n", pass ? "ok" : "not ok", checks, text);
    fflush(stdout);
}

int model_end()
{
    printf("1..%u\n", checks);
    if (failures != 0) {
        printf("# TUTTI_SEED=%" PRIu64 "\n", first_round());
    }
    return checks != 0 && failures == 0 ? 0 : 1;
}

/* ---- a protocol --------------------------------------------------------------------------- */

/* As it is, it must hold. */
static void check_holds(const model_kind_of_test &test, uint64_t rounds)
{
    char text[256];
    uint64_t first = first_round();
    outcome got = run(test, first, rounds, false);
    bool holds = got.result == rl::test_result_success;
    snprintf(text, sizeof text, "%s: %" PRIu64 " rounds from %" PRIu64 ": %s", test.name, got.rounds,
             first, rl::test_result_str(got.result));
    print(holds, text);
    if (!holds) {
        first += got.rounds - 1;
        printf("# TUTTI_SEED=%" PRIu64 " TUTTI_ROUNDS=1 replays this:\n", first);
        run(test, first, 1, true);
    }
}

/* What a planted bug led to. */
struct found {
    outcome got;
    uint64_t hits; /* of the plant; 0: nothing has the name it gives */
};

/* In a process of its own: a broken protocol may well write over everything. */
static bool run_planted(const model_kind_of_test &test, uint64_t rounds, found *out)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        out->got = run(test, first_round(), rounds, false);
        out->hits = model_plant_hits;
        _exit(write(ends[1], out, sizeof *out) == sizeof *out ? 0 : 1);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], out, sizeof *out) == sizeof *out;
    close(ends[0]);
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && (told || WIFSIGNALED(status));
}

/* With this bug some round must fail. */
static void check_finds(const model_kind_of_test &test, uint64_t rounds, const model_plant *plant)
{
    static const char *const how[] = { "without", "with a weak", "with a weak failure of", "torn" };
    char text[256];
    found result = { { rl::test_result_success, 0 }, 0 }; /* no rounds: it crashed */
    model_planted = plant;
    bool ran = run_planted(test, rounds, &result);
    model_planted = NULL;
    bool crashed = ran && result.got.rounds == 0;
    bool is_found = crashed || (ran && result.hits != 0 &&
                                result.got.result != rl::test_result_success);
    const char *verdict = crashed            ? "CRASH"
                          : !ran             ? "NO PROCESS"
                          : result.hits == 0 ? "NO SUCH ACCESS"
                          : is_found         ? rl::test_result_str(result.got.result)
                                             : "NOT FOUND";
    snprintf(text, sizeof text, "%s %s %s %s in %s: %s after %" PRIu64 " rounds", test.name,
             how[plant->how], plant->kind, plant->expr, plant->function, verdict, result.got.rounds);
    print(is_found, text);
}

void model_check(const model_kind_of_test &test, const model_plant *plants, size_t count)
{
    uint64_t rounds = number("TUTTI_ROUNDS", test.rounds);
    check_holds(test, rounds);
    for (size_t i = 0; i < count; i++) {
        check_finds(test, rounds, &plants[i]);
    }
}
