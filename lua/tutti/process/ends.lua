-- SPDX-License-Identifier: MIT
--- What the end of a process means, in words. Loaded with the first process that ends badly.
---@module "tutti.process.ends"
local ends = {}

-- Of the end of stderr, as much as a message shows.
local TAIL_LINES, TAIL_BYTES = 12, 2000

--- The last lines of what it wrote to stderr, for messages.
function ends.last_lines(text)
  text = text:sub(-TAIL_BYTES):gsub("\n+$", "")
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n", math.max(1, #lines - TAIL_LINES + 1))
end

-- ---- what could not be started -------------------------------------------------------------

local STEPS = {
  program = "cannot be started",
  cwd = "cannot be started in the folder \"%s\" (cwd)",
  stdin = "its stdin cannot be opened",
  stdout = "its stdout cannot be opened",
  stderr = "its stderr cannot be opened",
  feeder = "was not started, since what feeds it cannot be",
}

local SCARCE = {
  EAGAIN = "no more processes may run: ulimit -u, or the limit of a container",
  EMFILE = "no more files may be open: ulimit -n",
  ENFILE = "no more files may be open in the whole system",
  ENOMEM = "out of memory",
}

local function why_not_started(spec, how, errno)
  local step = (STEPS[how.start_what] or STEPS.program):format(spec.cwd)
  local program = spec.argv and spec.argv[1] or ""
  local hint = how.start_hint or SCARCE[errno]
  hint = hint and (" (%s)"):format(hint) or ""
  if how.start_what == "program" and program:find(" ", 1, true) then
    hint = " (the program's name has a space in it: a whole line of shell is for tutti.sh)"
  end
  return ("%s: %s%s"):format(step, how.start_text, hint)
end

-- ---- signals -------------------------------------------------------------------------------

local BY_ITSELF = "it gave up by itself, as by abort() or a failed assert"

-- What a signal says of a program that nobody here has stopped.
local SIGNALS = {
  SIGABRT = BY_ITSELF,
  SIGALRM = "an alarm that it had set itself",
  SIGBUS = "an access to memory that is not there, as of a mapped file that was cut off",
  SIGFPE = "an arithmetic error, such as a division by 0",
  SIGHUP = "its terminal or session has ended",
  SIGILL = "an instruction that this processor does not have",
  SIGKILL = "probably out of memory",
  SIGPIPE = "nobody reads its output any more",
  SIGSEGV = "an access to memory that is not its own",
  SIGSYS = "a system call that is not allowed",
  SIGTRAP = "a trap: it gave up by itself, or wanted a debugger",
  SIGXCPU = "its limit of CPU time, ulimit -t",
  SIGXFSZ = "its limit of a file's size, ulimit -f",
}

local function in_units(bytes)
  for _, unit in ipairs({ "B", "KiB", "MiB" }) do
    if bytes < 1024 then
      return ("%.3g %s"):format(bytes, unit)
    end
    bytes = bytes / 1024
  end
  return ("%.3g GiB"):format(bytes)
end

local function by_signal(result, how)
  local name, notes = result.signal, {}
  notes[1] = SIGNALS[name]
  if name == "SIGKILL" and result.max_rss then
    notes[#notes + 1] = "it had " .. in_units(result.max_rss)
  end
  if how.core_dumped then
    notes[#notes + 1] = "core dumped"
  end
  local verb = name == "SIGKILL" and "was killed by " or "was ended by "
  if name == "SIGKILL" then -- the guess first, as a person says it
    return verb .. name .. ", " .. table.concat(notes, "; ")
  end
  return verb .. name .. (#notes > 0 and (" (%s)"):format(table.concat(notes, "; ")) or "")
end

-- ---- statuses ------------------------------------------------------------------------------

local SHELLS = { ash = true, bash = true, dash = true, ksh = true, sh = true, zsh = true }

local function is_shell(label)
  return label:find("^sh \"") ~= nil or SHELLS[label:match("^exec \".-([^/\"]*)\"$") or ""] == true
end

-- Numbers up to 31 are the same on every machine that runs Linux on x86 and ARM.
local NUMBERS = { "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
  "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM" }

-- What a shell means by its status, or nil.
local function of_shell(code)
  if code == 127 then
    return "a command in it was not found"
  elseif code == 126 then
    return "a command in it cannot be executed"
  elseif NUMBERS[code - 128] then
    local name = NUMBERS[code - 128]
    local note = SIGNALS[name] and (": %s"):format(SIGNALS[name]) or ""
    return ("128 + %d: a command in it was ended by %s%s"):format(code - 128, name, note)
  end
  return nil
end

local function by_status(spec, code)
  local note = is_shell(spec.label) and of_shell(code)
  return ("ended with status %d%s"):format(code, note and (" (%s)"):format(note) or "")
end

-- ---- all -----------------------------------------------------------------------------------

local function by_timeout(spec, result)
  local text = spec.timeout and ("was stopped after its timeout of %g s"):format(spec.timeout)
    or "was stopped after its timeout"
  if result.signal == "SIGKILL" and spec.grace then
    text = ("%s, and killed, since it did not end within its grace of %g s"):format(text, spec.grace)
  end
  return text
end

--- What went wrong with one process: kind and message, or nil.
function ends.judge(spec, result, how)
  if how.timed_out then
    return "timeout", by_timeout(spec, result)
  elseif spec.check == false then
    return nil
  elseif result.errno then
    return "exit", why_not_started(spec, how, result.errno)
  elseif result.signal then
    return "exit", by_signal(result, how)
  elseif (result.code or 0) ~= 0 then
    return "exit", by_status(spec, result.code)
  end
  return nil
end

-- A program whose reader has ended first has lost nothing by its SIGPIPE, and what was stopped for the
-- sake of others is not to blame.
local function judge_feeder(spec, result, how)
  if result.signal == "SIGPIPE" or how.was_stopped then
    return nil
  end
  return ends.judge(spec, result, how)
end

--- What went wrong with a pipe of processes: kind, message, errno and the end of stderr; or nil. A time limit
--- of the last goes first, since it stops the others; else the failure that is nearest to the source.
function ends.judge_all(spec, result, how)
  local kind, message = ends.judge(spec, result, how)
  local errno, tail, label = result.errno, how.tail, spec.label
  local reader = label
  while result.from and kind ~= "timeout" do
    spec, result, how = spec.feeder, result.from, how.from
    local its_kind, its_message = judge_feeder(spec, result, how)
    if its_kind then
      kind, message = its_kind, ("%s (its output goes to %s)"):format(its_message, reader)
      errno, tail, label = result.errno, how.tail, spec.label
    end
    reader = spec.label
  end
  return kind, kind and ("%s %s"):format(label, message), errno, tail
end

return ends
