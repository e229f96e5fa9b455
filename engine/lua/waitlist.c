/* SPDX-License-Identifier: MIT */
/*
 * waitlist.c - see waitlist.h.
 *
 * Layer: lua. Thread: each wait at its home, while linked any under the object's lock.
 * Invariant: a wait is told exactly once after it has left its list by being served or refused.
 */
#include "lua/waitlist.h"
#include "lua/waits.h"

#include <stdlib.h>
#include <string.h>

/* Waits that a state keeps for the next ones. */
enum { KEPT_MAX = 256 };

/* ---- lists -------------------------------------------------------------------------------- */

void tutti__waitlist_append(struct tutti__waitlist *list, struct tutti__blocked *blocked)
{
    blocked->next = NULL;
    blocked->prev = list->last;
    if (list->last != NULL)
        list->last->next = blocked;
    else
        list->first = blocked;
    list->last = blocked;
    blocked->state = BLOCKED_LINKED;
    if (!blocked->has_handle)
        tutti__handle_ref(blocked->handle);
    blocked->has_handle = true;
}

static void waitlist_remove(struct tutti__waitlist *list, struct tutti__blocked *blocked)
{
    if (blocked->prev != NULL)
        blocked->prev->next = blocked->next;
    else
        list->first = blocked->next;
    if (blocked->next != NULL)
        blocked->next->prev = blocked->prev;
    else
        list->last = blocked->prev;
    blocked->next = NULL;
    blocked->prev = NULL;
}

struct tutti__blocked *tutti__waitlist_take(struct tutti__waitlist *list,
                                            enum tutti__blocked_state state)
{
    struct tutti__blocked *blocked = list->first;
    if (blocked == NULL)
        return NULL;
    waitlist_remove(list, blocked);
    blocked->state = state;
    return blocked;
}

struct tutti__blocked *tutti__waitlist_take_all(struct tutti__waitlist *list,
                                                enum tutti__blocked_state state)
{
    struct tutti__blocked *first = list->first;
    for (struct tutti__blocked *at = first; at != NULL; at = at->next)
        at->state = state;
    list->first = NULL;
    list->last = NULL;
    return first;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* At home. What has been taken back meanwhile, told by a post only, ends here; its state may be gone. */
static void arrive(struct tutti__blocked *blocked)
{
    blocked->arrived = true;
    if (blocked->outside)
        return; /* the caller asks `arrived` */
    if (blocked->record != NULL) {
        tutti__wait_end(blocked->record);
        return; /* its continuation frees the wait */
    }
    tutti__handle_unref(blocked->handle);
    free(blocked);
}

static void on_post(struct tutti__post *post)
{
    arrive((struct tutti__blocked *)(void *)((char *)post - offsetof(struct tutti__blocked, post)));
}

void tutti__blocked_tell(struct tutti__lua *lua, struct tutti__blocked *first)
{
    while (first != NULL) {
        struct tutti__blocked *next = first->next;
        if (first->lua == lua && first->home == lua->home) /* tutti.testing changes the home for a while */
            arrive(first);
        else
            tutti__home_post(first->home, &first->post);
        first = next;
    }
}

/* ---- one wait ----------------------------------------------------------------------------- */

struct tutti__blocked *tutti__blocked_make(struct tutti__lua *lua, struct tutti__handle *handle,
                                           struct tutti__record *me,
                                           const struct tutti__blocked_kind *kind)
{
    struct tutti__blocked *blocked = lua->blocked_kept;
    if (blocked != NULL) {
        lua->blocked_kept = blocked->next;
        lua->blocked_kept_count--;
    } else {
        blocked = (struct tutti__blocked *)malloc(sizeof *blocked);
    }
    if (blocked == NULL)
        return NULL;
    memset(blocked, 0, offsetof(struct tutti__blocked, parcel));
    blocked->post.fn = on_post;
    blocked->kind = kind;
    blocked->lua = lua;
    blocked->home = lua->home;
    blocked->handle = handle;
    blocked->record = me;
    blocked->state = BLOCKED_NEW;
    blocked->arrived = false;
    blocked->outside = me == NULL;
    blocked->has_handle = false;
    return blocked;
}

struct tutti__blocked *tutti__blocked_new(lua_State *L, struct tutti__lua *lua,
                                          struct tutti__handle *handle, struct tutti__record *me,
                                          const struct tutti__blocked_kind *kind)
{
    struct tutti__blocked *blocked = tutti__blocked_make(lua, handle, me, kind);
    if (blocked == NULL)
        luaL_error(L, "not enough memory to wait in %s", kind->what);
    return blocked;
}

void tutti__blocked_free(struct tutti__lua *lua, struct tutti__blocked *blocked)
{
    if (blocked->has_handle)
        tutti__handle_unref(blocked->handle);
    if (lua->blocked_kept_count == KEPT_MAX) {
        free(blocked);
        return;
    }
    blocked->next = lua->blocked_kept;
    lua->blocked_kept = blocked;
    lua->blocked_kept_count++;
}

void tutti__blocked_forget(struct tutti__lua *lua)
{
    while (lua->blocked_kept != NULL) {
        struct tutti__blocked *blocked = lua->blocked_kept;
        lua->blocked_kept = blocked->next;
        free(blocked);
    }
    lua->blocked_kept_count = 0;
}

/* Take the wait back. If somebody has served it and not told it yet, the post that is on its way frees it. */
static void take_back(struct tutti__lua *lua, struct tutti__blocked *blocked)
{
    struct tutti__handle *handle = blocked->handle;
    pthread_mutex_lock(&handle->mu);
    bool linked = blocked->state == BLOCKED_LINKED;
    if (linked)
        waitlist_remove(blocked->kind->list(handle), blocked);
    pthread_mutex_unlock(&handle->mu);
    blocked->kind->taken_back(lua, blocked, blocked->state == BLOCKED_SERVED);
    blocked->record = NULL;
    blocked->outside = false;
    if (linked || blocked->arrived)
        tutti__blocked_free(lua, blocked);
}

void tutti__blocked_withdraw(struct tutti__record *record)
{
    take_back(record->lua, (struct tutti__blocked *)record->op);
}

static bool has_arrived(void *user)
{
    return ((const struct tutti__blocked *)user)->arrived;
}

static int go_on(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__blocked *blocked = (struct tutti__blocked *)lua->current->op;
    if (blocked == NULL) {
        tutti__checkpoint(L, lua); /* taken back: raises */
        return luaL_error(L, "a wait was taken back although nothing was cancelled");
    }
    return blocked->kind->finish(L, blocked);
}

int tutti__blocked_wait(lua_State *L, struct tutti__lua *lua, struct tutti__blocked *blocked)
{
    if (!blocked->outside) {
        tutti__wait_begin(lua->current, WAITS_FOR_OBJECT, blocked);
        return lua_yieldk(L, 0, 0, go_on);
    }
    if (tutti__block_on(lua, has_arrived, blocked))
        return blocked->kind->finish(L, blocked);
    take_back(lua, blocked);
    return tutti__block_refused(L);
}

const char *tutti__blocked_what(const struct tutti__record *record)
{
    bool waits = record->waits_for == WAITS_FOR_OBJECT;
    return waits ? ((const struct tutti__blocked *)record->op)->kind->what : NULL;
}
