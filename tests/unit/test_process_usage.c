/* SPDX-License-Identifier: MIT */
/* test_process_usage.c - CPU time and memory of processes, and hints on what could not be started. */
#include "test_process.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const size_t mib = 1024 * 1024;

/* ---- this program as the child --------------------------------------------------------------- */

/* Use CPU time until the kernel has counted 50 ms of it. */
static int child_burn(void)
{
    struct rusage usage;
    do {
        getrusage(RUSAGE_SELF, &usage);
    } while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec + usage.ru_stime.tv_usec < 50000);
    return 0;
}

static int child_fill(size_t bytes)
{
    volatile char *data = malloc(bytes);
    if (data == NULL) {
        return 1;
    }
    for (size_t i = 0; i < bytes; i += 4096) {
        data[i] = 1;
    }
    free((void *)data);
    return 0;
}

static int child_main(int argc, char **argv)
{
    if (strcmp(argv[1], "burn") == 0) {
        return child_burn();
    }
    return argc > 2 ? child_fill((size_t)atoi(argv[2]) * mib) : 99;
}

/* ---- what it used ---------------------------------------------------------------------------- */

static uint64_t own_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static void test_time(void)
{
    char self[4096] = "";
    struct tutti__process_spec spec = spec_of(ARGV(SELF, "burn"));
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(r->cpu_user_ns + r->cpu_system_ns >= 50 * TUTTI_NS_PER_MS, "its CPU time is told");
    tutti_task_unref(task);
    REQUIRE(readlink(SELF, self, sizeof self - 1) > 0, "the program's name");
    spec.argv = ARGV("/bin/sh", "-c", "\"$0\" burn; exit 0", self);
    r = run(&spec, &task, &status);
    OK(r->code == 0 && r->cpu_user_ns + r->cpu_system_ns >= 50 * TUTTI_NS_PER_MS,
       "with that of the children it waited for");
    tutti_task_unref(task);
}

static uint64_t peak_of(const char *megabytes)
{
    struct tutti__process_spec spec = spec_of(ARGV(SELF, "fill", megabytes));
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(r->code == 0, "a process with %s MiB", megabytes);
    uint64_t bytes = r->max_rss_bytes;
    tutti_task_unref(task);
    return bytes;
}

static void test_memory(void)
{
    char megabytes[16];
    (void)snprintf(megabytes, sizeof megabytes, "%zu", (size_t)own_peak() / mib + 32);
    uint64_t peak = peak_of(megabytes);
    OK(peak >= own_peak() + 32 * mib && peak < own_peak() + 32 * mib + 512 * mib,
       "its most memory is told (%llu)", (unsigned long long)peak);
    volatile char *ballast = malloc(128 * mib);
    for (size_t i = 0; i < 128 * mib; i += 4096) {
        ballast[i] = 1;
    }
    EQ_UINT(peak_of("1"), 0, "but not when the engine's own memory hides it");
    free((void *)ballast);
}

static void test_unknown(void)
{
    signal(SIGCHLD, SIG_IGN);
    struct tutti__process_spec spec = spec_of(ARGV(SELF, "burn"));
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(!r->status_known && r->cpu_user_ns == 0 && r->max_rss_bytes == 0,
       "a host that ignores SIGCHLD hears of none of it");
    tutti_task_unref(task);
    signal(SIGCHLD, SIG_DFL);
}

/* ---- hints ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/tutti-hint-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in_folder(name), "we");
    REQUIRE(file != NULL, "a file can be made");
    fputs(text, file);
    fclose(file);
    chmod(in_folder(name), mode);
}

/* A start must fail with `error` and a hint that has `want` in it (NULL: none at all). */
static void check_hint(struct tutti__process_spec spec, int error, const char *want)
{
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(r->start_errno == error, "%.40s fails with %d", spec.argv[0], r->start_errno);
    if (want == NULL) {
        OK(r->start_hint == NULL, "there is nothing to say about it");
    } else {
        OK(r->start_hint != NULL && strstr(r->start_hint, want) != NULL, "the hint \"%s\" has \"%s\"",
           r->start_hint == NULL ? "" : r->start_hint, want);
    }
    tutti_task_unref(task);
}

static void test_names(void)
{
    char path[160];
    (void)snprintf(path, sizeof path, "PATH=%s:/nowhere", folder);
    struct tutti__process_spec spec = spec_of(ARGV("compiel"));
    spec.envp = ARGV(path);
    check_hint(spec, ENOENT, "did you mean \"compile\"?");
    spec.argv = ARGV("cc");
    check_hint(spec, ENOENT, NULL);
    spec.argv = ARGV("a-quite-different-name-of-more-than-sixty-four-letters-which-nobody-compares");
    check_hint(spec, ENOENT, NULL);
    spec.argv = ARGV("./compil");
    spec.cwd = folder;
    check_hint(spec, ENOENT, "did you mean \"./compile\"?");
    spec.any_end = true;
    check_hint(spec, ENOENT, NULL);
}

static void test_files(void)
{
    check_hint(spec_of(ARGV(in_folder("data"))), EACCES, "chmod +x");
    check_hint(spec_of(ARGV(folder)), EACCES, "it is a folder");
    check_hint(spec_of(ARGV(in_folder("old"))), ENOENT, "\"/no/such/lua\", which is not there");
    check_hint(spec_of(ARGV(in_folder("dos"))), ENOENT, "carriage return");
    check_hint(spec_of(ARGV(in_folder("text"))), ENOEXEC, "#!/bin/sh");
    FILE *writer = fopen(in_folder("compile"), "ae");
    check_hint(spec_of(ARGV(in_folder("compile"))), ETXTBSY, "open for writing");
    fclose(writer);
}

static void test_sizes(void)
{
    static char word[200000];
    static const char *many[200];
    memset(word, 'x', sizeof word - 1);
    check_hint(spec_of(ARGV("/bin/true", word)), E2BIG, "one word or variable has 199999 bytes");
    for (size_t i = 0; i + 1 < sizeof many / sizeof *many; i++) {
        many[i] = i == 0 ? "/bin/true" : word + 100000;
    }
    check_hint(spec_of(many), E2BIG, "its words take 19");
}

/* A program that is closed while it is tried starts after all. */
static void test_busy(void)
{
    struct tutti__process_spec spec = spec_of(ARGV(in_folder("compile")));
    bool has_started = false;
    for (int i = 0; i < 20 && !has_started; i++) { /* on a busy machine the file may stay open too long */
        FILE *writer = fopen(in_folder("compile"), "ae");
        tutti_task *task = start(&spec);
        usleep(3000);
        fclose(writer);
        const struct tutti__process_result *r = NULL;
        (void)finish(task, &r);
        has_started = r != NULL && r->start_errno == 0 && r->code == 0;
        tutti_task_unref(task);
    }
    OK(has_started, "a program that was just written starts");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return child_main(argc, argv);
    }
    TAP_BEGIN();
    (void)tutti__cpu_count();
    engine_begin(TUTTI_LOOP_OWN_THREAD, NULL);
    tutti_engine_free(engine);
    size_t fds = fd_count();
    REQUIRE(mkdtemp(folder) != NULL, "a folder can be made");
    make_file("compile", "#!/bin/sh\nexit 0\n", 0755);
    make_file("compilers", "#!/bin/sh\n", 0755);
    make_file("data", "text", 0644);
    make_file("old", "#! /no/such/lua -x\n", 0755);
    make_file("dos", "#!/bin/sh\r\nexit 0\r\n", 0755);
    make_file("text", "exit 0\n", 0755);
    engine_begin(TUTTI_LOOP_OWN_THREAD, NULL);
    test_time();
    test_memory();
    test_unknown();
    test_names();
    test_files();
    test_sizes();
    test_busy();
    engine_end(fds);
    static const char *const names[] = { "compile", "compilers", "data", "old", "dos", "text" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(in_folder(names[i]));
    }
    rmdir(folder);
    return TAP_END();
}
