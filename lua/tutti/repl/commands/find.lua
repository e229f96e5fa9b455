-- SPDX-License-Identifier: MIT
--- The task that somebody means: by the number of a line, its id, its name, or an expression.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands.find"
local core = require("tutti.core")
local options = require("tutti.options")

local find = {}

local LOOKED_MAX = 100000 -- tasks that are looked through for an id or a name
local SHOWN_MAX = 5

local function ids_of(tasks)
  local ids = {}
  for i = 1, math.min(#tasks, SHOWN_MAX) do
    ids[i] = tostring(tasks[i]:id())
  end
  return table.concat(ids, ", ") .. (#tasks > SHOWN_MAX and ", ..." or "")
end

local function line_of(prompt, number)
  for _, line in ipairs(prompt:running()) do
    if line.number == number then
      return line.task
    end
  end
end

-- The tasks that `is_meant(node)`, oldest first; scopes are none.
local function pick(is_meant)
  local picked = {}
  for _, node in ipairs(core.tree(LOOKED_MAX)) do
    if node.kind ~= "scope" and is_meant(node) then
      table.insert(picked, 1, node.task)
    end
  end
  return picked
end

local function by_name(text)
  local names = {}
  local picked = pick(function(node)
    names[node.name] = true
    return node.name == text
  end)
  return picked, options.nearest(text, names)
end

local function by_number(prompt, text)
  local number = math.tointeger(tonumber(text:match("^%[(%d+)%]$") or text:match("^%d+$")))
  if not number then
    return nil
  end
  local task = line_of(prompt, number)
  if task or text:find("^%[") then
    return task, ("no line [%d] goes on"):format(number)
  end
  return pick(function(node) return node.id == number end)[1],
    ("there is neither a line [%d] nor a task %d that goes on"):format(number, number)
end

-- A task of the latest run that has not been started has no handle as yet.
local function of_run(text)
  local runs = package.loaded["tutti.graph.run"]
  local run = runs and runs.latest()
  local entry = run and run.entries[text]
  return entry and entry.task
end

-- An expression that gives a task, or the name of one.
local function by_expression(prompt, text)
  local ok, value = core.protected.pcall(prompt.evaluate, prompt, text)
  if not ok then
    return nil, text:find("^[%w_]+$") == nil and value or nil
  elseif type(value) == "string" then
    return by_name(value)[1]
  end
  return core.is_task(value) and value or nil
end

--- The task that `text` means, or nil and why there is none.
---@async
---@return tutti.Task?, string?
function find.task(prompt, text)
  local task, message = by_number(prompt, text)
  if task or message then
    return task, message
  end
  local named, near = by_name(text)
  if #named == 1 then
    return named[1]
  elseif #named > 1 then
    return nil, ("%d tasks are called \"%s\": say which by its id (%s)"):format(#named, text, ids_of(named))
  end
  task = of_run(text)
  if task then
    return task
  end
  local raised
  task, raised = by_expression(prompt, text)
  if task then
    return task
  end
  return nil, ("no task that goes on is called \"%s\"%s, and as an expression it gives none%s"):format(text,
    near and (" (did you mean \"%s\"?)"):format(near) or "",
    raised and ": " .. tostring(raised.message or raised):match("^[^\n]*") or "")
end

return find
