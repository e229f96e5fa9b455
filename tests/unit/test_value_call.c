/* SPDX-License-Identifier: MIT */
/*
 * test_value_call.c - calls that go the short way (value/call.h) are the very messages of the long one, and
 * code that is known by its address is the right code.
 * threads: one
 */
#include "test_value.h"

#include "value/cache.h"

/* Too few for a call of the short way, enough for those here. */
enum { LONG_WAY_BYTES = 320 };

/* Encode what `make` returns three times, so that its function is known, then by the long way. */
static void same_bytes(struct test_pair *p, const char *name, const char *make, bool is_call)
{
    struct tutti__buffer *b = NULL;
    for (int i = 0; i < 3; i++) {
        tutti__buffer_unref(b);
        b = test_encode(p, make);
        REQUIRE(b != NULL, "%s: %s", name, p->err);
    }
    p->encode.bytes_max = LONG_WAY_BYTES;
    struct tutti__buffer *other = test_encode(p, make);
    p->encode.bytes_max = 0;
    REQUIRE(other != NULL, "%s, the long way: %s", name, p->err);
    OK(!other->is_call && b->is_call == is_call, "%s: went the %s way", name, is_call ? "short" : "long");
    OK(b->size == other->size && memcmp(b->bytes, other->bytes, b->size) == 0 &&
           b->has_globals == other->has_globals && b->object_count == other->object_count &&
           b->objects[0].pointer == other->objects[0].pointer,
       "%s: and is the same message", name);
    tutti__buffer_unref(b);
    tutti__buffer_unref(other);
}

static void messages(struct test_pair *p)
{
    same_bytes(p, "no upvalues", "F1 = F1 or function(a) return a end return F1", true);
    same_bytes(p, "plain ones, and arguments",
               "if not F2 then local a, b = 1, 'x' function F2() return a, b end end "
               "return F2, 1, -70000", true);
    same_bytes(p, "globals", "F3 = F3 or function() return x end return F3, _G", true);
    same_bytes(p, "a closure that is new each time",
               "F0 = F0 or function(a) return function() return a end end return F0(5), 1", true);
    same_bytes(p, "a table", "F4 = F4 or function() end return F4, {}", false);
    same_bytes(p, "a string that could come twice",
               "F5 = F5 or function() end return F5, ('x'):rep(64)", false);
    same_bytes(p, "a function as upvalue",
               "if not F6 then local function f() end function F6() return f end end return F6", false);
    same_bytes(p, "a variable behind two upvalues",
               "if not F7 then local a, b = 1, 2 function F7() return a, b end "
               "debug.upvaluejoin(F7, 1, F7, 2) end return F7", false);
    same_bytes(p, "twice the same function", "F8 = F8 or function() end return F8, F8", false);
}

static void values(struct test_pair *p)
{
    static const char make[] =
        "if not F9 then local a, b, c, d = nil, 2.5, true, 'text' "
        "function F9(...) return a, b, c, d, math, ... end end return F9, false, 'y', 7, nil";
    for (int i = 0; i < 3; i++) {
        test_carry(p, "upvalues and arguments arrive", make,
                   "local f = ... local a, b, c, d, m = f() assert(select('#', ...) == 5)"
                   "assert(a == nil and b == 2.5 and c == true and d == 'text' and m == math)"
                   "assert(select(2, ...) == false and select(3, ...) == 'y')"
                   "assert(select(4, ...) == 7 and select(5, ...) == nil)");
    }
    struct tutti__buffer *b = test_encode(p, "local n = 0 return function() n = n + 1 return n end");
    struct tutti__buffer *c = test_encode(p, "local n = 0 return function() n = n + 1 return n end");
    OK(test_decode(p, c) && test_run(p->to, "local f = ... assert(f() == 1 and f() == 2)", 0) &&
           test_decode(p, c) && test_run(p->to, "assert((...)() == 1)", 0),
       "a message that is read twice gives two functions");
    tutti__buffer_unref(b);
    tutti__buffer_unref(c);
}

/* A function that stands inside another on one line, with as many upvalues: only the code differs. */
static void nested_on_one_line(struct test_pair *p)
{
    static const char begin[] = "if not OUTER then local up = 'up' function OUTER() return function() "
                                "return up end end end ";
    char make[200];
    for (int i = 0; i < 60; i++) {
        bool is_outer = i % 7 < 3;
        snprintf(make, sizeof make, "%s return OUTER%s", begin, is_outer ? "" : "()");
        test_carry(p, "one of two on one line", make,
                   is_outer ? "assert((...)()() == 'up')" : "assert((...)() == 'up')");
    }
}

/* Known by address as long as a function lives; then compared again. */
static void known_by_address(struct test_pair *p)
{
    enum { ROUNDS = 100, COLLECT_EVERY = 25 };
    int short_ones = 0;
    test_carry(p, "a maker", "function MAKE(i) return function() return i end end return 1",
               "assert(... == 1)");
    lua_gc(p->from, LUA_GCSTOP, 0);
    for (int i = 0; i < ROUNDS; i++) {
        char make[60];
        snprintf(make, sizeof make, "return MAKE(%d)", i);
        struct tutti__buffer *b = test_encode(p, make);
        lua_settop(p->from, 0);
        short_ones += b->is_call;
        tutti__buffer_unref(b);
        if (i % COLLECT_EVERY == 0) {
            lua_gc(p->from, LUA_GCCOLLECT, 0);
        }
    }
    lua_gc(p->from, LUA_GCRESTART, 0);
    struct tutti__cache *cache = tutti__cache_get(p->from);
    lua_settop(p->from, 0);
    if (cache->shows_code) {
        OK(short_ones > ROUNDS / 2 && short_ones < ROUNDS, "%d of %d were known", short_ones, ROUNDS);
    } else {
        EQ_INT(short_ones, 0, "this Lua does not show where code lies");
    }
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    messages(&p);
    values(&p);
    nested_on_one_line(&p);
    known_by_address(&p);
    test_close(&p);
    EQ_UINT(tutti__alloc_live(), 0, "no memory is left");
    return TAP_END();
}
