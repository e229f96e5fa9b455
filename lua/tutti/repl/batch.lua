-- SPDX-License-Identifier: MIT
--- `tutti repl` without a terminal: the chunks of FILE or of standard input one by one, up to the
--- first error.
---
---     lines --whole chunks--> evaluator --values--> stdout
---                                       --errors, reports--> stderr
---
--- Layer: lua. Thread: the program's loop state; the body of its main task.
---@module "tutti.repl.batch"
local core = require("tutti.core")
local errors = require("tutti.errors")
local input = require("tutti.repl.input")
local internal = require("tutti.repl.internal")
local repl = require("tutti.repl")
local say = require("tutti.say")
local session = require("tutti.session")
local source = require("tutti.repl.source")
local tutti = require("tutti")

local batch = {}

local FAILED, NOT_READ, WRONG = 1, 2, 3
local WRONG_KINDS = { usage = true, missing = true, cycle = true }

-- Up to this line a chunk gets as many empty lines in front as stand before it, so that errors name
-- its lines.
local PLACED_LINES = 5000

-- ---- reading -----------------------------------------------------------------------------

-- The lines of FILE or of standard input. One that cannot be read is a wrong command line.
---@async
local function lines_of(file)
  local next_line
  return function()
    local ok, text = tutti.pcall(function()
      next_line = next_line or input.lines(file)
      return next_line()
    end)
    if ok then
      return text
    end
    say(("tutti: repl: reading %s: %s\n"):format(file or "standard input", errors.text(text)))
    os.exit(NOT_READ)
  end
end

-- ---- chunks --------------------------------------------------------------------------------

-- What closes something; without it a text stays unfinished whatever follows. (An "=" that is
-- missed is no such thing: `a, b` is an expression.)
local CLOSES = {}
for word in ("end until then do } ) ]"):gmatch("%S+") do
  CLOSES[word] = true
end

-- Does this text want more, whatever else the evaluator may find in it? It is asked after each line
-- of a chunk, so it has to be quick. The second value: the word or sign that must come, if that can
-- be told.
local function is_open(text)
  local _, message = load(text .. "\n", "=", "t")
  if not (message and message:find("<eof>$")) or load("return " .. text, "=", "t") then
    return false
  end
  local word = message:match("'([^']+)' expected [^\n]*near <eof>$")
  return true, CLOSES[word] and word or nil
end

-- The text of the next chunk and the line that it begins in; nil at the end. What the input ends in
-- the middle of is a chunk as well.
---@async
local function next_chunk(self)
  local first, parts = self.line + 1, {}
  local is_unfinished, missing
  for text in self.next_line do
    self.line = self.line + 1
    if self.line == 1 then
      text = source.begin(text)
    end
    parts[#parts + 1] = text
    if not missing or text:find(missing, 1, true) then
      local whole = table.concat(parts)
      is_unfinished, missing = is_open(whole)
      if not is_unfinished and self.prompt:is_complete(whole) then
        return whole, first
      end
    end
  end
  if #parts > 0 then
    return table.concat(parts), first
  end
end

-- ---- running -------------------------------------------------------------------------------

local function write(text, kind)
  if kind == "value" then
    io.stdout:write(text)
    io.stdout:flush()
  else
    io.stdout:flush()
    io.stderr:write(text)
  end
end

-- What the batch comes to by the end of a chunk; nil: it goes on. As for a script: an error before any
-- task was made is a mistake in the text.
local function status_of(outcome)
  if outcome.kind == "command" then
    return not outcome.ok and FAILED or nil
  elseif outcome.kind ~= "error" then
    return nil
  end
  local is_wrong = outcome.is_syntax or WRONG_KINDS[outcome.error.kind] or core.stats().made == 0
  return is_wrong and WRONG or FAILED
end

-- The input ended in the middle of a chunk.
local function say_unfinished(text, name)
  local _, message = load(text, "=" .. name, "t")
  say(("tutti: %s: the input ends in the middle of a chunk\n"):format(message or name))
end

---@async
local function run_chunk(self, text, first)
  local name = self.name
  if first > PLACED_LINES then
    name = ("(%s, line %d)"):format(name, first)
  else
    text = ("\n"):rep(first - 1) .. text
  end
  local outcome = self.prompt:feed(text, name)
  if outcome.kind == "incomplete" then
    say_unfinished(text, name)
    return WRONG
  end
  return status_of(outcome)
end

-- Run all chunks; returns the status of what went wrong, or nil.
---@async
local function run_chunks(self)
  for text, first in next_chunk, self do
    local status = run_chunk(self, text, first)
    if status then
      return status
    end
  end
end

-- What the chunks left in the background is awaited. Its failures are told by the evaluator.
---@async
local function await_rest(self)
  self.prompt:join()
  self.prompt:close()
  return self.prompt.failures > 0 and FAILED or nil
end

--- Run what the session names. Ends the program with a status other than 0 if something went wrong.
---@async
function batch.run()
  local self = { name = session.file or "stdin", line = 0, next_line = lines_of(session.file) }
  core.share_turns()
  internal.tasks[tutti.current()] = true
  self.prompt = repl.new({ name = self.name, write = write, color = session.color_out })
  local status = run_chunks(self) or await_rest(self)
  if status then
    self.prompt:close("an error ended the batch")
    os.exit(status)
  end
end

return batch
