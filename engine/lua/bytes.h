/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - buffers: bytes that any number of Lua states share, and typed views of them.
 *
 *     handle (userdata, one per state) --> struct tutti__bytes <-- struct tutti__view <-- handle
 *
 * A buffer never grows or shrinks, and lives until the last handle, view and message that knows it is
 * gone. Nothing is copied when a handle crosses. Whoever shares one decides who writes where; when two
 * states touch the same element at once, each sees an old or a new value: elements (at most 8 bytes,
 * naturally aligned) never tear, anything longer may.
 *
 * Layer: lua. Thread: references and contents any; handles belong to their state.
 * Invariant: a view's elements lie inside its buffer, each at a multiple of its size.
 */
#ifndef TUTTI_LUA_BYTES_H
#define TUTTI_LUA_BYTES_H

#include "lua/state.h"

struct tutti__bytes {
    TUTTI_ATOMIC(uint32_t) refs;      /* [any] its own partner: the last one out frees (acq_rel) */
    size_t size;                      /* [const] */
    uint8_t data[];                   /* [any] aligned for any element; relaxed accesses only */
};

enum tutti__element { ELEMENT_U8, ELEMENT_I32, ELEMENT_I64, ELEMENT_F32, ELEMENT_F64 };

struct tutti__view {
    TUTTI_ATOMIC(uint32_t) refs;   /* [any] as tutti__bytes.refs */
    enum tutti__element element;   /* [const], as all below */
    size_t offset;                 /* in bytes, a multiple of the element's size */
    size_t count;                  /* of elements */
    struct tutti__bytes *bytes;    /* a reference */
};

/* Make `size` zero bytes. Thread: any. Memory: returns owned (tutti__bytes_unref), NULL when there is
 * not so much. */
struct tutti__bytes *tutti__bytes_new(size_t size);

/* Take / drop a reference. Thread: any. */
void tutti__bytes_ref(struct tutti__bytes *bytes);
void tutti__bytes_unref(struct tutti__bytes *bytes);
void tutti__view_ref(struct tutti__view *view);
void tutti__view_unref(struct tutti__view *view);

/* What the handle at `index` stands for, borrowed; NULL: it is no buffer / no view. */
struct tutti__bytes *tutti__bytes_test(lua_State *L, int index);
struct tutti__view *tutti__view_test(lua_State *L, int index);

/* Push the handle: the same one for the same object while it lives in this state. Takes a reference of
 * its own. Raises: memory. */
void tutti__bytes_push(lua_State *L, struct tutti__lua *lua, struct tutti__bytes *bytes);
void tutti__view_push(lua_State *L, struct tutti__lua *lua, struct tutti__view *view);

/* buffer:view(type, [offset, count]) -> view   [-4, +1, v] */
int tutti__view_new(lua_State *L);

/* Give the metatable of views, at the top, what makes v[i] work. */
void tutti__view_accessors(lua_State *L, struct tutti__lua *lua);

/* Push the handle of a shared object, a userdata that is a pointer to it: the one that this state has,
 * or a new one with the metatable `name`, for which `ref` takes a reference. Returns: whether it is
 * new. Raises: memory. */
bool tutti__handle_push(lua_State *L, struct tutti__lua *lua, const char *name, void *object,
                        void (*ref)(void *object));

extern const luaL_Reg tutti__bytes_functions[];
extern const luaL_Reg tutti__bytes_methods[];
extern const luaL_Reg tutti__view_methods[];

#endif
