-- SPDX-License-Identifier: MIT
--- The evaluator of a prompt: a line or a chunk goes in; out comes whether it is unfinished, its values, its
--- error, or a task that goes on. It knows of no terminal: what is to be seen goes to a function.
---
---     caller --feed--> turn --> line (a task below the keeper) --values, errors, reports--> write
---
--- The keeper is a task that owns all lines; it hears of each end, so that the failure of one concerns no
--- other. It holds no join open.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: at most one line holds the prompt; which it is, is in `holder`.
---@module "tutti.repl"
local core = require("tutti.core")
local internal = require("tutti.repl.internal")
local line = require("tutti.repl.line")
local locals = require("tutti.repl.locals")
local options = require("tutti.options")
local say = require("tutti.say")
local source = require("tutti.repl.source")

local tutti__call = core.call -- by this name tracebacks leave it out

local repl = {}

---@class tutti.repl.prompt
local prompt = {}
prompt.__index = prompt
prompt.__name = "tutti.prompt"

-- ---- the keeper ----------------------------------------------------------------------------

local function hear(self)
  for _, task in ipairs(core.take_ended(self.keeper) or {}) do
    local this = self.lines[task]
    local ok, err = pcall(line.ended, this)
    if not ok then -- what shows values failed
      say(("tutti: prompt \"%s\": %s\n"):format(self.name, tostring(err)))
      line.abandon(this, err)
    end
  end
  if self.joiner and not next(self.lines) then
    core.wake(self.joiner)
  end
end

-- Whoever waits for a line, or for a turn, hears that the prompt is closed.
local function close(guard)
  local self = guard.prompt
  self.is_closed = true
  for _, this in pairs(self.lines) do
    line.abandon(this, nil)
  end
  for _, this in ipairs(self.queue) do
    if this.feeder then
      core.wake(this.feeder)
    end
  end
  if self.joiner then
    core.wake(self.joiner)
  end
end

local closing = { __close = close }

-- The body of its task.
local function keep(self)
  local _ <close> = setmetatable({ prompt = self }, closing)
  core.supervise()
  while true do
    hear(self)
    core.park("a prompt")
  end
end

-- ---- turns ---------------------------------------------------------------------------------

local function remove(queue, this)
  for i, other in ipairs(queue) do
    if other == this then
      table.remove(queue, i)
      return
    end
  end
end

-- Also when whoever owned it has ended.
local function is_closed(self)
  return self.is_closed or self.keeper:is_done()
end

-- The turn is over, or whoever fed the line was cancelled before it was.
local function leave(turn)
  local self, this = turn.prompt, turn.line
  if this.task and not this.outcome and not this.is_background then
    line.abandon(this, nil)
    this.task:cancel("what waited for it was cancelled")
  end
  if self.holder == this then
    self.holder = nil
  end
  remove(self.queue, this)
  local next_one = self.queue[1]
  if next_one and next_one.feeder and not self.holder then
    core.wake(next_one.feeder)
  end
end

local leaving = { __close = leave }

local function wait_turn(self, this)
  while not is_closed(self) and (self.holder or self.queue[1] ~= this) do
    core.park("prompt:feed")
  end
  remove(self.queue, this)
  self.holder = this
end

-- ---- feeding -------------------------------------------------------------------------------

local CLOSED = "the prompt is closed"

local function error_of(message)
  return core.error_new({ kind = "error", message = message })
end

local function cancellation(reason)
  return core.error_new({ kind = "cancelled", message = "cancelled: " .. reason, reason = reason })
end

local function wrong(self, this, err, is_syntax)
  line.write_error(self, err)
  this.outcome = { kind = "error", error = err, is_syntax = is_syntax }
end

local function note(self, text)
  line.write(self, text .. " (:help locals)", "report")
end

-- What is said of a line's locals that do not live on; of <close> it is said once.
local function note_lost(self, compiled)
  if compiled.is_lost then
    note(self, "what this line declares ends with it, since a goto jumps over it")
  elseif #compiled.closed > 0 and not self.has_told_close then
    self.has_told_close = true
    note(self, ("\"%s\" is closed at the end of its line and does not live on")
      :format(table.concat(compiled.closed, "\", \"")))
  end
end

-- What the line's task calls, or nil: it does not compile with the locals there are.
local function function_of(self, this)
  local found = this.source
  if found.kind == "command" then
    return function() return require("tutti.repl.commands").run(self, found.text) end
  end
  local compiled = self.locals:compile(found, this.chunk)
  if compiled.f then
    note_lost(self, compiled)
    return compiled.f
  end
  wrong(self, this, error_of(compiled.message), true)
end

-- Run a line when it is its turn; in a task.
local function take_part(self, this)
  this.feeder = core.current()
  local _ <close> = setmetatable({ prompt = self, line = this }, leaving)
  wait_turn(self, this)
  if is_closed(self) then
    return { kind = "error", error = cancellation(CLOSED), is_syntax = false }
  elseif this.is_interrupted then
    wrong(self, this, cancellation(line.INTERRUPTED), false)
    return this.outcome
  elseif this.source.kind == "error" then
    wrong(self, this, error_of(this.source.message), true)
    return this.outcome
  end
  this.f = function_of(self, this)
  if this.f then
    line.start(this)
  end
  if this.f and this.is_background then
    line.report_running(this)
    return { kind = "running", task = this.task, number = this.number }
  end
  while not this.outcome do
    core.park("prompt:feed")
  end
  return this.outcome
end

-- A line that feeds its own prompt would wait for itself.
local function check_feeder(self)
  local at = self.holder and self.holder.task and core.current()
  while at do
    if at == self.holder.task then
      core.usage("prompt:feed: the line that runs cannot feed its own prompt: it would wait for itself", 3)
    end
    at = core.owner(at)
  end
end

local function chunk_name(self, number)
  return ("(%s %d)"):format(self.name, number)
end

local function check_text(what, text)
  if type(text) ~= "string" then
    core.usage(("%s: a text was expected, got %s"):format(what, type(text)), 3)
  end
end

--- Evaluate a line or a chunk. Values, errors and reports go to `write`; what is returned is for decisions:
--- { kind = "incomplete" } (nothing ran), "values" with n and the values, "error" with error and is_syntax,
--- "running" with task and number, "command" with ok. While a line holds the prompt others wait their turn.
---@async
---@param text string
---@param name string? # what its chunk is called in messages; the prompt's name and the line's number if nil
---@return table outcome
function prompt:feed(text, name)
  check_text("prompt:feed", text)
  check_feeder(self)
  if is_closed(self) then
    core.usage("prompt:feed: " .. CLOSED, 2)
  end
  local found = source.read(text, name or chunk_name(self, self.number + 1))
  if found.kind == "incomplete" then
    return { kind = "incomplete" }
  elseif found.kind == "empty" then
    return { kind = "values", n = 0 }
  end
  self.number = self.number + 1
  local chunk = name or chunk_name(self, self.number)
  local this = { prompt = self, number = self.number, chunk = chunk, text = text,
    source = found, name = line.name(text), is_background = found.is_background,
    is_command = found.kind == "command" }
  self.queue[#self.queue + 1] = this
  if core.current() then
    return take_part(self, this)
  end
  local task = core.start({ name = self.name, quiet = true, no_place = true }, take_part, self, this)
  internal.tasks[task] = true
  return task:await()
end

--- Would `feed` run this text? If not it asks for more. Compiles only.
---@param text string
---@return boolean
function prompt:is_complete(text)
  check_text("prompt:is_complete", text)
  return source.read(text, self.name).kind ~= "incomplete"
end

-- ---- in a line -----------------------------------------------------------------------------

--- Evaluate a chunk in the current task, for commands: it sees the locals, and what it declares lives on.
---@async
---@param text string
---@param name string? # what it is called in messages; the prompt's number if there is none
---@return any ... # its values; raises its error
function prompt:evaluate(text, name)
  name = name or chunk_name(self, self.number)
  local found = source.read(text, name)
  if found.kind == "empty" then
    return
  elseif found.kind == "incomplete" then
    local _, message = source.load(text, name)
    error(error_of(message), 0)
  elseif found.kind ~= "chunk" then
    error(error_of(found.message or ("%s: a command cannot stand here"):format(name)), 0)
  end
  local compiled = self.locals:compile(found, name)
  if not compiled.f then
    error(error_of(compiled.message), 0)
  end
  note_lost(self, compiled)
  return tutti__call(compiled.f)
end

-- ---- what goes on --------------------------------------------------------------------------

--- Ctrl-C: cancel the line that holds the prompt, and its children; the second time kill what is left and
--- give the prompt back. One that has not begun does not begin. False: there is none.
---@return boolean
function prompt:interrupt()
  local this = self.holder
  if not this or this.outcome then
    this = self.queue[1]
  end
  if not this then
    return false
  elseif this.task then
    line.interrupt(this)
  end
  this.is_interrupted = true
  return true
end

--- The lines that go on without holding the prompt, oldest first.
---@return { number: integer, task: tutti.Task, text: string, age: number }[]
function prompt:running()
  local list, now = {}, core.now()
  for task, this in pairs(self.lines) do
    if this.is_background or this.outcome then
      list[#list + 1] = { number = this.number, task = task, text = this.text, age = now - this.started }
    end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

--- What may stand at `position` of a text. Runs no code of the user's.
---@param text string
---@param position integer # so many bytes of it stand before the cursor
---@return string[] candidates, integer from, integer to
function prompt:complete(text, position)
  return require("tutti.repl.complete").complete(self.locals:entries(), text, position)
end

--- Wait until no line goes on and the end of each has been told. One task at a time.
---@async
function prompt:join()
  self.joiner = core.current()
  while next(self.lines) and not self.is_closed do
    core.park("prompt:join")
  end
  self.joiner = nil
end

--- Cancel all that is left; what that takes goes on by itself. Nothing that was fed begins any more.
---@param reason string?
function prompt:stop(reason)
  self.is_closed = true
  self.keeper:cancel(reason or CLOSED)
end

--- Cancel all that is left, and wait for its end.
---@async
---@param reason string?
function prompt:close(reason)
  self:stop(reason)
  self.keeper:pawait()
end

-- ---- making one ----------------------------------------------------------------------------

local KNOWN = { name = true, write = true, width = true, color = true, print = true, started = true }

local function check_options(given)
  local what = "tutti.repl.new"
  if type(given) ~= "table" then
    core.usage(("%s: a table { write = f, ... } was expected, got %s"):format(what, type(given)), 3)
  end
  options.check(what, given, KNOWN, 3)
  options.check_type(what, given, "name", "string", 3)
  options.check_type(what, given, "color", "boolean", 3)
  for _, name in ipairs({ "write", "width", "print", "started" }) do
    options.check_type(what, given, name, "function", 3)
  end
  if not given.write then
    core.usage(("%s: option \"write\" is missing: a function that takes what is to be seen"):format(what), 3)
  end
end

local function default_width()
  return 80
end

--- A prompt: { name =, write = function(text, kind), width = function(), color =, print =,
--- started = function(task) }. `write` gets whole lines of the kind "value", "error" or "report" and must not
--- await; `started` the task of each line that holds the prompt, before it runs, for whoever must reach it
--- where no Lua code can run.
---@param given table
---@return tutti.repl.prompt
function repl.new(given)
  check_options(given)
  local self = setmetatable({
    name = given.name or "prompt",
    write = given.write,
    width = given.width or default_width,
    color = given.color or false,
    started = given.started,
    number = 0,
    failures = 0, -- of lines that had returned or were in the background, each told when it happened
    lines = {}, -- task -> line, of those that have not been heard of
    queue = {},
    -- A local crosses to the pool with the functions that use it; a global of this name would not.
    locals = locals.new({ print = given.print, tutti = require("tutti") }),
  }, prompt)
  self.keeper = core.start({ name = self.name, quiet = true, no_place = true, background = true,
    priority = 0 }, keep, self)
  internal.tasks[self.keeper] = true
  core.note_starters()
  return self
end

return repl
