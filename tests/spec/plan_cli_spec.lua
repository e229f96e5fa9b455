-- SPDX-License-Identifier: MIT
-- `tutti plan`: what would run, in which steps and why; it starts nothing and changes nothing.
local describe, it, assert = describe, it, assert
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")
local _ENV = _G -- luacheck: ignore

-- What writes a file then ends by SIGXFSZ. ThreadSanitizer has a file of its own.
local LIMIT = build.is_tsan and "" or "ulimit -f 0; "

local GRAPH = [[
local tutti = require("tutti")
local g = tutti.graph("deploy")
local function ran() print("ran") end
g:limit("net", 2)
g:task("assets", { limit = "net" }, ran)
g:task("db", ran)
g:task("server", { needs = { "db" }, resources = { cpu = 2, mem = "1GiB" }, when = ran }, ran)
g:task("tests", { needs = { "server", "assets" }, run_on_skip = true }, ran)
]]

local WHOLE = [[
plan of graph "deploy": 4 tasks in 3 steps

step 1
  assets  limit net
  db

step 2
  server  after db; if its condition holds; cpu 2; mem 1GiB

step 3
  tests   after server, assets; also if those fail
]]

local function plan(source, how, ...)
  how = how or {}
  how.command = "plan"
  return program.script(source, how, ...)
end

describe("tutti plan", function()
  it("shows the steps of a graph that the script returns", function()
    local code, out, err = plan(GRAPH .. "return g")
    assert.same({ 0, "" }, { code, err })
    assert.equal(WHOLE, out:sub(1, #WHOLE))
  end)

  local DESCRIBED = [[
    local g = require("tutti").graph("site")
    g:task("pages", { description = "write each page of the whole site\nand more" }, print)
    g:task("index", { needs = { "pages" }, description = "write the index" }, print)
    g:task("upload", { needs = { "index", "pages" } }, print)
    return g
  ]]

  it("has a column of descriptions if there are any", function()
    local _, out = plan(DESCRIBED)
    assert.matches("\n  pages   write each page of the whole site\n", out, 1, true)
    assert.matches("\n  index   write the index  after pages\n", out, 1, true)
    assert.matches("\n  upload                   after index, pages\n", out, 1, true)
  end)

  it("cuts descriptions to a third of a terminal, so that the reasons have room", function()
    local file <close> = program.file(DESCRIBED)
    local s <close> = screen.start({ program.path, "plan", file.path }, { cols = 60, rows = 15 })
    assert.equal(0, s:status())
    local out = s:text()
    assert.matches("\n  pages   write each page…\n", out, 1, true)
    assert.matches("\n  index   write the index   after pages\n", out, 1, true)
    assert.matches("\n  upload                    after index, pages\n", out, 1, true)
  end)

  it("shows those of g:run and ends the script there", function()
    local code, out, err = plan(GRAPH .. 'pcall(function() g:run():await() end) print("not reached")')
    assert.same({ 0, "" }, { code, err })
    assert.equal(WHOLE, out:sub(1, #WHOLE))
    assert.is_nil(out:find("not reached"))
  end)

  it("ends with 3 without a graph, and for one that cannot be planned", function()
    local code, out, err = plan("print(1)")
    assert.same({ 3, "1\n" }, { code, out })
    assert.matches('^tutti: tutti plan: "[^\n]*" neither calls g:run nor returns a graph\n$', err)
    code, out, err = plan(GRAPH .. 'g:task("x", { needs = { "asets" } }, ran) return g')
    assert.same({ 3, "" }, { code, out })
    assert.matches('did you mean "assets"', err)
  end)

  it("says where a script would start something or change a file", function()
    local doors = {
      ["tutti.spawn"] = "tutti.spawn(print)",
      ["tutti.parallel"] = "tutti.parallel(print)",
      ["tutti.task"] = "tutti.task{ print }",
      ["tutti.native"] = 'tutti.native("x")',
      ["tutti.exec"] = 'tutti.exec{ "touch", "made" }',
      ["tutti.sh"] = 'tutti.sh("touch made")',
      ["tutti.every"] = "tutti.every(1, print)",
      ["tutti.signal"] = 'tutti.signal("SIGINT")',
      ["tutti.map"] = "tutti.map({ 1 }, print)",
      ["tutti.supervisor"] = "tutti.supervisor{}",
      ["tutti.testing"] = "tutti.testing({}, print)",
      ["tutti.fs.write"] = 'tutti.fs.write("made", "x")',
      ["tutti.fs.append"] = 'tutti.fs.append("made", "x")',
      ["tutti.fs.mkdir"] = 'tutti.fs.mkdir("made")',
      ["tutti.fs.remove"] = 'tutti.fs.remove("g.lua")',
      ["s:spawn"] = "tutti.scope(function(s) s:spawn(print) end)",
      ["s:exec"] = 'tutti.scope(function(s) s:exec{ "touch", "made" } end)',
      ["a recipe or a scope"] = "tutti.recipe{ print }()",
    }
    local sources, names = {}, {}
    for name, call in pairs(doors) do
      names[#names + 1] = name
      sources[#sources + 1] = ("check(%q, function() %s end)\n"):format(name, call)
    end
    local code, out, err = plan([[
      local tutti = require("tutti")
      local function check(name, f)
        local ok, e = pcall(f)
        print(not ok and e.kind or "ran", e and e.message, name)
      end
      ]] .. table.concat(sources) .. "io.open('made') return tutti.graph('g')")
    assert.same({ 0, "" }, { code, err })
    for _, name in ipairs(names) do
      local wanted = name .. ": tutti plan runs nothing: do this inside a task of the graph"
      assert.is_truthy(out:find(wanted, 1, true), name)
    end
    assert.is_nil(out:find("ran\t"))
  end)

  it("writes no file, and can do without", function()
    local source = GRAPH .. 'tutti.fs.list(".") return g'
    local folder = program.folder({ ["g.lua"] = source })
    local line = "cd %s && export HOME=$PWD XDG_STATE_HOME=$PWD/state TMPDIR=$PWD && "
      .. "(" .. LIMIT .. "exec %s %s) | cat; find . | sort"
    for _, words in ipairs({ "plan g.lua", "plan --json g.lua tests", "run --list g.lua",
      "run g.lua --list", "run g.lua --help" }) do
      local code, out, err = program.shell(line:format(folder, program.quote(program.path), words))
      assert.same({ 0, "" }, { code, err })
      assert.matches("[^\n]\n%.\n%./g.lua\n$", out)
    end
    program.remove(folder)
  end)

  it("draws, and writes JSON, before or behind FILE", function()
    local begins = { dot = '^digraph "deploy"', mermaid = "^flowchart", json = '^{"version":1,' }
    for form, wanted in pairs(begins) do
      local _, before, err = plan(GRAPH .. "return g", { before = { "--" .. form } })
      assert.equal("", err)
      assert.matches(wanted, before)
      local _, behind = plan(GRAPH .. "return g", {}, "--" .. form)
      assert.equal((before:gsub("[^\"]*/script%.lua", "")), (behind:gsub("[^\"]*/script%.lua", "")))
    end
  end)

  it("says what is selected and what is needed for it", function()
    local code, out = plan(GRAPH .. "return g", {}, "server")
    assert.equal(0, code)
    assert.equal([[
plan of "server" of graph "deploy": 2 tasks in 2 steps

step 1
  db      needed by server

step 2
  server  selected; after db; if its condition holds; cpu 2; mem 1GiB

critical path (2 tasks): db -> server
]], out)
  end)

  it("lets a script read files, wait and declare", function()
    local code, out = plan([[
      local tutti = require("tutti")
      tutti.sleep(0.001)
      print(#tutti.fs.list("/") > 0, #tutti.fs.read("/proc/self/stat") > 0)
      local g = tutti.graph("g")
      g:task("a", tutti.recipe{ print })
      return g]])
    assert.equal(0, code)
    assert.matches('^true\ttrue\nplan of graph "g": 1 task in 1 step\n', out)
  end)
end)
