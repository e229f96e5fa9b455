/* SPDX-License-Identifier: MIT */
/*
 * test_value_names.c - what crosses by name: modules, C functions, classes, the library's own.
 */
#include "test_value.h"

/* Modules that both states can load, as files would be. */
static const char modules[] =
    "package.preload.geo = function() local Point = {} Point.__index = Point "
    "  function Point.new(x) return setmetatable({ x = x }, Point) end "
    "  function Point:get() return self.x end "
    "  return { Point = Point, plain = { 1, 2 }, work = function() return 'worked' end, "
    "           format = string.format, meta = { __mode = 'k' } } end "
    "package.preload.class = function() local C = {} C.__index = C "
    "  return setmetatable(C, { __call = function(self, v) "
    "    return setmetatable({ v = v }, self) end }) end "
    "package.preload.late = function() return { items = {}, Class = { __index = {} } } end "
    "package.preload.broken = function() error('no such luck', 0) end "
    "package.preload['tutti'] = function() local hidden = coroutine.create(print) "
    "  return { sleep = load('local h = ... return function() return h ~= nil end', "
    "                        '@tutti/init.lua')(hidden), fs = { read = print } } end "
    "package.preload['tuttifrutti'] = function() return { list = { 1 } } end ";

static void install(struct test_pair *p)
{
    lua_settop(p->from, 0);
    lua_settop(p->to, 0);
    REQUIRE(test_run(p->from, modules, 0) && test_run(p->to, modules, 0), "modules are there");
}

static void c_functions(struct test_pair *p)
{
    test_carry(p, "C functions", "return string.format, print, math.floor, table.unpack, select",
               "local a, b, c, d, e = ... assert(a == string.format and b == print)"
               "assert(c == math.floor and d == table.unpack and e == select)");
    test_carry(p, "as upvalues and fields",
               "local fmt = string.format return function(x) return fmt('<%s>', x) end, { pcall }",
               "local f, t = ... assert(f(1) == '<1>' and t[1] == pcall)");
    test_carry(p, "aliases that only the sender has do not count",
               "ab, string.aa = string.format, print package.loaded.a = { b = string.rep, c = type } "
               "return string.format, print, string.rep, type",
               "local a, b, c, d = ... assert(a == string.format and b == print)"
               "assert(c == string.rep and d == type)");
    test_carry(p, "the receiver's own takes their place", "print = warn return warn",
               "assert((...) == warn)");
}

static void whole_modules(struct test_pair *p)
{
    test_carry(p, "a library table", "return string, { io, os }, package.loaded.math",
               "local s, t, m = ... assert(s == string and t[1] == io and t[2] == os and m == math)");
    test_carry(p, "a module that the receiver has yet to load",
               "local geo = require('geo') return function() return geo.work() end, geo",
               "local f, geo = ... assert(f() == 'worked' and geo == require('geo'))");
    test_carry(p, "a module loaded after the first message",
               "local late = require('late') return late", "assert((...) == require('late'))");
}

static void classes(struct test_pair *p)
{
    test_carry(p, "an object of a class that is a module's field",
               "local Point = require('geo').Point local a = Point.new(3) a.self = a "
               "return a, { Point.new(4), Point.new(5) }, Point",
               "local a, t, Point = ... assert(getmetatable(a) == Point and a:get() == 3)"
               "assert(a.self == a and t[1]:get() + t[2]:get() == 9)"
               "assert(Point == require('geo').Point)");
    test_carry(p, "an object of a class that is a module",
               "local C = require('class') return C(7), C",
               "local o, C = ... assert(getmetatable(o) == C and o.v == 7 and C == require('class'))");
    test_carry(p, "a metatable that is a field without __index",
               "return setmetatable({ 1 }, require('geo').meta)",
               "assert(getmetatable(...) == require('geo').meta)");
    test_carry(p, "plain data of a module is copied, as it is now",
               "local geo = require('geo') geo.plain[3] = 3 return geo.plain",
               "local t = ... assert(#t == 3 and t ~= require('geo').plain)");
    test_carry(p, "a class that was added to a module after the names were read",
               "local late = require('late') late.New = { __index = {} } "
               "return setmetatable({ 1 }, late.Class)",
               "assert(getmetatable(...) == require('late').Class)");
    test_carry(p, "a global table has no name: it is copied",
               "Config = { level = 3 } return Config", "local t = ... assert(t.level == 3)");
    test_carry(p, "a Lua function of a module is copied", "return require('geo').work",
               "local f = ... assert(f() == 'worked' and f ~= require('geo').work)");
}

static void the_library(struct test_pair *p)
{
    p->encode.library = "tutti";
    test_carry(p, "the library's own functions and tables go by name",
               "local sleep, fs = require('tutti').sleep, require('tutti').fs "
               "return function() return sleep() end, fs, sleep",
               "local f, fs, sleep = ... assert(f() and fs == require('tutti').fs)"
               "assert(sleep == require('tutti').sleep)");
    test_carry(p, "other modules' tables do not", "return require('tuttifrutti').list",
               "assert((...) ~= require('tuttifrutti').list)");
    p->encode.library = NULL;
}

/* What cannot be found on the other side is an error there, and says what. */
static void missing(struct test_pair *p)
{
    static const struct {
        const char *make;
        const char *message;
    } cases[] = {
        {"package.loaded.nowhere = {} return package.loaded.nowhere", "module 'nowhere' not found"},
        {"package.loaded.broken = {} return { package.loaded.broken }", "no such luck"},
        {"string.extra = string.gmatch('', 'x') return string.extra",
         "\"string.extra\" is nil in this Lua state, where a function is expected"},
        {"package.loaded.geo2 = { C = { __index = 1 } } "
         "return package.loaded.geo2.C", "module 'geo2' not found"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tutti__buffer *b = test_encode(p, cases[i].make);
        REQUIRE(b != NULL, "encoded: %s", p->err);
        bool found = test_decode(p, b);
        const char *message = found ? "nothing" : luaL_tolstring(p->to, -1, NULL);
        OK(!found && strstr(message, cases[i].message) != NULL, "%s: %.100s", cases[i].message,
           message);
        tutti__buffer_unref(b);
    }
    OK(test_run(p->from, "package.loaded.nowhere, package.loaded.broken = nil "
       "string.extra = nil", 0), "undone");
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    install(&p);
    c_functions(&p);
    whole_modules(&p);
    classes(&p);
    the_library(&p);
    missing(&p);
    test_close(&p);
    return TAP_END();
}
