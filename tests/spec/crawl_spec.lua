-- SPDX-License-Identifier: MIT
-- scripts/crawl.lua against a server in this process that answers as it is told, badly too.
local describe, it, assert = describe, it, assert
local build = require("tests.spec.support.build")
package.path = "scripts/?.lua;" .. package.path
local http = require("crawl.http")
local links = require("crawl.links")
local tutti = require("tutti")
local uv = tutti.uv
local _ENV = _G -- luacheck: ignore

-- In a host a socket that breaks raises SIGPIPE, and what that does is the host's business.
local broken = uv.new_signal()
broken:start("sigpipe", function() end)
broken:unref()

local PROGRAM = os.getenv("TUTTI_PROGRAM")
local LIMIT = 60 -- seconds until a hang is a failure
local TIMEOUT = build.is_release and "2s" or "4s" -- in which this process always answers, if it is to

local function page(status, body, more)
  return ("HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s\r\n%s"):format(status,
    #body, more or "",
    body)
end

-- A server that answers the request for a path by answers[path](write, peer), in a task of its own; `asked`
-- says how often each was asked for, `peak` how many requests were open at once, `ended` how many
-- connections ended.
local function serve(answers)
  local server = { handle = uv.new_tcp(), asked = {}, open = 0, peak = 0, ended = 0 }
  assert(server.handle:bind("127.0.0.1", 0))
  server.port = server.handle:getsockname().port
  local function answer(path, peer)
    local function write(bytes)
      return pcall(tutti.await, uv.write, peer, bytes)
    end
    server.asked[path] = (server.asked[path] or 0) + 1
    local how = answers[path] or answers.other or function(put) put(page("404 Not Found", "")) end
    tutti.spawn({ detach = true }, function()
      how(write, peer)
      server.open = server.open - 1
      if not peer:is_closing() then
        peer:close()
      end
    end)
  end
  assert(server.handle:listen(128, function()
    local peer, head = uv.new_tcp(), ""
    server.handle:accept(peer)
    peer:read_start(function(_, data)
      head = head .. (data or "")
      server.ended = server.ended + (data and 0 or 1)
      local path = head:match("^GET (%S+) HTTP/1.1\r\n.*\r\n\r\n$")
      if path and data then
        server.open = server.open + 1
        server.peak = math.max(server.peak, server.open)
        answer(path, peer)
      end
    end)
  end))
  return server
end

-- f(server, get) in a task, with a server that answers so; get(path) asks for one as a crawl does.
local function with_server(answers, f)
  tutti.spawn(function()
    local server = serve(answers)
    local ok, err = pcall(tutti.timeout, LIMIT, f, server, function(path)
      return http.get(assert(links.parse(("http://127.0.0.1:%d%s"):format(server.port, path))))
    end)
    server.handle:close()
    assert(ok, tostring(err))
  end):await()
end

describe("an answer is read", function()
  it("by its length, in chunks, and up to the end, whatever pieces it comes in", function()
    local function dribble(bytes)
      return function(write)
        for i = 1, #bytes do
          write(bytes:sub(i, i))
          tutti.checkpoint()
        end
      end
    end
    local chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTRANSFER-encoding: Chunked\r\n\r\n"
      .. "3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    with_server({
      ["/length"] = dribble(page("200 OK", "by length", "X-Other:  spaces \t\r\n") .. "more"),
      ["/chunks"] = dribble(chunked),
      ["/whole"] = function(write) write(chunked) end,
      ["/end"] = dribble("HTTP/1.0 200 OK\r\n\r\nup to the end"),
      ["/long"] = function(write) write(page("200 OK", ("x"):rep(3000000))) end,
      ["/none"] = function(write) write("HTTP/1.1 204 No Content\r\n\r\nnot a body") end,
    }, function(_, get)
      local response = get("/length")
      assert.same({ 200, "by length", "spaces" }, { response.status, response.body,
        response.headers["x-other"] })
      assert.equal("abc0123456789", get("/chunks").body)
      assert.equal("abc0123456789", get("/whole").body)
      assert.equal("up to the end", get("/end").body)
      assert.equal(3000000, #get("/long").body)
      assert.same({ status = 204, headers = {}, body = "" }, get("/none"))
    end)
  end)

  it("or refused with what is wrong with it", function()
    local OK = "HTTP/1.1 200 OK\r\n"
    for bytes, message in pairs({
      [""] = "the connection ended within the head",
      ["SSH-2.0-x\r\n\r\n"] = "that is no HTTP: \"SSH%-2.0%-x\"",
      [OK .. "Content-Length: 10\r\n\r\nabc"] = "the connection ended 7 bytes too early",
      [OK .. "Content-Length: -1\r\n\r\nabc"] = "its content%-length is \"%-1\"",
      [OK .. "Content-Length: 99999999999\r\n\r\n"] = "the body has more than 16 MiB",
      [OK .. "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"] = "\"xyz\" is not the size of a chunk",
      [OK .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"] = "a chunk is longer than it says",
      [OK .. "Transfer-Encoding: gzip\r\n\r\n"] = "its transfer%-encoding \"gzip\" is not known here",
      [OK .. ("X: y\r\n"):rep(20000)] = "the head has more than 65536 bytes",
    }) do
      with_server({ other = function(write) write(bytes) end }, function(_, get)
        local ok, err = pcall(get, "/")
        assert.is_false(ok)
        assert.matches(message, tostring(err))
      end)
    end
  end)

  it("says who does not answer", function()
    with_server({}, function(server)
      local port = server.port
      server.handle:close()
      server.handle = uv.new_tcp()
      local ok, err = pcall(http.get, links.parse(("http://127.0.0.1:%d/"):format(port)))
      assert.is_false(ok)
      assert.matches("no connection to 127.0.0.1:%d+: ECONNREFUSED", tostring(err))
    end)
  end)

  it("not any more when its reader is cancelled: the connection ends", function()
    local over = tutti.event()
    with_server({ ["/"] = function(write)
      write("HTTP/1.1 200 OK\r\n\r\n")
      over:wait()
    end }, function(server, get)
      local task = tutti.spawn(get, "/")
      while server.open == 0 do
        tutti.sleep(0.001)
      end
      task:cancel()
      assert.is_false((task:pawait()))
      while server.ended == 0 do
        tutti.sleep(0.001)
      end
      over:set()
    end)
  end)
end)

describe("links", function()
  it("are read from pages", function()
    assert.same({ "a", "b c", "d&e", "f", "g.js", "é" }, links.find([[
      <a href="a">x</a> <A class=x HREF = 'b c' > <img alt="href=no" src="d&amp;e">
      <!-- <a href="hidden"> --> <link href=f> <script src="g.js">if (a < b) "<a href='no'>"</script>
      <a data-x="1" href="&#233;"> href="text" <a name="top">]]))
  end)

  it("lead to URLs that are equal if the pages are", function()
    local base = links.parse("HTTP://Example.ORG:80/a/b/c.html?q#f")
    assert.equal("http://example.org/a/b/c.html?q", base.text)
    for reference, wanted in pairs({ ["d"] = "/a/b/d", ["../d/"] = "/a/d/", ["/x/./y/../z"] = "/x/z", ["?r"] =
      "/a/b/c.html?r", ["#g"] = "/a/b/c.html?q", [""] = "/a/b/c.html?q", [".."] = "/a/",
        ["../../../.."] = "/",
      [" d e\n"] = "/a/b/d%20e", ["//example.org"] = "/", ["http://example.org/%7Ex"] = "/%7Ex",
        ["."] = "/a/b/" }) do
      assert.equal("http://example.org" .. wanted, links.resolve(base, reference).text)
    end
    for _, reference in ipairs({ "mailto:a@b", "https://example.org/", "data:,x", "javascript:x()",
      "tel:1" }) do
      assert.is_nil(links.resolve(base, reference))
    end
    assert.equal("http://other:8080/", links.resolve(base, "http://other:8080").text)
    for _, text in ipairs({ "example.org", "ftp://x/", "http://", "http://x:99999/", "http://a b/" }) do
      assert.is_nil(links.parse(text))
    end
  end)
end)

describe("a crawl", function()
  -- Run the script on the server's pages, with more words; returns the lines that it printed, its status, and
  -- what it said on stderr.
  local function crawl(server, ...)
    local argv = { PROGRAM, "run", "scripts/crawl.lua", ... }
    argv[#argv + 1] = ("http://127.0.0.1:%d/"):format(server.port)
    argv.check = false
    local result, lines = tutti.exec(argv):await(), {}
    for line in result.stdout:gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    return lines, result.code, result.stderr
  end

  local function links_to(...)
    local tags = {}
    for i, path in ipairs({ ... }) do
      tags[i] = ("<a href=\"%s\">x</a>\n"):format(path)
    end
    return function(write)
      tutti.sleep(0.01)
      write(page("200 OK", table.concat(tags)))
    end
  end

  it("asks for each page once, and for no more at a time than it may", function()
    local answers, all = {}, {}
    for i = 1, 30 do
      all[i] = ("/p%d"):format(i)
    end
    answers["/"] = links_to(table.unpack(all))
    local running
    for i, path in ipairs(all) do
      local answer = links_to("/", "#here", path, all[i % 30 + 1] .. "#there")
      answers[path] = function(write)
        while running and running.peak < 3 do -- as many as may be asked for at once are
          tutti.sleep(0.001)
        end
        answer(write)
      end
    end
    with_server(answers, function(server)
      running = server
      local lines, status, err = crawl(server, "--limit", "3")
      assert.same({ "crawl: 31 pages, 150 links, 0 lead nowhere, 0 to other sites" }, lines, err)
      assert.equal(0, status)
      assert.equal(3, server.peak)
      for _, path in ipairs(all) do
        assert.equal(1, server.asked[path])
      end
      running = nil
    end)
    with_server(answers, function(server)
      local lines, status = crawl(server, "--max", "5", "-v")
      assert.equal(6, #lines)
      assert.matches("^crawl: 5 pages, .*, 26 left out %(%-%-max%)$", lines[6])
      assert.equal(0, status)
    end)
  end)

  it("says of each page what is wrong, tries broken ones again, and goes on", function()
    local over, tries = tutti.event(), 0
    with_server({
      ["/"] = links_to("moved", "flaky", "broken", "hang", "missing", "http://other.example/"),
      ["/moved"] = function(write) write(page("302 Found", "", "Location: /round\r\n")) end,
      ["/round"] = function(write) write(page("302 Found", "", "Location: /moved\r\n")) end,
      ["/flaky"] = function(write)
        tries = tries + 1
        write(tries == 3 and page("200 OK", "") or "HTTP/1.1 200")
      end,
      ["/broken"] = function(write) write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") end,
      ["/hang"] = function() over:wait() end,
    }, function(server)
      local lines, status, err = crawl(server, "--timeout", TIMEOUT)
      over:set()
      assert.same({
        "the connection ended 8 bytes too early  /broken  (from /)",
        ("no answer within %s  /hang  (from /)"):format(TIMEOUT),
        "404  /missing  (from /)",
        "crawl: 7 pages, 8 links, 3 lead nowhere, 1 to other sites",
      }, lines, err)
      assert.equal(1, status)
      assert.same({ 3, 3, 3, 1, 1 }, { tries, server.asked["/broken"], server.asked["/hang"],
        server.asked["/missing"], server.asked["/moved"] })
    end)
  end)

  it("says when there is nothing there, and what is wrong with its words", function()
    with_server({}, function(server)
      local lines, status = crawl(server)
      assert.same({ 1, "404  /  (where it starts)" }, { status, lines[1] })
      for _, words in ipairs({ {}, { "/no/such/folder" }, { "https://localhost/" }, { "--limit", "0",
        "http://x/" },
        { "--timeout", "soon", "http://x/" }, { "--frob", "http://x/" }, { "http://x/", "http://y/" },
          { "--max" } }) do
        local argv = { PROGRAM, "run", "scripts/crawl.lua", table.unpack(words) }
        argv.check = false
        local result = tutti.exec(argv):await()
        assert.equal(2, result.code)
        assert.matches("^crawl: .*\nusage: ", result.stderr)
      end
    end)
  end)
end)
