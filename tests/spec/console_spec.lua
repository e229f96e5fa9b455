-- SPDX-License-Identifier: MIT
-- scripts/embed/console.c: several clients at the Unix socket of a running program.
local tutti = require("tutti")
local program = os.getenv("TUTTI_BUILD_DIR") .. "/tests/embed_console"
local uv = tutti.uv

local LIMIT = 30

local client_meta = {}
client_meta.__index = client_meta

local function connect(path)
  local pipe = uv.new_pipe(false)
  local ok, err = pcall(tutti.await, uv.pipe_connect, pipe, path)
  if not ok then
    pipe:close()
    return nil, err
  end
  local self = setmetatable({ pipe = pipe, text = "", is_over = false }, client_meta)
  pipe:read_start(function(_, chunk)
    self.text = self.text .. (chunk or "")
    self.is_over = chunk == nil
    local wake = self.wake
    self.wake = nil
    if wake then
      wake()
    end
  end)
  return self
end

function client_meta:send(text)
  tutti.await(uv.write, self.pipe, text)
end

-- Wait until `text` has come; what came up to its end is taken.
function client_meta:expect(text)
  local last
  tutti.timeout(LIMIT, function()
    while true do
      last = select(2, self.text:find(text, 1, true))
      if last or self.is_over then
        return
      end
      tutti.await(function(callback) self.wake = callback end)
    end
  end)
  assert(last, ("%q was expected, got %q and the end"):format(text, self.text))
  local taken = self.text:sub(1, last)
  self.text = self.text:sub(last + 1)
  return taken
end

function client_meta:leave()
  self.pipe:close()
end

local function connect_soon(path)
  local start = tutti.now()
  while true do
    local client, err = connect(path)
    if client then
      return client
    end
    assert(tutti.now() - start < LIMIT, tostring(err))
    tutti.sleep(0.01)
  end
end

-- f(path, connect) with a program that serves `path`.
local function with_server(f)
  local path = os.tmpname()
  os.remove(path)
  tutti.scope({ on_failure = "collect" }, function(scope)
    local server = scope:exec({ program, path, check = false })
    local first = connect_soon(path)
    f(path, first, server)
    server:cancel()
  end)
  os.remove(path)
end

describe("a console behind a socket", function()
  it("is off without a path", function()
    local result = tutti.exec({ program, env = { TUTTI_CONSOLE = false } }):await()
    assert.equal("game: 30 frames\n", result.stdout)
  end)

  it("evaluates for its owner alone, while the game goes on", function()
    with_server(function(path, client)
      assert.equal(tonumber("600", 8), uv.fs_stat(path).mode & tonumber("777", 8))
      client:expect("> ")
      client:send("local before = tick\n1 + 2\n")
      client:expect("3\n> ")
      client:send("print('a', 1)\n")
      client:expect("a\t1\n> ")
      client:send("while tick < before + 3 do tutti.sleep(0.001) end\n")
      client:expect("> ")
      client:send("tick > before\n")
      client:expect("true\n> ")
      client:leave()
    end)
  end)

  it("puts lines together, and says what is wrong", function()
    with_server(function(_, client)
      client:expect("> ")
      client:send("for i = 1, 2 do\n")
      client:expect(">> ")
      client:send("print(i)\nend\n")
      client:expect("1\n2\n> ")
      client:send("x = = 1\n")
      client:expect("(console ")
      client:expect("> ")
      client:send("error('bad')\n")
      client:expect("bad")
      client:expect("> ")
      client:send("for i = 1, 2 do\n\3")
      client:expect("\n> ")
      client:send("\0\255\n'still here'\n")
      client:expect("still here\n> ")
      client:leave()
    end)
  end)

  it("serves several clients at once, each with its own locals", function()
    with_server(function(path, first)
      local clients = { first }
      for i = 2, 8 do
        clients[i] = connect(path)
      end
      for i, client in ipairs(clients) do
        client:expect("> ")
        client:send(("local mine = %d; seen = (seen or 0) + 1; tutti.sleep(0.02)\n"):format(i))
      end
      for i, client in ipairs(clients) do
        client:expect("> ")
        client:send("mine, seen\n")
        assert.truthy(client:expect("\n> "):find(i .. ".*8"))
      end
      local waiting = connect(path) -- all places are taken: it is served when one leaves
      clients[3]:leave()
      waiting:expect("> ")
    end)
  end)

  it("cancels the line at Ctrl-C, and all of a client that leaves", function()
    with_server(function(path, client)
      local other = connect(path)
      other:expect("> ")
      client:expect("> ")
      client:send("tutti.sleep(600)\n\3")
      client:expect("cancelled")
      client:expect("> ")
      client:send("ended, started = nil, true; tutti.defer(function() ended = true end) tutti.sleep(600)\n")
      other:send("while not started do tutti.sleep(0.001) end\n")
      other:expect("> ")
      client:leave()
      other:send("while not ended do tutti.sleep(0.001) end print('has ended')\n")
      other:expect("has ended\n> ")
      other:leave()
    end)
  end)

  it("goes without a client that does not read", function()
    with_server(function(path, client)
      local deaf = connect(path)
      deaf:expect("> ")
      deaf.pipe:read_stop()
      deaf:send("tutti.defer(function() deaf_is_over = true end) "
        .. "while true do print(('x'):rep(10000)) tutti.sleep(0) end\n")
      client:expect("> ")
      client:send("while not deaf_is_over do tutti.sleep(0.001) end print('without it')\n")
      client:expect("without it\n> ")
      client:leave()
      deaf:leave()
    end)
  end)

  it("replaces a socket that nobody serves, and nothing else", function()
    local path
    with_server(function(served, client)
      path = served
      client:expect("> ")
      local second = tutti.exec({ program, path, check = false }):await()
      assert.equal(2, second.code)
      assert.truthy(second.stderr:find("Address already in use", 1, true))
      client:send("1\n")
      client:expect("1\n> ")
    end)
    local listener = uv.new_pipe(false)
    assert(listener:bind(path))
    listener:close() -- libuv removes the file; a dead program does not
    local dead = tutti.exec({ program, path, check = false })
    connect_soon(path):leave()
    dead:cancel()
    dead:pawait()
    assert.truthy(uv.fs_lstat(path)) -- it was killed and has left its socket
    local again = tutti.exec({ program, path, check = false })
    local client = connect_soon(path)
    client:expect("> ")
    client:leave()
    again:cancel()
    again:pawait()
    os.remove(path)
    local file = assert(io.open(path, "w"))
    file:write("precious")
    file:close()
    assert.equal(2, tutti.exec({ program, path, check = false }):await().code)
    assert.equal("precious", assert(io.open(path)):read("a"))
    os.remove(path)
  end)
end)
