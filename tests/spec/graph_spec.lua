-- SPDX-License-Identifier: MIT
-- Graphs: declaring tasks, plans, and what is wrong with a graph before anything runs.
local tutti = require("tutti")

local function noop() end

-- A graph of { { name, need, ... }, ... }.
local function graph_of(list, name)
  local g = tutti.graph(name or "test")
  for _, row in ipairs(list) do
    g:task(row[1], { needs = table.move(row, 2, #row, 1, {}) }, noop)
  end
  return g
end

-- The error object that f(...) raises.
local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

describe("a plan", function()
  it("has a task in the step after that of the last it needs, in order of addition", function()
    local plan = graph_of({ { "d", "b", "c" }, { "c", "a" }, { "b", "a" }, { "x" }, { "a" } }):plan()
    assert.same({ { "x", "a" }, { "c", "b" }, { "d" } }, plan.steps)
    assert.same({ "x", "a", "c", "b", "d" }, plan.order)
    assert.same({ "c", "b" }, plan:dependents("a"))
    assert.same({}, plan:dependents("d"))
  end)

  it("of an empty graph has no step", function()
    assert.same({}, tutti.graph("empty"):plan().steps)
  end)

  it("is kept until something is added", function()
    local g = graph_of({ { "a" } })
    local plan = g:plan()
    assert.equal(plan, g:plan())
    g:task("b", { needs = { "a" } }, noop)
    assert.equal(2, #g:plan().steps)
    assert.equal(1, #plan.steps)
  end)

  it("takes a chain of 100,000 that was declared backwards", function()
    local g = tutti.graph("chain")
    for i = 1, 100000 do
      g:task("t" .. i, { needs = i < 100000 and { "t" .. i + 1 } or nil }, noop)
    end
    local plan = g:plan()
    assert.equal(100000, #plan.steps)
    assert.equal("t100000", plan.order[1])
  end)
end)

describe("a need that there is no task for", function()
  it("raises missing, with the task, the need, the nearest name and the line", function()
    local err = raised(tutti.graph("x").plan,
      graph_of({ { "setup_db" }, { "server", "setup_bd" } }))
    assert.equal("missing", err.kind)
    for _, part in ipairs({ "\"server\"", "\"setup_bd\"", "did you mean \"setup_db\"",
      "graph_spec.lua:%d+" }) do
      assert.matches(part, err.message)
    end
  end)
end)

describe("tasks that wait for each other", function()
  it("raise cycle with the shortest path, in running order, and nothing off it", function()
    local g = graph_of({ { "up" }, { "z", "c" }, { "a", "c", "up" }, { "b", "a" }, { "c", "b" } })
    local err = raised(g.plan, g)
    assert.equal("cycle", err.kind)
    assert.same({ "a", "b", "c", "a" }, err.path)
    assert.matches("a -> b -> c -> a", err.message, 1, true)
    assert.matches("\"b\" needs \"a\", at [^\n]*graph_spec.lua:%d+", err.message)
  end)

  it("may be one that needs itself", function()
    local g = graph_of({ { "b", "c" }, { "c", "b" }, { "a", "a" } })
    assert.same({ "a", "a" }, raised(g.plan, g).path)
  end)

  it("are found in a ring of 100,000 without recursion", function()
    local g = tutti.graph("ring")
    for i = 1, 100000 do
      g:task("t" .. i, { needs = { "t" .. (i % 100000 + 1) } }, noop)
    end
    local err = raised(g.plan, g)
    assert.equal(100001, #err.path)
    assert.is_true(#err.message < 5000)
  end)
end)

describe("a flow", function()
  local function needs_of(g, name)
    return g.by_name[name].needs
  end

  it("adds edges in order of addition", function()
    local g = graph_of({ { "server" }, { "assets" }, { "tests", "server" }, { "report" }, { "a b" } })
    assert.equal(g, g:flow("(assets, server) >> tests >> report\n'a b' >> report"))
    assert.same({ "server", "assets" }, needs_of(g, "tests"))
    assert.same({ "tests", "a b" }, needs_of(g, "report"))
    assert.same({ { "server", "assets", "a b" }, { "tests" }, { "report" } }, g:plan().steps)
  end)

  it("says where a text stops making sense, at the caller's line", function()
    local g = graph_of({ { "server" }, { "tests" } })
    local err = raised(g.flow, g, "server >> >> tests")
    assert.equal("usage", err.kind)
    assert.equal(11, err.position)
    assert.matches("position 11", err.message, 1, true)
    assert.matches("server >> >> tests\n *^", err.message)
    err = raised(function()
      return g:flow(3), nil
    end)
    assert.matches("graph_spec.lua:%d+: g:flow", err.message)
  end)

  it("adds nothing if it names a task that there is none of", function()
    local g = graph_of({ { "server" }, { "tests" } })
    local err = raised(g.flow, g, "server >> tests >> repotr; server >> test")
    assert.equal("missing", err.kind)
    assert.matches("\"repotr\"", err.message)
    assert.same({}, needs_of(g, "tests"))
    assert.matches("did you mean \"tests\"", raised(g.flow, g, "test").message, 1, true)
  end)

  it("adds nothing if it goes round by itself", function()
    local g = graph_of({ { "a" }, { "b" }, { "c" } })
    local err = raised(g.flow, g, "a >> b >> c; c >> b")
    assert.equal("cycle", err.kind)
    assert.same({ "b", "c", "b" }, err.path)
    assert.same({}, needs_of(g, "b"))
  end)

  it("shows its line in a cycle with edges from elsewhere", function()
    local g = graph_of({ { "a" }, { "b", "a" } }):flow("b >> a")
    local flow_line = debug.getinfo(1, "l").currentline - 1
    local err = raised(g.plan, g)
    assert.same({ "a", "b", "a" }, err.path)
    assert.matches("\"a\" needs \"b\", at [^\n]*graph_spec.lua:" .. flow_line, err.message)
  end)

  it("changes no plan that there is", function()
    local g = graph_of({ { "a" }, { "b" } })
    local plan = g:plan()
    g:flow("a >> b")
    assert.same({}, plan.nodes[2].needs)
    assert.equal(2, #g:plan().steps)
  end)
end)
