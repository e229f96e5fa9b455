-- SPDX-License-Identifier: MIT
--- The tasks that run now, of all runs, in the order in which they began.
---
--- Of an end nothing is noted: entries that run no more are passed over, and taken out once they are many. So
--- a task costs one step here when it begins, and looking at the oldest few is cheap too.
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: every running entry is in `list` from `first` to `last`, older ones before younger ones.
---@module "tutti.progress.running"

local running = {}

local list, runs = {}, {}
local first, last = 1, 0
local last_max = 1024 -- beyond that it is time to take out what runs no more

local function compact()
  local kept, kept_runs, count = {}, {}, 0
  for i = first, last do
    if list[i].state == "running" then
      count = count + 1
      kept[count], kept_runs[count] = list[i], runs[i]
    end
  end
  list, runs, first, last = kept, kept_runs, 1, count
  last_max = 2 * count + 1024
end

--- Append an entry, which begins now.
function running.add(run, entry)
  last = last + 1
  list[last], runs[last] = entry, run
  if last > last_max then
    compact()
  end
end

--- for entry, run in running.oldest() do ... end
function running.oldest()
  local i, passed = first - 1, 0
  return function()
    while i < last do
      i = i + 1
      local entry = list[i]
      if entry.state == "running" then
        if passed > 1024 and passed > (last - first) // 8 then
          last_max = 0 -- the next one that begins takes them out
        end
        return entry, runs[i]
      end
      passed = passed + 1
      if i == first then
        list[i], runs[i] = nil, nil
        first = first + 1
      end
    end
  end
end

return running
