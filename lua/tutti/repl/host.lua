-- SPDX-License-Identifier: MIT
--- The evaluator as a host's C code uses it (engine/lua/repl.c): calls that never wait.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `done` is called once for each text that was fed; `fed` has those whose task has not begun.
---@module "tutti.repl.host"
local core = require("tutti.core")
local internal = require("tutti.repl.internal")
local repl = require("tutti.repl")

local host = {}
host.__index = host

-- The body of a task for each text.
local function feed(self, entry)
  table.remove(self.fed, 1)
  if entry.is_interrupted then
    self.write("cancelled: interrupted (Ctrl-C)\n", "error")
    self.done("error")
    return
  end
  local ok, outcome = pcall(self.prompt.feed, self.prompt, entry.text)
  self.done(ok and outcome.kind or "error")
end

function host:feed(text)
  local entry = { text = text }
  self.fed[#self.fed + 1] = entry
  local task = core.start({ name = self.prompt.name, quiet = true, no_place = true, detach = true }, feed,
    self, entry)
  internal.tasks[task] = true
end

--- Ctrl-C at once after Enter is for the text that has been fed, although its task has not begun.
function host:interrupt()
  if self.prompt:interrupt() then
    return true
  end
  local entry = self.fed[1]
  if entry then
    entry.is_interrupted = true
  end
  return entry ~= nil
end

function host:complete(text, point)
  return self.prompt:complete(text, point)
end

function host:stop()
  self.prompt:stop()
end

-- The arguments of `print`, as print itself would show them.
local function line_of(...)
  local texts = table.pack(...)
  for i = 1, texts.n do
    texts[i] = tostring(texts[i])
  end
  return table.concat(texts, "\t") .. "\n"
end

--- config: { name =, columns =, color =, own_print =, write = function(text, kind),
--- done = function(outcome) }
function host.new(config)
  local columns, write = config.columns, config.write
  local prompt = repl.new({
    name = config.name,
    write = write,
    width = function() return columns end,
    color = config.color,
    print = config.own_print and function(...) write(line_of(...), "print") end or nil,
  })
  return setmetatable({ prompt = prompt, done = config.done, write = write, fed = {} }, host)
end

return host
