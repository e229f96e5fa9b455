-- SPDX-License-Identifier: MIT
-- Lua that runs and runs is interrupted: by a cancel, by a deadline, by Ctrl-C; and what it must survive.
-- The scripts are run by the program, whose engine interrupts by signal (TUTTI_PREEMPT=hook: by a hook, in
-- pool tasks only). No time is asserted: a script that is not interrupted is killed and fails by that.
local build = require("tests.spec.support.build")
local program = os.getenv("TUTTI_PROGRAM")
local host = os.getenv("TUTTI_LUA")
local unless_tsan = build.is_tsan and function() end or it -- see there
local hook_only = os.getenv("TUTTI_PREEMPT") == "hook"

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function slurp(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

-- Run `source` by a command line with %s for the script; returns status (signal + 128), stdout, stderr.
local function run_by(line, source)
  local path, out, err = os.tmpname(), os.tmpname(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write('local tutti = require "tutti"\n', source)
  file:close()
  local command = ("timeout -k 1 60 %s >%s 2>%s </dev/null"):format(line:format(path), out, err)
  local _, how, code = os.execute(command)
  os.remove(path)
  return how == "signal" and code + 128 or code, slurp(out), slurp(err)
end

local function run(source) return run_by(quote(program) .. " run %s", source) end

-- A pool task is cancelled once it says by a channel that it runs.
local START = [[
  local started = tutti.channel(1)
  local function cancelled(f, ...)
    local task = tutti.parallel({ name = "victim" }, f, started, ...)
    started:recv()
    task:cancel("enough")
    local ok, err = task:pawait()
    return ok, err.kind, task:state(), tutti.parallel(function() return "next" end):await()
  end
]]

local LOOPS = {
  ["an empty loop"] = "function(ch) ch:send(1) while true do end end",
  ["a loop of pcall around a loop"] = [[function(ch)
    ch:send(1)
    while true do pcall(function() while true do end end) end
  end]],
  ["a loop of xpcall"] = [[function(ch)
    ch:send(1)
    while true do xpcall(function() while true do end end, function(e) return e end) end
  end]],
  ["a loop inside a coroutine of the user's"] = [[function(ch)
    local co = coroutine.wrap(function() ch:send(1) while true do end end)
    while true do co() end
  end]],
  ["a loop inside a generator inside a generator"] = [[function(ch)
    ch:send(1)
    for _ in coroutine.wrap(function()
      for _ in coroutine.wrap(function() while true do end end) do end
    end) do end
  end]],
  ["a loop in a coroutine that was made before anybody cancelled"] = [[function(ch)
    local co = coroutine.create(function() coroutine.yield() while true do end end)
    coroutine.resume(co)
    ch:send(1)
    coroutine.resume(co)
    while true do end
  end]],
  ["a loop that resumes a coroutine again and again"] = [[function(ch)
    local co = coroutine.wrap(function() while true do coroutine.yield() end end)
    ch:send(1)
    while true do co() end
  end]],
  ["a loop that takes hooks away"] = [[function(ch)
    ch:send(1)
    while true do debug.sethook() end
  end]],
  ["a loop of pcall around debug.sethook"] = [[function(ch)
    ch:send(1)
    while true do pcall(debug.sethook) end
  end]],
  ["a loop in a metamethod"] = [[function(ch)
    ch:send(1)
    return setmetatable({}, { __index = function() while true do end end }).x
  end]],
  ["a loop in a sort comparator"] = [[function(ch)
    ch:send(1)
    table.sort({ 1, 2, 3 }, function() while true do end end)
  end]],
  ["a loop in a gsub callback"] = [[function(ch)
    ch:send(1)
    return (("x"):gsub(".", function() while true do end end))
  end]],
  ["recursion"] = "function(ch) ch:send(1) local function f(n) return f(n > 50 and 0 or n + 1) end f(0) end",
}

describe("a cancelled pool task", function()
  for name, loop in pairs(LOOPS) do
    it("ends in " .. name, function()
      local code, out, err = run(START .. "print(cancelled(" .. loop .. "))")
      assert.same({ 0, "false\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
    end)
  end

  it("runs its cleanup in pure Lua", function()
    local code, out, err = run(START .. [[
      print(cancelled(function(ch)
        local guard <close> = setmetatable({}, { __close = function()
          local n = 0
          for i = 1, 1e6 do n = n + i end
          print(n)
        end })
        ch:send(1)
        while true do end
      end))
    ]])
    assert.same({ 0, "500000500000\nfalse\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
  end)

  it("is interrupted again when its cleanup does not end", function()
    local code, out, err = run(START .. [[
      print(cancelled(function(ch)
        local guard <close> = setmetatable({}, { __close = function() while true do end end })
        ch:send(1)
        while true do end
      end))
    ]])
    assert.same({ 0, "false\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
  end)

  it("is interrupted again when it catches the cancellation by force", function()
    local code, out, err = run(START .. [[
      print(cancelled(function(ch)
        local raw = require("tutti").rawpcall or pcall
        ch:send(1)
        while true do raw(function() while true do end end) end
      end))
    ]])
    assert.same({ 0, "false\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
  end)

  it("keeps the user's own hook until then", function()
    local code, out, err = run(START .. [[
      local hook_only = ]] .. tostring(hook_only) .. [[

      local function hooked(mask, count)
        local events = 0
        debug.sethook(function() events = events + 1 end, mask, count)
        local stop = tutti.now() + 0.05
        while tutti.now() < stop or events <= 10 and tutti.now() < stop + 30 do
        end
        local _, mask_then, count_then = debug.gethook()
        debug.sethook()
        return events > 10 and (hook_only or mask_then == mask and count_then == count)
      end
      local line, count = tutti.parallel(hooked, "l", 0), tutti.parallel(hooked, "", 100)
      for _ = 1, 10 do tutti.parallel(function() require("tutti").sleep(0.001) end) end
      print(line:await(), count:await(), tutti.parallel(function()
        return hook_only or debug.gethook() == nil
      end):await())
    ]])
    assert.same({ 0, "true\ttrue\ttrue\n", "" }, { code, out, err })
  end)

  unless_tsan("ends when it catches by force what checkpoints raise, again and again", function()
    local code, out, err = run(START .. [[
      print(cancelled(function(ch)
        local tutti = require "tutti"
        local raw = tutti.rawpcall or pcall
        ch:send(1)
        while true do raw(tutti.sleep, 10) end
      end))
    ]])
    assert.same({ 0, "false\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
  end)

  it("is interrupted in a turn that begins after the cancel", function()
    local code, out, err = run(START .. [[
      print(cancelled(function(ch)
        local tutti = require "tutti"
        local raw = tutti.rawpcall or pcall
        ch:send(1)
        raw(tutti.sleep, 10)
        while true do end
      end))
    ]])
    assert.same({ 0, "false\tcancelled\tcancelled\tnext\n", "" }, { code, out, err })
  end)

  it("is cancelled with the task that started it, from a third state", function()
    -- One worker, as on a machine with one CPU, would never come to the task that cancels.
    local code, out, err = run_by("env TUTTI_WORKERS=2 " .. quote(program) .. " run %s", START .. [[
      local parent = tutti.parallel(function(ch)
        local tutti = require "tutti"
        tutti.parallel(function(c) c:send(1) while true do end end, ch):await()
      end, started)
      started:recv()
      print(tutti.parallel(function(t) t:cancel() return t:pawait() end, parent):await())
      print(parent:state())
    ]])
    assert.equal(0, code, err)
    assert.truthy(out:find("^false\t.*cancelled\n$"), out)
  end)

  it("ends by itself after it has cancelled itself and loops on", function()
    local code, out, err = run([[
      print(tutti.parallel(function()
        local tutti = require "tutti"
        tutti.current():cancel("me")
        while true do end
      end):pawait())
    ]])
    assert.equal(0, code, err)
    assert.truthy(out:find("^false\tcancelled"), out)
  end)

  it("uses no CPU afterwards", function()
    local code, out, err = run(START .. [[
      local function ticks()
        local text = io.open("/proc/self/stat"):read("a"):match("%) (.*)")
        local words = {}
        for word in text:gmatch("%S+") do words[#words + 1] = word end
        return tonumber(words[12]) + tonumber(words[13]) -- utime, stime
      end
      print(cancelled(function(ch) ch:send(1) while true do end end))
      tutti.sleep(0.1)
      local before = ticks()
      tutti.sleep(1)
      print(ticks() - before < 20)
    ]])
    assert.same({ 0, "false\tcancelled\tcancelled\tnext\ntrue\n", "" }, { code, out, err })
  end)
end)

describe("a crowd of pool tasks", function()
  it("ends whatever its tasks do when they are cancelled", function()
    local seed = tonumber(os.getenv("TUTTI_SEED")) or os.time()
    local code, out, err = run("math.randomseed(" .. seed .. ")" .. [[
      local bodies = {
        function() while true do end end,
        function(n) for _ = 1, n do end return n end,
        function(n) for _ = 1, n do end error("done") end,
        function() while true do pcall(function() while true do end end) end end,
        function(n) local tutti = require "tutti" for _ = 1, n / 100 do tutti.checkpoint() end end,
        function(n)
          local guard <close> = setmetatable({}, { __close = function() for _ = 1, n do end end })
          while true do end
        end,
        function(n)
          local tutti = require "tutti"
          tutti.spawn(function() while true do end end)
          for _ = 1, n do end
          while true do tutti.checkpoint() end
        end,
      }
      local ended, states = 0, { done = true, failed = true, cancelled = true }
      for _ = 1, 30 do
        local tasks = {}
        for i = 1, 8 do tasks[i] = tutti.parallel(bodies[math.random(#bodies)], math.random(20000)) end
        for _ = 1, math.random(20000) do end
        for i = 1, 8 do tasks[i]:cancel() end
        for i = 1, 8 do
          tasks[i]:pawait()
          if states[tasks[i]:state()] then ended = ended + 1 end
        end
      end
      print(ended)
    ]])
    -- On stderr: a task that failed before anybody awaited it.
    assert.same({ 0, "240\n" }, { code, out }, "TUTTI_SEED=" .. seed .. "\n" .. err)
  end)
end)

describe("a long pool task", function()
  it("gives its turn to coroutines that wait for its worker", function()
    local code, out, err = run_by("env TUTTI_WORKERS=1 " .. quote(program) .. " run %s", [[
      local done = tutti.channel(1)
      local spin = tutti.parallel(function(ch)
        local n = 0
        while not select(2, pcall(function() return ch.stop end)) do n = n + 1 end
      end, {})
      local sleeper = tutti.parallel(function() require("tutti").sleep(0.01) return "slept" end)
      spin:cancel()
      spin:pawait()
      local busy = tutti.parallel(function(ch)
        local tutti = require "tutti"
        local other = tutti.spawn(function() tutti.sleep(0.02) ch:send("other") end)
        local n = 0
        while not other:is_done() do n = n + 1 end
        return n > 0
      end, done)
      print(sleeper:await(), done:recv(), busy:await())
    ]])
    assert.same({ 0, "slept\tother\ttrue\n", "" }, { code, out, err })
  end)

  unless_tsan("is not sliced inside a coroutine of the user's", function()
    local code, out, err = run_by("env TUTTI_WORKERS=1 " .. quote(program) .. " run %s", [[
      local tasks = {}
      for t = 1, 4 do
        tasks[t] = tutti.parallel(function()
          local tutti = require "tutti"
          tutti.spawn(function() for i = 1, 5 do tutti.sleep(0.005) end end)
          local nils, sum = 0, 0
          local stop = tutti.now() + 0.1
          local next_number = coroutine.wrap(function()
            for n = 1, math.huge do
              for i = 1, 1000 do end
              coroutine.yield(n)
            end
          end)
          repeat
            local n = next_number()
            if n == nil then nils = nils + 1 end
          until tutti.now() > stop
          return nils
        end)
      end
      local nils = 0
      for _, task in ipairs(tasks) do nils = nils + task:await() end
      print(nils)
    ]])
    assert.same({ 0, "0\n", "" }, { code, out, err })
  end)
end)

describe("a loop in the loop state", function()
  if hook_only then -- that interrupts pool tasks only
    return
  end

  for name, loop in pairs(LOOPS) do
    it("ends at its deadline: " .. name, function()
      local code, out, err = run([[
        local ch = { send = function() end }
        local f = ]] .. loop .. [[
        local ok, e = pcall(tutti.timeout, 0.05, f, ch)
        print(ok, e.kind)
      ]])
      assert.same({ 0, "false\ttimeout\n", "" }, { code, out, err })
    end)
  end

  it("ends at the deadline of an outer scope, and lets the inner ones clean up", function()
    local code, out, err = run([[
      local order = {}
      local ok, e = pcall(tutti.timeout, 0.05, function()
        local a <close> = setmetatable({}, { __close = function() order[#order + 1] = "outer" end })
        return tutti.timeout(30, function()
          local b <close> = setmetatable({}, { __close = function() order[#order + 1] = "inner" end })
          while true do end
        end)
      end)
      print(ok, e.kind, table.concat(order, " "))
    ]])
    assert.same({ 0, "false\ttimeout\tinner outer\n", "" }, { code, out, err })
  end)

  it("ends when a pool task cancels it", function()
    local code, out, err = run([[
      local task = tutti.spawn(function() while true do end end)
      tutti.parallel(function(t) for i = 1, 1e6 do end t:cancel("from the pool") end, task)
      print(task:pawait())
    ]])
    assert.equal(0, code, err)
    assert.truthy(out:find("^false\tcancelled"), out)
  end)

  it("ends again and again: a thousand short deadlines", function()
    local code, out, err = run([[
      local count = 0
      for i = 1, 100 do
        local ok, e = pcall(tutti.timeout, 0.001, function() while true do end end)
        if not ok and e.kind == "timeout" then count = count + 1 end
      end
      print(count)
    ]])
    assert.same({ 0, "100\n", "" }, { code, out, err })
  end)

  -- Soon after this line the program gets a SIGINT.
  local SOON = [[
    os.execute("pid=$PPID; { sleep 0.2; kill -INT $pid; } >/dev/null 2>&1 &")
  ]]

  it("ends by Ctrl-C", function()
    local code, out, err = run([[
      local guard <close> = setmetatable({}, { __close = function() print("cleaned up") end })
      ]] .. SOON .. [[
      while true do end
    ]])
    assert.same({ 130, "cleaned up\n" }, { code, out }, err)
  end)

  for name, loop in pairs({ ["that runs and runs"] = "", ["that sleeps and sleeps"] = "tutti.sleep(1)" }) do
    it("ends by a signal inside a test " .. name .. ", and the test with it", function()
      local code, out, err = run(([[
        local function closing(text) return setmetatable({}, { __close = function() print(text) end }) end
        local pid = io.lines("/proc/self/stat")():match("^%%d+")
        local outside <close> = closing("outside")
        tutti.testing({}, function()
          local inside <close> = closing("inside")
          io.popen("kill -TERM " .. pid):close()
          while true do %s end
        end)
      ]]):format(loop))
      assert.same({ 143, "inside\noutside\n" }, { code, out }, err)
      assert.is_nil(err:find("killed", 1, true))
    end)
  end

  it("ends by Ctrl-C while pool tasks loop too", function()
    local code, _, err = run([[
      tutti.parallel(function() while true do end end)
      tutti.parallel(function() while true do pcall(function() while true do end end) end end)
      ]] .. SOON .. [[
      while true do end
    ]])
    assert.equal(130, code, err)
  end)

  it("ends by Ctrl-C while it awaits a pool task that loops", function()
    local code, _, err = run(SOON .. "tutti.parallel(function() while true do end end):await()")
    assert.equal(130, code, err)
  end)
end)

describe("C code that takes long", function()
  -- A pattern that takes for ever, in one call.
  local STUCK = [[function() return ("a"):rep(40):find((".-"):rep(30) .. "b") end]]

  it("is named with the path of its task, once, and its worker replaced", function()
    local code, out, err = run_by("env TUTTI_WORKERS=1 " .. quote(program) .. " run %s", [[
      local go = os.tmpname() -- there while the command has not begun
      local task = tutti.parallel({ name = "cruncher" }, function()
        os.execute("rm " .. go .. "; sleep 1; "
          .. "i=0; until [ -e " .. go .. " ] || [ $i = 600 ]; do sleep 0.1; i=$((i+1)); done")
      end)
      while os.rename(go, go) do tutti.sleep(0.01) end
      task:cancel()
      print(tutti.parallel(function() return "the other one" end):await(), task:state())
      io.open(go, "w"):close()
      print(task:pawait())
      os.remove(go)
    ]])
    assert.equal(0, code, err)
    assert.truthy(out:find("^the other one\trunning\nfalse\tcancelled"), out)
    if not hook_only then
      local _, times = err:gsub('"cruncher"', "")
      assert.equal(1, times, err)
    end
  end)

  it("is killed by a second Ctrl-C", function()
    -- With job control, for else the shell has SIGINT ignored in what runs in the background. What
    -- has used a fifth of a second of the processor is in the pattern.
    local line = [[bash -c 'set -m; "$0" run "$1" 2>"$1.err" & p=$!; ]]
      .. [[until [ -e "$1.up" ]; do sleep 0.05; done; t() { cut -d" " -f14 /proc/$p/stat; }; u=$(t); ]]
      .. [[until [ $(t) -ge $((u + 20)) ]; do sleep 0.05; done; kill -INT $p; ]]
      .. [[until grep -q "once more" "$1.err"; do sleep 0.05; done; kill -INT $p; ]]
      .. [[wait $p; s=$?; cat "$1.err" >&2; rm "$1.err" "$1.up"; exit $s' ]]
    local code, _, err = run_by(line .. quote(program) .. " %s",
      'io.open(arg[0] .. ".up", "w"):close() local f = ' .. STUCK .. " f()")
    assert.equal(130, code)
    assert.truthy(err:find("killed", 1, true), err)
  end)
end)

describe("a host's own state", function()
  it("is interrupted if TUTTI_PREEMPT says so, also around its own pcall", function()
    if hook_only then
      return
    end
    local code, out, err = run_by("env TUTTI_PREEMPT=signal " .. quote(host) .. " %s", [[
      local ok, e = pcall(tutti.timeout, 0.05, function()
        while true do pcall(function() while true do end end) end
      end)
      print(ok, e.kind)
    ]])
    assert.same({ 0, "false\ttimeout\n", "" }, { code, out, err })
  end)

  it("refuses a word that it does not know", function()
    local code, _, err = run_by("env TUTTI_PREEMPT=sometimes " .. quote(host) .. " %s", "")
    assert.equal(1, code)
    assert.truthy(err:find("TUTTI_PREEMPT must be signal, hook or none", 1, true), err)
    assert.equal(2, (run_by("env TUTTI_PREEMPT=sometimes " .. quote(program) .. " run %s", "")))
  end)
end)
