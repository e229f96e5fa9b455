/* SPDX-License-Identifier: MIT */
/*
 * codec.h - carry Lua values from one Lua state to another, as bytes.
 *
 *   sender's thread              any thread                receiver's thread(s)
 *   tutti__value_encode  ->  struct tutti__buffer  ->  tutti__value_decode, once or many times
 *
 * No call touches two states. What crosses (design 2.8): nil, booleans, integers, floats, strings,
 * tables with cycles and shared parts, Lua functions with their upvalues, the globals (they become
 * the receiver's), handles of the layer above, and by name:
 *
 *   - whatever `require` has loaded (a value of package.loaded);
 *   - C functions that are fields of a loaded module, string.format or print;
 *   - classes: fields of a loaded module that are tables with an `__index`; and the metatable of a
 *     table, if it is a module or a field of one;
 *   - functions of `library`'s own chunks, and tables in its modules, one level deep;
 *   - tables that were given a name (tutti__names_register), in both states.
 *
 * An object of the layer above may also cross as what it is made of (a box: an error object is its
 * table of fields); on arrival a new one is made of that.
 *
 * Everything else is refused with the path to it; inside a box, where it must not cost the rest, it
 * becomes a string that says what it was, and a metatable without a name is left out. Fields of _G
 * that are not C functions or library functions have no name: another state has not run this script.
 *
 * What a state remembers (names, dumped and loaded code) lies in one userdata in its registry.
 *
 * Layer: value. Includes base/ and Lua only.
 * Locks: none.
 * Invariant: a message is whole or does not exist.
 */
#ifndef TUTTI_VALUE_CODEC_H
#define TUTTI_VALUE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "value/buffer.h"
#include "value/format.h"

enum tutti__value_status {
    TUTTI__VALUE_OK = 0,
    TUTTI__VALUE_NOMEM = -1,   /* the number of TUTTI_ENOMEM */
    TUTTI__VALUE_REFUSED = -2, /* kind `transfer`; the message says what and where */
};

/* What the codec asks of the layer above about its shared handles (tasks, channels, ...).
 * Must outlive every buffer that was made with it. Any member but `user` may be called. */
struct tutti__value_ops {
    /* Is the userdata at `index` a handle? Returns: 1 - yes: *kind and *object are set and a
     * reference was taken · 0 - no · -1 - it may not cross: *why says so, a static string.
     * May neither raise nor allocate in L: a table may be half read (a finaliser could change it). */
    int (*handle_encode)(lua_State *L, int index, uint8_t *kind, void **object, const char **why,
                         void *user);
    /* Push the handle of `object`; takes its own reference if it needs one. May raise. */
    void (*handle_decode)(lua_State *L, uint8_t kind, void *object, void *user);
    /* Take / drop a reference. Thread: any. */
    void (*handle_ref)(uint8_t kind, void *object);
    void (*handle_drop)(uint8_t kind, void *object);
    /* What handle_encode says 0 to: is it a box? Returns its kind, 0 - no. NULL: there are no boxes.
     * Neither this nor box_push may raise or allocate in L. */
    uint8_t (*box_kind)(lua_State *L, int index, void *user);
    /* Push what the box at `index` is made of, one value. */
    void (*box_push)(lua_State *L, int index, uint8_t kind, void *user);
    /* Push a new, empty box / pop its content and give it to the box at `index`. Between the two the
     * content is decoded, which may hold the box itself. May raise. */
    void (*box_make)(lua_State *L, uint8_t kind, void *user);
    void (*box_fill)(lua_State *L, int index, uint8_t kind, void *user);
    /* Raise the message at the top as what it is to the layer above: something that this state cannot
     * make. NULL: the message itself is the error. */
    int (*refuse)(lua_State *L, void *user);
    void *user;
};

struct tutti__encode_opts {
    const struct tutti__value_ops *ops; /* NULL: there are no handles */
    const char *label;      /* "argument", "result": the word before a value's number in a message */
    int function_count;     /* so many first values are the call's own function(s): they are not
                               numbered, and a path into one begins with its upvalue */
    int env_index;          /* a second table that counts as the globals (a pool task's _ENV);
                               0 = none */
    const char *library;    /* "tutti": functions of chunks "@tutti/..." and tables of the modules
                               "tutti", "tutti.*" cross by name; NULL = none. The same for all calls
                               on one state. */
    uint32_t depth_max;     /* 0 = TUTTI_VALUE_DEPTH_MAX; counts tables and functions */
    size_t bytes_max;       /* 0 = TUTTI_VALUE_BYTES_MAX, which is also the most there can be (a
                               number asks for room for 9 bytes, whatever it takes) */
};

struct tutti__decode_opts {
    const struct tutti__value_ops *ops;
    int env_index; /* the table that stands for the sender's globals; 0 = the globals of L */
};

/**
 * Encode the values at first .. first+count-1 of L's stack as one message.
 *
 * Thread:  the one that runs L.
 * Args:    first - a valid index; err[err_bytes] - for the message, err_bytes > 0; opts - NULL = none.
 * Memory:  `*out` is owned (tutti__buffer_unref).
 * Returns: TUTTI__VALUE_OK · _REFUSED (`err` says, for example, `argument 2, field "hooks.on_exit",
 *          upvalue "sock": userdata`) · _NOMEM (`err` says so too). Never raises; the stack is as it
 *          was; on any error there is no buffer and no reference is kept.
 * Calls:   ops->handle_encode, handle_drop. Lua code only through finalisers, when no table is open.
 */
int tutti__value_encode(lua_State *L, int first, int count, const struct tutti__encode_opts *opts,
                        struct tutti__buffer **out, char *err, size_t err_bytes);

/**
 * Push the values of `b`, in order. A buffer can be decoded any number of times, in any states.
 *
 * Thread:  the one that runs L.
 * Memory:  borrows `b`.
 * Returns: the number of values. Raises Lua errors (call it protected): memory, stack, a name that
 *          this state does not know, an error in a module that `require` loads, damage.
 * Calls:   ops->handle_decode; `require` of L's globals for modules not loaded yet.
 */
int tutti__value_decode(lua_State *L, struct tutti__buffer *b,
                        const struct tutti__decode_opts *opts);

/**
 * As tutti__value_decode, for bytes of unknown origin (fuzzing): functions, handles and names are
 * refused. Raises an error for whatever is not a message, whole and nothing but.
 */
int tutti__value_decode_raw(lua_State *L, const uint8_t *bytes, size_t size);

#endif
