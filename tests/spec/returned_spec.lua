-- SPDX-License-Identifier: MIT
-- A graph that the script returns: words behind FILE select of it, and how it went is the exit status.
local describe, it, assert = describe, it, assert
local program = require("tests.spec.support.program")
local _ENV = _G -- luacheck: ignore

local GRAPH = [[
local tutti = require("tutti")
local g = tutti.graph("deploy")
local function say(name, needs, tags)
  g:task(name, { needs = needs, tags = tags }, function() print(name) end)
end
say("db") say("server", { "db" }) say("build all", {}, { "slow" }) say("it's")
say("tests", { "server", "build all" })
]]

-- What ran, in order of names, and the status.
local function ran(source, ...)
  local code, out, err = program.script(source, { before = { "--progress=none" } }, ...)
  local names = {}
  for name in out:gmatch("[^\n]+") do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, " "), code, err
end

describe("a graph that the script returns", function()
  it("is run whole without words", function()
    assert.same({ "build all db it's server tests", 0, "" }, { ran(GRAPH .. "return g") })
  end)

  it("is run by -e too", function()
    local code, out = program.run(program.path, "-e", GRAPH .. "return g", "db", "--jobs", "1")
    assert.same({ 0, "db\n" }, { code, out })
  end)

  it("is not run if it is not the first result", function()
    assert.same({ "", 0, "" }, { ran(GRAPH .. "return 1, g") })
    assert.same({ "", 0, "" }, { ran(GRAPH .. "return { g }") })
  end)

  it("is selected of by the words, which are joined", function()
    local source = GRAPH .. "return g"
    for words, wanted in pairs({
      ["server"] = "db server",
      ["db|build all"] = "build all db",
      ["tag:slow"] = "build all",
      ["s*"] = "db server",
      ["+server"] = "db server",
      ["db+"] = "build all db server tests",
      ["it's"] = "it's",
      ["!tests"] = "build all db it's server",
      ["!it's"] = "build all db server tests",
      ["+build all"] = "build all",
      ["db|--jobs=1|build all"] = "build all db",
      ["--|db"] = "db",
    }) do
      local list = {}
      for word in words:gmatch("[^|]+") do
        list[#list + 1] = word
      end
      assert.same({ words, wanted }, { words, (ran(source, table.unpack(list))) })
    end
  end)

  it("finds all words in arg, as other scripts do", function()
    local code, out = program.script(GRAPH .. 'print("arg", table.concat(arg, "|"), ...) return g', {}, "db",
      "--jobs", "1")
    assert.same({ 0, "arg\tdb|--jobs|1\tdb\t--jobs\t1\ndb\n" }, { code, out })
  end)

  it("runs in the script's own task: what that started is joined after it", function()
    local code, out = program.script(GRAPH .. [[
      local _ <close> = setmetatable({}, { __close = function() print("closed") end })
      tutti.defer(function() print("deferred") end)
      local has_run = tutti.event()
      g:task("gate", { needs = { "db" } }, function() has_run:set() end)
      tutti.spawn(function() has_run:wait() print("child") end)
      return g]], {}, "gate")
    assert.same({ 0, "closed\ndb\nchild\ndeferred\n" }, { code, out })
  end)

  it("is run with as many tasks at a time as --jobs says, before or behind FILE", function()
    local source = [[
      local tutti = require("tutti")
      local g, now, most = tutti.graph("g"), 0, 0
      for i = 1, 6 do
        g:task("t" .. i, function()
          now = now + 1
          most = math.max(most, now)
          for _ = 1, 100 do tutti.checkpoint() end -- those that may begin do so meanwhile
          now = now - 1
        end)
      end
      tutti.defer(function() print(most) end)
      return g]]
    assert.equal("6", (ran(source)))
    assert.equal("2", (ran(source, "--jobs", "2")))
    assert.equal("1\n", (select(2, program.script(source, { before = { "-j1" } }))))
    assert.equal("3\n", (select(2, program.script(source, { before = { "-j1" } }, "-j3"))))
  end)
end)

describe("the exit status of a graph that the script returns", function()
  local FAILING = GRAPH .. 'g:task("bad", function() error("boom") end) '
    .. 'g:task("late", { needs = { "bad" } }, print)'

  it("is 1 if something failed or was cancelled, and the rest has run", function()
    local names, code, err = ran(FAILING .. " return g")
    assert.same({ "build all db it's server tests", 1 }, { names, code })
    assert.matches("boom", err)
    names, code, err = ran(GRAPH .. [[
      g:task("victim", function() tutti.current():cancel() tutti.checkpoint() end) return g]])
    assert.same({ "build all db it's server tests", 1 }, { names, code })
    assert.matches('graph "deploy": 1 task was cancelled', err)
  end)

  it("is 0 if what failed was not selected", function()
    assert.same({ "db", 0, "" }, { ran(FAILING .. " return g", "db") })
  end)

  it("is 2 for a selector that cannot be read or names nothing, and nothing has run", function()
    for word, message in pairs({
      ["sevrer"] = 'the selector names task "sevrer"[^\n]*did you mean "server"',
      ["(db"] = "position 4",
      ["tag:fast"] = 'no task has a tag "fast"',
      ["x*"] = "x%*",
    }) do
      local names, code, err = ran(GRAPH .. "return g", word)
      assert.same({ word, "", 2 }, { word, names, code })
      assert.matches(message, err)
    end
  end)

  it("is 3 for a graph that cannot be planned, whatever the words are", function()
    for _, words in ipairs({ {}, { "x" }, { "nothing" } }) do
      local names, code, err = ran(GRAPH .. 'g:task("x", { needs = { "asets" } }, print) return g',
        table.unpack(words))
      assert.same({ "", 3 }, { names, code })
      assert.matches('task "x" needs "asets"', err)
    end
  end)
end)
