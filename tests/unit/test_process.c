/* SPDX-License-Identifier: MIT */
/* test_process.c - processes that end by themselves: what they get and what is told about them. */
#include "test_process.h"

#include <sys/stat.h>

/* ---- this program as the child --------------------------------------------------------------- */

static int child_args(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
    }
    return 0;
}

static int child_fds(void)
{
    char list[256] = "";
    DIR *dir = opendir("/proc/self/fd");
    int own = dirfd(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.' && atoi(e->d_name) != own) {
            strcat(list, e->d_name);
            strcat(list, " ");
        }
    }
    closedir(dir);
    fputs(list, stdout);
    return 0;
}

static int child_signals(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long long mask = 0;
        if (sscanf(line, "SigBlk: %llx", &mask) == 1 || sscanf(line, "SigIgn: %llx", &mask) == 1) {
            printf("%llx ", mask & ~0x180000000ULL); /* but 32, 33: libc's own, set by its spawn */
        }
    }
    fclose(file);
    return 0;
}

static int child_main(int argc, char **argv)
{
    if (strcmp(argv[1], "args") == 0) {
        return child_args(argc, argv);
    }
    if (strcmp(argv[1], "fds") == 0) {
        return child_fds();
    }
    if (strcmp(argv[1], "signals") == 0) {
        return child_signals();
    }
    if (strcmp(argv[1], "env") == 0) {
        for (char **e = environ; *e != NULL; e++) {
            printf("%s\n", *e);
        }
        return 0;
    }
    if (strcmp(argv[1], "group") == 0) {
        printf("%d", (int)getpgrp());
        return 0;
    }
    return 99;
}

/* ---- arguments, environment, folder ---------------------------------------------------------- */

static void test_arguments(void)
{
    static char big[100000];
    memset(big, 'x', sizeof big - 1);
    const char *argv[] = { SELF, "args",     "",      " ",        "a b",        "$HOME",  "`id`",
                           ";",  "-n",       "\n\t",  "\"'\\",    "\xff\xfe\x80", "*",    "--",
                           "|",  "caf\xc3\xa9", "$(id)", big,     NULL };
    struct tutti__process_spec spec = spec_of(argv);
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    static char want[110000];
    size_t length = 0;
    for (size_t i = 2; argv[i] != NULL; i++) {
        size_t n = strlen(argv[i]) + 1;
        memcpy(want + length, argv[i], n);
        length += n;
    }
    OK(status == TUTTI_OK && r->out[0].length == length &&
           memcmp(r->out[0].data, want, length) == 0,
       "odd arguments arrive byte for byte");
    tutti_task_unref(task);
}

static void test_environment(void)
{
    struct tutti__process_spec spec = spec_of(ARGV(SELF, "env"));
    tutti_task *task = NULL;
    int status = 0;
    spec.envp = ARGV("A=1", "B=x y", "ASAN_OPTIONS=detect_leaks=0");
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(output_is(r, 0, "A=1\nB=x y\nASAN_OPTIONS=detect_leaks=0\n"),
       "a given environment is the whole environment");
    tutti_task_unref(task);
    spec = spec_of(ARGV("true"));
    spec.envp = ARGV("PATH=/nowhere:/bin");
    r = run(&spec, &task, &status);
    EQ_INT(r->code, 0, "a program is searched in the PATH of the child");
    tutti_task_unref(task);
    spec.envp = ARGV("PATH=/nowhere");
    r = run(&spec, &task, &status);
    OK(status == TUTTI_EIO && r->start_errno == ENOENT, "and nowhere else");
    tutti_task_unref(task);
}

static void test_folder(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("/bin/pwd"));
    tutti_task *task = NULL;
    int status = 0;
    spec.cwd = "/usr";
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(output_is(r, 0, "/usr\n"), "it runs in the folder it was given");
    tutti_task_unref(task);
    spec = spec_of(ARGV("bin/true"));
    spec.cwd = "/usr";
    r = run(&spec, &task, &status);
    EQ_INT(r->code, 0, "a relative program is meant from there");
    tutti_task_unref(task);
}

static void check_refusal(struct tutti__process_spec spec, int want_errno, const char *want_what,
                          const char *text)
{
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    EQ_INT(status, TUTTI_EIO, text);
    EQ_INT(r->start_errno, want_errno, text);
    EQ_STR(r->start_what, want_what, text);
    tutti_task_unref(task);
}

static void test_refusals(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("no-such-program-anywhere"));
    check_refusal(spec, ENOENT, "program", "a program that is nowhere");
    check_refusal(spec_of(ARGV("/no/such")), ENOENT, "program", "a path that is not there");
    check_refusal(spec_of(ARGV("/etc/passwd")), EACCES, "program", "a file that is no program");
    check_refusal(spec_of(ARGV("/")), EACCES, "program", "a folder");
    check_refusal(spec_of(ARGV("")), ENOENT, "program", "an empty name");
    spec = spec_of(ARGV("true"));
    spec.cwd = "/no/such";
    check_refusal(spec, ENOENT, "cwd", "a folder that is not there");
    spec = spec_of(ARGV("true"));
    spec.stdin_kind = TUTTI__STDIN_FILE;
    spec.stdin_path = "/no/such";
    check_refusal(spec, ENOENT, "stdin", "an input file that is not there");
    spec = spec_of(ARGV("true"));
    spec.out[1] = (struct tutti__process_out){ .kind = TUTTI__STDOUT_FILE, .path = "/no/such" };
    check_refusal(spec, ENOENT, "stderr", "an output file that cannot be made");
    tutti_task *task = NULL;
    spec = spec_of((const char *const[]){ NULL });
    EQ_INT(tutti__bridge_process(engine, &spec, &task), TUTTI_EINVAL, "no program is misuse");
}

/* ---- how it ends ----------------------------------------------------------------------------- */

static void test_status(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo out; echo err >&2; exit 7"));
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    EQ_INT(status, TUTTI_OK, "a process that ran is a success, whatever its status");
    OK(r->status_known && r->code == 7 && r->signal == 0, "the exit status is told");
    OK(output_is(r, 0, "out\n") && output_is(r, 1, "err\n"), "the streams are kept apart");
    OK(r->pid > 0 && r->elapsed_ns > 0 && !r->leaked && !r->timed_out, "so is the rest");
    tutti_task_unref(task);
    spec = spec_of(ARGV("sh", "-c", "kill -9 $$"));
    r = run(&spec, &task, &status);
    OK(r->status_known && r->code == -1 && r->signal == SIGKILL, "so is a signal that ended it");
    tutti_task_unref(task);
}

static void test_leak(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo here; sleep 61 & exit 0"));
    tutti_task *task = NULL;
    int status = 0;
    uint64_t begin_ns = tutti__bridge_now_ns(engine);
    const struct tutti__process_result *r = run(&spec, &task, &status);
    uint64_t took_ns = tutti__bridge_now_ns(engine) - begin_ns;
    OK(status == TUTTI_OK && r->leaked && r->code == 0 && output_is(r, 0, "here\n"),
       "what a grandchild holds open is given up and told");
    OK(took_ns >= 200 * TUTTI_NS_PER_MS && took_ns < 60 * TUTTI_NS_PER_S, "after 200 ms, not 61 s");
    EQ_UINT(group_size(r->pid), 1, "the grandchild lives on");
    kill(-(pid_t)r->pid, SIGKILL); /* by now the only member */
    tutti_task_unref(task);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void test_big_output(void)
{
    struct tutti__process_spec spec =
        spec_of(ARGV("sh", "-c", "head -c 8000000 /dev/zero | tr '\\0' a; printf THE-END"));
    tutti_task *task = NULL;
    int status = 0;
    spec.capture_bytes = 100000;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(r->code == 0 && r->out[0].length == 100000 && r->out[0].truncated,
       "of 8 MB the first 100,000 bytes are kept, and it is told");
    OK(r->out[0].tail_length == 16384 && memcmp(r->out[0].tail + 16384 - 7, "THE-END", 7) == 0 &&
           r->out[0].tail[0] == 'a',
       "and the last 16 KiB");
    OK(!r->out[1].truncated && r->out[1].length == 0, "the other stream is empty");
    tutti_task_unref(task);
}

static void test_echo(void)
{
    enum { BYTES = 1024 * 1024 };
    static char data[BYTES];
    uint64_t state = tap_seed();
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (char)tap_random(&state);
    }
    struct tutti__process_spec spec = spec_of(ARGV("cat"));
    spec.stdin_data = data;
    static const size_t lengths[] = { 0, 1, 65536, 65537, BYTES };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        tutti_task *task = NULL;
        int status = 0;
        spec.stdin_length = lengths[i];
        const struct tutti__process_result *r = run(&spec, &task, &status);
        OK(r->code == 0 && r->out[0].length == lengths[i] && !r->out[0].truncated &&
               memcmp(r->out[0].data, data, lengths[i]) == 0,
           "%d bytes go through cat unchanged", (int)lengths[i]);
        tutti_task_unref(task);
    }
}

static void test_unread_input(void)
{
    static char data[200000];
    struct tutti__process_spec spec = spec_of(ARGV("/bin/true"));
    spec.stdin_data = data;
    spec.stdin_length = sizeof data; /* more than a pipe holds */
    unsigned long rounds = tap_rounds(1000);
    unsigned long good = 0;
    for (unsigned long i = 0; i < rounds; i++) {
        tutti_task *task = NULL;
        int status = 0;
        const struct tutti__process_result *r = run(&spec, &task, &status);
        good += status == TUTTI_OK && r->code == 0 && !r->leaked ? 1 : 0;
        tutti_task_unref(task);
    }
    EQ_UINT(good, rounds, "a child that does not read its input is no error, and no SIGPIPE");
}

static char streamed[100000];
static size_t streamed_length;
static int stream_ends;
static bool stream_on_loop = true;

static bool on_chunk(void *user, const char *data, size_t length)
{
    OK(user == streamed, "the chunk function gets its user data");
    stream_on_loop = stream_on_loop && tutti__bridge_here(engine) == tutti__bridge_loop(engine);
    if (length == 0) {
        stream_ends++;
    } else if (streamed_length + length <= sizeof streamed) {
        memcpy(streamed + streamed_length, data, length);
        streamed_length += length;
    }
    return true;
}

/* ---- a stream that is held ------------------------------------------------------------------- */

static _Atomic size_t held_length; /* relaxed would do: read after waits only */
static _Atomic int held_pieces;

static bool on_held_chunk(void *user, const char *data, size_t length)
{
    (void)user, (void)data;
    held_length += length;
    held_pieces += length > 0 ? 1 : 0;
    return false;
}

static void test_held_stream(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("head", "-c", "1000000", "/dev/zero"));
    const struct tutti__process_result *r = NULL;
    spec.out[0] = (struct tutti__process_out){ .kind = TUTTI__STDOUT_STREAM, .chunk = on_held_chunk };
    held_length = 0;
    held_pieces = 0;
    tutti_task *task = start(&spec);
    tutti_task_wait(task, 100 * TUTTI_NS_PER_MS);
    OK(!tutti_task_is_done(task) && held_pieces <= 1, "a process waits for who wants no more of it");
    for (int i = 0; i < 3000 && !tutti_task_is_done(task); i++) {
        (void)tutti__bridge_process_resume(engine, task);
        tutti_task_wait(task, 10 * TUTTI_NS_PER_MS);
    }
    EQ_INT(finish(task, &r), TUTTI_OK, "and ends when it may go on");
    OK(held_length == 1000000 && !r->leaked, "nothing is lost (%d pieces)", held_pieces);
    tutti_task_unref(task);
    task = start(&spec);
    tutti_task_wait(task, 50 * TUTTI_NS_PER_MS);
    tutti_task_cancel(task);
    EQ_INT(finish(task, &r), TUTTI_ECANCELED, "one that waits can be stopped");
    tutti_task_unref(task);
}

static void test_stream(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo a; sleep 0.05; echo b"));
    tutti_task *task = NULL;
    int status = 0;
    spec.out[0] = (struct tutti__process_out){
        .kind = TUTTI__STDOUT_STREAM,
        .chunk = on_chunk,
        .user = streamed,
    };
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(streamed_length == 4 && memcmp(streamed, "a\nb\n", 4) == 0, "the pieces are handed over");
    EQ_INT(stream_ends, 1, "then the end, once");
    OK(stream_on_loop, "on the loop thread");
    OK(r->out[0].length == 0 && !r->out[0].truncated && r->out[0].tail_length == 4,
       "only the tail is kept");
    tutti_task_unref(task);
}

static void check_file(const char *path, const char *want, const char *text)
{
    char got[256] = "";
    FILE *file = fopen(path, "re");
    size_t n = file != NULL ? fread(got, 1, sizeof got - 1, file) : 0;
    got[n] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    EQ_STR(got, want, text);
}

static void run_to_file(const char *script, struct tutti__process_out out,
                        struct tutti__process_out err, const char *stdin_path)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", script));
    tutti_task *task = NULL;
    int status = 0;
    spec.out[0] = out;
    spec.out[1] = err;
    if (stdin_path != NULL) {
        spec.stdin_kind = TUTTI__STDIN_FILE;
        spec.stdin_path = stdin_path;
    }
    const struct tutti__process_result *r = run(&spec, &task, &status);
    EQ_INT(r->code, 0, script);
    tutti_task_unref(task);
}

static void test_files(void)
{
    char folder[] = "/tmp/tutti-test-XXXXXX";
    char a[64];
    char b[64];
    REQUIRE(mkdtemp(folder) != NULL, "a folder for files");
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    struct tutti__process_out to_a = { .kind = TUTTI__STDOUT_FILE, .path = a };
    struct tutti__process_out add_a = { .kind = TUTTI__STDOUT_FILE, .path = a, .append = true };
    struct tutti__process_out to_b = { .kind = TUTTI__STDOUT_FILE, .path = b };
    struct tutti__process_out null = { .kind = TUTTI__STDOUT_NULL };
    run_to_file("echo one; echo no >&2", to_a, null, NULL);
    check_file(a, "one\n", "output goes to a file");
    run_to_file("echo two", add_a, null, NULL);
    check_file(a, "one\ntwo\n", "append adds");
    run_to_file("cat", to_b, null, a);
    check_file(b, "one\ntwo\n", "input comes from a file");
    run_to_file("echo x", to_b, null, NULL);
    check_file(b, "x\n", "without append the file is emptied");
    run_to_file("echo 1; echo 2 >&2; echo 3; echo 4 >&2", to_a, to_a, NULL);
    check_file(a, "1\n2\n3\n4\n", "both streams share one file without writing over each other");
    struct tutti__process_spec spec = spec_of(ARGV("no-such-program-anywhere"));
    tutti_task *task = NULL;
    int status = 0;
    spec.out[0] = to_a;
    (void)run(&spec, &task, &status);
    check_file(a, "1\n2\n3\n4\n", "a command that is not found empties no file");
    tutti_task_unref(task);
    unlink(a);
    unlink(b);
    rmdir(folder);
}

/* ---- what the child inherits ----------------------------------------------------------------- */

static void test_inheritance(void)
{
    struct tutti__process_spec spec = spec_of(ARGV(SELF, "fds"));
    tutti_task *task = NULL;
    int status = 0;
    int leaky = dup(0); /* not close-on-exec */
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(output_is(r, 0, "0 1 2 "), "the child has descriptors 0, 1 and 2");
    tutti_task_unref(task);
    close(leaky);

    sigset_t usr1;
    sigset_t old;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &old);
    signal(SIGPIPE, SIG_IGN);
    spec = spec_of(ARGV(SELF, "signals"));
    r = run(&spec, &task, &status);
    OK(output_is(r, 0, "0 0 "), "no signal is blocked or ignored in it");
    tutti_task_unref(task);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    spec = spec_of(ARGV(SELF, "group"));
    r = run(&spec, &task, &status);
    char group[32];
    snprintf(group, sizeof group, "%d", (int)r->pid);
    OK(output_is(r, 0, group), "it leads its own group");
    tutti_task_unref(task);
    spec.stdin_kind = TUTTI__STDIN_INHERIT;
    r = run(&spec, &task, &status);
    snprintf(group, sizeof group, "%d", (int)getpgrp());
    OK(output_is(r, 0, group), "with the terminal as input it stays in the terminal's group");
    tutti_task_unref(task);
}

static void test_host(void)
{
    struct sigaction action;
    sigaction(SIGCHLD, NULL, &action);
    EQ_PTR(action.sa_handler, SIG_DFL, "no SIGCHLD handler was installed");
    signal(SIGCHLD, SIG_IGN);
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo fine; exit 3"));
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(status == TUTTI_OK && !r->status_known && r->code == -1 && output_is(r, 0, "fine\n"),
       "in a host that ignores SIGCHLD the status is unknown, the rest works");
    tutti_task_unref(task);
    signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return child_main(argc, argv);
    }
    TAP_BEGIN();
    (void)tutti__cpu_count();
    engine_begin(TUTTI_LOOP_OWN_THREAD, NULL); /* the first one makes what libuv keeps for ever */
    tutti_engine_free(engine);
    size_t fds = fd_count();
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        engine_begin(loop, NULL);
        test_arguments();
        test_environment();
        test_folder();
        test_refusals();
        test_status();
        test_leak();
        test_big_output();
        test_echo();
        test_unread_input();
        streamed_length = 0;
        stream_ends = 0;
        test_stream();
        test_held_stream();
        test_files();
        test_inheritance();
        test_host();
        engine_end(fds);
    }
    return TAP_END();
}
