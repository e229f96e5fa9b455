-- SPDX-License-Identifier: MIT
-- Plans as pictures and JSON, and their critical path.
-- threads: one
local tutti = require("tutti")

local function noop() end

local function sample()
  return tutti.graph("a \"b\"")
    :task("db", { estimate = "2s", description = "one\nline", tags = { "x" } }, noop)
    :task("q\"uo]te\\ & <ü>", noop)
    :task("end", { needs = { "q\"uo]te\\ & <ü>", "db" }, resources = { mem = "1KiB", cpu = 2 } }, noop)
end

describe("a plan", function()
  it("is drawn for Graphviz", function()
    assert.equal([[
digraph "a \"b\"" {
  rankdir=LR;
  node [shape=box];
  t1 [label="db", tooltip="one line"];
  t2 [label="q\"uo]te\\ &amp; <ü>"];
  t3 [label="end"];
  t1 -> t3;
  t2 -> t3;
}
]], sample():plan():dot())
  end)

  it("is drawn for Mermaid", function()
    assert.equal([[
flowchart LR
  t1["db"]
  t2["q#34;uo]te#92; #38; #60;ü#62;"]
  t3["end"]
  t1 --> t3
  t2 --> t3
]], sample():plan():mermaid())
  end)

  it("is told as JSON", function()
    assert.equal([=[{"version":1,"graph":"a \"b\"","steps":[["db"]],"tasks":[{"name":"db","step":1,]=]
      .. [=["needs":[],"selected":true,"description":"one\nline","tags":["x"],"estimate":2,"line":"LINE"}]]=]
      .. [=[,"critical_path":{"tasks":["db"],"seconds":2}}]=],
      (sample():plan("db"):json():gsub("\"line\":\"[^\"]*\"", "\"line\":\"LINE\"")))
    assert.matches("\"needs\":%[\"q[^%]]*%]te[^%]]*\"db\"%]", sample():plan():json())
    assert.matches("\"resources\":{\"cpu\":2,\"mem\":1024}", sample():plan():json())
    assert.equal([=[{"version":1,"graph":"none","steps":[],"tasks":[],"critical_path":{"tasks":[]}}]=],
      tutti.graph("none"):plan():json())
  end)
end)

describe("the critical path", function()
  local function chain(estimates)
    local g = tutti.graph("chain")
    g:task("a", { estimate = estimates.a }, noop)
    g:task("b", { estimate = estimates.b, needs = { "a" } }, noop)
    g:task("c", { estimate = estimates.c, needs = { "b" } }, noop)
    g:task("d", { estimate = estimates.d, needs = { "a" } }, noop)
    return g
  end

  it("takes the most tasks while no duration is known", function()
    local names, seconds = chain({}):plan():critical_path()
    assert.same({ "a", "b", "c" }, names)
    assert.is_nil(seconds)
  end)

  it("takes what lasts longest by estimates", function()
    local names, seconds = chain({ a = 1, b = 2, d = "5s" }):plan():critical_path()
    assert.same({ "a", "d" }, names)
    assert.equal(6.0, seconds)
  end)

  it("believes what was measured before estimates", function()
    local g = chain({ a = 1, d = 5 })
    g.by_name.d.measured, g.by_name.c.measured = 0.5, 0.75
    local names, seconds = g:plan():critical_path()
    assert.same({ "a", "b", "c" }, names)
    assert.equal(1.75, seconds)
  end)

  it("of an empty graph has no task", function()
    assert.same({}, (tutti.graph("none"):plan():critical_path()))
  end)

  it("takes a chain of 100,000", function()
    local g = tutti.graph("long")
    for i = 1, 100000 do
      g:task("t" .. i, { needs = i > 1 and { "t" .. i - 1 } or nil }, noop)
    end
    assert.equal(100000, #g:plan():critical_path())
  end)
end)
