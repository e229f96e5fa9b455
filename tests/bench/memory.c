/* SPDX-License-Identifier: MIT */
/*
 * memory.c - what 1,000,000 waiting tasks hold, and what is left of it when they have run.
 *
 * Bytes are what the process has resident, against the start of the same process. Each measurement has a
 * process of its own: memory that an earlier one has given back to the C library would be used again
 * and not be seen. See README.md.
 */
#include "memory.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tutti.h"

enum { ROUNDS = 7, WARM = 1000 };

int64_t memory_resident_bytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %lld", &pages) != 1) {
        abort();
    }
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* ---- tutti -------------------------------------------------------------------------------- */

static _Atomic(uint64_t) ran;

static int body(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    return TUTTI_OK;
}

/* Submit `count` tasks after the promises, with so many bytes of argument. */
static int submit(tutti_engine *engine, tutti_task *const *after, size_t after_count, size_t arg_bytes,
                  uint64_t count)
{
    char capture[MEMORY_CAPTURE_BYTES] = { 0 };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body, .arg = capture, .arg_bytes = arg_bytes };
    int failed = 0;
    for (uint64_t i = 0; i < count; i++) {
        failed |= tutti_submit(engine, &desc, after, after_count, NULL);
    }
    return failed;
}

static void measure(size_t after_count, size_t arg_bytes, struct memory_result *out)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .seed = 1 };
    tutti_engine *engine = NULL;
    tutti_task *after[2] = { NULL, NULL };
    int failed = tutti_engine_new(&engine, &config);
    failed |= submit(engine, NULL, 0, arg_bytes, WARM);
    failed |= tutti_wait_idle(engine);
    int64_t begin = memory_resident_bytes();
    for (size_t i = 0; i < after_count; i++) {
        failed |= tutti_promise_new(engine, &after[i]);
    }
    failed |= submit(engine, after, after_count, arg_bytes, MEMORY_WAITING);
    out->waiting_bytes = memory_resident_bytes() - begin;
    bool waited = atomic_load(&ran) == WARM;
    for (size_t i = 0; i < after_count; i++) {
        failed |= tutti_promise_settle(after[i], TUTTI_OK, NULL);
        tutti_task_unref(after[i]);
    }
    failed |= tutti_wait_idle(engine);
    failed |= tutti_trim(engine);
    out->left_bytes = memory_resident_bytes() - begin;
    failed |= tutti_engine_free(engine);
    out->right = failed == 0 && waited && atomic_load(&ran) == WARM + MEMORY_WAITING;
}

static void tutti_bare(struct memory_result *out)
{
    measure(1, 0, out);
}

static void tutti_two(struct memory_result *out)
{
    measure(2, MEMORY_CAPTURE_BYTES, out);
}

/* ---- rounds ------------------------------------------------------------------------------- */

struct subject {
    const char *system;
    const char *variant; /* "bare": one predecessor, no argument; "two": two, and 32 bytes */
    void (*run)(struct memory_result *out);
    double bytes[ROUNDS]; /* a task */
    double left_mib[ROUNDS];
};

static struct subject subjects[] = {
    { .system = "tutti", .variant = "bare", .run = tutti_bare },
    { .system = "tutti", .variant = "two", .run = tutti_two },
#ifdef TUTTI_BENCH_TBB
    { .system = "onetbb", .variant = "two", .run = memory_onetbb_two },
#endif
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* Run it in a process of its own; this one has no threads. */
static bool run_apart(const struct subject *s, struct memory_result *out)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        struct memory_result result = { false, 0, 0 };
        s->run(&result);
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    close(ends[1]);
    bool whole = child > 0 && read(ends[0], out, sizeof *out) == (ssize_t)sizeof *out;
    close(ends[0]);
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 && whole && out->right;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(struct subject *s)
{
    double first = s->bytes[0];
    qsort(s->bytes, ROUNDS, sizeof s->bytes[0], compare);
    qsort(s->left_mib, ROUNDS, sizeof s->left_mib[0], compare);
    printf("{\"bench\":\"memory\",\"system\":\"%s\",\"variant\":\"%s\",\"threads\":2,\"n\":%d,"
           "\"bytes\":%.1f,\"first\":%.1f,\"min\":%.1f,\"max\":%.1f",
           s->system, s->variant, MEMORY_WAITING, s->bytes[ROUNDS / 2], first, s->bytes[0],
           s->bytes[ROUNDS - 1]);
    if (strcmp(s->system, "tutti") == 0) {
        printf(",\"left_mib\":%.2f,\"left_max_mib\":%.2f", s->left_mib[ROUNDS / 2], s->left_mib[ROUNDS - 1]);
    }
    printf("}\n");
}

static void print_goal(const char *variant, const char *key, double value, double at_most)
{
    printf("{\"bench\":\"memory\",\"variant\":\"%s\",\"threads\":2,\"n\":%d,\"%s\":%.2f,\"at_most\":%.2f,"
           "\"met\":%s}\n",
           variant, MEMORY_WAITING, key, value, at_most, value <= at_most ? "true" : "false");
}

/* README.md says where the two figures come from. The worst round counts for what is left. */
static void report(void)
{
    static const double BYTES_AT_MOST = 160;
    static const double LEFT_MIB_AT_MOST = 16;
    for (int k = 0; k < SUBJECTS; k++) {
        print(&subjects[k]);
    }
    for (int k = 0; k < SUBJECTS && strcmp(subjects[k].system, "tutti") == 0; k++) {
        print_goal(subjects[k].variant, "bytes", subjects[k].bytes[ROUNDS / 2], BYTES_AT_MOST);
        print_goal(subjects[k].variant, "left_mib", subjects[k].left_mib[ROUNDS - 1], LEFT_MIB_AT_MOST);
    }
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < SUBJECTS; k++) {
            struct memory_result result = { false, 0, 0 };
            if (!run_apart(&subjects[k], &result)) {
                fprintf(stderr, "bench: memory on %s failed or computed the wrong thing\n",
                        subjects[k].system);
                return 1;
            }
            subjects[k].bytes[i] = (double)result.waiting_bytes / MEMORY_WAITING;
            subjects[k].left_mib[i] = (double)result.left_bytes / (1024 * 1024);
        }
    }
    report();
    return 0;
}
