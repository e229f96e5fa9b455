-- SPDX-License-Identifier: MIT
-- The live view as people see it: screens of a terminal while runs of graphs go on, and what is left of them.
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")

local HEAD = 'local tutti = require("tutti")\nlocal g = tutti.graph("demo")\n'

-- Run a script in a terminal, give its screen to `look`, and take both away.
local function see(source, options, look)
  local file <close> = program.file(HEAD .. source)
  local s <close> = screen.start({ program.path, "run", file.path, table.unpack(options) }, options)
  look(s)
end

-- Ages and times are what the clock says.
local function masked(text)
  return (text:gsub("(%s)%d+s", "%1Ts"):gsub("in <?[%d.]+m?s", "in T"))
end

-- Wait until the screen shows just that: a task that sleeps runs now and then, and is shown so.
local function wait_masked(s, wanted)
  local text
  local stop = os.time() + 30
  repeat
    os.execute("sleep 0.03")
    text = masked(s:text())
  until text == wanted or os.time() > stop
  assert.equal(wanted, text)
end

-- Tasks that call hold() run until the test opens the gate: then there is a file of that name.
local GATE = [[
local gate = arg[1]
local function hold()
  while not os.rename(gate, gate) do tutti.sleep(0.02) end
end
]]

-- As `see`, with a gate that `look` opens by calling its second argument.
local function see_held(source, options, look)
  local gate = os.tmpname()
  os.remove(gate)
  options[1] = gate
  see(GATE .. source, options, function(s)
    look(s, function() assert(io.open(gate, "w")):close() end)
  end)
  os.remove(gate)
end

local function whole_lines(count, prefix)
  local list = {}
  for i = 1, count do
    list[i] = prefix .. i
  end
  return list
end

describe("the live view", function()
  it("shows a bar, what runs and what that waits for, and in the end one line", function()
    see_held([[
      g:task("first", function() end)
      g:task("compile", { needs = { "first" } }, hold)
      g:task("docs", { needs = { "first" } }, function() tutti.spawn({ name = "spell" }, hold):await() end)
      g:task("link", { needs = { "compile" } }, function() end)
      g:run():await()
    ]], { cols = 70, rows = 12 }, function(s, open)
      wait_masked(s, "demo [=======>                    ] 1/4  2 running  Ts\n     Ts  compile  (sleeps)\n"
        .. "     Ts  docs  (waits for task \"spell\")\n")
      open()
      assert.equal(0, s:status())
      assert.equal("demo: 4 ok in T\n", masked(s:text()))
      local x, y, is_shown = s:cursor()
      assert.same({ 0, 1, true }, { x, y, is_shown })
    end)
  end)

  local MANY = [[
    for i = 1, 20 do g:task("compile part " .. i, hold) end
    g:run{ jobs = 9 }:await()
  ]]

  it("fits into 40 columns and 10 rows, and into 20 columns and 5 rows", function()
    see_held(MANY, { cols = 40, rows = 10 }, function(s)
      wait_masked(s, "[>                ] 0/20  9 running  Ts\n     Ts  compile part 1  (sleeps)\n"
        .. "     Ts  compile part 2  (sleeps)\n     Ts  compile part 3  (sleeps)\n      + 6 more\n")
      s:resize(20, 5)
      s:wait_for("^%[?[ >]*%]? ?0/20  %d+s\n  %d+s compile part 1\n$")
    end)
  end)

  it("is drawn anew when the terminal gets another size, and leaves nothing behind", function()
    local source = "print('a line of the script') print(io.lines('/proc/self/stat')():match('%d+'))\n"
    see_held(source .. MANY, { cols = 80, rows = 24 }, function(s, open)
      local pid = s:wait_for("compile part 9"):match("\n(%d+)\n")
      for _, size in ipairs({ { 40, 24, "^[^m]*%[.*part 9" }, { 100, 8, "7 more" }, { 60, 12, "5 more" },
        { 80, 24, "part 9" } }) do
        -- Rows painted between the change and the news of it are for the old size, and would stay.
        s:resize(size[1], size[2], pid)
        s:wait_for(size[3])
      end
      local text = s:wait_for("compile part 9")
      assert.equal(1, select(2, text:gsub("0/20", "")))
      open()
      assert.equal(0, s:status())
      assert.equal(("a line of the script\n%s\ndemo: 20 ok in T\n"):format(pid),
        masked(s:text({ all = true })))
    end)
  end)

  it("keeps what scripts print, whole and in order, also of pool tasks and without an end of line", function()
    see_held([[
      g:task("loop", function()
        for i = 1, 300 do print("loop line " .. i) if i % 50 == 0 then tutti.sleep(0.05) end end
      end)
      g:task("half", { needs = { "loop", "pool" } }, function()
        io.write("half a line") io.flush()
        tutti.sleep(0.3)
        io.write(" and the rest\n")
      end)
      g:task("pool", { on = "pool" }, function()
        for i = 1, 300 do print("pool line " .. i) if i % 50 == 0 then tutti.sleep(0.05) end end
      end)
      g:task("last", hold)
      g:run():await()
    ]], { cols = 60, rows = 12 }, function(s, open)
      s:wait_for("half a line and the rest")
      s:wait_for("last  %(sleeps%)")
      open()
      s:status()
      local got = { loop = {}, pool = {} }
      for _, line in ipairs(s:lines()) do
        local where = line:match("^(%a+) line %d+$")
        if where then
          table.insert(got[where], line)
        end
      end
      assert.same(whole_lines(300, "loop line "), got.loop)
      assert.same(whole_lines(300, "pool line "), got.pool)
      assert.equal(602, #s:lines())
    end)
  end)

  it("shows lines of programs that inherit its terminal above it, whole", function()
    see_held([[
      for i = 1, 3 do
        g:task("t" .. i, function()
          tutti.sh{ "for k in 1 2 3; do printf 'par'; sleep 0.05; echo 't '$1.$k; done; printf end",
            tostring(i), stdout = "inherit", stderr = "inherit" }:await()
        end)
      end
      g:task("last", hold)
      g:run():await()
    ]], { cols = 60, rows = 24 }, function(s, open)
      s:wait_for("3/4")
      open()
      s:status()
      local lines = s:lines()
      table.remove(lines)
      table.sort(lines)
      assert.same({ "end", "end", "end", "part 1.1", "part 1.2", "part 1.3", "part 2.1", "part 2.2",
        "part 2.3", "part 3.1", "part 3.2", "part 3.3" }, lines)
    end)
  end)

  it("is put away while a program has the terminal", function()
    see_held([[
      g:task("ask", function() tutti.sh{ "printf 'sure? '; read x; echo got $x; test -t 1 && echo a terminal",
        stdin = { inherit = true }, stdout = "inherit" }:await() end)
      g:task("last", hold)
      g:run():await()
    ]], { cols = 60, rows = 12 }, function(s, open)
      s:wait_for("^sure%?\n$")
      s:type("yes\n")
      assert.matches("^sure%? yes\ngot yes\na terminal\n", s:wait_for("last"))
      open()
      s:status()
    end)
  end)

  it("moves on while the loop is busy, and sleeps when nothing runs", function()
    see_held([[
      g:task("busy", function() local stop = os.clock() + 2.5 while os.clock() < stop do end end)
      g:run():await()
      io.stderr:write("over\n")
      hold()
    ]], { cols = 60, rows = 12 }, function(s, open)
      local shown = s:wait_for(" [1-9]%d*s  busy"):match(" (%d+s)  busy")
      while s:text():find((" %s  busy"):format(shown), 1, true) do
        os.execute("sleep 0.03")
      end
      s:wait_for("over")
      open()
      assert.equal(0, s:status())
    end)
  end)

  it("shows nothing of a run that ends at once but its line", function()
    local bytes
    for _ = 1, 5 do -- which on a machine that is busy may take its time
      see([[for i = 1, 50 do g:task("t" .. i, function() end) end g:run():await()]], {}, function(s)
        s:status()
        bytes = masked(s:bytes())
      end)
      if bytes == "demo: 50 ok in T\r\n" then
        break
      end
    end
    assert.equal("demo: 50 ok in T\r\n", bytes)
  end)

  it("survives names of any bytes", function()
    see_held([[
      g:task("\u{65e5}\u{672c}\u{8a9e}\u{65e5}\u{672c}\u{8a9e}\u{65e5}\u{672c}\u{8a9e}\u{65e5}\u{672c}", hold)
      g:task("bad \xff\xfe", hold)
      g:run():await()
    ]], { cols = 24, rows = 12 }, function(s, open)
      local text = masked(s:wait_for("bad"))
      assert.matches("bad \\xff\\xfe", text)
      assert.matches("\u{65e5}\u{672c}\u{8a9e}\u{65e5}..", text, 1, true)
      open()
      s:status()
    end)
  end)

  it("shows attempts", function()
    see_held([[
      local n = 0
      g:task("shaky", { retry = { times = 2, backoff = 2 } }, function()
        n = n + 1
        if n == 1 then error("no") end
        hold()
      end)
      g:run():await()
    ]], { cols = 60, rows = 12 }, function(s, open)
      s:wait_for("shaky  %(attempt 1 failed, next in [12]s%)")
      s:wait_for("shaky  %(attempt 2, sleeps%)")
      open()
      s:status()
    end)
  end)

  it("is not drawn with TERM=dumb, in CI, into a file, and with -q", function()
    local RUN = 'g:task("a", function() end) print("out") g:run():await()'
    for _, options in ipairs({ { env = { TERM = "dumb" } }, { env = { CI = "1" } } }) do
      see(RUN, options, function(s)
        s:status()
        assert.equal("out\r\n[1/1] a  T\r\ndemo: 1 ok in T\r\n",
          (masked(s:bytes()):gsub("  <?%d+m?s\r", "  T\r")))
      end)
    end
    local file <close> = program.file(HEAD .. RUN)
    local command = program.quote(program.path) .. " run"
    local line = ("%s %s >/dev/null 2>&1; %s -q %s"):format(command, file.path, command, file.path)
    local s <close> = screen.start(line)
    s:status()
    assert.equal("out\r\n", s:bytes())
  end)
end)
