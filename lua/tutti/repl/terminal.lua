-- SPDX-License-Identifier: MIT
--- The prompt on a terminal: reads lines from the terminal thread (engine/cli/prompt.c) and feeds them to the
--- evaluator, one after another.
---
--- Layer: the Lua half. Thread: the program's loop state.
--- Invariant: either a line is asked for, or one runs in the foreground; never both.
---@module "tutti.repl.terminal"
local core = require("tutti.core")
local repl = require("tutti.repl")
local session = require("tutti.session")

local terminal = {}

local PRIMARY, MORE = "tutti> ", ">> "
local LEAVE = "Ctrl-D leaves the prompt; :help says what there is\n"

local function say(text)
  io.stdout:write(text)
  io.stdout:flush()
end

-- What the evaluator writes: values to stdout, the rest to stderr.
local function write(text, kind)
  local stream = kind == "value" and io.stdout or io.stderr
  stream:write(text)
  stream:flush()
end

--- One line that is typed behind `shown`: "line" and its text, "interrupt" and whether something was typed, or
--- "end". It awaits.
local function read(shown)
  return core.uv_await(session.prompt.read, shown)
end

-- ---- leaving -------------------------------------------------------------------------------

local function describe(list)
  local lines = {}
  for i, entry in ipairs(list) do
    lines[i] = ("  [%d] %s\n"):format(entry.number, (entry.text:gsub("%s+", " ")))
  end
  return table.concat(lines)
end

-- Ctrl-D: what goes on is cancelled after a question. Without an answer the terminal is gone.
local function may_leave(prompt)
  local list = prompt:running()
  if #list == 0 then
    return true
  end
  say(("%d still running:\n%s"):format(#list, describe(list)))
  local kind, answer = read("cancel them and leave? [y/N] ")
  return kind == "end" or kind == "line" and answer:lower():find("^%s*y") ~= nil
end

-- ---- lines ---------------------------------------------------------------------------------

-- Feed a chunk; Ctrl-C that came since its Enter counts. Returns whether it wants more.
local function feed(self, text)
  if self.is_interrupted then
    return false
  end
  return self.prompt:feed(text).kind == "incomplete"
end

-- A line, added to those before it that make no chunk yet. Returns what is not complete, or nil.
local function take_line(self, before, line)
  local text = before and before .. "\n" .. line or line
  if not before and not text:find("%S") then
    return nil
  end
  return feed(self, text) and text or nil
end

-- Read and feed until Ctrl-D.
local function serve(self)
  local before
  while true do
    self.is_reading = true
    local kind, text = read(before and MORE or PRIMARY)
    self.is_reading = false
    if kind == "line" then
      before = take_line(self, before, text)
    elseif kind == "interrupt" then
      if not before and not text then
        say(LEAVE)
      end
      before = nil
    elseif may_leave(self.prompt) then
      return
    end
    self.is_interrupted = false
  end
end

-- Ctrl-C while no line is typed.
local function listen(self)
  session.prompt.listen(function()
    if not self.is_reading and not self.prompt:interrupt() then
      self.is_interrupted = true
    end
  end)
end

--- Serve until the user leaves. In a task.
function terminal.run()
  local prompt = repl.new({
    write = write,
    width = session.width,
    color = session.color_out,
  })
  local self = { prompt = prompt, is_reading = false, is_interrupted = false }
  listen(self)
  serve(self)
  session.prompt.leave()
  prompt:close()
end

return terminal
