-- SPDX-License-Identifier: MIT
--- A terminal for specs: tmux with a server of its own, so that programs can be seen as people see them.
---
---     local screen = require("tests.spec.support.screen")
---     local s <close> = screen.start({ program, "run", file }, { cols = 40, rows = 10 })
---     s:wait_for("3 running")           -- a Lua pattern; raises with the screen after 30 s
---     s:keys("C-c")                     -- as tmux spells keys; s:type("text") for text as it is
---     assert.equal(130, s:status())     -- as a shell sees it
---     print(s:text())                   -- what is on the screen now, without blanks at the ends of lines
---
--- screen.shell() starts an interactive shell with job control in place of a command (for Ctrl-Z and fg).
---
--- Layer: tests. Thread: any.
--- Invariant: the server ends with `kill` (or `<close>`), and with it all that it runs.
local program = require("tests.spec.support.program")

local screen = {}
screen.__index = screen
screen.__close = function(self) self:kill() end

local WAIT_SECONDS = 30
-- Printed when the program has ended: an order to the terminal that none knows, so it shows nothing. Once it
-- has come, so has all that the program wrote.
local END = "\27]9999;end\27\\"

local quote, read_all = program.quote, program.read

local function line_of(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = quote(word)
  end
  return table.concat(quoted, " ")
end

--- Is there a tmux? Specs that need one are pending without it.
function screen.is_there()
  return os.execute("command -v tmux >/dev/null 2>&1") == true
end

local function tmux(self, ...)
  local pipe = assert(io.popen(("tmux -u -S %s -f /dev/null %s 2>&1"):format(quote(self.folder .. "/socket"),
    line_of({ ... }))))
  local out = pipe:read("a")
  local ok = pipe:close()
  return out, ok
end

local function write_all(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local PASSED = { "PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
  "TUTTI_PREEMPT", "LUA_PATH", "LUA_CPATH" }

-- What a program is to see of the environment: nothing of where the tests run.
local function environment(more)
  local all = { LANG = "C.UTF-8", TERM = "screen", PS1 = "$ " }
  for _, name in ipairs(PASSED) do
    all[name] = os.getenv(name)
  end
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  local words = { "env", "-i" }
  for name, value in pairs(all) do
    words[#words + 1] = name .. "=" .. value
  end
  return line_of(words)
end

-- Run a line of shell in a new terminal; not before all that it does is recorded.
local function open(line, options, folder)
  local self = setmetatable({ folder = folder }, screen)
  local cols, rows = tostring(options.cols or 80), tostring(options.rows or 24)
  write_all(folder .. "/begin", ("while ! test -e %s; do sleep 0.01; done\nexec %s sh -c %s\n")
    :format(quote(folder .. "/go"), environment(options.env), quote(line)))
  local out, ok = tmux(self, "new-session", "-d", "-x", cols, "-y", rows, "-c", options.cwd or ".",
    "exec sh " .. quote(folder .. "/begin"))
  assert(ok, out)
  tmux(self, "set-option", "-g", "status", "off", ";", "resize-window", "-x", cols, "-y", rows)
  tmux(self, "pipe-pane", "cat > " .. quote(folder .. "/bytes"))
  write_all(folder .. "/go", "")
  return self
end

--- Run a program (a list of words, or a line of shell) in a terminal of `options.cols` x `options.rows`
--- (80 x 24), with `options.env` (TERM too) and `options.cwd`. A line runs in the shell that waits for its
--- status, so it must not `exec`.
function screen.start(command, options)
  local line = type(command) == "table" and line_of(command) or command
  local folder = program.folder({})
  line = ("trap : INT QUIT\n%s\necho $? >%s\nprintf %%s %s\nexec sleep 600")
    :format(line, quote(folder .. "/status"), quote(END))
  return open(line, options or {}, folder)
end

--- An interactive bash with the prompt "$ ".
function screen.shell(options)
  return open("exec bash --norc --noprofile -i", options or {}, program.folder({}))
end

--- Send keys as tmux names them: "C-c", "C-z", "Enter", "q".
function screen:keys(...)
  tmux(self, "send-keys", ...)
end

--- Send text as it is; "\n" is Enter.
function screen:type(text)
  for part, stop in text:gmatch("([^\n]*)(\n?)") do
    if part ~= "" then
      tmux(self, "send-keys", "-l", "--", part)
    end
    if stop ~= "" then
      tmux(self, "send-keys", "Enter")
    end
  end
end

--- Paste text as a terminal does: all at once, between brackets if the program has asked for that.
function screen:paste(text)
  write_all(self.folder .. "/paste", text)
  tmux(self, "load-buffer", self.folder .. "/paste", ";", "paste-buffer", "-p", "-d")
end

--- What is on the screen: lines without blanks at their ends and without empty ones at the end. With
--- `options.all` also what has scrolled away, `options.colors` with the colours' escapes.
function screen:text(options)
  options = options or {}
  local words = { "capture-pane", "-p" }
  if options.all then
    words[#words + 1] = "-S"
    words[#words + 1] = "-"
  end
  if options.colors then
    words[#words + 1] = "-e"
  end
  local text = tmux(self, table.unpack(words))
  return (text:gsub("[ \t]+\n", "\n"):gsub("\n+$", "\n"))
end

--- All lines since the beginning, as a list, rewrapped ones joined.
function screen:lines()
  local list = {}
  for line in tmux(self, "capture-pane", "-p", "-J", "-S", "-"):gmatch("([^\n]*)\n") do
    list[#list + 1] = (line:gsub("[ \t]+$", ""))
  end
  while list[#list] == "" do
    list[#list] = nil
  end
  return list
end

--- The very bytes that the terminal got so far.
function screen:bytes()
  local bytes = read_all(self.folder .. "/bytes") or ""
  return bytes:sub(-#END) == END and bytes:sub(1, -#END - 1) or bytes
end

--- Where the cursor is (column, row, from 0), and whether it is shown.
function screen:cursor()
  local x, y, shown = tmux(self, "display-message", "-p", "#{cursor_x} #{cursor_y} #{cursor_flag}")
    :match("(%d+) (%d+) (%d)")
  return tonumber(x), tonumber(y), shown == "1"
end

-- Ask again and again until `probe` gives something.
local function wait(self, what, seconds, probe)
  local stop = os.time() + (seconds or WAIT_SECONDS)
  while true do
    local value = probe()
    if value then
      return value
    end
    if os.time() > stop then
      error(("%s: not seen on the screen:\n%s"):format(what, self:text({ all = true })), 3)
    end
    os.execute("sleep 0.03")
  end
end

--- Change the size of the terminal. The process `pid`, if given, does not run before it can ask for the
--- new one.
function screen:resize(cols, rows, pid)
  if pid then
    os.execute("kill -STOP " .. pid)
  end
  tmux(self, "resize-window", "-x", cols, "-y", rows)
  if pid then
    local line = "stty size <" .. tmux(self, "display-message", "-p", "#{pane_tty}")
    wait(self, "the new size", nil, function()
      local pipe <close> = assert(io.popen(line))
      return pipe:read("l") == ("%d %d"):format(rows, cols)
    end)
    os.execute("kill -CONT " .. pid)
  end
end

--- Wait until the screen's text matches a Lua pattern; returns the text.
function screen:wait_for(pattern, seconds)
  return wait(self, pattern, seconds, function()
    local text = self:text()
    return text:find(pattern) and text
  end)
end

--- Wait until the program has ended and all of its text has come; returns its status as a shell sees it (130
--- for SIGINT).
function screen:status(seconds)
  return wait(self, "the end of the program", seconds, function()
    return (read_all(self.folder .. "/bytes") or ""):find(END, 1, true)
      and tonumber(read_all(self.folder .. "/status") or "")
  end)
end

--- End all that runs in it.
function screen:kill()
  if self.folder then
    tmux(self, "kill-server")
    os.execute("rm -rf " .. quote(self.folder))
    self.folder = nil
  end
end

return screen
