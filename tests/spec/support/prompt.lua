-- SPDX-License-Identifier: MIT
--- `tutti repl` in a terminal (tests.spec.support.screen) for specs.
---
---     local s <close> = prompt.start({ cols = 40, rows = 10 })
---     prompt.enter(s, "1 + 1")      -- type a line; returns when the prompt is back
---     assert.equal("2\n", prompt.output(s))
---
--- Layer: tests. Thread: any.
--- Invariant: history and all else that is kept lies in the screen's own folder.
local luassert = require("luassert")
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")

local prompt = {}

local quote = program.quote

--- Start it; `how` as for screen.start, and `options`, words of the command line, `before` and `after`,
--- lines of shell.
function prompt.start(how)
  how = how or {}
  local state = os.tmpname()
  os.remove(state)
  local line = ("%s\nexport XDG_STATE_HOME=%s\n%s repl %s; status=$?\n%s\nrm -rf %s\n(exit $status)"):format(
    how.before or "", state, quote(program.path), how.options or "", how.after or "", state)
  local s = screen.start(line, how)
  prompt.ready(s)
  return s
end

local function is_ready(text)
  return text:match("([^\n]*)\n*$") == "tutti>"
end

-- How many prompts have been shown.
local function count(s)
  return select(2, ("\n" .. s:text({ all = true })):gsub("\ntutti>", ""))
end

--- Wait until an empty prompt is the last line, and the `n`th one.
function prompt.ready(s, n)
  local stop = os.time() + 30
  repeat
    if is_ready(s:text()) and count(s) >= (n or 1) then
      return
    end
    os.execute("sleep 0.03")
  until os.time() > stop
  error("no prompt on the screen:\n" .. s:text({ all = true }), 2)
end

--- Wait until each of these (plain texts) has been on the screen.
function prompt.seen(s, ...)
  for _, text in ipairs({ ... }) do
    local stop = os.time() + 30
    while not s:text({ all = true }):find(text, 1, true) do
      if os.time() > stop then
        error(("%s: not seen:\n%s"):format(text, s:text({ all = true })), 2)
      end
      os.execute("sleep 0.03")
    end
  end
end

--- Type lines; wait for the prompt behind each.
function prompt.enter(s, ...)
  for _, line in ipairs({ ... }) do
    local n = count(s)
    s:type(line .. "\n")
    prompt.ready(s, n + 1)
  end
end

--- What stands between the last line typed and the prompt behind it.
function prompt.output(s)
  local list, lines = {}, s:lines()
  for i = #lines - 1, 1, -1 do
    if lines[i]:find("^tutti>") or lines[i]:find("^>>") then
      break
    end
    table.insert(list, 1, lines[i] .. "\n")
  end
  return table.concat(list)
end

-- Times differ from run to run.
local function mask(text)
  return (text:gsub("%f[%w]%d[%d%.]* m?s%f[%W]", "TIME"))
end

--- Compare a text with tests/spec/expected/`name`.txt, times masked; TUTTI_WRITE_EXPECTED=1 writes it.
function prompt.expect(name, text)
  local path = ("tests/spec/expected/%s.txt"):format(name)
  if os.getenv("TUTTI_WRITE_EXPECTED") then
    local file = assert(io.open(path, "w"))
    file:write(mask(text))
    file:close()
  end
  local file = assert(io.open(path))
  local expected = file:read("a")
  file:close()
  luassert.equal(expected, mask(text))
end

return prompt
