-- SPDX-License-Identifier: MIT
--- Programs as tasks: tutti.exec and tutti.sh. What options mean; the C half is engine/lua/process.c.
---@module "tutti.process"
local core = require("tutti.core")
local errors = require("tutti.errors")
local options = require("tutti.options")

local CAPTURE_BYTES = 1024 * 1024
local GRACE_SECONDS = 5
local LINE_BYTES = 64 * 1024 * 1024 -- the longest line that a function is given

-- Every usage error is raised at the line that called tutti.exec or tutti.sh: `level` below is how far
-- that line is from the caller of the function that takes it, as for core.usage.

local function refuse(what, level, message, ...)
  core.usage(("%s: %s"):format(what, message:format(...)), level + 1)
end

-- ---- argv ----------------------------------------------------------------------------------

local function check_text(what, name, value, level)
  if type(value) ~= "string" then
    refuse(what, level + 1, "%s must be a string, got %s", name, type(value))
  end
  if value:find("\0", 1, true) then
    refuse(what, level + 1, "%s has a byte 0 in it, which ends a text for the operating system", name)
  end
end

-- The words of the list as strings, as a fresh list.
local function read_argv(what, given, level)
  local argv, count = {}, 0
  for key in pairs(given) do
    count = count + (type(key) == "number" and 1 or 0)
  end
  if count ~= #given then
    refuse(what, level + 1, "the words must be a list without holes (a nil, or a key that is no position, "
      .. "is in it)")
  end
  for i, word in ipairs(given) do
    if type(word) == "number" then
      word = tostring(word)
    end
    check_text(what, "word " .. i, word, level + 1)
    argv[i] = word
  end
  return argv
end

-- ---- env -----------------------------------------------------------------------------------

local function check_change(what, name, value, level)
  check_text(what, "a name in \"env\"", name, level + 1)
  if name == "" or name:find("=", 1, true) then
    refuse(what, level + 1, "\"%s\" in \"env\" cannot be the name of a variable", name)
  end
  if value ~= false and type(value) ~= "string" and type(value) ~= "number" then
    refuse(what, level + 1, "variable \"%s\" in \"env\" must be a string or a number, or false to take it "
      .. "away; got %s", name, type(value))
  end
  if value then
    check_text(what, ("variable \"%s\" in \"env\""):format(name), tostring(value), level + 1)
  end
end

-- The environment of this process with the changes, as a list of "K=V"; nil when there are none.
local function read_env(what, changes, level)
  if changes == nil then
    return nil
  end
  for name, value in pairs(changes) do
    check_change(what, name, value, level + 1)
  end
  local envp, names = {}, {}
  for _, pair in ipairs(core.environ()) do
    if changes[pair:match("^[^=]*")] == nil then
      envp[#envp + 1] = pair
    end
  end
  for name, value in pairs(changes) do
    names[#names + 1] = value and name or nil
  end
  table.sort(names)
  for _, name in ipairs(names) do
    envp[#envp + 1] = name .. "=" .. tostring(changes[name])
  end
  return envp
end

-- ---- stdin ---------------------------------------------------------------------------------

local STDIN = { file = "string", from = "task", inherit = "boolean" }

local read_feeder -- below, for it reads a whole spec

local function read_stdin(what, value, spec, level)
  if value == nil or type(value) == "string" then
    spec.stdin_data = value
    return
  elseif core.is_task(value) then
    refuse(what, level + 1, "stdin = TASK is written stdin = { from = TASK }")
  elseif type(value) ~= "table" then
    refuse(what, level + 1, "\"stdin\" must be a string, { file = PATH }, { from = TASK }, "
      .. "{ from = { PROGRAM, ... } } or { inherit = true }, got %s", type(value))
  end
  options.check(what .. ", stdin", value, STDIN, level + 1)
  local key, source = next(value)
  if key == nil or next(value, key) ~= nil then
    refuse(what, level + 1, "\"stdin\" takes exactly one of file, from and inherit")
  elseif key == "file" then
    check_text(what, "stdin.file", source, level + 1)
    spec.stdin_path = source
  elseif key == "inherit" and source == true then
    spec.stdin_inherit = true
  elseif key == "from" and core.is_task(source) then
    spec.from = source
  elseif key == "from" and type(source) == "table" then
    spec.feeder = read_feeder(what, source, spec, level + 1)
  else
    refuse(what, level + 1, "\"stdin\" must be { file = PATH }, { from = TASK }, "
      .. "{ from = { PROGRAM, ... } } or { inherit = true }")
  end
end

-- ---- stdout and stderr ---------------------------------------------------------------------

local KINDS = { capture = true, inherit = true, null = true }
local OUT = { file = true, append = true }

-- Stop the process of `spec`, and what it is piped to, because a function that takes its output raised
-- `err`.
local function fail(spec, err)
  spec.failure = err
  if spec.task then
    core.exec_stop(spec.task)
  end
end

local function add_traceback(message)
  return { value = message, stack = debug.traceback(nil, 2) }
end

-- What a function that takes lines raised, as an error object that keeps where it rose.
local function as_error(raised)
  if errors.is(raised.value) then
    return raised.value
  end
  local value = raised.value
  return errors.new({ kind = "error", message = tostring(value), value = value, stack = raised.stack })
end

-- What has come of a line that has not ended, for one `take`.
local rest_meta = {}
rest_meta.__index = rest_meta

function rest_meta:add(text)
  self[#self + 1] = text
  self.bytes = self.bytes + #text
  if self.bytes > LINE_BYTES and not self.spec.failure then
    fail(self.spec, errors.new({ kind = "error", message = ("%s wrote a line of more than %d MiB, which "
      .. "nobody should take as a line: capture it, or let it go into a file")
      :format(self.spec.label, LINE_BYTES // (1024 * 1024)) }))
  end
end

function rest_meta:hand_on()
  local line = table.concat(self)
  for i = #self, 1, -1 do
    self[i] = nil
  end
  self.bytes = 0
  if not self.spec.failure then
    local ok, raised = xpcall(self.take, add_traceback, line)
    if not ok then
      fail(self.spec, as_error(raised))
    end
  end
end

-- A function that takes pieces of the stream as they come, and nil at its end, and hands on lines: bytes
-- between newlines, whatever they are.
local function line_splitter(spec, take)
  local rest = setmetatable({ spec = spec.last or spec, take = take, bytes = 0 }, rest_meta)
  return function(piece)
    if not piece then
      if #rest > 0 then
        rest:hand_on()
      end
    elseif not rest.spec.failure then
      local from = 1
      for at in piece:gmatch("()\n") do
        rest:add(piece:sub(from, at - 1))
        rest:hand_on()
        from = at + 1
      end
      if from <= #piece then
        rest:add(piece:sub(from))
      end
    end
  end
end

local function read_output(what, name, value, spec, level)
  if value == nil then
    value = "capture"
  end
  if type(value) == "function" then
    spec[name], spec[name .. "_take"] = "stream", line_splitter(spec, value)
  elseif type(value) == "table" then
    options.check(what .. ", " .. name, value, OUT, level + 1)
    check_text(what, name .. ".file", value.file, level + 1)
    spec[name], spec[name .. "_path"] = value.append and "append" or "file", value.file
  elseif KINDS[value] then
    local take = value == "inherit" and not spec.stdin_inherit
      and require("tutti.progress.terminal").relay(name)
    spec[name], spec[name .. "_take"] = take and "stream" or value, take or nil
  else
    refuse(what, level + 1, "\"%s\" must be \"capture\", \"inherit\", \"null\", { file = PATH } or a "
      .. "function of one line, got %s", name,
      type(value) == "string" and ("\"%s\""):format(value) or type(value))
  end
end

-- ---- the whole spec ------------------------------------------------------------------------

local KNOWN = { cwd = true, env = true, stdin = true, stdout = true, stderr = true, timeout = true,
  check = true, capture = true, grace = true, name = true, detach = true, after = true, retry = true,
  priority = true, run_on_skip = true }

-- A duration or a size, or nil.
local function convert(what, given, name, read)
  return given[name] ~= nil and read(given[name], what .. ", " .. name) or nil
end

-- `last`: of a feeder, the spec of the last program of its pipe, which has the task.
local function read_spec(what, given, argv, last, level)
  options.check(what, given, KNOWN, level + 1)
  options.check_type(what, given, "name", "string", level + 1)
  options.check_type(what, given, "detach", "boolean", level + 1)
  options.check_type(what, given, "check", "boolean", level + 1)
  options.check_type(what, given, "env", "table", level + 1)
  if given.cwd ~= nil then
    check_text(what, "option \"cwd\"", given.cwd, level + 1)
  end
  local spec = { argv = argv, cwd = given.cwd, check = given.check ~= false, last = last }
  spec.envp = read_env(what, given.env, level + 1)
  spec.timeout = convert(what, given, "timeout", core.duration)
  spec.grace = convert(what, given, "grace", core.duration) or GRACE_SECONDS
  spec.capture = convert(what, given, "capture", core.size) or CAPTURE_BYTES
  read_stdin(what, given.stdin, spec, level + 1)
  read_output(what, "stdout", given.stdout, spec, level + 1)
  read_output(what, "stderr", given.stderr, spec, level + 1)
  return spec
end

-- ---- one program to another ----------------------------------------------------------------

-- What belongs to the task, and so to the last program of a pipe.
local OF_THE_TASK = { "name", "detach", "after", "retry", "priority", "run_on_skip" }
local FEEDERS_MAX = 63

local function check_feeder(what, given, last, level)
  for _, option in ipairs(OF_THE_TASK) do
    if given[option] ~= nil then
      refuse(what, level + 1, "option \"%s\" belongs to the task: give it to the program that reads", option)
    end
  end
  if given.stdout ~= nil then
    refuse(what, level + 1, "its stdout goes to the program that reads from it: leave \"stdout\" out")
  end
  last.feeders = (last.feeders or 0) + 1
  if last.feeders > FEEDERS_MAX then
    refuse(what, level + 1, "more than %d programs feed one another", FEEDERS_MAX)
  end
end

-- The spec of a program that writes into the stdin of that of `reader`.
function read_feeder(what, given, reader, level)
  local last = reader.last or reader
  what = what:gsub(", stdin.from$", "") .. ", stdin.from"
  local argv = read_argv(what, given, level + 1)
  if argv[1] == nil or argv[1] == "" then
    refuse(what, level + 1, "the program to run is missing: stdin = { from = { \"PROGRAM\", ... } }")
  end
  check_feeder(what, given, last, level + 1)
  local spec = read_spec(what, given, argv, last, level + 1)
  if spec.from then
    refuse(what, level + 1, "a program that feeds another cannot wait for a task: give it bytes, a file or "
      .. "a program")
  end
  spec.stdout, spec.label = "null", ("exec \"%s\""):format(argv[1])
  return spec
end

-- ---- starting ------------------------------------------------------------------------------

local function start(spec, opts)
  local terminal <close> = spec.stdin_inherit and require("tutti.progress.terminal").take() or nil
  local task = core.exec(spec, opts)
  spec.task = task
  if terminal then
    terminal:lend(task)
  end
  return task
end

-- What a task left, as the bytes for stdin.
local function bytes_of(result, label)
  if type(result) == "string" then
    return result
  end
  if type(result) ~= "table" or type(result.stdout) ~= "string" then
    error(errors.new({ kind = "usage", message = ("%s: stdin = { from = TASK } takes a string or the result "
      .. "of tutti.exec, but that task returned %s"):format(label, type(result)) }), 0)
  end
  if result.truncated then
    error(errors.new({ kind = "usage", message = ("%s: the output that should be its stdin was cut off "
      .. "after %d bytes: raise \"capture\" of that process, or let it write straight into this one: "
      .. "stdin = { from = { PROGRAM, ... } }"):format(label, #result.stdout) }), 0)
  end
  return result.stdout
end

-- Beyond the body below: it has no place in the script.
local BODY_LEVEL = 3

-- With `{ from = task }` or an option of WITHIN: a task whose only children are the processes.
local function start_within(spec, opts)
  local function once()
    spec.failure = nil -- of an attempt before
    local task = start(spec, { name = opts.name, level = BODY_LEVEL })
    return task:await()
  end
  local function body(result)
    if spec.from then
      if opts.run_on_skip then
        result = result:await() -- what it gets is the task
      end
      spec.stdin_data = bytes_of(result, spec.label)
    end
    if opts.attempts then
      return require("tutti.attempts").run(opts.attempts, once)
    end
    return once()
  end
  opts.after = opts.after or {}
  if spec.from then
    table.insert(opts.after, 1, spec.from)
  end
  local task = core.start(opts, body)
  return task
end

-- Frames from core.exec up to the script: `start` or `start_within`, `launch`, tutti.exec, that line.
local START_LEVEL = 4

local WITHIN = { "after", "retry", "priority", "run_on_skip" }

local function launch(what, spec, given, name)
  local opts = { name = given.name or name, detach = given.detach, level = START_LEVEL }
  local within
  for _, option in ipairs(WITHIN) do
    if given[option] ~= nil then
      within = within or {}
      within[option] = given[option]
    end
  end
  if spec.from or within then
    local checked = options.task(what, within or {}, 3)
    opts.after, opts.attempts = checked.after, checked.attempts
    opts.priority, opts.run_on_skip = checked.priority, checked.run_on_skip
    local task = start_within(spec, opts)
    return task
  end
  local task = start(spec, opts)
  return task
end

--- Start a program: tutti.exec{ "cc", "-c", "a.c", cwd =, env =, stdin =, ... }; never through a shell.
---@nodiscard
local function exec(given)
  local what = "tutti.exec"
  if type(given) ~= "table" then
    local hint = type(given) == "string" and (" (a line of shell is tutti.sh(%q))"):format(given) or ""
    refuse(what, 2, "a table { PROGRAM, ARGUMENT, ... } was expected, got a %s%s", type(given), hint)
  end
  local argv = read_argv(what, given, 2)
  if argv[1] == nil or argv[1] == "" then
    refuse(what, 2, "the program to run is missing: tutti.exec{ \"PROGRAM\", \"ARGUMENT\", ... }")
  end
  local spec = read_spec(what, given, argv, nil, 2)
  spec.label = ("exec \"%s\""):format(argv[1])
  local task = launch(what, spec, given, argv[1]:match("[^/]+$") or argv[1])
  return task
end

--- Run a line of shell: tutti.sh("a | b > c"), or tutti.sh{ 'wc -l "$1"', path, cwd =, ... }: further
--- words are $1, $2, ... and need no quoting.
---@nodiscard
local function sh(given)
  local what = "tutti.sh"
  if type(given) == "string" then
    given = { given }
  elseif type(given) ~= "table" then
    refuse(what, 2, "a line of shell, or a table { LINE, ... }, was expected, got %s", type(given))
  end
  local words = read_argv(what, given, 2)
  if words[1] == nil then
    refuse(what, 2, "the line of shell to run is missing")
  end
  local argv = table.move(words, 2, #words, 5, { "/bin/sh", "-c", words[1], "sh" })
  local spec = read_spec(what, given, argv, nil, 2)
  spec.label = ("sh \"%s\""):format(words[1])
  local task = launch(what, spec, given, "sh: " .. words[1]:match("^[^\n]*"):sub(1, 40))
  return task
end

-- ---- the end -------------------------------------------------------------------------------

--- Called by the C half when a process has ended: nil if that is well, else an error object. In a state
--- that has the task from another one `spec` has no more than label, check and timeout.
core.helper("process_end", function(spec, result, how)
  if spec.failure then
    return spec.failure
  elseif result.code == 0 and not how.timed_out and not result.from then
    return nil
  end
  local ends = require("tutti.process.ends")
  local kind, message, errno, tail = ends.judge_all(spec, result, how)
  if not kind then
    return nil
  end
  return errors.new({ kind = kind, message = message, result = result, errno = errno,
    tail = ends.last_lines(tail) })
end)

return { exports = { exec = exec, sh = sh } }
