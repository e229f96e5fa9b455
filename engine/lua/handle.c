/* SPDX-License-Identifier: MIT */
/*
 * handle.c - see handle.h.
 *
 * Layer: lua. Thread: the state's home; ref and unref any.
 * Invariant: an object lives as long as one handle, message or wait refers to it.
 */
#include "lua/handle.h"

#include <stdlib.h>

#include "lua/bytes.h"

struct tutti__handle *tutti__handle_new(lua_State *L, struct tutti__lua *lua,
                                        const struct tutti__handle_type *type, size_t size)
{
    struct tutti__handle *handle = (struct tutti__handle *)calloc(1, size);
    if (handle == NULL) {
        luaL_error(L, "not enough memory for %s", type->noun);
        return NULL;
    }
    TUTTI_STORE(&handle->refs, 1u, relaxed); /* nobody else knows it yet */
    handle->type = type;
    pthread_mutex_init(&handle->mu, NULL);
    tutti__handle_push_on(L, lua, handle);
    tutti__handle_unref(handle);
    return handle;
}

void tutti__handle_ref(struct tutti__handle *handle)
{
    /* Whoever adds a reference has one, so nothing needs to be ordered. */
    (void)TUTTI_FETCH_ADD(&handle->refs, 1u, relaxed);
}

void tutti__handle_unref(struct tutti__handle *handle)
{
    if (TUTTI_FETCH_SUB(&handle->refs, 1u, acq_rel) != 1u)
        return;
    if (handle->type->destroy != NULL)
        handle->type->destroy(handle);
    pthread_mutex_destroy(&handle->mu);
    free(handle);
}

struct tutti__handle *tutti__handle_test(lua_State *L, struct tutti__lua *lua, int index)
{
    struct tutti__handle **box = (struct tutti__handle **)lua_touserdata(L, index);
    if (box == NULL || !lua_getmetatable(L, index))
        return NULL;
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    for (int i = 0; i < TUTTI__HANDLE_TYPES; i++) {
        if (meta == lua->meta_handles[i])
            return *box;
    }
    return NULL;
}

struct tutti__handle *tutti__handle_check(lua_State *L, struct tutti__lua *lua,
                                          const struct tutti__handle_type *type)
{
    struct tutti__handle *handle = tutti__handle_test(L, lua, 1);
    if (handle == NULL || handle->type != type)
        tutti__usage(L, 1, "%s was expected, got %s (methods are called with a colon: %s)", type->noun,
                     luaL_typename(L, 1), type->call);
    return handle;
}

static void ref_object(void *object)
{
    tutti__handle_ref((struct tutti__handle *)object);
}

void tutti__handle_push_on(lua_State *L, struct tutti__lua *lua, struct tutti__handle *handle)
{
    (void)tutti__handle_push(L, lua, handle->type->meta, handle, ref_object);
}

static int collect(lua_State *L)
{
    struct tutti__handle **box = (struct tutti__handle **)lua_touserdata(L, 1);
    if (*box != NULL)
        tutti__handle_unref(*box);
    *box = NULL;
    return 0;
}

void tutti__handle_metatable(lua_State *L, struct tutti__lua *lua,
                             const struct tutti__handle_type *type)
{
    lua->meta_handles[type->at] = lua_topointer(L, -1);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
}
