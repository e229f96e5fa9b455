-- SPDX-License-Identifier: MIT
-- Running commands from plain Lua: quoting, output, time limits. For the runner and the checks.

local shell = {}

--- Quote one word for sh.
function shell.quote(word)
  if word:find("^[%w%+%-%./:=_,@?]+$") and not word:find("?", 1, true) then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- Quote a list of words into one command.
function shell.command(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = shell.quote(word)
  end
  return table.concat(quoted, " ")
end

--- Run a list of words; output goes where ours goes. Returns whether it succeeded.
function shell.run(words)
  io.stdout:flush()
  return os.execute(shell.command(words)) == true
end

--- Run a shell line. Returns its stdout and its exit status (128 + n for signal n).
function shell.capture(line)
  local pipe = assert(io.popen(line, "r"))
  local text = pipe:read("a")
  local _, how, code = pipe:close()
  return text, how == "signal" and 128 + code or code
end

--- The first line that a shell line prints; raises when there is none.
function shell.line(line)
  local text = shell.capture(line)
  return assert(text:match("^([^\n]+)"), "nothing from: " .. line)
end

--- The lines that a shell line prints.
function shell.lines(line)
  local found = {}
  for entry in shell.capture(line):gmatch("[^\n]+") do
    found[#found + 1] = entry
  end
  return found
end

--- Existing files that match one of the patterns (words as sh would expand them), in order.
function shell.glob(patterns)
  return shell.lines("for f in " .. patterns .. "; do [ -e \"$f\" ] && printf '%s\\n' \"$f\"; done")
end

-- A shell line that runs the words of `job` with output in its log and nothing on stdin.
local function logged_line(job)
  return ("exec env %s timeout -k 5 %d %s </dev/null >%s 2>&1"):format(
    job.env, job.limit, shell.command(job.words), shell.quote(job.log))
end

--- Run each of `jobs` = { words, log (its folder exists), limit (seconds), env }, `width` of them side by
--- side. Iterates over position, exit status (124 or 137 after the limit) and seconds, as they end.
function shell.each_logged(jobs, width)
  local input = os.tmpname()
  local file = assert(io.open(input, "w"))
  for i, job in ipairs(jobs) do
    file:write(i, "\0", logged_line(job), "\0")
  end
  file:close()
  io.stdout:flush()
  local line = [[xargs -0 -n 2 -P %d sh -c 'read began _ </proc/uptime; (eval "$1"); status=$?
    read ended _ </proc/uptime; echo "$0 $status $began $ended"' <%s]]
  local pipe = assert(io.popen(line:format(width, input)))
  return function()
    local position, status, began, ended = pipe:read("n", "n", "n", "n")
    if not position then
      pipe:close()
      os.remove(input)
      return nil
    end
    return position, status, ended - began
  end
end

--- Words that start a program without address randomisation, which some kernels give more bits
--- than ThreadSanitizer can bear.
function shell.fixed_addresses()
  return os.execute("setarch -R true 2>/dev/null") and { "setarch", "-R" } or {}
end

function shell.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- Whether a line of the file matches the pattern.
function shell.contains(path, pattern)
  for line in io.lines(path) do
    if line:find(pattern) then
      return true
    end
  end
  return false
end

function shell.stem(path)
  return (path:match("([^/]+)$"):gsub("%.%w+$", ""))
end

--- Seconds, for showing how long something took.
function shell.now()
  local file = assert(io.open("/proc/uptime"))
  local seconds = file:read("n")
  file:close()
  return seconds
end

return shell
