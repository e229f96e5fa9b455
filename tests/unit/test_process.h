/* SPDX-License-Identifier: MIT */
/* test_process.h - what the process tests share: an engine, specs, the program as its own child. */
#ifndef TUTTI_TESTS_UNIT_TEST_PROCESS_H
#define TUTTI_TESTS_UNIT_TEST_PROCESS_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/bridge.h"
#include "api/engine.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

#define SELF "/proc/self/exe"

TAP__UNUSED static tutti_engine *engine;

/* A spec that captures both streams; `argv` as a NULL-terminated list. */
TAP__UNUSED static struct tutti__process_spec spec_of(const char *const *argv)
{
    return (struct tutti__process_spec){
        .argv = argv,
        .capture_bytes = 1024 * 1024,
        .timeout_ns = TUTTI_FOREVER,
        .grace_ns = 5 * TUTTI_NS_PER_S,
    };
}

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

TAP__UNUSED static tutti_task *start(const struct tutti__process_spec *spec)
{
    tutti_task *task = NULL;
    int rc = tutti__bridge_process(engine, spec, &task);
    if (rc != TUTTI_OK) {
        FAIL("start of %s: %s", spec->argv[0], tutti_status_text(rc));
        exit(1);
    }
    return task;
}

/* Wait for the end. Returns the status; *result is valid until the task is dropped. */
TAP__UNUSED static int finish(tutti_task *task, const struct tutti__process_result **result)
{
    const tutti_value *value = NULL;
    int rc;
    do {
        rc = tutti_task_wait(task, 30 * TUTTI_NS_PER_S);
    } while (rc == TUTTI_ENOMEM); /* a test makes it run out */
    if (rc != TUTTI_OK) {
        FAIL("the process did not end: %s", tutti_status_text(rc));
        exit(1);
    }
    int status = tutti_task_result(task, &value);
    *result = NULL;
    if (value != NULL && value->kind == TUTTI_OPAQUE && value->tag == TUTTI__TAG_PROCESS) {
        *result = value->as.pointer;
    }
    return status;
}

/* Start, wait. Memory: *task is owned. Returns: the result; stops the test when there is none. */
TAP__UNUSED static const struct tutti__process_result *
run(const struct tutti__process_spec *spec, tutti_task **task, int *status)
{
    const struct tutti__process_result *result = NULL;
    *task = start(spec);
    *status = finish(*task, &result);
    if (result == NULL) {
        FAIL("%s has no result", spec->argv[0]);
        exit(1);
    }
    return result;
}

TAP__UNUSED static bool output_is(const struct tutti__process_result *r, int which,
                                  const char *want)
{
    size_t length = strlen(want);
    bool same = r->out[which].length == length && memcmp(r->out[which].data, want, length) == 0;
    if (!same) {
        NOTE("got \"%.*s\"", (int)r->out[which].length, r->out[which].data);
    }
    return same;
}

/* Descriptors that this process has open now. */
TAP__UNUSED static size_t fd_count(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    closedir(dir);
    return count - 1; /* the folder's own */
}

/* Processes of this group that live: neither gone nor zombies. */
TAP__UNUSED static size_t group_size(int64_t group)
{
    size_t count = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[300];
        char stat[512] = "";
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (file == NULL) {
            continue;
        }
        char state = 0;
        int parent = 0;
        int found = 0;
        if (fgets(stat, sizeof stat, file) != NULL && strrchr(stat, ')') != NULL &&
            sscanf(strrchr(stat, ')') + 1, " %c %d %d", &state, &parent, &found) == 3) {
            count += found == group && state != 'Z' && state != 'X' ? 1 : 0;
        }
        fclose(file);
    }
    closedir(dir);
    return count;
}

/* A killed process takes a moment to go: wait for the group to be empty, at most thirty seconds. */
TAP__UNUSED static bool group_ends(int64_t group)
{
    for (int i = 0; i < 3000; i++) {
        if (group_size(group) == 0) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

/* Make the engine; end the test when that fails. */
TAP__UNUSED static void engine_begin(uint32_t loop, const struct tutti__env *env)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop };
    REQUIRE(tutti__engine_new(&engine, &config, env) == TUTTI_OK, "an engine is made");
}

/* Free the engine and see that nothing is left. */
TAP__UNUSED static void engine_end(size_t fds_before)
{
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "the engine is freed");
    EQ_UINT(fd_count(), fds_before, "no descriptor is left open");
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1, "no child and no zombie is left");
}

#endif
