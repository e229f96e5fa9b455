/* SPDX-License-Identifier: MIT */
/*
 * handle.h - objects that tasks of all states of an engine share: channels, semaphores, events.
 *
 * Scripts hold a handle on one, a userdata with the object's address; a handle that is sent to another
 * state becomes a handle there, on the same object. Each object begins with a struct tutti__handle.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_HANDLE_H
#define TUTTI_LUA_HANDLE_H

#include <pthread.h>

#include "lua/state.h"

struct tutti__handle;

/* What all objects of one kind have in common. */
struct tutti__handle_type {
    const char *meta; /* the name of the metatable */
    const char *noun; /* for messages: "a channel" */
    const char *call; /* for messages: "ch:send(v)" */
    /* Free what the object holds; nobody else knows it any more. Thread: any. NULL: nothing. */
    void (*destroy)(struct tutti__handle *handle);
    uint8_t at; /* its place in lua->meta_handles */
};

struct tutti__handle {
    TUTTI_ATOMIC(uint32_t) refs;           /* [any] its own partner: the last one out frees (acq_rel) */
    const struct tutti__handle_type *type; /* [const] */
    pthread_mutex_t mu;                    /* a leaf lock: no callback, no Lua while it is held */
};

/**
 * Make an object of `size` bytes, zeroed behind the handle, and push a handle on it.
 * Memory:  the handle on the stack has the only reference. Raises: out of memory.
 */
struct tutti__handle *tutti__handle_new(lua_State *L, struct tutti__lua *lua,
                                        const struct tutti__handle_type *type, size_t size);

/* Take / drop a reference. Thread: any. Calls: destroy, with the last one. */
void tutti__handle_ref(struct tutti__handle *handle);
void tutti__handle_unref(struct tutti__handle *handle);

/* The object behind the handle at `index`, of whatever type, or NULL. */
struct tutti__handle *tutti__handle_test(lua_State *L, struct tutti__lua *lua, int index);

/* The object of this type behind argument 1; raises `usage`. */
struct tutti__handle *tutti__handle_check(lua_State *L, struct tutti__lua *lua,
                                          const struct tutti__handle_type *type);

/* Push the handle on the object: the same one for the same object while it lives in this state. */
void tutti__handle_push_on(lua_State *L, struct tutti__lua *lua, struct tutti__handle *handle);

/* Note that the metatable on top of the stack is that of `type`, and give it its finaliser. */
void tutti__handle_metatable(lua_State *L, struct tutti__lua *lua,
                             const struct tutti__handle_type *type);

#endif
