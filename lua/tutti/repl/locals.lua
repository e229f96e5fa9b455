-- SPDX-License-Identifier: MIT
--- Locals that live on from line to line. Each has a cell, the upvalue of a closure that holds it alone.
---
--- A line is compiled as
---
---     local a, b <const> local tutti__keep, tutti__values = ... return function(...) LINE
---     ;tutti__keep(function() return c, d end) end
---
--- with those earlier locals that occur in it. Its upvalues a and b are then joined to their cells, and so
--- are the cells of what it declares itself, c and d, to the upvalues of the function that it hands over: a
--- closure of any line and the cell see the same variable.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a cell holds nothing but its own variable.
---@module "tutti.repl.locals"

local source = require("tutti.repl.source")

local locals = {}
locals.__index = locals

-- Lua allows 200 local variables in a function; two are the evaluator's.
local USED_MAX = 190

-- What the evaluator sets by itself: a line's own locals of these names end with it.
local RESERVED = { _ = true, __ = true }

local function new_cell(value)
  local held = value
  return function() return held end
end

--- No locals yet but those of `seed`, name -> value.
function locals.new(seed)
  local self = setmetatable({ cells = {}, consts = {} }, locals)
  for name in pairs(RESERVED) do
    self:set(name, nil)
  end
  for name, value in pairs(seed) do
    self:set(name, value)
  end
  return self
end

--- Give one a value; the evaluator's own are set so.
function locals:set(name, value)
  local cell = self.cells[name]
  if not cell then
    cell = new_cell()
    self.cells[name] = cell
  end
  debug.setupvalue(cell, 1, value)
end

--- Name -> { value = it }, of all there are.
function locals:entries()
  local entries = {}
  for name, cell in pairs(self.cells) do
    local _, value = debug.getupvalue(cell, 1)
    entries[name] = { value = value }
  end
  return entries
end

-- ---- what a line declares ------------------------------------------------------------------

-- Those that live on, and the names of those that do not since they are closed.
local function kept_of(read)
  local kept, closed = {}, {}
  for _, declared in ipairs(read.declared) do
    if declared.attribute == "close" then
      closed[#closed + 1] = declared.name
    elseif not RESERVED[declared.name] then
      kept[#kept + 1] = declared
    end
  end
  return kept, closed
end

local function upvalues_of(f)
  local index = {}
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if not name then
      break
    end
    index[name] = i
  end
  return index
end

-- A constant that the compiler knows is no variable: `capture` has no upvalue for it, and returns it.
local function keep(self, kept, capture)
  local index, values = upvalues_of(capture), nil
  for i, declared in ipairs(kept) do
    local name = declared.name
    local cell = new_cell()
    if index[name] then
      debug.upvaluejoin(cell, 1, capture, index[name])
    else
      values = values or table.pack(capture())
      debug.setupvalue(cell, 1, values[i])
    end
    self.cells[name] = cell
    self.consts[name] = declared.attribute == "const" or nil
  end
end

-- ---- compiling a line ----------------------------------------------------------------------

-- The earlier locals that occur in a line; every global is a field of _ENV.
local function used_of(self, read)
  local used = {}
  for name in pairs(self.cells) do
    if read.names[name] or name == "_ENV" then
      used[#used + 1] = name
    end
  end
  table.sort(used)
  return used
end

-- A name that does not occur in the line.
local function free_name(read, name)
  while read.names[name] do
    name = name .. "_"
  end
  return name
end

local function head_of(self, used, keeper, values)
  local list = {}
  for i, name in ipairs(used) do
    list[i] = self.consts[name] and name .. " <const>" or name
  end
  local before = #list > 0 and ("local %s "):format(table.concat(list, ",")) or ""
  return ("%slocal %s,%s=... return function(...) "):format(before, keeper, values)
end

local function body_of(found, kept, keeper, values)
  local text, at = found.text, found.read.return_at
  if found.is_expression then -- not in a tail call, so that the line is in tracebacks
    return ("return %s(%s\n)"):format(values, text)
  elseif #kept == 0 then
    return text
  end
  local names = {}
  for i, declared in ipairs(kept) do
    names[i] = declared.name
  end
  local hand_over = (";%s(function() return %s end)"):format(keeper, table.concat(names, ","))
  if at then
    return ("%s%s %s"):format(text:sub(1, at - 1), hand_over, text:sub(at))
  end
  return text .. "\n" .. hand_over
end

local function values_of(...)
  return ...
end

---@class tutti.repl.compiled
---@field f function?          # the line
---@field message string?      # why there is none
---@field closed string[]      # its <close> variables
---@field is_lost boolean?     # a goto is in the way: what it declares does not live on

local function compile(self, found, name, kept)
  local used = used_of(self, found.read)
  if #used > USED_MAX then
    return nil, ("%s:1: the line uses %d locals of earlier lines, and at most %d fit into one function: "
      .. "make some of them fields of a table, or globals"):format(name, #used, USED_MAX)
  end
  local keeper, values = free_name(found.read, "tutti__keep"), free_name(found.read, "tutti__values")
  local text = head_of(self, used, keeper, values) .. body_of(found, kept, keeper, values) .. "\nend"
  local outer, message = source.load(text, name)
  if not outer then
    return nil, message
  end
  local f = outer(function(capture) keep(self, kept, capture) end, values_of)
  local index = upvalues_of(f)
  for _, used_name in ipairs(used) do
    if index[used_name] then
      debug.upvaluejoin(f, index[used_name], self.cells[used_name], 1)
    end
  end
  return f
end

--- Compile a chunk that compiles by itself; what it declares lives on once its function has run to its end.
---@param found tutti.repl.source
---@return tutti.repl.compiled
function locals:compile(found, name)
  local kept, closed = kept_of(found.read)
  local f, message = compile(self, found, name, kept)
  if not f and #kept > 0 and message:find("jumps into the scope of local", 1, true) then
    f = compile(self, found, name, {})
    return { f = f, message = message, closed = closed, is_lost = f ~= nil }
  end
  return { f = f, message = message, closed = closed }
end

return locals
