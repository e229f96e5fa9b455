/* SPDX-License-Identifier: MIT */
/*
 * traceback.c - the stack of a coroutine as text, for errors that are made by the thousand.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/traceback.h"

#include <string.h>

/* Of a deep stack the first and the last frames are shown, as many as luaL_traceback shows. */
enum { FIRST_SHOWN = 10, LAST_SHOWN = 11 };

static bool has_level(lua_State *L, int level)
{
    lua_Debug ar;
    return lua_getstack(L, level, &ar) != 0;
}

/* The number of frames: that many steps at most, each twice as far as the one before, and half as far. */
static int count_levels(lua_State *L)
{
    int low = 0, high = 1;
    while (has_level(L, high)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        *(has_level(L, middle) ? &low : &high) = middle;
    }
    return high;
}

static void add_function(luaL_Buffer *text, lua_State *L, const lua_Debug *ar)
{
    if (ar->namewhat[0] == 'g')
        lua_pushfstring(L, "function '%s'", ar->name);
    else if (ar->namewhat[0] != '\0')
        lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
    else if (ar->what[0] == 'm')
        lua_pushliteral(L, "main chunk");
    else if (ar->what[0] == 'C')
        lua_pushliteral(L, "?");
    else
        lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
    luaL_addvalue(text);
}

static void add_frame(luaL_Buffer *text, lua_State *L, const lua_Debug *ar)
{
    if (ar->currentline <= 0)
        lua_pushfstring(L, "\n\t%s: in ", ar->short_src);
    else
        lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
    luaL_addvalue(text);
    add_function(text, L, ar);
    if (ar->istailcall)
        luaL_addstring(text, "\n\t(...tail calls...)");
}

static void push_text(lua_State *L, int level)
{
    luaL_Buffer text;
    lua_Debug ar;
    int count = count_levels(L);
    int skip_from = count - level > FIRST_SHOWN + LAST_SHOWN ? level + FIRST_SHOWN : count;
    luaL_buffinit(L, &text);
    luaL_addstring(&text, "stack traceback:");
    for (; level < count && lua_getstack(L, level, &ar); level++) {
        if (level == skip_from) {
            lua_pushfstring(L, "\n\t...\t(skipping %d levels)", count - LAST_SHOWN - level);
            luaL_addvalue(&text);
            level = count - LAST_SHOWN - 1;
            continue;
        }
        (void)lua_getinfo(L, "Slnt", &ar);
        add_frame(&text, L, &ar);
    }
    luaL_pushresult(&text);
}

/* ---- stacks that have been seen ------------------------------------------------------------ */

/* Stacks of more frames are not kept, and no more texts than these. */
enum { KEPT_FRAMES = 8, KEPT_MAX = 16 };

/* All that the text of a frame is made of, but for the name of its function: that is how the frame below
 * it calls it, in the line that is given there. */
struct frame {
    lua_CFunction function; /* NULL: of Lua */
    uint32_t source;
    int line;
    int line_defined;
    int is_tail_call;
};

struct stack {
    size_t count; /* 0: none */
    struct frame frames[KEPT_FRAMES];
};

/* Each stands where its hash says; its text is in the table at that place, counted from 1. */
struct tutti__stacks {
    struct stack kept[KEPT_MAX];
};

static bool note_frame(lua_State *L, struct tutti__lua *lua, lua_Debug *ar, struct frame *frame)
{
    (void)lua_getinfo(L, "tf", ar);
    *frame = (struct frame){ .function = lua_tocfunction(L, -1), .is_tail_call = ar->istailcall };
    lua_pop(L, 1);
    if (frame->function != NULL)
        return true;
    (void)lua_getinfo(L, "Sl", ar);
    if (ar->source[0] != '@')
        return false; /* a chunk of text has no name of its own */
    frame->line = ar->currentline;
    frame->line_defined = ar->linedefined;
    frame->source = tutti__record_source(L, lua, ar->source);
    return true;
}

/* Returns: false - it is too deep, or has a frame that nothing stands for. */
static bool note_stack(lua_State *L, struct tutti__lua *lua, int level, struct stack *stack)
{
    lua_Debug ar;
    stack->count = 0;
    for (; lua_getstack(L, level, &ar) != 0; level++) {
        if (stack->count == KEPT_FRAMES || !note_frame(L, lua, &ar, &stack->frames[stack->count]))
            return false;
        stack->count++;
    }
    return stack->count > 0;
}

static int place_of(const struct stack *stack)
{
    uint64_t h = stack->count;
    for (size_t i = 0; i < stack->count; i++) {
        const struct frame *frame = &stack->frames[i];
        h = (h ^ (uintptr_t)frame->function ^ frame->source ^ (uint64_t)(unsigned)frame->line << 32)
            * UINT64_C(0x9fb21c651e98df25);
    }
    return (int)((h >> 32) % KEPT_MAX);
}

static bool is_kept(const struct stack *kept, const struct stack *stack)
{
    return kept->count == stack->count
        && memcmp(kept->frames, stack->frames, stack->count * sizeof stack->frames[0]) == 0;
}

/* Push the table of texts, in which the stacks stand last. */
static void push_texts(lua_State *L, struct tutti__lua *lua)
{
    if (lua->ref_traces != 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_traces);
        return;
    }
    lua_createtable(L, KEPT_MAX + 1, 0);
    struct tutti__stacks *stacks = (struct tutti__stacks *)lua_newuserdatauv(L, sizeof *stacks, 0);
    memset(stacks, 0, sizeof *stacks);
    lua_rawseti(L, -2, KEPT_MAX + 1);
    lua_pushvalue(L, -1);
    lua->ref_traces = luaL_ref(L, LUA_REGISTRYINDEX);
    lua->stacks = stacks;
}

void tutti__traceback(lua_State *L, struct tutti__lua *lua, int level)
{
    struct stack stack;
    luaL_checkstack(L, LUA_MINSTACK, "to show the stack");
    if (!note_stack(L, lua, level, &stack)) {
        push_text(L, level);
        return;
    }
    int place = place_of(&stack);
    push_texts(L, lua);
    if (is_kept(&lua->stacks->kept[place], &stack)) {
        lua_rawgeti(L, -1, place + 1);
    } else {
        push_text(L, level);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, place + 1);
        lua->stacks->kept[place] = stack;
    }
    lua_remove(L, -2);
}
