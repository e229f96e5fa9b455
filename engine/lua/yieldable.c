/* SPDX-License-Identifier: MIT */
/*
 * yieldable.c - may the running coroutine wait? If not: what stands in the way, and what to do instead.
 *
 * Layer: lua. Thread: the state's home.
 */
#include <stdio.h>
#include <string.h>

#include "lua/coroutine.h"

/* What cannot be left and entered again, by the name it is called by. */
struct obstacle {
    const char *name;
    const char *advice;
};

static const struct obstacle obstacles[] = {
    { "sort", "get what is compared before the sort" },
    { "gsub", "collect the matches with string.gmatch first" },
    { "tostring", "make the text before" },
    { "print", "make the text before" },
    { "format", "make the text before" },
    { "concat", "make the text before" },
    { "load", "read the whole chunk before" },
    { "require", "have the module return a function that awaits, or run the script by \"tutti run\", "
                 "where a module may await while it is loaded" },
    { "close", "close the coroutine's values in the coroutine itself" },
    { "error", "await after the xpcall whose message handler this is has returned" },
    { "__gc", "start a task with tutti.spawn instead" },
    { NULL, "await before that call and use the result inside" },
};

/* C functions that can be left and entered again. */
static const char *const transparent[] = { "pcall", "xpcall", "rawpcall", "dofile", "resume", "wrap",
                                           "scope", "timeout", "shield", NULL };

static bool is_transparent(const char *name)
{
    for (int i = 0; transparent[i] != NULL; i++) {
        if (strcmp(transparent[i], name) == 0)
            return true;
    }
    return false;
}

static const struct obstacle *find_obstacle(const char *name)
{
    const struct obstacle *at = obstacles;
    while (at->name != NULL && strcmp(at->name, name) != 0)
        at++;
    return at;
}

/* The name under which Lua's own libraries have the C function of this frame, which was called without one
 * (pcall(table.sort, ...)); "" if they do not have it. */
static const char *library_name(lua_State *of, lua_Debug *ar)
{
    static const char *const libraries[] = { "table", "string", LUA_GNAME, NULL };
    const char *found = "";
    int base = lua_gettop(of);
    if (!lua_checkstack(of, LUA_MINSTACK) || !lua_getinfo(of, "f", ar))
        return found;
    luaL_getsubtable(of, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (int i = 0; libraries[i] != NULL; i++) {
        lua_pushstring(of, libraries[i]);
        if (lua_rawget(of, base + 2) == LUA_TTABLE) {
            for (const struct obstacle *at = obstacles; at->name != NULL; at++) {
                lua_pushstring(of, at->name);
                lua_rawget(of, base + 3);
                if (lua_rawequal(of, -1, base + 1))
                    found = at->name;
                lua_pop(of, 1);
            }
        }
        lua_settop(of, base + 2);
    }
    lua_settop(of, base);
    return found;
}

/* Name the innermost frame of `of` that cannot be left; a name of no meaning if none is known. */
static const struct obstacle *look_for_obstacle(lua_State *of, char *name, size_t size)
{
    lua_Debug ar;
    const char *found = NULL;
    bool is_own = tutti__lua_find(of)->is_own;
    for (int level = 1; lua_getstack(of, level, &ar) && lua_getinfo(of, "nS", &ar); level++) {
        const char *called = ar.name != NULL ? ar.name : ar.what[0] == 'C' ? library_name(of, &ar) : "";
        bool is_known = find_obstacle(called)->name != NULL;
        if (strcmp(called, "__gc") != 0 && ar.what[0] != 'C')
            continue;
        if (is_own && strcmp(called, "require") == 0)
            continue; /* what it loads may wait: see require.c */
        if (!is_known && (called[0] == '\0' || is_transparent(called)))
            continue;
        found = called;
        break;
    }
    (void)snprintf(name, size, "%s", found == NULL ? "" : found);
    return find_obstacle(name);
}

static void refuse(lua_State *L, lua_State *of, const char *what)
{
    char name[64];
    const struct obstacle *obstacle = look_for_obstacle(of, name, sizeof name);
    if (tutti__protect_is_handling(of))
        tutti__usage(L, 1, "%s cannot wait here: this is the message handler of xpcall; await after xpcall "
                           "has returned", what);
    if (name[0] == '\0')
        tutti__usage(L, 1, "%s cannot wait here: the function was called by C code that cannot be left and "
                           "entered again; %s", what, obstacle->advice);
    tutti__usage(L, 1, "%s cannot wait here: the function was called by '%s', which is C code that cannot "
                       "be left and entered again; %s", what, name, obstacle->advice);
}

void tutti__wait_may(lua_State *L, struct tutti__lua *lua, const char *what)
{
    lua_State *co = lua->current->co;
    lua_State *at = L;
    while (at != co) {
        if (!lua_isyieldable(at))
            refuse(L, at, what);
        at = tutti__coroutine_resumer(at);
        if (at == NULL)
            tutti__usage(L, 1,
                         "%s inside a plain coroutine would yield to whoever resumes that coroutine, not "
                         "to the scheduler: make the coroutine with tutti.coroutine, call it in the task "
                         "itself, or make it a task with tutti.spawn",
                         what);
    }
    if (!lua_isyieldable(co))
        refuse(L, co, what);
}

bool tutti__wait_is_possible(lua_State *L, const struct tutti__lua *lua)
{
    lua_State *co = lua->current == NULL ? NULL : lua->current->co;
    lua_State *at = L;
    while (at != NULL && at != co && lua_isyieldable(at))
        at = tutti__coroutine_resumer(at);
    return at != NULL && at == co && lua_isyieldable(co);
}
