-- SPDX-License-Identifier: MIT
-- Selectors applied to graphs: each form, what matches nothing, and random ones against brute force.
local tutti = require("tutti")
local grammar = require("tutti.grammar.selector")

local function noop() end

local function sample()
  return tutti.graph("deploy")
    :task("db", { tags = { "slow", "data" } }, noop)
    :task("assets", noop)
    :task("server", { needs = { "db" } }, noop)
    :task("test_unit", { tags = { "test" } }, noop)
    :task("test_all", { needs = { "server", "assets" }, tags = { "test", "slow" } }, noop)
    :task("report", { needs = { "test_all", "test_unit" } }, noop)
    :task("tag:odd name", noop)
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

describe("a selector", function()
  local CASES = {
    { "db", "db" },
    { "test_*", "test_all test_unit" },
    { "tag:slow", "db test_all" },
    { "tag:s*", "db test_all" },
    { "+server", "db server" },
    { "server+", "report server test_all" },
    { "+server+", "db report server test_all" },
    { "+(server, assets)", "assets db server" },
    { "tag:slow & tag:test", "test_all" },
    { "db, assets", "assets db" },
    { "tag:test & !tag:slow", "test_unit" },
    { "!(tag:test, 'tag:odd name', tag:slow)", "assets report server" },
    { "!tag:nothing & db", "db" },
    { "'tag:odd name'", "tag:odd name" },
    { "{db,assets}", "assets db" },
  }
  for _, case in ipairs(CASES) do
    it(("%s means %s"):format(case[1], case[2]), function()
      local g = sample()
      assert.equal(case[2], sorted(g:plan(case[1]).selected))
    end)
  end

  it("may be a list of names", function()
    assert.equal("assets tag:odd name", sorted(sample():plan({ "tag:odd name", "assets" }).selected))
  end)

  it("brings what it needs, in the order of a plan", function()
    local plan = sample():plan("test_*")
    assert.same({ { "db", "assets", "test_unit" }, { "server" }, { "test_all" } }, plan.steps)
    assert.same({ "test_all" }, plan:dependents("server"))
    assert.same({}, plan:dependents("test_unit")) -- the report is not in it
  end)

  local MISSING = {
    { "tets_unit", "did you mean \"test_unit\"" },
    { "db, x*", "\"x*\"" },
    { "tag:slwo", "did you mean \"slow\"" },
    { "db & assets", "\"db & assets\" selects" },
    { "!tets_unit", "did you mean \"test_unit\"" },
  }
  for _, case in ipairs(MISSING) do
    it(("%s raises missing: %s"):format(case[1], case[2]), function()
      local g = sample()
      local err = raised(g.plan, g, case[1])
      assert.equal("missing", err.kind)
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end)
  end

  it("that does not parse raises usage with the position", function()
    local g = sample()
    local err = raised(g.plan, g, "db & & assets")
    assert.equal("usage", err.kind)
    assert.equal(6, err.position)
    assert.matches("graph_select_spec.lua:%d+: selector: position 6", err.message)
  end)

  it("must be a text or a list", function()
    local g = sample()
    assert.equal("usage", raised(g.plan, g, 3).kind)
    assert.equal("usage", raised(g.plan, g, {}).kind)
    assert.equal("usage", raised(g.plan, g, { 3 }).kind)
    assert.equal("missing", raised(g.plan, g, { "d" }).kind)
  end)
end)

describe("random selectors", function()
  local TAGS = { "x", "y", "zz" }

  local function random_graph(count)
    local g = tutti.graph("random")
    for i = 1, count do
      local needs, tags = {}, {}
      for k = 1, i - 1 do
        needs[#needs + 1] = math.random(4) == 1 and "t" .. k or nil
      end
      for _, tag in ipairs(TAGS) do
        tags[#tags + 1] = math.random(3) == 1 and tag or nil
      end
      g:task("t" .. i, { needs = needs, tags = tags }, noop)
    end
    return g
  end

  local function has_tag(node, tag)
    for _, other in ipairs(node.tags) do
      if other == tag then
        return true
      end
    end
    return false
  end

  -- One text that matches something, and a function that tells of a node whether it is meant.
  local function leaf(g)
    local any = g.nodes[math.random(#g.nodes)]
    local choice = math.random(3)
    if choice == 1 then
      local digit = any.name:sub(-1)
      return "t*" .. digit, function(node) return node.name:sub(-1) == digit end
    elseif choice == 2 and any.tags[1] then
      local tag = any.tags[math.random(#any.tags)]
      return "tag:" .. tag, function(node) return has_tag(node, tag) end
    end
    return any.name, function(node) return node == any end
  end

  -- Does a path of needs lead from node `from` to one that is meant? By recursion, without any memory.
  local function leads(g, from, meant)
    if meant(from) then
      return true
    end
    for _, need in ipairs(from.needs) do
      if leads(g, g.by_name[need], meant) then
        return true
      end
    end
    return false
  end

  local function is_needed(g, node, meant)
    for _, other in ipairs(g.nodes) do
      if meant(other) and leads(g, other, function(at) return at == node end) then
        return true
      end
    end
    return false
  end

  local function expression(g, depth)
    local choice = depth == 0 and 1 or math.random(6)
    if choice == 1 then
      return leaf(g)
    end
    local a, in_a = expression(g, depth - 1)
    if choice == 2 then
      return "!(" .. a .. ")", function(node) return not in_a(node) end
    elseif choice == 3 then
      return "+(" .. a .. ")", function(node) return is_needed(g, node, in_a) end
    elseif choice == 4 then
      return "(" .. a .. ")+", function(node) return leads(g, node, in_a) end
    end
    local b, in_b = expression(g, depth - 1)
    if choice == 5 then
      return ("(%s) & (%s)"):format(a, b), function(node) return in_a(node) and in_b(node) end
    end
    return ("(%s), (%s)"):format(a, b), function(node) return in_a(node) or in_b(node) end
  end

  it("mean what brute force finds", function()
    local seed = tonumber(os.getenv("TUTTI_SEED")) or os.time()
    math.randomseed(seed)
    for _ = 1, 300 do
      local g = random_graph(math.random(1, 9))
      local text, is_meant = expression(g, 2)
      local expected = {}
      for _, node in ipairs(g.nodes) do
        expected[node.name] = is_meant(node) or nil
      end
      local ok, plan = pcall(g.plan, g, text)
      local found = ok and plan.selected or {}
      if not ok then
        assert.equal("missing", plan.kind)
        assert.matches("there is no task that", plan.message)
      end
      assert.equal(sorted(expected), sorted(found), ("seed %d, %s: %s"):format(seed, text, tostring(plan)))
      assert.is_truthy(grammar.parse(text))
    end
  end)
end)
