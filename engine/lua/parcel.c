/* SPDX-License-Identifier: MIT */
/*
 * parcel.c - see parcel.h.
 *
 * Layer: lua. Thread: pack and unpack at home.
 */
#include "lua/parcel.h"

#include <string.h>

#include "lua/pool.h"

enum parcel_kind {
    PARCEL_EMPTY,
    PARCEL_FALSE,
    PARCEL_TRUE,
    PARCEL_INTEGER,
    PARCEL_NUMBER,
    PARCEL_TEXT,
    PARCEL_BYTES,
};

/* Returns whether the value needs no bytes of its own. */
static bool pack_plain(lua_State *L, int index, struct tutti__parcel *parcel)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        parcel->kind = lua_toboolean(L, index) ? PARCEL_TRUE : PARCEL_FALSE;
        return true;
    case LUA_TNUMBER:
        parcel->kind = lua_isinteger(L, index) ? PARCEL_INTEGER : PARCEL_NUMBER;
        if (parcel->kind == PARCEL_INTEGER)
            parcel->as.integer = lua_tointeger(L, index);
        else
            parcel->as.number = lua_tonumber(L, index);
        return true;
    case LUA_TSTRING: {
        size_t length = 0;
        const char *text = lua_tolstring(L, index, &length);
        if (length > TUTTI__PARCEL_TEXT)
            return false;
        memcpy(parcel->as.text, text, length);
        parcel->length = (uint8_t)length;
        parcel->kind = PARCEL_TEXT;
        return true;
    }
    default:
        return false;
    }
}

void tutti__parcel_pack(lua_State *L, struct tutti__lua *lua, int index, const char *what,
                        struct tutti__parcel *parcel)
{
    char why[512];
    if (pack_plain(L, index, parcel))
        return;
    tutti__pool_push_env(L, lua->current);
    struct tutti__encode_opts opts = { .ops = &tutti__lua_value_ops, .label = "argument",
                                       .library = "tutti" };
    opts.env_index = lua_istable(L, -1) ? lua_gettop(L) : 0;
    parcel->kind = PARCEL_BYTES;
    int rc = tutti__value_encode(L, index, 1, &opts, &parcel->as.buffer, why, sizeof why);
    lua_pop(L, 1);
    if (rc == TUTTI__VALUE_OK)
        return;
    parcel->kind = PARCEL_EMPTY;
    luaL_where(L, 1);
    tutti__error_push(L, lua, "transfer", "%scannot %s: %s", lua_tostring(L, -1), what, why);
    lua_error(L);
}

/* Stack of a protected call: [1] the buffer, [2] the _ENV for its functions, or nil. */
static int decode(lua_State *L)
{
    struct tutti__decode_opts opts = { .ops = &tutti__lua_value_ops, .env_index = 0 };
    struct tutti__buffer *buffer = (struct tutti__buffer *)lua_touserdata(L, 1);
    if (lua_istable(L, 2))
        opts.env_index = 2;
    return tutti__value_decode(L, buffer, &opts);
}

static void unpack_bytes(lua_State *L, struct tutti__lua *lua, struct tutti__buffer *buffer)
{
    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, buffer);
    tutti__pool_push_env(L, lua->current);
    int rc = lua_pcall(L, 2, 1, 0);
    tutti__buffer_unref(buffer);
    if (rc != LUA_OK)
        lua_error(L);
}

void tutti__parcel_unpack(lua_State *L, struct tutti__lua *lua, struct tutti__parcel *parcel)
{
    enum parcel_kind kind = (enum parcel_kind)parcel->kind;
    parcel->kind = PARCEL_EMPTY;
    switch (kind) {
    case PARCEL_EMPTY:
        lua_pushnil(L);
        break;
    case PARCEL_FALSE:
    case PARCEL_TRUE:
        lua_pushboolean(L, kind == PARCEL_TRUE);
        break;
    case PARCEL_INTEGER:
        lua_pushinteger(L, parcel->as.integer);
        break;
    case PARCEL_NUMBER:
        lua_pushnumber(L, parcel->as.number);
        break;
    case PARCEL_TEXT:
        lua_pushlstring(L, parcel->as.text, parcel->length);
        break;
    case PARCEL_BYTES:
        unpack_bytes(L, lua, parcel->as.buffer);
        break;
    }
}

void tutti__parcel_drop(struct tutti__parcel *parcel)
{
    if (parcel->kind == PARCEL_BYTES)
        tutti__buffer_unref(parcel->as.buffer);
    parcel->kind = PARCEL_EMPTY;
}
