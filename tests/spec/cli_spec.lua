-- SPDX-License-Identifier: MIT
-- The program: words, exit statuses, reports; and the module in a stock interpreter.
local program = os.getenv("TUTTI_PROGRAM")

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- Run a command line; returns status (or signal + 128), stdout, stderr.
local function run(...)
  local words = {}
  for i, word in ipairs({ ... }) do
    words[i] = quote(word)
  end
  local out, err = os.tmpname(), os.tmpname()
  local _, how, code = os.execute(table.concat(words, " ") .. " >" .. out .. " 2>" .. err .. " </dev/null")
  local function take(path)
    local file = assert(io.open(path))
    local text = file:read("a")
    file:close()
    os.remove(path)
    return text
  end
  return how == "signal" and code + 128 or code, take(out), take(err)
end

local function script(source)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  return path
end

local function run_script(source, ...)
  local path = script(source)
  local code, out, err = run(program, "run", path, ...)
  os.remove(path)
  return code, out, err
end

local HEAD = 'local tutti = require "tutti" '

describe("tutti run", function()
  it("ends with 0 and prints what the script prints", function()
    local code, out, err = run_script(HEAD .. 'print(tutti.spawn(function() return 41 end):await() + 1)')
    assert.same({ 0, "42\n", "" }, { code, out, err })
  end)

  it("runs ready pool tasks of a high priority first, of a low one last", function()
    local source = HEAD .. [[
      local order = tutti.channel(100)
      tutti.parallel(function(path) -- the only worker is busy until all are there
        while not io.open(path) do end
      end, arg[0] .. ".go")
      local tasks = {}
      for _ = 1, 3 do
        for _, priority in ipairs { "low", "normal", "high" } do
          local options = { priority = priority }
          tasks[#tasks + 1] = tutti.parallel(options, function(ch, p) ch:send(p) end, order, priority)
        end
      end
      io.open(arg[0] .. ".go", "w"):close()
      for _, task in ipairs(tasks) do task:await() end
      os.remove(arg[0] .. ".go")
      local got = {}
      for i = 1, 9 do got[i] = order:recv() end
      print(table.concat(got, " "))
    ]]
    local path = script(source)
    local code, out, err = run("env", "TUTTI_WORKERS=1", program, "run", path)
    os.remove(path)
    assert.same({ 0, "" }, { code, err })
    local places, sum = { high = 0, normal = 0, low = 0 }, 0
    for word in out:gmatch("%S+") do
      sum = sum + 1
      places[word] = places[word] + sum
    end
    -- Now and then a worker looks at another place first: the sums of the places are as good as the order.
    assert.is_true(places.high < places.normal and places.normal < places.low, out)
  end)

  it("gives the words after FILE to the script, dropping a leading --", function()
    local source = 'print(#arg, arg[1], ...)'
    assert.equal("3\t-q\t-q\t--jobs\ta b\n", (select(2, run_script(source, "-q", "--jobs", "a b"))))
    assert.equal("1\t--x\t--x\n", (select(2, run_script(source, "--", "--x"))))
  end)

  it("tells a failure that nobody awaited: status 1", function()
    local source = HEAD .. 'tutti.spawn({ name = "gone" }, function() error("lost one") end)'
    local code, _, err = run_script(source)
    assert.equal(1, code)
    assert.matches('task "gone" failed with nobody awaiting it: [^\n]*lost one', err)
  end)

  it("tells an awaited failure with the joined traceback: status 1", function()
    local source = HEAD .. 'tutti.spawn({ name = "bad" }, function() error("x") end):await()'
    local code, _, err = run_script(source)
    assert.equal(1, code)
    assert.matches("stack traceback:", err)
    assert.matches('started task "bad"', err)
    assert.is_nil(err:find("%[C%]: in %?"))
    assert.is_nil(err:find("tutti/init.lua"))
  end)

  it("ends with 3 for a syntax error, misuse, or an error before any task", function()
    assert.equal(3, (run_script("local = 1")))
    assert.equal(3, (run_script('error("early")')))
    assert.equal(3, (run_script(HEAD .. 'tutti.spawn(print):await() tutti.task{ print, afterr = {} }')))
  end)

  it("ends with 2 for a bad command line or a missing file", function()
    for _, words in ipairs({ { "run" }, { "run", "/no/such.lua" }, { "run", "/tmp" }, { "frobnicate" },
      { "run", "--frob", "x" }, {}, { "-e" } }) do
      local code, out, err = run(program, table.unpack(words))
      assert.equal(2, code)
      assert.equal("", out)
      assert.is_true(#err > 0)
    end
  end)

  it("joins detached tasks at the end", function()
    local code, out = run_script(HEAD
      .. 'tutti.spawn({ detach = true }, function() tutti.sleep(0.02) print("joined") end)')
    assert.same({ 0, "joined\n" }, { code, out })
    code = run_script(HEAD
      .. 'tutti.spawn({ detach = true }, function() tutti.sleep(0.01) error("late") end)')
    assert.equal(1, code)
  end)

  it("runs a chunk, prints its version and help", function()
    assert.same({ 0, "2\n", "" }, { run(program, "-e", "print(1 + 1)") })
    assert.matches("^tutti %d+%.%d+%.%d+ %(Lua 5%.4", (select(2, run(program, "version"))))
    local code, out = run(program, "--help")
    assert.equal(0, code)
    assert.matches("usage: tutti run", out)
  end)

  it("finds modules beside FILE", function()
    local dir = os.tmpname()
    os.remove(dir)
    os.execute("mkdir " .. dir)
    local files = { ["main.lua"] = 'print((require "beside"))', ["beside.lua"] = 'return "found"' }
    for name, text in pairs(files) do
      local file = assert(io.open(dir .. "/" .. name, "w"))
      file:write(text)
      file:close()
    end
    local _, out = run(program, "run", dir .. "/main.lua")
    os.execute("rm -r " .. dir)
    assert.equal("found\n", out)
  end)

  it("ends by the signal after the cleanup has run", function()
    local path = script(HEAD .. [[
      local _ <close> = setmetatable({}, { __close = function() print("cleaned") end })
      print("up") io.stdout:flush()
      os.execute("pid=$PPID; { sleep 0.1; kill -" .. arg[1] .. " $pid; } >/dev/null 2>&1 &")
      tutti.sleep(60)]])
    local function run_and_send(name)
      return run(program, "run", path, name)
    end
    local code, out, err = run_and_send("INT")
    assert.same({ 130, "up\ncleaned\n" }, { code, out })
    assert.matches("interrupted %(Ctrl%-C%): stopping", err)
    code = run_and_send("TERM")
    assert.equal(143, code)
    os.remove(path)
  end)

  it("lets an ignored signal be ignored", function()
    local path = script(HEAD .. 'tutti.sleep(0.8) print("slept")')
    local line = "trap '' HUP; %s run %s & pid=$!; sleep 0.3; kill -HUP $pid; wait $pid; echo $?"
    local _, out = run("sh", "-c", line:format(program, path))
    os.remove(path)
    assert.equal("slept\n0\n", out)
  end)

  it("ends in silence, with its children, when nobody reads its output", function()
    -- A number of its own: the same test may run beside this one.
    local child = ("47%d.25"):format(tonumber(io.lines("/proc/self/stat")():match("^%d+")))
    local chunk = HEAD .. [[ tutti.spawn(function() tutti.exec{ "sleep", "CHILD" }:await() end)
      while true do print("line") tutti.sleep(0.001) end]]
    local code, out, err = run("sh", "-c", ("timeout 60 %s -e '%s' | head -1"):format(program,
      (chunk:gsub("CHILD", child))))
    assert.same({ 0, "line\n", "" }, { code, out, err })
    local _, left = run("sh", "-c", ([[i=0
      while ps -eo stat,args | grep -v '^Z' | grep '[s]leep %s' >/dev/null && [ $i -lt 300 ]; do
        sleep 0.1; i=$((i+1))
      done; ps -eo stat,args | grep -v '^Z' | grep '[s]leep %s' || :]]):format(child, child))
    assert.equal("", left)
    local t0 = os.time()
    run("sh", "-c", ("timeout 60 %s -e 'while true do io.write(\"x\\n\") end' | head -1"):format(program))
    assert.is_true(os.time() - t0 < 60)
  end)

  it("does without a standard stream", function()
    assert.equal(0, (run("sh", "-c", program .. " -e 'print(1)' <&- 2>&-")))
  end)

  it("shows what a program that failed has written, behind what was skipped", function()
    local code, _, err = run_script(HEAD .. [[
      local object = tutti.spawn({ name = "compile" }, function()
        tutti.exec{ "sh", "-c", "echo a.c:3: no such type >&2; exit 1" }:await()
      end)
      tutti.task{ print, after = { object }, name = "link" }:await()]])
    assert.equal(1, code)
    assert.matches("a.c:3: no such type", err)
    assert.matches('task "compile" failed with nobody awaiting it', err)
    assert.matches("stack traceback:", err)
  end)

  it("os.exit cancels, joins and gives its status", function()
    local code, out = run_script(HEAD .. [[
      tutti.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() print("cleaned") end })
        tutti.sleep(60)
      end)
      tutti.sleep(0.01)
      os.exit(7)]])
    assert.same({ 7, "cleaned\n" }, { code, out })
  end)
end)

describe("stock lua5.4", function()
  local lua = os.getenv("TUTTI_LUA") or "lua5.4"
  local function stock(source)
    local path = script(source)
    local code, out, err = run(lua, path)
    os.remove(path)
    return code, out, err
  end

  it("awaits outside any task by running the loop", function()
    local source = HEAD .. 'print(tutti.spawn(function() tutti.sleep(0.001) return 3 end):await())'
    assert.same({ 0, "3\n", "" }, { stock(source) })
  end)

  it("runs until idle and raises what nobody owned as one group", function()
    local code, out, err = stock(HEAD .. [[
      tutti.spawn(function() tutti.sleep(0.001) print("ran") end)
      tutti.spawn(function() error("one", 0) end)
      local ok, e = pcall(tutti.run)
      print(ok, e.kind, #e.errors, e.errors[1].message)
      tutti.run()]])
    assert.same({ 0, "ran\nfalse\tgroup\t1\tone\n" }, { code, out })
    assert.matches("failed with nobody awaiting it: [^\n]*one\n", err)
  end)

  it("names and cancels what is pending when the state is closed", function()
    local code, out, err = stock(HEAD .. [[
      tutti.spawn({ name = "left" }, function()
        local _ <close> = setmetatable({}, { __close = function() print("closed") end })
        tutti.sleep(60)
      end)
      tutti.parallel({ name = "far" }, function() tutti.sleep(60) end)
      tutti.sleep(0.005)]])
    assert.equal(0, code)
    assert.matches('task "left" was still pending', err)
    assert.matches('task "far" was still pending', err)
    assert.equal("closed\n", out)
  end)
end)
