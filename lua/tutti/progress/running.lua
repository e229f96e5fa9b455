-- SPDX-License-Identifier: MIT
--- The tasks that run now, of all runs, in the order in which they began.
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: `after` and `before` mirror each other; adding and removing take the same time however
--- many there are.
---@module "tutti.progress.running"

local running = { count = 0 }

-- Entry -> its neighbours. HEAD stands before the first and after the last.
local HEAD = {}
local after, before = { [HEAD] = HEAD }, { [HEAD] = HEAD }
local run_of = {}

--- Append an entry; one that is there already goes to the end.
function running.add(run, entry)
  if run_of[entry] then
    running.remove(entry)
  end
  local last = before[HEAD]
  after[last], before[entry] = entry, last
  after[entry], before[HEAD] = HEAD, entry
  run_of[entry] = run
  running.count = running.count + 1
end

--- Take an entry out; nothing if it is not there.
function running.remove(entry)
  local left, right = before[entry], after[entry]
  if not right then
    return
  end
  after[left], before[right] = right, left
  after[entry], before[entry] = nil, nil
  run_of[entry] = nil
  running.count = running.count - 1
end

--- The entry that began next after `entry`; the oldest after nil; nil after the youngest.
function running.next(entry)
  local following = after[entry or HEAD]
  if following ~= HEAD then
    return following
  end
end

--- The run that an entry belongs to.
function running.run_of(entry)
  return run_of[entry]
end

--- Take out what is left of a run that has ended.
function running.forget(run)
  local entry = running.next()
  while entry do
    local following = running.next(entry)
    if run_of[entry] == run then
      running.remove(entry)
    end
    entry = following
  end
end

return running
