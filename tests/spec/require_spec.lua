-- SPDX-License-Identifier: MIT
-- require in the engine's states: modules that await while they are loaded, and Lua's own rules.
local program = require("tests.spec.support.program")

-- Run `source` in a folder that holds these modules; returns status, stdout, stderr.
local function run(modules, source, with)
  local files = { ["main.lua"] = source }
  for name, text in pairs(modules) do
    files[name .. ".lua"] = text
  end
  local folder = program.folder(files)
  local code, out, err = program.shell(("cd %s && LUA_PATH='./?.lua;;' timeout 60 %s main.lua")
    :format(program.quote(folder), with or program.quote(program.path) .. " run"))
  program.remove(folder)
  return code, out, err
end

local HEAD = 'local tutti = require "tutti" '
local SLOW = HEAD .. 'print("load", ...) tutti.sleep(0.02) return { value = 42 }'
local HELD = HEAD .. 'print("load", ...) gate:wait() return { value = 42 }' -- until the script lets it go on

local function check(expected, modules, source)
  local code, out, err = run(modules, source)
  assert.same({ 0, expected, "" }, { code, out, err })
end

describe("require of a module that awaits while it is loaded", function()
  it("works in the script's own task, and gives value and loader data", function()
    check("load\tslow\t./slow.lua\n42\t./slow.lua\ntrue\n", { slow = SLOW },
      'local m, where = require("slow") print(m.value, where) print(require("slow") == m)')
  end)

  it("works in spawned tasks, in a coroutine and under pcall", function()
    local expected = "load\tslow\t./slow.lua\n42\nload\tother\t./other.lua\ntrue\t42\n"
    check(expected, { slow = SLOW, other = SLOW }, HEAD .. [[
      print(tutti.spawn(function()
        return coroutine.wrap(function() return require("slow").value end)()
      end):await())
      local ok, m = pcall(require, "other")
      print(ok, m.value)]])
  end)

  it("works in pool tasks", function()
    local code, out, err = run({ slow = SLOW }, HEAD .. [[
      local list = {}
      for i = 1, 8 do list[i] = tutti.parallel(function() return require("slow").value end) end
      for _, value in ipairs(tutti.all(list):await()) do assert(value == 42) end]])
    assert.same({ 0, "" }, { code, err })
    assert.truthy(out:find("^load\tslow"))
  end)

  it("loads once for tasks that require it at the same time", function()
    check("load\tslow\t./slow.lua\ntrue\n", { slow = SLOW }, HEAD .. [[
      local list = {}
      for i = 1, 5 do list[i] = tutti.spawn(function() return require("slow") end) end
      local values, same = tutti.all(list):await(), true
      for i = 1, 5 do same = same and values[i] == package.loaded.slow end
      print(same)]])
  end)

  it("loads once for the tasks of one worker", function()
    local counted = HEAD .. "loads = (loads or 0) + 1 tutti.sleep(0.02) return {}"
    check("1\n", { slow = counted }, HEAD .. [[
      print(tutti.parallel(function()
        local t = require("tutti")
        local a = t.spawn(function() return require("slow") end)
        local b = t.spawn(function() return require("slow") end)
        assert(a:await() == b:await())
        return loads
      end):await())]])
  end)
end)

describe("a load that does not succeed", function()
  local BROKEN = HEAD .. [[
    count = (count or 0) + 1
    print("load", count)
    tutti.sleep(0.01)
    if count < 3 then error("no " .. count) end
    return "good"]]

  it("lets the next requirer load: after an error each has its own", function()
    local expected = "load\t1\nload\t2\nload\t3\n./broken.lua:4: no 1\n./broken.lua:4: no 2\ngood\ngood\n"
    check(expected, { broken = BROKEN }, HEAD .. [[
      local list = {}
      for i = 1, 4 do list[i] = tutti.spawn(function() return require("broken") end) end
      for _, result in ipairs(tutti.settle(list):await()) do
        print(result.ok and result.value or result.error.message)
      end]])
  end)

  it("lets the next requirer load: after a cancellation", function()
    check("load\tslow\t./slow.lua\nload\tslow\t./slow.lua\n42\ncancelled\n", { slow = HELD }, HEAD .. [[
      gate = tutti.event()
      local first = tutti.spawn(function() return require("slow") end)
      local second = tutti.spawn(function() return require("slow").value end)
      tutti.checkpoint()
      tutti.checkpoint()
      first:cancel()
      gate:set()
      print(second:await())
      print(first:state())]])
  end)

  it("goes on when one that waits for it is cancelled", function()
    check("load\tslow\t./slow.lua\n42\tcancelled\n", { slow = HELD }, HEAD .. [[
      gate = tutti.event()
      local first = tutti.spawn(function() return require("slow").value end)
      local second = tutti.spawn(function() return require("slow").value end)
      tutti.checkpoint()
      tutti.checkpoint()
      second:cancel()
      gate:set()
      print(first:await(), second:state())]])
  end)

  it("shows where, and nothing of the engine", function()
    local code, _, err = run({ bad = HEAD .. 'tutti.sleep(0.001)\nerror("broken here")' }, 'require("bad")')
    assert.not_equal(0, code)
    assert.truthy(err:find("./bad.lua:2: broken here", 1, true), err)
    assert.truthy(err:find("[C]: in function 'require'", 1, true), err)
    assert.truthy(err:find("main.lua:1: in", 1, true), err)
  end)
end)

describe("require as Lua's own", function()
  -- The same program by the stock interpreter says the same.
  local function check_as_lua(modules, source)
    local body = "package.path = './?.lua' local function main() " .. source .. " end "
    local _, expected = run(modules, body .. "main()", "lua5.4")
    assert.not_equal("", expected)
    check(expected, modules, body .. "main()")
    check(expected, modules, HEAD .. body .. "tutti.spawn(main):await()")
    check(expected, modules, HEAD .. body .. "tutti.spawn(function() tutti.sleep(0) main() end):await()")
  end

  it("says where a missing module was looked for", function()
    check_as_lua({}, 'print(pcall(require, "no.such")) print(pcall(require)) print(pcall(require, {}))')
  end)

  it("keeps package.loaded, preload and searchers", function()
    check_as_lua({
      none = "", no = "return false",
      own = 'package.loaded[...] = "own"', both = "package.loaded[...] = 1 return 2",
    }, [[
      for _, name in ipairs { "none", "no", "own", "both" } do
        print(name, require(name)) print(name, require(name), package.loaded[name])
      end
      package.preload.pre = function(...) print(...) return "pre" end
      print(require("pre")) print(require("pre"))
      package.loaded.pre = nil
      print(require("pre"))
      table.insert(package.searchers, 2, function(name)
        if name == "found" then return function(...) print(...) return "value" end, "data" end
        if name == "nothing" then return nil end
        return "not by mine: " .. name
      end)
      print(require("found")) print(pcall(require, "nothing")) print(pcall(require, "lost"))
      package.searchers = 1
      print(pcall(require, "x"))]])
  end)

  it("loads again what requires itself, unless it has set package.loaded", function()
    check_as_lua({
      a = 'local m = {} package.loaded[...] = m m.b = require("b") return m',
      b = 'return { a = require("a") }',
      c = 'return require("d")', d = 'return require("c")',
    }, [[
      local a = require("a") print(a.b.a == a)
      local ok, err = pcall(require, "c") print(ok, tostring(err):match("stack overflow"))]])
  end)

  it("works where nothing can wait", function()
    check_as_lua({ m = "return 1" }, [[
      local t = { 2, 1 }
      table.sort(t, function(x, y) return require("m") and x < y end) print(t[1])
      print((("a"):gsub("a", function() return require("m") end)))]])
  end)
end)

describe("tasks that wait for each other's loads", function()
  it("end as a cycle of one task does", function()
    local code, out = run({
      x = HEAD .. 'if not x then x = true tutti.sleep(0.005) end return require("y")',
      y = HEAD .. 'if not y then y = true tutti.sleep(0.005) end return require("x")',
    }, HEAD .. [[
      local function try(name) return (select(2, pcall(require, name))) end
      local a, b = tutti.spawn(try, "x"), tutti.spawn(try, "y")
      print(a:await():match("stack overflow"), b:await():match("stack overflow"))]])
    assert.same({ 0, "stack overflow\tstack overflow\n" }, { code, out })
  end)

  for order, pause in pairs { ["the await"] = "tutti.sleep(0.02)", ["the require"] = "" } do
    it("through an await: kind cycle, when " .. order .. " comes last", function()
      local code, out = run({
        m = HEAD .. 'local b = tutti.spawn(function() return require("m") end) ' .. pause
          .. " b:await()",
      }, HEAD .. [[
        local ok, err = tutti.spawn(function() return require("m") end):pawait()
        print(ok, err.kind, err.message:match("^[^:]*"))]])
      assert.same(0, code)
      assert.truthy(out:find("^false\tcycle"), out)
    end)
  end
end)

describe("an await that cannot wait", function()
  it("is refused in a searcher", function()
    local _, out = run({}, HEAD .. [[
      table.insert(package.searchers, 2, function() tutti.sleep(0) end)
      print(select(2, pcall(require, "any")))]])
    assert.truthy(out:find("tutti.sleep cannot wait here", 1, true), out)
  end)

  it("is refused for the comparator, not for the require in it", function()
    local _, out = run({ slow = SLOW }, HEAD .. [[
      print(select(2, pcall(function() table.sort({ 2, 1 }, function() return require("slow") end) end)))]])
    assert.truthy(out:find("called by 'sort'", 1, true), out)
  end)

  it("is refused in a module that stock Lua loads, with what to do", function()
    local _, out = run({ slow = SLOW }, HEAD .. [[
      tutti.spawn(function()
        print(select(2, pcall(function() local m = require("slow") return m end)))
      end):await()]], os.getenv("TUTTI_LUA") or "lua5.4")
    assert.truthy(out:find("called by 'require'", 1, true), out)
  end)
end)
