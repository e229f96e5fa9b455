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

  it("takes a chain of 30,000 that was declared backwards", function()
    local g = tutti.graph("chain")
    for i = 1, 30000 do
      g:task("t" .. i, { needs = i < 30000 and { "t" .. i + 1 } or nil }, noop)
    end
    local plan = g:plan()
    assert.equal(30000, #plan.steps)
    assert.equal("t30000", plan.order[1])
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

  it("are found in a ring of 30,000 without recursion", function()
    local g = tutti.graph("ring")
    for i = 1, 30000 do
      g:task("t" .. i, { needs = { "t" .. (i % 30000 + 1) } }, noop)
    end
    local err = raised(g.plan, g)
    assert.equal(30001, #err.path)
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

describe("a task of a graph", function()
  it("notes the line of g:task, and the line that called the function it is in", function()
    local g = tutti.graph("lines")
    local function declare(name)
      g:task(name, noop)
      g:task(name .. " with options", { timeout = 1 }, noop)
    end
    declare("a")
    local here = debug.getinfo(1, "l").currentline
    for _, node in ipairs(g.nodes) do
      assert.matches("graph_spec.lua:" .. here - (node.index == 1 and 4 or 3) .. "$", node.line)
      assert.matches("graph_spec.lua:" .. here - 1 .. "$", node.caller)
    end
  end)

  it("is the same node by the quick way and by the slow one", function()
    local g = tutti.graph("ways"):task("a", noop):task("b", noop)
    for _, needs in ipairs({ {}, { "a" }, { "a", "b" } }) do
      local at = #g.nodes
      local function slow() end
      g:task("quick" .. at, { needs = needs }, noop):task("slow" .. at, { needs = needs, tags = {} }, slow)
      local expected = { index = at + 2, name = "slow" .. at, f = slow, needs = needs, tags = {},
        spec = { priority = 1 }, line = g.nodes[at + 1].line, caller = g.nodes[at + 1].caller }
      assert.same(expected, g.nodes[at + 2])
      expected.index, expected.name, expected.f, expected.tags = at + 1, "quick" .. at, noop, nil
      assert.same(expected, g.nodes[at + 1])
      assert.equal(g.nodes[at + 1].spec, g.nodes[at + 2].spec)
      assert.not_equal(needs, g.nodes[at + 1].needs)
    end
  end)

  it("may need tasks that come later, by the quick way and by the slow one", function()
    local g = tutti.graph("later"):task("a", { needs = { "c", "b" } }, noop)
      :task("b", { needs = { "c" }, tags = {} }, noop)
    local err = raised(g.plan, g)
    assert.equal("missing", err.kind)
    assert.matches("task \"a\" needs \"c\"", err.message)
    g:task("c", noop):task("d", { needs = { "a", "c" } }, noop)
    assert.same({ { "c" }, { "b" }, { "a" }, { "d" } }, g:plan().steps)
    assert.same({ "c", "b" }, g.nodes[1].needs)
    assert.same({ "a", "c" }, g.by_name.d.needs)
    assert.is_nil(g.by_name.e)
    assert.is_nil(g.nodes[5])
  end)

  it("is one node, whoever looks, and a plan makes none", function()
    local g = tutti.graph("looks")
    for i = 1, 1000 do
      g:task("t" .. i, { needs = i > 1 and { "t" .. i - 1 } or nil }, noop)
    end
    local plan = g:plan()
    assert.is_nil(next(g.originals))
    assert.equal("ok", g:run():await():ok() and "ok")
    assert.equal(g.by_name.t500, g.nodes[500])
    assert.equal(g.nodes[500], plan.nodes[500])
    assert.equal(g.nodes[500], g:plan("t500").nodes[500])
    assert.equal(1000, #g.nodes)
    assert.equal(1000, #plan.nodes)
  end)

  it("has its options checked, at the caller's line", function()
    local g = tutti.graph("options"):task("there", noop)
    local task = tutti.spawn(noop)
    task:await()
    for _, case in ipairs({
      { "needed \"a\"", { need = { "a" } }, "did you mean \"needs\"" },
      { "after", { after = {} }, "say needs = { NAME, ... }" },
      { "detach", { detach = true }, "belong to its run" },
      { "text for a list", { needs = "a" }, "say needs = { \"a\" }" },
      { "no name", { needs = { 1 } }, "element 1 of \"needs\" must be a name, got number" },
      { "a handle", { needs = { task } }, "a task of a graph is named, not its handle" },
      { "hole", { needs = { "a", nil, "b" } }, "without holes" },
      { "key", { needs = { x = "a" } }, "without holes" },
      { "empty need", { needs = { "" } }, "got an empty text" },
      { "timeout", { timeout = "1q" }, "1q" },
      { "retry", { retry = -1 }, "\"retry\"" },
      { "priority", { priority = "urgent" }, "\"urgent\"" },
      { "when", { when = true }, "\"when\"" },
      { "limit", { limit = 3 }, "\"limit\" must be a string" },
      { "resources", { resources = 2 }, "{ cpu = 2, mem = \"1GiB\" }" },
      { "cpu", { resources = { cpu = 0 } }, "resource \"cpu\" must be a number above 0, got 0" },
      { "mem", { resources = { mem = "much" } }, "\"mem\"" },
      { "tags", { tags = "slow" }, "say tags = { \"slow\" }" },
      { "on", { on = "cloud" }, "\"loop\" or \"pool\"" },
      { "estimate", { estimate = "soon" }, "\"estimate\"" },
      { "args", { args = 1 }, "\"args\" must be a table" },
      { "line\nend", {}, "control character in it (position 5)" },
      { "", {}, "cannot be empty" },
      { 3, {}, "got number" },
      { "there", {}, "has a task \"there\" already (added at " },
    }) do
      local err = raised(g.task, g, case[1], case[2], noop)
      assert.equal("usage", err.kind)
      assert.is_truthy(err.message:find(case[3], 1, true), err.message)
      assert.matches("^[^\n]*graph_spec.lua:%d+: ", err.message)
    end
    assert.equal(1, #g.nodes)
    assert.matches("a function was expected, got nil", raised(g.task, g, "a", {}).message)
    assert.matches("a function was expected, got number", raised(g.task, g, "a", 3).message)
    assert.matches("the function comes after the options", raised(g.task, g, "a", { noop }, noop).message)
    assert.matches("call it with a colon", raised(g.task, "a", noop).message)
  end)

  it("has its needs checked whatever the order in which Lua keeps their keys", function()
    local g = tutti.graph("keys")
    for key = 1, 40 do -- Lua begins with a key that hangs on its seed
      local needs = { [1] = "a", [2] = "b", ["key" .. key] = "c" }
      assert.matches("without holes", raised(g.task, g, "t" .. key, { needs = needs }, noop).message)
    end
    g:task("t", { needs = { [1] = "a", [2] = "b" } }, noop)
    assert.equal(2, #g.nodes[1].needs)
  end)

  it("may be a recipe, with its options and arguments, or anything that can be called", function()
    local recipe = tutti.recipe({ name = "x", function(...) return ... end, timeout = 5, args = { 1, 2 } })
    local g = tutti.graph("recipes"):task("a", recipe):task("b", { timeout = 7, needs = { "a" } }, recipe)
    assert.equal(5, g.nodes[1].spec.attempts.timeout)
    assert.equal(7, g.nodes[2].spec.attempts.timeout)
    assert.same({ "a" }, g.nodes[2].needs)
    assert.same({ "need", 1, 2 }, { g.nodes[2].f("need") })
    g:task("c", setmetatable({}, { __call = function(_, value) return value end }))
    assert.equal(3, g.nodes[3].f(3))
  end)

  it("cannot ask for a limit or resource that there is none of", function()
    local g = tutti.graph("limits"):limit("net", 2)
    g:task("a", { limit = "nett" }, noop)
    local err = raised(g.plan, g)
    assert.equal("missing", err.kind)
    assert.matches("did you mean \"net\"", err.message)
    assert.matches("g:limit%(\"nett\", COUNT%)", err.message)
    g:limit("nett", 1):task("b", { resources = { cpu = 1, mem = "1KiB", net = 2, gpu = 1 } }, noop)
    assert.matches("resource \"gpu\"", raised(g.plan, g).message)
    assert.matches("1 or more, got 0", raised(g.limit, g, "gpu", 0).message)
    assert.equal(2, #g:limit("gpu", 1):plan().order)
  end)
end)

describe("random graphs", function()
  -- Needs point anywhere if `may_circle`, else only to tasks that come earlier in a shuffled order.
  local function random_graph(count, may_circle)
    local names, rows = {}, {}
    for i = 1, count do
      table.insert(names, math.random(i), "t" .. i)
    end
    for i = 1, count do
      rows[i] = { names[i] }
      for k = 1, may_circle and count or i - 1 do
        rows[i][#rows[i] + 1] = math.random(count) <= 1.2 and names[k] or nil
      end
    end
    for i = count, 2, -1 do
      local k = math.random(i)
      rows[i], rows[k] = rows[k], rows[i]
    end
    return graph_of(rows, "random"), rows
  end

  -- The step of each task by its definition; nil if one waits for itself. By recursion, without any memory.
  local function step_of(g, name, above)
    if above[name] then
      return nil
    end
    above[name] = true
    local step = 1
    for _, need in ipairs(g.by_name[name].needs) do
      local of_need = step_of(g, need, above)
      if not of_need then
        return nil
      end
      step = math.max(step, of_need + 1)
    end
    above[name] = nil
    return step
  end

  local function expected_steps(g)
    local steps = {}
    for _, node in ipairs(g.nodes) do
      local step = step_of(g, node.name, {})
      if not step then
        return nil
      end
      for s = #steps + 1, step do
        steps[s] = {}
      end
      table.insert(steps[step], node.name)
    end
    return steps
  end

  -- The length of the shortest circle: by walking from each task, layer by layer.
  local function shortest_circle(g)
    local best
    for _, node in ipairs(g.nodes) do
      local layer, seen, length = { node.name }, {}, 0
      while #layer > 0 and not (best and length >= best) do
        local following = {}
        length = length + 1
        for _, name in ipairs(layer) do
          for _, need in ipairs(g.by_name[name].needs) do
            if need == node.name then
              best = math.min(best or length, length)
            elseif not seen[need] then
              seen[need] = true
              following[#following + 1] = need
            end
          end
        end
        layer = following
      end
    end
    return best
  end

  local function check_circle(g, err, text)
    assert.equal("cycle", err.kind, text)
    assert.equal(err.path[1], err.path[#err.path], text)
    assert.equal(shortest_circle(g), #err.path - 1, text)
    for k = 2, #err.path do
      local needs = table.concat(g.by_name[err.path[k]].needs, "\n")
      assert.is_truthy(("\n" .. needs .. "\n"):find("\n" .. err.path[k - 1] .. "\n", 1, true), text)
    end
  end

  local function check_plan(g, plan, steps, text)
    assert.same(steps, plan.steps, text)
    local at = 0
    for _, names in ipairs(steps) do
      for _, name in ipairs(names) do
        at = at + 1
        assert.equal(name, plan.order[at], text)
        assert.equal(at, plan.position[name], text)
        assert.equal(#g.by_name[name].needs, plan.waits[at], text)
      end
    end
    local dependents = {}
    for _, name in ipairs(plan.order) do
      for _, need in ipairs(g.by_name[name].needs) do
        dependents[need] = dependents[need] or {}
        table.insert(dependents[need], name)
      end
    end
    for _, name in ipairs(plan.order) do
      assert.same(dependents[name] or {}, plan:dependents(name), text)
    end
  end

  for _, may_circle in ipairs({ false, true }) do
    local title = "%s circles are planned as the definition says"
    it(title:format(may_circle and "with" or "without"), function()
      local seed = tonumber(os.getenv("TUTTI_SEED")) or os.time()
      math.randomseed(seed)
      for round = 1, 200 do
        local g, rows = random_graph(math.random(1, 14), may_circle)
        local text = ("seed %d, round %d"):format(seed, round)
        assert.equal(#rows, #g.nodes)
        local steps = expected_steps(g)
        local ok, plan = pcall(g.plan, g)
        assert.equal(steps ~= nil, ok, text)
        if ok then
          check_plan(g, plan, steps, text)
        else
          check_circle(g, plan, text)
        end
      end
    end)
  end
end)
