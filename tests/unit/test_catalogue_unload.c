/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_unload.c - libtutti.so opened and closed by a host at run time.
 *
 * Reproduces: TBB #353, taskflow #727, reliability.md 9 row 54: the library goes away while something
 * of it is still to run: a worker on its last instructions, what a thread that submitted has to do when
 * it ends, an exit handler. Each case is a process of its own; this program uses nothing of libtutti.a.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/tap.h"
#include "tutti.h"

enum { STATUS = 42, HANG_S = 60 };

/* What the cases use of it. */
static struct {
    void *handle;
    int (*engine_new)(tutti_engine **out, const tutti_config *cfg);
    int (*engine_free)(tutti_engine *e);
    int (*submit)(tutti_engine *e, const tutti_task_desc *desc, tutti_task *const *after, size_t count,
                  tutti_task **out);
    int (*wait_idle)(tutti_engine *e);
} lib;

static void must(bool is_true, int status)
{
    if (!is_true) {
        _exit(status);
    }
}

static void *find(const char *name)
{
    void *symbol = dlsym(lib.handle, name);
    must(symbol != NULL, 3);
    return symbol;
}

static void lib_open(void)
{
    const char *build = getenv("TUTTI_BUILD_DIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/libtutti.so", build != NULL ? build : ".");
    lib.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (lib.handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(2);
    }
    *(void **)&lib.engine_new = find("tutti_engine_new");
    *(void **)&lib.engine_free = find("tutti_engine_free");
    *(void **)&lib.submit = find("tutti_submit");
    *(void **)&lib.wait_idle = find("tutti_wait_idle");
}

static void lib_close(void)
{
    must(dlclose(lib.handle) == 0, 4);
}

static atomic_int ran;

static int body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_fetch_add(&ran, 1);
    return TUTTI_OK;
}

static void use(tutti_engine *e, int count)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count };
    for (int i = 0; i < count; i++) {
        must(lib.submit(e, &desc, NULL, 0, NULL) == TUTTI_OK, 5);
    }
}

/* ---- cases ------------------------------------------------------------------------------------ */

static void over_and_over(void)
{
    for (int i = 0; i < 50; i++) {
        lib_open();
        tutti_engine *e = NULL;
        must(lib.engine_new(&e, NULL) == TUTTI_OK, 6);
        use(e, 100);
        must(lib.wait_idle(e) == TUTTI_OK, 7);
        must(lib.engine_free(e) == TUTTI_OK, 8);
        lib_close();
    }
    must(atomic_load(&ran) == 5000, 9);
}

struct visitor {
    tutti_engine *e;
    sem_t used;
    sem_t closed;
};

static void *visit(void *arg)
{
    struct visitor *v = arg;
    use(v->e, 10);
    sem_post(&v->used);
    while (sem_wait(&v->closed) != 0) {
    }
    return NULL; /* what the library has to do for a thread that ends comes now */
}

static void thread_ends_after_the_close(void)
{
    for (int i = 0; i < 20; i++) {
        lib_open();
        struct visitor v = { .e = NULL };
        sem_init(&v.used, 0, 0);
        sem_init(&v.closed, 0, 0);
        must(lib.engine_new(&v.e, NULL) == TUTTI_OK, 6);
        pthread_t thread;
        pthread_create(&thread, NULL, visit, &v);
        while (sem_wait(&v.used) != 0) {
        }
        must(lib.engine_free(v.e) == TUTTI_OK, 8);
        lib_close();
        sem_post(&v.closed);
        pthread_join(thread, NULL);
    }
}

static void *make_and_close(void *arg)
{
    (void)arg;
    lib_open();
    tutti_engine *e = NULL;
    must(lib.engine_new(&e, NULL) == TUTTI_OK, 6);
    use(e, 10);
    must(lib.engine_free(e) == TUTTI_OK, 8);
    lib_close();
    return NULL;
}

static void creators_thread_closes_and_ends(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, make_and_close, NULL);
        pthread_join(thread, NULL);
    }
}

/* A host's mistake that must not turn into a crash in code that is not there any more. */
static void closes_under_an_engine(void)
{
    lib_open();
    tutti_engine *e = NULL;
    must(lib.engine_new(&e, NULL) == TUTTI_OK, 6);
    use(e, 1000);
    lib_close();
    usleep(20000);
}

static void run_case(const char *name, void (*body)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(HANG_S);
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
        body();
        exit(STATUS);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    OK(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "%s: status %d, signal %d", name,
       WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void)
{
    TAP_BEGIN();
    run_case("opened and closed over and over", over_and_over);
    run_case("a thread that has submitted ends after the close", thread_ends_after_the_close);
    run_case("the creator's thread closes and ends", creators_thread_closes_and_ends);
    run_case("closed under a living engine", closes_under_an_engine);
    return TAP_END();
}
