-- SPDX-License-Identifier: MIT
--- :type, :time and :load: expressions and files.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands.code"
local core = require("tutti.core")
local show = require("tutti.repl.show")
local source = require("tutti.repl.source")
local text = require("tutti.repl.text")

local code = {}

local function write_values(prompt, values)
  if values.n > 0 then
    local shown = show.values(values, values.n, { width = prompt.width(), color = prompt.color })
    prompt.write(shown .. "\n", "value")
  end
end

-- ---- :type ---------------------------------------------------------------------------------

local function type_of(value)
  local kind = type(value)
  if kind == "number" then
    return math.type(value)
  elseif core.is_task(value) then
    return "task (" .. value:state() .. ")"
  elseif kind == "string" then
    return ("string of %s byte%s"):format(text.count(#value), #value == 1 and "" or "s")
  elseif kind == "function" then
    return show.value(value)
  end
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and ("%s (%s)"):format(kind, text.line(name, 80)) or kind
end

--- :type EXPR
---@async
function code.type(prompt, argument)
  local values = table.pack(prompt:evaluate(argument))
  local types = {}
  for i = 1, math.min(values.n, 100) do
    types[i] = type_of(values[i])
  end
  types[#types + 1] = values.n == 0 and "no values" or values.n > 100 and "..." or nil
  prompt.write(table.concat(types, ", ") .. "\n", "value")
end

-- ---- :time ---------------------------------------------------------------------------------

local function seconds(value)
  if value < 0.001 then
    return ("%.1f us"):format(value * 1e6)
  elseif value < 1 then
    return ("%.3g ms"):format(value * 1e3)
  end
  return value < 60 and ("%.3f s"):format(value) or text.age(value)
end

--- :time EXPR
---@async
function code.time(prompt, argument)
  local began, cpu = core.now(), os.clock()
  local values = table.pack(prompt:evaluate(argument))
  local was_task = core.is_task(values[1])
  if was_task then
    values = table.pack(values[1]:await())
  end
  local took, used = core.now() - began, os.clock() - cpu
  write_values(prompt, values)
  prompt.write(("%s%s, %s of CPU time of all threads\n"):format(seconds(took),
    was_task and " until the task had ended" or "", seconds(used)), "report")
end

-- ---- :load ---------------------------------------------------------------------------------

--- :load FILE
---@async
function code.load(prompt, argument)
  local path = argument:gsub("^~/", (os.getenv("HOME") or "~") .. "/")
  local bytes = require("tutti").fs.read(path)
  if bytes:find("^\27") then
    return false, ("%s holds bytecode; only text is loaded"):format(path)
  end
  write_values(prompt, table.pack(prompt:evaluate(source.begin(bytes), path)))
end

return code
