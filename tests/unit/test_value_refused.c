/* SPDX-License-Identifier: MIT */
/*
 * test_value_refused.c - what may not cross is refused with its path; limits; memory that runs out.
 */
#include "test_value.h"

static void refuse(struct test_pair *p, const char *make, const char *want)
{
    struct tutti__buffer *b = test_encode(p, make);
    EQ_STR(b == NULL ? p->err : "(it crossed)", want, want);
    tutti__buffer_unref(b);
}

static void kinds(struct test_pair *p)
{
    refuse(p, "return coroutine.create(print)", "argument 1: thread");
    refuse(p, "return 1, io.stdout", "argument 2: userdata");
    refuse(p, "return 1, 2, setmetatable({}, {})",
           "argument 3: table with a metatable that has no name (tutti.register gives it one)");
    refuse(p, "return string.gmatch('', 'x')", "argument 1: C function that no loaded module has");
    lua_pushlightuserdata(p->from, p);
    lua_setglobal(p->from, "light");
    refuse(p, "return { light }", "argument 1, field \"[1]\": light userdata");
    refuse(p, "Global = {} Global.__index = Global return setmetatable({}, Global)",
           "argument 1: table with a metatable that has no name (tutti.register gives it one)");
}

static void paths(struct test_pair *p)
{
    refuse(p, "local sock = io.stdout "
           "return 0, { hooks = { on_exit = function() return sock end } }",
           "argument 2, field \"hooks.on_exit\", upvalue \"sock\": userdata");
    refuse(p, "return { list = { 1, 2, { deep = coroutine.create(print) } } }",
           "argument 1, field \"list[3].deep\": thread");
    refuse(p, "return { a = { [coroutine.create(print)] = 1 } }",
           "argument 1, field \"a\", key: thread");
    refuse(p, "return { [{ x = io.stdout }] = 1 }", "argument 1, key, field \"x\": userdata");
    refuse(p, "return { [{ 5 }] = io.stdout }", "argument 1, field \"[table]\": userdata");
    refuse(p, "local t = { y = io.stdout } return function() return function() return t end end",
           "argument 1, upvalue \"t\", field \"y\": userdata");
    refuse(p, "return { ['a b\\n\\'\\\\'] = { [1.5] = { [true] = io.stdout } } }",
           "argument 1, field \"['a b\\010\\039\\092'][1.5][true]\": userdata");
    refuse(p, "return { [('k'):rep(50)] = io.stdout }",
           "argument 1, field \"['kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...']\": userdata");
    refuse(p, "local f = load('local s = io.stdout return function() return s end')() "
           "return load(string.dump(f, true)) and debug.setupvalue(load(string.dump(f, true)), 1, "
           "io.stdout) and (function() local g = load(string.dump(f, true)) "
           "debug.setupvalue(g, 1, io.stdout) return g end)()",
           "argument 1, upvalue 1: userdata");
    p->encode.label = "result";
    refuse(p, "return 1, io.stdout", "result 2: userdata");
    p->encode.label = "argument";
    p->encode.function_count = 1;
    refuse(p, "local sock = io.stdout return function() return sock end, 1",
           "upvalue \"sock\": userdata");
    refuse(p, "return function() end, 1, io.stdout", "argument 2: userdata");
    refuse(p, "return string.gmatch('', 'x')", "C function that no loaded module has");
    p->encode.function_count = 0;
}

static void handles_refused(struct test_pair *p)
{
    struct test_handle good = {.refs = 1, .number = 1};
    struct test_handle bad = {.refs = 1, .number = -1};
    test_push_handle(p->from, &good);
    lua_setglobal(p->from, "good");
    test_push_handle(p->from, &bad);
    lua_setglobal(p->from, "bad");
    refuse(p, "return { good, good, bad }", "argument 1, field \"[3]\": this handle stays at home");
    EQ_INT(good.refs, 1, "what was taken before is given back");
    EQ_INT(bad.refs, 1, "and what was refused was not taken");
    lua_pushnil(p->from);
    lua_setglobal(p->from, "good");
    lua_pushnil(p->from);
    lua_setglobal(p->from, "bad");
}

/* Make a table `depth` tables deep without a recursion of any kind. */
static bool cross_depth(struct test_pair *p, int depth)
{
    char make[200];
    snprintf(make, sizeof make, "local t = 1 for _ = 1, %d do t = { t } end return t", depth);
    struct tutti__buffer *b = test_encode(p, make);
    bool crossed = b != NULL && test_decode(p, b);
    tutti__buffer_unref(b);
    return crossed;
}

static void limits(struct test_pair *p)
{
    OK(cross_depth(p, TUTTI_VALUE_DEPTH_MAX), "as deep as the limit: %s", p->err);
    OK(!cross_depth(p, TUTTI_VALUE_DEPTH_MAX + 1), "one deeper is refused");
    OK(strncmp(p->err, "argument 1, field \"[1][1][1]", 27) == 0 &&
       strstr(p->err, "...\": nested deeper than 100000") != NULL, "the message: %s", p->err);
    EQ_UINT(strlen(p->err) < sizeof p->err, 1, "fits");
    lua_settop(p->from, 0);
    lua_gc(p->from, LUA_GCCOLLECT, 0);

    p->encode.depth_max = 2;
    OK(cross_depth(p, 2), "a smaller limit, kept");
    refuse(p, "return { { { } } }", "argument 1, field \"[1][1]\": nested deeper than 2");
    p->encode.depth_max = 0;

    p->encode.bytes_max = 100;
    struct tutti__buffer *b = test_encode(p, "return ('x'):rep(91)"); /* 4 count, 1 tag, 4 length */
    OK(b != NULL && tutti__buffer_size(b) == 100, "as large as the limit: %s", p->err);
    tutti__buffer_unref(b);
    refuse(p, "return ('x'):rep(92)", "argument 1: the message is larger than 100 bytes");
    refuse(p, "local t = {} for i = 1, 100 do t[i] = i end return { rows = t }",
           "argument 1, field \"rows[66]\": the message is larger than 100 bytes");
    p->encode.bytes_max = 0;
}

static void too_many(struct test_pair *p)
{
    lua_State *L = p->from;
    struct tutti__buffer *b = NULL;
    lua_settop(L, 0);
    REQUIRE(lua_checkstack(L, TUTTI_VALUE_COUNT_MAX + 1), "room for many values");
    for (int i = 0; i <= TUTTI_VALUE_COUNT_MAX; i++) {
        lua_pushboolean(L, 1);
    }
    EQ_INT(tutti__value_encode(L, 1, TUTTI_VALUE_COUNT_MAX + 1, &p->encode, &b, p->err,
                               sizeof p->err), TUTTI__VALUE_REFUSED, "one value too many");
    EQ_STR(p->err, "argument 1: more than 250000 values in one message", "says so");
    EQ_INT(tutti__value_encode(L, 1, TUTTI_VALUE_COUNT_MAX, &p->encode, &b, p->err,
                               sizeof p->err), TUTTI__VALUE_OK, "as many as the limit");
    OK(b != NULL && test_decode(p, b) && lua_gettop(p->to) == TUTTI_VALUE_COUNT_MAX, "arrive");
    tutti__buffer_unref(b);
    lua_settop(L, 0);
    lua_settop(p->to, 0);
}

static void small_messages(struct test_pair *p)
{
    char err[24];
    struct tutti__buffer *b = NULL;
    lua_settop(p->from, 0);
    REQUIRE(test_run(p->from, "return { a = { b = { c = { d = { e = print ~= 1 and "
                     "coroutine.create(print) } } } } }", 0), "made");
    for (size_t size = 1; size <= sizeof err; size++) {
        memset(err, 'x', sizeof err);
        tutti__value_encode(p->from, 1, 1, &p->encode, &b, err, size);
        OK(memchr(err, '\0', size) != NULL, "a message of %zu bytes ends in them", size);
    }
}

static const char busy[] =
    "local n, s = 0, ('s'):rep(100) local function f() n = n + 1 return n end "
    "local t = { f, function() return f() end, s, { s, s } } "
    "for i = 1, 40 do t[#t + 1] = { i, handle, string.format, ('x'):rep(50) } end "
    "local deep = {} for i = 1, 30 do deep = { deep, s } end return t, deep, f";

/* Each allocation of our own fails once; nothing is lost, and the next try works. */
static void out_of_memory(struct test_pair *p)
{
    struct test_handle h = {.refs = 1, .number = 1};
    int failures = 0;
    if (!tutti__alloc_fail_nth(0)) {
        NOTE("this build cannot make allocations fail");
        return;
    }
    test_push_handle(p->from, &h);
    lua_setglobal(p->from, "handle");
    lua_settop(p->from, 0);
    REQUIRE(test_run(p->from, busy, 0), "values are there");
    for (uint64_t nth = 1;; nth++) {
        struct tutti__buffer *b = NULL;
        uint64_t live = tutti__alloc_live();
        int refs = h.refs;
        tutti__alloc_fail_nth(nth);
        int rc = tutti__value_encode(p->from, 1, 3, &p->encode, &b, p->err, sizeof p->err);
        tutti__alloc_fail_nth(0);
        if (rc == TUTTI__VALUE_OK) { /* it needed fewer than nth */
            tutti__buffer_unref(b);
            break;
        }
        failures++;
        OK(rc == TUTTI__VALUE_NOMEM && h.refs == refs && tutti__alloc_live() == live &&
           strcmp(p->err, "not enough memory") == 0 && lua_gettop(p->from) == 3,
           "allocation %d fails: rc %d, %s", (int)nth, rc, p->err);
    }
    OK(failures >= 5, "there were %d of them", failures);
    lua_pushnil(p->from);
    lua_setglobal(p->from, "handle");
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    kinds(&p);
    paths(&p);
    handles_refused(&p);
    limits(&p);
    too_many(&p);
    small_messages(&p);
    test_close(&p);
    test_open(&p);
    out_of_memory(&p);
    test_close(&p);
    return TAP_END();
}
