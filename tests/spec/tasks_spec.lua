-- SPDX-License-Identifier: MIT
-- tutti.tasks() and tutti.stats(): the live tree and numbers.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function find(tree, name)
  for _, node in ipairs(tree) do
    if node.name == name then
      return node
    end
    local below = find(node.children, name)
    if below then
      return below
    end
  end
end

-- Cancel what a test has started, and wait for it.
local function stop(...)
  for _, task in ipairs({ ... }) do
    task:cancel()
    task:pawait()
  end
end

describe("tutti.tasks", function()
  it("says what each task waits for", function()
    local channel, gate = tutti.channel(0), tutti.event()
    local sleeper = tutti.spawn({ name = "sleeper" }, function() tutti.sleep(60) end)
    local receiver = tutti.spawn({ name = "receiver" }, function() channel:recv() end)
    local waiter = tutti.spawn({ name = "waiter" }, function() sleeper:await() end)
    local gated = tutti.spawn({ name = "gated" }, function() gate:wait() end)
    local joiner = tutti.spawn({ name = "joiner" }, function()
      tutti.spawn({ name = "child 1" }, function() tutti.sleep(60) end)
      tutti.spawn({ name = "child 2" }, function() tutti.sleep(60) end)
    end)
    local after = tutti.task({ name = "after", after = { sleeper, receiver }, function() end })
    local all = tutti.spawn({ name = "all of them" }, function() tutti.all({ sleeper, waiter }):await() end)
    local process = tutti.exec({ "sleep", "60" })
    local watcher = tutti.spawn({ name = "watcher" }, function() process:await() end)
    tutti.sleep(0.01)
    local tree = tutti.tasks()
    local function waits(name)
      local node = find(tree, name)
      return node and node.waits_for
    end
    assert.matches("^sleep %d+%.%d s$", waits("sleeper"))
    assert.equal("channel:recv", waits("receiver"))
    assert.equal('task "sleeper"', waits("waiter"))
    assert.matches("^event", waits("gated"))
    assert.equal("children (2)", waits("joiner"))
    assert.equal('task "sleeper" and 1 more', waits("after"))
    assert.equal('task "all"', waits("all of them"))
    assert.equal('process "sleep"', waits("watcher"))
    local joined = find(tree, "joiner")
    assert.equal("child 1", joined.children[1].name)
    assert.equal("child 2", joined.children[2].name)
    assert.equal("process", find(tree, "sleep").kind)
    assert.equal("waiting", find(tree, "after").state)
    stop(sleeper, receiver, waiter, gated, joiner, after, all, process, watcher)
  end)

  it("has state, age, lines and the handle of each", function()
    local function body()
      tutti.sleep(60) -- the line where it stands
    end
    local line = debug.getinfo(body, "S").linedefined
    local task = tutti.spawn({ name = "placed" }, body)
    local fresh = tutti.spawn(function() end)
    local node = find(tutti.tasks(), fresh:name())
    assert.equal("ready", node.state)
    assert.is_nil(node.waits_for)
    assert.equal(fresh:name(), node.line)
    tutti.sleep(0.02)
    node = find(tutti.tasks(), "placed")
    assert.equal("suspended", node.state)
    assert.equal(task, node.task)
    assert.equal(task:id(), node.id)
    assert.is_true(node.age >= 0.015 and node.age < 30)
    assert.matches("tasks_spec.lua:" .. (line + 1) .. "$", node.line)
    assert.matches("tasks_spec.lua:" .. (line + 4) .. "$", node.started)
    stop(task)
    assert.is_nil(find(tutti.tasks(), "placed"))
  end)

  it("shows the running task and those on the pool under their owner", function()
    local ready = tutti.channel(1)
    local owner = tutti.spawn({ name = "owner" }, function()
      tutti.parallel({ name = "far" }, function()
        tutti.spawn({ name = "own" }, function() tutti.sleep(60) end)
        tutti.sleep(0)
        ready:send(tostring(tutti.tasks()))
        tutti.sleep(60)
      end):await()
    end)
    local far_tree = ready:recv()
    assert.matches('task %d+ "far" %(running', far_tree)
    assert.matches('\n  task %d+ "own" %(suspended, %d+%.%d s%) waits for sleep', far_tree)
    local node = find(tutti.tasks(), "owner")
    assert.equal("far", node.children[1].name)
    assert.equal("pool", node.children[1].kind)
    local me = tutti.spawn({ name = "looking" }, function()
      return find(tutti.tasks(), "looking")
    end):await()
    assert.equal("running", me.state)
    assert.matches("tasks_spec.lua:%d+$", me.line)
    stop(owner)
  end)

  it("shows scopes between a task and what was started in them", function()
    local task = tutti.spawn({ name = "opener" }, function()
      tutti.scope({ name = "inside" }, function(s)
        s:spawn({ name = "member" }, function() tutti.sleep(60) end)
      end)
    end)
    tutti.sleep(0.01)
    local node = find(tutti.tasks(), "opener")
    assert.equal('scope "inside"', node.waits_for)
    assert.same({ "scope", "children (1)" }, { node.children[1].kind, node.children[1].waits_for })
    assert.equal("member", node.children[1].children[1].name)
    stop(task)
  end)

  it("is shown as a text, however deep", function()
    local is_deep = false
    local function nest(n)
      if n == 0 then
        is_deep = true
        tutti.sleep(60)
      else
        tutti.spawn(nest, n - 1):await()
      end
    end
    local task = tutti.spawn({ name = "top" }, nest, 300)
    repeat
      tutti.checkpoint()
    until is_deep
    local tree = tutti.tasks()
    assert.equal(tostring(tree), tree:text())
    local _, lines = tostring(tree):gsub("\n", "\n")
    assert.is_true(lines >= 300)
    stop(task)
  end)
end)

describe("tutti.stats", function()
  it("counts", function()
    local before = tutti.stats()
    local list = {}
    for i = 1, 10 do list[i] = tutti.parallel(function() return i end) end
    local task = tutti.spawn(function() tutti.sleep(60) end)
    local during = tutti.stats()
    assert.is_true(during.live >= before.live + 1)
    assert.equal(before.made + 11, during.made)
    tutti.all(list):await()
    local after, limit = tutti.stats(), tutti.now() + 30
    while after.settled < before.settled + 10 and tutti.now() < limit do
      after = tutti.stats() -- a worker counts a task a moment after it has settled
    end
    assert.is_true(after.submitted >= before.submitted + 10)
    assert.is_true(after.settled >= before.settled + 10)
    assert.is_true(after.workers >= 1)
    for name, value in pairs(after) do
      assert.is_true(value >= 0, name)
    end
    stop(task)
  end)
end)
