-- SPDX-License-Identifier: MIT
--- An HTTP/1.1 client on the engine's own sockets, as far as a crawl needs one: GET, one connection a
--- request, bodies of a given length, in chunks, or up to the end of the connection.
---
--- Invariant: a socket is closed when http.get ends, however it ends, a cancellation included.
---@module "crawl.http"
local tutti = require("tutti")
local uv = tutti.uv

local http = {}

local HEAD_BYTES = 64 * 1024 -- of a status line and headers
local BODY_BYTES = 16 * 1024 * 1024

---@class crawl.response
---@field status integer
---@field headers table<string, string>   # names in small letters
---@field body string

local function fail(format, ...)
  error(format:format(...), 0)
end

-- ---- a stream that can be waited for -------------------------------------------------------

local Stream = {}
Stream.__index = Stream

function Stream:__close()
  if not self.socket:is_closing() then
    self.socket:close()
  end
end

local function describe_uv(err, what)
  local code = tostring(err.code or err.message or err):match("[A-Z]+[A-Z0-9_]+") or tostring(err)
  fail("%s: %s", what, code)
end

-- The first address of the host that takes a connection.
local function connect(stream, host, port)
  local ok, addresses = pcall(tutti.await, uv.getaddrinfo, host, nil, { socktype = "stream" })
  if not ok then
    describe_uv(addresses, ("no address of \"%s\""):format(host))
  end
  local problem
  for _, address in ipairs(addresses) do
    stream.socket = uv.new_tcp()
    ok, problem = pcall(tutti.await, uv.tcp_connect, stream.socket, address.addr, port)
    if ok then
      return
    end
    stream.socket:close()
  end
  describe_uv(problem, ("no connection to %s:%d"):format(host, port))
end

-- From now on what arrives is kept; whoever waits for it is told by `arrived`.
local function start_reading(stream)
  stream.socket:read_start(function(err, data)
    if err or not data then
      stream.is_at_end, stream.problem = true, err
    else
      stream.bytes = stream.bytes .. data
    end
    stream.arrived:set()
  end)
end

-- Wait for more; false at the end of the connection.
function Stream:more()
  if self.is_at_end then
    return false
  end
  self.arrived:wait()
  self.arrived = tutti.event()
  if self.problem then
    fail("the connection broke: %s", self.problem)
  end
  return true
end

-- The bytes up to a separator, which is taken as well.
function Stream:take_until(separator, what)
  local from = 1
  while true do
    local at, last = self.bytes:find(separator, from, true)
    if at then
      local taken = self.bytes:sub(1, at - 1)
      self.bytes = self.bytes:sub(last + 1)
      return taken
    elseif #self.bytes > HEAD_BYTES then
      fail("%s has more than %d bytes", what, HEAD_BYTES)
    end
    from = math.max(1, #self.bytes - #separator + 2)
    if not self:more() then
      fail("the connection ended within %s", what)
    end
  end
end

-- A given number of bytes; a piece at a time, so that a long body costs one copy.
function Stream:take(count)
  local pieces = {}
  while count > 0 do
    if self.bytes == "" and not self:more() then
      fail("the connection ended %d bytes too early", count)
    end
    local piece = self.bytes:sub(1, count)
    self.bytes = self.bytes:sub(#piece + 1)
    pieces[#pieces + 1] = piece
    count = count - #piece
  end
  return table.concat(pieces)
end

-- ---- a response ----------------------------------------------------------------------------

local function check_size(size)
  if size > BODY_BYTES then
    fail("the body has more than %d MiB", BODY_BYTES // (1024 * 1024))
  end
  return size
end

local function read_head(stream)
  local head = stream:take_until("\r\n\r\n", "the head")
  local status = head:match("^HTTP/1%.[01] (%d%d%d)")
  if not status then
    fail("that is no HTTP: \"%s\"", head:sub(1, 40):gsub("%c", "?"))
  end
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value:gsub("%s+$", "")
  end
  return { status = tonumber(status), headers = headers }
end

local function read_chunks(stream)
  local pieces, total = {}, 0
  while true do
    local line = stream:take_until("\r\n", "the size of a chunk")
    local size = tonumber(line:match("^%s*(%x+)%s*$") or line:match("^%s*(%x+)%s*;") or "", 16)
    if not size then
      fail("\"%s\" is not the size of a chunk", line:sub(1, 20):gsub("%c", "?"))
    elseif size == 0 then
      return table.concat(pieces) -- what may follow, trailers, says nothing here
    end
    total = check_size(total + size)
    pieces[#pieces + 1] = stream:take(size)
    if stream:take(2) ~= "\r\n" then
      fail("a chunk is longer than it says")
    end
  end
end

local function read_to_end(stream)
  local pieces, total = {}, 0
  repeat
    pieces[#pieces + 1] = stream.bytes
    total = check_size(total + #stream.bytes)
    stream.bytes = ""
  until not stream:more()
  pieces[#pieces + 1] = stream.bytes
  return table.concat(pieces)
end

local function read_body(stream, response)
  local coding, length = response.headers["transfer-encoding"], response.headers["content-length"]
  if response.status == 204 or response.status == 304 then
    return ""
  elseif coding then
    return coding:lower():find("chunked%s*$") and read_chunks(stream)
      or fail("its transfer-encoding \"%s\" is not known here", coding)
  elseif length then
    local bytes = length:find("^%d+$") and math.tointeger(tonumber(length))
    return stream:take(check_size(bytes or fail("its content-length is \"%s\"", length)))
  end
  return read_to_end(stream)
end

--- Ask for a page. Raises a text that says what went wrong; a status such as 404 is a response.
---@async
---@param url crawl.url
---@return crawl.response
function http.get(url)
  local stream = setmetatable({ bytes = "", arrived = tutti.event() }, Stream)
  connect(stream, url.host, url.port)
  local _ <close> = stream
  start_reading(stream)
  local authority = url.port == 80 and url.host or ("%s:%d"):format(url.host, url.port)
  tutti.await(uv.write, stream.socket, ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tutti-crawl\r\n"
    .. "Accept: text/html,*/*;q=0.5\r\nConnection: close\r\n\r\n"):format(url.target, authority))
  local response
  repeat
    response = read_head(stream)
  until response.status >= 200 -- those below only say that there is more to come
  response.body = read_body(stream, response)
  return response
end

return http
