-- SPDX-License-Identifier: MIT
-- luacheck: ignore 431 (the functions below cross, so they are handed their own tutti)
-- A script's own coroutines inside tasks: they may await, see no spurious resumes, and are cancelled with
-- their task. Each in the host's state with tutti.coroutine and tutti.pcall, and in a worker's with the
-- globals, which are the same functions there.
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore
local tutti = require("tutti")

-- Run f(coroutine, pcall, tutti) in both kinds of state; both must return `...`.
local function both(f, ...)
  local expected = { ... }
  local here = tutti.spawn(f, tutti.coroutine, tutti.pcall, tutti)
  assert.same(expected, { here:await() })
  local there = tutti.parallel(function(...) return f(coroutine, pcall, require("tutti"), ...) end)
  assert.same(expected, { there:await() })
end

describe("a coroutine in a task", function()
  it("may await: its resumer sees nothing of it", function()
    both(function(coroutine, _, tutti)
      local seen = {}
      local generator = coroutine.wrap(function(a)
        for i = 1, 3 do
          tutti.sleep(0.0005)
          a = a + coroutine.yield(i)
          tutti.checkpoint()
        end
        return a
      end)
      seen[1] = generator(100)
      for i = 2, 4 do
        seen[i] = generator(i)
      end
      return table.concat(seen, " ")
    end, "1 2 3 109")
  end)

  it("may await in coroutines in coroutines", function()
    both(function(coroutine, _, tutti)
      local function counter(depth)
        return coroutine.wrap(function()
          for i = 1, 2 do
            local t = tutti.spawn(function() return i end)
            coroutine.yield(t:await())
            for v in depth > 0 and counter(depth - 1) or function() end do
              coroutine.yield(depth .. ":" .. v)
            end
          end
        end)
      end
      local list = {}
      for v in counter(2) do
        list[#list + 1] = v
      end
      return table.concat(list, " ")
    end, "1 2:1 2:1:1 2:1:2 2:2 2:1:1 2:1:2 2 2:1 2:1:1 2:1:2 2:2 2:1:1 2:1:2")
  end)

  it("is normal, not suspended, while its task waits in it; nobody else can resume or close it", function()
    both(function(coroutine, pcall, tutti)
      local gate = tutti.event()
      local co = coroutine.create(function() gate:wait() return "ok" end)
      local t = tutti.spawn(function() return select(2, coroutine.resume(co)) end)
      tutti.checkpoint()
      local status = coroutine.status(co)
      local _, why = coroutine.resume(co)
      local _, close = pcall(coroutine.close, co)
      gate:set()
      return status, why, close, t:await(), coroutine.status(co)
    end, "normal", "cannot resume non-suspended coroutine", "cannot close a normal coroutine", "ok", "dead")
  end)

  it("is cancelled with its task, from the inside out, and its <close> variables may await", function()
    both(function(coroutine, pcall, tutti)
      local steps = {}
      local function closing(name)
        return setmetatable({}, { __close = function()
          tutti.shield("30s", function() tutti.sleep(0.001) steps[#steps + 1] = name end)
        end })
      end
      local t = tutti.spawn(function()
        local _ <close> = closing("task")
        local outer = coroutine.wrap(function()
          local _ <close> = closing("outer")
          local inner = coroutine.create(function()
            local _ <close> = closing("inner")
            while true do pcall(tutti.sleep, 10) end
          end)
          while true do pcall(coroutine.resume, inner) end
        end)
        while true do pcall(outer) end
      end)
      tutti.sleep(0.001)
      t:cancel("enough")
      local _, err = t:pawait()
      return err.kind, table.concat(steps, " ")
    end, "cancelled", "inner outer task")
  end)

  it("dies of its own errors as in plain Lua", function()
    both(function(coroutine, pcall)
      local co = coroutine.create(function() error("inside", 0) end)
      local ok, err = coroutine.resume(co)
      local again, why = coroutine.resume(co)
      local closed, what = coroutine.close(co)
      local wrapped, text = pcall(coroutine.wrap(function() error({ 7 }) end))
      return ok, err, again, why, closed, what, wrapped, text[1], coroutine.status(co)
    end, false, "inside", false, "cannot resume dead coroutine", false, "inside", false, 7, "dead")
  end)

  it("is refused where it would yield to a resumer that is not tutti's", function()
    local t = tutti.spawn(function()
      local co = _G.coroutine.create(function() return tutti.pcall(tutti.sleep, 0) end)
      local _, ok, err = _G.coroutine.resume(co)
      return ok, err
    end)
    local ok, err = t:await()
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches("tutti.coroutine", err.message)
  end)

  it("cannot yield the task itself", function()
    both(function(coroutine, pcall)
      local ok, err = pcall(coroutine.yield, 1)
      return ok, err.kind, err.message:match("attempt to yield from outside a coroutine"),
        coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable() end)()
    end, false, "usage", "attempt to yield from outside a coroutine", false, true)
  end)
end)

describe("a scope in a coroutine", function()
  it("is off the stack while the coroutine does not run", function()
    both(function(coroutine, pcall, tutti)
      local generator = coroutine.wrap(function()
        tutti.scope(function(s)
          s:spawn(function() tutti.sleep(10) end)
          coroutine.yield("in")
          s:cancel("mine")
          tutti.sleep(10)
        end)
      end)
      local first = generator()
      local outside = tutti.cancelled()
      tutti.sleep(0.0005)
      local ok, err = pcall(generator)
      return first, outside, ok, err.kind, err.reason, (tutti.cancelled())
    end, "in", false, false, "cancelled", "mine", false)
  end)

  it("leaves nothing behind when the coroutine is closed", function()
    both(function(coroutine, _, tutti)
      local child
      local co = coroutine.create(function()
        tutti.scope(function(s)
          child = s:spawn(function() tutti.sleep(10) end)
          coroutine.yield()
        end)
      end)
      coroutine.resume(co)
      tutti.checkpoint()
      return coroutine.close(co), (child:pawait()), child:state(), coroutine.status(co)
    end, true, false, "cancelled", "dead")
  end)

  it("ends with what it was opened in, although the coroutine is never resumed", function()
    both(function(coroutine, _, tutti)
      local child, co
      tutti.scope(function()
        co = coroutine.create(function()
          tutti.timeout(10, function()
            child = tutti.spawn(function() tutti.sleep(10) end)
            coroutine.yield()
            tutti.sleep(10)
          end)
        end)
        coroutine.resume(co)
        tutti.checkpoint()
      end)
      local ok, err = coroutine.resume(co)
      return child:state(), ok, err.kind, (tutti.cancelled())
    end, "cancelled", false, "cancelled", false)
  end)

  it("cannot be resumed by another task", function()
    both(function(coroutine, pcall, tutti)
      local co = coroutine.create(function() tutti.scope(function() coroutine.yield() end) end)
      coroutine.resume(co)
      local t = tutti.spawn(function()
        local ok, err = pcall(coroutine.resume, co)
        return ok, err.kind
      end)
      local ok, kind = t:await()
      return ok, kind, (coroutine.resume(co))
    end, false, "usage", true)
  end)
end)

describe("pcall and xpcall", function()
  it("let a live cancellation through, rawpcall does not", function()
    both(function(_, pcall, tutti)
      local seen = {}
      local t = tutti.spawn(function()
        local _, err = tutti.rawpcall(tutti.sleep, 10)
        seen[1] = err.kind
        tutti.xpcall(tutti.sleep, function() seen[2] = "handler" end, 10)
        seen[3] = "went on"
      end)
      tutti.checkpoint()
      t:cancel()
      local ok = pcall(t.await, t) -- somebody else's is an ordinary error
      return ok, seen[1], seen[2], seen[3]
    end, false, "cancelled", nil, nil)
  end)

  it("are Lua's otherwise", function()
    both(function(_, pcall, tutti)
      local ok, a, b = pcall(function(...) return ... end, 1, nil)
      local bad, err = pcall(error)
      local x, handled = tutti.xpcall(function(n) error(n, 0) end, function(n) return n + 1 end, 41)
      local y, z = tutti.xpcall(function(...) return select("#", ...) end, print, nil, nil)
      return ok, a, b, bad, err == nil, x, handled, y, z
    end, true, 1, nil, false, true, false, 42, true, 2)
  end)
end)

describe("awaiting where Lua cannot yield", function()
  local function refusal(f)
    local ok, err = tutti.spawn(f):pawait()
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    return err.message
  end

  it("names the C function on the stack and says what to do", function()
    local sleep = function() tutti.sleep(0) end
    assert.matches("sleep cannot wait here.*'sort'.*before the sort", refusal(function()
      table.sort({ 1, 2 }, sleep)
    end))
    assert.matches("'gsub'.*gmatch", refusal(function() string.gsub("a", "a", sleep) end))
    assert.matches("'tostring'", refusal(function() tostring(setmetatable({}, { __tostring = sleep })) end))
    assert.matches("'sort'.*before the sort", refusal(function()
      local ok, err = tutti.rawpcall(table.sort, { 1, 2 }, sleep) -- called by C, so without a name
      error(ok and "it may wait" or err, 0)
    end))
    assert.matches("'sort'", refusal(function()
      table.sort({ 1, 2 }, tutti.coroutine.wrap(sleep)) -- also from a coroutine inside
    end))
    assert.matches("xpcall", refusal(function()
      local _, err = tutti.xpcall(error, sleep)
      error(err)
    end))
  end)
end)
