-- SPDX-License-Identifier: MIT
--- Programs and the terminal while the live view has it, or the prompt.
---
---     stdout = "inherit"           its lines go where print goes, above the view, each whole
---     stdin = { inherit = true }   it gets the terminal itself; the view, or the line that is typed at the
---                                  prompt, is put away until it has ended
---
--- Layer: the Lua half. Thread: any state's home; `lend` has an effect in the loop state only.
--- Invariant: the view is put away exactly as often as `lent` has tasks.
---@module "tutti.progress.terminal"
local core = require("tutti.core")
local session = require("tutti.session")

local terminal = {}

-- A line that is longer is handed on in pieces.
local LINE_MAX = 64 * 1024

--- What takes the output of a program that inherits `name` ("stdout" or "stderr"), in pieces, nil at the
--- end; nil if it may write there itself. A last line without end gets one.
function terminal.relay(name)
  if not core.is_stream_taken(name) then
    return nil
  end
  local stream, rest = io[name], ""
  return function(piece)
    rest = rest .. (piece or rest ~= "" and "\n" or "")
    local whole = (piece == nil or #rest > LINE_MAX) and #rest or rest:match(".*()\n") or 0
    if whole > 0 then
      stream:write(rest:sub(1, whole))
      stream:flush()
      rest = rest:sub(whole + 1)
    end
  end
end

local lent = {}

--- Give the terminal back that ended tasks had.
function terminal.check()
  for i = #lent, 1, -1 do
    if lent[i]:is_done() then
      table.remove(lent, i)
      session.view.release()
    end
  end
end

local lending = setmetatable({}, { __close = function() session.prompt.release() end })

-- At the prompt: until the task has ended, whose failure stays its owner's.
local function watch(task)
  local watcher = core.start({ name = "terminal", detach = true, background = true, quiet = true,
    no_place = true, priority = 0 }, function()
    local _ <close> = lending
    local next_ended, list, at, _ <close> = require("tutti").completed({ task }, { cancel = false })
    next_ended(list, at)
  end)
  require("tutti.repl.internal").tasks[watcher] = true
end

-- The terminal on its way to a program: from = who has put view or line away (nil: there is none), task = the
-- program, once it has been started.
local loan = {}
loan.__index = loan

function loan:__close()
  if self.from and not self.task then
    self.from.release()
  end
end

--- The terminal is this task's until it has ended.
function loan:lend(task)
  if not self.from then
    return
  end
  self.task = task
  if self.from == session.prompt then
    watch(task)
  else
    lent[#lent + 1] = task
  end
end

--- Put the view or the line away, before the program starts that gets the terminal: what it writes would go
--- into them, and what is typed for it would be theirs. To be closed, which undoes it if it was not lent.
function terminal.take()
  local from = session.prompt or session.progress == "tty" and session.view or nil
  if from then
    from.hold()
  end
  return setmetatable({ from = from }, loan)
end

return terminal
