-- SPDX-License-Identifier: MIT
--- One line of a prompt while it goes on.
---
---     waits its turn --> its function runs --> returned, its children go on --> ended
---                            | raises, is cancelled                              ^
---                            +-- its children are cancelled and joined ----------+
---
--- `outcome` is set at the moment from which the line does not hold the prompt any more.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: what there is to be told of a line is told once.
---@module "tutti.repl.line"
local core = require("tutti.core")
local errors = require("tutti.errors")
local escape = require("tutti.escape")
local say = require("tutti.say")
local unowned = require("tutti.unowned")

local tutti__call = core.call -- by this name tracebacks leave it out

local line = {}

local NAME_MAX = 40 -- characters of the text that are the task's name

-- ---- texts ---------------------------------------------------------------------------------

--- What the task of this text is called.
function line.name(text)
  local name = text:match("^%s*([^\r\n]*)"):gsub("[%c%s]+", " "):gsub(" $", "")
  local cut = utf8.len(name) and utf8.offset(name, NAME_MAX + 1) or NAME_MAX + 1
  if cut and cut <= #name then
    return name:sub(1, cut - 1) .. "..."
  end
  return name
end

--- Have the prompt write whole lines.
function line.write(prompt, text, kind)
  local ok, err = pcall(prompt.write, text:find("\n$") and text or text .. "\n", kind)
  if not ok then
    say(("tutti: prompt \"%s\": %s\n"):format(prompt.name, core.text_of(err) or "its write failed"))
  end
end

local write = line.write

local function options_of(prompt)
  return { width = prompt.width(), color = prompt.color }
end

-- Loaded when there is something to show.
local function show()
  return require("tutti.repl.show")
end

--- Write values as the prompt shows them.
function line.write_values(prompt, values)
  if values.n > 0 then
    write(prompt, show().values(values, values.n, options_of(prompt)), "value")
  end
end

--- Write an error as the prompt shows it; nobody need be told of it again. Of the line's own it is not said
--- which task it began in: that is what has just been typed.
function line.write_error(prompt, err, name)
  errors.take_news(err)
  local options = options_of(prompt)
  options.typed = name
  write(prompt, show().error(err, options), "error")
end

-- `[3] done (1.2 s): ...`
local function report(this, how, more)
  local text = ("[%d] %s (%.1f s)"):format(this.number, how, core.now() - this.started)
  write(this.prompt, more and text .. ": " .. more or text, "report")
end

-- ---- running -------------------------------------------------------------------------------

local function let_go(this, outcome)
  this.outcome = outcome
  if this.feeder then
    core.wake(this.feeder)
  end
end

-- What its function returned is shown in its own task, so that a __tostring that runs on can be interrupted.
local function returned(this, results)
  this.has_returned = true
  if this.is_background then
    this.shown = results.n > 0 and show().values(results, results.n, options_of(this.prompt)) or nil
  elseif this.is_command then
    let_go(this, { kind = "command", ok = results[1] })
  else
    local outcome = table.move(results, 1, results.n, 1, { kind = "values", n = results.n })
    if results.n > 0 then
      this.prompt.locals:set("_", results[1])
      this.prompt.locals:set("__", results)
      line.write_values(this.prompt, results)
    end
    let_go(this, outcome)
  end
end

-- The body of its task.
local function run(this)
  local results = table.pack(tutti__call(this.f))
  returned(this, results)
  return table.unpack(results, 1, results.n)
end

--- Start it as a task of the prompt's.
function line.start(this)
  local prompt = this.prompt
  local reporter = unowned.new(function(text) -- also after its end, of what it has detached
    if prompt.is_closed then
      say(text)
    else
      write(prompt, text, "report")
    end
  end)
  this.started = core.now()
  this.task = core.start_under(prompt.keeper, core.start, { name = this.name, quiet = true, no_place = true },
    run, this)
  this.reporter = reporter
  errors.listeners[this.task] = reporter.say
  prompt.lines[this.task] = this
  if prompt.started and not this.is_background then
    prompt.started(this.task)
  end
end

--- It goes on in the background from now on.
function line.report_running(this)
  write(this.prompt, ("[%d] running"):format(this.number), "report")
end

-- ---- its end -------------------------------------------------------------------------------

-- Why a failure of one that went on alone is told: its parts may have been, each when it happened.
local function first_line(err)
  return escape.message(errors.text(err):match("^[^\n]*"))
end

local function background_ended(this, state, err)
  if state == "done" then
    report(this, "done", this.shown)
  elseif state == "cancelled" then
    report(this, "cancelled", err.reason and escape.message(tostring(err.reason)))
  else
    errors.take_news(err)
    report(this, state, first_line(err))
  end
end

-- Its function has returned, so what can have failed since is a child or what was deferred.
local function rest_ended(this, state, err)
  if state == "failed" and errors.take_news(err) then
    report(this, state, first_line(err))
  end
end

--- Its task has settled.
function line.ended(this)
  local state = this.task:state()
  local _, err = this.task:pawait()
  this.prompt.lines[this.task] = nil
  this.reporter.finish()
  if state == "failed" and (this.is_background or this.has_returned) then
    this.prompt.failures = this.prompt.failures + 1
  end
  if this.is_background then
    background_ended(this, state, err)
  elseif this.has_returned then
    rest_ended(this, state, err)
  elseif not this.outcome then
    line.write_error(this.prompt, err, this.name)
    let_go(this, this.is_command and { kind = "command", ok = false, error = err }
      or { kind = "error", error = err, is_syntax = false })
  end
end

-- ---- Ctrl-C --------------------------------------------------------------------------------

line.INTERRUPTED = "interrupted (Ctrl-C)"

--- Cancel it and its children; asked again, kill what is left and give the prompt back.
function line.interrupt(this)
  if not this.is_interrupted then
    this.is_interrupted = true
    this.task:cancel(line.INTERRUPTED)
    return
  end
  core.kill(this.task)
  if this.outcome then -- that was the end of it
    return
  end
  local err = core.error_new({ kind = "cancelled", message = ("cancelled: %s; what has not ended goes on "
    .. "as [%d]"):format(line.INTERRUPTED, this.number), reason = line.INTERRUPTED })
  line.write_error(this.prompt, err, this.name)
  let_go(this, { kind = "error", error = err, is_syntax = false })
end

--- It does not hold the prompt any more, whatever becomes of it, and nothing is said of it.
function line.abandon(this, err)
  if not this.outcome then
    err = err or core.error_new({ kind = "cancelled", message = "cancelled: the prompt is closed" })
    let_go(this, { kind = "error", error = err, is_syntax = false })
  end
end

return line
