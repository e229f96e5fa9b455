/* SPDX-License-Identifier: MIT */
/*
 * options.c - see options.h. lua/tutti/options.lua is what says what options there are: whatever is not
 * plainly right here is left to it.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: short strings are unique in a state, so an anchored word is known by its address.
 */
#include "lua/options.h"

#include <string.h>

static const char *const words[TUTTI__OPTION_WORDS] = {
    "name", "after", "args", "detach", "run_on_skip", "priority", "on"
};
enum { WORD_NAME, WORD_AFTER, WORD_ARGS, WORD_DETACH, WORD_RUN_ON_SKIP, WORD_PRIORITY, WORD_ON };

void tutti__options_open(lua_State *L, struct tutti__lua *lua)
{
    lua_createtable(L, TUTTI__OPTION_WORDS, 0);
    for (int i = 0; i < TUTTI__OPTION_WORDS; i++) {
        lua->option_words[i] = lua_pushstring(L, words[i]);
        lua_rawseti(L, -2, i + 1);
    }
    luaL_ref(L, LUA_REGISTRYINDEX); /* for as long as the state lives */
}

/* The value on top: does it say which of `count` words it is? */
static bool read_word(lua_State *L, const char *const *known, int count, int *which)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        return false;
    const char *text = lua_tostring(L, -1);
    for (*which = 0; *which < count; ++*which) {
        if (strcmp(text, known[*which]) == 0)
            return true;
    }
    return false;
}

static bool read_bool(lua_State *L, bool *out)
{
    *out = lua_toboolean(L, -1);
    return lua_isboolean(L, -1);
}

static bool read_priority(lua_State *L, uint8_t *priority)
{
    static const char *const known[TUTTI__PRIORITIES] = { "high", "normal", "low" };
    int which = 0;
    if (!read_word(L, known, TUTTI__PRIORITIES, &which))
        return false;
    *priority = (uint8_t)which;
    return true;
}

static bool read_on(lua_State *L, const struct tutti__lua *lua, bool *on_pool)
{
    static const char *const known[] = { "loop", "pool" };
    int which = 0;
    if (!read_word(L, known, 2, &which))
        return false;
    *on_pool = which == 1;
    return which == 1 || !lua->is_worker;
}

/* Count the tasks of the list on top; the keys must come as 1, 2, ... */
static bool read_after(lua_State *L, struct tutti__lua *lua, uint32_t *out)
{
    lua_Integer count = 0;
    if (!lua_istable(L, -1) || lua_getmetatable(L, -1))
        return false; /* the caller cuts the stack back */
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        count++;
        bool is_next = lua_isinteger(L, -2) && lua_tointeger(L, -2) == count
            && count <= TUTTI__AFTER_FEW && tutti__record_test(L, lua, -1) != NULL;
        lua_pop(L, is_next ? 1 : 2);
        if (!is_next)
            return false;
    }
    *out = (uint32_t)count;
    return true;
}

/* The value on top belongs to the option `word`. */
static bool read_option(lua_State *L, struct tutti__lua *lua, int word, struct tutti__options *out,
                        int slots)
{
    switch (word) {
    case WORD_NAME:
        lua_copy(L, -1, slots + OPTION_NAME);
        return lua_type(L, -1) == LUA_TSTRING;
    case WORD_AFTER:
        lua_copy(L, -1, slots + OPTION_AFTER);
        return read_after(L, lua, &out->after_count);
    case WORD_ARGS:
        lua_copy(L, -1, slots + OPTION_ARGS);
        return lua_istable(L, -1);
    case WORD_DETACH:
        return read_bool(L, &out->detach);
    case WORD_RUN_ON_SKIP:
        return read_bool(L, &out->run_on_skip);
    case WORD_PRIORITY:
        return read_priority(L, &out->priority);
    case WORD_ON:
        return read_on(L, lua, &out->on_pool);
    default:
        return false;
    }
}

static int word_of(const struct tutti__lua *lua, const char *text)
{
    int word = 0;
    while (word < TUTTI__OPTION_WORDS && lua->option_words[word] != text)
        word++;
    return word;
}

static bool read_table(lua_State *L, struct tutti__lua *lua, struct tutti__options *out, int slots)
{
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        bool is_read = false;
        if (lua_type(L, -2) == LUA_TSTRING) {
            is_read = read_option(L, lua, word_of(lua, lua_tostring(L, -2)), out, slots);
        } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1) {
            lua_copy(L, -1, slots + OPTION_FUNCTION);
            is_read = lua_isfunction(L, -1);
        }
        if (!is_read)
            return false;
        lua_pop(L, 1);
    }
    return true;
}

bool tutti__options_read(lua_State *L, struct tutti__lua *lua, struct tutti__options *out)
{
    int top = lua_gettop(L);
    if (!lua_istable(L, 1) || lua_getmetatable(L, 1)) {
        lua_settop(L, top);
        return false;
    }
    *out = (struct tutti__options){ .priority = TUTTI__PRIORITY_NORMAL };
    luaL_checkstack(L, OPTION_SLOTS_MAX_ + LUA_MINSTACK, "options");
    lua_settop(L, top + OPTION_SLOTS_MAX_);
    if (!read_table(L, lua, out, top)) {
        lua_settop(L, top);
        return false;
    }
    lua_rotate(L, 1, OPTION_SLOTS_MAX_);
    return true;
}
