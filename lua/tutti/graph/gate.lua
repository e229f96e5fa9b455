-- SPDX-License-Identifier: MIT
--- Gates: how many tasks of graphs may run at once, or how much of something they may use together.
---
---     gate      { name, max, used, queue }        jobs: one a run; limits: one a graph and name; cpu and
---                                                 mem: one a state, since there is one machine
---     ticket    { entry, run, gates, amounts }    what one task asks of which gates
---
--- A ticket takes all its gates at once or none; one that cannot waits in the queue of the first that is too
--- full. So nobody holds one gate while it waits for another, and none can wait for ever.
---
--- Order in a queue: tasks that have run already and want to go on, then by priority, then by the order in
--- which they became ready. What is too large for the moment is not overtaken in its own queue.
---
--- While a task waits for another that waits at a gate it is in, it lends its place there (lend.lua) and then
--- waits for it as whoever goes on. If it is still in another gate it takes it at once, over the limit, since
--- to hold one and wait for another is how all could stand still.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `used` is the sum of what `holders` have there; a ticket is in one queue or in none.
---@module "tutti.graph.gate"
local core = require("tutti.core")
local errors = require("tutti.errors")

local gate = {}

-- ---- queues --------------------------------------------------------------------------------

-- A binary heap. Ranks: 0 goes on, 1 + priority begins.
local function comes_before(a, b)
  if a.rank ~= b.rank then
    return a.rank < b.rank
  end
  return a.seq < b.seq
end

local function push(queue, ticket)
  local i = #queue + 1
  while i > 1 and comes_before(ticket, queue[i // 2]) do
    queue[i] = queue[i // 2]
    i = i // 2
  end
  queue[i] = ticket
end

local function pop(queue)
  local first, count = queue[1], #queue
  local last = queue[count]
  queue[count] = nil
  count = count - 1
  if count == 0 then
    return first
  end
  local i = 1
  while true do
    local child = 2 * i
    if child < count and comes_before(queue[child + 1], queue[child]) then
      child = child + 1
    end
    if child > count or not comes_before(queue[child], last) then
      break
    end
    queue[i] = queue[child]
    i = child
  end
  queue[i] = last
  return first
end

-- ---- gates ---------------------------------------------------------------------------------

local function new(name, max)
  return { name = name, max = max, used = 0, queue = {}, holders = {} }
end

--- A gate of a run's own, for `jobs`.
gate.new = new

-- Graph -> name -> gate: several runs of a graph share its limits.
local of_graphs = setmetatable({}, { __mode = "k" })

local function of_graph(graph, name)
  local gates = of_graphs[graph]
  if not gates then
    gates = {}
    of_graphs[graph] = gates
  end
  local found = gates[name]
  if not found then
    found = new(name, graph.limits[name])
    gates[name] = found
  end
  found.max = graph.limits[name] or found.max -- g:limit may have said another number since
  return found
end

local function read_number(path)
  local file = io.open(path, "r")
  local text = file and file:read("l")
  if file then
    file:close()
  end
  return text and tonumber(text:match("%d+"))
end

-- What this process may use: its control group's limit, or what the machine has.
local function memory()
  local least
  local kib = nil
  local file = io.open("/proc/meminfo", "r")
  if file then
    kib = tonumber(file:read("a"):match("MemTotal:%s+(%d+) kB"))
    file:close()
  end
  least = kib and kib * 1024 or math.huge
  for _, path in ipairs({ "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" }) do
    least = math.min(least, read_number(path) or math.huge)
  end
  return least
end

local machine = {}

local function of_machine(resource)
  local found = machine[resource]
  if not found then
    found = new(resource, resource == "cpu" and core.cpus() or memory())
    machine[resource] = found
  end
  return found
end

local function of_resource(graph, resource)
  if resource == "cpu" or resource == "mem" then
    return of_machine(resource)
  end
  return of_graph(graph, resource)
end

local function bytes(count)
  local units, i = { "bytes", "KiB", "MiB", "GiB", "TiB" }, 1
  while count >= 1024 and i < #units do
    count, i = count / 1024, i + 1
  end
  return ("%.4g %s"):format(count, units[i])
end

--- Raise `usage` if a node wants more of something than there can ever be. More CPUs than there are is no
--- mistake: it then runs alone.
function gate.check(graph, node)
  for resource, amount in pairs(node.resources or {}) do
    local most = of_resource(graph, resource).max
    if resource ~= "cpu" and amount > most then
      local has, wants = tostring(most), tostring(amount)
      if resource == "mem" then
        has, wants = bytes(most), bytes(amount)
      end
      local message = ("graph \"%s\": task \"%s\" wants %s of resource \"%s\", and there are only %s: it "
        .. "could never run%s"):format(graph.name, node.name, wants, resource, has,
        node.line and (", at " .. node.line) or "")
      error(errors.new({ kind = "usage", message = message, place = node.line }), 0)
    end
  end
end

-- ---- tickets -------------------------------------------------------------------------------

local seq = 0

local function add(ticket, found, amount)
  local i = #ticket.gates + 1
  ticket.gates[i], ticket.amounts[i] = found, math.min(amount, found.max)
end

--- What the entry's task has to ask for; nil if for nothing.
function gate.ticket(run, entry)
  local node = entry.node
  if not (run.jobs_gate or node.limit or node.resources) then
    return nil
  end
  seq = seq + 1
  local ticket = { entry = entry, run = run, rank = 1 + node.spec.priority, seq = seq, gates = {},
    amounts = {} }
  if node.limit then
    add(ticket, of_graph(run.graph, node.limit), 1)
  end
  for resource, amount in pairs(node.resources or {}) do
    add(ticket, of_resource(run.graph, resource), amount)
  end
  if run.jobs_gate then
    add(ticket, run.jobs_gate, 1)
  end
  return ticket
end

-- The first gate that has no room for the ticket.
local function obstacle(ticket)
  for i, found in ipairs(ticket.gates) do
    if found.used + ticket.amounts[i] > found.max and found.used > 0 then
      return found
    end
  end
  return nil
end

local function take(ticket)
  for i, found in ipairs(ticket.gates) do
    found.used = found.used + ticket.amounts[i]
    found.holders[ticket] = ticket.amounts[i]
  end
  ticket.inside, ticket.waits_at = true, nil
end

local function wait_at(ticket, found)
  ticket.waits_at = found
  ticket.run.queued[ticket] = true
  push(found.queue, ticket)
end

-- Whoever waits for one of the same gates, and was there first.
local function who_is_before(ticket)
  for _, found in ipairs(ticket.gates) do
    local first = found.queue[1]
    if first and not first.dropped and comes_before(first, ticket) then
      return found
    end
  end
  return nil
end

--- Let the ticket in, or have it wait. Returns whether it is in.
function gate.enter(ticket)
  local found = obstacle(ticket) or who_is_before(ticket)
  if found then
    wait_at(ticket, found)
    return false
  end
  take(ticket)
  return true
end

-- Let in who waits at the gate, as far as there is room.
local function serve(found)
  local queue = found.queue
  while queue[1] do
    local ticket = queue[1]
    local other = not ticket.dropped and obstacle(ticket)
    if other == found then
      return
    end
    pop(queue)
    if other then
      wait_at(ticket, other)
    else
      ticket.run.queued[ticket] = nil
      if not ticket.dropped then
        take(ticket)
        ticket.run:granted(ticket)
      end
    end
  end
end

local function give(ticket, found)
  local amount = found.holders[ticket]
  if amount then
    found.used = found.used - amount
    found.holders[ticket] = nil
  end
end

--- The ticket's task has ended, or will never begin: its places are free.
function gate.leave(ticket)
  ticket.dropped = true -- also for the queue it may wait in
  ticket.run.queued[ticket] = nil
  if ticket.returning then
    gate.leave(ticket.returning)
  end
  if not ticket.inside then
    return
  end
  ticket.inside = false
  for _, found in ipairs(ticket.gates) do
    give(ticket, found)
  end
  for _, found in ipairs(ticket.gates) do
    serve(found)
  end
end

-- ---- places that are lent ------------------------------------------------------------------

--- Lend the ticket's place at a gate to who waits there.
function gate.lend(ticket, found)
  ticket.lent = ticket.lent or {}
  table.insert(ticket.lent, { found, found.holders[ticket] })
  give(ticket, found)
  serve(found)
end

local function return_ticket(ticket)
  local back = { entry = ticket.entry, run = ticket.run, rank = 0, seq = ticket.seq, gates = {}, amounts = {},
    returns = ticket }
  for i, lent in ipairs(ticket.lent) do
    back.gates[i], back.amounts[i] = lent[1], lent[2]
  end
  return back
end

--- The ticket has its places back: what `back` has taken is its own.
function gate.take_over(back)
  local ticket = back.returns
  for i, found in ipairs(back.gates) do
    found.holders[back] = nil
    found.holders[ticket] = back.amounts[i]
  end
  ticket.lent, ticket.returning = nil, nil
end

--- The task wants to go on: may it? If not, run:granted says when it may. `at_once`: it does so anyhow.
function gate.take_back(ticket, at_once)
  if not ticket.lent then
    return true
  end
  local back = return_ticket(ticket)
  if ticket.returning then
    gate.leave(ticket.returning)
    ticket.returning = nil
  end
  if at_once or #ticket.lent < #ticket.gates or not obstacle(back) then
    take(back)
    gate.take_over(back)
    return true
  end
  ticket.returning = back
  wait_at(back, obstacle(back))
  return false
end

return gate
