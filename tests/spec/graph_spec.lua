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
