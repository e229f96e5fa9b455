/* SPDX-License-Identifier: MIT */
/*
 * cache.c - see cache.h.
 *
 * Layer: value. Locks: none.
 * Invariant: whoever pushes into a table here has checked the Lua stack before: the encoder reserves
 * its slots at the start, everything else runs protected.
 */
#include "value/cache.h"

#include <lauxlib.h>

#include "value/guess.h"

/* Where the cache is in the registry; the address is the key. */
static const char cache_key = 0;

static int entry_gc(lua_State *L)
{
    struct tutti__cache_entry *entry = lua_touserdata(L, 1);
    if (entry->proto != NULL) {
        tutti__proto_unref(entry->proto);
        entry->proto = NULL;
    }
    return 0;
}

static int cache_gc(lua_State *L)
{
    struct tutti__cache *cache = lua_touserdata(L, 1);
    for (int i = 0; i < TUTTI__CACHE_GUESSES; i++) {
        if (cache->guesses[i].place.proto != NULL) {
            tutti__proto_unref(cache->guesses[i].place.proto);
            cache->guesses[i].place.proto = NULL;
        }
    }
    return 0;
}

/* Push a new table with weak keys ("k") or values ("v"). */
static void push_weak(lua_State *L, const char *mode, int items)
{
    lua_createtable(L, items, 0);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

struct tutti__cache *tutti__cache_get(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return NULL;
    }
    return lua_touserdata(L, -1);
}

struct tutti__cache *tutti__cache_open(lua_State *L)
{
    luaL_checkstack(L, 8, "values");
    struct tutti__cache *cache = tutti__cache_get(L);
    if (cache != NULL) {
        return cache;
    }
    cache = lua_newuserdatauv(L, sizeof *cache, TUTTI__CACHE_PARTS_MAX_);
    *cache = (struct tutti__cache){0};
    if (luaL_newmetatable(L, "tutti.values")) {
        lua_pushcfunction(L, cache_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    push_weak(L, "k", 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_NAMES);
    push_weak(L, "k", 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_FUNCTIONS);
    lua_createtable(L, 0, 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_YOUNG);
    lua_createtable(L, 0, 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_OLD);
    lua_createtable(L, 0, 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_FACTORIES);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setiuservalue(L, -2, TUTTI__CACHE_LOADED);
    lua_createtable(L, 0, 0);
    lua_setiuservalue(L, -2, TUTTI__CACHE_REGISTERED);
    push_weak(L, "v", TUTTI__CACHE_GUESSES);
    lua_setiuservalue(L, -2, TUTTI__CACHE_GUESSED);
    cache->shows_code = tutti__guess_can_tell(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    return cache;
}

static struct tutti__cache_entry *find_in(lua_State *L, int cache, int part,
                                          const struct tutti__proto *proto)
{
    lua_getiuservalue(L, cache, part);
    lua_rawgeti(L, -1, (lua_Integer)proto->hash);
    lua_remove(L, -2);
    struct tutti__cache_entry *entry = lua_touserdata(L, -1);
    if (entry == NULL || !tutti__proto_equal(entry->proto, proto)) {
        lua_pop(L, 1);
        return NULL;
    }
    return entry;
}

struct tutti__cache_entry *tutti__cache_find(lua_State *L, int cache,
                                             const struct tutti__proto *proto)
{
    struct tutti__cache_entry *entry = find_in(L, cache, TUTTI__CACHE_YOUNG, proto);
    return entry != NULL ? entry : find_in(L, cache, TUTTI__CACHE_OLD, proto);
}

static struct tutti__cache_entry *push_entry(lua_State *L, struct tutti__proto *proto)
{
    struct tutti__cache_entry *entry = lua_newuserdatauv(L, sizeof *entry, 1);
    *entry = (struct tutti__cache_entry){0};
    if (luaL_newmetatable(L, "tutti.prototype")) {
        lua_pushcfunction(L, entry_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    entry->proto = tutti__proto_ref(proto);
    return entry;
}

/* Let the young be the old when they are too many. */
static void turn_generation(lua_State *L, int at, struct tutti__cache *cache)
{
    if (cache->young_count < TUTTI__CACHE_ENTRIES_MAX &&
        cache->young_bytes < TUTTI__CACHE_BYTES_MAX) {
        return;
    }
    lua_createtable(L, 0, 0); /* first: if this raises nothing has changed */
    lua_getiuservalue(L, at, TUTTI__CACHE_YOUNG);
    lua_setiuservalue(L, at, TUTTI__CACHE_OLD);
    lua_setiuservalue(L, at, TUTTI__CACHE_YOUNG);
    cache->young_count = 0;
    cache->young_bytes = 0;
}

struct tutti__cache_entry *tutti__cache_keep(lua_State *L, int at, struct tutti__proto *proto)
{
    struct tutti__cache *cache = lua_touserdata(L, at);
    struct tutti__cache_entry *entry = find_in(L, at, TUTTI__CACHE_YOUNG, proto);
    if (entry != NULL) {
        return entry;
    }
    entry = find_in(L, at, TUTTI__CACHE_OLD, proto);
    if (entry == NULL) {
        entry = push_entry(L, proto);
    }
    turn_generation(L, at, cache);
    lua_getiuservalue(L, at, TUTTI__CACHE_YOUNG);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)proto->hash);
    lua_pop(L, 1);
    cache->young_count++;
    cache->young_bytes += proto->size;
    return entry;
}

void tutti__cache_dumped(lua_State *L, int at, int function, struct tutti__proto *proto)
{
    struct tutti__cache *cache = lua_touserdata(L, at);
    struct tutti__cache_entry *entry = tutti__cache_keep(L, at, proto);
    if (entry->dump_count++ % TUTTI__CACHE_EVERY == 0) {
        if (cache->function_count >= TUTTI__CACHE_FUNCTIONS_MAX) {
            push_weak(L, "k", 0);
            lua_setiuservalue(L, at, TUTTI__CACHE_FUNCTIONS);
            cache->function_count = 0;
        }
        lua_getiuservalue(L, at, TUTTI__CACHE_FUNCTIONS);
        lua_pushvalue(L, function);
        lua_pushvalue(L, -3);
        lua_rawset(L, -3);
        lua_pop(L, 1);
        cache->function_count++;
    }
    lua_pop(L, 1);
}
