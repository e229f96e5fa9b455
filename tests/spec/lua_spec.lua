-- SPDX-License-Identifier: MIT
-- Lua is still Lua: the programs of support/lua_programs.lua return the same in a stock interpreter, in a
-- task of the loop state and in a pool task; what differs on purpose is a table there, with the reason.
local PROGRAM = os.getenv("TUTTI_PROGRAM")
local STOCK = os.getenv("TUTTI_LUA") or "lua5.4"
local FILE = (os.getenv("TUTTI_ROOT") or ".") .. "/tests/spec/support/lua_programs.lua"
local programs = dofile(FILE)

-- With this the engine's own hook stands in all coroutines, and debug.gethook shows it (engine/README.md).
local IS_HOOK = os.getenv("TUTTI_PREEMPT") == "hook"

-- Run `words` with a script of `source` as the last; returns the table that it prints.
local function run(words, source)
  local path, errors = os.tmpname(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  local pipe = assert(io.popen(("%s '%s' 2>'%s' </dev/null"):format(words, path, errors)))
  local text = pipe:read("a")
  local ok = pipe:close()
  local said = assert(io.open(errors)):read("a")
  os.remove(path)
  os.remove(errors)
  assert.is_true(ok, said)
  return assert(load(text, "=what " .. words .. " printed", "t", {}))()
end

-- In stock Lua the programs run in a coroutine too, which is what a task is.
local IN_STOCK = [[
  local programs = dofile(%q)
  local run, text = coroutine.wrap(function() return programs.run(programs[%q]) end)
  repeat text = run() until text ~= "escaped" -- what a program yields beyond its own coroutines
  print(text)
]]
local IN_TASK = [[
  local tutti, programs = require("tutti"), dofile(%q)
  print((tutti.spawn(function() return programs.run(programs[%q]) end):await()))
]]
local IN_POOL = [[
  local tutti = require("tutti")
  print((tutti.parallel(function(file, list)
    local programs = dofile(file)
    return programs.run(programs[list])
  end, %q, %q):await()))
]]

local function in_stock(list) return run("'" .. STOCK .. "'", IN_STOCK:format(FILE, list)) end
local function in_task(list) return run("'" .. PROGRAM .. "' run", IN_TASK:format(FILE, list)) end
local function in_pool(list) return run("'" .. PROGRAM .. "' run", IN_POOL:format(FILE, list)) end

describe("Lua is still Lua:", function()
  local stock, task, pool
  setup(function()
    stock, task, pool = in_stock("same"), in_task("same"), in_pool("same")
  end)

  for _, program in ipairs(programs.same) do
    local name = program[1]
    local test = IS_HOOK and name:find("hook") and pending or it
    test(name, function()
      assert.is_string(stock[name])
      assert.equal("true", stock[name]:match("^%a+"), stock[name]) -- the program itself is right
      assert.equal(stock[name], task[name], "in a task")
      assert.equal(stock[name], pool[name], "in a pool task")
    end)
  end
end)

describe("Lua differs on purpose:", function()
  for _, program in ipairs(programs.different) do
    local name = program[1]
    it(name .. " (" .. program.why .. ")", function()
      assert.equal(program.stock, in_stock("different")[name])
      assert.equal(program.ours, in_task("different")[name], "in a task")
      assert.equal(program.ours, in_pool("different")[name], "in a pool task")
    end)
  end
end)
