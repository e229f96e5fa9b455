-- SPDX-License-Identifier: MIT
--- The prompt on a terminal: reads lines from the terminal thread (engine/cli/prompt.c) and feeds
--- them to the evaluator, one after another.
---
--- Layer: the Lua half. Thread: the program's loop state.
--- Invariant: either a line is asked for, or one runs in the foreground; never both.
---@module "tutti.repl.terminal"
local core = require("tutti.core")
local internal = require("tutti.repl.internal")
local repl = require("tutti.repl")
local session = require("tutti.session")
local width_of = require("tutti.width").of

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

--- One line that is typed behind `shown`: "line" and its text, "interrupt" and whether something
--- was typed, or "end". It awaits.
local function read(self, shown)
  return core.uv_await(function(callback)
    self.is_reading = true
    session.prompt.read(shown, function(...)
      self.is_reading = false -- from now on, although who waits runs later: Ctrl-C may come before that
      callback(...)
    end)
  end)
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
local function may_leave(self)
  local list = self.prompt:running()
  if #list == 0 then
    return true
  end
  say(("%d still running:\n%s"):format(#list, describe(list)))
  local kind, answer = read(self, "cancel them and leave? [y/N] ")
  return kind == "end" or kind == "line" and (answer or ""):lower():find("^%s*y") ~= nil
end

-- ---- lines ---------------------------------------------------------------------------------

-- Feed a chunk; Ctrl-C that came since its Enter counts.
local function feed(self, text)
  if self.is_interrupted then
    return
  end
  self.prompt:feed(text)
  session.prompt.foreground(nil)
end

-- A line, added to those before it that make no chunk yet. Returns what is not complete, or nil.
-- The history gets whole chunks, and none twice in a row.
local function take_line(self, before, line)
  local text = before and before .. "\n" .. line or line
  if not text:find("%S") then
    return before and text
  elseif not self.prompt:is_complete(text) then
    return text
  end
  if text ~= self.last then
    session.prompt.remember(text)
    self.last = text
  end
  feed(self, text)
end

-- Read and feed until Ctrl-D.
local function serve(self)
  while true do
    local before = self.before
    local kind, text = read(self, before and MORE or PRIMARY)
    self.before = nil
    if kind == "line" and not text then
      say("there was not enough memory for what was typed\n")
      self.before = before
    elseif kind == "line" then
      self.before = take_line(self, before, text)
    elseif kind == "interrupt" then
      if not before and not text then
        say(LEAVE)
      end
    elseif may_leave(self) then
      return
    end
    self.is_interrupted = false
  end
end

-- ---- Tab -----------------------------------------------------------------------------------

-- What all of a list begin with, whole characters of it.
local function common_prefix(list)
  local first, size = list[1], #list[1]
  for i = 2, #list do
    local other = list[i]
    for at = 1, size do
      if first:byte(at) ~= other:byte(at) then
        size = at - 1
        break
      end
    end
  end
  while size > 0 and size < #first and first:byte(size + 1) & 0xC0 == 0x80 do
    size = size - 1
  end
  return first:sub(1, size)
end

local LISTED_MAX = 200

-- The candidates in columns, read downwards.
local function columns(list, width)
  local count, widest = math.min(#list, LISTED_MAX), 0
  for i = 1, count do
    widest = math.max(widest, width_of(list[i]))
  end
  local across = math.max(1, width // (widest + 2))
  local rows = (count + across - 1) // across
  local lines = {}
  for row = 1, rows do
    local words = {}
    for at = row, count, rows do
      local word = list[at]
      words[#words + 1] = word .. (" "):rep(widest + 2 - width_of(word))
    end
    lines[row] = (table.concat(words):gsub("%s+$", ""))
  end
  if #list > count then
    lines[#lines + 1] = ("... %d more"):format(#list - count)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- For Tab: which bytes of the line become what, and what there is to choose from.
local function complete(self, line, point)
  local before = self.before and self.before .. "\n" or ""
  local list, from, to = self.prompt:complete(before .. line, #before + point)
  from, to = from - 1 - #before, to - #before
  if #list == 0 or from < 0 then
    return
  end
  local insert = common_prefix(list)
  if #insert < to - from then
    insert = line:sub(from + 1, to)
  end
  return from, to, insert, #list > 1 and columns(list, session.width and session.width() or 80) or nil
end

-- ---- at once -------------------------------------------------------------------------------

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
  internal.tasks[core.current()] = true
  local prompt = repl.new({
    write = write,
    width = session.width,
    color = session.color_out,
    started = session.prompt.foreground,
  })
  local self = { prompt = prompt, is_reading = false, is_interrupted = false }
  core.share_turns()
  listen(self)
  session.prompt.completer(function(line, point) return complete(self, line, point) end)
  serve(self)
  session.prompt.leave()
  prompt:close()
end

return terminal
