/* SPDX-License-Identifier: MIT */
/*
 * native.c - C functions that Lua starts by name.
 *
 * Layer: api. Locks: natives.mu (leaf). Invariant: items are sorted by name, names are unique.
 */
#include <string.h>

#include "api/bridge.h"
#include "api/engine.h"
#include "base/alloc.h"

void tutti__natives_init(struct tutti__natives *natives, const tutti_allocator *memory)
{
    *natives = (struct tutti__natives){ .memory = memory };
    tutti__mutex_init(&natives->mu);
}

static void free_name(struct tutti__natives *natives, char *name)
{
    tutti__memory_free(natives->memory, name, strlen(name) + 1);
}

static void free_items(struct tutti__natives *natives)
{
    tutti__memory_free(natives->memory, natives->items,
                       natives->capacity * sizeof *natives->items);
}

void tutti__natives_deinit(struct tutti__natives *natives)
{
    for (size_t i = 0; i < natives->count; i++) {
        free_name(natives, natives->items[i].name);
    }
    free_items(natives);
    tutti__mutex_deinit(&natives->mu);
}

/* Where `name` is, or belongs. Returns whether it is there. */
static bool locate_locked(const struct tutti__natives *natives, const char *name, size_t *place)
{
    size_t low = 0;
    size_t high = natives->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(natives->items[middle].name, name);
        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *place = low;
    return false;
}

static bool make_room_locked(struct tutti__natives *natives)
{
    if (natives->count < natives->capacity) {
        return true;
    }
    size_t capacity = natives->capacity == 0 ? 8 : natives->capacity * 2;
    struct tutti__native *items =
        tutti__memory_alloc(natives->memory, TUTTI__ALIGN_ANY, capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    if (natives->count > 0) {
        memcpy(items, natives->items, natives->count * sizeof *items);
    }
    free_items(natives);
    natives->items = items;
    natives->capacity = capacity;
    return true;
}

int tutti__natives_add(struct tutti__natives *natives, const char *name, tutti_native_fn fn,
                       void *user)
{
    size_t bytes = strlen(name) + 1;
    char *copy = tutti__memory_alloc(natives->memory, 1, bytes);
    if (copy == NULL) {
        return TUTTI_ENOMEM;
    }
    memcpy(copy, name, bytes);
    int rc = TUTTI_OK;
    size_t place = 0;
    tutti__mutex_lock(&natives->mu);
    if (locate_locked(natives, name, &place)) {
        rc = TUTTI_EINVAL;
    } else if (!make_room_locked(natives)) {
        rc = TUTTI_ENOMEM;
    } else {
        struct tutti__native *at = natives->items + place;
        memmove(at + 1, at, (natives->count - place) * sizeof *at);
        *at = (struct tutti__native){ copy, fn, user };
        natives->count++;
    }
    tutti__mutex_unlock(&natives->mu);
    if (rc != TUTTI_OK) {
        free_name(natives, copy);
    }
    return rc;
}

bool tutti__natives_find(struct tutti__natives *natives, const char *name, tutti_native_fn *fn,
                         void **user)
{
    size_t place = 0;
    tutti__mutex_lock(&natives->mu);
    bool found = locate_locked(natives, name, &place);
    if (found) {
        *fn = natives->items[place].fn;
        *user = natives->items[place].user;
    }
    tutti__mutex_unlock(&natives->mu);
    return found;
}

TUTTI_API int tutti_register(tutti_engine *e, const char *name, tutti_native_fn fn, void *user)
{
    if (e == NULL || name == NULL || name[0] == '\0' || fn == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    return tutti__natives_add(&e->natives, name, fn, user);
}

bool tutti__bridge_native(tutti_engine *e, const char *name, tutti_native_fn *fn, void **user)
{
    return tutti__natives_find(&e->natives, name, fn, user) ||
           (e->solo != NULL && e->solo->outer != NULL &&
            tutti__natives_find(&e->solo->outer->natives, name, fn, user));
}
