/* SPDX-License-Identifier: MIT */
/*
 * worker.c - see worker.h.
 *
 * Layer: lua. Thread: each state is made, used and closed by its worker alone.
 * Locks: shared.mu, a leaf lock around the module paths.
 */
#include "lua/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "lua/circle.h"
#include "lua/coroutine.h"
#include "lua/door.h"
#include "lua/interrupt.h"
#include "lua/module.h"
#include "lua/proxy.h"
#include "lua/shell.h"
#include "lua/signal.h"
#include "lua/trace.h"
#include "tutti_lua.h"

struct tutti__shared {
    pthread_mutex_t mu;
    char *path;  /* [mu] package.path of the loop state */
    char *cpath; /* [mu] */
    struct tutti__circles circles;
    struct tutti__trace *trace; /* [const] */
    bool is_program;         /* [const once a script runs] */
    struct tutti__signals *signals; /* [const] */
    struct tutti__lua *loop; /* [loop] the loop state's half; NULL once that state has ended */
};

/* ---- shared by the states of an engine ---------------------------------------------------- */

static void free_shared(void *slot)
{
    struct tutti__shared *shared = (struct tutti__shared *)slot;
    pthread_mutex_destroy(&shared->mu);
    tutti__signals_free(shared->signals);
    tutti__trace_free(shared->trace);
    pthread_mutex_destroy(&shared->circles.mu);
    free(shared->path);
    free(shared->cpath);
    free(shared);
}

struct tutti__shared *tutti__shared_of(tutti_engine *engine)
{
    struct tutti__shared *shared = (struct tutti__shared *)tutti__bridge_lua(engine);
    if (shared != NULL)
        return shared;
    shared = (struct tutti__shared *)calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->signals = tutti__signals_new(engine);
    shared->trace = tutti__trace_new();
    if (shared->signals == NULL || shared->trace == NULL) {
        tutti__signals_free(shared->signals);
        tutti__trace_free(shared->trace);
        free(shared);
        return NULL;
    }
    pthread_mutex_init(&shared->mu, NULL);
    pthread_mutex_init(&shared->circles.mu, NULL);
    /* The loop state is made before any worker can ask, so this is done once, on one thread. */
    tutti__bridge_set_lua(engine, shared, free_shared);
    return shared;
}

struct tutti__trace *tutti__shared_trace(tutti_engine *engine)
{
    struct tutti__shared *shared = tutti__shared_of(engine);
    return shared == NULL ? NULL : shared->trace;
}

struct tutti__circles *tutti__shared_circles(tutti_engine *engine)
{
    struct tutti__shared *shared = (struct tutti__shared *)tutti__bridge_lua(engine);
    return shared == NULL ? NULL : &shared->circles;
}

static char *copy_field(lua_State *L, const char *name)
{
    lua_getglobal(L, "package");
    char *copy = NULL;
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, name);
        const char *text = lua_tostring(L, -1);
        copy = text == NULL ? NULL : strdup(text);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return copy;
}

static void replace(char **place, char *text)
{
    free(*place);
    *place = text;
}

void tutti__shared_note_paths(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__shared *shared = tutti__shared_of(lua->engine);
    if (shared == NULL || lua->is_worker)
        return;
    shared->loop = lua;
    char *path = copy_field(L, "path");
    char *cpath = copy_field(L, "cpath");
    pthread_mutex_lock(&shared->mu);
    replace(&shared->path, path);
    replace(&shared->cpath, cpath);
    pthread_mutex_unlock(&shared->mu);
}

static void set_paths(lua_State *L, struct tutti__shared *shared)
{
    pthread_mutex_lock(&shared->mu);
    char *path = shared->path == NULL ? NULL : strdup(shared->path);
    char *cpath = shared->cpath == NULL ? NULL : strdup(shared->cpath);
    pthread_mutex_unlock(&shared->mu);
    lua_getglobal(L, "package");
    if (path != NULL) {
        lua_pushstring(L, path); /* may raise: then two short strings are lost with the state */
        lua_setfield(L, -2, "path");
    }
    if (cpath != NULL) {
        lua_pushstring(L, cpath);
        lua_setfield(L, -2, "cpath");
    }
    lua_pop(L, 1);
    free(path);
    free(cpath);
}

void tutti__shared_set_program(tutti_engine *engine)
{
    struct tutti__shared *shared = tutti__shared_of(engine);
    if (shared != NULL)
        shared->is_program = true;
}

bool tutti__shared_is_program(tutti_engine *engine)
{
    const struct tutti__shared *shared = (const struct tutti__shared *)tutti__bridge_lua(engine);
    return shared != NULL && shared->is_program;
}

struct tutti__signals *tutti__shared_signals(tutti_engine *engine)
{
    const struct tutti__shared *shared = (const struct tutti__shared *)tutti__bridge_lua(engine);
    return shared == NULL ? NULL : shared->signals;
}

void tutti__shared_forget(struct tutti__lua *lua)
{
    struct tutti__shared *shared = (struct tutti__shared *)tutti__bridge_lua(lua->engine);
    if (shared != NULL && shared->loop == lua)
        shared->loop = NULL;
}

/* ---- tasks given to the root -------------------------------------------------------------- */

/* A task on its way to the loop state. */
struct gift {
    struct tutti__post post;
    struct tutti__shared *shared;
    tutti_task *task; /* a reference */
    char name[];
};

static int take_gift(lua_State *L)
{
    struct gift *gift = (struct gift *)lua_touserdata(L, 1);
    struct tutti__lua *lua = gift->shared->loop;
    struct tutti__record *record = tutti__proxy_push(L, lua, gift->task);
    if (record->parent != NULL || record->kind != RECORD_REMOTE)
        return 0;
    lua_pushstring(L, gift->name);
    tutti__record_set_name(L, -2);
    tutti__proxy_arm(L, record, -1);
    tutti__record_adopt(lua->root, record);
    return 0;
}

static void on_gift(struct tutti__post *post)
{
    struct gift *gift = (struct gift *)(void *)((char *)post - offsetof(struct gift, post));
    if (gift->shared->loop != NULL)
        (void)tutti__door(gift->shared->loop, take_gift, gift);
    tutti_task_unref(gift->task);
    free(gift);
}

/* The parent of the detached task is still running, and its end is posted by this same thread later: so
 * the root has the task before it can think that all is over. */
void tutti__shared_give_to_root(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__lua *lua = record->lua;
    tutti_task *task = record->kind == RECORD_REMOTE ? record->task : tutti__export(L, record, index);
    size_t length = 0;
    tutti__record_push_name(L, record, index);
    const char *name = lua_tolstring(L, -1, &length);
    struct gift *gift = (struct gift *)calloc(1, sizeof *gift + length + 1);
    if (gift != NULL)
        memcpy(gift->name, name, length + 1);
    lua_pop(L, 1);
    if (gift == NULL || task == NULL) {
        free(gift);
        record->flags &= ~(uint32_t)RECORD_ADOPTED; /* then this worker's root keeps it */
        return;
    }
    tutti_task_ref(task);
    gift->task = task;
    gift->shared = tutti__shared_of(lua->engine);
    gift->post.fn = on_gift;
    tutti__home_post(tutti__bridge_loop(lua->engine), &gift->post);
}

/* ---- a worker's state --------------------------------------------------------------------- */

/* __index of a pool task's _ENV: the worker's globals, and an error for what is not there. */
static int env_index(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    if (!lua_isnil(L, -1))
        return 1;
    return luaL_error(L,
                      "global \"%s\" is not set in a pool task: make it a local or put it in a module",
                      luaL_tolstring(L, 2, NULL));
}

static void make_env_metatable(lua_State *L)
{
    luaL_newmetatable(L, "tutti.env");
    lua_pushcfunction(L, env_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static int refuse_exit(lua_State *L)
{
    return tutti__usage(L, 1, "os.exit in a pool task would end the program under the others: return a "
                              "value, or raise an error, and let the script decide");
}

/* In a test the seed decides this as well. */
static void seed_math(lua_State *L, tutti_engine *engine)
{
    uint64_t state = 0;
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)tutti__bridge_random(engine, &state));
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

struct opening {
    tutti_engine *engine;
    struct tutti__lua *lua;
};

static int open_state(lua_State *L)
{
    struct opening *opening = (struct opening *)lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_pushcfunction(L, tutti__print);
    lua_setglobal(L, "print");
    lua_pushcfunction(L, refuse_exit);
    lua_getglobal(L, "os");
    lua_insert(L, -2);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
    tutti__shell_globals(L);
    set_paths(L, tutti__shared_of(opening->engine));
    if (tutti__bridge_is_solo(opening->engine))
        seed_math(L, opening->engine);
    make_env_metatable(L);
    opening->lua = tutti__lua_open(L, opening->engine, false, true);
    tutti__interrupt_replace_sethook(L, opening->lua);
    tutti__protect_globals(L, opening->lua);
    tutti__preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti");
    lua_call(L, 1, 0);
    return 0;
}

static void close_state(void *slot)
{
    struct tutti__lua *lua = (struct tutti__lua *)slot;
    lua->home->pump = NULL;
    lua->home->has_work = NULL;
    lua_close(lua->main);
}

void tutti__worker_close(tutti_engine *engine)
{
    void **slot = tutti__bridge_slot(engine);
    if (*slot != NULL)
        close_state(*slot);
    *slot = NULL;
}

struct tutti__lua *tutti__worker_lua(tutti_engine *engine)
{
    void **slot = tutti__bridge_slot(engine);
    if (*slot != NULL)
        return (struct tutti__lua *)*slot;
    lua_State *L = tutti_lua_newstate();
    if (L == NULL)
        return NULL;
    struct opening opening = { engine, NULL };
    lua_pushcfunction(L, open_state);
    lua_pushlightuserdata(L, &opening);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_writestringerror("tutti: opening a worker's Lua state: %s\n", luaL_tolstring(L, -1, NULL));
        lua_close(L);
        return NULL;
    }
    tutti__bridge_on_worker_stop(engine, close_state);
    *slot = opening.lua;
    return opening.lua;
}
