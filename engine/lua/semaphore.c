/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c - see semaphore.h.
 *
 * acquire gives a permit, which is released once: by its own release, by `<close>`, or (then the permit
 * itself must not be) by sem:release(). A permit that is collected is not released: what the garbage
 * collector does decides nothing.
 *
 * Layer: lua. Thread: any home.
 * Locks: semaphore.mu (handle.mu), a leaf lock.
 * Invariant: tasks wait only while `free` is 0, so nobody overtakes them.
 */
#include "lua/semaphore.h"

#include "lua/waitlist.h"

struct semaphore {
    struct tutti__handle handle;
    lua_Integer size;               /* [const] */
    lua_Integer free;               /* [mu] permits that nobody has */
    struct tutti__waitlist waiting; /* [mu] */
};

const struct tutti__handle_type tutti__semaphore_type = {
    .meta = "tutti.semaphore", .noun = "a semaphore", .call = "sem:acquire()", .destroy = NULL,
    .at = TUTTI__HANDLE_SEMAPHORE,
};

/* Give one permit back: to the longest waiting task, if there is one. Returns: false - all are back. */
static bool semaphore_release(struct tutti__lua *lua, struct semaphore *semaphore)
{
    pthread_mutex_lock(&semaphore->handle.mu);
    struct tutti__blocked *next = NULL;
    bool is_out = semaphore->free < semaphore->size;
    if (is_out)
        next = tutti__waitlist_take(&semaphore->waiting, BLOCKED_SERVED);
    if (is_out && next == NULL)
        semaphore->free++;
    pthread_mutex_unlock(&semaphore->handle.mu);
    tutti__blocked_tell(lua, next);
    return is_out;
}

static struct semaphore *check(lua_State *L, struct tutti__lua *lua)
{
    return (struct semaphore *)(void *)tutti__handle_check(L, lua, &tutti__semaphore_type);
}

/* tutti.semaphore(n) -> semaphore   [-1, +1, v] */
static int l_semaphore(lua_State *L)
{
    int is_integer = 0;
    lua_Integer size = lua_tointegerx(L, 1, &is_integer);
    if (!is_integer || lua_type(L, 1) == LUA_TSTRING || size < 1)
        return tutti__usage(L, 1, "tutti.semaphore: a number of permits, 1 or more, was expected, got %s",
                            luaL_tolstring(L, 1, NULL));
    struct semaphore *semaphore = (struct semaphore *)(void *)tutti__handle_new(
        L, tutti__lua_of(L), &tutti__semaphore_type, sizeof *semaphore);
    semaphore->size = size;
    semaphore->free = size;
    return 1;
}

/* ---- permits ------------------------------------------------------------------------------- */

/* The userdata of a permit; its user value keeps the semaphore's handle. */
struct permit {
    struct semaphore *semaphore; /* NULL: not acquired yet, or released */
};

/* Push a permit for the semaphore whose handle is at index 1, before it is acquired: so that none is lost
 * when memory is out. */
static void push_permit(lua_State *L)
{
    struct permit *permit = (struct permit *)lua_newuserdatauv(L, sizeof *permit, 1);
    permit->semaphore = NULL;
    luaL_setmetatable(L, "tutti.permit");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
}

static int refuse_release(lua_State *L)
{
    return tutti__usage(L, 1, "release: all permits of this semaphore have been released already (each "
                              "permit is released once: by sem:release(), permit:release() or <close>)");
}

/* permit:release(): does nothing the second time   [-1, +0, v] */
static int l_permit_release(lua_State *L)
{
    struct permit *permit = (struct permit *)luaL_testudata(L, 1, "tutti.permit");
    if (permit == NULL)
        return tutti__usage(L, 1, "a permit was expected, got %s (methods are called with a colon: "
                                  "permit:release())", luaL_typename(L, 1));
    struct semaphore *semaphore = permit->semaphore;
    permit->semaphore = NULL;
    if (semaphore != NULL && !semaphore_release(tutti__lua_of(L), semaphore))
        return refuse_release(L);
    return 0;
}

/* ---- acquire and release -------------------------------------------------------------------- */

static struct tutti__waitlist *waiting_of(struct tutti__handle *handle)
{
    return &((struct semaphore *)(void *)handle)->waiting;
}

static void acquire_taken_back(struct tutti__lua *lua, struct tutti__blocked *blocked, bool was_served)
{
    if (was_served)
        (void)semaphore_release(lua, (struct semaphore *)(void *)blocked->handle);
}

/* Stack: [1] the semaphore, [2] its permit. */
static int acquired(lua_State *L, struct semaphore *semaphore)
{
    struct permit *permit = (struct permit *)lua_touserdata(L, 2);
    permit->semaphore = semaphore;
    lua_settop(L, 2);
    return 1;
}

static int acquire_finish(lua_State *L, struct tutti__blocked *blocked)
{
    struct tutti__lua *lua = blocked->lua;
    struct semaphore *semaphore = (struct semaphore *)(void *)blocked->handle;
    if (tutti__cancel_is_due(lua)) /* cancelled between the serving and now */
        acquire_taken_back(lua, blocked, true);
    tutti__blocked_free(lua, blocked);
    tutti__checkpoint(L, lua);
    return acquired(L, semaphore);
}

static const struct tutti__blocked_kind acquire_kind = { "semaphore:acquire", waiting_of,
                                                         acquire_taken_back, acquire_finish };

/* Take a free permit, or link `blocked`. Returns whether there was one. */
static bool semaphore_acquire(struct semaphore *semaphore, struct tutti__blocked *blocked)
{
    pthread_mutex_lock(&semaphore->handle.mu);
    bool is_free = semaphore->free > 0;
    if (is_free)
        semaphore->free--;
    else
        tutti__waitlist_append(&semaphore->waiting, blocked);
    pthread_mutex_unlock(&semaphore->handle.mu);
    return is_free;
}

/* semaphore:acquire() -> permit   [-1, +1, y] */
static int l_acquire(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct semaphore *semaphore = check(L, lua);
    struct tutti__record *me = tutti__wait_check(L, lua, "semaphore:acquire");
    lua_settop(L, 1);
    push_permit(L);
    struct tutti__blocked *blocked = tutti__blocked_new(L, lua, &semaphore->handle, me, &acquire_kind);
    if (!semaphore_acquire(semaphore, blocked))
        return tutti__blocked_wait(L, lua, blocked);
    tutti__blocked_free(lua, blocked);
    return acquired(L, semaphore);
}

/* semaphore:release()   [-1, +0, v] */
static int l_release(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    return semaphore_release(lua, check(L, lua)) ? 0 : refuse_release(L);
}

const luaL_Reg tutti__semaphore_functions[] = {
    { "semaphore", l_semaphore },
    { NULL, NULL },
};

const luaL_Reg tutti__semaphore_methods[] = {
    { "acquire", l_acquire }, { "release", l_release }, { NULL, NULL },
};

const luaL_Reg tutti__permit_methods[] = {
    { "release", l_permit_release }, { "__close", l_permit_release }, { NULL, NULL },
};
