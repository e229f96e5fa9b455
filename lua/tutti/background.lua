-- SPDX-License-Identifier: MIT
--- Tasks that hold no join open: tutti.every and tutti.signal. When an owner waits for no others, it cancels
--- them and ends.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.background"
local core = require("tutti.core")
local options = require("tutti.options")

local NAME = "tutti.every"

-- What a run starts belongs to that run: it has ended before the next, and its failures are the run's.
local RUN = { name = NAME, collect = true, plain = true }

-- The next time on the grid that is still to come: a run that took too long makes none up, and shifts none.
local function next_due(due, period, now)
  due = due + period
  if due <= now then
    due = due + math.ceil((now - due) / period) * period
  end
  return due > now and due or due + period
end

local function run_for_ever(period, f)
  local due = core.now() + period
  while true do
    core.sleep(math.max(0, due - core.now()))
    core.scope(RUN, f)
    due = next_due(due, period, core.now())
  end
end

--- Call f() each `period`, first after one: a task that ends when f raises, or when it is cancelled.
---@nodiscard
local function every(period, f)
  local seconds = core.duration(period, NAME, 2)
  if seconds == 0 then
    core.usage(("%s: the time between two runs must be more than 0"):format(NAME), 2)
  end
  options.check_function(NAME, f, 2)
  local task = core.start({ level = 2, background = true }, run_for_ever, seconds, f)
  return task
end

--- A task that ends when the process gets this signal; it returns the name. While it is pending, the signal's
--- default does not happen (SIGINT: the first time).
---@nodiscard
local function signal(name)
  local task = core.signal(name, 2)
  return task
end

return { exports = { every = every, signal = signal } }
