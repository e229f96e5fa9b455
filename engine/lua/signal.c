/* SPDX-License-Identifier: MIT */
/*
 * signal.c - see signal.h.
 *
 *     program's own signals (INT, TERM, HUP): cli/signals.c, which asks tutti_lua_signal first
 *     others, and all in a host:              io/signal.c on the loop, while a task is pending
 *         -> deliver -> promises settled, on whatever thread -> notices to the homes of their records
 *
 * Layer: lua. Thread: the list any, under the lock; the watches the loop's.
 * Locks: signals.mu, a leaf lock.
 * Invariant: a signal is watched only while a task awaits it; one that comes when none does any more is
 * sent to the process again, which by then does with it what it did before.
 */
#include "lua/signal.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/proxy.h"
#include "lua/start.h"
#include "lua/worker.h"
#include "tutti_lua.h"
#include "lua/waits.h"

static const struct {
    const char *name;
    int number;
} names[] = {
    { "SIGINT", SIGINT },   { "SIGTERM", SIGTERM }, { "SIGHUP", SIGHUP },
    { "SIGQUIT", SIGQUIT }, { "SIGUSR1", SIGUSR1 }, { "SIGUSR2", SIGUSR2 },
    { "SIGALRM", SIGALRM }, { "SIGCONT", SIGCONT }, { "SIGWINCH", SIGWINCH },
};
enum { NAMES = sizeof names / sizeof *names };

struct pending {
    struct pending *next;
    tutti_task *task; /* a promise, with a reference */
    int which;        /* in names */
};

struct tutti__signals {
    pthread_mutex_t mu;
    struct pending *first;                      /* [mu] */
    tutti_engine *engine;                       /* [const] */
    struct tutti__signal_watch *watches[NAMES]; /* [loop] */
    bool closed;                                /* [loop] nothing is watched any more */
};

struct tutti__signals *tutti__signals_new(tutti_engine *engine)
{
    struct tutti__signals *signals = (struct tutti__signals *)calloc(1, sizeof *signals);
    if (signals == NULL)
        return NULL;
    pthread_mutex_init(&signals->mu, NULL);
    signals->engine = engine;
    return signals;
}

static void free_list(struct pending *first)
{
    while (first != NULL) {
        struct pending *next = first->next;
        tutti_task_unref(first->task);
        free(first);
        first = next;
    }
}

void tutti__signals_free(struct tutti__signals *signals)
{
    if (signals == NULL)
        return;
    free_list(signals->first);
    pthread_mutex_destroy(&signals->mu);
    free(signals);
}

/* Take out those of this signal, or with `task` only that one. */
static struct pending *take(struct tutti__signals *signals, int which, const tutti_task *task)
{
    struct pending *taken = NULL;
    pthread_mutex_lock(&signals->mu);
    for (struct pending **at = &signals->first; *at != NULL;) {
        struct pending *pending = *at;
        if (pending->which != which || (task != NULL && pending->task != task)) {
            at = &pending->next;
            continue;
        }
        *at = pending->next;
        pending->next = taken;
        taken = pending;
    }
    pthread_mutex_unlock(&signals->mu);
    return taken;
}

static bool is_awaited(struct tutti__signals *signals, int which)
{
    bool is = false;
    pthread_mutex_lock(&signals->mu);
    for (const struct pending *at = signals->first; at != NULL; at = at->next)
        is = is || (at->which == which && !tutti_task_is_done(at->task));
    pthread_mutex_unlock(&signals->mu);
    return is;
}

/* One that was cancelled from elsewhere may still be in the list: it takes no signal. */
static bool deliver(struct tutti__signals *signals, int which)
{
    bool taken = false;
    struct pending *first = take(signals, which, NULL);
    for (struct pending *at = first; at != NULL; at = at->next) {
        tutti_value value;
        memset(&value, 0, sizeof value);
        (void)tutti_value_bytes(&value, names[which].name, strlen(names[which].name));
        taken = tutti_promise_settle(at->task, TUTTI_OK, &value) == TUTTI_OK || taken;
    }
    free_list(first);
    return taken;
}

static int find_number(int number)
{
    for (int i = 0; i < NAMES; i++) {
        if (names[i].number == number)
            return i;
    }
    return -1;
}

bool tutti__signals_deliver(struct tutti__signals *signals, int number)
{
    int which = find_number(number);
    return which >= 0 && deliver(signals, which);
}

/* ---- on the loop --------------------------------------------------------------------------- */

static bool is_programs(const struct tutti__signals *signals, int which)
{
    int number = names[which].number;
    return tutti__shared_is_program(signals->engine)
        && (number == SIGINT || number == SIGTERM || number == SIGHUP);
}

static void on_signal(int number, void *user);

/* Watch it or not, as there are tasks. Thread: the loop's. */
static void refresh(struct tutti__signals *signals, int which)
{
    struct tutti__signal_watch **watch = &signals->watches[which];
    bool wanted = !signals->closed && !is_programs(signals, which) && is_awaited(signals, which);
    if (wanted && *watch == NULL) {
        *watch = tutti__bridge_signal_watch(signals->engine, names[which].number, on_signal, signals);
    } else if (!wanted && *watch != NULL) {
        tutti__bridge_signal_unwatch(*watch);
        *watch = NULL;
    }
}

static void on_signal(int number, void *user)
{
    struct tutti__signals *signals = (struct tutti__signals *)user;
    int which = find_number(number);
    bool taken = deliver(signals, which);
    refresh(signals, which);
    if (!taken && signals->watches[which] == NULL)
        (void)kill(getpid(), number);
}

struct request {
    struct tutti__signals *signals;
    int which;
};

static void on_request(void *user)
{
    struct request *request = (struct request *)user;
    refresh(request->signals, request->which);
    free(request);
}

/* Returns: false - no memory. Thread: that of the state. */
static bool ask_refresh(struct tutti__lua *lua, struct tutti__signals *signals, int which)
{
    if (!lua->is_worker) {
        refresh(signals, which);
        return true;
    }
    struct request *request = (struct request *)malloc(sizeof *request);
    if (request == NULL)
        return false;
    request->signals = signals;
    request->which = which;
    if (tutti_post(signals->engine, on_request, request) == TUTTI_OK)
        return true;
    free(request);
    return false;
}

void tutti__signals_close(struct tutti__signals *signals)
{
    if (signals == NULL)
        return;
    signals->closed = true;
    for (int i = 0; i < NAMES; i++)
        refresh(signals, i);
}

/* ---- the task ------------------------------------------------------------------------------- */

/* The record is being cancelled. */
void tutti__signal_withdraw(struct tutti__record *record)
{
    struct tutti__signals *signals = tutti__shared_signals(record->lua->engine);
    for (int i = 0; i < NAMES; i++) {
        struct pending *taken = take(signals, i, record->task);
        if (taken == NULL)
            continue;
        free_list(taken);
        (void)ask_refresh(record->lua, signals, i);
    }
}

static int find_name(lua_State *L, struct tutti__lua *lua, int level)
{
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
    for (int i = 0; i < NAMES; i++) {
        if (strcmp(names[i].name, name) != 0)
            continue;
        if (names[i].number == SIGUSR2 && tutti__shared_is_program(lua->engine))
            tutti__usage(L, level, "tutti.signal: SIGUSR2 is what `tutti run` itself uses; take SIGUSR1");
        return i;
    }
    luaL_Buffer list;
    luaL_buffinit(L, &list);
    for (int i = 0; i < NAMES; i++) {
        luaL_addstring(&list, i == 0 ? "" : ", ");
        luaL_addstring(&list, names[i].name);
    }
    luaL_pushresult(&list);
    tutti__usage(L, level, "tutti.signal: the name of a signal was expected (%s), got %s",
                 lua_tostring(L, -1), lua_type(L, 1) == LUA_TSTRING ? name : luaL_typename(L, 1));
    return -1;
}

static struct pending *new_pending(lua_State *L, struct tutti__lua *lua, int which)
{
    struct pending *pending = (struct pending *)calloc(1, sizeof *pending);
    if (pending == NULL || tutti_promise_new(lua->engine, &pending->task) != TUTTI_OK) {
        free(pending);
        luaL_error(L, "not enough memory to wait for a signal");
        return NULL;
    }
    pending->which = which;
    return pending;
}

static void add(struct tutti__signals *signals, struct pending *pending)
{
    pthread_mutex_lock(&signals->mu);
    pending->next = signals->first;
    signals->first = pending;
    pthread_mutex_unlock(&signals->mu);
}

/* core.signal(name, level) -> Task   [-2, +1, v] */
static int l_signal(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__signals *signals = tutti__shared_signals(lua->engine);
    int level = (int)luaL_optinteger(L, 2, 1);
    int which = find_name(L, lua, level);
    if (signals == NULL)
        return tutti__usage(L, level, "tutti.signal: no signal of the process comes here");
    lua_settop(L, 1);
    struct tutti__record *record = tutti__proxy_new(L, lua);
    record->flags |= RECORD_BACKGROUND;
    lua_pushfstring(L, "signal %s", names[which].name);
    tutti__record_set_name(L, 2);
    tutti__record_note_place(L, record, level);
    tutti__start_own(L, record, 2, false);
    if (tutti__start_is_late(L, record))
        return 1;
    struct pending *pending = new_pending(L, lua, which);
    tutti_task_ref(pending->task);
    tutti__proxy_bind(L, record, 2, pending->task);
    tutti__proxy_arm(L, record, 2);
    record->waits_for = WAITS_FOR_SIGNAL;
    add(signals, pending);
    if (!ask_refresh(lua, signals, which))
        return luaL_error(L, "not enough memory to wait for a signal");
    lua_settop(L, 2);
    return 1;
}

const luaL_Reg tutti__signal_functions[] = {
    { "signal", l_signal },
    { NULL, NULL },
};

/* ---- for hosts ------------------------------------------------------------------------------ */

int tutti_lua_signal(tutti_engine *e, int number)
{
    if (e == NULL)
        return TUTTI_EINVAL;
    struct tutti__signals *signals = tutti__shared_signals(e);
    return signals != NULL && tutti__signals_deliver(signals, number) ? TUTTI_OK : TUTTI_EAGAIN;
}
