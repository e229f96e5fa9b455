/* SPDX-License-Identifier: MIT */
/*
 * names.c - see names.h.
 *
 * Layer: value. Locks: none.
 * Invariant: package.loaded and the modules in it are read raw: looking for names runs no
 * metamethod (resolving one does, so that fields which a module loads lazily are found).
 */
#include "value/names.h"

#include <string.h>

#include <lauxlib.h>

#include "value/cache.h"

/* What a fill needs everywhere. */
struct fill {
    lua_State *L;
    const char *library;
    int names;          /* stack index */
    const char *module; /* the one whose fields are read; its name, owned by Lua */
    size_t module_size;
    bool is_globals;
    bool is_library;
};

uint64_t tutti__names_mark(lua_State *L, int cache)
{
    uint64_t mark = 1;
    lua_getiuservalue(L, cache, TUTTI__CACHE_LOADED);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        uint64_t h = (uint64_t)(uintptr_t)lua_topointer(L, -1) * UINT64_C(0x9e3779b97f4a7c15);
        mark += h ^ (h >> 32); /* a sum: the order of a hash table does not matter */
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return mark == 0 ? 1 : mark;
}

bool tutti__names_own_source(const char *source, const char *library)
{
    size_t size = library == NULL ? 0 : strlen(library);
    return size > 0 && source[0] == '@' && strncmp(source + 1, library, size) == 0 &&
           source[1 + size] == '/';
}

static bool is_own_function(const struct fill *f)
{
    lua_Debug ar;
    lua_pushvalue(f->L, -1);
    lua_getinfo(f->L, ">S", &ar);
    return tutti__names_own_source(ar.source, f->library);
}

/* What is the field at the top, seen as a name? 0: nothing that has one. */
static char field_kind(const struct fill *f)
{
    lua_State *L = f->L;
    bool has_index;
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION:
        if (lua_iscfunction(L, -1)) {
            return TUTTI__NAME_CFUNCTION;
        }
        return is_own_function(f) ? TUTTI__NAME_LIBRARY : 0;
    case LUA_TTABLE:
        if (f->is_globals) {
            return 0; /* the script's own: another state has not run it */
        }
        lua_pushliteral(L, "__index");
        has_index = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
        return has_index || f->is_library ? TUTTI__NAME_CLASS : TUTTI__NAME_TABLE;
    default:
        return 0;
    }
}

static bool is_listed(const char *word, const char *list)
{
    size_t size = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        if (at[-1] == ' ' && at[size] == ' ') {
            return true;
        }
    }
    return false;
}

/* How sure is it that another state has the same under this name? The least is the best. What Lua
 * itself brings comes before aliases that a script or a module has made of it. */
static int name_rank(const char *name, size_t size)
{
    static const char libraries[] = " coroutine debug io math os package string table utf8 ";
    static const char basics[] = " assert collectgarbage dofile error getmetatable ipairs load"
                                 " loadfile next pairs pcall print rawequal rawget rawlen rawset"
                                 " require select setmetatable tonumber tostring type warn xpcall ";
    const char *module = name + 1; /* behind the letter; strings of Lua end in a zero byte */
    const char *field = module + strlen(module) + 1;
    if (name[0] == TUTTI__NAME_REGISTERED) {
        return -1;
    }
    if (name[0] == TUTTI__NAME_MODULE) {
        return 0;
    }
    if (strcmp(module, LUA_GNAME) == 0) {
        return field < name + size && is_listed(field, basics) ? 1 : 3;
    }
    return is_listed(module, libraries) ? 1 : 2;
}

/* Is the name at the top better than the one below it? */
static bool is_better(lua_State *L)
{
    size_t old_size;
    size_t new_size;
    const char *old_name = lua_tolstring(L, -2, &old_size);
    const char *new_name = lua_tolstring(L, -1, &new_size);
    int old_rank = name_rank(old_name, old_size);
    int new_rank = name_rank(new_name, new_size);
    if (old_rank != new_rank) {
        return new_rank < old_rank;
    }
    int order = memcmp(new_name, old_name, old_size < new_size ? old_size : new_size);
    return order < 0 || (order == 0 && new_size < old_size);
}

/* Stack: object, name. Enter it if there is none or a lesser one; pops the name. */
static void enter(const struct fill *f)
{
    lua_State *L = f->L;
    lua_pushvalue(L, -2);
    if (lua_rawget(L, f->names) == LUA_TSTRING) {
        lua_insert(L, -2);
        if (!is_better(L)) {
            lua_pop(L, 2);
            return;
        }
        lua_remove(L, -2);
    } else {
        lua_pop(L, 1);
    }
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, f->names);
}

/* Push the name of kind `kind`; field NULL: the module itself. */
static void push_name(const struct fill *f, char kind, const char *field, size_t field_size)
{
    luaL_Buffer b;
    luaL_buffinit(f->L, &b);
    luaL_addchar(&b, kind);
    luaL_addlstring(&b, f->module, f->module_size);
    if (field != NULL) {
        luaL_addchar(&b, '\0');
        luaL_addlstring(&b, field, field_size);
    }
    luaL_pushresult(&b);
}

/* Enter the fields of the module at the top. */
static void fill_fields(const struct fill *f)
{
    lua_State *L = f->L;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        char kind = lua_type(L, -2) == LUA_TSTRING ? field_kind(f) : 0;
        if (kind != 0) {
            size_t size;
            const char *field = lua_tolstring(L, -2, &size);
            push_name(f, kind, field, size);
            enter(f);
        }
        lua_pop(L, 1);
    }
}

/* Enter the module at the top, whose name stands below it, and its fields. */
static void fill_module(struct fill *f)
{
    lua_State *L = f->L;
    f->module = lua_tolstring(L, -2, &f->module_size);
    if (f->module_size == 0 || memchr(f->module, '\0', f->module_size) != NULL) {
        return; /* a zero byte ends the module's name in a message, or begins a registered one */
    }
    size_t library_size = f->library == NULL ? 0 : strlen(f->library);
    f->is_globals = strcmp(f->module, LUA_GNAME) == 0;
    f->is_library = library_size > 0 && strncmp(f->module, f->library, library_size) == 0 &&
                    (f->module[library_size] == '\0' || f->module[library_size] == '.');
    push_name(f, TUTTI__NAME_MODULE, NULL, 0);
    enter(f);
    if (lua_istable(L, -1)) {
        fill_fields(f);
    }
}

void tutti__names_fill(lua_State *L, int at, const char *library)
{
    struct tutti__cache *cache = lua_touserdata(L, at);
    int top = lua_gettop(L);
    luaL_checkstack(L, 16, "values");
    struct fill f = {.L = L, .library = library, .names = top + 1};
    lua_getiuservalue(L, at, TUTTI__CACHE_NAMES);
    /* Marked before: what a finaliser loads while this runs is then noticed by the next message. */
    uint64_t mark = tutti__names_mark(L, at);
    lua_getiuservalue(L, at, TUTTI__CACHE_LOADED);
    lua_pushnil(L);
    while (lua_next(L, top + 2) != 0) {
        int type = lua_type(L, -1);
        bool is_object = type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA;
        if (is_object && lua_type(L, -2) == LUA_TSTRING) {
            fill_module(&f);
        }
        lua_pop(L, 1);
    }
    cache->loaded_mark = mark;
    lua_settop(L, top);
}

/* Push what package.loaded has under `module`, or require it. */
static void push_module(lua_State *L, const char *module, size_t size)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushlstring(L, module, size);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TNIL) {
        lua_replace(L, -3);
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    if (lua_getglobal(L, "require") == LUA_TNIL) {
        luaL_error(L, "module \"%s\" is not loaded here and there is no require",
                   lua_tostring(L, -2));
    }
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    lua_replace(L, -2);
}

/* Push what is registered as `name`; false: nothing is pushed. */
static bool push_registered(lua_State *L, const char *name, size_t size)
{
    tutti__cache_open(L);
    lua_getiuservalue(L, -1, TUTTI__CACHE_REGISTERED);
    lua_pushlstring(L, name, size);
    bool found = lua_rawget(L, -2) != LUA_TNIL;
    lua_rotate(L, -3, 1);
    lua_pop(L, found ? 2 : 3);
    return found;
}

/* Require the module `name`, whatever comes of it: an error means that there is none, or a bad one. */
static void try_module(lua_State *L, const char *name, size_t size)
{
    if (lua_getglobal(L, "require") == LUA_TFUNCTION) {
        lua_pushlstring(L, name, size);
        if (lua_pcall(L, 1, 0, 0) == LUA_OK) {
            return;
        }
    }
    lua_pop(L, 1);
}

/* The module of "geometry.point" is "geometry.point" or "geometry". */
static bool resolve_registered(lua_State *L, const char *name, size_t size)
{
    if (push_registered(L, name, size)) {
        return true;
    }
    try_module(L, name, size);
    const char *dot = memrchr(name, '.', size);
    if (dot != NULL && !push_registered(L, name, size)) {
        try_module(L, name, (size_t)(dot - name));
    } else if (dot != NULL) {
        return true;
    }
    if (push_registered(L, name, size)) {
        return true;
    }
    lua_pushlstring(L, name, size);
    lua_pushfstring(L, "\"%s\" is registered in the Lua state that sent it, but not in this one: call "
                       "tutti.register(\"%s\", ...) in a module that both sides require", lua_tostring(L, -1),
                    lua_tostring(L, -1));
    lua_remove(L, -2);
    return false;
}

enum tutti__names_result tutti__names_register(lua_State *L, const char *name, int index)
{
    index = lua_absindex(L, index);
    int top = lua_gettop(L);
    luaL_checkstack(L, LUA_MINSTACK, "values");
    tutti__cache_open(L);
    lua_getiuservalue(L, top + 1, TUTTI__CACHE_REGISTERED);
    lua_getiuservalue(L, top + 1, TUTTI__CACHE_NAMES);
    lua_pushvalue(L, index);
    if (lua_rawget(L, top + 3) == LUA_TSTRING && lua_tostring(L, -1)[0] == TUTTI__NAME_REGISTERED) {
        const char *old_name = lua_tostring(L, -1) + 2; /* behind the letter and the zero byte */
        if (strcmp(old_name, name) != 0) {
            lua_pushstring(L, old_name);
            lua_replace(L, top + 1);
            lua_settop(L, top + 1);
            return TUTTI__NAMES_OTHER;
        }
    }
    if (lua_getfield(L, top + 2, name) != LUA_TNIL && !lua_rawequal(L, -1, index)) {
        lua_settop(L, top);
        return TUTTI__NAMES_TAKEN;
    }
    lua_pushvalue(L, index);
    lua_setfield(L, top + 2, name);
    lua_pushvalue(L, index);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addchar(&b, TUTTI__NAME_REGISTERED);
    luaL_addchar(&b, '\0');
    luaL_addstring(&b, name);
    luaL_pushresult(&b);
    lua_rawset(L, top + 3);
    lua_settop(L, top);
    return TUTTI__NAMES_OK;
}

/* Push a name as people write it, "module.field". */
static const char *push_readable(lua_State *L, const char *name, size_t size)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < size; i++) {
        luaL_addchar(&b, name[i] == '\0' ? '.' : name[i]);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

bool tutti__names_resolve(lua_State *L, const char *name, size_t size, int type)
{
    luaL_checkstack(L, LUA_MINSTACK, "values");
    const char *zero = memchr(name, '\0', size);
    if (zero == name) {
        return resolve_registered(L, name + 1, size - 1);
    }
    size_t module_size = zero == NULL ? size : (size_t)(zero - name);
    push_module(L, name, module_size);
    if (zero != NULL) {
        lua_pushlstring(L, zero + 1, size - module_size - 1);
        lua_gettable(L, -2);
        lua_replace(L, -2);
    }
    if (lua_type(L, -1) == type) {
        return true;
    }
    const char *found = luaL_typename(L, -1);
    lua_pushfstring(L, "\"%s\" is %s in this Lua state, where a %s is expected",
                    push_readable(L, name, size), found, lua_typename(L, type));
    lua_replace(L, -3);
    lua_pop(L, 1);
    return false;
}
