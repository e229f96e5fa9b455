-- SPDX-License-Identifier: MIT
-- What crosses between Lua states and how: design 2.8, and the traps that broke others.
local tutti = require("tutti")
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")
local shapes = require("tests.spec.support.shapes")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

-- The refusal of parallel(f, ...), after its head.
local function refusal(...)
  local ok, err = pcall(tutti.parallel, ...)
  assert.is_false(ok)
  assert.equal("transfer", err.kind)
  return (err.message:gsub("^.-cannot send this to another Lua state: ", ""))
end

local function there(f, ...)
  return tutti.parallel(f, ...):await()
end

local function echo(...)
  return ...
end

describe("crossing: functions", function()
  it("keep their first upvalue when it is not _ENV (lua_load sets it to the globals)", function()
    local first = { 1 }
    local function f() return first[1], type(print), first end
    local one, kind, table_back = there(f)
    assert.same({ 1, "function", { 1 } }, { one, kind, table_back })
  end)

  it("find _ENV by identity: stripped of its name, not in first place, or none at all", function()
    local source = "local a = ... return function() a = 1 return type(string), a end"
    local stripped = load(string.dump(load(source), true))(5)
    assert.same({ "table", 1 }, { there(stripped) })
    local own = { string = "mine" }
    local custom = load("return string", "custom", "t", own)
    assert.equal("mine", there(custom)) -- a table of the script's own is copied
    local function pure(a, b) return a + b end
    assert.equal(3, there(pure, 1, 2))
  end)

  it("recur, directly and through each other", function()
    local odd
    local function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    assert.is_true(there(even, 10))
    local function fact(n) return n == 0 and 1 or n * fact(n - 1) end
    assert.equal(3628800, there(fact, 10))
  end)

  it("share on the other side the locals that they share here", function()
    local count = 0
    local function up() count = count + 1 return count end
    local function get() return count end
    assert.same({ 1, 2, 2 }, { there(function() return up(), up(), get() end) })
    assert.equal(0, count) -- a copy: nothing comes back by itself
    local a, b = there(function()
      local n = 10
      return function() n = n + 1 return n end, function() return n end
    end)
    assert.same({ 11, 11, 12 }, { a(), b(), a() })
  end)

  it("are sent with their upvalues as they are at each call", function()
    local x, t = 1, { 1 }
    local function get() return x, t[1] end
    assert.same({ 1, 1 }, { there(get) })
    x, t[1] = 2, 2
    assert.same({ 2, 2 }, { there(get) })
    t = { 3 }
    assert.same({ 2, 3 }, { there(get) })
  end)

  it("close over modules, C functions and tasks", function()
    local fmt, str, sub = string.format, string, tutti.sleep
    assert.same({ true, true, true }, { there(function()
      return fmt == string.format, str == string, sub == require("tutti").sleep
    end) })
  end)

  it("hundreds of variables, arguments and results", function()
    local list = {}
    for i = 1, 250 do
      list[i] = i
    end
    assert.equal(250, select("#", there(echo, table.unpack(list))))
    local text = {}
    for i = 1, 190 do
      text[i] = ("local v%d = %d"):format(i, i)
    end
    local sum = "\nreturn function() return v" .. table.concat(list, " + v", 1, 190) .. " end"
    assert.equal(18145, there(load(table.concat(text, "\n") .. sum)()))
  end)

  -- Under a sanitizer loading a function costs many times as much.
  local MANY = build.is_release and 100000 or 20000

  it("a hundred thousand different loaded ones keep memory flat", function()
    local ch = tutti.channel(1)
    local function run(from, to)
      for i = from, to do
        ch:send(load(("return %d + 0"):format(i)))
        local f = ch:recv()
        if i % 1000 == 0 then
          assert(f() == i)
        end
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = run(1, 10000) -- the caches are full
    local after = run(10001, MANY)
    assert.is_true(after < before + 512, ("%.0f KiB became %.0f"):format(before, after))
  end)

  it("and so does a worker", function()
    local function run(from, to)
      local list = {}
      for i = from, to do
        list[#list + 1] = tutti.parallel(load(("local n = %d return n"):format(i)))
        if #list == 100 then
          assert(list[100]:await() == i)
          tutti.all(list):await()
          list = {}
        end
      end
      return there(function()
        collectgarbage()
        collectgarbage()
        return collectgarbage("count")
      end)
    end
    local before = run(1, 4000)
    local after = run(4001, 8000)
    assert.is_true(after < before + 1024, ("%.0f KiB became %.0f"):format(before, after))
  end)
end)

describe("crossing: tables and scalars", function()
  it("one table twice is one table", function()
    local t = {}
    local back = there(echo, { t, t, x = { t } })
    assert.equal(back[1], back[2])
    assert.equal(back[1], back.x[1])
    assert.are_not.equal(t, back[1])
  end)

  it("ten thousand deep, with no recursion in C", function()
    local deep = {}
    for _ = 1, 10000 do
      deep = { deep }
    end
    local back, n = there(echo, deep), 0
    while back[1] do
      back, n = back[1], n + 1
    end
    assert.equal(10000, n)
  end)

  it("cycles through values and keys", function()
    local t = {}
    t.t, t[t] = t, t
    local k = { name = "key" }
    k[k] = { k }
    local a, b = there(echo, t, k)
    assert.equal(a, a.t)
    assert.equal(a, a[a])
    assert.equal(b, b[b][1])
  end)

  it("keys of every kind: integers, floats, 2^53, booleans, strings with zero bytes", function()
    local t = { [1] = "i", [1.5] = "f", [2 ^ 53] = "f53", [-1] = "neg", [math.mininteger] = "min",
      [math.huge] = "inf", [true] = "yes", [false] = "no", ["a\0b"] = "zero", [""] = "empty" }
    local back = there(echo, t)
    local count = 0
    for key, value in pairs(t) do
      assert.equal(value, back[key])
      count = count + 1
    end
    for key in pairs(back) do
      count = count - 1
      assert.is_true(math.type(key) ~= "float" or key % 1 ~= 0 or key == math.huge)
    end
    assert.equal(0, count)
  end)

  it("numbers to the last bit, integers and floats apart", function()
    local list = { 0, 0.0, -0.0, 1, 1.0, 2 ^ 53 + 1, (1 << 53) + 1, math.mininteger, math.maxinteger,
      math.huge, -math.huge, 5e-324, 0.1, 127, 128, -128, -129, 32767, 32768, 2147483647, 2147483648 }
    local back = table.pack(there(echo, table.unpack(list)))
    local array = there(echo, list)
    for i, x in ipairs(list) do
      for _, y in ipairs({ back[i], array[i] }) do
        assert.equal(("%s %q"):format(math.type(x), x), ("%s %q"):format(math.type(y), y))
      end
    end
    local nan = there(echo, 0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("strings with any bytes, of any length, and holes in arrays", function()
    local all = {}
    for i = 0, 255 do
      all[i + 1] = string.char(i)
    end
    local bytes = table.concat(all)
    for _, s in ipairs({ "", "\0", bytes, bytes:sub(1, 63), bytes:sub(1, 64), bytes:rep(5000) }) do
      assert.is_true(s == there(echo, s))
    end
    local t = there(echo, { 1, nil, 3, nil, nil, 6 })
    assert.same({ 1, nil, 3, nil, nil, 6 }, t)
    assert.equal(4, select("#", there(echo, nil, 1, nil, nil)))
  end)
end)

describe("crossing: names", function()
  it("classes of a module, and what was registered", function()
    local area, n = there(function(circle, secret) return circle:area(), secret() end,
      shapes.circle(2), shapes.secret(7))
    assert.same({ 12, 7 }, { area, n })
    local circle, secret = there(function()
      local module = require("tests.spec.support.shapes")
      return module.circle(1), module.secret(3)
    end)
    assert.equal(shapes.Circle, getmetatable(circle))
    assert.equal(getmetatable(shapes.secret(1)), getmetatable(secret))
  end)

  it("a registered table is one table in each state", function()
    local config = tutti.register("transfer_spec.config", { level = 1 })
    local ch = tutti.channel(1)
    ch:send({ config })
    assert.equal(config, ch:recv()[1])
  end)

  it("an unknown name fails there, and says what to do", function()
    local meta = tutti.register("transfer_spec.only_here", {})
    local _, err = tutti.parallel(echo, setmetatable({}, meta)):pawait()
    assert.equal("transfer", err.kind)
    assert.matches('"transfer_spec.only_here" is registered in the Lua state that sent it, but not in '
      .. 'this one: call tutti.register', err.message)
  end)

  it("a name belongs to one table, a table has one name", function()
    local t = tutti.register("transfer_spec.one", {})
    assert.equal(t, tutti.register("transfer_spec.one", t))
    local function wrong(...)
      local ok, err = pcall(tutti.register, ...)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      return err.message
    end
    assert.matches('"transfer_spec.one" is the name of another table already',
      wrong("transfer_spec.one", {}))
    assert.matches('registered already, as "transfer_spec.one"', wrong("transfer_spec.two", t))
    assert.matches("a name was expected", wrong(nil, t))
    assert.matches("a name was expected", wrong("", t))
    assert.matches("a metatable or a module %(a table%) was expected, got number", wrong("x", 5))
  end)
end)

describe("crossing: what is refused", function()
  it("with the path to it", function()
    local sock = io.stdout
    assert.equal('argument 2, field "hooks.on_exit", upvalue "sock": userdata',
      refusal(echo, 1, { hooks = { on_exit = function() return sock end } }))
    assert.equal('upvalue "sock": userdata', refusal(function() return sock end))
    assert.equal('argument 1, field "list[2]": thread',
      refusal(echo, { list = { 1, coroutine.create(print) } }))
    assert.equal('argument 1, key: thread', refusal(echo, { [coroutine.create(print)] = 1 }))
    assert.equal('argument 3: C function that no loaded module has',
      refusal(echo, 1, 2, string.gmatch("", "x")))
    assert.equal('argument 1: table with a metatable that has no name (tutti.register gives it one)',
      refusal(echo, shapes.unknown()))
  end)

  it("userdata also with a metatable that is registered", function()
    local meta = tutti.register("transfer_spec.file", debug.getmetatable(io.stdout))
    assert.equal("table", type(meta))
    assert.equal("argument 1: userdata", refusal(echo, io.stdout))
  end)

  it("before anything has been sent: states, queues and handles are as before", function()
    local ch = tutti.channel(1)
    local buffer = tutti.buffer(8)
    for _ = 1, 200 do
      local ok, err = pcall(ch.send, ch, { buffer, ch, "x", { io.stdout } })
      assert.is_false(ok)
      assert.equal("transfer", err.kind)
      assert.matches('field "%[4%]%[1%]": userdata', err.message)
    end
    ch:send(buffer)
    assert.equal(buffer, (ch:recv()))
    assert.equal(3, there(echo, 3))
  end)

  it("on arrival: the task fails, the worker goes on", function()
    local gone = tutti.register("transfer_spec.gone", {})
    for i = 1, 50 do
      local _, err = tutti.parallel(echo, i, { gone }):pawait()
      assert.equal("transfer", err.kind)
      assert.equal(i, there(echo, i))
    end
  end)

  it("above the limits, and not at them", function()
    local function nest(n)
      local t = true
      for _ = 1, n do
        t = { t }
      end
      return t
    end
    local ch = tutti.channel(1)
    ch:send(nest(100000))
    assert.is_table((ch:recv()))
    local ok, err = pcall(ch.send, ch, nest(100001))
    assert.is_false(ok)
    assert.matches('argument 1, field "%[1%]%[1%].*: nested deeper than 100000', err.message)
    local list = {}
    for i = 1, 249999 do -- and the function
      list[i] = i
    end
    assert.equal(249999, there(function(...) return (select("#", ...)) end, table.unpack(list)))
    list[250000] = 1
    assert.matches("more than 250000 values in one message", refusal(echo, table.unpack(list)))
  end)
end)

describe("a task that ends with its own handle", function()
  it("does not keep itself: LeakSanitizer finds nothing, and memory stays flat", function()
    local code, out, err = program.run_script(([[
      local tutti = require("tutti")
      local function resident()
        local file <close> = assert(io.open("/proc/self/statm"))
        return select(2, file:read("n", "n")) * 4
      end
      local function rounds(n)
        for i = 1, n do
          local task = tutti.parallel(function() return { tutti.current() }, tutti.current() end)
          local list, same = task:await()
          assert(list[1] == task and same == task)
          task = tutti.parallel(function() error(tutti.current()) end)
          assert(select(2, task:pawait()).value == task)
        end
        local self
        self = tutti.spawn(function() tutti.sleep(0) return self end)
        assert(tutti.parallel(function(t) return t:await() == t end, self):await())
        self = nil
        collectgarbage()
        collectgarbage()
      end
      local least = math.huge -- heaps grow in steps: not in each of a few parts, unless something is kept
      for _ = 1, 6 do
        local before = resident()
        rounds(N)
        least = math.min(least, resident() - before)
      end
      print(least)
    ]]):gsub("N", build.is_release and 1500 or 50))
    assert.same({ 0, "" }, { code, err })
    assert.is_true(not build.is_release or tonumber(out) < 256, out) -- sanitizers keep what is freed
  end)
end)

describe("a pool task's own _ENV", function()
  it("keeps what the task writes, and the next task does not see it", function()
    local function write() leaked = 5 return leaked, _G.leaked, _ENV.leaked end -- luacheck: ignore
    assert.same({ 5, 5, 5 }, { there(write) })
    for _ = 1, 8 do
      local _, err = tutti.parallel(function() return leaked end):pawait() -- luacheck: ignore
      assert.matches('global "leaked" is not set in a pool task: make it a local or put it in a module',
        err.message)
    end
  end)

  it("is the same for all functions of the task, also those it loads and starts", function()
    local function inner() return shared end -- luacheck: ignore
    local got = table.pack(there(function()
      shared = 7 -- luacheck: ignore
      local loaded = load("shared = shared and shared + 1 return shared", "=l", "t", _ENV)
      return inner(), loaded(), rawequal(_G, _ENV), tutti.spawn(inner):await()
    end))
    assert.same({ 7, 8, true, 8, n = 4 }, got)
  end)

  it("stays behind when a function of the task crosses: it finds the globals of where it is", function()
    local f = there(function()
      here = "worker" -- luacheck: ignore
      return function() return type(print), rawget(_ENV, "here") end
    end)
    assert.same({ "function" }, { f() })
    local kind, set = there(function()
      here = "first" -- luacheck: ignore
      return tutti.parallel(function() return type(print), rawget(_ENV, "here") end):await()
    end)
    assert.same({ "function" }, { kind, set })
  end)

  it("reads the worker's libraries, and lets a module have globals of the worker", function()
    assert.same({ "function", 3 }, { there(function()
      return type(string.rep), math.max(1, 3)
    end) })
  end)
end)
