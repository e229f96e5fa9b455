/* SPDX-License-Identifier: MIT */
/*
 * test_value_crossing.c - what crosses arrives as it was: plain values, tables, functions, handles.
 */
#include "test_value.h"

static void plain_values(struct test_pair *p)
{
    test_carry(p, "no values", "return", "assert(select('#', ...) == 0)");
    test_carry(p, "nil, true, false", "return nil, true, false, nil",
               "local a, b, c = ... assert(a == nil and b == true and c == false)"
               "assert(select('#', ...) == 4)");
    test_carry(p, "integers of every width",
               "return 0, 127, 128, -1, -128, -129, 32767, -32768, 32768, 2147483647, -2147483648,"
               "2147483648, 1 << 53 | 1, math.maxinteger, math.mininteger",
               "local want = { 0, 127, 128, -1, -128, -129, 32767, -32768, 32768, 2147483647,"
               "-2147483648, 2147483648, 1 << 53 | 1, math.maxinteger, math.mininteger }"
               "assert(select('#', ...) == #want)"
               "for i = 1, #want do local x = select(i, ...)"
               "assert(x == want[i] and math.type(x) == 'integer', want[i]) end");
    test_carry(p, "floats",
               "return 1.0, -0.0, 0/0, 1/0, -1/0, 5e-324, 2^53, 0.1",
               "local a, z, nan, inf, ninf, tiny, big, tenth = ..."
               "assert(math.type(a) == 'float' and a == 1)"
               "assert(1 / z == -1/0 and math.type(z) == 'float')"
               "assert(nan ~= nan and inf == 1/0 and ninf == -1/0)"
               "assert(tiny == 5e-324 and big == 2^53 and tenth == 0.1)");
    test_carry(p, "strings with any bytes",
               "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end "
               "all = table.concat(all) "
               "return '', '\\0', all, ('x'):rep(63), ('y'):rep(64), '\\xff\\xfe\\0a', all",
               "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end "
               "all = table.concat(all) local a, b, c, d, e, f, g = ..."
               "assert(a == '' and b == '\\0' and c == all and d == ('x'):rep(63))"
               "assert(e == ('y'):rep(64) and f == '\\xff\\xfe\\0a' and g == all)");
}

static void tables(struct test_pair *p)
{
    test_carry(p, "array and fields", "return { 1, 'two', 3.5, x = 1, [10] = 'ten', [2.5] = 'f' }",
               "local t = ... assert(#t == 3 and t[1] == 1 and t[2] == 'two' and t[3] == 3.5)"
               "assert(t.x == 1 and t[10] == 'ten' and t[2.5] == 'f')"
               "local n = 0 for _ in pairs(t) do n = n + 1 end assert(n == 6)");
    test_carry(p, "holes", "return { 1, nil, 3, nil, nil, 6, [40] = 40 }, { nil, nil, 3 }",
               "local t, u = ... local n = 0 for k, v in pairs(t) do n = n + 1 assert(k == v) end "
               "assert(n == 4 and u[3] == 3 and next(u, next(u)) == nil)");
    test_carry(p, "the length is the sender's",
               "local t = { 1, 2, 3, [5] = 5 } local u = {} for i = 1, 9 do u[i] = i end "
               "for i = 7, 9 do u[i] = nil end return #t, t, #u, u, 3, { 1, nil, 3 }",
               "local a, t, b, u, c, v = ... assert(#t == a and #u == b and #v == c)");
    test_carry(p, "integers in the hash",
               "local t = {} for i = 50, 1, -1 do t[i] = i end t[-1] = -1 t[math.mininteger] = 0 "
               "t[math.maxinteger] = 1 return t",
               "local t = ... for i = 1, 50 do assert(t[i] == i) end assert(t[-1] == -1)"
               "assert(t[math.mininteger] == 0 and t[math.maxinteger] == 1)");
    test_carry(p, "keys of every kind",
               "local k = {} return { [true] = 1, [false] = 2, [k] = k, [1.5] = 3, [print] = 4 }, k",
               "local t, k = ... assert(t[true] == 1 and t[false] == 2 and t[k] == k)"
               "assert(t[1.5] == 3 and t[print] == 4)");
    test_carry(p, "a cycle, and a table that is its own key",
               "local t = { name = 'x' } t.self = t t[t] = t t[1] = { { t } } return t",
               "local t = ... assert(t.self == t and t[t] == t and t[1][1][1] == t and t.name == 'x')");
    test_carry(p, "shared parts across values, and long strings",
               "local s, long = {}, ('z'):rep(1000) return { s, long }, { s, long }, s, long",
               "local a, b, s, l = ... assert(a[1] == s and b[1] == s and a[2] == l and b[2] == l)"
               "assert(l == ('z'):rep(1000))");
    test_carry(p, "thirty doublings stay thirty-one tables",
               "local t = {} for _ = 1, 30 do t = { t, t } end return t",
               "local t, n = ..., 0 while t[1] do assert(t[1] == t[2]) t = t[1] n = n + 1 end "
               "assert(n == 30)");
    struct tutti__buffer *b =
        test_encode(p, "local t = {} for _ = 1, 30 do t = { t, t } end return t");
    OK(b != NULL && tutti__buffer_size(b) < 1000, "and take bytes as thirty-one tables");
    tutti__buffer_unref(b);
    test_carry(p, "ten thousand deep",
               "local t = {} for _ = 1, 10000 do t = { t } end return t",
               "local t, n = ..., 0 while t[1] do t = t[1] n = n + 1 end assert(n == 10000)");
    test_carry(p, "two hundred values",
               "local t = {} for i = 1, 200 do t[i] = { i } end return table.unpack(t)",
               "assert(select('#', ...) == 200) for i = 1, 200 do "
               "assert(select(i, ...)[1] == i) end");
}

static void functions(struct test_pair *p)
{
    test_carry(p, "a function without upvalues",
               "return function(a, b) return a + b end", "assert((...)(2, 3) == 5)");
    test_carry(p, "globals are the receiver's", "return function() return math.max(1, 2), _G end",
               "local f = ... local a, g = f() assert(a == 2 and g == _G)");
    test_carry(p, "the first upvalue is not _ENV: lua_load would overwrite it",
               "local first = 'mine' return function() first = first .. '!' print() return first end",
               "local shown = false print = function() shown = true end "
               "assert((...)() == 'mine!' and shown)");
    test_carry(p, "recursion", "local function f(n) return n < 2 and n or f(n - 1) + f(n - 2) end "
               "return f", "assert((...)(15) == 610)");
    test_carry(p, "mutual recursion over three functions",
               "local a, b, c function a(n) return n == 0 and 'a' or b(n - 1) end "
               "function b(n) return n == 0 and 'b' or c(n - 1) end "
               "function c(n) return n == 0 and 'c' or a(n - 1) end return a",
               "local a = ... assert(a(0) == 'a' and a(1) == 'b' and a(2) == 'c' and a(7) == 'b')");
    test_carry(p, "two closures share a local",
               "local n = 5 local function bump() n = n + 1 return n end "
               "local function read() return n end return bump, read",
               "local bump, read = ... assert(bump() == 6 and bump() == 7 and read() == 7)");
    test_carry(p, "two locals with equal values stay two",
               "local function make() local n = 5 return function(x) n = x or n return n end end "
               "return make(), make()",
               "local f, g = ... assert(f ~= g and f(9) == 9 and g() == 5)");
    test_carry(p, "closures share a table that is also an argument",
               "local t = {} return function() t.seen = true end, t",
               "local f, t = ... f() assert(t.seen)");
    test_carry(p, "a loop's locals are one for each round",
               "local fs = {} for i = 1, 20 do fs[i] = function() i = i + 1 return i end end return fs",
               "local fs = ... for i = 1, 20 do assert(fs[i]() == i + 1 and fs[i]() == i + 2) end");
    test_carry(p, "functions as keys stay distinct",
               "local function make() return function() end end local a, b = make(), make() "
               "return { [a] = 'a', [b] = 'b' }, a, b",
               "local t, a, b = ... assert(a ~= b and t[a] == 'a' and t[b] == 'b')");
    test_carry(p, "a custom _ENV is a table like any other",
               "local _ENV = { x = 1 } function f() x = x + 1 return x end return f, _ENV",
               "local f, env = ... assert(f() == 2 and env.x == 2 and x == nil)");
    test_carry(p, "a shared _ENV variable stays shared",
               "local function set(e) _ENV = e end local function get() return x end return set, get",
               "local set, get = ... assert(get() == nil) set({ x = 4 }) assert(get() == 4)");
    test_carry(p, "a function that is its own upvalue's field",
               "local t = {} function t.f(n) return n == 0 and t or t.f(n - 1) end return t",
               "local t = ... assert(t.f(3) == t)");
    test_carry(p, "varargs, constants, nested functions, goto, to-be-closed",
               "return function(...) local n, log = select('#', ...), {} do "
               "local c <close> = setmetatable({}, { __close = function() log[1] = 'closed' end }) "
               "end for i = 1, 3 do if i == 2 then goto next end log[#log + 1] = i ::next:: end "
               "return n, table.concat(log, ','), function() return 1.5, -7, 'text', nil end end",
               "local n, log, f = (...)(1, nil, nil) assert(n == 3 and log == 'closed,1,3')"
               "local a, b, c = f() assert(a == 1.5 and b == -7 and c == 'text')");
    test_carry(p, "lines and names survive",
               "local up return function() error('here') return up end",
               "local ok, err = pcall(...) assert(err == 'snippet.lua:1: here', err)"
               "assert(debug.getupvalue(..., 2) == 'up')");
}

static void many_upvalues(struct test_pair *p)
{
    test_carry(p, "from 0 to 130 upvalues, with and without factory",
               "local out = {} for n = 0, 130 do local s = {} "
               "for i = 1, n do s[i] = 'v' .. i end local names = table.concat(s, ',') "
               "local text = (n > 0 and 'local ' .. names .. ' = ... ' or '') .. "
               "'return function() return ' .. names .. ' end' "
               "local v = {} for i = 1, n do v[i] = n * 1000 + i end "
               "out[n + 1] = assert(load(text))(table.unpack(v)) end return out",
               "local fs = ... for n = 0, 130 do local v = { fs[n + 1]() } assert(#v == n, n) "
               "for i = 1, n do assert(v[i] == n * 1000 + i) end end");
}

static void same_function_again(struct test_pair *p)
{
    for (int i = 0; i < 3; i++) {
        char make[200];
        char look[100];
        snprintf(make, sizeof make, "if not F then local n = 100 function F() return n end "
                 "function SET(x) n = x end end SET(%d) return F", i);
        snprintf(look, sizeof look, "assert((...)() == %d)", i);
        test_carry(p, "upvalues are read afresh each time", make, look);
    }
    test_carry(p, "what one task does to its copy does not reach the next",
               "if not G then local n = 0 function G() n = n + 1 return n end end return G",
               "assert((...)() == 1)");
    test_carry(p, "even of the same code", "return G", "assert((...)() == 1)");
}

/* Two functions of one line and name, in turns: what is known of a place is only a guess. */
static void same_place(struct test_pair *p)
{
    for (int i = 0; i < 40; i++) {
        char make[200];
        char look[100];
        snprintf(make, sizeof make, "local up = %d return load('local up = ... return function() "
                 "return up + %d end', '=same')(up), load('return %d', '=same')", i, i % 3, i % 5);
        snprintf(look, sizeof look, "local f, g = ... assert(f() == %d and g() == %d)", i + i % 3, i % 5);
        test_carry(p, "functions of one place", make, look);
    }
    test_carry(p, "several of one line",
               "local a, b = 1, 2 local t = {} for i = 1, 20 do "
               "t[i] = { function() return a end, function() return b end, function() return a + b end } "
               "end return t",
               "for _, f in ipairs(...) do assert(f[1]() == 1 and f[2]() == 2 and f[3]() == 3) end");
}

static void environment(struct test_pair *p)
{
    lua_State *L = p->to;
    lua_settop(L, 0);
    struct tutti__buffer *b = test_encode(p, "return function() x = 5 return _ENV end, _G, 17");
    REQUIRE(b != NULL, "encoded");
    lua_newtable(L);
    p->decode.env_index = 1;
    int count = tutti__value_decode(L, b, &p->decode);
    p->decode.env_index = 0;
    EQ_INT(count, 3, "three values");
    EQ_INT(lua_gettop(L), 4, "and nothing else on the stack");
    OK(lua_rawequal(L, 1, 3), "the sender's globals are the table that was given");
    lua_pushvalue(L, 2);
    lua_call(L, 0, 1);
    OK(lua_rawequal(L, 1, 5), "as _ENV too");
    lua_getfield(L, 1, "x");
    EQ_INT(lua_tointeger(L, -1), 5, "and is written to");
    lua_getglobal(L, "x");
    OK(lua_isnil(L, -1), "not the globals");

    /* Back from there: the task's own table counts as the globals. */
    struct tutti__buffer *back = NULL;
    struct tutti__encode_opts opts = p->encode;
    opts.env_index = 1;
    EQ_INT(tutti__value_encode(L, 2, 2, &opts, &back, p->err, sizeof p->err), TUTTI__VALUE_OK,
           "encodes");
    lua_settop(L, 0);
    int n = tutti__value_decode(L, back, &p->decode);
    OK(n == 2 && test_run(L, "local f, g = ... assert(f() == _G and g == _G and x == 5) x = nil", 0),
       "a function of a task comes back with the globals: %s", n == 2 ? "" : "count");
    tutti__buffer_unref(back);
    tutti__buffer_unref(b);
}

static void handles(struct test_pair *p)
{
    struct test_handle h = {.refs = 1, .number = 42};
    lua_State *L = p->from;
    test_push_handle(L, &h);
    lua_setglobal(L, "handle");
    struct tutti__buffer *b =
        test_encode(p, "local h = handle return h, { h, x = h }, function() return h end");
    REQUIRE(b != NULL, "handles cross");
    EQ_INT(h.refs, 2, "the message holds one reference for one object");
    OK(test_decode(p, b) && test_run(p->to, "local h, t, f = ... assert(h:number() == 42)"
       "assert(t[1] == h and t.x == h and f() == h)", 0), "and they are one on the other side");
    tutti__buffer_ref(b);
    tutti__buffer_unref(b);
    EQ_INT(h.refs, 2, "as long as somebody has the buffer");
    tutti__buffer_unref(b);
    EQ_INT(h.refs, 1, "the last one drops it");
    lua_pushnil(L);
    lua_setglobal(L, "handle");
}

static void boxes(struct test_pair *p)
{
    test_carry(p, "a box is a box again", "return box({ 1, x = box(2) }), box(nil)",
               "local b, n = ... local t = unbox(b) assert(t[1] == 1 and unbox(t.x) == 2)"
               "assert(unbox(n) == nil)");
    test_carry(p, "one box is one box", "local b = box(7) return b, { b }, function() return b end",
               "local b, t, f = ... assert(b == t[1] and b == f() and unbox(b) == 7)");
    test_carry(p, "a box may hold itself", "local b = box() setbox(b, { b, [b] = b }) return b",
               "local b = ... local t = unbox(b) assert(t[1] == b and t[b] == b)");
    test_carry(p, "what cannot cross is described inside a box",
               "return box({ io.stdout, coroutine.create(print), string.gmatch('', 'x'), 5 }), 6",
               "local b, n = ... local t = unbox(b) assert(t[1] == '(userdata)' and t[2] == '(thread)')"
               "assert(t[3] == '(C function that no loaded module has)' and t[4] == 5 and n == 6)");
    test_carry(p, "at any depth, also as a key and as an upvalue",
               "local out = io.stdout return box({ { [io.stdout] = function() return out end } })",
               "local t = unbox((...))[1] assert(t['(userdata)']() == '(userdata)')");
    test_carry(p, "and a metatable without a name is left out",
               "return box(setmetatable({ code = 2 }, { __tostring = error }))",
               "local t = unbox((...)) assert(t.code == 2 and getmetatable(t) == nil)");
    OK(test_encode(p, "return box(1), io.stdout") == NULL, "outside of it all is as ever");
    EQ_STR(p->err, "argument 2: userdata", "with its path");
    OK(test_encode(p, "local t = {} for i = 1, 100000 do t = { t } end return { e = box({ v = t }) }")
       == NULL, "limits are limits");
    OK(strncmp(p->err, "argument 1, field \"e.v[1][1]", 26) == 0, "%s", p->err);
}

static void fan_out(struct test_pair *p)
{
    struct tutti__buffer *b =
        test_encode(p, "local n, t = 0, {} return function() n = n + 1 return n, t end, t");
    lua_State *third = test_state();
    REQUIRE(b != NULL, "encoded");
    for (int i = 0; i < 2; i++) {
        OK(test_decode(p, b) && test_run(p->to, "local f, t = ... local n, u = f() "
           "assert(n == 1 and u == t and f() == 2)", 0), "decoded in one state, time %d", i);
    }
    lua_State *first = p->to;
    p->to = third;
    OK(test_decode(p, b) && test_run(third, "assert((...)() == 1)", 0), "and in another");
    p->to = first;
    tutti__buffer_unref(b);
    lua_close(third);
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    plain_values(&p);
    tables(&p);
    functions(&p);
    many_upvalues(&p);
    same_function_again(&p);
    same_place(&p);
    environment(&p);
    handles(&p);
    boxes(&p);
    fan_out(&p);
    test_close(&p);
    return TAP_END();
}
