/* SPDX-License-Identifier: MIT */
/* test_api_exec.c - child processes through tutti.h: what a desc says, what an outcome tells. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/bridge.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;

static tutti_exec_desc desc_of(const char *const *argv)
{
    return (tutti_exec_desc){ .struct_size = sizeof(tutti_exec_desc), .argv = argv };
}

static tutti_exec_desc sh(const char *script)
{
    static const char *argv[4] = { "/bin/sh", "-c" };
    argv[2] = script; /* copied by tutti_exec, so one at a time is enough */
    return desc_of(argv);
}

/* Start, wait and read. Returns: the task, to be let go of by the caller. */
static tutti_task *run(const tutti_exec_desc *desc, int want, tutti_exec_outcome *out)
{
    tutti_task *task = NULL;
    *out = (tutti_exec_outcome){ .struct_size = sizeof *out };
    REQUIRE(tutti_exec(engine, desc, &task) == TUTTI_OK, "a process is a task");
    REQUIRE(tutti_task_wait(task, 60000000000u) == TUTTI_OK, "which ends");
    EQ_INT(tutti_exec_result(task, out), want, "with the status that was expected");
    return task;
}

static bool is_text(tutti_exec_output_bytes bytes, const char *want)
{
    return bytes.length == strlen(want) && memcmp(bytes.data, want, bytes.length) == 0;
}

static void test_plain(void)
{
    tutti_exec_outcome out;
    tutti_exec_desc desc = sh("cat; echo wrong >&2; exit 7");
    desc.stdin_data = "in and out";
    desc.stdin_bytes = 10;
    tutti_task *task = run(&desc, TUTTI_OK, &out);
    EQ_INT(out.code, 7, "an exit status is a result");
    EQ_INT(out.signal, 0, "no signal");
    OK(out.status_known && !out.leaked && out.start_errno == 0, "nothing else is said");
    OK(is_text(out.out, "in and out") && !out.out.truncated, "stdin goes in, stdout comes back");
    OK(is_text(out.err, "wrong\n"), "and so does stderr");
    OK(out.pid > 0 && out.elapsed_ns > 0, "pid and time are there");
    OK(out.cpu_user_ns + out.cpu_system_ns > 0, "and the CPU time");
    tutti_exec_outcome old = { .struct_size = offsetof(tutti_exec_outcome, cpu_user_ns),
                               .cpu_user_ns = 99 };
    EQ_INT(tutti_exec_result(task, &old), TUTTI_OK, "a host of the first header is understood");
    OK(old.code == 7 && old.cpu_user_ns == 99, "and gets what that had");
    tutti_task_unref(task);

    desc = sh("kill -KILL $$");
    task = run(&desc, TUTTI_OK, &out);
    EQ_INT(out.signal, SIGKILL, "the signal that ended it");
    EQ_INT(out.code, -1, "is not a code");
    tutti_task_unref(task);
}

static void test_environment(void)
{
    static const char *const edits[] = { "TUTTI_A=new",  "TUTTI_B",       "TUTTI_C=1", "TUTTI_C=two",
                                         "TUTTI_D=gone", "TUTTI_D",       "TUTTI_NOT_THERE",
                                         "TUTTI_E=a=b",  "TUTTI_EMPTY=",  NULL };
    static const char *const bad[] = { "=x", NULL };
    tutti_exec_outcome out;
    setenv("TUTTI_A", "old", 1);
    setenv("TUTTI_B", "removed", 1);
    setenv("TUTTI_KEPT", "kept", 1);
    tutti_exec_desc desc = sh("echo $TUTTI_A ${TUTTI_B-unset} $TUTTI_C ${TUTTI_D-unset} $TUTTI_E"
                              " ${TUTTI_EMPTY-unset}. $TUTTI_KEPT");
    desc.env = edits;
    tutti_task *task = run(&desc, TUTTI_OK, &out);
    OK(is_text(out.out, "new unset two unset a=b . kept\n"), "edits set and remove: %.*s",
       (int)out.out.length, out.out.data);
    tutti_task_unref(task);
    desc.env = bad;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "a name may not be empty");
}

static void test_files_and_folder(void)
{
    char path[] = "/tmp/tutti-exec-XXXXXX";
    tutti_exec_outcome out;
    int fd = mkstemp(path);
    REQUIRE(fd >= 0, "a file");
    close(fd);
    tutti_exec_desc desc = sh("echo first; pwd >&2");
    desc.cwd = "/";
    desc.out = (tutti_exec_output){ .kind = TUTTI_STDOUT_FILE, .path = path };
    tutti_task *task = run(&desc, TUTTI_OK, &out);
    OK(out.out.length == 0 && is_text(out.err, "/\n"), "stdout to a file, in another folder");
    tutti_task_unref(task);
    desc = sh("echo second");
    desc.out = (tutti_exec_output){ .kind = TUTTI_STDOUT_FILE, .append = true, .path = path };
    tutti_task_unref(run(&desc, TUTTI_OK, &out));
    desc = sh("cat; echo nobody hears >&2");
    desc.stdin_kind = TUTTI_STDIN_FILE;
    desc.stdin_path = path;
    desc.err.kind = TUTTI_STDOUT_NULL;
    desc.capture_bytes = 8;
    task = run(&desc, TUTTI_OK, &out);
    OK(is_text(out.out, "first\nse") && out.out.truncated, "a file to stdin; the rest is dropped");
    OK(out.err.length == 0, "null is nothing");
    tutti_task_unref(task);
    unlink(path);
}

static void test_failures(void)
{
    static const char *const missing[] = { "tutti-there-is-no-such-program", NULL };
    tutti_exec_outcome out;
    tutti_exec_desc desc = desc_of(missing);
    tutti_task *task = run(&desc, TUTTI_EIO, &out);
    EQ_INT(out.start_errno, ENOENT, "no such program");
    EQ_STR(out.start_what, "program", "says what");
    EQ_INT(out.code, -1, "and has no code");
    tutti_task_unref(task);
    desc = sh("sleep 100");
    desc.timeout_ns = 20000000;
    task = run(&desc, TUTTI_ETIMEDOUT, &out);
    EQ_INT(out.signal, SIGTERM, "after its time it is told to end");
    tutti_task_unref(task);
    desc = sh("trap '' TERM; while :; do sleep 0.05; done");
    desc.timeout_ns = 100000000;
    desc.grace_ns = 50000000;
    do { /* on a busy machine the shell may take longer to come to its trap */
        task = run(&desc, TUTTI_ETIMEDOUT, &out);
        tutti_task_unref(task);
        desc.timeout_ns *= 2;
    } while (out.signal == SIGTERM && desc.timeout_ns < 30000000000u);
    EQ_INT(out.signal, SIGKILL, "and killed after the grace");
}

static void test_cancel(void)
{
    tutti_exec_outcome out = { .struct_size = sizeof out };
    tutti_task *task = NULL;
    tutti_exec_desc desc = sh("sleep 100");
    REQUIRE(tutti_exec(engine, &desc, &task) == TUTTI_OK, "a process");
    EQ_INT(tutti_exec_result(task, &out), TUTTI_EPENDING, "no result yet");
    EQ_INT(tutti_task_cancel(task), TUTTI_EPENDING, "it has started");
    EQ_INT(tutti_task_wait(task, 60000000000u), TUTTI_OK, "it ends");
    EQ_INT(tutti_exec_result(task, &out), TUTTI_ECANCELED, "as cancelled");
    tutti_task_unref(task);
}

static int give_seven(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 7 };
    return TUTTI_OK;
}

static void test_refused(void)
{
    static const char *const none[] = { NULL };
    tutti_exec_outcome out = { .struct_size = sizeof out, .code = 99 };
    tutti_task_desc body = { .struct_size = sizeof body, .fn = give_seven };
    tutti_task *task = NULL;
    tutti_exec_desc desc = desc_of(none);
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "a program must be named");
    desc = sh("true");
    desc.flags = 1;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "flags are not used");
    desc = sh("true");
    desc.struct_size = sizeof desc + 8;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "a desc of the future");
    desc = sh("true");
    desc.out.kind = TUTTI_STDOUT_FILE;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "a file needs a path");
    desc.out.kind = TUTTI_STDOUT_FILE + 1;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "an unknown kind of output");
    desc = sh("true");
    desc.stdin_kind = TUTTI_STDIN_INHERIT + 1;
    EQ_INT(tutti_exec(engine, &desc, &task), TUTTI_EINVAL, "an unknown kind of input");
    EQ_INT(tutti_exec(NULL, &desc, &task), TUTTI_EINVAL, "no engine");
    EQ_INT(tutti_exec(engine, NULL, &task), TUTTI_EINVAL, "no desc");
    EQ_INT(tutti_exec(engine, &desc, NULL), TUTTI_EINVAL, "nowhere to put the task");
    REQUIRE(tutti_submit(engine, &body, NULL, 0, &task) == TUTTI_OK, "another task");
    tutti_task_wait(task, TUTTI_FOREVER);
    EQ_INT(tutti_exec_result(task, &out), TUTTI_EINVAL, "is no process");
    EQ_INT(out.code, 99, "nothing is written then");
    EQ_INT(tutti_exec_result(NULL, &out), TUTTI_EINVAL, "no task");
    out.struct_size = 1;
    EQ_INT(tutti_exec_result(task, &out), TUTTI_EINVAL, "an outcome of unknown size");
    tutti_task_unref(task);
}

/* As tutti.exec of Lua starts them. */
static void test_of_the_lua_layer(void)
{
    static const char *const argv[] = { "/bin/sh", "-c", "exit 3", NULL };
    struct tutti__process_spec spec = { .argv = argv, .timeout_ns = TUTTI_FOREVER, .grace_ns = 1 };
    tutti_exec_outcome out = { .struct_size = sizeof out };
    tutti_task *task = NULL;
    REQUIRE(tutti__bridge_process(engine, &spec, &task) == TUTTI_OK, "a process of the Lua layer");
    EQ_INT(tutti_task_wait(task, 60000000000u), TUTTI_OK, "ends");
    EQ_INT(tutti_exec_result(task, &out), TUTTI_OK, "and is read in the same way");
    EQ_INT(out.code, 3, "with its code");
    tutti_task_unref(task);
}

static void test_all(uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    test_plain();
    test_environment();
    test_files_and_folder();
    test_failures();
    test_cancel();
    test_refused();
    test_of_the_lua_layer();
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

int main(void)
{
    TAP_BEGIN();
    test_all(TUTTI_LOOP_OWN_THREAD);
    test_all(TUTTI_LOOP_CALLER);
    return TAP_END();
}
