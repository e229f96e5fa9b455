-- SPDX-License-Identifier: MIT
-- What a person sees while a line is edited: pastes, long lines, wide characters at the edge,
-- output that comes meanwhile, a terminal that changes its size.
--
-- Screens are compared with tests/spec/expected/*.txt; TUTTI_WRITE_EXPECTED=1 writes those.
local prompt = require("tests.spec.support.prompt")

local COLS, ROWS = 40, 12

local function start(options)
  return prompt.start({ cols = COLS, rows = ROWS, options = options })
end

-- Press keys one after another.
local function press(s, key, times)
  local keys = {}
  for i = 1, times or 1 do
    keys[i] = key
  end
  s:keys(table.unpack(keys))
end

-- Wait until the line that is edited ends so, with the cursor there (from 0).
local function wait_cursor(s, column, row)
  local stop = os.time() + 30
  repeat
    local x, y = s:cursor()
    if x == column and y == row then
      return
    end
    os.execute("sleep 0.03")
  until os.time() > stop
  local x, y = s:cursor()
  error(("the cursor is at %d, %d, not at %d, %d:\n%s"):format(x, y, column, row, s:text()), 2)
end

local function block(count)
  local lines = {}
  for i = 1, count do
    lines[i] = ("local v%d = %d"):format(i, i)
  end
  return table.concat(lines, "\n") .. "\n"
end

describe("a paste", function()
  it("of 200 lines is one chunk, which Enter runs", function()
    local s <close> = start()
    s:paste(block(199) .. "print(v1 + v199)\n")
    s:wait_for("v199%)\n>>\n$")
    prompt.expect("repl_paste_200", s:text())
    s:keys("Enter")
    prompt.ready(s, 2)
    assert.equal("200\n", prompt.output(s))
    prompt.enter(s, "v7")
    assert.equal("7\n", prompt.output(s))
  end)

  it("is shown whole in what has scrolled away", function()
    local s <close> = start()
    s:paste(block(60))
    s:wait_for("v60 = 60\n>>\n$")
    local wanted = {}
    for i = 1, 60 do
      wanted[i] = ("%s local v%d = %d"):format(i == 1 and "tutti>" or ">>", i, i)
    end
    wanted[61] = ">>"
    assert.same(wanted, s:lines())
  end)

  it("without a newline at its end can be edited on, its first lines cannot", function()
    local s <close> = start()
    s:paste("for i = 1, 2 do\n  print(i * 1")
    s:wait_for("i %* 1\n$")
    s:type("0) ")
    s:paste("end")
    s:keys("Enter")
    prompt.ready(s, 2)
    prompt.expect("repl_paste_edited", s:text())
  end)

  it("into the middle of a line splits it", function()
    local s <close> = start()
    s:type("print(1)")
    press(s, "Left", 2)
    wait_cursor(s, 13, 0)
    s:paste("2,\n3")
    s:wait_for(">> 31%)")
    s:keys("Enter")
    prompt.ready(s, 2)
    assert.equal("2\t31\n", (prompt.output(s):gsub(" +", "\t")))
    assert.matches("^tutti> print%(2,\n>> 31%)\n", s:text())
  end)

  it("is dropped whole by Ctrl-C", function()
    local s <close> = start()
    s:paste("print(1)\nprint(2)\npri")
    s:wait_for("pri\n$")
    s:keys("C-c")
    prompt.ready(s, 2)
    prompt.enter(s, "3")
    prompt.expect("repl_paste_dropped", s:text())
  end)

  it("comes back from the history as a whole", function()
    local s <close> = start()
    s:paste("local t = {}\nfor i = 1, 3 do\n  t[i] = i\nend\n#t\n")
    s:wait_for("#t\n>>\n$")
    s:keys("Enter")
    s:wait_for("unexpected symbol near '#'.*\ntutti>\n$")
    s:keys("Up")
    s:wait_for("tutti> local t = {}\nfor i = 1, 3 do\n  t%[i%] = i\nend\n#t\n$")
    s:keys("BSpace", "BSpace")
    s:type("print(#t)\n")
    prompt.ready(s, 3)
    assert.matches("\n3\ntutti>\n$", s:text())
  end)

  it("shows bytes that would move the cursor, and takes them", function()
    local s <close> = start()
    s:paste("x = '\27[2J\1'\n#x")
    s:wait_for("#x\n$")
    assert.matches("tutti> x = '^[[2J^A'\n>> #x\n", s:text(), 1, true)
  end)
end)

describe("a long line", function()
  local DIGITS = ("0123456789"):rep(410):sub(1, 4096 - #"x = ''")

  it("of 4 KiB is edited at both ends", function()
    local s <close> = prompt.start({ cols = 80, rows = 60 })
    s:paste("x = '" .. DIGITS .. "'")
    s:wait_for("'\n$")
    s:keys("Left")
    s:type("!")
    s:keys("C-a")
    s:type("y, ")
    s:wait_for("^tutti> y, x = '0123")
    s:keys("C-e")
    s:wait_for("!'\n$")
    s:type(", 2")
    s:wait_for("!', 2\n$")
    prompt.expect("repl_long_line", s:text())
    s:keys("Enter")
    prompt.ready(s, 2)
    prompt.enter(s, "#y, y:sub(-1), x")
    assert.matches("^4091%s+!%s+2\n$", prompt.output(s))
  end)

  it("is taken as it is where it is taller than the screen", function()
    local s <close> = start()
    s:paste("x = '" .. DIGITS .. "'")
    s:wait_for("'\n$")
    s:keys("C-a")
    s:type("y, ")
    s:keys("C-e")
    s:type(", 2\n")
    prompt.ready(s)
    prompt.enter(s, "#y, x")
    assert.matches("^4090%s+2\n$", prompt.output(s))
  end)
end)

describe("wide and combining characters at the right edge", function()
  -- 7 columns are the prompt's.
  local function check(name, text, back)
    local s <close> = start()
    s:type(text)
    s:wait_for(text:sub(-3))
    press(s, "Left", back)
    s:type("x")
    s:keys("C-e")
    s:type("#")
    s:wait_for("#\n$")
    local shown = { s:text() }
    press(s, "BSpace", 2)
    press(s, "Left", back)
    s:keys("BSpace", "C-e")
    s:type("$")
    s:wait_for("%$\n$")
    shown[2] = s:text()
    prompt.expect("repl_wide_" .. name, table.concat(shown))
  end

  it("that fit exactly", function() check("even", "a" .. ("日"):rep(20), 6) end)
  it("that do not fit", function() check("odd", ("日"):rep(20), 6) end)
  it("with accents of their own", function() check("accents", ("e\204\129"):rep(40), 8) end)
  it("with emoji", function() check("emoji", ("🎉"):rep(18) .. "z", 4) end)
end)

describe("output while a line is edited", function()
  -- LINES lines of two workers, some longer than the screen is wide.
  local STORM = "for w = 1, 2 do tutti.parallel(function() local tutti = require('tutti') "
    .. "for i = 1, %d do print(('w%%d %%04d %%s'):format(w, i, ('.'):rep(i %% 60))) "
    .. "if i %% 7 == 0 then tutti.sleep(0.01) end end end) end"

  local function assert_storm(lines, count)
    local at = { 0, 0 }
    local others = {}
    for _, line in ipairs(lines) do
      local w, i, dots = line:match("^w(%d) (%d+) ?(%.*)$")
      if w then
        assert.equal(at[tonumber(w)] + 1, tonumber(i))
        at[tonumber(w)] = tonumber(i)
        assert.equal(tonumber(i) % 60, #dots)
      else
        others[#others + 1] = line
      end
    end
    assert.same({ count, count }, at)
    return others
  end

  it("stands above a wrapped line, whole and in order, while its middle is edited", function()
    local count = 400
    local s <close> = start()
    prompt.enter(s, "1")
    s:type(STORM:format(count) .. "\n")
    prompt.ready(s, 3)
    s:type("local text = '" .. ("abcdefghij"):rep(6) .. "'")
    press(s, "Left", 31)
    for _ = 1, 5 do
      s:type("X")
      os.execute("sleep 0.05")
      s:keys("Left", "Left")
    end
    prompt.seen(s, "w1 0" .. count, "w2 0" .. count)
    s:keys("C-e")
    s:type("#")
    s:wait_for("'#\n$")
    local lines = s:lines()
    local others = assert_storm(lines, count)
    assert.same({ "tutti> 1", "1", "tutti> " .. STORM:format(count),
      "tutti> local text = '" .. ("abcdefghij"):rep(2) .. "abcdefXgXhXiXjX"
        .. ("abcdefghij"):rep(3) .. "'#" }, others)
  end)
end)

describe("a terminal that changes its size", function()
  it("shows the whole line again", function()
    local s <close> = start()
    s:type("print('" .. ("0123456789"):rep(8) .. "')")
    s:wait_for("9'%)\n$")
    local wanted = "tutti> print('" .. ("0123456789"):rep(8) .. "')"
    for _, cols in ipairs({ 60, 25, 40 }) do
      s:resize(cols, ROWS)
      local first
      local stop = os.time() + 30
      os.execute("sleep 0.2")
      repeat -- the prompt is told of the size some time, and draws for some time
        s:keys("C-l")
        local soon = os.time() + 2
        repeat
          os.execute("sleep 0.05")
          first = s:lines()[1]
        until first == wanted or os.time() > soon
      until first == wanted or os.time() > stop
      assert.equal(wanted, first)
    end
    s:keys("Enter")
    prompt.ready(s)
    assert.equal(("0123456789"):rep(8) .. "\n", prompt.output(s))
  end)
end)
